//! What to send, when, and what silence means: a pure state machine. Events in, actions out; it never asks for the time.
//!
//! The caller's contract, in any order and as often as it likes:
//!
//! 1. [`Engine::handle`] every observation.
//! 2. [`Engine::poll_transmit`] and send what it gives, in order. A probe that was given is taken as sent;
//!    where [a rate was asked for](Engine::keeps_a_rate) more is to be told.
//! 3. [`Engine::poll_event`] until it is empty.
//! 4. Sleep until [`Engine::poll_timeout`] or the next observation.
//! 5. Where [`Engine::wants_undelivered`], [tell](Engine::tell_undelivered) it before it is polled again.
//! 6. Stop when [`Engine::is_done`]. Time never runs backwards between calls.

mod bitmap;
mod budget;
mod canary;
mod claim;
mod closing;
mod clumps;
mod completeness;
pub mod confirm;
mod control;
mod cut_off;
mod deaf;
mod doubt;
mod echo;
mod evidence;
mod gauge;
mod host_rate;
mod hosts;
mod intake;
mod interleave;
mod lane;
mod late;
mod leaving;
mod ledger;
mod network;
mod order;
mod own_drops;
pub mod pace;
mod pass;
mod past;
mod probed;
mod rtt;
mod seek;
mod sending;
mod slow;
mod space;
mod spread;
mod trials;
mod tries;
mod unheard;
mod untested;
mod verdict;
mod wakes;
mod watch;
pub mod ways;
mod witness;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::budget::Spent;
use crate::engine::completeness::Loss;
use crate::engine::confirm::{Confirm, Doubts};
use crate::engine::cut_off::CutOff;
use crate::engine::deaf::Deaf;
use crate::engine::host_rate::HostRate;
use crate::engine::hosts::Host;
use crate::engine::lane::{Lane, Phase};
use crate::engine::ledger::{Ledger, Settled};
use crate::engine::network::Network;
pub use crate::engine::order::BLOCK;
use crate::engine::order::Order;
use crate::engine::own_drops::OwnDrops;
use crate::engine::pace::{Ceiling, Pace};
use crate::engine::past::Past;
use crate::engine::seek::{SEEK, Seek};
use crate::engine::space::Step;
use crate::engine::verdict::Absence;
use crate::engine::wakes::Wakes;
use crate::engine::ways::Ways;
use crate::engine::witness::Witness;
use crate::model::{Address, Event, Observation, Probe, Seen, Source, Summary, Time};
use crate::plan::{Plan, Shard, Shuffle};

/// How endpoints are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asking {
    /// By crafted SYNs; the transport owns this many flows (source ports), at least 2.
    Syn { flows: u8 },
    /// By kernel connects.
    Handshake,
}

/// What the engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    pub asking: Asking,
    /// Order of the walk.
    pub seed: u64,
    pub shard: Shard,
    /// Endpoints that are walked over at a time: a bit of memory each.
    pub block: u64,
    /// How long a silent endpoint is listened to.
    pub patience: Duration,
    /// Most passes over a silent endpoint.
    pub max_attempts: u16,
    /// The scan goes on until fewer open ports than this are expected to have been missed.
    pub miss_budget: f64,
    pub ceiling: Ceiling,
    /// Where a half-open scan has to go on by kernel connects.
    pub connect_ceiling: Ceiling,
    pub confirm: Confirm,
}

/// See the module's documentation.
pub struct Engine {
    plan: Arc<Plan>,
    config: Config,
    order: Order,
    ledger: Ledger,
    /// The first is the common lane; the others hold one host each.
    lanes: Vec<Lane>,
    wakes: Wakes,
    network: Network,
    /// Hosts that answered and still have endpoints that did not, by their number in the plan.
    hosts: HashMap<u64, Host>,
    /// Hosts that answered in this block, those that are finished included; not kept where there is one.
    heard_hosts: u64,
    pace: Pace,
    host_rate: HostRate,
    events: VecDeque<Event>,
    /// Hosts without a neighbour. Bounded by the kernel: it reports at most what it tried to resolve.
    absent: HashMap<Address, Absence>,
    /// Endpoints to ask beside the lanes' walks, from flows that no pass uses.
    extra: VecDeque<(Step, Extra)>,
    stale_asked: HashSet<u64>,
    /// SYN-ACKs that are not told yet.
    doubts: Doubts,
    witness: Witness,
    past: Past,
    seek: Seek,
    ways: Ways,
    cut_off: CutOff,
    deaf: Deaf,
    own_drops: OwnDrops,
    /// Whether it was said that this machine's own firewall refuses packets.
    told_of_firewall: bool,
    /// The latest that this machine did not let leave, as far as a connect can tell.
    refused: Option<(u64, Address)>,
    /// Loss on all paths, those of finished hosts and blocks included.
    loss: Loss,
    spent: Spent,
    summary: Summary,
    lag: Duration,
    held_up: Duration,
    started: Time,
    last_progress: Time,
    ending: Ending,
}

