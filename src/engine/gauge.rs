//! What one lane sent and heard: over a short window, and since the path was last known to carry.

use std::time::Duration;

use crate::model::Time;

/// Counts over the present window, and over the present *period*: the time since the lane was last resumed.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    sent: u64,
    answered: u64,
    since: Time,
    period: Time,
    period_sent: u64,
    period_answered: u64,
    /// When something was last sent that is known to have come through, how much had been sent by then in this period, and
    /// how many answers came later.
    proof: Time,
    proven_sent: u64,
    answered_since: u64,
    /// When the latest left that was answered, as far as that is known.
    latest: Time,
    /// What had been sent when the canaries left that are out.
    marked: u64,
}

impl Gauge {
    pub fn new(now: Time) -> Self {
        Self {
            sent: 0,
            answered: 0,
            since: now,
            period: now,
            period_sent: 0,
            period_answered: 0,
            proof: now,
            proven_sent: 0,
            answered_since: 0,
            latest: Time::ZERO,
            marked: 0,
        }
    }

    pub fn sent(&mut self, count: usize) {
        self.sent += count as u64;
        self.period_sent += count as u64;
    }

    /// Something has answered that left at `asked`, if that is certain.
    pub fn answered(&mut self, asked: Option<Time>) {
        self.answered += 1;
        self.period_answered += 1;
        self.answered_since += 1;
        self.latest = self.latest.max(asked.unwrap_or(Time::ZERO));
    }

    pub fn window_sent(&self) -> u64 {
        self.sent
    }

    pub fn window_answered(&self) -> u64 {
        self.answered
    }

    pub fn window(&self, now: Time) -> Duration {
        now.since(self.since)
    }

    /// The share of this window's probes that was answered, 0 to 1.
    pub fn share(&self) -> f64 {
        (self.answered as f64 / self.sent.max(1) as f64).min(1.0)
    }

    /// The same over the present period, where the window has only begun.
    pub fn steady_share(&self) -> f64 {
        if self.sent >= TELLING {
            return self.share();
        }
        (self.period_answered as f64 / self.period_sent.max(1) as f64).min(1.0)
    }

    /// Answers per second in this window.
    pub fn rate(&self, now: Time) -> f64 {
        self.answered as f64 / now.since(self.since).as_secs_f64().max(1e-6)
    }

    /// Begins a new window.
    pub fn restart(&mut self, now: Time) {
        self.sent = 0;
        self.answered = 0;
        self.since = now;
    }

    /// Canaries are leaving.
    pub fn mark(&mut self) {
        self.marked = self.period_sent;
    }

    /// The canaries that left at `at` have come through.
    pub fn prove(&mut self, at: Time) {
        self.prove_until(at, self.marked);
    }

    /// The window has shown that what was sent at its start came through, if something that was sent in it has answered: late
    /// answers to the window before tell nothing of it.
    pub fn prove_window(&mut self) {
        if self.latest >= self.since {
            self.prove_until(self.since, self.period_sent - self.sent);
        }
    }

    fn prove_until(&mut self, at: Time, sent: u64) {
        if at > self.proof {
            self.proof = at;
            self.proven_sent = sent.min(self.period_sent);
            self.answered_since = 0;
        }
    }

    /// When something was last sent that is known to have come through.
    pub fn proof(&self) -> Time {
        self.proof
    }

    /// Probes that left since then and were not answered.
    pub fn unproven(&self) -> u64 {
        (self.period_sent - self.proven_sent).saturating_sub(self.answered_since)
    }

    /// Probes that left since then, answered or not.
    pub fn sent_since_proof(&self) -> u64 {
        self.period_sent - self.proven_sent
    }

    /// Probes that left between that and the canaries that are out.
    pub fn marked_since_proof(&self) -> u64 {
        self.marked.saturating_sub(self.proven_sent)
    }

    /// Probes per second that came through in this period, as far as that is known.
    pub fn delivered(&self, now: Time) -> f64 {
        let through = (self.proven_sent + self.answered_since).min(self.period_sent);
        through as f64 / now.since(self.period).as_secs_f64().max(1e-6)
    }

    /// Begins a new period: the path carries again.
    pub fn resume(&mut self, now: Time) {
        *self = Self::new(now);
    }
}

/// So many probes tell a share from chance.
pub const TELLING: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_an_earlier_window_do_not_prove_that_this_one_comes_through() {
        let at = |millis: u64| Time(millis * 1_000_000);
        let mut gauge = Gauge::new(at(0));
        gauge.sent(1000);
        // Our own side was late: all answers come in the next window, of which nothing comes through.
        gauge.restart(at(10));
        gauge.sent(100);
        (0..900).for_each(|_| gauge.answered(Some(at(9))));
        gauge.prove_window();
        assert_eq!(gauge.proof(), at(0));
        gauge.answered(Some(at(10)));
        gauge.prove_window();
        assert_eq!(gauge.proof(), at(10));
    }
}
