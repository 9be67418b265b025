//! Round-trip time and retransmission timeout after RFC 6298, with one change: the floor is 2 ms, not 1 s, because a scan
//! retransmits from a fresh port and so harms nobody by being early.

use std::time::Duration;

/// A smoothed round-trip time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rtt {
    smoothed: Option<(Duration, Duration)>,
    samples: u32,
    shortest: Option<Duration>,
    /// How late answers reach the engine after they arrived at the machine.
    lag: Duration,
}

impl Rtt {
    /// RFC 6298 section 2. The caller keeps Karn's rule: no samples from answers to identical repeats.
    pub fn sample(&mut self, rtt: Duration) {
        self.samples = self.samples.saturating_add(1);
        self.shortest = Some(self.shortest.map_or(rtt, |known| known.min(rtt)));
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((mean, deviation)) => (
                mean * 7 / 8 + rtt / 8,
                deviation * 3 / 4 + mean.abs_diff(rtt) / 4,
            ),
        });
    }

    pub fn set_lag(&mut self, lag: Duration) {
        self.lag = lag;
    }

    /// How long to wait for an answer; 1 s while nothing has been measured.
    pub fn timeout(&self) -> Duration {
        match self.smoothed {
            None => UNKNOWN,
            Some((mean, deviation)) => (mean + deviation * 4).clamp(FLOOR, CEILING) + self.lag,
        }
    }

    /// How long to wait for a single answer that would be missed: the whole range while nothing has been measured.
    pub fn longest(&self) -> Duration {
        match self.smoothed {
            None => CEILING,
            Some(_) => self.timeout(),
        }
    }

    pub fn is_known(&self) -> bool {
        self.smoothed.is_some()
    }

    /// Whether an answer may come so soon after what it answers: an answer that comes much sooner than any other has come
    /// belongs to something earlier.
    pub fn is_possible(&self, delay: Duration) -> bool {
        self.shortest.is_none_or(|shortest| delay >= shortest / 2)
    }

    /// The smoothed mean.
    pub fn mean(&self) -> Option<Duration> {
        self.smoothed.map(|(mean, _)| mean)
    }
}

const UNKNOWN: Duration = Duration::from_secs(1);
const FLOOR: Duration = Duration::from_millis(2);
const CEILING: Duration = Duration::from_secs(3);
/// No more of what our own side is late by is waited for.
pub const MOST_LAG: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_rfc_6298_above_its_floor() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(), Duration::from_secs(1));
        rtt.sample(Duration::from_millis(100));
        assert_eq!(rtt.timeout(), Duration::from_millis(300));
        rtt.sample(Duration::from_millis(100));
        assert_eq!(rtt.timeout(), Duration::from_millis(250));
        let mut near = Rtt::default();
        near.sample(Duration::from_micros(30));
        assert_eq!(near.timeout(), Duration::from_millis(2));
        near.set_lag(Duration::from_millis(4));
        assert_eq!(near.timeout(), Duration::from_millis(6));
    }
}
