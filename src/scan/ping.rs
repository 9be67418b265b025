//! Which hosts are there: asked before the ports are scanned, or instead.
//!
//! A host is up that answers an ICMP echo request, a TCP probe to one of a few ports (with anything at all), or for whose
//! address somebody answers on the link (ARP, NDP). Echo requests leave first; who has not answered a moment later is asked
//! by TCP too, by the engine and the transport of the scan itself. Nothing here needs a privilege.

mod census;
mod look;
mod rounds;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use self::census::Which;
use self::look::Look;
use crate::engine::pace::Ceiling;
use crate::engine::ways::Ways;
use crate::engine::{Config, Engine};
use crate::model::{
    Departure, Event, Kept, LocalFault, Note, Observation, Pinged, Probe, Reason, State, Summary,
    Time, Undelivered,
};
use crate::plan::{Plan, PortSet, Shard, TargetSet};
use crate::scan::{Control, Sink, Stop, run};
use crate::transport::echo::EchoSockets;
use crate::transport::{Counters, Transport};

/// Whether hosts are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ping {
    /// Every address is scanned.
    Never,
    /// Only hosts that answer are scanned.
    First,
    /// Hosts that answer are told of, and nothing is scanned.
    Only,
}

impl Ping {
    /// The TCP ports that are asked for a sign of life.
    pub const PORTS: &'static str = "22,80,443,445,3389";
    /// Most hosts that can be looked for at a time: one byte is kept for each, and more for each that answers.
    pub const MOST_HOSTS: u64 = 1 << 20;
}

/// What is needed to look for hosts.
pub(super) struct Search<'a> {
    pub targets: &'a TargetSet,
    pub ping: Ping,
    pub echo: Option<EchoSockets>,
    /// Of the scan that follows.
    pub config: Config,
    /// For any one host, of SYNs.
    pub host_ceiling: Option<Ceiling>,
    pub ways: Ways,
    pub max_time: Option<Duration>,
}

/// What came of it.
pub(super) struct Found {
    /// The hosts that answered; `None` where nobody did.
    pub up: Option<TargetSet>,
    pub pinged: Pinged,
    /// Hosts that did not answer because our own side could not ask them.
    pub untold: u64,
    /// Echo requests that left; what the transport sent it counts itself.
    pub packets: u64,
    pub elapsed: Duration,
}

impl Search<'_> {
    pub(super) fn run(
        self,
        transport: &mut dyn Transport,
        sink: &mut dyn Sink,
        control: &Control,
    ) -> Found {
        let began = transport.now();
        let asked = self.targets.hosts();
        let mut config = self.config;
        // Two kinds of probes leave at the same time.
        config.ceiling = half(config.ceiling);
        config.connect_ceiling = half(config.connect_ceiling);
        config.shard = Shard::WHOLE;
        config.max_attempts = config.max_attempts.min(MOST_ATTEMPTS);
        let ceiling = config.ceiling;
        let look = Look::new(
            self.targets,
            control,
            self.echo,
            ceiling,
            config.seed,
            began,
        );
        let look = RefCell::new(look);
        let deadline = self.max_time.map_or(Time::NEVER, |limit| began + limit);
        let ends = Stop::default();
        let mut told = Told {
            inner: sink,
            look: &look,
            ping: self.ping,
        };
        let mut tap = Tap {
            inner: transport,
            look: &look,
            control,
            ends: &ends,
            deadline,
            limit: None,
        };

        let mut idle = Vec::new();
        while !tap.is_ending() && !tap.has_had_its_start(began) {
            tap.wait(&mut told, &mut idle);
        }
        let silent = look.borrow().census.part(self.targets, Which::Silent);
        if let (false, Some(silent), Ok(ports)) =
            (tap.is_ending(), silent, PortSet::parse(Ping::PORTS))
        {
            let plan = Arc::new(Plan::new(silent, ports.set));
            let patience = config.patience;
            let most = longest(&plan, &config, self.host_ceiling, patience);
            let engine = Engine::new(plan.clone(), config, tap.now())
                .with_ways(self.ways)
                .with_host_ceiling(self.host_ceiling);
            let steered = control.with_stop(ends.clone());
            run(&plan, engine, &mut tap, &mut told, &steered, Some(most));
            let asked = tap.now();
            while !tap.is_ending() && !tap.is_over(asked, patience) {
                tap.wait(&mut told, &mut idle);
            }
        }
        look.borrow_mut().conclude(tap.now());
        told.tell();
        let elapsed = tap.now().since(began);
        let look = look.into_inner();
        Found {
            up: look.census.part(self.targets, Which::Up),
            pinged: Pinged {
                asked,
                up: look.census.up(),
            },
            untold: look.census.untold(),
            packets: look.packets(),
            elapsed,
        }
    }
}

