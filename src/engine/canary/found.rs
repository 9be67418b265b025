//! What a host has shown before it has a lane of its own.

use std::collections::VecDeque;

use super::{Canaries, MOST};
use crate::model::State;

/// Endpoints of one host that can be canaries, by the plan's index. Of many hosts at a time no more than that is kept.
#[derive(Clone, Debug, Default)]
pub struct Found {
    open: VecDeque<u64>,
    closed: VecDeque<u64>,
}

/// Keeps an endpoint with its like, no more of a kind than are of use.
pub(super) fn keep<T>(
    (open, closed): (&mut VecDeque<T>, &mut VecDeque<T>),
    endpoint: T,
    state: State,
) {
    match state {
        State::Open if open.len() < MOST => open.push_back(endpoint),
        // The latest are the best: what was a good path long ago may have changed.
        State::Closed => {
            if closed.len() >= MOST {
                closed.pop_front();
            }
            closed.push_back(endpoint);
        }
        _ => {}
    }
}

impl Found {
    /// The endpoint at `index` has answered; `state` is open or closed. See [`Canaries::learn`].
    pub fn learn(&mut self, index: u64, state: State) {
        keep((&mut self.open, &mut self.closed), index, state);
    }

    /// Nothing is kept any more.
    pub fn take(&mut self) -> Canaries {
        let mut canaries = Canaries::default();
        let found = std::mem::take(self);
        for index in found.open {
            canaries.learn(index, State::Open);
        }
        for index in found.closed {
            canaries.learn(index, State::Closed);
        }
        canaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_what_a_lane_would_have_learned() {
        let (mut found, mut learned) = (Found::default(), Canaries::default());
        for index in 0..100 {
            let state = match index % 3 {
                0 => State::Open,
                1 => State::Closed,
                _ => State::Filtered,
            };
            found.learn(index, state);
            learned.learn(index, state);
        }
        let taken = found.take();
        assert_eq!(taken.open(), learned.open());
        assert_eq!(taken.closed(), learned.closed());
        assert_eq!(found.take().open_known(), 0);
    }
}
