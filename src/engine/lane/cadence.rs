//! Which pass follows, and when a lane is done.

use std::time::Duration;

use super::proof::View;
use super::{
    Company, FAST_SHARE, LEAST_SPACING, Lane, Misses, Next, Outlook, Phase, SPACING, TIMER_SLACK,
    Watched, prompt_odds,
};
use crate::engine::Config;
use crate::engine::lane::Crowd;
use crate::engine::pass::{Again, Kind, Pass, Scope};
use crate::engine::{Asking, extra_flows};
use crate::model::Time;

impl Lane {
    /// Chooses the next pass, or none.
    pub fn decide(&mut self, now: Time, outlook: &Outlook<'_>) {
        let config = outlook.config;
        if config.asking != Asking::Handshake {
            self.note_repeats(now, config.patience);
        }
        let made = self.pass.number + 1;
        if made >= config.max_attempts {
            return self.finish(now, config);
        }
        if self.watched == Watched::NotYet || self.is_clumped(config) || self.fast_pays(outlook) {
            self.watched = Watched::Yes;
            return self.begin(now, Kind::Fast, Scope::All, config.asking);
        }
        if self.is_unheard(config.asking) {
            return self.begin(now, Kind::Patient, Scope::All, config.asking);
        }
        let spacing = config.patience.clamp(LEAST_SPACING, SPACING);
        let spaced = self.latest_spaced.repeated_after(self.remaining, spacing);
        let asked_enough = self.is_asked_enough(config);
        let misses = self.misses(outlook);
        let few = self.few_are_missing(outlook);
        let fast = self.has_flow(config) && (few || misses == Misses::TooMuch);
        let soon = self.soon();
        if fast {
            let at = if few {
                soon
            } else {
                soon.max(self.late_enough(outlook))
            };
            // Where a patient pass must follow and would be due before a fast one is over, it does for both.
            let over = at + self.last_end.since(self.pass.began);
            if few || asked_enough || over <= spaced {
                if at <= now {
                    return self.begin(now, Kind::Fast, Scope::All, config.asking);
                }
                // Decided again then: servers repeat their answers meanwhile.
                self.phase = Phase::Resting(at, Next::Decide);
                return;
            }
        }
        // What answers late is listened to first: it may have been asked often enough.
        let waits = match config.asking {
            Asking::Syn { .. } => self.last_end + self.late.wait(config.patience) + TIMER_SLACK,
            Asking::Handshake => now,
        };
        if misses == Misses::TooMuch || misses == Misses::TooManyLate && waits <= now {
            // Not before it proves something.
            let at = spaced.max(soon);
            self.phase = Phase::Resting(at, Next::Pass(Kind::Patient, Scope::All));
            return;
        }
        if !asked_enough {
            self.phase = Phase::Resting(spaced, Next::Pass(Kind::Patient, Scope::All));
            return;
        }
        if misses == Misses::TooManyLate {
            self.phase = Phase::Resting(waits, Next::Decide);
            return;
        }
        let doubtful = self.doubted < NOTED_ATTEMPTS || now < self.first_end + NOTED_SPAN;
        if self.noted > 0 && (doubtful || self.waits_for_way(config)) {
            self.phase = Phase::Resting(spaced, Next::Pass(Kind::Patient, Scope::Noted));
            return;
        }
        self.finish(now, config);
    }

    /// Whether a gateway that did not answer may still come back within the patience: then a pass must find it.
    fn waits_for_way(&self, config: &Config) -> bool {
        self.cut_off && self.pass.began < self.first_end + config.patience + WAY_BACK
    }

    /// Whether the silent endpoints were asked as often, and for as long, as any must be.
    fn is_asked_enough(&self, config: &Config) -> bool {
        match config.asking {
            Asking::Syn { .. } => self.spaced >= self.least_spaced(config.patience),
            Asking::Handshake => !self.is_unheard(config.asking) && !self.is_barely_heard(),
        }
    }

