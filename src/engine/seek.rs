//! Hosts of which nothing was heard: each of their endpoints is asked once more, beside the walks.
//!
//! A limiter with little room lets in a handful of each walk, because a walk leaves in a moment, and of what a kernel repeats
//! the same handful again. Where nothing of it answers, a host with dozens of open ports looks like one that is not there.
//! But who keeps silent is listened to for seconds anyway. So once the others have had the time to answer, what is left is
//! asked one by one, in an order of its own and spread over the rest of that time: then even a limiter of 100 a second lets
//! in some hundreds of them, and any that answers gives its host a lane, whose canaries tell the limit.
//!
//! It costs one SYN more for each silent endpoint of such a host, and no time. It leaves from the flow of what is asked afresh,
//! so that its answers are known from those to the walks.

mod turns;

use std::time::Duration;

use self::turns::Turns;
use crate::engine::canary::is_repeat;
use crate::engine::lane::Phase;
use crate::engine::pace::Pace;
use crate::engine::pass::{Kind, Pass, Scope};
use crate::engine::sending::fresh_flow;
use crate::engine::space::Step;
use crate::engine::trials::Came;
use crate::engine::{Asking, COMMON, Engine};
use crate::model::{Endpoint, How, LocalFault, Observation, Probe, Reason, Seen, Source, Time};

/// See the top of the file.
#[derive(Default)]
pub enum Seek {
    /// The first walk is not over, or nothing is to be sought.
    #[default]
    Idle,
    /// Whoever answers at once does so before it begins.
    Waiting(Span),
    Begun(Box<Round>),
}

/// When it begins, and when the listening ends.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    from: Time,
    /// By then it is to have asked all, and after the second it asks no more.
    until: Time,
    last: Time,
    end: Time,
    /// Where a gateway has come back, how many turns were taken before: of these only those are taken again that nobody could
    /// take then.
    taken: Option<u64>,
}

/// What was sought so far.
pub struct Round {
    span: Span,
    turns: Turns,
    pace: Pace,
    /// When it asked what, by its turns.
    asked: Pass,
    found: Found,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    UnderWay,
    Over,
}

/// Whose turn it is.
enum Turn {
    Of(Endpoint),
    /// It was asked before, and so the others keep their distance from each other.
    Taken,
    /// Its host has answered, or nobody can be asked there.
    Vain,
}

/// Whether a host has answered that has no lane yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Nobody,
    Somebody,
}

impl Seek {
    /// Somebody was found who has no lane yet.
    fn has_found(&self) -> bool {
        matches!(self, Self::Begun(round) if round.found == Found::Somebody)
    }

    /// All who were found have their lanes.
    pub fn lanes_made(&mut self) {
        if let Self::Begun(round) = self {
            round.found = Found::Nobody;
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Waiting(_) => false,
            Self::Begun(round) => round.progress == Progress::Over,
        }
    }
}

impl Engine {
    /// The first walk has ended, or the one that stands for it because of a gateway that came back, and who keeps silent is
    /// listened to from now on.
    pub(super) fn seek_from(&mut self, now: Time) {
        let patience = self.config.patience;
        let pass = &self.lanes[COMMON].pass;
        let walked = now.since(pass.began);
        let taken = match &self.seek {
            _ if pass.number == 0 => None,
            Seek::Idle => Some(u64::MAX),
            Seek::Waiting(span) => span.taken.or(Some(0)),
            Seek::Begun(round) => Some(round.asked.cursor).max(round.span.taken),
        };
        // It would reach next to nothing of what took so long to walk over; and it is one attempt more.
        let wanted = walked <= patience * LONGEST_WALK && self.config.max_attempts > ATTEMPTS;
        self.seek = match wanted {
            true => Seek::Waiting(Span {
                from: now + patience / HEAD_START,
                until: now + patience.mul_f64(ASKING),
                last: now + patience.mul_f64(ASKING_LATE),
                end: now + patience,
                taken,
            }),
            false => Seek::Idle,
        };
    }

