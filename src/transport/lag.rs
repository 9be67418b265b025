//! How late the last few batches of observations came.

use std::time::Duration;

/// The lateness of each of the last batches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    recent: [Duration; 16],
    next: usize,
}

impl Lag {
    pub(super) fn add(&mut self, late: Duration) {
        if let Some(slot) = self.recent.get_mut(self.next) {
            *slot = late;
        }
        self.next = (self.next + 1) % self.recent.len();
    }

    /// The worst of them.
    pub(super) fn worst(&self) -> Duration {
        self.recent.into_iter().max().unwrap_or_default()
    }
}
