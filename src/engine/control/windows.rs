//! The share that is answered, window by window: whether a lower rate lets more through, and how a rate that was found grows.

use std::time::Duration;

use super::*;
use crate::engine::gauge::TELLING;

impl Control {
    pub(super) fn look_free(&mut self, now: Time, path: &Path) {
        if path.whose == Whose::OneHost && self.gauge.share() >= GOOD {
            self.gauge.prove_window();
        }
        self.gauge.restart(now);
    }

    pub(super) fn look_trying(
        &mut self,
        now: Time,
        path: &Path,
        share: f64,
        from: Time,
        before: Option<f64>,
    ) {
        if now < from {
            return self.gauge.restart(now);
        }
        let answered = self.gauge.window_answered();
        if answered < LEAST_ANSWERED && self.gauge.window(now) < TRIAL {
            return;
        }
        let (seen, rate) = (self.gauge.share(), self.gauge.rate(now));
        let better = seen > share * BETTER && answered >= LEAST_ANSWERED;
        match (better, before) {
            (true, None) => {
                let slow = self.pace.take().map_or(rate, |pace| pace.rate());
                self.state = State::Rechecking {
                    share: seen,
                    rate: slow,
                    from: settled(now, path),
                };
            }
            // A limiter, and still too fast for it.
            (true, Some(_)) if seen < GOOD => {
                let at = self.pace.as_ref().map(Pace::rate);
                return self.slow_down(now, path, seen, rate, at);
            }
            (true, Some(_)) => self.hold(now, None, Some(seen)),
            (false, Some(before)) => self.hold(now, Some(before), Some(share)),
            (false, None) => {
                self.state = State::Free;
                self.pace = None;
                self.tried = Tried::InThisPass;
            }
        }
        self.gauge.restart(now);
    }

    pub(super) fn look_again(&mut self, now: Time, path: &Path, share: f64, rate: f64, from: Time) {
        if now < from {
            return self.gauge.restart(now);
        }
        if self.gauge.share() * BETTER < share {
            return self.slow_down(now, path, share, rate, Some(rate));
        }
        // The rate is not what loses packets here.
        self.state = State::Free;
        self.pace = None;
        self.tried = Tried::InThisPass;
        self.gauge.restart(now);
    }

    pub(super) fn look_held(&mut self, now: Time, path: &Path, share: Option<f64>, raise: Time) {
        let seen = self.gauge.share();
        let Some(rate) = self.pace.as_ref().map(Pace::rate) else {
            self.state = State::Free;
            return;
        };
        // The share of a few probes differs by chance as much as a limiter would make it.
        let enough = self.gauge.window_sent() >= (rate as u64).clamp(LEAST_SENT, TELLING);
        if !enough && now < raise {
            return;
        }
        let answered = enough && self.gauge.window_answered() >= LEAST_ANSWERED;
        // What a network answers is of many hosts and passes, and differs with them and comes late: its canaries tell.
        let heard = answered && path.whose == Whose::OneHost;
        let trusted = share.unwrap_or(seen);
        if heard && seen < trusted * KEPT {
            return self.ease(now, seen / trusted);
        }
        if heard && seen >= GOOD {
            self.gauge.prove_window();
        }
        let share = if heard {
            Some(trusted.max(seen))
        } else {
            share
        };
        self.gauge.restart(now);
        if now < raise {
            self.state = State::Held { share, raise };
            return;
        }
        let blind = path.whose != Whose::OneHost && share.is_none() && seen < GOOD;
        if blind {
            let raise = now + QUICK_RAISE;
            self.state = State::Held { share, raise };
            return;
        }
        let quick = (path.timeout * 4).max(QUICK_RAISE);
        let (rate, wait) = if self.chokes.times() <= 1 || rate * 3.0 <= self.choking {
            (rate * 2.0, quick)
        } else {
            (rate * RAISE, RAISE_EVERY)
        };
        if self.chokes.times() <= 1 && rate >= self.choking {
            // It carries what it did not once: that was bad luck.
            self.state = State::Free;
            self.pace = None;
            return;
        }
        self.pace = Some(held(rate, now));
        self.state = State::Held {
            share,
            raise: now + wait,
        };
    }

    /// Less got through than at a lower rate: back to what did.
    pub(super) fn ease(&mut self, now: Time, kept: f64) {
        let Some(rate) = self.pace.as_ref().map(Pace::rate) else {
            return;
        };
        self.choking = rate;
        self.hold(now, Some(rate * kept.clamp(0.5, 1.0)), None);
        self.gauge.restart(now);
    }

    pub(super) fn hold(&mut self, now: Time, rate: Option<f64>, share: Option<f64>) {
        if let Some(rate) = rate {
            self.pace = Some(held(rate, now));
        }
        self.state = State::Held {
            share,
            raise: now + RAISE_EVERY,
        };
    }

    pub(super) fn slow_down(
        &mut self,
        now: Time,
        path: &Path,
        share: f64,
        rate: f64,
        before: Option<f64>,
    ) {
        self.pace = Some(held(rate, now));
        self.state = State::Trying {
            share,
            from: settled(now, path),
            before,
        };
        self.gauge.restart(now);
    }
}

/// When answers to what was asked at the old rate have come in: what is answered until then tells nothing of the new one.
fn settled(now: Time, path: &Path) -> Time {
    now + path.timeout.max(LEAST_WINDOW) * 2
}

/// Fewer answers tell nothing.
const LEAST_ANSWERED: u64 = 16;
/// A lower rate is tried for this long.
const TRIAL: Duration = Duration::from_millis(500);
/// Everything seems to get through.
const GOOD: f64 = 0.9;
/// The share must rise by this much to prove a limiter.
const BETTER: f64 = 1.3;
/// Less of the share than this means that the rate is too high.
const KEPT: f64 = 0.7;
const RAISE: f64 = 1.25;
pub(super) const RAISE_EVERY: Duration = Duration::from_secs(1);
