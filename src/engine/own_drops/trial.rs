//! Whether packets go missing on this machine because endpoints are asked: what was counted while they were, and while nobody
//! was. Pure.
//!
//! Something is dropped on most machines now and then whether they scan or not: broadcasts, other people's scans. Such packets
//! come in clumps and at any rate, so no distribution is assumed. Two things must hold: each time that the endpoints were asked
//! more was missing than at any time that they were not, and the sums lie nearly two and a half standard deviations of a Poisson count apart.
//! Of n + n times the first happens by chance once in (2n over n): 924 for six, which a verdict on few answers takes. Once it
//! does not hold it never will.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::model::Undelivered;

/// The same of all that is missing, and without what may have been for many hosts at once: that is most of what others send, but
/// for the machines that listen to some of it, so that nobody knows how much of it is missing. One of the two has to tell.
#[derive(Clone, Default, Debug)]
pub struct Trials {
    all: Trial,
    for_one: Trial,
}

impl Trials {
    /// What the next time is to be; `seed` draws the order of each pair but the first.
    pub fn next(&self, seed: u64) -> Kind {
        self.all.next(seed)
    }

    /// What went missing while `sent` probes were answered or not.
    pub fn add_asked(&mut self, missing: Undelivered, sent: u64) {
        self.all.add_asked(missing.all(), sent);
        self.for_one.add_asked(missing.for_one(), sent);
    }

    /// What went missing while nobody was asked.
    pub fn add_quiet(&mut self, missing: Undelivered) {
        self.all.add_quiet(missing.all());
        self.for_one.add_quiet(missing.for_one());
    }

    /// What the counts prove, if answers to some of what was asked are to be the ground for this.
    pub fn outcome(&self, ground: Ground) -> Outcome {
        let outcomes = [self.all.outcome(ground), self.for_one.outcome(ground)];
        let told = [
            Outcome::All,
            Outcome::Some,
            Outcome::More,
            Outcome::Unrelated,
        ];
        let told = told.into_iter().find(|told| outcomes.contains(told));
        told.unwrap_or(Outcome::Nothing)
    }
}

/// What was counted so far. Both kinds of times are of the same length; they come in pairs, and the first is one of asking.
#[derive(Clone, Default, Debug)]
struct Trial {
    asked: Vec<u64>,
    quiet: Vec<u64>,
    /// Probes, in all.
    sent: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Asked,
    Quiet,
}

/// What that proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing yet.
    More,
    /// Something was asked, and nothing went missing.
    Nothing,
    /// What is missing has nothing to do with what was asked.
    Unrelated,
    /// Answers to some of it are dropped.
    Some,
    /// Answers to all of it are, or nearly.
    All,
}

/// What follows from answers to some of what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ground {
    /// It is divided and tried again: a mistake costs time.
    Division,
    /// None of it was tested.
    Verdict,
}

impl Trial {
    fn next(&self, seed: u64) -> Kind {
        match self.asked.len().cmp(&self.quiet.len()) {
            Ordering::Greater => Kind::Quiet,
            Ordering::Less => Kind::Asked,
            Ordering::Equal if self.quiet.is_empty() => Kind::Asked,
            Ordering::Equal => {
                let mut dice = DefaultHasher::new();
                (seed, self.quiet.len(), self.asked.last()).hash(&mut dice);
                match dice.finish() & 1 {
                    0 => Kind::Asked,
                    _ => Kind::Quiet,
                }
            }
        }
    }

    /// So many packets went missing while `sent` probes were answered or not.
    fn add_asked(&mut self, missing: u64, sent: u64) {
        self.asked.push(missing);
        self.sent += sent;
    }

    /// So many while nobody was asked.
    fn add_quiet(&mut self, missing: u64) {
        self.quiet.push(missing);
    }

    /// What the counts prove, if answers to some of what was asked are to be the ground for this.
    fn outcome(&self, ground: Ground) -> Outcome {
        let rounds = self.quiet.len();
        if self.asked.last() == Some(&0) {
            return Outcome::Nothing;
        }
        if rounds == 0 || rounds != self.asked.len() {
            return Outcome::More;
        }
        if self.asked.iter().min() <= self.quiet.iter().max() {
            return Outcome::Unrelated;
        }
        let asked: u64 = self.asked.iter().sum();
        let quiet: u64 = self.quiet.iter().sum();
        let more = asked as f64 - quiet as f64;
        let is_told_apart = more >= DEVIATIONS * ((asked + quiet) as f64).sqrt();
        let enough = match ground {
            Ground::Division => 1,
            Ground::Verdict if asked >= MANY => SURE_ROUNDS,
            Ground::Verdict => MOST_ROUNDS,
        };
        // Of many hosts the one with the most silent ports would speak for all.
        let share = match ground {
            Ground::Division => 1.0,
            Ground::Verdict => NEARLY_ALL,
        };
        let all = more >= share * self.sent as f64;
        match is_told_apart {
            true if all && rounds >= SURE_ROUNDS => Outcome::All,
            true if !all && rounds >= enough => Outcome::Some,
            _ if rounds >= MOST_ROUNDS => Outcome::Unrelated,
            _ => Outcome::More,
        }
    }
}

