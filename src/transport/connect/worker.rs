//! One thread of the pool: its own sockets, its own poller, its own clock-driven looks.

mod shortage;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{Timespec, epoll};

use self::shortage::Starved;
use super::attempt::{Attempt, Dialer, Look, Patience, Shortage, Start};
use super::queue::{Inbox, Job, Order, Outbox};
use crate::model::{LocalFault, Observation, Seen, Source, Time};
use crate::transport::Shapes;
use crate::transport::clock::Clock;
use crate::transport::departed::Departed;

/// Jobs started between two looks at the poller: bounds how late an answer is seen.
const BATCH: usize = 64;

/// The kernel repeats a SYN about once a second, up to 40 ms late: looks fall between the repeats.
const FIRST_LOOK: Duration = Duration::from_millis(1_100);
const NEXT_LOOK: Duration = Duration::from_secs(1);

/// How often a shut window is looked at: its opening is not reported by the poller.
const SHUT_LOOK: Duration = Duration::from_millis(25);

/// Meetings with ourselves before a job is given back: the range of source ports is then the target port alone.
const MEETINGS: u8 = 16;

/// The poller's name for the inbox' bell; slots count from zero.
const BELL: u64 = u64::MAX;

pub(super) struct Worker {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    dialer: Dialer,
    shapes: Option<Shapes>,
    clock: Clock,
    poller: OwnedFd,
    /// Jobs to start, the next one in front.
    backlog: VecDeque<Job>,
    /// Jobs that found no source port, by the time of their next try.
    parked: VecDeque<(Time, Job)>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
    /// When to look at which slot.
    looks: BTreeSet<(Time, u32)>,
    shortage: Option<Starved>,
    /// Attempts under way at the most: shrinks at a shortage, grows back to `most`.
    share: usize,
    most: usize,
    seen: Vec<Observation>,
    departed: Departed,
    packets: usize,
}

#[derive(Default)]
struct Slot {
    /// Told apart from earlier users of the slot, whose events may still be in the batch at hand.
    generation: u32,
    attempt: Option<Attempt>,
    look: Time,
}

impl Worker {
    pub(super) fn new(
        inbox: Arc<Inbox>,
        outbox: Arc<Outbox>,
        dialer: Dialer,
        clock: Clock,
    ) -> io::Result<Self> {
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = epoll::EventData::new_u64(BELL);
        epoll::add(&poller, inbox.bell(), bell, epoll::EventFlags::IN)?;
        Ok(Self {
            inbox,
            outbox,
            dialer,
            shapes: None,
            clock,
            poller,
            backlog: VecDeque::new(),
            parked: VecDeque::new(),
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
            looks: BTreeSet::new(),
            shortage: None,
            share: 0,
            most: 0,
            seen: Vec::with_capacity(BATCH),
            departed: Departed::default(),
            packets: 0,
        })
    }

    pub(super) fn set_shapes(&mut self, shapes: Shapes) {
        self.shapes = Some(shapes);
    }

    /// Sets how many attempts may be under way at a time; none before.
    pub(super) fn set_most(&mut self, most: usize) {
        self.share = most;
        self.most = most;
        self.inbox.set_share(most);
    }

