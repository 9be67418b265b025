//! What to send, when, and what silence means: a pure state machine. Events in, actions out; it never asks for the time.
//!
//! The caller's contract, in any order and as often as it likes:
//!
//! 1. [`Engine::handle`] every observation.
//! 2. [`Engine::poll_transmit`] and send what it gives, in order. A probe that was given is taken as sent.
//! 3. [`Engine::poll_event`] until it is empty.
//! 4. Sleep until [`Engine::poll_timeout`] or the next observation.
//! 5. Stop when [`Engine::is_done`].
//!
//! Time never runs backwards between calls.

mod bitmap;
mod completeness;
mod evidence;
mod lane;
pub mod pace;
mod pass;
mod rtt;
mod verdict;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::lane::{Lane, Phase};
use crate::engine::pace::{Ceiling, Pace};
use crate::engine::pass::Scope;
use crate::engine::verdict::Outcome;
use crate::model::{
    Address, Endpoint, Event, HostNote, How, LocalFault, Note, Observation, Probe, Progress,
    Reason, Seen, Source, State, Summary, Time, Verdict,
};
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
    /// How long a silent endpoint is listened to.
    pub patience: Duration,
    /// Most passes over a silent endpoint.
    pub max_attempts: u16,
    /// The scan goes on until fewer open ports than this are expected to have been missed.
    pub miss_budget: f64,
    pub ceiling: Ceiling,
}

