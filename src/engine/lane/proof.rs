//! What a pass has proved once it is over.
//!
//! A pass of SYNs is one attempt at every silent endpoint. A pass of kernel connects is as many as each of them has sent
//! SYNs; those that live for one timeout send one. Endpoints that are being listened to already are not asked again by the
//! passes that follow at once, so such a pass is an attempt at a share of the silent ones only; the repeats of their
//! connects fall into the same time as those of all others.

use std::time::Duration;

use super::{FIRST_GAP, Lane, SPACING, TIMER_SLACK};
use crate::engine::Asking;
use crate::engine::completeness::PRIOR_LOSS;
use crate::engine::pass::{Kind, Scope};
use crate::engine::trials::SERVER_REPEATS;
use crate::model::Time;

impl Lane {
    /// The pass is over: what did it prove?
    pub fn conclude(&mut self, asking: Asking) {
        let refused = self.fewest_refused.unwrap_or(1);
        let (made, doubts) = match asking {
            Asking::Syn { .. } => (1, 1),
            Asking::Handshake => {
                let fewest = self.fewest_silent.or(self.fewest_refused);
                self.pass.syns = fewest.or(self.pass.syns);
                // Repeats that nobody paces prove nothing where the path carries less than was sent.
                let made = match self.pass.syns.filter(|_| !self.is_unheard(asking)) {
                    Some(syns) if !self.control.is_limited() => syns,
                    // Nothing keeps them back, but no canary was asked beside them: half of them.
                    Some(syns) if self.control.loses_in_bursts() => syns.div_ceil(2),
                    _ => 1,
                };
                let all_asked = self.pass.scope == Scope::Noted || self.pass.kind == Kind::First;
                (made, if all_asked { refused } else { 0 })
            }
        };
        self.doubted += u16::from(doubts);
        let view = self.view();
        let first = self.pass.kind == Kind::First;
        let apart = first || self.pass.began >= self.proof + self.gap;
        let found_way = self.look_for_way();
        // Where nothing came in, what was not asked is most of it.
        let no_way = self.pass.cut_off && self.pass.gained == 0;
        // Nor did anything come to this walk where all that answered did so when it was sought.
        let unheard = self.pass.sought > 0 && self.pass.sought == self.pass.gained;
        let sound = !self.pass.tainted && !no_way && !unheard && self.pass.scope == Scope::All
            // By kernel connect a pass may find nobody to ask: all are being listened to.
            && (self.pass.asked > 0 || asking != Asking::Handshake);
        let counts = sound && view != View::Hole;
        if (counts || no_way) && !found_way && self.pass.kind == Kind::Patient {
            self.spaced += 1;
        }
        if self.heard > 0 && self.pass.gained == self.heard {
            // Everything that is known came with this pass: it stands for the first.
            self.spaced = 0;
        }
        match view {
            View::Clear => self.gap = FIRST_GAP,
            View::Hole => self.gap = (self.gap * 2).min(SPACING),
            View::Unknown if counts && apart && !first => {
                self.gap = (self.gap * 2).min(SPACING);
            }
            View::Unknown => {}
        }
        let trial = self.pass.trial;
        if counts && (apart || view == View::Clear) {
            self.proof = self.pass.began;
            self.trials.proves(trial, self.pass.coverage());
        }
        // Everything silent was listened to for the whole patience.
        let whole = asking == Asking::Handshake && self.pass.kind != Kind::Fast;
        if counts && whole && !self.is_unheard(asking) {
            self.trials.waited(trial);
        }
        let next = trial + u16::from(made);
        if sound {
            for repeat in trial + 1..next {
                self.trials.proves(repeat, 1.0);
                self.trials.listened(repeat);
            }
        }
        if self.pass.scope == Scope::All {
            self.rows = next;
        }
        if asking == Asking::Handshake {
            self.trials.unwatch_from(next);
        }
        self.fewest_silent = None;
        self.fewest_refused = None;
        self.likely_loss = self
            .estimate(PRIOR_LOSS)
            .map_or(PRIOR_LOSS, |estimate| estimate.per_attempt);
    }

    /// Whether there was a way to all that this pass has asked so far, and was none before.
    pub fn finds_way(&self) -> bool {
        self.cut_off && !self.pass.cut_off && self.pass.asked > 0
    }

    /// Was there a way to all that this pass was to ask (see `cut_off`)? The first that has one stands for the first of all.
    fn look_for_way(&mut self) -> bool {
        let found = self.finds_way();
        self.cut_off |= self.pass.cut_off;
        if found {
            self.cut_off = false;
            self.first_end = self.last_end;
            self.spaced = 0;
            self.doubted = 0;
            self.trials.void_before(self.pass.trial);
        }
        found
    }

    /// Notes which passes of SYNs were so long ago that servers have repeated what they answered in vain, or that the late
    /// ones have answered.
    pub(super) fn note_repeats(&mut self, now: Time, patience: Duration) {
        let slack = self.rtt.timeout() + TIMER_SLACK;
        if self.late.open() > 0 {
            self.trials.waited_since(now - self.late.wait(patience));
        }
        for pass in std::iter::once(&self.pass).chain(&self.past) {
            let over = pass
                .last_sent()
                .map(|sent| sent + SERVER_REPEATS[0] + slack);
            if over.is_some_and(|over| over <= now) {
                self.trials.listened(pass.trial);
            }
        }
    }

    /// The proof of the present pass is to be weighed once more, by this lane itself.
    pub fn forget_proof(&mut self) {
        for row in self.pass.trial..self.rows.max(self.pass.trial + 1) {
            self.trials.forget(row);
        }
        self.doubted = self.doubted.saturating_sub(1);
        if self.pass.kind == Kind::Patient {
            self.spaced = self.spaced.saturating_sub(1);
        }
    }

    /// By kernel connect a pass is over when its attempts have ended; those that live the whole patience may go on
    /// beside the next fast pass.
    pub(super) fn is_quiet(&self, asking: Asking) -> bool {
        match asking {
            Asking::Syn { .. } => false,
            Asking::Handshake if self.is_unheard(asking) => self.hasty == 0,
            Asking::Handshake => self.outstanding == 0,
        }
    }

    /// By kernel connect: some silent endpoint was not listened to for the whole patience.
    pub fn is_unheard(&self, asking: Asking) -> bool {
        asking == Asking::Handshake && self.settled < self.remaining
    }

    /// What the canaries of the present pass showed.
    pub(super) fn view(&self) -> View {
        let (sent, heard) = self.pass.canaries();
        if sent >= FEW_CANARIES && heard * 4 < sent {
            View::Hole
        } else if sent >= ENOUGH_CANARIES {
            View::Clear
        } else {
            View::Unknown
        }
    }
}

/// What canaries showed of a pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    /// Too few were asked.
    Unknown,
    Clear,
    /// Next to nothing got through.
    Hole,
}

const FEW_CANARIES: usize = 2;
const ENOUGH_CANARIES: usize = 6;
