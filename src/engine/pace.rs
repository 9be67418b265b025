//! How fast: a token bucket (mechanism) under a rate that follows what gets through (policy).
//!
//! While nothing answers there is no feedback and the rate stands at the blind ceiling that the caller chose for the path.
//! While at least half of what is sent is answered, the rate doubles once per window: such a path carries more.
//!
//! A rate that was asked for is kept where probes leave (see [`meter`](crate::model::meter)): what is handed out takes its
//! place until its transport says that it has left.

use std::time::Duration;

use crate::model::Time;
use crate::model::meter::{Meter, Spacing};

/// A token bucket and the rate that fills it. Rates are SYNs per second.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: f64,
    ceiling: f64,
    tokens: f64,
    filled: Time,
    /// So much of what a caller that comes late might have handed out is kept for it.
    kept: Duration,
    asked: Option<Asked>,
    window_sent: u64,
    window_answered: u64,
    window_start: Time,
}

/// The bucket of a rate that was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    spacing: Spacing,
    meter: Meter,
    /// Handed out, and not offered to the transport yet.
    waiting: usize,
}

/// Which rates are allowed, in SYNs per second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Ceiling {
    /// The user's own: exactly kept, whatever answers.
    Asked(u32),
    /// Where nothing answers, `blind` per second are sent; answers lift that, up to `most`.
    Careful { blind: u32, most: u32 },
}

impl Pace {
    pub fn new(ceiling: Ceiling, now: Time) -> Self {
        let asked = Asked::of(ceiling, None, now);
        let (rate, ceiling) = rates(ceiling);
        Self {
            rate,
            ceiling,
            tokens: 1.0,
            filled: now,
            kept: Duration::ZERO,
            asked,
            window_sent: 0,
            window_answered: 0,
            window_start: now,
        }
    }

    /// Exactly this many probes per second, from one to as many as can be counted, whatever answers.
    pub fn steady(rate: f64, now: Time) -> Self {
        let rate = rate.clamp(1.0, f64::from(u32::MAX)) as u32;
        let (blind, most) = (rate, rate);
        Self::new(Ceiling::Careful { blind, most }, now)
    }

    /// The same, for a caller that is to hand out as much as if it never came later than this.
    pub fn keeping(self, kept: Duration) -> Self {
        Self { kept, ..self }
    }

    /// The same anew, but that what has left already counts for a rate that was asked for.
    pub fn begin_again(&mut self, ceiling: Ceiling, now: Time) {
        let asked = Asked::of(ceiling, self.asked, now);
        *self = Self {
            asked,
            ..Self::new(ceiling, now)
        };
    }

    /// Another ceiling from now on.
    pub fn set_ceiling(&mut self, ceiling: Ceiling) {
        (self.rate, self.ceiling) = rates(ceiling);
        self.asked = Asked::of(ceiling, self.asked, self.filled);
        // What was saved up at the old rate is not sent at once.
        self.tokens = self.tokens.min(self.depth());
    }

    /// How many probes may be handed out now.
    pub fn available(&mut self, now: Time) -> usize {
        if let Some(asked) = &self.asked {
            self.filled = now;
            return asked.room(now).saturating_sub(asked.waiting);
        }
        let gained = now.since(self.filled).as_secs_f64() * self.rate;
        let most = self.depth().max(self.rate * self.kept.as_secs_f64());
        self.tokens = (self.tokens + gained).min(most);
        self.filled = now;
        self.tokens as usize
    }

    /// `count` probes were handed out: they leave now, but of a rate that was asked for.
    pub fn hand_out(&mut self, count: usize) {
        self.window_sent += count as u64;
        match &mut self.asked {
            Some(asked) => asked.waiting += count,
            None => self.tokens -= count as f64,
        }
    }

    /// How many of those that were handed out may be offered to the transport now.
    pub fn may_leave(&mut self, now: Time) -> usize {
        match &self.asked {
            Some(asked) => {
                self.filled = now;
                asked.room(now)
            }
            None => usize::MAX,
        }
    }

    /// The transport took so many of them.
    pub fn taken(&mut self, count: usize) {
        if let Some(asked) = &mut self.asked {
            asked.waiting = asked.waiting.saturating_sub(count);
            asked.meter.give(count);
        }
    }

    /// One of those had left by this time.
    pub fn left(&mut self, at: Time) {
        if let Some(asked) = &mut self.asked {
            asked.meter.left(asked.spacing, at);
        }
    }

    /// `count` probes left at once, for who sends them without a transport.
    pub fn sent(&mut self, count: usize) {
        let now = self.filled;
        self.hand_out(count);
        self.taken(count);
        (0..count).for_each(|_| self.left(now));
    }

    /// An endpoint answered for the first time.
    pub fn answered(&mut self) {
        self.window_answered += 1;
    }

    /// Ends the feedback window where it is over: `window` is the path's round-trip time.
    pub fn adjust(&mut self, now: Time, window: Duration) {
        if self.window_sent < WINDOW_PROBES || now.since(self.window_start) < window {
            return;
        }
        if self.window_answered * 2 >= self.window_sent {
            self.rate = (self.rate * 2.0).min(self.ceiling);
        }
        self.window_sent = 0;
        self.window_answered = 0;
        self.window_start = now;
    }

