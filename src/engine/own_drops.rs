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
//! Telling hosts apart takes 80 s at the most, and what is not told apart by then counts as not tested.
//!
//! What this cannot see: a few dropped answers among thousands of silent endpoints that are too many to be asked again, and
//! anything on a machine that drops more of others' packets than there are endpoints to ask. Nor what is dropped before the IP
//! layer (XDP, a filter at the device) or behind it (a filter on sockets). What a machine drops that is itself the target is the
//! target's doing.

mod beats;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use self::beats::{Beats, MOMENT, WHOLE};
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
    /// A time of these trials was not counted, so that the others may have heard repeats of what was asked in it.
    is_doubtful: bool,
    /// How often not all that was to be asked could leave in time: half as much is asked then.
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
                self.own_drops.stage = match self.to_ask_again().queue.is_empty() {
                    true => Stage::Over,
                    false => {
                        // Servers repeat what the walks have asked as often as so few can be asked again.
                        self.own_drops.is_doubtful = self.most_asked_again() < FEW;
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
                    None => self.own_drops.is_doubtful = true,
                }
                self.weigh_own_drops(now);
            }
            Stage::Quiet(count) => {
                match self.own_drops.beats.counts(now) {
                    true => self.own_drops.trials.add_quiet(missing(count)),
                    false => self.own_drops.is_doubtful = true,
                }
                self.weigh_own_drops(now);
            }
            other => self.own_drops.stage = other,
        }
    }

    /// The scan is paused: what is counted now is held against nothing.
    pub fn spoil_undelivered(&mut self) {
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
                let Again { queue, leaving } = self.to_ask_again();
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
            Outcome::Unrelated if self.own_drops.is_doubtful && !last => {
                let own = &mut self.own_drops;
                own.trials = Trials::default();
                own.is_doubtful = false;
                own.stage = Stage::Waiting(own.beats.next(now + REPEATS));
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
        own.is_doubtful = false;
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

    /// Silent endpoints of the hosts that are tried, some of them more than once where they are few, and no more than may leave in
    /// a moment, of each host too.
    fn to_ask_again(&self) -> Again {
        let Some(hosts) = self.own_drops.tests.front() else {
            return Again::default();
        };
        let most = self.most_asked_again();
        let blind = self.host_rate.blind().map(f64::from);
        let most_of_one = blind.map_or(usize::MAX, |rate| leave_in_a_moment(rate).max(1));
        let mut of_host: HashMap<u64, usize> = HashMap::new();
        let mut chosen = self.silent_of(hosts, most);
        chosen.retain(|index| {
            let asked = of_host.entry(index / self.ports()).or_default();
            let fits = *asked < most_of_one;
            *asked += usize::from(fits);
            fits
        });
        let fullest = of_host.into_values().max().unwrap_or(1);
        let times = (most / chosen.len().max(1))
            .min(TIMES)
            .max(FEW.min(most).div_ceil(chosen.len().max(1)))
            .min(most_of_one / fullest);
        let count = chosen.len() * times;
        let leaving = count as f64 / self.pace.rate().max(1.0);
        let of_one = blind.map_or(0.0, |rate| (fullest * times) as f64 / rate.max(1.0));
        Again {
            queue: chosen.iter().copied().cycle().take(count).collect(),
            leaving: leaving.max(of_one),
        }
    }

    /// As many as leave in a moment.
    fn most_asked_again(&self) -> usize {
        (leave_in_a_moment(self.pace.rate()) >> self.own_drops.cut.min(MOST_CUTS))
            .min(self.own_drops.window)
            .clamp(1, MOST)
    }

    /// So many at the most, in no order that means anything, and each time the same.
    fn silent_of(&self, hosts: &Range<u64>, most: usize) -> Vec<u64> {
        let ports = self.ports();
        let indices = hosts.start * ports..hosts.end * ports;
        let mut silent = Vec::new();
        if indices.end - indices.start <= LOOKED_AT {
            let ranked = indices.filter_map(|index| Some((self.order.rank(index)?, index)));
            silent.extend(ranked.filter(|&(rank, index)| self.is_unexplained(rank, index)));
            silent.sort_unstable();
            silent.truncate(most);
            return silent.into_iter().map(|(_, index)| index).collect();
        }
        let mut from = 0;
        for _ in 0..LOOKED_AT {
            let Some(rank) = self.ledger.answered.next_zero(from) else {
                break;
            };
            from = rank + 1;
            let index = self.order.index(rank);
            if indices.contains(&index) && self.is_unexplained(rank, index) {
                silent.push((rank, index));
                if silent.len() == most {
                    break;
                }
            }
        }
        silent.into_iter().map(|(_, index)| index).collect()
    }

    /// Whether this endpoint was asked and is silent, and nothing is known that would be a reason.
    fn is_unexplained(&self, rank: u64, index: u64) -> bool {
        let silent = !self.ledger.answered.has(rank) && self.ledger.evidence.reason(rank).is_none();
        silent
            && self.gateway_found_dead(index).is_none()
            && self.plan.endpoint(index).is_some_and(|endpoint| {
                let address = &endpoint.address;
                !self.absent.contains(address) && !self.ways.is_own(address)
            })
    }
}

/// What is asked in one time, and how many seconds it takes to leave.
#[derive(Default)]
struct Again {
    queue: VecDeque<u64>,
    leaving: f64,
}

fn leave_in_a_moment(rate: f64) -> usize {
    (rate * MOMENT.as_secs_f64()) as usize
}

/// Marks the attempt number of a connect to what is asked again.
pub(super) const ASKED_AGAIN: u16 = 0x200;
/// So long each connect lives of a time of asking, in seconds.
const LEAST_LIFE: f64 = 0.45;
const MOST_LIFE: f64 = 0.85;
/// After that what was asked is hardly repeated any more.
const REPEATS: Duration = Duration::from_secs(16);
const MOST_CUTS: u32 = 12;
/// How long after the walks the first time begins.
const SETTLED: Duration = Duration::from_secs(1);
/// Probes in a time of asking, at the least where so many may leave, and at the most.
const FEW: usize = 16;
const MOST: usize = 8_192;
/// How often an endpoint is asked in it, unless they are few: more often than it was in the walks, whose SYN-ACKs servers repeat
/// up to half a minute later, for each connect one in a time at the most.
const TIMES: usize = 3;
/// Then the rest is not told apart any more.
const LONGEST: Duration = Duration::from_secs(80);
/// Endpoints looked at for each.
const LOOKED_AT: u64 = 1 << 20;
