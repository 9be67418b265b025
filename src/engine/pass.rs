//! One walk over the endpoints that have not answered, and when it reached each of them.

use std::time::Duration;

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

/// The state of one walk, by the keys of its lane.
#[derive(Debug)]
pub struct Pass {
    pub kind: Kind,
    pub scope: Scope,
    /// 0 for the first pass.
    pub number: u16,
    pub flow: u8,
    /// The lane's attempt that its first SYNs are.
    pub trial: u16,
    pub began: Time,
    /// The next key to look at.
    pub cursor: u64,
    pub asked: u64,
    pub gained: u64,
    /// Endpoints known to be open that are asked again in this pass, and how many of them were.
    pub watch: Vec<Canary>,
    pub watched: usize,
    /// One of them is asked after each so many others.
    watch_every: u64,
    /// Some answers may have been lost on our own side, so this pass proves nothing.
    pub tainted: bool,
    sent: Vec<(u64, Time)>,
    /// Keys from the first of these up to the second, exclusive, were asked more than once in this pass.
    repeated: (u64, u64),
}

impl Pass {
    pub fn new(kind: Kind, scope: Scope, number: u16, flow: u8, began: Time) -> Self {
        Self {
            kind,
            scope,
            number,
            flow,
            trial: number,
            began,
            cursor: 0,
            asked: 0,
            gained: 0,
            watch: Vec::new(),
            watched: 0,
            watch_every: u64::MAX,
            tainted: false,
            sent: Vec::new(),
            repeated: (u64::MAX, 0),
        }
    }

    /// Asks these again, spread evenly between `others` endpoints that are asked: beside their own keys they would tell only
    /// of the parts of the pass before that got through.
    pub fn watch(&mut self, known: &[u64], others: u64) {
        let canary = |&index| Canary {
            index,
            asked: Time::NEVER,
            heard: Heard::NotYet,
        };
        self.watch = known.iter().map(canary).collect();
        self.watch_every = (others / (known.len() as u64).max(1)).max(1);
    }

    /// The next canary, if it is its turn.
    pub fn next_canary(&self) -> Option<u64> {
        let canary = self.watch.get(self.watched)?;
        let turn = self.watch_every.saturating_mul(self.watched as u64) + self.watch_every / 2;
        (self.asked >= turn).then_some(canary.index)
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

    /// An endpoint that had answered has answered again, to this pass: whether it was a canary's first answer in time.
    pub fn canary_heard(&mut self, index: u64, at: Time, timeout: Duration) -> bool {
        let mut asked = self.watch.iter_mut().take(self.watched);
        let Some(canary) = asked.find(|canary| canary.index == index) else {
            return false;
        };
        let in_time = at >= canary.asked && at.since(canary.asked) <= timeout;
        let first = in_time && canary.heard == Heard::NotYet;
        if first {
            canary.heard = Heard::InTime;
        }
        first
    }

    /// Notes that the batch that starts with `key` is leaving.
    pub fn checkpoint(&mut self, key: u64, now: Time) {
        self.sent.push((key, now));
    }

    /// When a batch last left.
    pub fn last_sent(&self) -> Option<Time> {
        self.sent.last().map(|&(_, at)| at)
    }

    /// Goes back to the first key that was asked at or after `since`, or rather some batches before it, because batches may
    /// overtake each other on their way; says which key that is.
    pub fn rewind(&mut self, since: Time) -> u64 {
        let kept = self.sent.partition_point(|&(_, at)| at < since);
        let kept = kept.saturating_sub(OVERTAKEN);
        if let Some(&(key, _)) = self.sent.get(kept) {
            self.repeated = (self.repeated.0.min(key), self.repeated.1.max(self.cursor));
            self.cursor = key;
            self.sent.truncate(kept);
            self.watched = 0;
            for canary in &mut self.watch {
                canary.heard = Heard::NotYet;
            }
        }
        self.cursor
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
        let after = self.sent.partition_point(|&(first, _)| first <= key);
        self.sent.get(after.checked_sub(1)?).map(|&(_, at)| at)
    }
}

/// Two senders, each with a batch under way and one in its queue.
const OVERTAKEN: usize = 4;

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
