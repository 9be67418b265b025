//! Probes by kernel connect(): what every user may do, and the judge of what a half-open scan finds odd.
//!
//! ```text
//! caller's thread:  send -> Inbox (one per worker)        Outbox -> recv
//! worker threads:           start, look at once, else poll and look by the clock
//! ```
//!
//! `queue` is what crosses between the two, `worker` when to look, `attempt` one socket, `judge` what a look proves (pure),
//! `descriptors` how many attempts fit, `gate` what
//! link neighbours have to do with it.

mod attempt;
pub mod descriptors;
mod gate;
mod judge;
mod queue;
mod worker;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use self::attempt::Caller;
use self::attempt::Dialer;
use self::gate::Gate;
use self::queue::{Inbox, Job, Outbox};
use self::worker::Worker;
use super::clock::Clock;
use super::departed::Departed;
use super::lag::Lag;
use super::next_hops::Permission;
use super::route::NetlinkRouter;
use super::{Counters, Transport, undelivered};
use crate::model::{
    Departure, How, LocalFault, Observation, Probe, Seen, Source, Time, Undelivered,
};
use crate::transport::{Shapes, ephemeral};

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// Worker threads. One per core is best; more only share the window.
    pub threads: NonZeroUsize,
    /// The address to connect from; `None` lets the kernel choose for each target.
    pub source: Option<IpAddr>,
    /// The interface to send by (SO_BINDTODEVICE); `None` lets the kernel route.
    pub interface: Option<String>,
    /// Attempts under way at the most; `None` takes what the descriptor limit leaves.
    pub window: Option<NonZeroUsize>,
    /// The scan's clock.
    pub clock: Clock,
}

/// A [`Transport`] for [`How::Handshake`] probes: one kernel connect() each, watched until it has answered or its patience
/// is over, and never cut short for lack of a descriptor. Each probe taken gives exactly one observation, with
/// [`Source::Attempt`]; the time of an attempt begins with its connect(). A neighbour that the kernel gives up is told once
/// more, with [`Source::Host`].
///
/// Verdicts come from TCP_INFO, reasons of ICMP errors from the socket's error queue. Where descriptors, memory or source
/// ports run out, attempts wait; one that could not begin within five seconds although nothing of ours was under way ends
/// as [`LocalFault::NotSent`].
///
/// Known limit: a local firewall rule that answers with a reset looks like a reset of the target.
#[derive(Debug)]
pub struct ConnectTransport {
    clock: Clock,
    inboxes: Vec<Arc<Inbox>>,
    outbox: Arc<Outbox>,
    phase: Phase,
    /// Probes taken and not yet handed back as observations.
    outstanding: usize,
    /// Observations of probes that no worker was given.
    at_once: Vec<Observation>,
    /// What has left, of those probes.
    departed: Departed,
    /// What the workers saw, before the gate has looked at it.
    seen: Vec<Observation>,
    lag: Lag,
    /// Where netlink is not to be had there is none, and a claim that nobody is there is believed.
    gate: Option<Gate>,
}

/// The threads exist only once the caller has dropped its privileges.
enum Phase {
    Opened(Vec<Worker>),
    Running(Vec<JoinHandle<()>>),
}

/// Observations that may wait for the caller beyond what is under way: a bound on memory.
const UNREAD: usize = 65_536;

/// For so long it counts that something was late: as long as a canary is waited for, and some.
const LATELY: Duration = Duration::from_millis(50);

/// Probes given to one worker at a time: spreads a short burst over all workers.
const CHUNK: usize = 32;

impl ConnectTransport {
    /// Raises the soft descriptor limit to the hard one and makes the pollers. Nothing is sent, and no thread starts before
    /// [`start`](Self::start).
    ///
    /// # Errors
    /// Where not even the pollers can be made, or `source` is not an address of this machine.
    pub fn open(config: ConnectConfig) -> io::Result<Self> {
        if let Some(source) = config.source {
            try_source(source)?;
        }
        let gate = NetlinkRouter::open()
            .ok()
            .map(|router| Gate::new(router, config.interface.as_deref()));
        let outbox = Arc::new(Outbox::default());
        // The pollers and bells are open before the rest is counted.
        let mut parts = Vec::new();
        for _ in 0..config.threads.get() {
            parts.push(Arc::new(Inbox::new()?));
        }
        let dialer = Dialer {
            source: config.source,
            interface: config.interface,
            syn_repeats: syn_repeats(),
            ephemeral: ephemeral::range(),
        };
        let mut workers = Vec::new();
        for inbox in &parts {
            workers.push(Worker::new(
                Arc::clone(inbox),
                Arc::clone(&outbox),
                dialer.clone(),
                config.clock,
            )?);
        }
        let possible = descriptors::window();
        let window = config.window.map_or(possible, |most| most.min(possible));
        let mut shares = descriptors::share_out(window, config.threads);
        // A worker without a share would hold its probes for ever.
        workers.truncate(shares.len());
        parts.truncate(shares.len());
        for (worker, share) in workers.iter_mut().zip(shares.drain(..)) {
            worker.set_most(share);
        }
        Ok(Self {
            clock: config.clock,
            inboxes: parts,
            outbox,
            phase: Phase::Opened(workers),
            outstanding: 0,
            at_once: Vec::new(),
            departed: Departed::default(),
            seen: Vec::new(),
            lag: Lag::default(),
            gate,
        })
    }

