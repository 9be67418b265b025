//! How fast one lane may go: what gets through decides, not what is lost.
//!
//! Loss that is the same at every rate (a bad radio link) is no reason to slow down; loss that grows with the rate (a
//! limiter, a full queue, a full table of flows) is; and where nothing gets through at all, sending more proves nothing.
//!
//! Where a good share of the probes stays unanswered, *canaries* tell why (see `canary`):
//!
//! - They answer: SYNs get through, and what is silent is silent by nature. If closed ones fail beside open ones that
//!   answer, the host limits its resets, and slowing down for that would cost minutes (200 a second are common).
//! - Some fail: the lane goes down to the rate at which answers come and looks whether the share that gets through rises. If
//!   not, the rate is not what loses packets here, and it goes back and does not try again in this pass.
//! - All fail: the path is *choked*. The lane sends nothing but canaries until they answer again, then asks once more what it
//!   asked since the last proof that packets came through, at the rate that did come through. From there the rate doubles as
//!   long as it is well below the one that choked, then grows by a quarter each second. A burst of losses costs a moment that
//!   way, a limiter is met at its own rate, a full table of flows at the rate at which flows expire, and a target that has
//!   shut itself is given up, with what was not tested named as such.

mod bursts;
mod chokes;
mod path;
mod resets;
mod rounds;
mod stalls;
mod windows;

use std::time::Duration;

use crate::engine::canary::{Canaries, Count, Each, Tally, To};
use crate::engine::control::bursts::Bursts;
use crate::engine::control::chokes::Chokes;
use crate::engine::control::resets::Resets;
use crate::engine::gauge::Gauge;
use crate::engine::pace::Pace;
use crate::model::{State as Verdict, Time};

pub use self::bursts::Repeats;
pub use self::path::{Advice, Path, Whose};

/// The rate of one lane.
#[derive(Clone, Debug)]
pub struct Control {
    state: State,
    pace: Option<Pace>,
    gauge: Gauge,
    pub canaries: Canaries,
    tried: Tried,
    resets: Resets,
    bursts: Bursts,
    /// Canaries that failed in a row.
    failed: u32,
    /// Canaries of the rounds in a row of which fewer answered than were expected to.
    low: Count,
    /// How many probes may be out that nothing has proven to come through.
    unproven: u64,
    stuck: Stuck,
    /// When to ask canaries again that were all asked a moment ago.
    again: Option<Time>,
    /// No canaries before then.
    quiet: Time,
    /// The rate at which the path choked last, and the highest that came through since.
    choking: f64,
    carried: f64,
    chokes: Chokes,
    proving: Proving,
    /// Canaries answered in a network that was found limited, until they tell how many do at a rate that it carries.
    calm: Count,
    timing: Timing,
    /// When probes left last, and how many have since our own side last fell behind its pace.
    last_sent: Time,
    last_count: u64,
    steady: u64,
    behind: Behind,
    /// Hosts whose canaries alone have failed, for the engine to see to.
    pub apart: Vec<u64>,
}

/// Whether the canaries that are out left with what they are to prove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Timing {
    AtOnce,
    /// They had to rest first, or our own side stalled, and so a limiter could rest.
    Late,
}

/// Whether the network that this lane shares with others limits them together: then nothing that it alone sees counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Behind {
    Nothing,
    Limiter,
}

/// Whether what a kernel repeats beside this pass may prove something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Proving {
    Possible,
    /// Nobody asked canaries beside them, because the path seemed to be limited.
    Missed,
    /// The same of the last pass, some of whose connects go on beside this one.
    MissedBefore,
}

/// Whether this pass was tried at a lower rate already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tried {
    NotYet,
    InThisPass,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    /// Only the scan's own pace counts.
    Free,
    /// Going slower; nothing counts before `from`. `before` is the rate that a limiter was found at, if it was.
    Trying {
        share: f64,
        from: Time,
        before: Option<f64>,
    },
    /// More got through at the lower rate. That may be the rate or mere luck (a burst of losses has ended): going at full
    /// rate once more tells. Nothing counts before `from`.
    Rechecking { share: f64, rate: f64, from: Time },
    /// A limiter was found. The share that gets through at this rate, once known.
    Held { share: Option<f64>, raise: Time },
    /// Nothing gets through. The next canaries leave at `next`.
    Choked {
        since: Time,
        next: Time,
        wait: Duration,
    },
}

impl Control {
    pub fn new(now: Time) -> Self {
        Self {
            state: State::Free,
            pace: None,
            gauge: Gauge::new(now),
            canaries: Canaries::default(),
            tried: Tried::NotYet,
            resets: Resets::default(),
            bursts: Bursts::default(),
            failed: 0,
            low: Count::default(),
            unproven: FIRST_UNPROVEN,
            stuck: Stuck::default(),
            again: None,
            quiet: now,
            choking: f64::INFINITY,
            carried: 0.0,
            chokes: Chokes::default(),
            proving: Proving::Possible,
            calm: Count::default(),
            timing: Timing::AtOnce,
            last_sent: now,
            last_count: 0,
            steady: 0,
            behind: Behind::Nothing,
            apart: Vec::new(),
        }
    }

