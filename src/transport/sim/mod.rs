//! A seeded virtual network with a virtual clock: a five-minute scan with loss is a millisecond test without a sleep.
//!
//! SYNs and answers travel as packets; what comes back goes through the real parser and the real cookie check. The
//! scanner's kernel is simulated as far as the specification needs it: it resets SYN-ACKs that belong to no connection,
//! and a `connect()` of its own repeats its SYN after 1, 2, 3 and 4 s and ends at the first ICMP error, as Linux 6.18 does.

mod connects;
mod dice;
mod gate;
mod host;
mod network;
mod own_side;
mod packet;
mod path;

pub use gate::{Gates, Limit};
pub use network::{Behaviour, Capture, Host, Network, PathLoss};
pub use own_side::OwnSide;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use crate::model::{
    Address, Departure, Endpoint, How, LocalFault, Observation, Probe, Seen, Source, Time,
    Undelivered,
};
use crate::transport::departed::Departed;
use crate::transport::sim::connects::{Attempt, Stage};
use crate::transport::sim::dice::Dice;
use crate::transport::sim::gate::Gate;
use crate::transport::sim::host::{Act, HostState};
use crate::transport::sim::own_side::Filter;
use crate::transport::sim::packet::{Answer, Syn};
use crate::transport::sim::path::Path;
use crate::transport::{Counters, Transport};
use crate::wire::{ChecksumStatus, Cookie, Evidence, Flows, Judge, parse};

/// The transport. Everything that happens on it follows from the network, the seed and what is sent.
pub struct SimTransport {
    now: Time,
    hosts: HashMap<Address, (HostState, Path, Path)>,
    flows: Flows,
    cookie: Cookie,
    judge: Judge,
    attempts: HashMap<u64, Attempt>,
    next_attempt: u64,
    dice: Dice,
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    descriptors: usize,
    capture: Capture,
    router: Gate,
    own: Filter,
    departed: Departed,
    counters: Counters,
}

/// Who sent a SYN.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Owner {
    Flow,
    Attempt(u64),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Happening {
    SynArrives(Syn, Owner),
    AnswerArrives(Answer, Owner),
    ResetArrives(Syn),
    HostTimer(Syn, Owner),
    Resend(u64),
    Deadline(u64),
}

#[derive(Debug)]
struct Entry {
    at: Time,
    order: u64,
    what: Happening,
}

