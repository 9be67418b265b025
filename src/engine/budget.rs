//! The miss budget of the scan, shared out among blocks, walks and lanes.
//!
//! A lane ends when its odds of a miss are what the scan can afford at that moment: the budget over the open endpoints that were
//! found so far, and half a one (see `completeness`). Then the sum over lanes is below the budget as long as no more are found.
//! Where lanes are several, more are: when all of them have ended, those whose odds have become too high are asked once more,
//! until none is left or nobody may be asked more often.
//!
//! Blocks follow each other, and none is asked again. Each may spend its share by endpoints of the budget, and what those
//! before it have left of theirs; so do the two walks over a block of which a part has to be asked by connects (see `deaf`).

use std::collections::HashSet;

use crate::engine::completeness::PRIOR_LOSS;
use crate::engine::lane::{Lane, Misses, Next, Outlook, Phase};
use crate::engine::{Asking, COMMON, Engine};
use crate::model::Time;

/// What is spent of the miss budget.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// Open endpoints expected to have been missed in walks that are over, and among claims that no connect has confirmed.
    pub missed: f64,
    /// The worst odds of any lane in walks that are over.
    worst: f64,
    /// Open endpoints that were found in walks that are over.
    taken: u64,
    /// Lanes of this walk that were given up: their hosts answer nothing any more.
    given_up: HashSet<usize>,
    /// Nothing more is probed in this walk: what was held is being told.
    over: bool,
    /// In a walk that is over, somebody who answers was asked once (see [`Engine::asked_once`]).
    pub asked_once: bool,
}

impl Engine {
    /// Open endpoints expected to have been missed so far: over lanes, those found times the odds, and half a one at the worst
    /// odds of all.
    pub(super) fn expected_missed(&self) -> f64 {
        let (missed, worst) = self.missed_here();
        self.spent.missed + missed + worst.max(self.spent.worst) / 2.0
    }

    /// The same for those that were found in the present walk, and the worst odds of its lanes.
    fn missed_here(&self) -> (f64, f64) {
        let mean = self.mean_loss();
        let odds = |lane: &Lane| lane.odds(mean).map(|odds| (lane.open as f64, odds));
        let lanes = self.lanes.iter().filter_map(odds);
        lanes.fold((0.0, 0.0), |(missed, worst), (open, odds)| {
            (missed + open * odds, odds.max(worst))
        })
    }

    /// Whether the silent endpoints of somebody who answers were asked by one SYN each, and no more were allowed: what was lost
    /// of it would have shown in answers to a second. By kernel connect the kernel makes that one.
    pub(super) fn asked_once(&self) -> bool {
        let silent = |lane: &Lane| lane.heard > 0 && lane.remaining > lane.noted;
        let once = |lane: &Lane| silent(lane) && lane.pass.number == 0;
        let crafted = matches!(self.config.asking, Asking::Syn { .. });
        self.spent.asked_once || crafted && self.lanes.iter().any(once)
    }

    /// Whether nobody is asked by more than one SYN.
    pub(super) fn asks_once(&self) -> bool {
        self.config.max_attempts == 1 && matches!(self.config.asking, Asking::Syn { .. })
    }

    /// The loss per round trip, where it is known.
    pub(super) fn measured_loss(&self) -> Option<f64> {
        let tells = |loss: &f64| *loss > 0.0 || !self.asked_once();
        self.loss.measured().filter(tells)
    }

    /// The present walk is over.
    pub(super) fn close_walk(&mut self) {
        self.spent.asked_once = self.asked_once();
        let (missed, worst) = self.missed_here();
        self.spent.missed += missed;
        self.spent.worst = self.spent.worst.max(worst);
        self.begin_walk();
    }

    /// What was found so far was found in walks that are over.
    pub(super) fn begin_walk(&mut self) {
        self.spent.taken = self.found_so_far();
        self.spent.given_up.clear();
        self.spent.over = false;
    }

    /// This lane is not to be asked again in this walk.
    pub(super) fn never_again(&mut self, id: usize) {
        self.spent.given_up.insert(id);
    }

    pub(super) fn is_given_up(&self, id: usize) -> bool {
        self.spent.given_up.contains(&id)
    }

    /// What is suspect answered too: where it is lost, a silent endpoint is as likely to be more of it.
    fn found_so_far(&self) -> u64 {
        self.summary.open + self.summary.suspect + self.doubts.held() as u64
    }

    /// What the present walk may spend of the budget.
    fn share(&self) -> f64 {
        let all = self.order.len().max(1) as f64;
        let later = (self.order.left() + self.deaf.waiting()) as f64;
        self.config.miss_budget * (1.0 - later / all)
    }

    /// What is left of that beside the expected number of misses; where that is next to nothing, a part of it all the same.
    pub(super) fn spare_budget(&self) -> f64 {
        let share = self.share();
        (share - self.expected_missed()).max(share * LEAST_SHARE)
    }

    pub(super) fn outlook(&mut self, id: usize) -> (&mut Lane, Outlook<'_>) {
        let crowd = self.crowd(id);
        let share = self.share();
        let spare = share - self.spent.missed - self.spent.worst / 2.0;
        // Where it is spent already, asking more often saves nothing.
        let spare = if spare > 0.0 {
            spare.max(share * LEAST_SHARE)
        } else {
            share
        };
        let taken = self.found_so_far().saturating_sub(self.spent.taken);
        let outlook = Outlook {
            config: &self.config,
            mean_loss: self.mean_loss(),
            affordable: spare / (taken as f64 + 0.5),
            crowd,
        };
        (&mut self.lanes[id], outlook)
    }

    pub(super) fn mean_loss(&self) -> f64 {
        self.loss.reckoned(PRIOR_LOSS)
    }

    /// All lanes have ended. Has more been found since, for which one of them has missed too much, it goes on. Whether any does.
    pub(super) fn go_on(&mut self, now: Time) -> bool {
        if self.spent.over {
            return false;
        }
        let deserted = self.is_shared() && self.is_common_deserted();
        let mut any = false;
        for id in 0..self.lanes.len() {
            if self.is_given_up(id) || id == COMMON && deserted {
                continue;
            }
            let (lane, outlook) = self.outlook(id);
            let most = outlook.config.max_attempts;
            let ended = lane.phase == Phase::Done && lane.remaining > 0;
            if ended && lane.pass.number + 1 < most && lane.misses(&outlook) != Misses::Little {
                lane.phase = Phase::Resting(now, Next::Decide);
                self.wakes.push(id, now, &mut self.lanes);
                any = true;
            }
        }
        self.spent.over = !any;
        any
    }
}

/// Of the budget, whatever is spent.
const LEAST_SHARE: f64 = 0.1;
