//! Answers that this machine drops itself (its INPUT chain, `rp_filter`), as a scan by kernel connects can tell.
//!
//! A connect whose answers are dropped looks like one that nobody answered, in all that its socket tells. But the kernel counts
//! what it takes in and what it hands on, and every user may read that: what is missing was dropped here. If nothing went
//! missing while the walks lasted, then no answer did, and that is all there is to do. What did go missing may have been
//! anything, for the count is of the whole machine. So an experiment follows, before silence is called a verdict: what is
//! silent is asked again, all at once, and what goes missing meanwhile is held against what goes missing while nobody is asked
//! ([`trial`]). If it goes with the asking, hosts are told apart by halves, and what is silent of those that are left was not
//! tested, whatever it may be: the fault is ours.
//!
//! When which time begins matters ([`beats`]): a server whose SYN-ACK is dropped repeats it. That times of both kinds begin at even
//! seconds also keeps apart what somebody else sends once a second or once in two. Which kind comes first is drawn by dice, so
//! that two scans that began together do not take each other's asking for their own. Answers that take half a second, or 0.85 s
//! where few are asked, are still counted with what asked for them.
//!
//! Telling hosts apart takes 80 s at the most, and what is not told apart by then counts as not tested. Where repeats may have come
//! between, trials that told nothing are made again, twice at the most, and have as long again each.
//!
//! What this cannot see: a few dropped answers among thousands of silent endpoints that are too many to be asked again, and
//! anything on a machine that drops more of others' packets than there are endpoints to ask. Nor what is dropped before the IP
//! layer (XDP, a filter at the device) or behind it (a filter on sockets). What a machine drops that is itself the target is the
//! target's doing.

mod again;
mod beats;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use self::again::{Again, MANY, TIMES};
use self::beats::{Beats, WHOLE};
use self::trial::{Ground, Kind, Outcome, Trials};
use crate::engine::space::Step;
use crate::engine::{Asking, Engine, WITNESS};
use crate::model::{How, LocalFault, Observation, Probe, Reason, Seen, Time, Undelivered};

/// See the top of the file.
#[derive(Default)]
pub struct OwnDrops {
    stage: Stage,
    /// Hosts that are to be tried, by their numbers in the plan.
    tests: VecDeque<Range<u64>>,
    trials: Trials,
    beats: Beats,
    /// When the first time of these trials began.
    began: Time,
    /// Until then times may hear repeats that come at no time: of what was asked in one that was not counted, for example.
    doubtful_until: Time,
    /// How often trials were made again for that.
    remade: u32,
    /// How often what was to be asked was too much to leave, or to be heard, in time: half as much is asked then.
    cut: u32,
    /// How many connects may be under way at a time.
    window: usize,
    /// Of these hosts answers were dropped.
    dropped: Vec<Range<u64>>,
}

#[derive(Default, Debug)]
enum Stage {
    /// Nobody has told the count.
    #[default]
    Untold,
    /// The count when the walks began.
    Walking(Undelivered),
    /// The same; they are over.
    Walked(Undelivered),
    /// The next time begins then.
    Waiting(Time),
    /// Endpoints are asked; the count when that began.
    Asking {
        queue: VecDeque<u64>,
        /// How many are, if all of them can leave in time.
        sent: Option<u64>,
        under_way: u64,
        /// How long each connect lives.
        life: Duration,
        count: Undelivered,
    },
    /// Nobody is asked; the count when that began.
    Quiet(Undelivered),
    /// The scan was paused meanwhile: the clock of the count was not.
    Spoiled,
    Over,
}

impl OwnDrops {
    /// New walks begin.
    pub fn begin_again(&mut self) {
        *self = Self::default();
    }

    pub fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Untold | Stage::Walking(_) | Stage::Over)
    }

    /// When there is something to do if nothing is observed.
    pub fn due_at(&self) -> Time {
        match &self.stage {
            Stage::Untold | Stage::Walking(_) | Stage::Over => Time::NEVER,
            Stage::Walked(_) | Stage::Spoiled => Time::ZERO,
            Stage::Waiting(from) => *from,
            Stage::Asking { queue, .. } if !queue.is_empty() => self.beats.leaves_by(),
            Stage::Asking { under_way, .. } if *under_way > 0 => Time::NEVER,
            Stage::Asking { .. } | Stage::Quiet(_) => self.beats.over(),
        }
    }

    /// Whether it has taken as long as somebody would wait for.
    fn is_late(&self, now: Time) -> bool {
        self.beats.since_first(now) >= LONGEST
    }

    /// Whether there is something to ask.
    pub fn can_ask(&self) -> bool {
        matches!(&self.stage, Stage::Asking { queue, .. } if !queue.is_empty())
    }

    fn wants_count(&self, now: Time) -> bool {
        matches!(self.stage, Stage::Untold) || self.due_at() <= now
    }
}

