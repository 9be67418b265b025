//! One walk over the endpoints that have not answered, and when it reached each of them.

use std::time::Duration;

use crate::engine::echo::Echoes;
use crate::model::Time;

/// Why a pass is made, which decides from where its probes leave and how long they live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The first attempt at everything.
    First,
    /// From a fresh flow, one timeout after the pass before: for paths that lose packets.
    Fast,
    /// A second or more after the pass before: for servers that answer late and losses that come in bursts. SYNs are
    /// identical to the first attempt; a kernel connect lives the whole patience.
    Patient,
}

/// Which of the unanswered endpoints a pass asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    All,
    /// Those for which an ICMP error or a local fault is noted.
    Noted,
}

/// Whether a kernel connect is made to what one is or was listening to for the whole patience already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    Unsettled,
    All,
}

/// How long the connects of a pass live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lives {
    /// The whole patience.
    Whole,
    /// Some of them a timeout only.
    Shorter,
}

/// An endpoint known to be open that is asked again.
#[derive(Clone, Copy, Debug)]
pub struct Canary {
    index: u64,
    asked: Time,
    heard: Heard,
}

/// Whether a canary has answered in this pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heard {
    NotYet,
    InTime,
    /// Our own side could not ask it.
    Refused,
}

/// A batch of a walk: its first key, when it left, and how many had been walked over before.
#[derive(Clone, Copy, Debug)]
struct Batch {
    key: u64,
    at: Time,
    walked: u64,
}

/// How a walk went back: to the batch that left at `to`, because nothing was proven that left at or after `since`.
#[derive(Clone, Copy, Debug)]
struct WentBack {
    since: Time,
    to: Time,
}

/// The state of one walk, by the keys of its lane.
#[derive(Debug)]
pub struct Pass {
    pub kind: Kind,
    pub scope: Scope,
    pub again: Again,
    pub lives: Lives,
    /// 0 for the first pass.
    pub number: u16,
    pub flow: u8,
    /// The lane's attempt that its first SYNs are.
    pub trial: u16,
    /// By kernel connect: the fewest SYNs that one of its connects sent, once it is over.
    pub syns: Option<u8>,
    pub began: Time,
    /// The next key to look at.
    pub cursor: u64,
    pub asked: u64,
    /// Endpoints that had not answered when it began.
    others: u64,
    /// How many lie between the start and the cursor: fewer than were asked where the walk has gone back.
    walked: u64,
    pub gained: u64,
    /// Those of them that answered when their host was sought (see `seek`), and not to the walk.
    pub sought: u64,
    /// Endpoints known to be open that are asked again in this pass, and how many of them were.
    pub watch: Vec<Canary>,
    pub watched: usize,
    /// One of them is asked after each so many others.
    watch_every: u64,
    pub echoes: Echoes,
    /// Some answers may have been lost on our own side, so this pass proves nothing.
    pub tainted: bool,
    /// Some of it was not asked, because a gateway did not answer.
    pub cut_off: bool,
    sent: Vec<Batch>,
    /// What the walk last went back to, if it did: those before it had all arrived by then.
    went_back: Option<WentBack>,
    /// Keys from the first of these up to the second, exclusive, were asked more than once in this pass.
    repeated: (u64, u64),
}

impl Pass {
    pub fn new(kind: Kind, scope: Scope, number: u16, flow: u8, began: Time) -> Self {
        Self {
            kind,
            scope,
            again: Again::All,
            lives: Lives::Whole,
            number,
            flow,
            trial: number,
            syns: None,
            began,
            cursor: 0,
            asked: 0,
            others: 0,
            walked: 0,
            gained: 0,
            sought: 0,
            watch: Vec::new(),
            watched: 0,
            watch_every: u64::MAX,
            echoes: Echoes::default(),
            tainted: false,
            cut_off: false,
            sent: Vec::new(),
            went_back: None,
            repeated: (u64::MAX, 0),
        }
    }

    /// A pass over this many endpoints that have not answered.
    pub fn over(mut self, others: u64) -> Self {
        self.others = others;
        self
    }

    /// The share of the endpoints that had not answered which it has asked.
    pub fn coverage(&self) -> f64 {
        if self.others == 0 {
            return 1.0;
        }
        (self.asked as f64 / self.others as f64).min(1.0)
    }

    /// Asks these again, spread evenly between the others that are asked: beside their own keys they would tell only
    /// of the parts of the pass before that got through.
    pub fn watch(&mut self, known: &[u64]) {
        let canary = |&index| Canary {
            index,
            asked: Time::NEVER,
            heard: Heard::NotYet,
        };
        self.watch = known.iter().map(canary).collect();
        self.watched = 0;
        self.watch_every = (self.others / (known.len() as u64).max(1)).max(1);
    }

    /// The next canary, if it is its turn.
    pub fn next_canary(&self) -> Option<u64> {
        let canary = self.watch.get(self.watched)?;
        let turn = self.watch_every.saturating_mul(self.watched as u64) + self.watch_every / 2;
        (self.walked >= turn).then_some(canary.index)
    }

