//! What leaves under a rate that was asked for: the caller tells when, and asks before.

use crate::engine::Engine;
use crate::model::{Departure, Time};

impl Engine {
    /// Whether a rate was asked for. Then the caller offers no more than [`may_leave`](Self::may_leave) to its transport at a
    /// time, and tells of what was [`taken`](Self::taken) and has [`left`](Self::left).
    pub fn keeps_a_rate(&self) -> bool {
        self.pace.is_asked() || self.is_host_rate_asked()
    }

    /// How many of the probes that were given may leave now.
    pub fn may_leave(&mut self, now: Time) -> usize {
        self.pace.may_leave(now)
    }

    /// When more of them may.
    pub fn leaves_at(&self) -> Time {
        self.pace.ready_at()
    }

    /// A transport took so many of them, in order.
    pub fn taken(&mut self, count: usize) {
        self.pace.taken(count);
    }

    /// One that was taken has left, or never will.
    pub fn left(&mut self, departure: &Departure) {
        self.pace.left(departure.at);
        if self.is_host_rate_asked()
            && let Some(index) = self.plan.index(&departure.endpoint)
        {
            self.host_left(index, departure.at);
        }
    }
}
