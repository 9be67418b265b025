//! A lane: endpoints that are walked together, pass after pass, until silence means something.
//!
//! The cadence (design sections 4 and 5; what follows what is in `cadence`):
//!
//! - The first pass asks everything. What stays silent is asked again.
//! - *Fast* passes follow one retransmission timeout apart for as long as they pay: each leaves from a fresh flow, because
//!   a server answers a repeat of the same SYN at most once in 500 ms.
//! - *Patient* passes follow a second apart (less where the whole patience is less), reckoned for each endpoint. They
//!   repeat the first attempt to the letter (or, by kernel connect, live the whole patience), so that slow servers are
//!   heard and bursts of loss are outlasted.
//! - Losses come in bursts, and attempts inside one burst are lost together. Canaries tell whether a pass fell into a hole
//!   (see `trials`); then the next one waits, for a gap that doubles from 50 ms to a second. Where too few endpoints are
//!   known to be open, an attempt proves something only when it began such a gap after the last that did.
//! - The lane is done when the stop rule says that little enough was missed, every silent endpoint was asked twice a
//!   second apart and listened to for the whole patience, and every endpoint that drew an ICMP error was asked four times
//!   over two seconds.

mod attribution;
mod cadence;
mod proof;
mod walked;

use std::time::Duration;

use self::walked::Walked;
use crate::engine::clumps::Clumps;
use crate::engine::completeness::PRIOR_LOSS;
use crate::engine::control::Control;
use crate::engine::late::Late;
use crate::engine::pass::{Kind, Lives, Pass, Scope};
use crate::engine::rtt::Rtt;
use crate::engine::space::Space;
use crate::engine::trials::{Counted, Estimate, Trials};
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
    /// Go on with the walk of this pass.
    Walk,
    /// Decide again: answers may have come meanwhile.
    Decide,
}

/// What a lane knows of the scan around it when it decides.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    pub config: &'a Config,
    /// Loss of the whole scan, to which a lane with few samples is drawn.
    pub mean_loss: f64,
    /// Odds of missing an endpoint that this scan can afford (see `completeness`).
    pub affordable: f64,
    /// Where nothing ever answered, fast repeats are wasted.
    pub crowd: Crowd,
}

/// Whether a lane holds one host or all those that have no lane of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crowd {
    OneHost,
    ManyHosts,
}

/// Whether what keeps back the packets of all hosts explains what this one's canaries tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Company {
    #[default]
    All,
    /// They failed while those of others answered.
    Apart,
    /// Nothing showed in the end that it still answers, and so they were asked once more.
    AskedLast,
}

/// Whether the canaries of this host have watched a pass over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watched {
    Yes,
    /// A kernel has asked as often as it takes, in company. Whether that came through is still to be seen.
    NotYet,
}

/// See the top of the file.
pub struct Lane {
    pub space: Space,
    /// Endpoints that have not answered.
    pub remaining: u64,
    /// Endpoints that have.
    pub heard: u64,
    /// Unanswered endpoints that are settled, and those of which something is noted (see `ledger`).
    pub settled: u64,
    pub noted: u64,
    pub rtt: Rtt,
    pub trials: Trials,
    /// The loss of one attempt, as far as it was known at the end of the last pass.
    pub likely_loss: f64,
    pub control: Control,
    pub company: Company,
    pub watched: Watched,
    /// Of the first walk of connects to one host; of none otherwise.
    pub clumps: Clumps,
    /// Some endpoints of the latest pass lie behind a gateway that did not answer (see `cut_off`).
    pub cut_off: bool,
    pub pass: Pass,
    pub phase: Phase,
    /// A pass has begun that the control has not been told of.
    pub fresh: bool,
    pub open: u64,
    /// Those of them that answered late.
    pub late: Late,
    /// Over how long its walks are spread while nothing has answered.
    pub spread: Duration,
    /// When the engine looks at this lane next.
    pub wake: Time,
    /// Kernel connects that have not ended.
    pub outstanding: u64,
    /// Those among them that live for one timeout only.
    pub hasty: u64,
    /// Fewest SYNs of a connect of this pass that stayed silent for the whole patience, and of one that drew an ICMP error.
    pub fewest_silent: Option<u8>,
    pub fewest_refused: Option<u8>,
    /// Passes before the current one, latest first, for as long as their answers may still be told apart.
    past: Vec<Pass>,
    /// Attempts that were made at the silent endpoints: by kernel connect each SYN is one.
    rows: u16,
    /// Passes a second or more after the one before.
    spaced: u16,
    /// Attempts at the endpoints of which something is noted.
    doubted: u16,
    first_end: Time,
    last_end: Time,
    latest_spaced: Walked,
    /// When the latest pass began that proves something, and how much later the next such may begin.
    proof: Time,
    gap: Duration,
    flows_used: u8,
}

