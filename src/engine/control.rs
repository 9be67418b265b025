//! How fast one lane may go: what gets through decides, not what is lost.
//!
//! Loss that is the same at every rate (a bad radio link, a firewall that drops) is no reason to slow down; loss that
//! grows with the rate (a limiter, a full queue) is. The two are told apart by trying: where a good share of the probes
//! stays unanswered although answers do come, the lane goes down to the rate at which answers come and looks whether the
//! share that gets through rises. If it does not, the lane goes back and does not try again in this pass.
//!
//! A host that limits its *resets* looks the same, and slowing down for it would cost minutes (200 resets a second are
//! common). So endpoints that are known to be open are asked again first, at full rate: canaries. If they answer, SYNs get
//! through, and missing resets mean nothing.

use std::time::Duration;

use crate::engine::pace::{Ceiling, Pace};
use crate::model::Time;

/// The rate of one lane.
#[derive(Clone, Debug)]
pub struct Control {
    state: State,
    pace: Option<Pace>,
    sent: u64,
    answered: u64,
    since: Time,
    tried: Tried,
    canaries_sent: u32,
    canaries_answered: u32,
}

/// Whether this pass was tried at a lower rate already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tried {
    NotYet,
    InThisPass,
    /// The host limits its resets: their absence means nothing.
    Never,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    /// Only the scan's own pace counts.
    Free,
    /// Canaries are out; the share and the rate at which answers came, and when to judge.
    Canaries { share: f64, rate: f64, until: Time },
    /// Going slower; nothing counts before `from`. `before` is the rate that a limiter was found at, if it was.
    Trying {
        share: f64,
        from: Time,
        before: Option<f64>,
    },
    /// More got through at the lower rate. That may be the rate or mere luck (a burst of losses has ended): going at full
    /// rate once more tells.
    Rechecking { share: f64, rate: f64 },
    /// A limiter was found. The share that gets through at this rate, once known.
    Held { share: Option<f64>, raise: Time },
}

/// Whether there is an endpoint that is known to be open and can be asked again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Canaries {
    Known,
    None,
    /// Kernel connects are no canaries: their own descriptors are what runs short.
    Impossible,
}

/// What the engine should do after a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    Nothing,
    /// Ask endpoints again that are known to be open.
    SendCanaries,
}

impl Control {
    pub fn new(now: Time) -> Self {
        Self {
            state: State::Free,
            pace: None,
            sent: 0,
            answered: 0,
            since: now,
            tried: Tried::NotYet,
            canaries_sent: 0,
            canaries_answered: 0,
        }
    }

    /// A new pass begins. What the old one showed is judged now: a short pass is over before any window is.
    pub fn pass_began(&mut self, now: Time, timeout: Duration, canaries: Canaries) -> Advice {
        let window = (timeout * 2).max(LEAST_WINDOW);
        let enough = self.sent >= LEAST_SENT;
        let advice = match self.state {
            State::Free if enough => self.look_free(now, window, canaries),
            State::Rechecking { share, rate } if enough => {
                self.look_again(now, window, share, rate);
                Advice::Nothing
            }
            State::Trying { share, before, .. } if enough => {
                self.look_trying(now, window, share, now, before);
                Advice::Nothing
            }
            State::Held { share, raise } => {
                // Other endpoints are asked from here on: the old share means nothing.
                let share = share.filter(|_| !enough);
                self.state = State::Held { share, raise };
                Advice::Nothing
            }
            _ => Advice::Nothing,
        };
        if self.tried == Tried::InThisPass && self.state == State::Free {
            self.tried = Tried::NotYet;
        }
        self.restart(now);
        advice
    }

    /// How many probes may leave now, as far as this lane is concerned.
    pub fn available(&mut self, now: Time) -> usize {
        self.pace
            .as_mut()
            .map_or(usize::MAX, |pace| pace.available(now))
    }

    /// When there is room again.
    pub fn ready_at(&self) -> Time {
        self.pace.as_ref().map_or(Time::ZERO, Pace::ready_at)
    }

    pub fn sent(&mut self, count: usize) {
        self.sent += count as u64;
        if let Some(pace) = &mut self.pace {
            pace.sent(count);
        }
    }

    /// An endpoint of this lane answered for the first time.
    pub fn answered(&mut self) {
        self.answered += 1;
    }

    pub fn canaries_sent(&mut self, count: u32) {
        self.canaries_sent += count;
    }

    pub fn canary_answered(&mut self) {
        self.canaries_answered += 1;
    }

    /// Whether missing resets tell of loss: false once the host was found to limit them.
    pub fn heeds_resets(&self) -> bool {
        self.tried != Tried::Never
    }

    /// Looks at the window that has passed. `timeout` is the path's retransmission timeout.
    pub fn look(&mut self, now: Time, timeout: Duration, canaries: Canaries) -> Advice {
        let window = (timeout * 2).max(LEAST_WINDOW);
        match self.state {
            State::Canaries { share, rate, until } => {
                if now < until {
                    return Advice::Nothing;
                }
                if self.canaries_get_through(share) {
                    self.state = State::Free;
                    self.tried = Tried::Never;
                    self.restart(now);
                    return Advice::Nothing;
                }
                self.slow_down(now, share, rate, window, None);
                Advice::Nothing
            }
            _ if now.since(self.since) < window || self.sent < LEAST_SENT => Advice::Nothing,
            State::Free => self.look_free(now, window, canaries),
            State::Trying {
                share,
                from,
                before,
            } => {
                self.look_trying(now, window, share, from, before);
                Advice::Nothing
            }
            State::Rechecking { share, rate } => {
                self.look_again(now, window, share, rate);
                Advice::Nothing
            }
            State::Held { share, raise } => {
                self.look_held(now, share, raise);
                Advice::Nothing
            }
        }
    }

