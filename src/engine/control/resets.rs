//! Whether a host limits its resets: closed endpoints stay silent where open ones answer.
//!
//! Both kinds of canaries travel the same path in the same rounds and leave in an order that is drawn by dice, so whatever
//! the path loses, it loses of both alike. If it alone is at fault, the number of closed ones among those that answered is
//! drawn without regard to kind (the hypergeometric distribution, Fisher's exact test). No guess about the loss enters. Each
//! round is a stratum of its own: one in which next to nothing came through and most were closed, and one in which all did and
//! most were open, together look like a host that keeps its resets back, and neither tells anything. Rounds are many and each is a
//! chance to be wrong, so that the proof must be a strong one: a path that loses a third of everything shows two open ones
//! beside three silent closed ones in every tenth round.

use crate::engine::canary::{Count, Tally};

/// What rounds of canaries have told of a host's resets.
#[derive(Clone, Debug, Default)]
pub struct Resets {
    /// How likely so many closed ones, by place, are among all that answered in these rounds if kind does not matter.
    chances: Vec<f64>,
    /// So many are.
    closed: usize,
    limited: bool,
}

/// What is thought of them after a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thought {
    /// They come as SYN-ACKs do.
    Heeded,
    /// They may be missing; another round would tell.
    Doubted,
    /// They are limited: that one does not come means nothing. Said once.
    Limited,
}

impl Resets {
    pub fn are_limited(&self) -> bool {
        self.limited
    }

    /// Takes a round into account.
    pub fn take(&mut self, tally: &Tally) -> Thought {
        if self.limited {
            return Thought::Heeded;
        }
        if tally.closed.answered * 2 > tally.closed.asked || self.chances.len() > MOST_CHANCES {
            // A limiter that is hungry lets next to none through.
            *self = Self::default();
            return Thought::Heeded;
        }
        self.add(tally.open, tally.closed);
        let luck = self.by_chance();
        if luck <= PROOF {
            self.limited = true;
            Thought::Limited
        } else if luck <= DOUBT {
            Thought::Doubted
        } else {
            Thought::Heeded
        }
    }

    /// One more stratum.
    fn add(&mut self, open: Count, closed: Count) {
        if self.chances.is_empty() {
            self.chances.push(1.0);
        }
        let (all, answered) = (open.asked + closed.asked, open.answered + closed.answered);
        let whole = ways(all, answered);
        let most = answered.min(closed.asked);
        let mut sums = vec![0.0; self.chances.len() + most as usize];
        for of_closed in answered.saturating_sub(open.asked)..=most {
            let drawn = ways(closed.asked, of_closed) + ways(open.asked, answered - of_closed);
            let chance = (drawn - whole).exp();
            for (before, known) in self.chances.iter().enumerate() {
                sums[before + of_closed as usize] += known * chance;
            }
        }
        self.chances = sums;
        self.closed += closed.answered as usize;
    }

    /// The chance that as few closed ones as these, or fewer, are among those that answered.
    fn by_chance(&self) -> f64 {
        self.chances.iter().take(self.closed + 1).sum()
    }
}

/// The logarithm of the number of ways to choose `some` of `all`.
fn ways(all: u32, some: u32) -> f64 {
    (1..=some.min(all))
        .map(|k| (f64::from(all - some + k) / f64::from(k)).ln())
        .sum()
}

/// What was found with no proof until so many have answered is forgotten.
const MOST_CHANCES: usize = 1024;
/// Less likely than this in any of the rounds of many scans.
const PROOF: f64 = 1e-8;
/// Worth another round.
const DOUBT: f64 = 0.05;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::canary::{Canaries, Each, To};
    use crate::model::{State, Time};

    fn count(asked: u32, answered: u32) -> Count {
        Count { asked, answered }
    }

    #[test]
    fn the_chance_is_that_of_fishers_exact_test() {
        let by_chance = |open, closed| {
            let mut resets = Resets::default();
            resets.add(open, closed);
            resets.by_chance()
        };
        // The lady tasting tea: four of each kind, all told apart, is one way in 70.
        assert!((by_chance(count(4, 4), count(4, 0)) - 1.0 / 70.0).abs() < 1e-12);
        assert!((by_chance(count(4, 3), count(4, 1)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((by_chance(count(5, 0), count(5, 5)) - 1.0).abs() < 1e-9);
        assert!((by_chance(count(0, 0), count(5, 0)) - 1.0).abs() < 1e-12);
        assert!((by_chance(count(3, 3), count(0, 0)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn resets_that_never_come_beside_syn_acks_are_limited_and_that_is_said_once() {
        let mut resets = Resets::default();
        let round = Tally {
            open: count(3, 3),
            closed: count(3, 0),
        };
        let thoughts: Vec<_> = (0..8).map(|_| resets.take(&round)).collect();
        assert_eq!(thoughts[0], Thought::Doubted);
        assert_eq!(thoughts[6], Thought::Limited);
        assert_eq!(thoughts[7], Thought::Heeded);
        assert!(resets.are_limited());
    }

    #[test]
    fn rounds_of_one_kind_each_were_taken_for_limited_resets() {
        let mut resets = Resets::default();
        for _ in 0..50 {
            for (open, closed) in [(count(4, 4), count(0, 0)), (count(1, 0), count(16, 1))] {
                let thought = resets.take(&Tally { open, closed });
                assert_eq!(thought, Thought::Heeded);
            }
        }
    }

    #[test]
    fn a_limiter_with_room_for_two_was_taken_for_limited_resets() {
        let mut canaries = Canaries::default();
        for index in 0..16 {
            let state = if index < 3 {
                State::Open
            } else {
                State::Closed
            };
            canaries.learn(index, state);
        }
        let mut resets = Resets::default();
        for round in 1..400 {
            let now = Time(round * 1_000_000_000);
            let wait = Duration::from_millis(50);
            let asked = canaries.begin(now, (wait, wait), (16, Each::Once), wait);
            for canary in &asked[..2] {
                canaries.answered(canary.index, To::Any, now);
            }
            let over = canaries.judge(now + wait, Duration::ZERO);
            let (_, tally) = over.expect("the round is over");
            assert_ne!(resets.take(&tally), Thought::Limited, "round {round}");
        }
    }

    #[test]
    fn a_lossy_path_is_not_taken_for_limited_resets() {
        // Two thirds get through, of either kind; many rounds of many scans.
        let mut random = 1_u64;
        let mut some = |asked: u32| {
            let heard = (0..asked).filter(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (random >> 33) % 100 < 64
            });
            count(asked, heard.count() as u32)
        };
        for _ in 0..500 {
            let mut resets = Resets::default();
            for _ in 0..50 {
                let round = Tally {
                    open: some(3),
                    closed: some(3),
                };
                assert_ne!(resets.take(&round), Thought::Limited);
            }
        }
    }
}
