//! How often an endpoint is asked for a confirmation that hears nothing.
//!
//! A SYN proxy claims what nobody listens behind, so that nothing is heard tells something; and each connect that hears
//! nothing costs the patience of the scan. Three are made where nothing is lost. Where packets are, silence may be loss:
//!
//! - A connect is as many SYNs as a kernel sends within the patience: what the path is known to lose, to that power, is the
//!   chance that it hears nothing, or more, where connects to this host have been lost that often. They are repeated until as
//!   little is missed as the stop rule asks for.
//! - Connects that leave together are lost together. So endpoints of the host that a connect has proven are asked among
//!   those that are asked again: a round that next to none of them answers fell into a hole, and does not count.
//! - After a loss the next round waits a little and is spread, so that no hole takes all of it, not even one that comes back
//!   every second.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::echo;
use crate::model::Time;

/// Connects to one endpoint that have heard nothing.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tries {
    made: u8,
    /// Those that fell into no hole.
    sound: u8,
}

impl Tries {
    /// One more has heard nothing.
    pub fn unheard(&mut self, round: &Round) {
        self.made = self.made.saturating_add(1);
        self.sound += u8::from(!round.is_hole());
    }

    /// Whether another must be made however little is lost.
    pub fn are_few(&self) -> bool {
        self.sound < LEAST && !self.are_most()
    }

    /// Whether no more are made, whatever was lost.
    pub fn are_most(&self) -> bool {
        self.made >= MOST
    }

    /// The chance that all were lost, where each is with this chance.
    pub fn lost(&self, each: f64) -> f64 {
        each.powi(self.sound.into())
    }
}

/// What canaries told of one round of connects to a host.
#[derive(Clone, Copy, Default, Debug)]
pub struct Round {
    asked: u32,
    heard: u32,
}

impl Round {
    /// Next to nothing came through.
    pub fn is_hole(&self) -> bool {
        self.heard * 4 < self.asked
    }
}

/// The rounds in which endpoints of one host are asked again.
#[derive(Default, Debug)]
pub struct Rounds {
    present: Round,
    /// Endpoints that a connect has proven, the latest of them, and those that this round has still to ask.
    good: VecDeque<u64>,
    canaries: VecDeque<u64>,
    /// How many it asks again.
    asked: usize,
    /// Connects to what is proven, and those of them that were lost.
    connects: u32,
    lost: u32,
    /// When the next connect may leave, and how long after it the one that follows.
    next: Time,
    gap: Duration,
}

/// Whether anything is known to be lost on the way to a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Clean,
    Lossy,
}

impl Rounds {
    /// What was proven lies in a block that is over: nobody is told of its endpoints any more.
    pub fn next_block(&mut self) {
        self.good.clear();
        self.canaries.clear();
    }

    /// A connect has proven this endpoint, to which others had heard nothing.
    pub fn proven(&mut self, index: u64, unheard: &Tries) {
        self.connects += 1 + u32::from(unheard.made);
        self.lost += u32::from(unheard.made);
        self.good.push_back(index);
        if self.good.len() > CANARIES {
            self.good.pop_front();
        }
    }

    /// A canary was asked, and has answered.
    pub fn canary_heard(&mut self) {
        self.connects += 1;
        self.present.asked += 1;
        self.present.heard += 1;
    }

    /// A canary was asked in vain.
    pub fn canary_unheard(&mut self) {
        self.connects += 1;
        self.lost += 1;
        self.present.asked += 1;
    }

    /// What canaries have told of the present round.
    pub fn present(&self) -> Round {
        self.present
    }

    /// The chance that a connect is lost, on a path of which this much is known: what left together was lost or heard together,
    /// so that few losses prove less than many.
    pub fn lost(&self, path: f64) -> f64 {
        let seen = f64::from(self.lost) + path * PATH_WEIGHT;
        path.max(seen / (f64::from(self.connects) + PATH_WEIGHT))
    }

    /// Begins a round that asks so many endpoints again.
    pub fn begin(&mut self, asked: usize, way: Way, now: Time) {
        self.present = Round::default();
        self.canaries.clone_from(&self.good);
        self.asked = asked;
        (self.next, self.gap) = match way {
            Way::Clean => (now, Duration::ZERO),
            Way::Lossy => {
                let connects = (asked + self.canaries.len()).max(1);
                (now + REST, SPREAD.div_f64(connects as f64))
            }
        };
    }