/// See the module's documentation.
pub struct Engine {
    plan: Arc<Plan>,
    shuffle: Shuffle,
    config: Config,
    lane: Lane,
    pace: Pace,
    events: VecDeque<Event>,
    /// Hosts without a neighbour. Bounded by the kernel: it reports at most what it tried to resolve.
    absent: HashSet<Address>,
    /// Endpoints to ask again from the last flow, which no pass uses.
    stale: VecDeque<u64>,
    stale_asked: HashSet<u64>,
    summary: Summary,
    started: Time,
    last_progress: Time,
    ending: Ending,
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

/// Whether a kernel connect is repeated where one has already been heard to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    Unsettled,
    All,
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
        let shuffle = Shuffle::new(plan.len(), config.seed);
        let len = config.shard.len(plan.len());
        Self {
            shuffle,
            lane: Lane::new(len, config.asking),
            pace: Pace::new(config.ceiling, now),
            events: VecDeque::new(),
            absent: HashSet::new(),
            stale: VecDeque::new(),
            stale_asked: HashSet::new(),
            summary: Summary {
                endpoints: len,
                ..Summary::default()
            },
            started: now,
            last_progress: now,
            ending: Ending::No,
            plan,
            config,
        }
    }

    /// Appends the probes to send now, `room` at most.
    pub fn poll_transmit(&mut self, now: Time, room: usize, out: &mut Vec<Probe>) {
        self.report_progress(now);
        self.step(now);
        if self.ending != Ending::No {
            return;
        }
        let window = self
            .lane
            .rtt
            .mean()
            .unwrap_or(BLIND_WINDOW)
            .max(LEAST_WINDOW);
        self.pace.adjust(now, window);
        let mut left = self.pace.available(now).min(room).min(BATCH);
        let before = out.len();
        while left > 0 {
            let Some(rank) = self.stale.pop_front() else {
                break;
            };
            if let (false, Asking::Syn { flows }) =
                (self.lane.answered.has(rank), self.config.asking)
            {
                let attempt = self.lane.pass.number + 1;
                let how = How::Syn { flow: flows - 1 };
                left -= usize::from(self.push(rank, attempt, how, out));
            }
        }
        if self.lane.phase == Phase::Walking {
            self.walk(now, left, out);
        }
        self.pace.sent(out.len() - before);
    }

    /// Takes what a transport saw.
    pub fn handle(&mut self, observation: Observation) {
        let Some((rank, source)) = self.place(&observation) else {
            self.summary.strays += 1;
            return;
        };
        if let Source::Attempt { syns, .. } = source {
            self.lane.outstanding = self.lane.outstanding.saturating_sub(1);
            if !self.lane.settled.has(rank) {
                self.lane.hasty = self.lane.hasty.saturating_sub(1);
            }
            let fewest = match observation.seen {
                Seen::Silence if self.lane.settled.has(rank) => &mut self.lane.fewest_silent,
                Seen::Icmp { .. } => &mut self.lane.fewest_refused,
                _ => &mut None,
            };
            *fewest = Some(fewest.map_or(syns, |known| known.min(syns)).max(1));
        }
        if self.lane.answered.has(rank) || self.is_done() {
            return;
        }
        match verdict::judge(&observation.seen) {
            Outcome::Final(state, reason) => self.answered(rank, &observation, state, reason),
            Outcome::Icmp(reason) => {
                self.lane.settled.set(rank);
                self.lane.evidence.icmp(rank, reason);
            }
            Outcome::Local(fault) => {
                self.lane.settled.set(rank);
                self.note_local(rank, fault, observation.endpoint.address);
            }
            Outcome::Absent => self.absent(observation.endpoint.address),
            Outcome::AskAfresh => {
                if self.stale_asked.len() < MAX_STALE && self.stale_asked.insert(rank) {
                    self.stale.push_back(rank);
                }
            }
            Outcome::Nothing => {}
        }
    }

    /// When to call again if nothing is observed.
    pub fn poll_timeout(&self) -> Time {
        match self.ending {
            Ending::Draining(until) => until,
            Ending::Reporting(_) | Ending::Done => Time::ZERO,
            Ending::No => match self.lane.phase {
                Phase::Walking => self.pace.ready_at(),
                _ if !self.stale.is_empty() => self.pace.ready_at(),
                _ => self.lane.due(),
            },
        }
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty()
            && let Ending::Reporting(rank) = self.ending
        {
            self.report_unanswered(rank);
        }
        self.events.pop_front()
    }

    /// Every endpoint has its verdict and every event was polled.
    pub fn is_done(&self) -> bool {
        self.ending == Ending::Done && self.events.is_empty()
    }

    /// Answers may have been lost on our own side (capture ring, queue): the present pass proves nothing.
    pub fn answers_dropped(&mut self) {
        self.lane.pass.tainted = true;
    }

    /// How late observations reach the engine after they arrived at the machine.
    pub fn set_lag(&mut self, lag: Duration) {
        self.lane.rtt.set_lag(lag);
    }

    /// Sends nothing more, hears what is in flight for at most two seconds and ends. A second call ends at once.
    pub fn cut(&mut self, now: Time, cut: Cut) {
        match self.ending {
            Ending::No => {
                self.summary.interrupted = cut == Cut::Interrupt;
                let wait = self.lane.rtt.timeout().min(DRAIN);
                self.ending = Ending::Draining(now + wait);
            }
            Ending::Draining(_) => self.ending = Ending::Draining(now),
            Ending::Reporting(_) | Ending::Done => {}
        }
        self.step(now);
    }

    /// The figures so far. Packets, drops and elapsed time are the caller's to fill in: it owns the transport.
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary;
        summary.loss = self.lane.loss.measured();
        summary.expected_missed = self.lane.expected_missed();
        summary.complete = summary.untested == 0
            && summary.error == 0
            && !summary.interrupted
            && summary.expected_missed < self.config.miss_budget;
        summary
    }

    /// Where in this shard the observed endpoint stands.
    fn place(&self, observation: &Observation) -> Option<(u64, Source)> {
        let index = self.plan.index(&observation.endpoint)?;
        let position = self.shuffle.position(index);
        let rank = self.config.shard.rank(position)?;
        Some((rank, observation.source))
    }

    fn endpoint(&self, rank: u64) -> Option<(u64, Endpoint)> {
        let index = self.shuffle.index(self.config.shard.position(rank));
        Some((index, self.plan.endpoint(index)?))
    }

    fn step(&mut self, now: Time) {
        match self.ending {
            Ending::No => {
                self.lane.advance(now, &self.config);
                if self.lane.phase == Phase::Done || self.nobody_left() {
                    self.ending = Ending::Reporting(0);
                }
            }
            Ending::Draining(until) => {
                if now >= until || self.lane.answered.zeros() == 0 {
                    self.summary.untested = self.lane.answered.zeros();
                    self.ending = Ending::Done;
                }
            }
            Ending::Reporting(_) | Ending::Done => {}
        }
    }

    fn nobody_left(&self) -> bool {
        !self.absent.is_empty() && self.absent.len() as u64 >= self.plan.hosts()
    }

    fn walk(&mut self, now: Time, mut left: usize, out: &mut Vec<Probe>) {
        let attempt = self.lane.pass.number;
        let patience = self.config.patience;
        let life = self.lane.life(patience);
        let how = match self.config.asking {
            Asking::Syn { .. } => How::Syn {
                flow: self.lane.pass.flow,
            },
            Asking::Handshake => How::Handshake { patience: life },
        };
        // A whole patience is never repeated for its own sake, only when the stop rule or a note asks for more.
        let enough = self.lane.expected_missed() < self.config.miss_budget
            && !self.lane.few_are_missing(&self.config);
        let again = if enough && self.lane.pass.scope == Scope::All {
            Again::Unsettled
        } else {
            Again::All
        };
        let mut first = true;
        while left > 0 {
            let Some(rank) = self.lane.next_rank() else {
                self.lane.walked(now, self.config.asking);
                return;
            };
            if first {
                self.lane.pass.checkpoint(rank, now);
                first = false;
            }
            self.lane.pass.cursor = rank + 1;
            if self.config.asking == Asking::Handshake {
                if again == Again::Unsettled && self.lane.settled.has(rank) {
                    continue;
                }
                if life == patience {
                    self.lane.settled.set(rank);
                }
            }
            if self.push(rank, attempt, how, out) {
                self.lane.pass.asked += 1;
                left -= 1;
            }
        }
    }

    /// Appends one probe; false where nobody is there to be asked.
    fn push(&mut self, rank: u64, attempt: u16, how: How, out: &mut Vec<Probe>) -> bool {
        let Some((index, endpoint)) = self.endpoint(rank) else {
            return false;
        };
        if self.absent.contains(&endpoint.address) {
            return false;
        }
        if self.lane.evidence.is_local(rank) {
            self.lane.evidence.forget(rank);
        }
        if let How::Handshake { .. } = how {
            self.lane.outstanding += 1;
            self.lane.hasty += u64::from(!self.lane.settled.has(rank));
        }
        out.push(Probe {
            index,
            endpoint,
            attempt,
            how,
        });
        true
    }

    fn answered(&mut self, rank: u64, observation: &Observation, state: State, reason: Reason) {
        self.lane.answered.set(rank);
        self.lane.settled.clear(rank);
        self.lane.evidence.forget(rank);
        self.absent.remove(&observation.endpoint.address);
        self.lane.pass.gained += 1;
        self.pace.answered();
        match state {
            State::Open => self.lane.open += 1,
            State::Closed | State::Filtered | State::Suspect | State::Error => {}
        }
        let (attempt, rtt) = self.attribute(rank, observation);
        if let Some(rtt) = rtt {
            self.lane.rtt.sample(rtt);
        }
        match attempt {
            Some(0) => self.lane.loss.answered_first(),
            Some(_) => self.lane.loss.answered_later(),
            None => {}
        }
        let ttl = match observation.seen {
            Seen::SynAck(answer) => answer.ttl,
            Seen::Rst { ttl } => (ttl > 0).then_some(ttl),
            _ => None,
        };
        self.conclude(Verdict {
            endpoint: observation.endpoint,
            state,
            reason,
            rtt,
            ttl,
            attempts: attempt.unwrap_or(self.lane.pass.number) + 1,
            at: observation.at,
        });
    }

    /// Which attempt was answered (0 for the first), where that can be told, and the round-trip time where that is certain.
    fn attribute(&self, rank: u64, observation: &Observation) -> (Option<u16>, Option<Duration>) {
        match observation.source {
            Source::Attempt { attempt, syns, rtt } => {
                let repeats = u16::from(syns.saturating_sub(1));
                (Some(attempt.saturating_add(repeats)), rtt)
            }
            Source::Flow(flow) => {
                let Some(pass) = self.lane.pass_of_flow(flow) else {
                    return (None, None);
                };
                let sent = pass.sent_at(rank).filter(|&sent| sent <= observation.at);
                if flow == 0 && self.lane.has_repeated() {
                    return (self.attempt_of_repeat(sent, observation.at), None);
                }
                (
                    Some(pass.number),
                    sent.map(|sent| observation.at.since(sent)),
                )
            }
        }
    }

    /// Which of several identical SYNs was answered. One that came within the path's timeout of the latest repeat answers
    /// that; one that came later belongs to a slow server, and says nothing about loss.
    fn attempt_of_repeat(&self, repeated: Option<Time>, at: Time) -> Option<u16> {
        if !self.lane.rtt.is_known() {
            return None;
        }
        // Not reached by the repeat yet: only the first can have been answered.
        let Some(repeated) = repeated else {
            return Some(0);
        };
        (at.since(repeated) <= self.lane.rtt.timeout()).then_some(self.lane.pass.number)
    }

    fn note_local(&mut self, rank: u64, fault: LocalFault, address: Address) {
        if fault == LocalFault::Firewall && self.lane.evidence.local_count() == 0 {
            self.events.push_back(Event::Host(HostNote {
                address: Some(address),
                note: Note::LocalFirewall,
            }));
        }
        self.lane.evidence.local(rank, fault);
    }

    fn absent(&mut self, address: Address) {
        if self.absent.len() < MAX_ABSENT && self.absent.insert(address) {
            self.events.push_back(Event::Host(HostNote {
                address: Some(address),
                note: Note::NoNeighbour,
            }));
        }
    }

    fn conclude(&mut self, verdict: Verdict) {
        let count = match verdict.state {
            State::Open => &mut self.summary.open,
            State::Closed => &mut self.summary.closed,
            State::Filtered => &mut self.summary.filtered,
            State::Suspect => &mut self.summary.suspect,
            State::Error => &mut self.summary.error,
        };
        *count += 1;
        self.events.push_back(Event::Verdict(verdict));
    }

    /// Reports a slice of the endpoints that never answered, so that events never pile up.
    fn report_unanswered(&mut self, from: u64) {
        let mut at = from;
        for _ in 0..REPORT_SLICE {
            let Some(rank) = self.lane.answered.next_zero(at) else {
                self.ending = Ending::Done;
                return;
            };
            at = rank + 1;
            let Some((_, endpoint)) = self.endpoint(rank) else {
                continue;
            };
            let noted = if self.absent.contains(&endpoint.address) {
                Some(Reason::NoNeighbour)
            } else {
                self.lane.evidence.reason(rank)
            };
            let (state, reason) = verdict::unanswered(noted);
            self.conclude(Verdict {
                endpoint,
                state,
                reason,
                rtt: None,
                ttl: None,
                attempts: self.lane.pass.number + 1,
                at: self.last_progress,
            });
        }
        self.ending = Ending::Reporting(at);
    }

    fn report_progress(&mut self, now: Time) {
        if now.since(self.last_progress) < PROGRESS_EVERY {
            return;
        }
        self.last_progress = now;
        let len = self.summary.endpoints.max(1) as f64;
        let pass_done = match self.lane.phase {
            Phase::Walking => self.lane.pass.cursor as f64 / len,
            Phase::Settling(_) | Phase::Resting(..) | Phase::Done => 1.0,
        };
        let elapsed = now.since(self.started);
        let eta = (self.lane.pass.number == 0 && pass_done > 0.01 && pass_done < 1.0)
            .then(|| elapsed.mul_f64((1.0 - pass_done) / pass_done));
        self.events.push_back(Event::Progress(Progress {
            endpoints: self.summary.endpoints,
            answered: self.lane.answered.ones(),
            open: self.summary.open,
            packets_sent: 0,
            pass: self.lane.pass.number,
            pass_done,
            loss: self.lane.loss.measured(),
            at: now,
            eta,
        }));
    }
}

/// Probes per call of [`Engine::poll_transmit`]: what one sendmmsg takes.
const BATCH: usize = 256;
const BLIND_WINDOW: Duration = Duration::from_millis(100);
const LEAST_WINDOW: Duration = Duration::from_millis(1);
const DRAIN: Duration = Duration::from_secs(2);
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
const MAX_STALE: usize = 4096;
const MAX_ABSENT: usize = 1 << 20;
const REPORT_SLICE: usize = 4096;