impl SimTransport {
    /// Builds the network; `flows` crafted flows and `descriptors` kernel connects at a time are to be had.
    pub fn new(network: Network, seed: u64, flows: u8, descriptors: usize) -> Self {
        let mut dice = Dice::new(seed);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&dice.next().to_le_bytes());
        let cookie = Cookie::new(key);
        let block = Flows::new(FIRST_PORT, flows.clamp(1, MOST_FLOWS))
            .expect("200 flows fit above port 61000");
        // In the order of addresses, so that a map's order never decides who gets which dice.
        let capture = network.capture;
        let router = Gate::new(network.router);
        let own = Filter::new(network.own, !seed);
        let mut hosts: Vec<_> = network.hosts.into_iter().collect();
        hosts.sort_by_key(|(address, _)| *address);
        let hosts = hosts
            .into_iter()
            .map(|(address, host)| {
                let there = Path::new(host.loss, dice.next());
                let back = Path::new(host.loss, dice.next());
                (address, (HostState::new(host), there, back))
            })
            .collect();
        Self {
            now: Time::ZERO,
            hosts,
            flows: block,
            judge: Judge::new(cookie.clone(), block),
            cookie,
            attempts: HashMap::new(),
            next_attempt: 0,
            dice,
            queue: BinaryHeap::new(),
            sequence: 0,
            descriptors,
            capture,
            router,
            own,
            departed: Departed::default(),
            counters: Counters::default(),
        }
    }

    fn push(&mut self, at: Time, what: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse(Entry {
            at,
            order: self.sequence,
            what,
        }));
    }

    fn transmit(&mut self, syn: Syn, owner: Owner) {
        self.counters.packets_sent += 1;
        if let Some(at) = self.carry(syn.endpoint.address, Direction::There) {
            self.push(at, Happening::SynArrives(syn, owner));
        }
    }

    fn carry(&mut self, address: Address, direction: Direction) -> Option<Time> {
        let (state, there, back) = self.hosts.get_mut(&address)?;
        let path = match direction {
            Direction::There => there,
            Direction::Back => back,
        };
        path.carry(self.now, state.host.rtt / 2, state.host.jitter / 2)
    }

    fn happen(&mut self, what: Happening, out: &mut Vec<Observation>) {
        match what {
            Happening::SynArrives(syn, owner) => {
                let flow = (syn.endpoint, syn.source_port);
                if !self.router.lets_in(self.now, flow) {
                    return;
                }
                let acts = self.with_host(syn.endpoint, |host, now| host.syn(now, syn));
                self.act(acts, owner);
            }
            Happening::HostTimer(syn, owner) => {
                let acts = self.with_host(syn.endpoint, |host, _| host.timer(syn));
                self.act(acts, owner);
            }
            Happening::ResetArrives(syn) => {
                self.router.ended((syn.endpoint, syn.source_port));
                self.with_host(syn.endpoint, |host, _| {
                    host.reset(syn);
                    Vec::new()
                });
            }
            Happening::AnswerArrives(answer, Owner::Flow) => {
                self.routed(&answer);
                if self.own.passes(&answer.from.address) && answer.draws_reset() {
                    self.reset(answer);
                }
                if self.capture.hears(&answer.from.address) {
                    out.extend(self.observe(&answer));
                }
            }
            Happening::AnswerArrives(answer, Owner::Attempt(id)) => {
                self.routed(&answer);
                if self.own.passes(&answer.from.address) {
                    self.answer_attempt(id, answer, out);
                }
            }
            Happening::Resend(id) => self.resend(id),
            Happening::Deadline(id) => {
                if let Some(attempt) = self.attempts.remove(&id) {
                    let seen = match attempt.stage {
                        Stage::Shut => Seen::SynAck(connects::answer(0)),
                        Stage::Connecting | Stage::Crossed => Seen::Silence,
                    };
                    out.push(self.end(&attempt, seen));
                }
            }
        }
    }

    /// A reset on its way back ends its flow in the router.
    fn routed(&mut self, answer: &Answer) {
        if answer.is_reset() {
            self.router.ended((answer.from, answer.to_port));
        }
    }

    fn with_host(
        &mut self,
        endpoint: Endpoint,
        call: impl FnOnce(&mut HostState, Time) -> Vec<Act>,
    ) -> Vec<Act> {
        let now = self.now;
        match self.hosts.get_mut(&endpoint.address) {
            Some((state, _, _)) => call(state, now),
            None => Vec::new(),
        }
    }

    fn act(&mut self, acts: Vec<Act>, owner: Owner) {
        for act in acts {
            match act {
                Act::Say(after, answer) => {
                    let address = answer.from.address;
                    if let Some(at) = self.carry(address, Direction::Back) {
                        self.push(at + after, Happening::AnswerArrives(answer, owner));
                    }
                }
                Act::Wait(after, syn) => {
                    let at = self.now + after;
                    self.push(at, Happening::HostTimer(syn, owner));
                }
            }
        }
    }

    /// The scanner's kernel knows no such connection.
    fn reset(&mut self, answer: Answer) {
        let syn = Syn {
            endpoint: answer.from,
            source_port: answer.to_port,
            seq: 0,
        };
        if let Some(at) = self.carry(answer.from.address, Direction::There) {
            self.push(at, Happening::ResetArrives(syn));
        }
    }

    /// What the capture makes of an answer to a crafted SYN.
    fn observe(&mut self, answer: &Answer) -> Option<Observation> {
        let judged = parse(&answer.bytes(), ChecksumStatus::Valid)
            .ok()
            .and_then(|reply| self.judge.judge(&reply).ok());
        let Some(judged) = judged else {
            self.counters.strays += 1;
            return None;
        };
        let seen = match judged.evidence {
            Evidence::SynAck(answer) => Seen::SynAck(answer),
            Evidence::Reset { ttl } => Seen::Rst { ttl },
            Evidence::Icmp { reason, offender } => Seen::Icmp { reason, offender },
            Evidence::StaleAck => Seen::StaleAck,
            Evidence::Hint => Seen::Hint,
        };
        Some(Observation {
            endpoint: Endpoint {
                address: Address {
                    ip: judged.target,
                    zone: answer.from.address.zone,
                },
                port: judged.port,
            },
            source: Source::Flow(judged.flow),
            at: self.now,
            seen,
        })
    }
}

impl Transport for SimTransport {
    fn now(&self) -> Time {
        self.now
    }

    fn room(&self) -> usize {
        self.descriptors.saturating_sub(self.attempts.len())
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let mut taken = 0;
        for probe in probes {
            match probe.how {
                How::Syn { flow } => {
                    let Endpoint { address, port } = probe.endpoint;
                    if let Some(source_port) = self.flows.source_port(flow, port) {
                        let syn = Syn {
                            endpoint: probe.endpoint,
                            source_port,
                            seq: self.cookie.sequence(address.ip, port, source_port),
                        };
                        self.transmit(syn, Owner::Flow);
                    } else {
                        debug_assert!(false, "{:?}: no flow {flow}", LocalFault::Other);
                    }
                }
                How::Handshake { patience } => {
                    if self.room() == 0 {
                        break;
                    }
                    self.connect(*probe, patience);
                }
            }
            taken += 1;
            // A send takes time, here as on a machine: one microsecond.
            self.now = self.now + Duration::from_micros(1);
            let now = self.now;
            self.departed.note([probe.endpoint], || now);
        }
        taken
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        let heard = out.len();
        while let Some(Reverse(entry)) = self.queue.peek() {
            let at = entry.at.max(self.now);
            if at > until.max(self.now) || (out.len() > heard && at > self.now) {
                break;
            }
            self.now = at;
            if let Some(Reverse(entry)) = self.queue.pop() {
                self.happen(entry.what, out);
            }
        }
        if out.len() == heard {
            self.now = self.now.max(until);
        }
    }

    fn tell_departures(&mut self) {
        self.departed.tell();
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        self.departed.take(out);
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn undelivered(&mut self) -> Option<Undelivered> {
        Some(self.own.undelivered(self.now))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    There,
    Back,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

const FIRST_PORT: u16 = 61_000;
const MOST_FLOWS: u8 = 200;
