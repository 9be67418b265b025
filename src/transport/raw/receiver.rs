//! The receiver thread: every packet is parsed and must prove itself by its cookie before anything crosses to the loop.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::net::sockopt::socket_error;

use crate::model::{Address, Endpoint, Observation, Seen, Shape, Source, Time};
use crate::transport::Shapes;
use crate::wire::judge::Answer;
use crate::wire::{Evidence, Judge, Stray, Unusable, parse, signature};

use super::super::clock::Clock;
use super::super::sys::ring::{Frame, Ring};
use super::queue::{Arrival, Queue};

pub(super) struct Receiver {
    rings: Vec<Ring>,
    sockets: Vec<Arc<OwnedFd>>,
    judge: Judge,
    clock: Clock,
    queue: Arc<Queue>,
    /// Where what the stacks look like goes, if anybody wants to know.
    shapes: Option<Shapes>,
    shutdown: Shutdown,
}

/// Wakes the receiver for its end.
#[derive(Clone)]
pub(super) struct Shutdown(Arc<OwnedFd>);

/// Never sleeps without a limit: a lost wake-up costs this long, not forever.
const LONGEST_SLEEP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

impl Shutdown {
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(event)))
    }

    pub(super) fn ask(&self) {
        // It can only fail when the counter is full, that is, when it was asked often enough.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Receiver {
    pub(super) fn new(
        rings: Vec<Ring>,
        judge: Judge,
        clock: Clock,
        queue: Arc<Queue>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            sockets: rings.iter().map(Ring::socket).collect(),
            rings,
            judge,
            clock,
            queue,
            shapes: None,
            shutdown,
        }
    }

    pub(super) fn set_shapes(&mut self, shapes: Shapes) {
        self.shapes = Some(shapes);
    }

    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        let mut hints = Hints::default();
        while self.wait() {
            for ring in &mut self.rings {
                loop {
                    let stamps = StampShift::measure(self.clock);
                    let mut strays = 0;
                    let more = ring.read_block(|frame| match read(&self.judge, &frame) {
                        Ok(answer) => {
                            if let Some(shapes) = &self.shapes {
                                note(&answer, &frame, shapes);
                            }
                            let arrival = arrival(&answer, &frame, stamps);
                            let seen = &arrival.observation;
                            if seen.seen == Seen::Hint && hints.take(seen.at) == Taken::No {
                                strays += 1;
                            } else {
                                batch.push(arrival);
                            }
                        }
                        Err(NoAnswer::Stray) => strays += 1,
                        Err(NoAnswer::OfOthers) => {}
                    });
                    if strays > 0 {
                        self.queue.add_strays(strays);
                    }
                    self.queue.push(&mut batch);
                    if !more {
                        break;
                    }
                }
            }
        }
    }

    /// Sleeps until a block is finished. `false`: the end was asked for.
    fn wait(&self) -> bool {
        let mut polled = vec![PollFd::new(&self.shutdown.0, PollFlags::IN)];
        for socket in &self.sockets {
            polled.push(PollFd::new(socket, PollFlags::IN));
        }
        // An error (EINTR) is a wake-up like any other: the rings are looked at.
        let _ = poll(&mut polled, Some(&LONGEST_SLEEP));
        for (fd, socket) in polled.iter().skip(1).zip(&self.sockets) {
            if fd.revents().contains(PollFlags::ERR) {
                // An interface went down: reading the error clears it, else poll would return at once for ever.
                let _ = socket_error(socket.as_fd());
            }
        }
        !polled
            .first()
            .is_some_and(|fd| fd.revents().contains(PollFlags::IN))
    }
}

/// How many hints cross: they have no cookie, so that anybody could fill the queue with them.
#[derive(Default)]
struct Hints {
    since: Time,
    taken: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    Yes,
    No,
}

impl Hints {
    fn take(&mut self, now: Time) -> Taken {
        if now.since(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.taken = 0;
        }
        if self.taken >= HINTS_PER_SECOND {
            return Taken::No;
        }
        self.taken += 1;
        Taken::Yes
    }
}

