//! How late the last few batches came.

use std::time::Duration;

use crate::model::Time;

/// The lateness of each of the last batches, and when it was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    recent: [(Time, Duration); 16],
    next: usize,
}

impl Lag {
    pub(super) fn add(&mut self, now: Time, late: Duration) {
        if let Some(slot) = self.recent.get_mut(self.next) {
            *slot = (now, late);
        }
        self.next = (self.next + 1) % self.recent.len();
    }

    /// The worst of them.
    pub(super) fn worst(&self) -> Duration {
        self.worst_since(Time::ZERO)
    }

    /// The worst of those that were seen since then.
    pub(super) fn worst_since(&self, since: Time) -> Duration {
        let recent = self.recent.iter().filter(|(at, _)| *at >= since);
        recent.map(|(_, late)| *late).max().unwrap_or_default()
    }
}