    /// When the next endpoint is to be sought.
    pub(super) fn seek_at(&self) -> Time {
        let ready = match &self.seek {
            _ if self.seek.is_over() => return Time::NEVER,
            Seek::Idle => Time::NEVER,
            Seek::Waiting(span) => span.from,
            Seek::Begun(round) => round.pace.ready_at(),
        };
        let network = match self.network.control.is_waiting() {
            true => self.network_event(),
            false => Time::ZERO,
        };
        ready.max(network).max(self.pace.ready_at())
    }

    /// Asks what is due of the hosts that nobody has heard, `left` endpoints at most; how many it asked.
    pub(super) fn ask_unheard(&mut self, now: Time, left: usize, out: &mut Vec<Probe>) -> usize {
        if self.seek.is_over() {
            return 0;
        }
        if let Seek::Waiting(span) = self.seek
            && now >= span.from
        {
            self.seek = Seek::Begun(Box::new(self.seek_round(span, now)));
        }
        let heard = self.plan.hosts() == 1 && self.has_answered(0);
        let vain = heard || self.lanes[COMMON].phase == Phase::Done || self.network.is_limiting();
        // Not what spreads the walks over all hosts, which would leave nothing to this: it is spread by itself.
        let room = match self.network.control.is_waiting() {
            true => 0,
            false => left,
        };
        let Seek::Begun(round) = &mut self.seek else {
            return 0;
        };
        if vain || now >= round.span.last {
            round.progress = Progress::Over;
            return 0;
        }
        let room = round.pace.available(now).min(room);
        let life = ONE_SYN.min(round.span.end.since(now));
        let (first, mut at) = (round.asked.cursor, round.asked.cursor);
        let last = self.order.block_len();
        let end = last.min(at + LOOKED_AT);
        let (turns, taken) = (round.turns, round.span.taken);
        let start = out.len();
        let mut passed = 0;
        while at < end && out.len() - start + passed < room {
            let index = turns.index(at, &self.order);
            match self.turn(at, index, taken, now) {
                Turn::Of(endpoint) => self.ask_sought(index, endpoint, life, out),
                Turn::Taken => passed += 1,
                Turn::Vain => {}
            }
            at += 1;
        }
        let sent = out.len() - start;
        let over = at >= last;
        if let Seek::Begun(round) = &mut self.seek {
            round.pace.sent(sent + passed);
            round.asked.cursor = at;
            if sent > 0 {
                round.asked.checkpoint(first, now);
            }
            if over {
                round.progress = Progress::Over;
            }
        }
        sent
    }

    fn seek_round(&self, span: Span, now: Time) -> Round {
        let (hosts, ports) = (self.plan.hosts(), self.ports());
        let gone = self.heard_hosts + self.absent.len() as u64;
        let share = hosts.saturating_sub(gone) as f64 / hosts as f64;
        let count = self.order.block_len() as f64 * share;
        let rate = count / span.until.since(now).as_secs_f64().max(1e-3);
        let seed = self.config.seed.rotate_left(32) ^ OTHER_ORDER;
        Round {
            span,
            turns: Turns::new(hosts, ports, seed, &self.order),
            pace: Pace::steady(rate.ceil(), now).keeping(STALL),
            asked: Pass::new(Kind::Fast, Scope::All, 0, 0, now),
            found: Found::Nobody,
            progress: Progress::UnderWay,
        }
    }

    /// Whether this endpoint is to be asked: nothing was heard of its host, and nothing speaks against it.
    fn turn(&self, at: u64, index: u64, taken: Option<u64>, now: Time) -> Turn {
        let Some(rank) = self.order.rank(index) else {
            return Turn::Vain;
        };
        let known = self.ledger.answered.has(rank)
            || match self.ledger.evidence.reason(rank) {
                // A walk has found a way since, of which connects tell only in the end.
                Some(Reason::Local(LocalFault::NoGateway)) => taken.is_none(),
                noted => noted.is_some(),
            };
        let kept = !self.may_be_sought(index) || self.is_cut_off(index, now);
        if known || kept || self.has_answered(index / self.ports()) {
            return Turn::Vain;
        }
        let endpoint = self.plan.endpoint(index);
        let Some(endpoint) = endpoint.filter(|it| !self.absent.contains_key(&it.address)) else {
            return Turn::Vain;
        };
        match self.was_taken(at, index, taken) {
            true => Turn::Taken,
            false => Turn::Of(endpoint),
        }
    }