/// Why an endpoint is asked beside its lane's walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extra {
    /// Stale state at the target: it must be asked from a fresh flow.
    Stale,
    /// It has answered a connect: is it heard by SYN as well?
    Check,
    /// It has answered before: does it still? Asked from this one of the flows for canaries.
    Canary(u8),
}

/// Whether and how the scan is being cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    No,
    /// Nothing more is sent; answers in flight are heard until then.
    Draining(Time),
    /// Unanswered endpoints are being reported, from this rank on.
    Reporting(u64),
    Done,
}

/// Why a scan is cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// The user asked for it.
    Interrupt,
    /// `--max-time` is over.
    MaxTime,
}

impl Engine {
    /// An engine for all of `plan` that falls to the configured shard.
    pub fn new(plan: Arc<Plan>, config: Config, now: Time) -> Self {
        let order = Order::new(
            Shuffle::new(plan.len(), config.seed),
            config.shard,
            config.block,
        );
        let mut engine = Self {
            ledger: Ledger::new(0, Settled::NotKept),
            lanes: Vec::new(),
            wakes: Wakes::default(),
            network: Network::new(now),
            hosts: HashMap::new(),
            heard_hosts: 0,
            pace: Pace::new(config.ceiling, now),
            host_rate: HostRate::default(),
            events: VecDeque::new(),
            absent: HashMap::new(),
            extra: VecDeque::new(),
            stale_asked: HashSet::new(),
            doubts: Doubts::default(),
            witness: Witness::default(),
            past: Past::default(),
            seek: Seek::default(),
            ways: Ways::default(),
            cut_off: CutOff::default(),
            deaf: Deaf::default(),
            own_drops: OwnDrops::default(),
            told_of_firewall: false,
            refused: None,
            loss: Loss::default(),
            spent: Spent::default(),
            summary: Summary {
                endpoints: order.len(),
                ..Summary::default()
            },
            lag: Duration::ZERO,
            held_up: Duration::ZERO,
            started: now,
            last_progress: now,
            ending: Ending::No,
            order,
            plan,
            config,
        };
        engine.begin_block(now);
        engine
    }

    /// The same, told by which interfaces probes leave: witnesses are called for each of them.
    pub fn with_ways(self, ways: Ways) -> Self {
        Self {
            witness: Witness::new(ways.count()),
            ways,
            ..self
        }
    }

    /// Appends the probes to send now, `room` at most.
    pub fn poll_transmit(&mut self, now: Time, room: usize, out: &mut Vec<Probe>) {
        self.report_progress(now);
        self.weigh_due(now);
        self.step(now);
        if self.ending != Ending::No {
            return;
        }
        self.withdraw_unsent(now);
        self.look_at_network(now);
        let window = self.lanes[COMMON].rtt.mean().unwrap_or(BLIND_WINDOW);
        self.pace.adjust(now, window.max(LEAST_WINDOW));
        let mut left = self.pace.available(now).min(room).min(BATCH);
        let before = out.len();
        // Room for what is asked beside the walks is kept first.
        let kept = self.extra.len().min(left);
        left -= kept;
        self.ask_aside(now, &mut left, out);
        // Each lane once: the heap must not be asked again for one that is due at once.
        let mut seen = Vec::new();
        while left > 0
            && self.network_waits() <= now
            && let Some(id) = self.wakes.pop(now, &self.lanes)
        {
            seen.push(id);
            self.advance(id, now);
            if self.lanes[id].phase == Phase::Walking {
                let sent = self.walk(id, now, left, out);
                left -= sent.min(left);
            }
            self.ask_echoes(id, now, out);
        }
        for id in seen {
            let lane = &self.lanes[id];
            // A pass of connects that asked nobody, or whose last attempt ended as it was sent, is over at once.
            let over = lane.is_over(now, self.config.asking) && !lane.control.is_pending();
            let due = lane.due(&self.config).max(now);
            let due = if over { now } else { due };
            let due = due.max(self.network_due(id, now)).max(self.host_due(id));
            self.wakes.push(id, due, &mut self.lanes);
        }
        left -= self.ask_unheard(now, left, out);
        self.prove_ends(now);
        self.ask_extra(before, kept.max(left), out);
        self.pace.hand_out(out.len() - before);
        self.step(now);
    }

