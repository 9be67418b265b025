//! What a path does to packets on their way: it loses some and delays the others.

use std::time::Duration;

use crate::model::Time;
use crate::transport::sim::dice::Dice;
use crate::transport::sim::network::PathLoss;

/// One direction of the path to one host.
#[derive(Debug)]
pub struct Path {
    loss: PathLoss,
    dice: Dice,
    /// The present state of a bursty path and when it ends.
    dead: bool,
    until: Time,
}

impl Path {
    pub fn new(loss: PathLoss, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // At first a path is dead as often as at any other time; the first spell begins by turning this over.
        let dead = match loss {
            PathLoss::Bursts(share, _) => !dice.chance(share),
            PathLoss::None | PathLoss::Independent(_) => false,
        };
        Self {
            loss,
            dice,
            dead,
            until: Time::ZERO,
        }
    }

    /// When a packet that leaves at `now` arrives; `None` if it is lost. Times must not run backwards.
    pub fn carry(&mut self, now: Time, delay: Duration, jitter: Duration) -> Option<Time> {
        let lost = match self.loss {
            PathLoss::None => false,
            PathLoss::Independent(share) => self.dice.chance(share),
            PathLoss::Bursts(share, mean) => self.is_dead(now, share, mean),
        };
        let late = jitter.mul_f64(self.dice.share());
        (!lost).then(|| now + delay + late)
    }

    fn is_dead(&mut self, now: Time, share: f64, mean: Duration) -> bool {
        while self.until <= now {
            self.dead = !self.dead && share > 0.0;
            let mean = if self.dead {
                mean.as_secs_f64()
            } else {
                mean.as_secs_f64() * (1.0 - share) / share.max(1e-9)
            };
            let spell = -mean * (1.0 - self.dice.share()).ln();
            self.until = self.until + Duration::from_secs_f64(spell.clamp(1e-6, 1e6));
        }
        self.dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(loss: PathLoss) -> f64 {
        let mut path = Path::new(loss, 7);
        let sent = 200_000u64;
        let lost = (0..sent)
            .filter(|at| {
                let now = Time(at * 100_000);
                path.carry(now, Duration::ZERO, Duration::ZERO).is_none()
            })
            .count();
        lost as f64 / sent as f64
    }

    #[test]
    fn a_bursty_path_is_not_always_dead_at_first() {
        let bursts = PathLoss::Bursts(0.2, Duration::from_millis(20));
        let dead = (0..2000)
            .filter(|&seed| {
                Path::new(bursts, seed)
                    .carry(Time::ZERO, Duration::ZERO, Duration::ZERO)
                    .is_none()
            })
            .count();
        assert!((300..500).contains(&dead), "{dead} of 2000");
    }

    #[test]
    fn both_kinds_of_loss_have_the_share_asked_for() {
        assert_eq!(lost(PathLoss::None), 0.0);
        assert!((lost(PathLoss::Independent(0.2)) - 0.2).abs() < 0.01);
        let bursts = PathLoss::Bursts(0.2, Duration::from_millis(20));
        assert!((lost(bursts) - 0.2).abs() < 0.05);
    }
}
