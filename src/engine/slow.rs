//! Hosts whose answers take longer than a second.
//!
//! While nobody knows how long answers take, they are waited for a second, and what comes later is hard to read: it may answer
//! the walk or its repeat, or be a server's own repeat of what was lost. Where a whole host is that slow, all that was thought of
//! its answers was wrong: attempts were not lost because answers came just after the next, and servers did not repeat themselves
//! because answers came after a second.
//!
//! Canaries tell: each of their flows asks one endpoint at a time, so that it is certain what is answered, unless the server
//! repeats itself. One of them may have to. But several in a row, of which none answers sooner, are no accident. Then the time is
//! known, and what came before is not counted as attempts.

use std::time::Duration;

use crate::engine::Engine;
use crate::model::Time;

impl Engine {
    /// One canary more has answered late: so long after it was asked, where that is certain.
    pub(super) fn canary_late(&mut self, id: usize, took: Option<Duration>, at: Time) {
        // Nobody is waited for longer than the patience.
        let took = took.filter(|&took| took < self.config.patience);
        let lane = &mut self.lanes[id];
        if !lane.control.canaries.answered_late() {
            return;
        }
        lane.control.canaries_are_late(at);
        if took.is_none() {
            // That they failed meant nothing, and they are none.
            lane.control.canaries.forget_all();
            lane.pass.watch(&[]);
        }
        self.answers_slowly(id, took, at);
    }

    /// Answers take that long, where that is certain, or at least longer than a second.
    pub(super) fn answers_slowly(&mut self, id: usize, took: Option<Duration>, at: Time) {
        let lane = &mut self.lanes[id];
        if let Some(took) = took {
            lane.rtt.sample(took);
        }
        lane.trials.unwatch_from(0);
        lane.trials.mistook_before(lane.pass.trial);
        self.forget_loss(id);
        self.wakes.push(id, at, &mut self.lanes);
    }
}
