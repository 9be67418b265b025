//! Hosts whose answers take longer than a second.
//!
//! While nobody knows how long answers take, what comes late is hard to read: it may answer the walk or its repeat, or be a
//! server's own repeat of what was lost. Where a whole host is that slow, all that was thought of its answers was wrong: attempts
//! were not lost because answers came just after the next, and servers did not repeat themselves because answers came after a
//! second.
//!
//! Canaries tell. Each of their flows asks one endpoint at a time, so that it is known what is answered, unless the server repeats
//! itself. One of them may have to, and so may all of a round that were lost together. But several in more than one round, of which
//! none answers sooner, are no accident. Then the time is known, and what came before is not counted as attempts. By kernel
//! connect nobody can tell: its SYN is repeated after a second, and a canary's answer after that says only that the path is alive.

use std::time::Duration;

use crate::engine::Engine;
use crate::engine::canary::{To, is_repeat};
use crate::engine::lane::Crowd;
use crate::model::Time;

impl Engine {
    /// A canary that was given up has answered, while nobody knows how long answers take: longer than was thought, unless its
    /// server repeats itself.
    pub(super) fn canary_late(&mut self, id: usize, (index, to): (u64, To), at: Time) {
        let control = &self.lanes[id].control;
        if self.crowd(id) == Crowd::ManyHosts || control.canaries.is_empty() {
            return;
        }
        let repeats = [&self.network.control, control]
            .into_iter()
            .filter_map(|control| control.canaries.asked_at(index, to))
            .any(|asked| is_repeat(at.since(asked)));
        if repeats || !self.lanes[id].control.canaries.answered_late() {
            return;
        }
        self.forget_attempts(id, at);
        self.lanes[id].control.canaries_are_late(at);
    }

    /// Answers of this lane's host take that long.
    pub(super) fn answers_slowly(&mut self, id: usize, took: Duration, at: Time) {
        self.forget_attempts(id, at);
        self.lanes[id].rtt.sample(took);
    }

    /// What was thought of the attempts so far was wrong. Whose the loss was is known from the canaries: those must still be known.
    fn forget_attempts(&mut self, id: usize, at: Time) {
        self.forget_loss(id);
        let lane = &mut self.lanes[id];
        // Canaries of the present pass may have answered when nobody waited any more.
        lane.pass.watch(&[]);
        lane.trials.unwatch_from(0);
        lane.trials.mistook_before(lane.pass.trial);
        self.wakes.push(id, at, &mut self.lanes);
    }
}