/// Six of six that were asked one at a time are enough.
const DEVIATIONS: f64 = 2.4;
/// Some answers are lost on the way, too.
const NEARLY_ALL: f64 = 0.9;
/// No clumps of what others send are so large by chance.
const MANY: u64 = 128;
const SURE_ROUNDS: usize = 3;
const MOST_ROUNDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    /// Counts until it is decided; how many times that took.
    fn run(sent: u64, mut missing: impl FnMut(Kind) -> u64) -> (Outcome, usize) {
        let mut trial = Trial::default();
        loop {
            match trial.next(1) {
                Kind::Asked => trial.add_asked(missing(Kind::Asked), sent),
                Kind::Quiet => trial.add_quiet(missing(Kind::Quiet)),
            }
            let outcome = trial.outcome(Ground::Verdict);
            if outcome != Outcome::More {
                return (outcome, trial.asked.len() + trial.quiet.len());
            }
        }
    }

    fn dropped(answers: u64) -> impl FnMut(Kind) -> u64 {
        move |kind| if kind == Kind::Asked { answers } else { 0 }
    }

    #[test]
    fn where_nothing_is_missing_one_look_is_enough() {
        assert_eq!(run(500, |_| 0), (Outcome::Nothing, 1));
    }

    #[test]
    fn where_all_answers_are_dropped_few_looks_are_enough() {
        assert_eq!(run(500, dropped(500)), (Outcome::All, 6));
        assert_eq!(run(16, dropped(16)), (Outcome::All, 6));
    }

    #[test]
    fn one_endpoint_of_a_thousand_asked_twice_is_seen() {
        assert_eq!(run(2000, dropped(2)).0, Outcome::Some);
        assert_eq!(run(2000, dropped(64)), (Outcome::Some, 6));
    }

    #[test]
    fn what_is_for_many_hosts_hides_no_answers() {
        for (rate, heard) in [(3, 0), (3, 3), (40, 0), (40, 40)] {
            let mut trials = Trials::default();
            let mut others = 0;
            while trials.outcome(Ground::Verdict) == Outcome::More {
                // So many that no two times are the same.
                others = (others * 7 + 3) % rate;
                let mut missing = Undelivered {
                    missing: others - others.min(heard),
                    for_many: others,
                };
                match trials.next(1) {
                    Kind::Asked => {
                        missing.missing += 2;
                        trials.add_asked(missing, 2000);
                    }
                    Kind::Quiet => trials.add_quiet(missing),
                }
            }
            let outcome = trials.outcome(Ground::Verdict);
            assert_eq!(outcome, Outcome::Some, "{rate}, {heard} heard");
        }
    }

    /// A rate of others' packets that comes in clumps of up to `clump`.
    fn noise(dice: &mut StdRng, rate: f64, clump: u64) -> u64 {
        let mut missing = 0;
        for _ in 0..20 {
            if dice.random_bool((rate / 20.0).min(1.0)) {
                missing += dice.random_range(1..=clump);
            }
        }
        missing
    }

    #[test]
    fn what_others_send_is_hardly_ever_taken_for_answers() {
        let mut dice = StdRng::seed_from_u64(7);
        for (rate, clump) in [(0.5, 1), (2.0, 1), (8.0, 1), (0.5, 20), (2.0, 10), (8.0, 4)] {
            let wrong = (0..2000).filter(|_| {
                let told = run(2000, |_| noise(&mut dice, rate, clump)).0;
                matches!(told, Outcome::Some | Outcome::All)
            });
            let wrong = wrong.count();
            assert!(wrong <= 8, "{wrong} of 2000 at {rate} and {clump}");
        }
    }

    #[test]
    fn answers_are_seen_among_what_others_send() {
        let mut dice = StdRng::seed_from_u64(8);
        for (rate, answers) in [(0.5, 16), (2.0, 16), (8.0, 40)] {
            let right = (0..500).filter(|_| {
                let mut missing = dropped(answers);
                run(answers, |kind| missing(kind) + noise(&mut dice, rate, 1)).0 == Outcome::All
            });
            let right = right.count();
            assert!(right >= 480, "{right} of 500 at {rate}");
        }
    }
}