/// The transport, with an ear at it.
struct Tap<'t, 'l> {
    inner: &'t mut dyn Transport,
    look: &'t RefCell<Look<'l>>,
    control: &'t Control,
    /// Ends the TCP probes.
    ends: &'t Stop,
    deadline: Time,
    limit: Option<u32>,
}

impl Tap<'_, '_> {
    /// Whether there is no more reason, or no more time, to look for hosts.
    fn is_ending(&self) -> bool {
        self.control.stop().asked() > 0
            || self.inner.now() >= self.deadline
            || self.look.borrow().census.are_all_up()
    }

    /// Whether the first echo requests are out and had a moment to be answered.
    fn has_had_its_start(&self, began: Time) -> bool {
        let look = self.look.borrow();
        look.has_asked_all() && (look.packets() == 0 || self.inner.now().since(began) >= HEAD_START)
    }

    /// Whether nothing more is to be expected: the TCP probes ended at `asked`.
    fn is_over(&self, asked: Time, patience: Duration) -> bool {
        let now = self.inner.now();
        // The first of three echo requests left two seconds before the last.
        let patience = patience
            .saturating_sub(Duration::from_secs(2))
            .max(LAST_WAIT);
        let over = self.look.borrow().is_over(now, patience);
        over || now.since(asked) > LINK_WAIT.max(patience)
    }

    fn wait(&mut self, told: &mut Told<'_, '_>, idle: &mut Vec<Observation>) {
        self.recv(self.inner.now() + GLANCE, idle);
        idle.clear();
        told.tell();
    }
}

impl Transport for Tap<'_, '_> {
    fn now(&self) -> Time {
        self.inner.now()
    }

    fn room(&self) -> usize {
        self.inner.room()
    }

    fn capacity(&self) -> Option<usize> {
        self.inner.capacity()
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        self.inner.send(probes)
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        let before = out.len();
        let now = self.inner.now();
        self.inner.recv(until.min(now + GLANCE), out);
        {
            let mut look = self.look.borrow_mut();
            let limit = self.control.limited_to();
            if limit != self.limit {
                self.limit = limit;
                limit
                    .into_iter()
                    .for_each(|rate| look.set_ceiling(half(Ceiling::Asked(rate))));
            }
            look.hear(out.get(before..).unwrap_or_default());
            look.pump(self.inner.now());
        }
        if self.is_ending() {
            // What is in flight was heard, or tells nothing that matters.
            while self.ends.asked() < 2 {
                self.ends.ask();
            }
        }
    }

    fn tell_departures(&mut self) {
        self.inner.tell_departures();
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        self.inner.departures(out);
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }

    fn undelivered(&mut self) -> Option<Undelivered> {
        self.inner.undelivered()
    }
}

/// What the sink of the scan is told of the search: hosts, where they are what was asked for, and how far it is.
struct Told<'t, 'l> {
    inner: &'t mut dyn Sink,
    look: &'t RefCell<Look<'l>>,
    ping: Ping,
}

impl Told<'_, '_> {
    fn tell(&mut self) {
        let found = std::mem::take(&mut self.look.borrow_mut().found);
        let mut events: Vec<Event> = match self.ping {
            Ping::Only => found.into_iter().map(Event::Alive).collect(),
            Ping::First | Ping::Never => Vec::new(),
        };
        if !events.is_empty() {
            self.inner.take(&mut events);
        }
    }
}

