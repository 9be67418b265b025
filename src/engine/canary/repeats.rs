//! SYN-ACKs that servers repeat to canaries.
//!
//! A server repeats its SYN-ACK until our reset has arrived, after 1, 3, 7, 15 and 31 s. Where the path loses packets that
//! happens often, and the round is long over then. Such an answer does not tell that canaries answer later than they are
//! waited for.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Time;

/// When canaries were asked, by the plan's index, the latest at the end.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    asked: VecDeque<(u64, Time)>,
}

impl Repeats {
    /// The endpoint at `index` is asked.
    pub fn asked(&mut self, index: u64, now: Time) {
        let old = |at: Time| now.since(at) > REPEATS[REPEATS.len() - 1] * 2;
        while self.asked.front().is_some_and(|&(_, at)| old(at)) || self.asked.len() >= MOST {
            self.asked.pop_front();
        }
        self.asked.push_back((index, now));
    }

    /// Whether an answer that came from it at `at` came when its server repeats what it has answered.
    pub fn are_due(&self, index: u64, at: Time) -> bool {
        self.asked
            .iter()
            .filter(|&&(known, asked)| known == index && asked <= at)
            .any(|&(_, asked)| is_repeat(at.since(asked)))
    }
}

/// Whether an answer that comes so long after what it answers may be a repeated one.
pub fn is_repeat(delay: Duration) -> bool {
    REPEATS
        .iter()
        .any(|&after| delay >= after && delay <= after + SLACK + after / LATER)
}

/// Linux: `tcp_synack_retries` is 5, and each wait is twice the one before.
const REPEATS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(7),
    Duration::from_secs(15),
    Duration::from_secs(31),
];
/// What the path may take, and how late a kernel's timers are: the longer they are, the more.
const SLACK: Duration = Duration::from_millis(200);
const LATER: u32 = 8;
/// Few are asked while nobody knows how long answers take.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    #[test]
    fn a_syn_ack_is_repeated_to_whom_it_was_given_and_at_its_times_only() {
        let mut repeats = Repeats::default();
        repeats.asked(7, at(1000));
        for millis in [2005, 4010, 8500, 16_400, 33_000] {
            assert!(repeats.are_due(7, at(millis)), "{millis}");
            assert!(!repeats.are_due(8, at(millis)), "{millis}");
        }
        for millis in [1000, 1500, 3500, 6000, 12_000, 60_000] {
            assert!(!repeats.are_due(7, at(millis)), "{millis}");
        }
    }

    #[test]
    fn what_was_asked_long_ago_is_forgotten() {
        let mut repeats = Repeats::default();
        (0..5000).for_each(|index| repeats.asked(index, at(index)));
        assert!(repeats.asked.len() <= MOST);
        repeats.asked(1, at(100_000));
        assert_eq!(repeats.asked.len(), 1);
    }
}