const HINTS_PER_SECOND: u32 = 500;

/// Why a packet does not cross.
enum NoAnswer {
    /// It came to our ports and proves nothing.
    Stray,
    /// It has nothing to do with this scan; the filter lets some of those through.
    OfOthers,
}

fn read(judge: &Judge, frame: &Frame<'_>) -> Result<Answer, NoAnswer> {
    let reply = parse(frame.bytes, frame.checksum).map_err(|error| match error {
        Unusable::Truncated | Unusable::BadHeader | Unusable::BadChecksum => NoAnswer::Stray,
        Unusable::NotIp
        | Unusable::TooManyHeaders
        | Unusable::LaterFragment
        | Unusable::OtherProtocol
        | Unusable::OtherIcmp => NoAnswer::OfOthers,
    })?;
    judge.judge(&reply).map_err(|stray| match stray {
        Stray::WrongNumber | Stray::Meaningless => NoAnswer::Stray,
        Stray::OtherPorts | Stray::OurOwn => NoAnswer::OfOthers,
    })
}

fn note(answer: &Answer, frame: &Frame<'_>, shapes: &Shapes) {
    if let Evidence::SynAck(_) = answer.evidence
        && let Some(signature) = signature(frame.bytes)
    {
        let address = Address::new(answer.target);
        let address = match address.ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => address.with_zone(frame.interface),
            _ => address,
        };
        shapes.note(address, Shape::Packet(signature));
    }
}

fn arrival(answer: &Answer, frame: &Frame<'_>, stamps: StampShift) -> Arrival {
    Arrival {
        observation: Observation {
            endpoint: Endpoint {
                address: Address::new(answer.target),
                port: answer.port,
            },
            source: Source::Flow(answer.flow),
            at: stamps.time(frame.stamp),
            seen: match answer.evidence {
                Evidence::SynAck(syn_ack) => Seen::SynAck(syn_ack),
                Evidence::Reset { ttl } => Seen::Rst { ttl },
                Evidence::Icmp { reason, offender } => Seen::Icmp { reason, offender },
                Evidence::StaleAck => Seen::StaleAck,
                Evidence::Hint => Seen::Hint,
            },
        },
        interface: frame.interface,
        to: answer.to,
    }
}

/// Moves kernel stamps, which are wall-clock times, to the scan's clock. Measured anew for each block, because the wall
/// clock may be set at any moment.
#[derive(Clone, Copy)]
struct StampShift {
    wall: u64,
    now: Time,
}

impl StampShift {
    #[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
    fn measure(clock: Clock) -> Self {
        let now = clock.now();
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            wall: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
            now,
        }
    }

    /// A stamp from the future, or from before the scan, is a wall clock that was set: then it arrived now.
    fn time(self, stamp: u64) -> Time {
        let age = self.wall.saturating_sub(stamp);
        Time(self.now.0.checked_sub(age).unwrap_or(self.now.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_hints_is_cut_off_at_500_a_second() {
        let mut hints = Hints::default();
        let mut taken = |from: u64| {
            let at = |number: u64| Time(from + number * 1_000);
            (0..10_000)
                .filter(|&number| hints.take(at(number)) == Taken::Yes)
                .count()
        };
        assert_eq!(taken(5_000_000_000), 500);
        assert_eq!(taken(5_500_000_000), 0);
        assert_eq!(taken(6_000_000_000), 500);
    }

    #[test]
    fn stamps_move_to_our_clock_and_jumps_are_survived() {
        let shift = StampShift {
            wall: 1_000_000,
            now: Time(50_000),
        };
        assert_eq!(shift.time(999_000), Time(49_000));
        assert_eq!(shift.time(1_000_000), Time(50_000));
        assert_eq!(shift.time(2_000_000), Time(50_000));
        assert_eq!(shift.time(0), Time(50_000));
    }
}