    /// Takes what a transport saw.
    pub fn handle(&mut self, observation: Observation) {
        let Some(step) = self.place(&observation) else {
            self.summary.strays += 1;
            return;
        };
        let host = step.index / self.ports();
        let id = self.lane_of(host);
        self.lanes[id].rtt.set_lag(self.lag);
        self.doubts.now = self.doubts.now.max(observation.at);
        self.heed_gateway(&observation);
        if let Source::Attempt { attempt, syns, .. } = observation.source {
            if attempt & (CONFIRM | WITNESS) != 0 {
                return self.aside_ended(id, step, attempt, &observation);
            }
            if attempt & SEEK != 0 {
                return self.sought(id, step, &observation);
            }
            self.attempt_ended(id, step.rank, attempt, syns, &observation);
        }
        if self.ledger.answered.has(step.rank) {
            self.canary_answered(id, step, &observation);
            self.heard_again(step.index, &observation);
            if let Seen::Rst { .. } = observation.seen {
                self.contradicted(host, step.index);
            }
        } else if self.still_hears() {
            self.take(id, host, step, &observation);
        }
        self.wake_if_over(id, observation.at);
    }

    /// When to call again if nothing is observed.
    pub fn poll_timeout(&self) -> Time {
        match self.ending {
            Ending::Draining(until) => until,
            Ending::Reporting(_) | Ending::Done => Time::ZERO,
            Ending::No if self.doubts.is_closing() => Time::ZERO,
            Ending::No => {
                let extra = self.beside_at();
                // Nothing is looked at before something may be sent: a rest that is over before then waits as well.
                let wake = match self.wakes.next() {
                    Some((at, _)) => at.max(self.pace.ready_at()).max(self.network_waits()),
                    None if self.is_busy_aside() => Time::NEVER,
                    None => Time::ZERO,
                };
                let due = self.doubts.due_at().min(self.witness.due_at());
                let due = due.min(self.own_drops.due_at());
                let network = self.network_event().max(self.pace.ready_at());
                wake.min(extra).min(due).min(network).min(self.seek_at())
            }
        }
    }

    /// Answers may have been lost on our own side (capture ring, queue): the present passes prove nothing.
    pub fn answers_dropped(&mut self) {
        for lane in &mut self.lanes {
            lane.pass.tainted = true;
        }
    }

    /// How late observations reach the engine. Lanes may be many: those of hosts are told at their turn.
    pub fn set_lag(&mut self, lag: Duration) {
        self.lag = lag.min(rtt::MOST_LAG);
        self.lanes[COMMON].rtt.set_lag(self.lag);
    }

    /// How late what is handed out leaves, of late and at present.
    pub fn set_held_up(&mut self, late: Duration) {
        self.held_up = late.min(rtt::MOST_LAG);
    }

    /// Looks at a lane whose time has come, and moves it on.
    fn advance(&mut self, id: usize, now: Time) {
        self.lanes[id].rtt.set_lag(self.lag);
        if self.lanes[id].remaining == 0 {
            self.lanes[id].phase = Phase::Done;
            return;
        }
        self.look(id, now);
        if self.lanes[id].phase == Phase::Done {
            return;
        }
        if self.lanes[id].is_over(now, self.config.asking) {
            if self.lanes[id].control.is_pending() || self.is_unproven(id) {
                return;
            }
            self.conclude_pass(id);
            self.vouch(id);
            if id == COMMON {
                self.split(now);
            }
            if id == COMMON && self.is_common_deserted() {
                self.lanes[id].phase = Phase::Done;
                return;
            }
            let (lane, outlook) = self.outlook(id);
            lane.decide(now, &outlook);
        }
        if id == COMMON
            && matches!(self.lanes[id].phase, Phase::Resting(..))
            && self.is_common_deserted()
        {
            self.split(now);
            self.lanes[id].phase = Phase::Done;
            return;
        }
        self.split_found(id, now);
        let path = self.path(id);
        let (lane, outlook) = self.outlook(id);
        lane.resume(now, &outlook);
        if std::mem::take(&mut lane.fresh) {
            lane.control.pass_began(now, &path);
            if id == COMMON {
                self.spread_walk(now);
            }
        }
        self.look_last(id, now);
    }

    fn ports(&self) -> u64 {
        u64::from(self.plan.ports().len())
    }
}

const COMMON: usize = 0;
/// Marks the attempt number of a connect that lives for one timeout only; numbers themselves stay far below.
const HASTY: u16 = 0x8000;
/// Mark the connects beside the walk: confirmations, and witnesses.
const CONFIRM: u16 = 0x4000;
const WITNESS: u16 = 0x2000;
/// Probes per call of [`Engine::poll_transmit`]: what one sendmmsg takes.
const BATCH: usize = 256;
const BLIND_WINDOW: Duration = Duration::from_millis(100);
const LEAST_WINDOW: Duration = Duration::from_millis(1);
const DRAIN: Duration = Duration::from_secs(2);
const MAX_STALE: usize = 4096;
const MAX_ABSENT: usize = 1 << 20;
/// Marks the attempt number of a connect to a canary.
const CANARY: u16 = 0x1000;
/// Flows that no pass uses: the last for endpoints that must be asked afresh, the others for canaries in turn.
const EXTRA_FLOWS: u8 = canary::TURNS as u8 + 1;

/// How many of `flows` they are.
fn extra_flows(flows: u8) -> u8 {
    EXTRA_FLOWS.min(flows / 2).max(1)
}