    /// Whether the one walk that was made brought an answer or two, and those only to repeats: then the path may have been dead
    /// for nearly all of it, and so few tell nothing of that.
    fn is_barely_heard(&self) -> bool {
        self.pass.kind == Kind::First
            && (1..=BARELY).contains(&self.heard)
            && self.trials.answered_to(0) == 0
    }

    /// Whether the silence of those that have not answered means something, whatever comes. It does not where canaries of other
    /// hosts have proven the passes over this one.
    pub fn is_tested(&self, outlook: &Outlook<'_>) -> bool {
        self.company == Company::All
            && self.pass.kind != Kind::First
            && self.is_asked_enough(outlook.config)
            && self.misses(outlook) == Misses::Little
    }

    /// When the next pass proves something.
    fn soon(&self) -> Time {
        match self.view() {
            View::Clear => self.last_end,
            View::Hole => self.last_end + self.gap,
            View::Unknown => self.proof + self.gap,
        }
    }

    /// When to begin with the passes that the stop rule still asks for, so that they end with the patience. Before that
    /// servers repeat what they have answered in vain, which may spare a pass, and nothing is won by being early.
    fn late_enough(&self, outlook: &Outlook<'_>) -> Time {
        let Some(estimate) = self.estimate(outlook.mean_loss) else {
            return Time::ZERO;
        };
        let odds = prompt_odds(&estimate);
        let per_pass = -estimate.per_attempt.clamp(1e-6, 0.95).ln();
        let passes = ((odds / outlook.affordable).ln() / per_pass)
            .ceil()
            .clamp(1.0, 20.0);
        let one = self.last_end.since(self.pass.began) + self.rtt.timeout();
        let all = one.mul_f64(passes);
        let end = self.first_end + outlook.config.patience;
        end - all
    }

    /// How many patient repeats a silent endpoint gets at least: one, or where nothing at all has answered as many as
    /// a kernel's connect would make within the patience.
    fn least_spaced(&self, patience: Duration) -> u16 {
        if self.heard > 0 {
            return 1;
        }
        let seconds = u16::try_from(patience.as_secs()).unwrap_or(u16::MAX);
        seconds.saturating_sub(1).clamp(1, 3)
    }

    /// Done, once everything has been listened to for long enough.
    fn finish(&mut self, now: Time, config: &Config) {
        let until = match config.asking {
            Asking::Syn { .. } => {
                let heard =
                    (self.first_end + config.patience).max(self.last_end + self.last_wait());
                if self.heard == 0 {
                    heard + NEIGHBOUR_FAILS
                } else {
                    heard
                }
            }
            Asking::Handshake => now,
        };
        self.phase = if now >= until {
            Phase::Done
        } else {
            Phase::Resting(until, Next::Decide)
        };
    }

    /// Begins a pass.
    pub fn begin(&mut self, now: Time, kind: Kind, scope: Scope, asking: Asking) {
        let flow = match kind {
            Kind::First | Kind::Patient => 0,
            Kind::Fast => {
                self.flows_used += 1;
                self.flows_used - 1
            }
        };
        let mut next = Pass::new(kind, scope, self.pass.number + 1, flow, now).over(self.remaining);
        if asking == Asking::Handshake {
            next.trial = self.rows;
            if self.is_unheard(asking) {
                next.echoes = self.pass.echoes.carried();
            }
        }
        if scope == Scope::All {
            // The kernel repeats the SYNs of those that are being listened to.
            if self.is_unheard(asking) && kind == Kind::Patient {
                next.again = Again::Unsettled;
            }
            let mut known = self.control.known();
            if asking == Asking::Handshake {
                known.truncate(MOST_CONNECTS.min(self.remaining as usize));
            }
            next.watch(&known);
        }
        self.past.insert(0, std::mem::replace(&mut self.pass, next));
        // Answers to the first pass may come late; between it and the last two, nobody tells them apart.
        if self.past.len() > REMEMBERED {
            self.past.remove(REMEMBERED - 1);
        }
        self.phase = Phase::Walking;
        self.fresh = true;
    }