    fn was_taken(&self, at: u64, index: u64, taken: Option<u64>) -> bool {
        taken.is_some_and(|taken| at < taken) && self.gateway_found_dead(index).is_none()
    }

    /// Asks one endpoint.
    fn ask_sought(&mut self, index: u64, endpoint: Endpoint, life: Duration, out: &mut Vec<Probe>) {
        let how = match self.config.asking {
            Asking::Syn { flows } => How::Syn {
                flow: fresh_flow(flows),
            },
            Asking::Handshake => How::Handshake { patience: life },
        };
        self.host_asked(index);
        out.push(Probe {
            index,
            endpoint,
            attempt: SEEK,
            how,
        });
    }

    /// A connect to what is sought has ended. That it heard nothing tells nothing: others do.
    pub(super) fn sought(&mut self, id: usize, step: Step, observation: &Observation) {
        let nothing = matches!(observation.seen, Seen::Silence | Seen::Local(_));
        if !nothing && !self.ledger.answered.has(step.rank) && self.still_hears() {
            self.take(id, step.index / self.ports(), step, observation);
            self.wake_if_over(id, observation.at);
        }
    }

    /// What was sought has answered, if this is such an answer: to which attempt, and how long that took if it is certain.
    pub(super) fn came_to_seeking(
        &self,
        id: usize,
        index: u64,
        observation: &Observation,
    ) -> Option<(Came, Option<Duration>)> {
        let Seek::Begun(round) = &self.seek else {
            return None;
        };
        let took = match (observation.source, self.config.asking) {
            (Source::Attempt { attempt, .. }, _) if attempt & SEEK != 0 => observation.source.rtt(),
            (Source::Flow(flow), Asking::Syn { flows }) if flow == fresh_flow(flows) => {
                if self.stale_asked.contains(&index) {
                    return None;
                }
                let turn = round.turns.of(index, &self.order)?;
                if self.was_taken(turn, index, round.span.taken) {
                    return None;
                }
                let asked = round.asked.sent_at(turn)?;
                let took = observation.at.since(asked);
                (observation.at >= asked && !is_repeat(took)).then_some(took)
            }
            _ => return None,
        };
        Some((Came::Sought(self.lanes[id].pass.trial), took))
    }

    /// Hosts that were found while the common lane rests get their lanes.
    pub(super) fn split_found(&mut self, id: usize, now: Time) {
        let rests = matches!(self.lanes[id].phase, Phase::Resting(..));
        if id == COMMON && rests && self.seek.has_found() {
            self.split(now);
        }
    }

    /// A host is found: it gets its lane once more of it may have answered, or when the walk that is under way is over.
    pub(super) fn found(&mut self, at: Time) {
        if let Seek::Begun(round) = &mut self.seek {
            round.found = Found::Somebody;
        }
        let lane = &self.lanes[COMMON];
        let soon = at + GATHER;
        if matches!(lane.phase, Phase::Resting(..)) && lane.wake > soon {
            self.wakes.push(COMMON, soon, &mut self.lanes);
        }
    }
}

/// Marks a connect to a host that nobody has heard.
pub(super) const SEEK: u16 = 0x0800;
/// Of the patience: this part is left to those who answer at once.
const HEAD_START: u32 = 10;
/// Of the patience: by then all are asked, so that the last of them can answer.
const ASKING: f64 = 0.9;
/// The same for those that were held up.
const ASKING_LATE: f64 = 0.95;
/// Who was held up no longer than this leaves nobody out for it.
const STALL: Duration = Duration::from_millis(50);
/// In patiences.
const LONGEST_WALK: u32 = 4;
/// What never answers is asked so often without it.
const ATTEMPTS: u16 = 4;
/// A connect that lives longer sends another SYN.
const ONE_SYN: Duration = Duration::from_millis(900);
/// How long the first answer of a host waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// Turns looked at in one call.
const LOOKED_AT: u64 = 4_096;
/// So that no walk's order is met again.
const OTHER_ORDER: u64 = 0x5eec_5eec_5eec_5eec;

#[cfg(test)]
pub(super) mod tests;
