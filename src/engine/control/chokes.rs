//! How often a path choked, without what chance explains.
//!
//! A path that loses a third of everything answers fewer canaries of a round than were expected now and then: such a round is
//! rare by chance, and in a long scan there are hundreds. What was sent with it is asked again each time, because it may have
//! been kept back, and that costs little. To believe in a limiter costs much: nothing that a kernel repeats proves anything
//! behind one. So rounds of which few answered count only where they are more than chance makes of so many at the most, and as
//! more than one only where so many are not chance, whatever was thought of each when it was over. Silence that chance does
//! not explain counts always, also where it follows a round of which few answered.

use super::rounds::at_most;
use crate::engine::canary::Count;

#[derive(Clone, Copy, Debug, Default)]
pub struct Chokes {
    /// Times that all canaries were silent, more in a row than are by chance.
    silent: u32,
    /// Rounds that were answered, and those of which fewer answered than were expected to.
    rounds: Count,
}

/// How many of a round of canaries answered, where some did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// As many as were expected.
    Usual,
    /// Fewer, or none of those that were asked just before.
    Few,
}

impl Chokes {
    pub fn silent(&mut self) {
        self.silent = self.silent.saturating_add(1);
    }

    pub fn answered(&mut self, share: Share) {
        self.rounds = self.rounds.plus(Count {
            asked: 1,
            answered: u32::from(share == Share::Few),
        });
        if self.rounds.asked >= MOST_ROUNDS {
            self.rounds.asked /= 2;
            self.rounds.answered /= 2;
        }
    }

    pub fn times(&self) -> u32 {
        let Count { asked, answered } = self.rounds;
        let by_luck = f64::from(asked) * FEW_BY_LUCK;
        let few = if f64::from(answered) <= by_luck {
            0
        } else if self.so_many() <= MANY_BY_LUCK {
            answered
        } else {
            1
        };
        self.silent.saturating_add(few)
    }

    /// The chance that of so many rounds as many were answered by few.
    fn so_many(&self) -> f64 {
        let fewer = Count {
            asked: self.rounds.asked,
            answered: self.rounds.answered.saturating_sub(1),
        };
        1.0 - at_most(fewer, FEW_BY_LUCK)
    }
}

/// How seldom so few of a round answer by chance.
pub const FEW_BY_LUCK: f64 = 0.05;
/// Of more rounds than these the chance is too small a number to be reckoned with.
const MOST_ROUNDS: u32 = 4096;
/// How seldom so many rounds are answered by few by chance.
const MANY_BY_LUCK: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rounds_of_which_few_answered_were_taken_for_a_limiter() {
        let mut chokes = Chokes::default();
        for round in 1..=400 {
            chokes.answered(if round % 70 == 0 {
                Share::Few
            } else {
                Share::Usual
            });
        }
        assert_eq!(chokes.times(), 0);
        chokes.silent();
        assert_eq!(chokes.times(), 1);
    }

    #[test]
    fn what_chance_does_not_make_of_so_many_rounds_counts_from_the_first() {
        let mut chokes = Chokes::default();
        chokes.answered(Share::Few);
        assert_eq!(chokes.times(), 1);
        for _ in 0..18 {
            chokes.answered(Share::Usual);
        }
        assert_eq!(chokes.times(), 1, "one of 19");
        chokes.answered(Share::Usual);
        assert_eq!(chokes.times(), 0, "one of 20");
        chokes.answered(Share::Few);
        assert_eq!(
            chokes.times(),
            1,
            "two of 21 are by chance in 28 of 100 scans"
        );
        chokes.answered(Share::Few);
        chokes.answered(Share::Few);
        assert_eq!(chokes.times(), 4, "four of 23 in 3 of 100");
    }

    #[test]
    fn one_round_in_five_is_no_chance_however_many_there_are() {
        let mut chokes = Chokes::default();
        for round in 1..=100_000 {
            chokes.answered(if round % 5 == 0 {
                Share::Few
            } else {
                Share::Usual
            });
        }
        assert!(chokes.times() > 100, "{}", chokes.times());
    }
}
