//! Open endpoints that answer late: more than a second after they were asked.
//!
//! A SYN that is repeated within the patience is another attempt at a server that answers at once. A server that takes two
//! seconds answers the repeat when nobody listens any more, so that a connect of three SYNs is one attempt at it, not three:
//! with 4 % of loss it is missed once in 25 times, where the others are missed once in 15,000. How many of the open
//! endpoints are late is measured, and the stop rule reckons with them apart: only what was listened to for as long as the
//! latest of them took is an attempt at them (see `trials`).

use std::time::Duration;

/// The late ones among the open endpoints of a lane, or of a host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Late {
    open: u64,
    longest: Duration,
}

impl Late {
    /// An open endpoint has answered so long after it was asked.
    pub fn add(&mut self, delay: Duration) {
        self.open += 1;
        self.longest = self.longest.max(delay);
    }

    pub fn open(&self) -> u64 {
        self.open
    }

    /// How long an attempt must be listened to, so that it is one at these as well. Nobody is waited for longer than
    /// the `patience`.
    pub fn wait(&self, patience: Duration) -> Duration {
        self.longest.min(patience)
    }
}

/// What answers sooner than this after it was asked is not late.
pub const LATE: Duration = Duration::from_secs(1);