    /// Has what the stacks of the hosts look like added to `shapes`. Before [`start`](Self::start).
    pub fn set_shapes(&mut self, shapes: &Shapes) {
        if let Phase::Opened(workers) = &mut self.phase {
            for worker in workers {
                worker.set_shapes(shapes.clone());
            }
        }
    }

    /// Starts the worker threads; before this there is no room for a probe. They have the privileges that the calling
    /// thread has now, so drop those first. A second call does nothing.
    ///
    /// # Errors
    /// Where the system refuses a thread and not even one could be started.
    pub fn start(&mut self) -> io::Result<()> {
        let Phase::Opened(workers) = &mut self.phase else {
            return Ok(());
        };
        let workers = std::mem::take(workers);
        let mut threads = Vec::with_capacity(workers.len());
        let mut refused = None;
        for (number, worker) in workers.into_iter().enumerate() {
            let name = format!("connect-{number}");
            match std::thread::Builder::new()
                .name(name)
                .spawn(move || worker.run())
            {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        // Fewer threads are slower, not wrong.
        self.inboxes.truncate(threads.len());
        let none = threads.is_empty();
        self.phase = Phase::Running(threads);
        match refused {
            Some(error) if none => Err(error),
            _ => Ok(()),
        }
    }

    /// How late jobs were begun of late, and how long the next has waited.
    fn late(&self) -> Duration {
        let now = self.clock.now();
        let late = self.inboxes.iter().map(|inbox| inbox.late(now)).max();
        let recent = self.lag.worst_since(now - LATELY);
        recent.max(late.unwrap_or_default())
    }

    /// How many attempts can be under way at a time now.
    pub fn window(&self) -> usize {
        self.inboxes.iter().map(|inbox| inbox.share()).sum()
    }

    /// How many probes of a prefix may go to workers, and what is with the one behind them.
    fn admit(&mut self, probes: &[Probe], now: Time) -> (usize, Behind) {
        for (at, probe) in probes.iter().enumerate() {
            if matches!(probe.how, How::Syn { .. }) {
                // The engine's mistake, told as a fault of our side.
                return (at, Behind::AtOnce(Seen::Local(LocalFault::Other)));
            }
            let gate = self.gate.as_mut();
            let behind = match gate.map_or(Permission::Go, |gate| gate.admit(probe, now)) {
                Permission::Go | Permission::GoAndStay | Permission::GoInDoubt => continue,
                Permission::Wait(_) => Behind::Wait,
                Permission::Refuse => Behind::AtOnce(Seen::Local(LocalFault::NotSent)),
                Permission::Absent => Behind::AtOnce(Seen::NoNeighbour),
                Permission::NoGateway => Behind::AtOnce(Seen::Local(LocalFault::NoGateway)),
            };
            return (at, behind);
        }
        (probes.len(), Behind::Nothing)
    }

    /// Takes a prefix of equal kind into the emptiest worker; how many it took.
    fn give(&mut self, probes: &[Probe], now: Time) -> usize {
        let Some(inbox) = self.inboxes.iter().max_by_key(|inbox| inbox.room()) else {
            return 0;
        };
        let count = inbox.room().min(CHUNK).min(probes.len());
        let jobs: Vec<Job> = probes
            .iter()
            .take(count)
            .map_while(|probe| match probe.how {
                How::Handshake { patience } => Some(Job {
                    endpoint: probe.endpoint,
                    attempt: probe.attempt,
                    patience,
                    doubts: 0,
                    parked: None,
                    given: now,
                }),
                How::Syn { .. } => None,
            })
            .collect();
        let taken = jobs.len();
        if taken > 0 {
            inbox.put(jobs.into_iter());
        }
        taken
    }
}

impl Transport for ConnectTransport {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn room(&self) -> usize {
        let shut = |gate: &Gate| gate.is_shut(self.clock.now());
        if matches!(self.phase, Phase::Opened(_)) || self.gate.as_ref().is_some_and(shut) {
            return 0;
        }
        let free = |inboxes: &[Arc<Inbox>]| inboxes.iter().map(|inbox| inbox.room()).sum::<usize>();
        let unread = (self.window() + UNREAD).saturating_sub(self.outstanding);
        let room = free(&self.inboxes).min(unread);
        if room == 0 {
            self.outbox.want_room();
            // Room that was made before we asked would wake nobody.
            return free(&self.inboxes).min(unread);
        }
        room
    }

    fn capacity(&self) -> Option<usize> {
        Some(self.window())
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let (wanted, now) = (probes.len().min(self.room()), self.clock.now());
        let mut rest = probes.get(..wanted).unwrap_or(probes);
        while let Some(first) = rest.first() {
            let (admitted, behind) = self.admit(rest, now);
            let mut taken = 0;
            while taken < admitted {
                let given = self.give(rest.get(taken..admitted).unwrap_or_default(), now);
                if given == 0 {
                    break;
                }
                taken += given;
            }
            if taken == admitted {
                match behind {
                    Behind::Nothing | Behind::Wait => {}
                    Behind::AtOnce(seen) => {
                        let at = rest.get(taken).unwrap_or(first);
                        self.at_once.push(without_attempt(at, now, seen));
                        self.departed.note([at.endpoint], || now);
                        taken += 1;
                    }
                }
            }
            self.outstanding += taken;
            rest = rest.get(taken..).unwrap_or_default();
            if taken <= admitted {
                break;
            }
        }
        wanted - rest.len()
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        let before = out.len();
        let mut taken = self.at_once.len();
        out.append(&mut self.at_once);
        let now = self.clock.now();
        let until = match &self.gate {
            _ if taken > 0 => Time::ZERO,
            Some(gate) => gate.listen_until(now, until),
            None => until,
        };
        match &mut self.gate {
            None => taken += self.outbox.take(self.clock, until, out),
            Some(gate) => {
                self.outbox.take(self.clock, until, &mut self.seen);
                taken += gate.pass(self.clock.now(), self.seen.drain(..), out);
                gate.blame_link(&mut out[before..]);
            }
        }
        if let Some(late) = self.inboxes.iter().filter_map(|inbox| inbox.waited()).max() {
            self.lag.add(self.clock.now(), late);
        }
        self.outstanding = self.outstanding.saturating_sub(taken);
    }

    fn tell_departures(&mut self) {
        self.departed.tell();
        self.outbox.tell_departures();
        if let Some(gate) = &mut self.gate {
            gate.keep_few_waiting();
        }
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        self.departed.take(out);
        self.outbox.departures(out);
    }

    fn counters(&self) -> Counters {
        Counters {
            packets_sent: self.outbox.packets(),
            held_up: self.late(),
            ..Counters::default()
        }
    }

    fn undelivered(&mut self) -> Option<Undelivered> {
        undelivered::count()
    }
}

impl Drop for ConnectTransport {
    fn drop(&mut self) {
        let Phase::Running(threads) = &mut self.phase else {
            return;
        };
        for inbox in &self.inboxes {
            inbox.stop();
        }
        for thread in threads.drain(..) {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened(workers) => write!(f, "Opened({})", workers.len()),
            Self::Running(threads) => write!(f, "Running({})", threads.len()),
        }
    }
}

/// What is with a probe that is not given to a worker now.
enum Behind {
    Nothing,
    Wait,
    /// It is answered without an attempt.
    AtOnce(Seen),
}

/// The answer to a probe that was never sent.
pub(super) fn without_attempt(probe: &Probe, at: Time, seen: Seen) -> Observation {
    Observation {
        endpoint: probe.endpoint,
        source: Source::Attempt {
            attempt: probe.attempt,
            syns: 0,
            took: None,
        },
        at,
        seen,
    }
}

/// A source that this machine does not have would make every attempt wait for a port of it.
#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
fn try_source(source: IpAddr) -> io::Result<()> {
    // A link-local address is checked by each bind, with the zone of its target.
    if matches!(source, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        return Ok(());
    }
    std::net::UdpSocket::bind((source, 0)).map(drop)
}

/// The kernel gives up after this many repeats where the system allows fewer: beyond two minutes in any case.
const SYN_REPEATS: u8 = 8;

/// What to set on each socket so that the kernel's patience is not shorter than ours.
fn syn_repeats() -> Option<u8> {
    let allowed = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_syn_retries").ok()?;
    let allowed: u8 = allowed.trim().parse().ok()?;
    (allowed < 6).then_some(SYN_REPEATS)
}