    /// The next canary, whoever's turn it is.
    pub fn last_canary(&self) -> Option<u64> {
        self.watch.get(self.watched).map(|canary| canary.index)
    }

    /// Canaries asked and heard in time.
    pub fn canaries(&self) -> (usize, usize) {
        let asked = self.watch.iter().take(self.watched);
        let (mut left, mut heard) = (0, 0);
        for canary in asked {
            left += usize::from(canary.heard != Heard::Refused);
            heard += usize::from(canary.heard == Heard::InTime);
        }
        (left, heard)
    }

    /// Our own side could not ask this canary. Whether it was one.
    pub fn canary_refused(&mut self, index: u64) -> bool {
        let mut asked = self.watch.iter_mut().take(self.watched);
        let canary = asked.find(|canary| canary.index == index && canary.heard == Heard::NotYet);
        if let Some(canary) = canary {
            canary.heard = Heard::Refused;
            return true;
        }
        false
    }

    pub fn canary_asked(&mut self, now: Time) {
        if let Some(canary) = self.watch.get_mut(self.watched) {
            canary.asked = now;
        }
        self.watched += 1;
    }

    /// An endpoint that had answered has answered again, to this pass: how long after it was asked, if it was a canary's
    /// first answer in time.
    pub fn canary_heard(&mut self, index: u64, at: Time, timeout: Duration) -> Option<Duration> {
        let mut asked = self.watch.iter_mut().take(self.watched);
        let canary = asked.find(|canary| canary.index == index)?;
        let in_time = at >= canary.asked && at.since(canary.asked) <= timeout;
        if !in_time || canary.heard != Heard::NotYet {
            return None;
        }
        canary.heard = Heard::InTime;
        Some(at.since(canary.asked))
    }

    /// Notes that the batch that starts with `key` is leaving. Of a slow walk each probe is a batch: of those that left long
    /// ago only every other one is kept, again and again, so that memory does not grow with the walk.
    pub fn checkpoint(&mut self, key: u64, now: Time) {
        if self.sent.len() >= MOST_BATCHES {
            let mut at = 0;
            self.sent.retain(|_| {
                at += 1;
                at > MOST_BATCHES / 2 || at % 2 == 1
            });
        }
        self.sent.push(Batch {
            key,
            at: now,
            walked: self.walked,
        });
    }

    /// One more endpoint is asked.
    pub fn ask(&mut self) {
        self.asked += 1;
        self.walked += 1;
    }

    /// Goes back to the first key that was asked at or after `since`, or rather some batches before it, because batches may
    /// overtake each other on their way; says which key that is. Those that had arrived when it last went back are past. But
    /// where nothing more is proven now than then, so little was asked again that it could prove nothing, and it takes more.
    pub fn rewind(&mut self, since: Time) -> u64 {
        let before = |then: Time| self.sent.partition_point(|batch| batch.at < then);
        let proven = before(since);
        let last = self.went_back.filter(|last| since > last.since);
        let arrived = last.map_or(0, |last| before(last.to).min(proven));
        let kept = proven.saturating_sub(OVERTAKEN).max(arrived);
        if let Some(&Batch { key, at, walked }) = self.sent.get(kept) {
            self.went_back = Some(WentBack { since, to: at });
            self.repeated = (self.repeated.0.min(key), self.repeated.1.max(self.cursor));
            self.cursor = key;
            self.walked = walked;
            self.sent.truncate(kept);
            self.echoes.rewind(at);
            // Canaries tell of the endpoints beside which they were asked: those from here on are asked again, each at its turn.
            let watched = self.watch.iter().take(self.watched);
            self.watched = watched.take_while(|canary| canary.asked < at).count();
            for canary in &mut self.watch[self.watched..] {
                canary.heard = Heard::NotYet;
            }
        }
        self.cursor
    }

    /// When the latest batch left.
    pub fn last_sent(&self) -> Option<Time> {
        self.sent.last().map(|batch| batch.at)
    }

    /// Whether `key` was asked more than once in this pass, so that nobody can tell which time was answered.
    pub fn has_repeated(&self, key: u64) -> bool {
        (self.repeated.0..self.repeated.1).contains(&key)
    }

    /// When `key` was asked in this pass; `None` if the walk has not reached it. (An endpoint that had answered before
    /// was skipped, but then nobody asks.)
    pub fn sent_at(&self, key: u64) -> Option<Time> {
        if key >= self.cursor {
            return None;
        }
        let after = self.sent.partition_point(|batch| batch.key <= key);
        self.sent.get(after.checked_sub(1)?).map(|batch| batch.at)
    }
}