    /// Works until the inbox says stop. Attempts that are under way then end without an observation.
    pub(super) fn run(mut self) {
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); 256];
        loop {
            if self.inbox.take(&mut self.backlog) == Order::Stop {
                return self.hang_up();
            }
            let now = self.clock.now();
            self.unpark(now);
            self.start_batch(now);
            self.flush();
            self.inbox.left(&self.backlog);
            self.poll(&mut events);
            self.look_by_clock();
            self.flush();
        }
    }

    /// Ends every attempt with a reset.
    fn hang_up(self) {
        for attempt in self.slots.into_iter().filter_map(|slot| slot.attempt) {
            attempt.close();
        }
    }

    fn start_batch(&mut self, now: Time) {
        if self.shortage.is_some_and(|shortage| shortage.retry <= now) {
            self.try_again();
        }
        self.outbox.ask_for_departures(&mut self.departed);
        let (mut started, mut waited) = (0, Duration::ZERO);
        for _ in 0..BATCH {
            if !self.can_start() {
                break;
            }
            let Some(job) = self.backlog.pop_front() else {
                break;
            };
            started += 1;
            waited = waited.max(now.since(job.given));
            self.start(job);
        }
        self.outbox.put_departures(&mut self.departed);
        if started > 0 {
            let took = self.clock.now().since(now);
            if self.inbox.started(started, took, waited) {
                self.outbox.make_room();
            }
        }
    }

    fn start(&mut self, job: Job) {
        let now = self.clock.now();
        let start = self.dialer.start(job, now);
        if !matches!(start, Start::Short(_)) {
            self.note_departure(&job);
        }
        match start {
            Start::Connecting(attempt) => {
                if self.shortage.take().is_some() || self.share < self.most {
                    self.outbox.got_a_socket(now);
                }
                self.look_at_once(attempt);
            }
            Start::Failed(fault) => self.end(&job, Seen::Local(fault), 0, Duration::ZERO, now),
            Start::Short(Shortage::Ports) => self.park(job, now),
            Start::Short(Shortage::Machine) => self.starve(job, now),
        }
    }

    /// Its SYN had left by now, or never will.
    fn note_departure(&mut self, job: &Job) {
        let clock = self.clock;
        self.departed.note([job.endpoint], || clock.now());
    }

    fn put_back(&mut self, job: Job) {
        self.inbox.waits_again();
        self.backlog.push_front(job);
    }

    /// On near links the answer is there when connect() returns: then the poller is not needed.
    fn look_at_once(&mut self, mut attempt: Attempt) {
        let look = attempt.look(Patience::Left);
        self.note_handshake(&mut attempt, look);
        if self.settle(&attempt, look) {
            attempt.close();
            self.freed();
        } else {
            self.watch(attempt, look);
        }
    }

    fn watch(&mut self, attempt: Attempt, look: Look) {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot::default());
                (self.slots.len() - 1) as u32
            }
        };
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        slot.generation = slot.generation.wrapping_add(1);
        // Edge-triggered: an ICMP error in the queue of a socket that goes on connecting would ring without end.
        let data = epoll::EventData::new_u64(u64::from(slot.generation) << 32 | u64::from(index));
        let interest = epoll::EventFlags::OUT | epoll::EventFlags::ET;
        // Without the poller (no memory for it) the looks by the clock remain.
        let polled = epoll::add(&self.poller, &attempt, data, interest);
        let look = polled.map_or(Look::Shut, |()| look);
        slot.look = next_look(&attempt, look, attempt.started);
        self.looks.insert((slot.look, index));
        slot.attempt = Some(attempt);
        self.live += 1;
        self.outbox.holds_one_more();
    }

    /// Waits for something to do, not at all when a job can start.
    fn poll(&mut self, events: &mut [MaybeUninit<epoll::Event>]) {
        let more = !self.backlog.is_empty() && self.can_start();
        let busy = more || (self.backlog.is_empty() && !self.inbox.may_sleep());
        if busy && self.live == 0 {
            return;
        }
        let wait = if busy {
            Some(Duration::ZERO)
        } else {
            self.next_due().map(|due| due.since(self.clock.now()))
        };
        let wait = wait.map(|wait| Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        });
        // EINTR: the loop comes again. Nothing else can fail with a valid poller.
        let Ok((ready, _)) = epoll::wait(&self.poller, events, wait.as_ref()) else {
            return;
        };
        for event in ready {
            let data = event.data.u64();
            if data == BELL {
                let _ = rustix::io::read(self.inbox.bell(), &mut [0_u8; 8]);
                continue;
            }
            let (generation, index) = ((data >> 32) as u32, data as u32);
            let current = self.slots.get(index as usize);
            if current.is_some_and(|slot| slot.generation == generation && slot.attempt.is_some()) {
                self.look(index);
            }
        }
    }

    /// When the clock has something to do; a shortage or a parked job waits for it as well.
    fn next_due(&self) -> Option<Time> {
        let look = self.looks.first().map(|(due, _)| *due);
        let parked = self.parked.front().map(|(due, _)| *due);
        let retry = self
            .shortage
            .map(|shortage| shortage.retry)
            .filter(|retry| *retry != Time::ZERO && !self.backlog.is_empty());
        [look, parked, retry].into_iter().flatten().min()
    }

    fn look_by_clock(&mut self) {
        let now = self.clock.now();
        while let Some((due, index)) = self.looks.first().copied() {
            if due > now {
                return;
            }
            self.look(index);
        }
    }

    /// Looks at a slot, and ends it or says when to look again.
    fn look(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        let Some(mut attempt) = slot.attempt.take() else {
            return;
        };
        self.looks.remove(&(slot.look, index));
        let now = self.clock.now();
        let patience = if attempt.deadline() > now {
            Patience::Left
        } else {
            Patience::Over
        };
        let look = attempt.look(patience);
        self.note_handshake(&mut attempt, look);
        if self.settle(&attempt, look) {
            attempt.close();
            self.free.push(index);
            self.live -= 1;
            self.outbox.holds_one_less();
            self.freed();
            return;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.look = next_look(&attempt, look, now);
            self.looks.insert((slot.look, index));
            slot.attempt = Some(attempt);
        }
    }

    /// A window that opens later must not count as a long round trip.
    fn note_handshake(&self, attempt: &mut Attempt, look: Look) {
        if look == Look::Shut {
            let now = self.clock.now();
            attempt.handshake.get_or_insert(now);
        }
    }

    /// Whether a look ends the attempt; then its observation is made, or its job repeated.
    fn settle(&mut self, attempt: &Attempt, look: Look) -> bool {
        match look {
            Look::Waiting | Look::Shut => false,
            Look::Ended { seen, syns } => {
                if let (Some(shapes), Seen::SynAck(_)) = (&self.shapes, seen) {
                    attempt.note_shape(shapes);
                }
                let now = self.clock.now();
                let answered = attempt.handshake.unwrap_or(now);
                self.end(
                    &attempt.job,
                    seen,
                    syns,
                    answered.since(attempt.started),
                    now,
                );
                true
            }
            Look::Ourselves => {
                let mut job = attempt.job;
                job.doubts += 1;
                if job.doubts < MEETINGS {
                    self.put_back(job);
                } else {
                    let now = self.clock.now();
                    let fault = Seen::Local(LocalFault::NotSent);
                    self.end(&job, fault, 0, Duration::ZERO, now);
                }
                true
            }
        }
    }

    fn end(&mut self, job: &Job, seen: Seen, syns: u8, took: Duration, at: Time) {
        let answered = matches!(seen, Seen::SynAck(_) | Seen::Rst { .. } | Seen::Icmp { .. });
        self.packets += usize::from(syns);
        self.seen.push(Observation {
            endpoint: job.endpoint,
            source: Source::Attempt {
                attempt: job.attempt,
                syns,
                took: answered.then_some(took),
            },
            at,
            seen,
        });
    }

    fn flush(&mut self) {
        let count = self.seen.len();
        if count > 0 {
            self.outbox.put(&mut self.seen, self.packets);
            self.packets = 0;
            self.inbox.answered(count);
        }
    }
}

/// The next look by the clock, at the deadline at the latest.
fn next_look(attempt: &Attempt, look: Look, now: Time) -> Time {
    let next = match look {
        Look::Shut => now + SHUT_LOOK,
        _ if now.since(attempt.started) < FIRST_LOOK => attempt.started + FIRST_LOOK,
        _ => now + NEXT_LOOK,
    };
    next.min(attempt.deadline())
}