impl Lane {
    /// A lane over `remaining` endpoints that nobody has asked yet.
    pub fn new(space: Space, remaining: u64, now: Time) -> Self {
        Self {
            space,
            remaining,
            heard: 0,
            settled: 0,
            noted: 0,
            rtt: Rtt::default(),
            trials: Trials::default(),
            likely_loss: PRIOR_LOSS,
            control: Control::new(now),
            company: Company::All,
            watched: Watched::Yes,
            clumps: Clumps::default(),
            cut_off: false,
            pass: Pass::new(Kind::First, Scope::All, 0, 0, now).over(remaining),
            phase: if remaining == 0 {
                Phase::Done
            } else {
                Phase::Walking
            },
            fresh: false,
            open: 0,
            late: Late::default(),
            spread: Duration::ZERO,
            wake: now,
            outstanding: 0,
            hasty: 0,
            fewest_silent: None,
            fewest_refused: None,
            past: Vec::new(),
            rows: 0,
            spaced: 0,
            doubted: 0,
            first_end: now,
            last_end: now,
            latest_spaced: Walked::nothing(now),
            proof: now,
            gap: FIRST_GAP,
            flows_used: 1,
        }
    }

    /// A lane for one host that leaves this one: what was asked so far was asked here.
    pub fn branch(&self, space: Space, now: Time) -> Self {
        let mut pass = Pass::new(
            self.pass.kind,
            self.pass.scope,
            self.pass.number,
            self.pass.flow,
            self.pass.began,
        );
        pass.tainted = self.pass.tainted;
        pass.trial = self.pass.trial;
        pass.syns = self.pass.syns;
        // So that its first pass of its own is judged by what the host has answered, not by silence.
        pass.gained = 1;
        pass.asked = 1;
        Self {
            pass,
            rows: self.rows,
            spaced: self.spaced,
            doubted: self.doubted,
            first_end: self.first_end,
            last_end: self.last_end,
            latest_spaced: self.latest_spaced,
            proof: self.proof,
            gap: self.gap,
            flows_used: self.flows_used,
            trials: self.trials.clone(),
            ..Self::new(space, 0, now)
        }
    }

    /// What limits the network is not what this lane alone meets.
    pub fn rest_behind_limiter(&mut self) {
        if self.company == Company::All {
            self.control.rest_behind_limiter();
        }
    }

    pub fn is_walking(&self) -> bool {
        self.phase == Phase::Walking
    }

    /// When the latest pass was sent.
    pub fn last_end(&self) -> Time {
        self.last_end
    }

    /// The walk has reached the end.
    pub fn walked(&mut self, now: Time, asking: Asking) {
        self.last_end = now;
        if self.pass.kind == Kind::First {
            self.first_end = now;
        }
        if self.pass.kind != Kind::Fast {
            self.latest_spaced = Walked {
                began: self.pass.began,
                ended: now,
                asked: self.pass.asked,
            };
        }
        if asking != Asking::Handshake {
            self.trials.sent(self.pass.trial, self.pass.began, now);
        }
        self.phase = Phase::Settling(match asking {
            Asking::Syn { .. } => now + self.last_wait(),
            Asking::Handshake => Time::NEVER,
        });
    }

    /// How long what was asked last is listened to before anything else follows. A walk is not spread at the cost of the next
    /// one: it is listened to beside that.
    fn last_wait(&self) -> Duration {
        self.rtt.timeout().saturating_sub(self.spread)
    }

    /// Whether the pass is over: its answers have had their time, or (by kernel connect) its attempts have ended.
    pub fn is_over(&self, now: Time, asking: Asking) -> bool {
        matches!(self.phase, Phase::Settling(until) if now >= until || self.is_quiet(asking))
    }

    /// Asks again what was asked since `proof`: nothing came through since then. The first key that is asked again.
    ///
    /// A SYN that repeats an earlier one to the letter is answered at once, but the next such only half a second later. If
    /// the answer to a patient repeat was what was lost, asking again before then would prove nothing, whatever canaries
    /// say: they have ended their connections, and are heard each time.
    pub fn rewind(&mut self, proof: Time, asking: Asking) -> u64 {
        let rests = self.pass.kind == Kind::Patient && matches!(asking, Asking::Syn { .. });
        self.phase = match self.pass.last_sent().filter(|_| rests) {
            Some(last) => Phase::Resting(last + LEAST_SPACING + FIRST_GAP, Next::Walk),
            None => Phase::Walking,
        };
        let first = self.pass.rewind(proof);
        let (asked, heard) = self.pass.canaries();
        self.trials.rewatch(self.pass.trial, asked, heard);
        first
    }

    /// Goes on after a rest whose time is over.
    pub fn resume(&mut self, now: Time, outlook: &Outlook<'_>) {
        if self.remaining == 0 {
            self.phase = Phase::Done;
        }
        if let Phase::Resting(until, next) = self.phase
            && now >= until
        {
            match next {
                Next::Walk => self.phase = Phase::Walking,
                Next::Pass(kind, scope) => self.begin(now, kind, scope, outlook.config.asking),
                Next::Decide => self.decide(now, outlook),
            }
        }
    }

    /// When to look at the lane again, apart from the scan's own pace.
    pub fn due(&self, config: &Config) -> Time {
        let due = match self.phase {
            Phase::Walking => self.control.ready_at(),
            Phase::Settling(_) if self.control.is_pending() => self.control.event_at(),
            Phase::Settling(until) | Phase::Resting(until, _) => until,
            Phase::Done => Time::NEVER,
        };
        due.min(self.echo_due(config))
    }

