//! When our own side is held up: a machine that is busy with something else lets a limiter rest, and canaries that leave then
//! find room that what they are to prove did not.

use std::time::Duration;

use super::*;

impl Control {
    /// What was handed out last has left so late, the canaries among it.
    pub fn left(&mut self, late: Duration, whose: Whose) {
        if let Some(asked) = self.canaries.left(late) {
            self.canary_left(asked, asked + late, whose);
        }
    }

    /// A canary of the present round left at `at`, and should have at `asked`.
    pub fn canary_left(&mut self, asked: Time, at: Time, whose: Whose) {
        // What was to leave beside it found the path as rested.
        let beside = if self.last_sent == asked {
            self.last_count
        } else {
            0
        };
        let rested = beside < LEAST_STEADY && self.gauge.unproven() > beside;
        if whose == Whose::SilentHost && rested && self.is_stall(at.since(asked)) {
            self.timing = Timing::Late;
        }
    }

    /// A canary that had answered before has answered again at `at` (see [`Canaries::answered`]). Where it was given up and had
    /// answered in time all the same, the path was not dead when it was asked, but we were held up.
    pub fn canary_answered(&mut self, index: u64, to: To, at: Time) -> Option<Time> {
        let asked = self.canaries.answered(index, to, at);
        if asked.is_none() && self.canaries.was_in_time(index, to, at) {
            self.bursts.had_answered();
        }
        asked
    }

    /// One canary of the round that left at `asked` has answered. Where only one host is asked, what it was sent before has come
    /// through, whatever the others of the round tell when it is judged: nobody needs to wait for those with what follows. Where
    /// a round before failed, what this one tells is for the judge: it may have to go back behind that.
    pub fn canary_proves(&mut self, asked: Time, whose: Whose) {
        if whose == Whose::OneHost && self.failed == 0 && !self.is_choked() {
            self.gauge.prove(asked);
        }
    }

    /// Whether our own side fell behind its pace just now: a limiter has had as long a rest.
    pub(super) fn has_stalled(&self, now: Time) -> bool {
        self.is_stall(now.since(self.last_sent))
    }

    fn is_stall(&self, late: Duration) -> bool {
        let paced = self.pace.as_ref().map_or(0.0, |pace| STALL / pace.rate());
        late > LEAST_STALL.max(Duration::from_secs_f64(paced))
    }

    /// Whether canaries that leave now prove what was sent: on a path that only they tell of, our own side must not have
    /// stalled since.
    pub(super) fn timing(&self, now: Time, path: &Path) -> Timing {
        let steady = match self.has_stalled(now) {
            true => 0,
            false => self.steady,
        };
        let rested = steady < LEAST_STEADY && self.gauge.unproven() > steady;
        match path.whose {
            Whose::SilentHost if rested => Timing::Late,
            _ => Timing::AtOnce,
        }
    }
}

/// Our own side has stalled when it is late by so many probes, and by this at least.
const STALL: f64 = 8.0;
const LEAST_STALL: Duration = Duration::from_millis(2);
/// So many probes use up what a limiter has gained meanwhile.
const LEAST_STEADY: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path = Path {
        timeout: Duration::from_millis(2),
        canary: Duration::from_millis(20),
        held_up: Duration::ZERO,
        loss: 0.02,
        rate: 20_000.0,
        patience: Duration::from_secs(3),
        rest: Duration::ZERO,
        repeats: Repeats::Never,
        whose: Whose::SilentHost,
    };

    fn at(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    #[test]
    fn canaries_that_left_when_a_limiter_had_rested_are_not_believed() {
        let cases = [
            (at(2), Timing::AtOnce, at(1)),
            (at(30), Timing::Late, at(30)),
        ];
        for (left, timing, since) in cases {
            let mut control = Control::new(at(0));
            control.answered(Some(7), Verdict::Open, None);
            (0..10).for_each(|_| control.sent(20, at(1), Repeats::Never));
            assert!(matches!(control.look(at(1), &PATH), Advice::Ask(_)));
            assert_eq!(control.timing, Timing::AtOnce);
            control.left(left.since(at(1)), PATH.whose);
            assert_eq!(control.timing, timing);
            assert_eq!(control.event_at(), since + PATH.canary);
        }
    }

    /// Of five canaries three are lost on a path that loses a third each way, and whoever waits for them stands still.
    #[test]
    fn a_walk_stood_still_for_canaries_that_were_lost_though_one_had_answered() {
        for (whose, goes_on) in [(Whose::OneHost, true), (Whose::SilentHost, false)] {
            let path = Path {
                loss: 0.5,
                whose,
                ..PATH
            };
            let mut control = Control::new(at(0));
            (0..5).for_each(|port| control.answered(Some(port), Verdict::Open, None));
            while !control.is_waiting() {
                control.sent(20, at(1), Repeats::Never);
                let _ = control.look(at(1), &path);
            }
            while control.available(at(1)) > 0 {
                control.sent(1, at(1), Repeats::Never);
            }
            let canary = (0..5).find_map(|port| control.canary_answered(port, To::Any, at(3)));
            control.canary_proves(canary.expect("a canary"), whose);
            assert!(control.is_waiting(), "the round is not over");
            assert_eq!(control.available(at(3)) > 0, goes_on);
        }
    }
}