    fn look_free(&mut self, now: Time, window: Duration, canaries: Canaries) -> Advice {
        let share = self.share();
        if share >= GOOD || self.tried != Tried::NotYet {
            self.restart(now);
            return Advice::Nothing;
        }
        if self.answered < LEAST_ANSWERED {
            // Too few answers to tell anything: the window grows.
            return Advice::Nothing;
        }
        let rate = self.rate(now);
        if canaries == Canaries::Impossible && share < LEAST_SHARE {
            self.restart(now);
            return Advice::Nothing;
        }
        if canaries == Canaries::Known {
            self.canaries_sent = 0;
            self.canaries_answered = 0;
            self.state = State::Canaries {
                share,
                rate,
                until: now + window,
            };
            return Advice::SendCanaries;
        }
        self.slow_down(now, share, rate, window, None);
        Advice::Nothing
    }

    fn look_trying(
        &mut self,
        now: Time,
        window: Duration,
        share: f64,
        from: Time,
        before: Option<f64>,
    ) {
        if now < from {
            return self.restart(now);
        }
        if self.answered < LEAST_ANSWERED && now.since(self.since) < TRIAL {
            return;
        }
        let (seen, rate) = (self.share(), self.rate(now));
        let better = seen > share * BETTER && self.answered >= LEAST_ANSWERED;
        match (better, before) {
            (true, None) => {
                let slow = self.pace.take().map_or(rate, |pace| pace.rate());
                self.state = State::Rechecking {
                    share: seen,
                    rate: slow,
                };
            }
            // A limiter, and still too fast for it.
            (true, Some(_)) if seen < GOOD => {
                let at = self.pace.as_ref().map(Pace::rate);
                return self.slow_down(now, seen, rate, window, at);
            }
            (true, Some(_)) => self.hold(now, None, seen),
            (false, Some(before)) => self.hold(now, Some(before), share),
            (false, None) => self.let_go(now),
        }
        self.restart(now);
    }

    /// The rate is not what loses packets here.
    fn let_go(&mut self, now: Time) {
        self.state = State::Free;
        self.pace = None;
        self.tried = Tried::InThisPass;
        self.restart(now);
    }

    fn look_again(&mut self, now: Time, window: Duration, share: f64, rate: f64) {
        if self.share() * BETTER < share {
            self.slow_down(now, share, rate, window, Some(rate));
        } else {
            self.let_go(now);
        }
    }

    fn hold(&mut self, now: Time, rate: Option<f64>, share: f64) {
        if let Some(rate) = rate {
            self.pace = Some(held(rate, now));
        }
        self.state = State::Held {
            share: Some(share),
            raise: now + RAISE_EVERY,
        };
    }

    fn look_held(&mut self, now: Time, share: Option<f64>, raise: Time) {
        let seen = self.share();
        let Some(pace) = &mut self.pace else {
            self.state = State::Free;
            return;
        };
        let trusted = share.unwrap_or(seen);
        if now >= raise {
            let rate = if seen >= trusted * KEPT {
                pace.rate() * RAISE
            } else {
                pace.rate() / RAISE
            };
            *pace = held(rate, now);
            self.state = State::Held {
                share: Some(trusted.max(seen)),
                raise: now + RAISE_EVERY,
            };
            self.restart(now);
        } else if share.is_none() && self.answered >= LEAST_ANSWERED {
            self.state = State::Held {
                share: Some(seen),
                raise,
            };
        }
    }

    fn slow_down(
        &mut self,
        now: Time,
        share: f64,
        rate: f64,
        window: Duration,
        before: Option<f64>,
    ) {
        self.pace = Some(held(rate, now));
        self.state = State::Trying {
            share,
            // What is answered in the first window was asked at the old rate.
            from: now + window * 2,
            before,
        };
        self.restart(now);
    }

    fn canaries_get_through(&self, share: f64) -> bool {
        let (sent, answered) = (self.canaries_sent, self.canaries_answered);
        // One canary is proof only where next to nothing else gets through.
        let enough = sent >= 3 || sent >= 1 && share < 0.1;
        enough && f64::from(answered) >= f64::from(sent) * 0.75
    }

    fn share(&self) -> f64 {
        (self.answered as f64 / self.sent.max(1) as f64).min(1.0)
    }

    /// Answers per second in this window.
    fn rate(&self, now: Time) -> f64 {
        self.answered as f64 / now.since(self.since).as_secs_f64().max(1e-6)
    }

    fn restart(&mut self, now: Time) {
        self.sent = 0;
        self.answered = 0;
        self.since = now;
    }
}

fn held(rate: f64, now: Time) -> Pace {
    Pace::new(Ceiling::Asked((rate.max(LEAST_RATE)) as u32), now)
}

/// Longer than a burst of losses usually is.
const LEAST_WINDOW: Duration = Duration::from_millis(100);
const LEAST_SENT: u64 = 64;
/// Fewer answers tell nothing.
const LEAST_ANSWERED: u64 = 16;
/// A lower rate is tried for this long.
const TRIAL: Duration = Duration::from_millis(500);
/// Everything seems to get through.
const GOOD: f64 = 0.9;
/// By kernel connect less than this is silence, not a limiter: descriptors bound the rate already.
const LEAST_SHARE: f64 = 0.02;
/// The share must rise by this much to prove a limiter.
const BETTER: f64 = 1.3;
/// A raise that keeps this much of the share is kept.
const KEPT: f64 = 0.95;
const RAISE: f64 = 1.25;
const RAISE_EVERY: Duration = Duration::from_secs(1);
const LEAST_RATE: f64 = 20.0;
