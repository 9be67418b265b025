//! The one clock of a scan: every transport of it shares a copy, so that their times can be compared.

use std::time::{Instant, SystemTime};

use crate::model::Time;

/// A monotonic clock that counts nanoseconds from the moment of [`Clock::start`]. Copies share that moment.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts a clock at [`Time::ZERO`].
    #[expect(clippy::disallowed_methods, reason = "R1: the clock of transport/")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What the calendar says now: for what is dated by others, never for waiting.
    #[expect(clippy::disallowed_methods, reason = "R1: the clock of transport/")]
    pub fn calendar() -> SystemTime {
        SystemTime::now()
    }

    /// The time since the start.
    pub fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