    /// When the next batch is worth waking up for.
    pub fn ready_at(&self) -> Time {
        if let Some(asked) = &self.asked {
            return asked.ready_at(self.filled);
        }
        let wanted = (self.depth() / 2.0).max(1.0) - self.tokens;
        if wanted <= 0.0 {
            return self.filled;
        }
        // One nanosecond more than the quotient, so that rounding never wakes the caller a token early.
        self.filled + Duration::from_secs_f64(wanted / self.rate) + Duration::from_nanos(1)
    }

    /// Whether the rate was asked for.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Probes per second at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The largest burst: one millisecond's worth, so that no 100 ms window is above the rate by more than a batch.
    fn depth(&self) -> f64 {
        (self.rate / 1000.0).clamp(1.0, MAX_DEPTH)
    }
}

impl Asked {
    /// The bucket of a ceiling, if it was asked for; `before` is the one that it replaces.
    fn of(ceiling: Ceiling, before: Option<Self>, now: Time) -> Option<Self> {
        let Ceiling::Asked(rate) = ceiling else {
            return None;
        };
        let spacing = Spacing::exact(rate);
        let (meter, waiting) = match before {
            Some(before) => {
                let meter = before.meter.under(before.spacing, spacing, now);
                (meter, before.waiting)
            }
            None => (Meter::beginning(spacing, now), 0),
        };
        Some(Self {
            spacing,
            meter,
            waiting,
        })
    }

    fn room(&self, now: Time) -> usize {
        self.meter.room(self.spacing, now)
    }

    fn ready_at(&self, now: Time) -> Time {
        let wanted = match self.waiting {
            0 => usize::MAX,
            waiting => waiting,
        };
        self.meter.ready_at(self.spacing, now, wanted)
    }
}

impl Ceiling {
    /// What is sent per second while nothing answers.
    pub fn blind(self) -> u32 {
        match self {
            Self::Asked(rate) | Self::Careful { blind: rate, .. } => rate,
        }
    }

    /// What is sent per second at the most.
    pub fn most(self) -> u32 {
        match self {
            Self::Asked(rate) | Self::Careful { most: rate, .. } => rate,
        }
    }
}

/// The rate to begin with, and the highest.
fn rates(ceiling: Ceiling) -> (f64, f64) {
    (
        f64::from(ceiling.blind().max(1)),
        f64::from(ceiling.most().max(1)),
    )
}

const MAX_DEPTH: f64 = 1024.0;
const WINDOW_PROBES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    #[test]
    fn an_asked_rate_is_kept_in_every_window() {
        for rate in [1, 100, 5_000, 150_000] {
            let mut pace = Pace::new(Ceiling::Asked(rate), Time::ZERO);
            let mut sent = Vec::new();
            let mut now = Time::ZERO;
            while now < at(3_000) {
                let count = pace.available(now);
                pace.sent(count);
                (0..count).for_each(|_| pace.answered());
                pace.adjust(now, Duration::from_millis(1));
                sent.push((now, count));
                now = pace.ready_at().max(now + Duration::from_micros(50));
            }
            let total: usize = sent.iter().map(|(_, count)| count).sum();
            let due = 3 * rate as usize;
            assert!(total <= due + 1, "{total} of {due}");
            assert!(total as f64 >= due as f64 * 0.95 - 1.0, "{total} of {due}");
            for (index, (start, _)) in sent.iter().enumerate().step_by(97) {
                let window: usize = sent[index..]
                    .iter()
                    .take_while(|(when, _)| when.since(*start) < Duration::from_millis(100))
                    .map(|(_, count)| count)
                    .sum();
                let most = (rate as usize / 10) + (rate as usize / 1000).max(1) + 1;
                assert!(window <= most, "{window} in 100 ms at {rate}/s");
            }
        }
    }

    #[test]
    fn a_new_ceiling_holds_at_once_in_both_directions() {
        let mut pace = Pace::new(Ceiling::Asked(100_000), Time::ZERO);
        pace.available(at(10));
        pace.set_ceiling(Ceiling::Asked(100));
        let sent = pace.available(at(10));
        assert!(sent <= 1, "{sent}");
        pace.sent(sent);
        assert_eq!(pace.available(at(15)), 0);
        pace.set_ceiling(Ceiling::Asked(100_000));
        assert_eq!(pace.available(at(16)), 100);
    }

    #[test]
    fn answers_lift_a_blind_ceiling_and_silence_does_not() {
        let mut pace = Pace::new(
            Ceiling::Careful {
                blind: 20_000,
                most: 1_000_000,
            },
            Time::ZERO,
        );
        pace.available(at(10));
        pace.sent(100);
        pace.adjust(at(10), Duration::from_millis(1));
        assert_eq!(pace.rate(), 20_000.0);
        pace.sent(100);
        (0..90).for_each(|_| pace.answered());
        pace.adjust(at(20), Duration::from_millis(1));
        assert_eq!(pace.rate(), 40_000.0);
    }
}
