//! How much was lost, how much was therefore missed, and whether that is little enough.
//!
//! The loss that is printed is that of the first attempt: of the endpoints that answered, with a SYN-ACK or a RST, the share
//! that answered only to a later one. What it means for those that have not answered, pass by pass, is reckoned in `trials`.
//!
//! The stop rule needs no guess about how many ports are open. If an open endpoint is missed with probability q, then for
//! each one found q / (1 - q) were missed on average, so with o found the expectation is o q / (1 - q). Half an endpoint
//! is added to o for the whole scan, so that one that found nothing is not thought to be free of misses.

use crate::model::loss_per_round_trip;

/// Samples of loss on one path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    first: u64,
    later: u64,
}

impl Loss {
    /// An endpoint answered to its first attempt.
    pub fn answered_first(&mut self) {
        self.first += 1;
    }

    /// An endpoint answered only to a later attempt.
    pub fn answered_later(&mut self) {
        self.later += 1;
    }

    pub fn samples(&self) -> u64 {
        self.first + self.later
    }

    /// The measured loss per round trip, 0 to 1, where it is known.
    pub fn measured(&self) -> Option<f64> {
        loss_per_round_trip(self.first, self.later)
    }

    /// The loss that the stop rule reckons with: the measured one, drawn to `mean` while samples are few.
    pub fn reckoned(&self, mean: f64) -> f64 {
        (self.later as f64 + mean * PRIOR_WEIGHT) / (self.samples() as f64 + PRIOR_WEIGHT)
    }

    /// Endpoints that answered to the first attempt, and those that answered to a later one.
    pub fn counts(&self) -> (u64, u64) {
        (self.first, self.later)
    }

    /// Adds the samples of another path.
    pub fn add(&mut self, other: &Self) {
        self.first += other.first;
        self.later += other.later;
    }

    /// Takes samples away that were wrong.
    pub fn take_away(&mut self, other: &Self) {
        self.first = self.first.saturating_sub(other.first);
        self.later = self.later.saturating_sub(other.later);
    }
}

/// The loss that is reckoned with before anything is measured.
pub const PRIOR_LOSS: f64 = 0.02;
const PRIOR_WEIGHT: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(first: u64, later: u64) -> Loss {
        Loss { first, later }
    }

    #[test]
    fn few_samples_are_drawn_to_the_prior_and_many_are_not() {
        assert!((loss(0, 0).reckoned(PRIOR_LOSS) - 0.02).abs() < 1e-9);
        assert!((loss(1, 1).reckoned(PRIOR_LOSS) - 1.4 / 22.0).abs() < 1e-9);
        assert!((loss(64_000, 36_000).reckoned(PRIOR_LOSS) - 0.36).abs() < 1e-3);
        assert_eq!(loss(0, 0).measured(), None);
        assert_eq!(loss(3, 1).measured(), Some(0.25));
        assert_eq!(loss(0, 1).measured(), None, "was printed as 100 %");
    }
}