    /// When a canary is due beside what the kernel repeats: only where all silent endpoints are listened to for so long.
    pub fn echo_due(&self, config: &Config) -> Time {
        let repeats = match self.phase {
            Phase::Walking => self.pass.lives == Lives::Whole,
            Phase::Settling(_) => !self.is_unheard(config.asking),
            Phase::Resting(..) | Phase::Done => false,
        };
        // They would prove nothing where the path carries less than is sent.
        let tells = repeats && self.pass.scope == Scope::All && !self.control.is_limited();
        if tells && config.asking == Asking::Handshake {
            self.pass.echoes.due(config.listening())
        } else {
            Time::NEVER
        }
    }

    /// How long the next kernel connect lives. One that stays silent for a timeout is lost time unless answers are
    /// common: then the first attempt had better live the whole patience.
    pub fn life(&self, rtt: &Rtt, listening: Duration) -> Duration {
        let pays = rtt.is_known() && self.pass.gained * HASTY_SHARE >= self.pass.asked;
        match self.pass.kind {
            Kind::Fast => rtt.timeout().max(FAST_LIFE).min(listening),
            Kind::First if pays => rtt.timeout().max(FAST_LIFE).min(listening),
            Kind::First | Kind::Patient => listening,
        }
    }

    /// The odds that an endpoint of this lane that would answer has not; `None` where nothing has answered, since nothing can
    /// be said there, and where nothing is left.
    pub fn odds(&self, mean_loss: f64) -> Option<f64> {
        self.estimate(mean_loss)
            .map(|estimate| self.odds_of(&estimate))
    }

    /// The same: of the endpoints that are open, some answer late.
    fn odds_of(&self, estimate: &Estimate) -> f64 {
        let prompt = prompt_odds(estimate);
        let late = self.late.open();
        if late == 0 {
            return prompt;
        }
        let unheard = (late as f64 * estimate.late_odds).min(self.remaining as f64);
        let open = self.open.max(late);
        ((open - late) as f64 * prompt + unheard) / open as f64
    }

    fn estimate(&self, mean_loss: f64) -> Option<Estimate> {
        let counted = if self.control.heeds_resets() {
            Counted::All
        } else {
            Counted::Open
        };
        self.trials
            .estimate(counted, mean_loss, self.remaining, self.late.open())
    }

    /// Whether more was missed than the scan can afford.
    pub fn misses(&self, outlook: &Outlook<'_>) -> Misses {
        match self.estimate(outlook.mean_loss) {
            Some(estimate) if self.odds_of(&estimate) >= outlook.affordable => {
                if prompt_odds(&estimate) >= outlook.affordable {
                    Misses::TooMuch
                } else {
                    Misses::TooManyLate
                }
            }
            Some(_) | None => Misses::Little,
        }
    }
}

/// What the stop rule says of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misses {
    Little,
    TooMuch,
    /// Only of what answers late: attempts that follow each other fast do not bring that in.
    TooManyLate,
}

/// The odds that an endpoint that would answer in time has not.
fn prompt_odds(estimate: &Estimate) -> f64 {
    if estimate.heard > 0.0 {
        estimate.silent_unheard / estimate.heard
    } else {
        0.0
    }
}

/// The kernel's timers of a second are late by up to this.
const TIMER_SLACK: Duration = Duration::from_millis(100);
const SPACING: Duration = Duration::from_secs(1);
/// Closer together repeats prove nothing: Linux answers the same SYN once in this time (`tcp_invalid_ratelimit`).
const LEAST_SPACING: Duration = Duration::from_millis(500);
const FIRST_GAP: Duration = Duration::from_millis(50);
const FAST_LIFE: Duration = Duration::from_millis(20);
/// A fast pass must bring an answer for one in this many.
const FAST_SHARE: u64 = 20;
/// Where fewer than one in this many answer, most of the others are silent by nature and are listened to for the whole patience
/// anyway: a short first attempt would be one SYN more to each of them.
const HASTY_SHARE: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    #[test]
    fn a_syn_that_repeats_a_repeat_waits_until_servers_answer_it() {
        let syn = Asking::Syn { flows: 20 };
        let mut lane = Lane::new(Space::Block, 10, Time::ZERO);
        lane.pass.checkpoint(0, at(1));
        lane.rewind(Time::ZERO, syn);
        assert_eq!(lane.phase, Phase::Walking, "a repeat is answered at once");
        lane.begin(at(1000), Kind::Patient, Scope::All, syn);
        lane.pass.checkpoint(0, at(1010));
        lane.rewind(at(1000), syn);
        assert_eq!(lane.phase, Phase::Resting(at(1560), Next::Walk));
        // A kernel connect has a port of its own each time.
        lane.phase = Phase::Walking;
        lane.pass.checkpoint(0, at(1600));
        lane.rewind(at(1600), Asking::Handshake);
        assert_eq!(lane.phase, Phase::Walking);
    }
}
