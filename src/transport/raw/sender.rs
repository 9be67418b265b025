//! The sending half, on the loop's thread: route, SYN, batch, and what the kernel says to it.

mod asking;
mod ways;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::model::{Address, Departure, How, LocalFault, Observation, Probe, Seen, Time};
use crate::wire::neighbour::Asker;
use crate::wire::{Cookie, Flows, Syn, SynTemplate};

use super::beaten::Beaten;
use super::courier::{Courier, Taken};
use super::frames::Frames;
use super::inquiry::{Inquiry, Lines};
use super::outbox::{BATCH, Exits, Outbox, Packet, Sent};
use super::refused::{local_fault, refused};
use super::scouts::Scouts;
use super::{Family, RawConfig, SendPath, Senders, kernel_syn};
use crate::transport::clock::Clock;
use crate::transport::departed::Departed;
use crate::transport::next_hops::{Crowd, HopKey, NextHops};
use crate::transport::route::{IpVersion, Route, Router};

/// After a full queue of the device or the socket.
pub(super) const BACK_OFF: Duration = Duration::from_micros(200);
/// After full send buffers of the scouts: they are freed as neighbours are resolved or given up.
const SCOUTS_BACK_OFF: Duration = Duration::from_millis(1);
/// Link-local targets whose zone is remembered.
const ZONES: usize = 4096;

pub(super) struct Sender {
    outbox: Outbox,
    exits: Exits,
    courier: Option<Courier>,
    /// Sockets for the courier, until it starts.
    second_exits: Option<Exits>,
    /// Where frames were asked for.
    frames: Option<Frames>,
    /// Then neighbours are asked for by ourselves as well.
    asking: Option<Asking>,
    interface: Option<u32>,
    template: SynTemplate,
    cookie: Cookie,
    flows: Flows,
    source: Option<IpAddr>,
    next_hops: NextHops,
    scouts: Scouts,
    /// Of the last address: probes of one host follow each other.
    last_route: Option<(Address, Route)>,
    /// Within a batch: what further probes share with those that were looked up.
    beaten: Beaten,
    zones: HashMap<Ipv6Addr, u32>,
    faults: Vec<Observation>,
    departed: Departed,
    not_before: Time,
    packets_sent: u64,
    /// They keep the source ports.
    _reserved: Vec<OwnedFd>,
}

/// Neighbours that we ask for, with the probes that wait for them.
struct Asking {
    inquiry: Inquiry<(Probe, Packet)>,
    lines: Lines,
}

/// A neighbour that is not resolved yet, and where a probe to it waits.
enum Waits {
    InTheKernel(HopKey),
    WithUs(HopKey, Asker),
}

/// What one probe comes to.
enum Step {
    Packet(Packet),
    /// To a neighbour that is not resolved yet.
    Scout(Packet, HopKey),
    Kept(Packet, HopKey, Asker),
    Fault(LocalFault),
    NoNeighbour,
    Wait(Time),
}

/// How far a batch got.
enum Flushed {
    All,
    /// Messages that were dealt with before the kernel had no room.
    Part(usize),
}

/// Whether the call has more to send after a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    More,
    Nothing,
}

impl Sender {
    pub(super) fn open(
        config: &RawConfig,
        cookie: Cookie,
        flows: Flows,
        reserved: Vec<OwnedFd>,
        router: &mut impl Router,
    ) -> io::Result<Self> {
        let versions = config.families.list().iter().map(|family| match family {
            Family::V4 => IpVersion::V4,
            Family::V6 => IpVersion::V6,
        });
        let room = versions.map(|version| router.neighbour_room(version)).min();
        Ok(Self {
            outbox: Outbox::new(),
            exits: Exits::open(config)?,
            courier: None,
            second_exits: match config.senders {
                Senders::One => None,
                Senders::Two => Some(Exits::open(config)?),
            },
            frames: match config.path {
                SendPath::Ip => None,
                SendPath::Frame | SendPath::ForceFrame => Some(Frames::default()),
            },
            asking: match config.path {
                SendPath::Ip => None,
                SendPath::Frame | SendPath::ForceFrame => Some(Asking {
                    inquiry: Inquiry::new(),
                    lines: Lines::open(config.families)?,
                }),
            },
            interface: config.interface,
            template: SynTemplate::new(kernel_syn::shape()),
            cookie,
            flows,
            source: config.source,
            next_hops: NextHops::new(Crowd::Scouts, room.unwrap_or(1)),
            scouts: Scouts::open(config)?,
            last_route: None,
            beaten: Beaten::default(),
            zones: HashMap::new(),
            faults: Vec::new(),
            departed: Departed::default(),
            not_before: Time::ZERO,
            packets_sent: 0,
            _reserved: reserved,
        })
    }

