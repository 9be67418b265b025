//! A lane: endpoints that are walked together, pass after pass, until silence means something.
//!
//! The cadence (design sections 4 and 5):
//!
//! - The first pass asks everything. What stays silent is asked again.
//! - *Fast* passes follow one retransmission timeout apart for as long as they pay: each leaves from a fresh flow, because
//!   a server answers a repeat of the same SYN at most once in 500 ms.
//! - *Patient* passes follow a second apart. They repeat the first attempt to the letter (or, by kernel connect, live the
//!   whole patience), so that slow servers are heard and bursts of loss are outlasted.
//! - Losses come in bursts, and attempts inside one burst are lost together. So an attempt proves something only when it
//!   began a gap after the last that did; gaps double from 50 ms to a second.
//! - The lane is done when the stop rule says that little enough was missed, every silent endpoint was asked twice a
//!   second apart and listened to for the whole patience, and every endpoint that drew an ICMP error was asked four times
//!   over two seconds.

use std::time::Duration;

use crate::engine::bitmap::Bitmap;
use crate::engine::completeness::Loss;
use crate::engine::evidence::Evidence;
use crate::engine::pass::{Kind, Pass, Scope};
use crate::engine::rtt::Rtt;
use crate::engine::{Asking, Config};
use crate::model::Time;

/// What a lane waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Sending: the cursor has not reached the end.
    Walking,
    /// Everything of this pass is sent; its answers are on their way until this time.
    Settling(Time),
    /// Nothing to send before this time.
    Resting(Time, Next),
    Done,
}

/// What follows a rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    Pass(Kind, Scope),
    /// Decide again: answers may have come meanwhile.
    Decide,
}

/// See the top of the file.
pub struct Lane {
    pub answered: Bitmap,
    /// By kernel connect: silent endpoints that were or are being listened to for the whole patience, and those of which
    /// something is noted.
    pub settled: Bitmap,
    pub evidence: Evidence,
    pub rtt: Rtt,
    pub loss: Loss,
    pub pass: Pass,
    pub phase: Phase,
    pub open: u64,
    /// Kernel connects that have not ended.
    pub outstanding: u64,
    /// Those among them that live for one timeout only.
    pub hasty: u64,
    /// Fewest SYNs of a connect of this pass that stayed silent for the whole patience, and of one that drew an ICMP error.
    pub fewest_silent: Option<u8>,
    pub fewest_refused: Option<u8>,
    /// Passes before the current one, latest first, for as long as their answers may still be told apart.
    past: Vec<Pass>,
    /// Attempts at each silent endpoint that prove something.
    attempts: u16,
    /// Passes a second or more after the one before.
    spaced: u16,
    /// Attempts at the endpoints of which something is noted.
    doubted: u16,
    first_end: Time,
    last_end: Time,
    spaced_end: Time,
    /// When the latest pass began that proves something, and how much later the next such may begin.
    proof: Time,
    gap: Duration,
    flows_used: u8,
}

impl Lane {
    /// A lane over `len` ranks.
    pub fn new(len: u64, asking: Asking) -> Self {
        let settled = match asking {
            Asking::Syn { .. } => 0,
            Asking::Handshake => len,
        };
        Self {
            answered: Bitmap::new(len),
            settled: Bitmap::new(settled),
            evidence: Evidence::default(),
            rtt: Rtt::default(),
            loss: Loss::default(),
            pass: Pass::new(Kind::First, Scope::All, 0, 0, Time::ZERO),
            phase: if len == 0 {
                Phase::Done
            } else {
                Phase::Walking
            },
            open: 0,
            outstanding: 0,
            hasty: 0,
            fewest_silent: None,
            fewest_refused: None,
            past: Vec::new(),
            attempts: 0,
            spaced: 0,
            doubted: 0,
            first_end: Time::ZERO,
            last_end: Time::ZERO,
            spaced_end: Time::ZERO,
            proof: Time::ZERO,
            gap: FIRST_GAP,
            flows_used: 1,
        }
    }

    /// The next rank that this pass asks, without moving the cursor.
    pub fn next_rank(&self) -> Option<u64> {
        let mut rank = self.answered.next_zero(self.pass.cursor)?;
        while self.pass.scope == Scope::Noted && self.evidence.reason(rank).is_none() {
            rank = self.answered.next_zero(rank + 1)?;
        }
        Some(rank)
    }

    /// The pass whose SYNs left by `flow`; where identical repeats were made, the latest.
    pub fn pass_of_flow(&self, flow: u8) -> Option<&Pass> {
        std::iter::once(&self.pass)
            .chain(&self.past)
            .find(|pass| pass.flow == flow)
    }

    /// Whether identical repeats of the first attempt have begun: then its answers give no RTT sample (Karn).
    pub fn has_repeated(&self) -> bool {
        self.spaced > 0 || self.pass.kind == Kind::Patient
    }