impl Engine {
    /// Whether [`tell_undelivered`](Self::tell_undelivered) is to be called before anything is polled.
    pub fn wants_undelivered(&self, now: Time) -> bool {
        self.config.asking == Asking::Handshake && self.own_drops.wants_count(now)
    }

    /// What this machine has taken in and handed to nobody; `None` where it does not tell. So many connects may be under way
    /// at a time.
    pub fn tell_undelivered(&mut self, count: Option<Undelivered>, window: usize, now: Time) {
        self.own_drops.window = window;
        let Some(count) = count else {
            self.own_drops.stage = Stage::Over;
            return;
        };
        let missing = |before: Undelivered| count.since(before);
        match std::mem::take(&mut self.own_drops.stage) {
            Stage::Untold => self.own_drops.stage = Stage::Walking(count),
            Stage::Walked(before) if missing(before).all() > 0 => {
                self.own_drops.tests.push_back(0..self.plan.hosts());
                let again = self.to_ask_again();
                // Servers repeat what the walks have asked as often as so few can be asked again.
                if again.times < TIMES && again.queue.len() < MANY {
                    self.own_drops.doubtful_until = now + REPEATS;
                }
                self.own_drops.stage = match again.queue.is_empty() {
                    true => Stage::Over,
                    false => {
                        self.own_drops.beats.begin(now + SETTLED);
                        Stage::Waiting(now + SETTLED)
                    }
                };
            }
            Stage::Walked(_) => self.own_drops.stage = Stage::Over,
            Stage::Waiting(beat) => {
                if Beats::is_missed(beat, now) && !self.own_drops.is_late(now) {
                    self.own_drops.stage = Stage::Waiting(self.own_drops.beats.next(now));
                    return;
                }
                self.own_drops.beats.enter(beat);
                self.begin_time(count, now);
            }
            // What was asked is heard to its end first. How long a pause lasts is the user's affair.
            Stage::Spoiled => {
                let next = self.own_drops.beats.next(now + WHOLE);
                self.own_drops.beats.begin(next);
                self.own_drops.stage = Stage::Waiting(next);
            }
            Stage::Asking {
                queue,
                under_way,
                life,
                count,
                ..
            } if !queue.is_empty() => {
                self.own_drops.cut += 1;
                self.own_drops.stage = Stage::Asking {
                    queue: VecDeque::new(),
                    sent: None,
                    under_way,
                    life,
                    count,
                };
            }
            Stage::Asking { sent, count, .. } => {
                match sent.filter(|_| self.own_drops.beats.counts(now)) {
                    Some(sent) => self.own_drops.trials.add_asked(missing(count), sent),
                    None => {
                        // So many may have been too many, and fewer are not.
                        let many = sent.is_some_and(|sent| sent > MANY as u64);
                        self.own_drops.cut += u32::from(many);
                        self.own_drops.doubtful_until = now + REPEATS;
                    }
                }
                self.weigh_own_drops(now);
            }
            Stage::Quiet(count) => {
                if self.own_drops.beats.counts(now) {
                    self.own_drops.trials.add_quiet(missing(count));
                }
                self.weigh_own_drops(now);
            }
            other => self.own_drops.stage = other,
        }
    }

    /// Whether something is to be asked in the present time, and soon.
    pub fn asks_silent_again(&self) -> bool {
        self.own_drops.can_ask()
    }

    /// The scan is paused: what is counted now is held against nothing, and what was asked before is repeated at other times.
    pub fn spoil_undelivered(&mut self, now: Time) {
        self.own_drops.doubtful_until = now + REPEATS;
        if let Stage::Asking { .. } | Stage::Quiet(_) = self.own_drops.stage {
            self.own_drops.stage = Stage::Spoiled;
        }
    }

    /// The walks are over: whether it is known what this machine dropped meanwhile.
    pub(super) fn are_own_drops_known(&mut self) -> bool {
        if self.config.asking != Asking::Handshake {
            return true;
        }
        if let Stage::Walking(count) = self.own_drops.stage {
            self.own_drops.stage = match self.ledger.answered.zeros() {
                0 => Stage::Over,
                _ => Stage::Walked(count),
            };
        }
        !self.own_drops.is_busy()
    }

    fn begin_time(&mut self, count: Undelivered, now: Time) {
        self.own_drops.stage = match self.own_drops.trials.next(self.config.seed) {
            Kind::Quiet => Stage::Quiet(count),
            Kind::Asked => {
                let Again { queue, leaving, .. } = self.to_ask_again();
                if queue.is_empty() {
                    return self.next_test(now);
                }
                let life = (WHOLE.as_secs_f64() - leaving).clamp(LEAST_LIFE, MOST_LIFE);
                Stage::Asking {
                    sent: Some(queue.len() as u64),
                    queue,
                    under_way: 0,
                    life: Duration::from_secs_f64(life),
                    count,
                }
            }
        };
    }

