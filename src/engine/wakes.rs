//! Which lane is to be looked at next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::engine::lane::{Lane, Phase};
use crate::model::Time;

/// A heap of (time, lane). A lane has one valid entry, the one that equals its `wake`; older ones are passed over.
#[derive(Default)]
pub struct Wakes {
    heap: BinaryHeap<Reverse<(Time, usize)>>,
}

impl Wakes {
    /// Looks at `id` again at `at`, and not before. A lane that is done is forgotten.
    pub fn push(&mut self, id: usize, at: Time, lanes: &mut [Lane]) {
        lanes[id].wake = at;
        if lanes[id].phase != Phase::Done {
            self.heap.push(Reverse((at, id)));
        }
    }

    /// A lane whose time has come.
    pub fn pop(&mut self, now: Time, lanes: &[Lane]) -> Option<usize> {
        self.prune(lanes);
        let &Reverse((at, id)) = self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some(id)
    }

    /// Drops entries that are out of date from the top, so that [`next`](Self::next) and [`is_empty`](Self::is_empty) tell
    /// the truth.
    pub fn prune(&mut self, lanes: &[Lane]) {
        while let Some(&Reverse((at, id))) = self.heap.peek() {
            if lanes[id].wake == at && lanes[id].phase != Phase::Done {
                return;
            }
            self.heap.pop();
        }
    }

    /// The next lane and its time.
    pub fn next(&self) -> Option<(Time, usize)> {
        self.heap.peek().map(|&Reverse(entry)| entry)
    }

    /// Nothing will ever be due.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    pub fn clear(&mut self) {
        self.heap.clear();
    }
}