    /// The walk has reached the end.
    pub fn walked(&mut self, now: Time, asking: Asking) {
        self.last_end = now;
        if self.pass.kind == Kind::First {
            self.first_end = now;
        }
        if self.pass.kind != Kind::Fast {
            self.spaced_end = now;
        }
        self.phase = Phase::Settling(match asking {
            Asking::Syn { .. } => now + self.rtt.timeout(),
            Asking::Handshake => Time::NEVER,
        });
    }

    /// Moves on where the time has come. Sends nothing.
    pub fn advance(&mut self, now: Time, config: &Config) {
        if self.answered.zeros() == 0 {
            self.phase = Phase::Done;
        }
        match self.phase {
            Phase::Settling(until) => {
                if now >= until || self.is_quiet(config.asking) {
                    self.conclude(config.asking);
                    self.decide(now, config);
                }
            }
            Phase::Resting(until, next) if now >= until => match next {
                Next::Pass(kind, scope) => self.begin(now, kind, scope),
                Next::Decide => self.decide(now, config),
            },
            Phase::Walking | Phase::Resting(..) | Phase::Done => {}
        }
    }

    /// When [`advance`](Self::advance) is worth calling again, apart from pacing.
    pub fn due(&self) -> Time {
        match self.phase {
            Phase::Walking => Time::ZERO,
            Phase::Settling(until) | Phase::Resting(until, _) => until,
            Phase::Done => Time::NEVER,
        }
    }

    /// How long the next kernel connect lives. One that stays silent for a timeout is lost time unless answers are
    /// common: then the first attempt had better live the whole patience.
    pub fn life(&self, patience: Duration) -> Duration {
        let pays = self.rtt.is_known() && self.pass.gained * FAST_SHARE >= self.pass.asked;
        match self.pass.kind {
            Kind::Fast => self.rtt.timeout().max(FAST_LIFE).min(patience),
            Kind::First if pays => self.rtt.timeout().max(FAST_LIFE).min(patience),
            Kind::First | Kind::Patient => patience,
        }
    }

    /// Open endpoints expected to have been missed; 0 where nothing has answered, since nothing can be said there.
    pub fn expected_missed(&self) -> f64 {
        if self.loss.samples() == 0 || self.answered.zeros() == 0 {
            return 0.0;
        }
        self.loss.expected_missed(self.open, self.attempts)
    }

    /// By kernel connect a pass is over when its attempts have ended; those that live the whole patience may go on
    /// beside the next fast pass.
    fn is_quiet(&self, asking: Asking) -> bool {
        match asking {
            Asking::Syn { .. } => false,
            Asking::Handshake if self.is_unheard(asking) => self.hasty == 0,
            Asking::Handshake => self.outstanding == 0,
        }
    }

    /// By kernel connect: some silent endpoint was not listened to for the whole patience.
    fn is_unheard(&self, asking: Asking) -> bool {
        asking == Asking::Handshake && self.settled.ones() < self.answered.zeros()
    }

    fn conclude(&mut self, asking: Asking) {
        // A connect is as many attempts as it sent SYNs.
        let (proves, doubts) = match asking {
            Asking::Syn { .. } => (1, 1),
            Asking::Handshake => {
                let fewest = self.fewest_silent.or(self.fewest_refused).unwrap_or(1);
                let proves = if self.is_unheard(asking) { 1 } else { fewest };
                let all_asked = self.pass.scope == Scope::Noted || self.pass.kind == Kind::First;
                (
                    proves,
                    if all_asked {
                        self.fewest_refused.unwrap_or(1)
                    } else {
                        0
                    },
                )
            }
        };
        let (proves, doubts) = (u16::from(proves), u16::from(doubts));
        self.doubted += doubts;
        let apart = self.pass.kind == Kind::First || self.pass.began >= self.proof + self.gap;
        let counts = !self.pass.tainted && self.pass.scope == Scope::All;
        if counts && self.pass.kind == Kind::Patient {
            self.spaced += 1;
        }
        if counts && apart {
            if self.pass.kind != Kind::First {
                self.gap = (self.gap * 2).min(SPACING);
            }
            self.proof = self.pass.began;
            self.attempts = self.attempts.saturating_add(proves);
        }
        self.fewest_silent = None;
        self.fewest_refused = None;
    }

