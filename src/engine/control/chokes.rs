//! How often a path choked, without what chance explains.
//!
//! A path that loses a third of everything answers fewer canaries of a round than were expected now and then: such a round is
//! rare by chance, and in a long scan there are hundreds. What was sent with it is asked again each time, because it may have
//! been kept back, and that costs little. To believe in a limiter costs much: nothing that a kernel repeats proves anything
//! behind one. So rounds of which few answered count only where they are more than chance makes of so many, whatever was
//! thought of each when it was over; rounds that were silent count always.

use crate::engine::canary::Count;

#[derive(Clone, Copy, Debug, Default)]
pub struct Chokes {
    /// Times that all canaries were silent, more in a row than are by chance.
    silent: u32,
    /// Rounds that were answered, and those of which fewer answered than were expected to.
    rounds: Count,
}

/// What a round showed of which some canaries answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// As many as were expected.
    Usual,
    /// Fewer, or none of those that were asked just before.
    Few,
}

impl Chokes {
    pub fn silent(&mut self) {
        self.silent = self.silent.saturating_add(1);
    }

    pub fn answered(&mut self, round: Round) {
        self.rounds = self.rounds.plus(Count {
            asked: 1,
            answered: u32::from(round == Round::Few),
        });
    }

    pub fn times(&self) -> u32 {
        let luck = f64::from(self.rounds.asked) * FEW_BY_LUCK;
        if f64::from(self.rounds.answered) > luck {
            self.silent.saturating_add(self.rounds.answered)
        } else {
            self.silent
        }
    }
}

/// How seldom so few of a round answer by chance.
pub const FEW_BY_LUCK: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rounds_of_which_few_answered_were_taken_for_a_limiter() {
        let mut chokes = Chokes::default();
        for round in 1..=400 {
            chokes.answered(if round % 70 == 0 {
                Round::Few
            } else {
                Round::Usual
            });
        }
        assert_eq!(chokes.times(), 0);
        chokes.silent();
        assert_eq!(chokes.times(), 1);
    }

    #[test]
    fn what_chance_does_not_make_of_so_many_rounds_counts_from_the_first() {
        let mut chokes = Chokes::default();
        chokes.answered(Round::Few);
        assert_eq!(chokes.times(), 1);
        for _ in 0..18 {
            chokes.answered(Round::Usual);
        }
        assert_eq!(chokes.times(), 1, "one of 19");
        chokes.answered(Round::Usual);
        assert_eq!(chokes.times(), 0, "one of 20");
        chokes.answered(Round::Few);
        assert_eq!(chokes.times(), 2);
    }
}