    /// Whether another fast pass is likely to bring answers soon.
    fn fast_pays(&self, outlook: &Outlook<'_>) -> bool {
        let config = outlook.config;
        if outlook.crowd == Crowd::ManyHosts && config.asking != Asking::Handshake {
            return false;
        }
        if self.pass.scope == Scope::Noted || !self.has_flow(config) {
            return false;
        }
        let gained = self.pass.gained > 0 || self.pass.tainted;
        let repeat = match self.pass.kind {
            // Where most have answered, the others are more likely unlucky than silent by nature.
            Kind::First => {
                self.rtt.is_known()
                    && (self.pass.gained * 2 >= self.pass.asked || self.few_are_missing(outlook))
            }
            // A pass that brought little is repeated only after a gap: at once it would prove nothing.
            Kind::Fast => self.pass.gained * FAST_SHARE >= self.pass.asked || self.pass.tainted,
            // The path was dead and has come back.
            Kind::Patient => gained && !self.rtt.is_known(),
        };
        match config.asking {
            Asking::Syn { .. } => repeat,
            // A connect that stays silent costs a descriptor for its life, so it must be likely to answer.
            // And somebody must be left to be asked: those that were listened to for the whole patience are not, unless more
            // is wanted.
            Asking::Handshake => {
                let wanted = self.is_unheard(config.asking)
                    || self.few_are_missing(outlook)
                    || self.misses(outlook) == Misses::TooMuch;
                repeat
                    && wanted
                    && self.pass.kind != Kind::Patient
                    && (self.pass.gained * FAST_SHARE >= self.pass.asked
                        || self.few_are_missing(outlook))
            }
        }
    }

    /// By kernel connect, whether what was lost lies together in the walk (see `clumps`): then its repeats may have been lost
    /// there too, and a pass is made between whose endpoints canaries are asked.
    fn is_clumped(&self, config: &Config) -> bool {
        if !self.control.heeds_resets() || !self.has_flow(config) {
            return false;
        }
        let repeated = !self.is_unheard(config.asking) && !self.control.is_limited();
        match self.pass.kind {
            Kind::First => {
                let silent = self.clumps.are_of_silent() || self.clumps.are_of_one_end();
                silent || repeated && self.clumps.are_of_lost()
            }
            Kind::Fast => self.pass.number <= CLUMPED_PASSES && self.clumps.are_of_silent(),
            Kind::Patient => false,
        }
    }

    /// Whether a fast pass can still be made: the last flow is for stale endpoints, three passes are for patience.
    fn has_flow(&self, config: &Config) -> bool {
        let flow = match config.asking {
            Asking::Syn { flows } => self.flows_used + extra_flows(flows) < flows,
            Asking::Handshake => self.rtt.is_known(),
        };
        flow && self.pass.number + 4 <= config.max_attempts
    }

    /// So few are silent, and so much is lost, that they are more likely unlucky than silent by nature: asking them again
    /// costs next to nothing, and settles closed ports that the stop rule would leave filtered.
    pub fn few_are_missing(&self, outlook: &Outlook<'_>) -> bool {
        self.remaining * FEW_SHARE <= self.heard
            && self
                .estimate(outlook.mean_loss)
                .is_some_and(|estimate| estimate.unheard >= outlook.config.miss_budget)
    }
}

/// Answers that tell nothing.
const BARELY: u64 = 2;
const NOTED_ATTEMPTS: u16 = 4;
const NOTED_SPAN: Duration = Duration::from_secs(2);
/// Beyond the patience: one pass to make the kernel ask again for a gateway that it gave up, and one to go by it.
const WAY_BACK: Duration = Duration::from_secs(2);
/// Where nothing answers, the kernel may still be asking for the neighbour: three times, a second apart.
const NEIGHBOUR_FAILS: Duration = Duration::from_millis(250);
/// What is silent by nature lies together by chance now and then, and stays so.
const CLUMPED_PASSES: u16 = 2;
/// Fewer silent endpoints than one in this many that answered are few.
const FEW_SHARE: u64 = 20;
/// Canaries of one pass by kernel connect: each is a connection that a server notes.
const MOST_CONNECTS: usize = 8;
const REMEMBERED: usize = 3;
