//! Where the capture is deaf, the scan goes on by kernel connects: what goes by such a way is set aside, and asked when the
//! half-open walk over the rest of the block has ended. The other ways notice nothing.

use crate::engine::bitmap::Bitmap;
use crate::engine::evidence::Evidence;
use crate::engine::lane::Phase;
use crate::engine::network::Network;
use crate::engine::{Asking, Ending, Engine};
use crate::model::{Note, Time};

/// See the top of the file.
#[derive(Default)]
pub struct Deaf {
    ways: Vec<usize>,
    /// Ranks of the present block that are set aside; they count as answered meanwhile.
    aside: Option<Bitmap>,
    /// How the others are asked, while those are.
    others: Option<Asking>,
}

impl Deaf {
    /// Endpoints that are set aside.
    pub fn waiting(&self) -> u64 {
        self.aside.as_ref().map_or(0, Bitmap::ones)
    }

    /// Whether this rank is among them.
    pub fn is_waiting(&self, rank: u64) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.has(rank))
    }

    pub fn has(&self, way: usize) -> bool {
        self.ways.contains(&way)
    }
}

impl Engine {
    /// The capture does not hear what comes by this way.
    pub(super) fn go_deaf(&mut self, way: usize, now: Time) {
        if self.deaf.ways.is_empty() {
            self.say(Note::DeafCapture);
        }
        self.deaf.ways.push(way);
        self.set_aside(now);
    }

    /// Takes what goes by deaf ways out of the lanes, as far as it has not answered.
    pub(super) fn set_aside(&mut self, now: Time) {
        if self.deaf.ways.is_empty() {
            return;
        }
        let len = self.order.block_len();
        let mut aside = self.deaf.aside.take().unwrap_or_else(|| Bitmap::new(len));
        let mut from = 0;
        while let Some(rank) = self.ledger.answered.next_zero(from) {
            from = rank + 1;
            let index = self.order.index(rank);
            if !self.deaf.has(self.way(index)) {
                continue;
            }
            aside.set(rank);
            self.ledger.answered.set(rank);
            let noted = self.ledger.evidence.reason(rank).is_some();
            self.ledger.evidence.forget(rank);
            let id = self.lane_of(index / self.ports());
            let lane = &mut self.lanes[id];
            lane.remaining -= 1;
            lane.noted -= u64::from(noted);
        }
        self.deaf.aside = Some(aside);
        for id in 0..self.lanes.len() {
            if self.lanes[id].remaining == 0 && self.lanes[id].phase != Phase::Done {
                self.wakes.push(id, now, &mut self.lanes);
            }
        }
    }

    /// The half-open walk over this block has ended, and what did not answer is told: asks what was set aside. False where
    /// there is nothing; then the next block is walked half-open again.
    pub(super) fn ask_the_deaf(&mut self, now: Time) -> bool {
        if let Some(asking) = self.deaf.others.take() {
            self.config.asking = asking;
            self.pace.begin_again(self.config.ceiling, now);
            self.network = Network::new(now);
        }
        let Some(aside) = self.deaf.aside.take().filter(|aside| aside.ones() > 0) else {
            return false;
        };
        self.close_walk();
        self.deaf.others = Some(self.config.asking);
        self.config.asking = Asking::Handshake;
        self.pace.begin_again(self.config.connect_ceiling, now);
        // Another network, whose canaries are others: those of the ways that are heard would be connected to.
        self.network = Network::new(now);
        let left = aside.ones();
        self.ledger.answered = aside.inverted();
        self.ledger.settled = Bitmap::new(self.order.block_len());
        self.ledger.evidence = Evidence::default();
        self.forget_hosts();
        self.extra.clear();
        self.ending = Ending::No;
        self.restart_lanes(left, now);
        true
    }

    /// The number of the way that probes to this endpoint take.
    pub(super) fn way(&self, index: u64) -> usize {
        if self.ways.count() == 1 {
            return 0;
        }
        let endpoint = self.plan.endpoint(index);
        endpoint.map_or(0, |endpoint| self.ways.of(&endpoint.address))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::seek::tests::{engine, reset};
    use crate::model::Probe;

    /// The first host answers, and the second is not there: nobody was left to be asked when the first had answered a second time,
    /// by connect, and the second counted for the third.
    #[test]
    fn hosts_that_were_heard_before_the_capture_was_deaf_counted_twice() {
        let mut engine = engine("1-100", Asking::Syn { flows: 20 });
        let mut now = Time::ZERO;
        for _ in 0..100 {
            now = now + Duration::from_millis(1);
            let mut probes: Vec<Probe> = Vec::new();
            engine.poll_transmit(now, 256, &mut probes);
            for probe in probes.iter().filter(|probe| probe.index < 50) {
                engine.handle(reset(probe, now));
            }
        }
        assert_eq!(engine.heard_hosts, 1);
        engine.go_deaf(0, now);
        assert!(engine.ask_the_deaf(now));
        assert_eq!(engine.heard_hosts, 0);
    }
}