    /// Starts the second sender, if there is to be one.
    ///
    /// # Errors
    /// The kernel's, when no thread can be made.
    pub(super) fn start(&mut self, clock: Clock) -> io::Result<()> {
        if let Some(exits) = self.second_exits.take() {
            self.courier = Some(Courier::start(exits, clock)?);
        }
        Ok(())
    }

    /// The interface by which everything leaves, if that was asked for.
    pub(super) fn bound(&self) -> Option<u32> {
        self.interface
    }

    pub(super) fn flows(&self) -> Flows {
        self.flows
    }

    pub(super) fn packets_sent(&self) -> u64 {
        let by_courier = self.courier.as_ref().map_or(0, Courier::packets_sent);
        self.packets_sent + by_courier
    }

    /// A batch, or nothing while a full queue or an unresolved neighbour is waited for.
    pub(super) fn room(&self, now: Time) -> usize {
        if now < self.not_before { 0 } else { BATCH }
    }

    pub(super) fn take_faults(&mut self, out: &mut Vec<Observation>) {
        out.append(&mut self.faults);
        if let Some(courier) = &self.courier {
            courier.take_faults(out);
        }
    }

    pub(super) fn tell_departures(&mut self) {
        self.departed.tell();
        if let Some(courier) = &self.courier {
            courier.tell_departures();
        }
    }

    pub(super) fn departures(&mut self, out: &mut Vec<Departure>) {
        self.departed.take(out);
        if let (true, Some(courier)) = (self.departed.is_told(), &self.courier) {
            courier.departures(out);
        }
    }

    /// Sends a prefix of `probes` and returns its length.
    pub(super) fn send(
        &mut self,
        probes: &[Probe],
        clock: Clock,
        router: &mut impl Router,
    ) -> usize {
        let now = clock.now();
        if now < self.not_before {
            return 0;
        }
        // So that the first address asks what has changed since the last batch.
        self.last_route = None;
        self.beaten.clear();
        // Where the batch begins: all probes before are dealt with, all behind are in it, in this order.
        let mut start = 0;
        for (at, probe) in probes.iter().enumerate() {
            let step = self.step(probe, now, router);
            let fits = match &step {
                Step::Packet(packet) => self.outbox.has_room_for(packet),
                Step::Scout(..)
                | Step::Kept(..)
                | Step::Fault(_)
                | Step::NoNeighbour
                | Step::Wait(_) => false,
            };
            if !fits {
                if let Flushed::Part(taken) = self.flush(probes, start, Behind::More, clock) {
                    return start + taken;
                }
                start = at;
            }
            let alone = [probe.endpoint];
            match step {
                Step::Packet(packet) => self.outbox.push(&packet, &self.template),
                Step::Scout(packet, hop) => {
                    let (sent, faults) = (&mut self.packets_sent, &mut self.faults);
                    let hops = &mut self.next_hops;
                    let refused = |error: &io::Error| {
                        faults.push(local_fault(probe, now, error));
                        hops.take_back(hop);
                    };
                    if let Sent::NoRoom(_) =
                        self.scouts.send(&packet, &self.template, sent, refused)
                    {
                        self.next_hops.found_no_room(hop);
                        self.not_before = now + SCOUTS_BACK_OFF;
                        return at;
                    }
                    self.departed.note(alone, || clock.now());
                    start = at + 1;
                }
                Step::Kept(packet, hop, asker) => {
                    self.keep(*probe, packet, (hop, asker), now);
                    self.departed.note(alone, || now);
                    start = at + 1;
                }
                Step::Fault(fault) => {
                    self.faults.push(refused(probe, now, Seen::Local(fault)));
                    self.departed.note(alone, || now);
                    start = at + 1;
                }
                Step::NoNeighbour => {
                    self.faults.push(refused(probe, now, Seen::NoNeighbour));
                    self.departed.note(alone, || now);
                    start = at + 1;
                }
                Step::Wait(until) => {
                    self.not_before = until;
                    return at;
                }
            }
        }
        match self.flush(probes, start, Behind::Nothing, clock) {
            Flushed::All => probes.len(),
            Flushed::Part(taken) => start + taken,
        }
    }