impl Sink for Told<'_, '_> {
    fn ready(&mut self) -> bool {
        let ready = self.inner.ready();
        if ready {
            self.tell();
        }
        ready
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        let mut passed = Vec::new();
        for event in events.drain(..) {
            let mut look = self.look.borrow_mut();
            match event {
                Event::Verdict(verdict) => {
                    let asked = verdict.state != State::Error
                        || matches!(verdict.reason, Reason::NoNeighbour);
                    let Some(host) = look.host(&verdict.endpoint.address) else {
                        continue;
                    };
                    match verdict.reason {
                        Reason::Local(LocalFault::NoGateway | LocalFault::AnswersDropped) => {
                            look.census.cut_off(host);
                        }
                        _ if asked => look.census.asked(host),
                        _ => {}
                    }
                }
                Event::Host(note)
                    if matches!(note.note, Note::NoGateway | Note::AnswersDropped) =>
                {
                    passed.push(Event::Host(note));
                }
                Event::Progress(mut progress) => {
                    progress.hosts_up = Some(look.census.up());
                    progress.open = 0;
                    progress.packets_sent += look.packets();
                    passed.push(Event::Progress(progress));
                }
                _ => {}
            }
        }
        if !passed.is_empty() {
            self.inner.take(&mut passed);
        }
    }
}

/// The sink of the scan that follows: its summary tells of the search too.
pub(super) struct After<'s> {
    pub inner: &'s mut dyn Sink,
    pub found: &'s Found,
}

impl Sink for After<'_> {
    fn ready(&mut self) -> bool {
        self.inner.ready()
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.iter_mut() {
            match event {
                Event::Summary(summary) => *summary = self.found.joined(summary),
                Event::Progress(progress) => progress.packets_sent += self.found.packets,
                _ => {}
            }
        }
        self.inner.take(events);
    }

    fn keep(&mut self, kept: &mut Vec<Kept>) {
        self.inner.keep(kept);
    }
}

impl Found {
    /// Whether nothing cut the search short.
    pub(super) fn is_whole(&self, control: &Control, max_time: Option<Duration>) -> bool {
        let late = max_time.is_some_and(|limit| self.elapsed >= limit);
        control.stop().asked() == 0 && !late
    }

    /// The figures where no scan follows; `packets` are those of the transport.
    pub(super) fn alone(
        &self,
        control: &Control,
        packets: u64,
        max_time: Option<Duration>,
    ) -> Summary {
        Summary {
            complete: self.is_whole(control, max_time) && self.untold == 0,
            interrupted: control.stop().asked() > 0,
            packets_sent: packets,
            ..Summary::default()
        }
    }

    /// The figures of the scan and of the search before it.
    pub(super) fn joined(&self, scan: &Summary) -> Summary {
        Summary {
            complete: scan.complete && self.untold == 0,
            pinged: Some(self.pinged),
            packets_sent: scan.packets_sent + self.packets,
            elapsed: scan.elapsed + self.elapsed,
            ..*scan
        }
    }
}

/// How long the TCP probes may take: three times what they do where nobody answers, and a minute for what is slow.
fn longest(
    plan: &Plan,
    config: &Config,
    host_ceiling: Option<Ceiling>,
    patience: Duration,
) -> Duration {
    let rate = config.ceiling.blind().max(1);
    let of_host = host_ceiling.map_or(0.0, |ceiling| {
        f64::from(plan.ports().len()) * 10.0 / f64::from(ceiling.blind().max(1))
    });
    // Where neighbours must be resolved, a few hundred at a time are, for three seconds each.
    let walks = plan.len() as f64 * 10.0 / f64::from(rate) + plan.hosts() as f64 / 20.0;
    patience * 10 + Duration::from_secs(60) + Duration::from_secs_f64(walks.max(of_host))
}

fn half(ceiling: Ceiling) -> Ceiling {
    let half = |rate: u32| (rate / 2).max(1);
    match ceiling {
        Ceiling::Asked(rate) => Ceiling::Asked(half(rate)),
        Ceiling::Careful { blind, most } => Ceiling::Careful {
            blind: half(blind),
            most: half(most),
        },
    }
}

/// Echo requests come first by this much: most hosts then need nothing else.
const HEAD_START: Duration = Duration::from_millis(300);
/// The last echo requests are waited for this long, at the least.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// The kernel waits 5 s before it asks again for a neighbour that it knew, and 3 s for the answer.
const LINK_WAIT: Duration = Duration::from_secs(9);
/// Attempts at one port, at most.
const MOST_ATTEMPTS: u16 = 6;
const GLANCE: Duration = Duration::from_millis(10);