    /// A time is over.
    fn weigh_own_drops(&mut self, now: Time) {
        let Some(hosts) = self.own_drops.tests.front().cloned() else {
            self.own_drops.stage = Stage::Over;
            return;
        };
        let last = self.own_drops.is_late(now);
        let ground = match hosts.end - hosts.start {
            0 | 1 => Ground::Verdict,
            _ => Ground::Division,
        };
        match self.own_drops.trials.outcome(ground) {
            Outcome::More if !last => {
                self.own_drops.stage = Stage::Waiting(self.own_drops.beats.next(now));
                return;
            }
            // What was asked in a time that went on for too long, and was repeated, may have come between.
            Outcome::Unrelated
                if self.own_drops.began < self.own_drops.doubtful_until
                    && self.own_drops.remade < MOST_REMADE =>
            {
                let own = &mut self.own_drops;
                own.trials = Trials::default();
                own.remade += 1;
                let next = own.beats.next(own.doubtful_until.max(now));
                own.beats.begin(next);
                own.began = next;
                own.stage = Stage::Waiting(next);
                return;
            }
            Outcome::Nothing | Outcome::Unrelated => {}
            Outcome::Some if !last && ground == Ground::Division => {
                let half = hosts.start + (hosts.end - hosts.start) / 2;
                self.own_drops.tests.push_back(hosts.start..half);
                self.own_drops.tests.push_back(half..hosts.end);
            }
            Outcome::More | Outcome::Some | Outcome::All => self.own_drops.dropped.push(hosts),
        }
        self.next_test(now);
    }

    fn next_test(&mut self, now: Time) {
        let own = &mut self.own_drops;
        own.tests.pop_front();
        own.trials = Trials::default();
        own.began = now;
        if own.is_late(now) {
            // Answers to some of them are dropped, and nobody knows to which.
            own.dropped.extend(own.tests.drain(..));
        }
        own.stage = match own.tests.is_empty() {
            true => Stage::Over,
            false => Stage::Waiting(own.beats.next(now)),
        };
    }

    /// Asks what is silent once more, `left` endpoints at most.
    pub(super) fn ask_silent_again(&mut self, left: &mut usize, out: &mut Vec<Probe>) {
        while *left > 0
            && let Stage::Asking {
                queue,
                under_way,
                life,
                ..
            } = &mut self.own_drops.stage
            && let Some(index) = queue.pop_front()
        {
            let Some(endpoint) = self.plan.endpoint(index) else {
                continue;
            };
            *under_way += 1;
            *left -= 1;
            out.push(Probe {
                index,
                endpoint,
                attempt: WITNESS | ASKED_AGAIN,
                how: How::Handshake { patience: *life },
            });
        }
    }

    /// One of these connects has ended.
    pub(super) fn asked_again(&mut self, id: usize, step: Step, observation: &Observation) {
        if let Stage::Asking { under_way, .. } = &mut self.own_drops.stage {
            *under_way = under_way.saturating_sub(1);
        }
        let nothing = matches!(observation.seen, Seen::Silence | Seen::Local(_));
        if !nothing && !self.ledger.answered.has(step.rank) && self.still_hears() {
            self.take(id, step.index / self.ports(), step, observation);
        }
    }

    /// Why this endpoint was not tested, if this machine drops the answers of its host.
    pub(super) fn was_dropped(&mut self, rank: u64, index: u64) -> Option<Reason> {
        let host = index / self.ports();
        let mut dropped = self.own_drops.dropped.iter();
        if !dropped.any(|hosts| hosts.contains(&host)) || !self.is_unexplained(rank, index) {
            return None;
        }
        self.say_dropped();
        Some(Reason::Local(LocalFault::AnswersDropped))
    }

    /// Whether this endpoint was asked and is silent, and nothing is known that would be a reason.
    fn is_unexplained(&self, rank: u64, index: u64) -> bool {
        let silent = !self.ledger.answered.has(rank) && self.ledger.evidence.reason(rank).is_none();
        silent
            && self.gateway_found_dead(index).is_none()
            && self.plan.endpoint(index).is_some_and(|endpoint| {
                let address = &endpoint.address;
                !self.absent.contains_key(address) && !self.ways.is_own(address)
            })
    }
}

/// Marks the attempt number of a connect to what is asked again.
pub(super) const ASKED_AGAIN: u16 = 0x200;
/// So long each connect lives of a time of asking, in seconds.
const LEAST_LIFE: f64 = 0.45;
const MOST_LIFE: f64 = 0.85;
/// After that what was asked is not repeated any more (`tcp_synack_retries`: at 1, 3, 7, 15 and 31 s).
const REPEATS: Duration = Duration::from_secs(32);
const MOST_REMADE: u32 = 2;
/// How long after the walks the first time begins.
const SETTLED: Duration = Duration::from_secs(1);
/// Then the rest is not told apart any more.
const LONGEST: Duration = Duration::from_secs(80);