/// Two senders, each with a batch under way and one in its queue.
const OVERTAKEN: usize = 4;
/// 3 MiB. The latest half of them is exact: half a minute where a pace wakes us (twice a millisecond), longer than any answer
/// is waited for.
const MOST_BATCHES: usize = 1 << 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_the_proof_may_have_overtaken_is_asked_again() {
        let mut pass = Pass::new(Kind::First, Scope::All, 0, 0, Time::ZERO);
        for batch in 0..10 {
            pass.checkpoint(batch * 256, Time(batch * 10));
            pass.cursor = (batch + 1) * 256;
        }
        assert_eq!(pass.rewind(Time(75)), 4 * 256);
        assert_eq!(pass.cursor, 4 * 256);
        assert!(pass.has_repeated(4 * 256) && pass.has_repeated(10 * 256 - 1));
        assert!(!pass.has_repeated(4 * 256 - 1));
        assert_eq!(pass.sent_at(4 * 256), None);
    }

    /// Where a walk was proven a few batches at a time, it went back by more than that, for ever.
    #[test]
    fn a_walk_that_went_back_time_after_time_fell_behind_where_it_had_begun() {
        let mut pass = Pass::new(Kind::First, Scope::All, 0, 0, Time::ZERO);
        let walk = |pass: &mut Pass, from: u64| {
            for at in from..from + 10 {
                pass.checkpoint(pass.cursor, Time(at));
                pass.cursor += 1;
            }
        };
        walk(&mut pass, 0);
        assert_eq!(pass.rewind(Time(8)), 4);
        for again in 1..5 {
            // Nothing of it has come through.
            walk(&mut pass, again * 100);
            assert_eq!(pass.rewind(Time(again * 100)), 4);
        }
        walk(&mut pass, 1000);
        assert_eq!(pass.rewind(Time(1006)), 6);
    }

    /// A limiter has rested before the few that are asked again, and so they prove nothing.
    #[test]
    fn a_walk_that_went_back_for_too_little_goes_back_further() {
        let mut pass = Pass::new(Kind::First, Scope::All, 0, 0, Time::ZERO);
        for at in 0..20 {
            pass.checkpoint(at, Time(at));
            pass.cursor = at + 1;
        }
        assert_eq!(pass.rewind(Time(18)), 14);
        assert_eq!(pass.rewind(Time(18)), 10);
        assert_eq!(pass.rewind(Time(18)), 6);
    }

    #[test]
    fn canaries_of_a_walk_that_has_gone_back_are_spread_over_what_is_asked_again() {
        let mut pass = Pass::new(Kind::Patient, Scope::All, 1, 0, Time::ZERO).over(40);
        pass.watch(&[7, 8, 9, 10]);
        let mut asked = Vec::new();
        let walk = |pass: &mut Pass, asked: &mut Vec<u64>| {
            while pass.cursor < 40 {
                if pass.next_canary().is_some() {
                    pass.canary_asked(Time(pass.cursor * 10));
                    asked.push(pass.cursor);
                }
                pass.checkpoint(pass.cursor, Time(pass.cursor * 10));
                pass.ask();
                pass.cursor += 1;
            }
        };
        walk(&mut pass, &mut asked);
        assert_eq!(asked, [5, 15, 25, 35]);
        // Four batches may have overtaken the proof.
        assert_eq!(pass.rewind(Time(200)), 16);
        assert_eq!(pass.canaries(), (2, 0));
        walk(&mut pass, &mut asked);
        assert_eq!(asked[4..], [25, 35]);
    }

    #[test]
    fn a_slow_walk_kept_a_time_for_each_of_its_probes() {
        const PROBES: u64 = 1_000_000;
        let mut pass = Pass::new(Kind::First, Scope::All, 0, 0, Time::ZERO);
        for key in 0..PROBES {
            pass.checkpoint(key, Time(key * 1_000));
            pass.ask();
            pass.cursor = key + 1;
        }
        assert!(pass.sent.len() <= MOST_BATCHES);
        for key in PROBES - MOST_BATCHES as u64 / 2..PROBES {
            assert_eq!(pass.sent_at(key), Some(Time(key * 1_000)));
        }
        // Nothing is taken to have left later than it did.
        for key in (0..PROBES).step_by(997) {
            assert!(pass.sent_at(key) <= Some(Time(key * 1_000)), "{key}");
        }
        assert_eq!(pass.sent_at(0), Some(Time::ZERO));
        assert!(pass.rewind(Time(1_000_000)) <= 1_000);
    }

    #[test]
    fn send_times_are_found_by_rank_and_only_for_what_was_reached() {
        let mut pass = Pass::new(Kind::First, Scope::All, 0, 0, Time::ZERO);
        assert_eq!(pass.sent_at(0), None);
        pass.checkpoint(0, Time(10));
        pass.cursor = 64;
        pass.checkpoint(70, Time(20));
        pass.cursor = 130;
        assert_eq!(pass.sent_at(0), Some(Time(10)));
        assert_eq!(pass.sent_at(63), Some(Time(10)));
        assert_eq!(pass.sent_at(70), Some(Time(20)));
        assert_eq!(pass.sent_at(129), Some(Time(20)));
        assert_eq!(pass.sent_at(130), None);
    }
}