    fn step(&mut self, probe: &Probe, now: Time, router: &mut impl Router) -> Step {
        let address = probe.endpoint.address;
        let port = probe.endpoint.port;
        let source_port = match probe.how {
            How::Syn { flow } => match self.flows.source_port(flow, port) {
                Some(source_port) => source_port,
                None => return Step::Fault(LocalFault::Other),
            },
            How::Handshake { .. } => return Step::Fault(LocalFault::NotSent),
        };
        let (way, waits) = match self.beaten.way(address) {
            Some(way) => (way, None),
            None => match self.look_up(probe, now, router) {
                Ok(found) => found,
                Err(step) => return step,
            },
        };
        let (sequence, identification) = self.cookie.pair(address.ip, port, source_port);
        let syn = Syn {
            source: way.source,
            target: address.ip,
            source_port,
            target_port: port,
            sequence,
            // Milliseconds, which wrap after 49 days as the option's clock may (RFC 7323, 5.4).
            timestamp: (now.0 / 1_000_000) as u32,
            identification,
            mtu: way.mtu,
        };
        let packet = match (way.source, address.ip, way.link) {
            (IpAddr::V4(source), IpAddr::V4(target), Some(link)) => {
                Packet::FrameV4(syn.between(source, target), link)
            }
            (IpAddr::V4(source), IpAddr::V4(target), None) => {
                Packet::V4(syn.between(source, target))
            }
            (IpAddr::V6(source), IpAddr::V6(target), link) => {
                if target.is_unicast_link_local() && self.zones.len() < ZONES {
                    self.zones.insert(target, address.zone);
                }
                let syn = syn.between(source, target);
                match link {
                    Some(link) => Packet::FrameV6(syn, link),
                    None => Packet::V6(syn, address.zone),
                }
            }
            // A router that answers with the other family knows no route.
            _ => return Step::Fault(LocalFault::NoRoute),
        };
        match waits {
            Some(Waits::InTheKernel(hop)) => Step::Scout(packet, hop),
            Some(Waits::WithUs(hop, asker)) => Step::Kept(packet, hop, asker),
            None => Step::Packet(packet),
        }
    }

    /// Sends what is in the batch; its messages are the probes from `start` on.
    fn flush(&mut self, probes: &[Probe], start: usize, behind: Behind, clock: Clock) -> Flushed {
        let length = self.outbox.len();
        let batch = probes.get(start..start + length).unwrap_or_default();
        if let Some(courier) = &mut self.courier {
            if length == BATCH {
                if courier.take(&mut self.outbox, batch) == Taken::Yes {
                    return Flushed::All;
                }
            } else if length > 0 && behind == Behind::Nothing && !courier.is_idle() {
                // It may end a pass, which must not end before all of it has left.
                self.outbox.clear();
                self.not_before = clock.now() + BACK_OFF;
                return Flushed::Part(0);
            }
        }
        let Self {
            exits,
            outbox,
            packets_sent,
            faults,
            ..
        } = self;
        let sent = exits.send(
            outbox,
            0,
            |taken| *packets_sent += taken as u64,
            |number, error| {
                let probe = batch.get(number);
                faults.extend(probe.map(|probe| local_fault(probe, clock.now(), error)));
            },
        );
        self.outbox.clear();
        let done = match sent {
            Sent::All => batch,
            Sent::NoRoom(done) => batch.get(..done).unwrap_or_default(),
        };
        self.departed
            .note(done.iter().map(|probe| probe.endpoint), || clock.now());
        match sent {
            Sent::All => Flushed::All,
            Sent::NoRoom(done) => {
                self.not_before = clock.now() + BACK_OFF;
                Flushed::Part(done)
            }
        }
    }
}