    /// The next canary, if it is its turn while so many endpoints have still to be asked.
    pub fn canary(&mut self, left: usize) -> Option<u64> {
        let due = left * self.good.len() <= self.canaries.len() * self.asked;
        self.canaries.pop_front_if(|_| due)
    }

    /// When the next connect may leave.
    pub fn ready_at(&self) -> Time {
        self.next
    }

    /// A connect leaves.
    pub fn left(&mut self, now: Time) {
        self.next = now + self.gap;
    }
}

/// The chance that a kernel connect that lives as long as `patience` hears nothing where one SYN is lost with chance `lost`.
pub fn connect_lost(lost: f64, patience: Duration) -> f64 {
    let syns = 1 + echo::repeats(patience).count();
    lost.min(MOST_LOST)
        .powi(i32::try_from(syns).unwrap_or(i32::MAX))
}

/// Canaries of one round: each is a connection that a server notes.
const CANARIES: usize = 4;
/// Connects to one endpoint that hear nothing, at least and at most.
const LEAST: u8 = 3;
const MOST: u8 = 8;
const PATH_WEIGHT: f64 = 5.0;
/// What is measured while next to nothing comes through is no loss that stays.
const MOST_LOST: f64 = 0.7;
/// No whole second, nor a part that repeats soon.
const REST: Duration = Duration::from_millis(370);
const SPREAD: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn round(asked: u32, heard: u32) -> Round {
        Round { asked, heard }
    }

    #[test]
    fn connects_that_were_lost_with_all_canaries_do_not_count() {
        let made = |rounds: &[Round]| {
            let mut tries = Tries::default();
            let mut rounds = rounds.iter();
            while tries.are_few() {
                tries.unheard(rounds.next().expect("enough of them"));
            }
            tries.made
        };
        assert_eq!(made(&[round(0, 0), round(4, 4), round(4, 1)]), 3);
        assert_eq!(
            made(&[
                round(0, 0),
                round(4, 0),
                round(1, 0),
                round(4, 2),
                round(1, 1)
            ]),
            5
        );
        assert_eq!(made(&[round(4, 0); 8]), 8);
    }

    #[test]
    fn what_connects_to_the_host_have_lost_counts_for_more_than_what_its_path_is_known_to() {
        let mut rounds = Rounds::default();
        let mut unheard = Tries::default();
        (0..95).for_each(|index| rounds.proven(index, &unheard));
        assert!((rounds.lost(0.0) - 0.0).abs() < 1e-9);
        assert!((rounds.lost(0.3) - 0.3).abs() < 1e-9);
        unheard.unheard(&round(0, 0));
        (0..20).for_each(|index| rounds.proven(index, &unheard));
        (0..60).for_each(|_| rounds.canary_unheard());
        assert!((rounds.lost(0.0) - 0.4).abs() < 1e-9);
    }

    #[test]
    fn canaries_are_spread_over_what_is_asked_again_and_nothing_waits_on_a_clean_path() {
        let mut rounds = Rounds::default();
        (0..9).for_each(|index| rounds.proven(index, &Tries::default()));
        rounds.begin(8, Way::Clean, Time(7));
        let mut asked = Vec::new();
        for left in (1..=8).rev() {
            while let Some(index) = rounds.canary(left) {
                asked.push((left, index));
            }
            rounds.left(Time(7));
            assert_eq!(rounds.ready_at(), Time(7));
        }
        assert_eq!(asked, [(8, 5), (6, 6), (4, 7), (2, 8)]);
        rounds.begin(6, Way::Lossy, Time(7));
        assert_eq!(rounds.ready_at(), Time(7) + REST);
        rounds.left(Time(0));
        assert_eq!(rounds.ready_at(), Time(0) + SPREAD / 10);
    }

    #[test]
    fn a_connect_is_as_many_syns_as_the_kernel_sends() {
        assert!((connect_lost(0.5, PATIENCE) - 0.125).abs() < 1e-9);
        assert!((connect_lost(0.5, Duration::from_millis(500)) - 0.5).abs() < 1e-9);
    }
}