    fn decide(&mut self, now: Time, config: &Config) {
        let made = self.pass.number + 1;
        if made >= config.max_attempts {
            return self.finish(now, config);
        }
        if self.fast_pays(config) {
            return self.begin(now, Kind::Fast, Scope::All);
        }
        if self.is_unheard(config.asking) {
            return self.begin(now, Kind::Patient, Scope::All);
        }
        let spaced = self.spaced_end + SPACING;
        let asked_enough =
            config.asking == Asking::Handshake || self.spaced >= self.least_spaced(config.patience);
        let missed = self.expected_missed() >= config.miss_budget;
        let few = self.few_are_missing(config);
        // A kernel connect is better repeated by the kernel: it has the SYN's cadence and costs no second descriptor.
        let fast = self.has_flow(config) && (few || missed && config.asking != Asking::Handshake);
        let soon = self.proof + self.gap;
        if fast && soon < spaced {
            self.phase = Phase::Resting(soon, Next::Pass(Kind::Fast, Scope::All));
            return;
        }
        if missed {
            self.phase = Phase::Resting(spaced, Next::Pass(Kind::Patient, Scope::All));
            return;
        }
        if !asked_enough {
            self.phase = Phase::Resting(spaced, Next::Pass(Kind::Patient, Scope::All));
            return;
        }
        let noted = self.evidence.icmp_count() + self.evidence.local_count();
        let doubtful = self.doubted < NOTED_ATTEMPTS || now < self.first_end + NOTED_SPAN;
        if noted > 0 && doubtful {
            self.phase = Phase::Resting(spaced, Next::Pass(Kind::Patient, Scope::Noted));
            return;
        }
        self.finish(now, config);
    }

    /// How many patient repeats a silent endpoint gets at least: one, or where nothing at all has answered as many as
    /// a kernel's connect would make within the patience.
    fn least_spaced(&self, patience: Duration) -> u16 {
        if self.answered.ones() > 0 {
            return 1;
        }
        let seconds = u16::try_from(patience.as_secs()).unwrap_or(u16::MAX);
        seconds.saturating_sub(1).clamp(1, 3)
    }

    /// Done, once everything has been listened to for long enough.
    fn finish(&mut self, now: Time, config: &Config) {
        let until = match config.asking {
            Asking::Syn { .. } => {
                (self.first_end + config.patience).max(self.last_end + self.rtt.timeout())
            }
            Asking::Handshake => now,
        };
        self.phase = if now >= until {
            Phase::Done
        } else {
            Phase::Resting(until, Next::Decide)
        };
    }

    fn begin(&mut self, now: Time, kind: Kind, scope: Scope) {
        let flow = match kind {
            Kind::First | Kind::Patient => 0,
            Kind::Fast => {
                self.flows_used += 1;
                self.flows_used - 1
            }
        };
        let next = Pass::new(kind, scope, self.pass.number + 1, flow, now);
        self.past.insert(0, std::mem::replace(&mut self.pass, next));
        // Answers to the first pass may come late; between it and the last two, nobody tells them apart.
        if self.past.len() > REMEMBERED {
            self.past.remove(REMEMBERED - 1);
        }
        self.phase = Phase::Walking;
    }

    /// Whether another fast pass is likely to bring answers soon.
    fn fast_pays(&self, config: &Config) -> bool {
        if self.pass.scope == Scope::Noted || !self.has_flow(config) {
            return false;
        }
        let gained = self.pass.gained > 0 || self.pass.tainted;
        let repeat = match self.pass.kind {
            Kind::First => self.rtt.is_known(),
            Kind::Fast => gained,
            // The path was dead and has come back.
            Kind::Patient => gained && !self.rtt.is_known(),
        };
        match config.asking {
            Asking::Syn { .. } => repeat,
            // A connect that stays silent costs a descriptor for its life, so it must be likely to answer.
            Asking::Handshake => {
                repeat
                    && self.pass.kind != Kind::Patient
                    && (self.pass.gained * FAST_SHARE >= self.pass.asked
                        || self.few_are_missing(config))
            }
        }
    }

    /// Whether a fast pass can still be made: the last flow is for stale endpoints, three passes are for patience.
    fn has_flow(&self, config: &Config) -> bool {
        let flow = match config.asking {
            Asking::Syn { flows } => self.flows_used + 1 < flows,
            Asking::Handshake => self.rtt.is_known(),
        };
        flow && self.pass.number + 4 <= config.max_attempts
    }

    /// So few are silent, and so much is lost, that they are more likely unlucky than silent by nature: asking them again
    /// costs next to nothing, and settles closed ports that the stop rule would leave filtered.
    pub fn few_are_missing(&self, config: &Config) -> bool {
        self.answered.zeros() * FEW_SHARE <= self.answered.ones()
            && self
                .loss
                .expected_missed(self.answered.ones(), self.attempts)
                >= config.miss_budget
    }
}

const SPACING: Duration = Duration::from_secs(1);
const FIRST_GAP: Duration = Duration::from_millis(50);
const NOTED_ATTEMPTS: u16 = 4;
const NOTED_SPAN: Duration = Duration::from_secs(2);
const FAST_LIFE: Duration = Duration::from_millis(20);
/// A fast pass of connects must bring an answer for one in this many.
const FAST_SHARE: u64 = 20;
/// Fewer silent endpoints than one in this many that answered are few.
const FEW_SHARE: u64 = 20;
const REMEMBERED: usize = 3;