    /// A new pass begins. What the old one showed is judged now: a short pass is over before any window is.
    pub fn pass_began(&mut self, now: Time, path: &Path) {
        let enough = self.gauge.window_sent() >= LEAST_SENT;
        match self.state {
            State::Rechecking { share, rate, from } if enough => {
                self.look_again(now, path, share, rate, from);
            }
            State::Trying { share, before, .. } if enough => {
                self.look_trying(now, path, share, now, before);
            }
            State::Held { share, raise } => {
                // Other endpoints are asked from here on: the old share means nothing.
                let share = share.filter(|_| !enough);
                self.state = State::Held { share, raise };
            }
            _ => {}
        }
        if self.state == State::Free {
            self.tried = Tried::NotYet;
        }
        self.proving = match self.proving {
            Proving::Missed => Proving::MissedBefore,
            Proving::MissedBefore | Proving::Possible => Proving::Possible,
        };
        self.gauge.restart(now);
    }

    /// How many probes may leave now, as far as this lane is concerned.
    pub fn available(&mut self, now: Time) -> usize {
        if self.is_choked() {
            return 0;
        }
        let room = self
            .pace
            .as_mut()
            .map_or(usize::MAX, |pace| pace.available(now));
        if self.is_waiting() {
            let left = self.unproven.saturating_sub(self.gauge.unproven());
            room.min(usize::try_from(left).unwrap_or(usize::MAX))
        } else {
            room
        }
    }

    /// Canaries are out, or follow those that failed: what is sent before they tell may be lost. Nobody waits for canaries that
    /// will not be asked.
    pub fn is_waiting(&self) -> bool {
        self.canaries.due().is_some() || self.failed > 0 && self.again.is_some()
    }

    /// When there is room again, or something to look at.
    pub fn ready_at(&self) -> Time {
        if self.is_choked() {
            return self.event_at();
        }
        if self.is_waiting() && self.gauge.unproven() >= self.unproven {
            return self.event_at();
        }
        self.pace.as_ref().map_or(Time::ZERO, Pace::ready_at)
    }

    /// When the control has to look again whatever else happens.
    pub fn event_at(&self) -> Time {
        match (self.canaries.due(), self.state) {
            (Some(due), _) => due,
            (None, State::Choked { next, .. }) => next,
            (None, _) => self.again.unwrap_or(Time::NEVER),
        }
    }

    /// Whether a pass that is over must wait: canaries are out, or nothing gets through.
    pub fn is_pending(&self) -> bool {
        self.canaries.due().is_some() || self.again.is_some() || self.is_choked()
    }

    /// Whether this path was found to carry less than was sent. Then the repeats that a kernel makes of its connects, which
    /// nobody paces, prove nothing.
    pub fn is_limited(&self) -> bool {
        self.chokes.times() > 1
            || self.behind == Behind::Limiter
            || self.proving != Proving::Possible
    }

    /// Whether canaries failed on this path in a way that chance does not explain.
    pub fn may_be_limited(&self) -> bool {
        self.chokes.times() > 0
    }

    /// Whether this path is held to a rate, or was too often to be trusted.
    pub fn is_limiting(&self) -> bool {
        self.chokes.times() > 1 || self.state != State::Free
    }

    /// Whether a limiter was found: a rate that is only being tried, or was when the walks ended, tells of none.
    pub fn has_found_limiter(&self) -> bool {
        let unproven = matches!(self.state, State::Free | State::Trying { before: None, .. });
        self.chokes.times() > 1 || !unproven
    }

    /// Goes at this rate at most until something has answered.
    pub fn spread(&mut self, now: Time, rate: f64) {
        if self.state == State::Free && self.canaries.is_empty() {
            self.pace = Some(held(rate, now));
        }
    }

    /// Something has answered: no more need to spread.
    pub fn hasten(&mut self) {
        if self.state == State::Free {
            self.pace = None;
        }
    }

    /// Canaries answer later than they are waited for: that they failed meant nothing, and they are none.
    pub fn canaries_are_late(&mut self, now: Time) {
        self.canaries.forget_all();
        self.set_free();
        self.chokes = Chokes::default();
        self.again = None;
        self.gauge.resume(now);
    }

    /// The network before this lane limits it together with others, and the control of the network sees to that.
    pub fn rest_behind_limiter(&mut self) {
        self.set_free();
        self.low = Count::default();
        self.again = None;
        self.canaries.call_off();
        self.behind = Behind::Limiter;
    }

    fn set_free(&mut self) {
        self.state = State::Free;
        self.pace = None;
        self.failed = 0;
    }

    /// When something was last sent that is known to have come through.
    pub fn proof(&self) -> Time {
        self.gauge.proof()
    }

    /// Whether what canaries lose on this path is lost in bursts, and not because of what is sent.
    pub fn loses_in_bursts(&self) -> bool {
        self.bursts.are_found()
    }

