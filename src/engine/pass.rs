//! One walk over the endpoints that have not answered, and when it reached each of them.

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

/// The state of one walk, by the keys of its lane.
#[derive(Debug)]
pub struct Pass {
    pub kind: Kind,
    pub scope: Scope,
    /// 0 for the first pass.
    pub number: u16,
    pub flow: u8,
    pub began: Time,
    /// The next key to look at.
    pub cursor: u64,
    pub asked: u64,
    pub gained: u64,
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
            began,
            cursor: 0,
            asked: 0,
            gained: 0,
            tainted: false,
            sent: Vec::new(),
            repeated: (u64::MAX, 0),
        }
    }

    /// Notes that the batch that starts with `key` is leaving.
    pub fn checkpoint(&mut self, key: u64, now: Time) {
        self.sent.push((key, now));
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
