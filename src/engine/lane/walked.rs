//! How far one walk keeps from the next.

use std::time::Duration;

use crate::model::Time;

/// A walk that is over, as far as the next one keeps its distance from it.
#[derive(Clone, Copy, Debug)]
pub struct Walked {
    pub began: Time,
    pub ended: Time,
    pub asked: u64,
}

impl Walked {
    pub fn nothing(now: Time) -> Self {
        Self {
            began: now,
            ended: now,
            asked: 0,
        }
    }

    /// When to begin a walk over `remaining` of the same endpoints, in the same order and at the same pace, so that each of
    /// them is asked at least `spacing` after it was asked here: the first and the last of them decide.
    pub fn repeated_after(&self, remaining: u64, spacing: Duration) -> Time {
        let span = self.ended.since(self.began);
        let share = remaining.min(self.asked) as f64 / self.asked.max(1) as f64;
        let head_start = spacing + span.mul_f64(1.0 - share);
        self.began + head_start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_walk_waits_for_the_first_and_for_the_last_endpoint() {
        let at = |millis: u64| Time(millis * 1_000_000);
        let walk = Walked {
            began: at(100),
            ended: at(500),
            asked: 1000,
        };
        let second = Duration::from_secs(1);
        // All are left: it takes as long again, so it may follow the beginning.
        assert_eq!(walk.repeated_after(1000, second), at(1100));
        // Next to none are left, and the last of them was asked at the end.
        assert_eq!(walk.repeated_after(0, second), at(1500));
        assert_eq!(walk.repeated_after(500, second), at(1300));
        assert_eq!(walk.repeated_after(5000, second), at(1100));
        assert_eq!(Walked::nothing(at(7)).repeated_after(5, second), at(1007));
    }
}