    pub fn is_choked(&self) -> bool {
        matches!(self.state, State::Choked { .. })
    }

    /// So many probes leave now.
    pub fn sent(&mut self, count: usize, now: Time, repeats: Repeats) {
        self.gauge.sent(count);
        if count > 0 {
            self.bursts.sent(now, repeats);
            if self.has_stalled(now) {
                self.steady = 0;
            }
            self.steady += count as u64;
            self.last_sent = now;
            self.last_count = count as u64;
        }
        if let Some(pace) = &mut self.pace {
            pace.sent(count);
        }
    }

    /// An endpoint of this lane answered for the first time, which was asked at `asked` if that is certain; `canary` is its index
    /// where it can be asked again.
    pub fn answered(&mut self, canary: Option<u64>, state: Verdict, asked: Option<Time>) {
        self.gauge.answered(asked);
        let opens = self.canaries.open_known();
        if let Some(index) = canary {
            self.canaries.learn(index, state);
        }
        let telling = opens < LEAST_OPEN && self.canaries.open_known() >= LEAST_OPEN;
        if telling && matches!(self.state, State::Held { .. }) {
            // Only now can limited resets be told from limited SYNs: look once at full rate.
            self.pace = None;
            self.state = State::Free;
        }
    }

    /// Endpoints to ask again in a pass, to see what it loses, by the plan's index: open ones, and where those are too few to
    /// tell anything, closed ones as well.
    pub fn known(&self) -> Vec<u64> {
        let mut known = self.canaries.open();
        if known.len() < FEW_OPEN && self.heeds_resets() {
            known.extend(self.canaries.closed());
        }
        known
    }

    /// Whether missing resets tell of loss: false once the host was found to limit them.
    pub fn heeds_resets(&self) -> bool {
        !self.resets.are_limited()
    }

    /// Looks at canaries that are due and at the window that has passed.
    pub fn look(&mut self, now: Time, path: &Path) -> Advice {
        if let Some((sent, tally)) = self.canaries.judge(now, path.held_up) {
            let advice = self.judge(now, path, sent, tally);
            if advice != Advice::Nothing {
                return advice;
            }
        }
        if let State::Choked { since, next, .. } = self.state {
            if now.since(since) > path.patience * GIVE_UP {
                return Advice::GiveUp;
            }
            if now >= next && self.canaries.due().is_none() {
                return self.ask(now, path);
            }
            return Advice::Nothing;
        }
        if self.again.is_some_and(|again| now >= again) {
            let advice = self.ask(now, path);
            self.timing = Timing::Late;
            return advice;
        }
        let wanted = self.gauge.unproven() * 2 >= self.unproven && now >= self.quiet;
        // What would prove nothing is not asked: canaries are needed where it would.
        if wanted && !self.is_waiting() && self.timing(now, path) == Timing::AtOnce {
            let advice = self.ask(now, path);
            if advice != Advice::Nothing {
                return advice;
            }
        }
        let window = path.timeout.max(LEAST_WINDOW);
        let due = matches!(self.state, State::Held { raise, .. } if now >= raise);
        let enough = self.gauge.window_sent() >= if due { 1 } else { LEAST_SENT };
        if self.gauge.window(now) < window || !enough {
            return Advice::Nothing;
        }
        match self.state {
            State::Free => self.look_free(now, path),
            State::Trying {
                share,
                from,
                before,
            } => self.look_trying(now, path, share, from, before),
            State::Rechecking { share, rate, from } => {
                self.look_again(now, path, share, rate, from);
            }
            State::Held { share, raise } => self.look_held(now, path, share, raise),
            State::Choked { .. } => {}
        }
        Advice::Nothing
    }
}

/// How often it went on in vain: what carries fewer probes at a time than are sent without a proof fails whatever the rate is
/// (a table of flows that is small, and full for seconds).
#[derive(Clone, Copy, Debug, Default)]
struct Stuck {
    /// Since a proof; each takes one away.
    times: u32,
    since: Time,
}

fn held(rate: f64, now: Time) -> Pace {
    Pace::steady(rate.max(LEAST_RATE), now)
}

const LEAST_WINDOW: Duration = Duration::from_millis(5);
const LEAST_SENT: u64 = 64;
const QUICK_RAISE: Duration = Duration::from_millis(50);
const LEAST_RATE: f64 = 20.0;
/// A proof is asked for where half of this many probes lack one, and waited for where all of them do; each doubles it.
const FIRST_UNPROVEN: u64 = 256;
const MOST_UNPROVEN: u64 = 4096;
const LEAST_UNPROVEN: u64 = 16;
/// Fewer open ones tell nothing of a pass.
const FEW_OPEN: usize = 2;
/// Open endpoints that must be known before limited resets can be told from limited SYNs.
const LEAST_OPEN: usize = 3;
/// Patiences after which a target that answers nothing any more is given up: longer than a router keeps a flow that was
/// never answered (120 s).
const GIVE_UP: u32 = 45;
