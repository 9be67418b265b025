//! What each attempt at a lane's endpoints brought, and what follows for those that have not answered.
//!
//! Samples of the chance that an attempt is lost come from three places, none of which needs a guess:
//!
//! - an endpoint that answered to its k-th attempt has lost k - 1 before and got one through;
//! - *canaries*, endpoints known to be open that are asked again in every pass but the first, evenly between the others,
//!   show what that very pass lost;
//! - endpoints that would answer and never have are not in the sample, though they lost every attempt: their expected
//!   number is put in and reckoned with until it no longer changes. Without that the loss of a path that was tried twice
//!   would come out a quarter too small.
//!
//! Losses that are independent make the passes alike; then all samples are one, and the chance q that all n attempts were
//! lost is the mean of p^n over what p may be after so many samples, not the n-th power of the mean: the figure must be right
//! on average, not for the likeliest loss. Losses in bursts make the passes differ by more than chance allows. Then each
//! pass is weighed by its own samples, drawn to the mean by as much as the passes are alike (the beta-binomial model), and a
//! pass that fell into a hole proves nothing.
//!
//! A server that has sent a SYN-ACK repeats it after 1, 3 and 7 s. That is no attempt of ours, but it brings in endpoints
//! that our attempts had lost, as many as it is seen to bring in. It is not seen to where an attempt is known to have lost
//! nobody, nor where all that it lost were asked once more before the second was over. Then the share of the losses that
//! repeats would have brought in may be anything: of n such attempts repeats miss 1 in n + 1 on average, if they have had their
//! time. (By kernel connect that time is when the kernel repeats its own SYN.)
//!
//! Endpoints that answer late are reckoned with apart (see `late`): at them only those attempts were made that were listened
//! to for so long, and nobody's repeats bring them in.
//!
//! Of `heard` endpoints m = heard q / (1 - q) more would answer. How many endpoints are silent is known, and bounds that:
//! either nobody is silent by nature, and all of the silent were lost, or some number of them is, any as likely as any
//! other; both are thought equally likely beforehand, and the number of the silent decides between them.

mod came;
mod model;

use std::time::Duration;

use self::came::Count;
use self::model::{Model, Row, RowKind, chance};
use crate::model::Time;

pub use self::came::{Came, Counted};
pub use self::model::among_silent;

/// See the top of the file.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    tried: Vec<Tried>,
}

/// One attempt at everything that had not answered.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    answered: Count,
    /// Answers to server's repeats, that came while this was the latest attempt.
    repeated: Count,
    /// Answers to something that asks only a few, while this was the latest attempt.
    beside: Count,
    /// Endpoints that answered later, and were not asked by this attempt.
    skipped: Count,
    canaries: u32,
    canaries_heard: u32,
    listened: Listened,
    /// Answers to it that came late, where that is known.
    late: u64,
    /// Whether it was listened to until those servers could answer that answer late.
    waited: Listened,
    /// When its first and its last SYN left, where that is known.
    sent: Option<(Time, Time)>,
    /// The share of the silent endpoints that it asked; 0 where it proves nothing.
    coverage: f64,
    worth: Worth,
}

/// Whether an attempt tells anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Worth {
    /// At least of loss.
    #[default]
    Sample,
    /// The same, as long as nothing speaks of a limiter: no canary has proven that it came through.
    Presumed,
    /// A limiter kept back most of it: it tells nothing, not even of loss.
    Void,
}

impl Tried {
    /// Whether its canaries show that next to nothing came through: then it proves nothing.
    fn is_hole(&self) -> bool {
        self.canaries >= FEW_CANARIES && self.canaries_heard * 4 < self.canaries
    }
}

/// Whether a server that has answered an attempt in vain has had the time to repeat its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Listened {
    #[default]
    No,
    Yes,
}

/// What is known of the endpoints that have not answered.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The loss of one attempt.
    pub per_attempt: f64,
    /// Those that answered.
    pub heard: f64,
    /// How many of the silent ones would have answered, from loss alone.
    pub unheard: f64,
    /// The same, and that no more than the silent ones can.
    pub silent_unheard: f64,
    /// For each endpoint that answered late (see `late`), how many like it have not.
    pub late_odds: f64,
}

impl Trials {
    pub fn answered(&mut self, came: Came, counted: Counted) {
        if let Came::Skipping { skipped, .. } = came {
            self.at(skipped).skipped.add(counted);
        }
        let count = match came {
            Came::To(attempt) | Came::Skipping { to: attempt, .. } => {
                &mut self.at(attempt).answered
            }
            Came::Repeated(attempt) => &mut self.at(attempt).repeated,
            Came::Beside(attempt) | Came::Sought(attempt) => &mut self.at(attempt).beside,
            Came::Unknown => return,
        };
        count.add(counted);
    }

    /// How many endpoints have answered this attempt.
    pub fn answered_to(&self, attempt: u16) -> u64 {
        let tried = self.tried.get(usize::from(attempt));
        tried.map_or(0, |tried| tried.answered.all)
    }

    pub fn canary_sent(&mut self, attempt: u16) {
        self.at(attempt).canaries += 1;
    }

    /// Our own side could not ask a canary after all.
    pub fn canary_refused(&mut self, attempt: u16) {
        let tried = self.at(attempt);
        tried.canaries = tried.canaries.saturating_sub(1);
    }

    pub fn canary_heard(&mut self, attempt: u16) {
        self.at(attempt).canaries_heard += 1;
    }

    /// This attempt stands for this share of the silent endpoints.
    pub fn proves(&mut self, attempt: u16, coverage: f64) {
        let tried = self.at(attempt);
        tried.coverage = coverage;
        tried.worth = Worth::Sample;
    }

    /// Nothing but that no limiter is known speaks for this attempt.
    pub fn presume(&mut self, attempt: u16) {
        let tried = self.at(attempt);
        if tried.worth == Worth::Sample {
            tried.worth = Worth::Presumed;
        }
    }

    /// Of the attempts before this one, those that prove nothing or may not have come through were kept back by a limiter.
    pub fn void_before(&mut self, attempt: u16) {
        for tried in self.tried.iter_mut().take(usize::from(attempt)) {
            if tried.coverage == 0.0 || tried.worth == Worth::Presumed {
                tried.coverage = 0.0;
                tried.worth = Worth::Void;
            }
        }
    }

    /// Nobody knows what was answered before this attempt: neither were those before it lost, nor did servers repeat
    /// themselves. There were answers, and that is all.
    pub fn mistook_before(&mut self, attempt: u16) {
        self.at(attempt);
        let mut answers = Count::default();
        for tried in self.tried.iter_mut().take(usize::from(attempt) + 1) {
            answers.take(&mut tried.answered);
            answers.take(&mut tried.repeated);
            answers.take(&mut tried.beside);
        }
        for tried in self.tried.iter_mut().take(usize::from(attempt)) {
            tried.coverage = 0.0;
            tried.worth = Worth::Void;
        }
        self.tried[0].answered = answers;
    }

    /// Some canaries of this attempt are asked once more: so many of the others were asked, and heard.
    pub fn rewatch(&mut self, attempt: u16, asked: usize, heard: usize) {
        let tried = self.at(attempt);
        tried.canaries = asked as u32;
        tried.canaries_heard = heard as u32;
    }

    /// The attempts from this one on were not made after all: their canaries tell nothing.
    pub fn unwatch_from(&mut self, attempt: u16) {
        for tried in self.tried.iter_mut().skip(usize::from(attempt)) {
            tried.canaries = 0;
            tried.canaries_heard = 0;
        }
    }

    /// Whoever has answered this attempt in vain has had the time to repeat its answer.
    pub fn listened(&mut self, attempt: u16) {
        self.at(attempt).listened = Listened::Yes;
    }

    /// A late answer has come to this attempt.
    pub fn answered_late(&mut self, attempt: u16) {
        self.at(attempt).late += 1;
    }

    /// This attempt was listened to for as long as the latest answers take.
    pub fn waited(&mut self, attempt: u16) {
        self.at(attempt).waited = Listened::Yes;
    }

    /// The last SYN of this attempt has left; the first did at `began`.
    pub fn sent(&mut self, attempt: u16, began: Time, at: Time) {
        self.at(attempt).sent = Some((began, at));
    }

    /// All attempts that had been sent by then were listened to for as long as the latest answers take.
    pub fn waited_since(&mut self, then: Time) {
        for tried in &mut self.tried {
            if tried.sent.is_some_and(|(_, sent)| sent <= then) {
                tried.waited = Listened::Yes;
            }
        }
    }

    /// It did not after all.
    pub fn forget(&mut self, attempt: u16) {
        self.at(attempt).coverage = 0.0;
    }

    /// The same attempts, of which one host alone is told: so many of its endpoints answered to the first, and so many only
    /// to a later one, `open` of each among them.
    pub fn of_host(&self, first: (u64, u64), later: (u64, u64)) -> Self {
        let mut own = Self::default();
        for tried in &self.tried {
            own.tried.push(Tried {
                coverage: tried.coverage,
                waited: tried.waited,
                sent: tried.sent,
                ..Tried::default()
            });
        }
        let last = own.tried.len().saturating_sub(1).max(1) as u16;
        own.at(0).answered = Count {
            all: first.0,
            open: first.1,
        };
        if later.0 > 0 {
            own.at(last).answered = Count {
                all: later.0,
                open: later.1,
            };
        }
        own
    }

    /// `None` where nothing has answered, and where nothing is left to answer. `mean` is the loss of the whole scan, to which
    /// few samples are drawn; `late` open endpoints answered late.
    pub fn estimate(
        &self,
        counted: Counted,
        mean: f64,
        silent: u64,
        late: u64,
    ) -> Option<Estimate> {
        let mut rows = self.rows(counted);
        let heard: f64 = rows.iter().map(|row| row.answered).sum();
        if heard == 0.0 && late == 0 || silent == 0 {
            return None;
        }
        // What was cut short was an attempt at what it reached.
        if !rows.iter().any(|row| row.kind == RowKind::Attempt) {
            let counted = |row: &Row| row.kind == RowKind::Uncounted;
            let first = rows.iter().position(counted).unwrap_or(0);
            rows[first].kind = RowKind::Attempt;
            rows[first].coverage = 1.0;
        }
        if !rows.iter().any(Row::is_waited)
            && let Some(first) = rows.iter_mut().find(|row| row.kind == RowKind::Attempt)
        {
            first.waited = Listened::Yes;
        }
        let mut estimate = Estimate {
            per_attempt: mean,
            heard,
            unheard: 0.0,
            silent_unheard: 0.0,
            late_odds: 0.0,
        };
        // First as if all attempts were alike: before those that never answered are reckoned with, the last attempt looks
        // better than the others, however alike they are.
        let mut model = Model::Alike;
        // Only as many as loss explains are reckoned with: to take the silent for lost would prove the loss by itself.
        let (mut reckoned, mut late_reckoned): (f64, f64) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let chances = chance(&rows, mean, (reckoned, late_reckoned), model);
            let lost = chances.lost.min(MOST_LOST);
            let late_lost = chances.late_lost.min(MOST_LOST);
            let unheard = heard * lost / (1.0 - lost);
            let next = unheard.min(silent as f64);
            let late_odds = late_lost / (1.0 - late_lost);
            let late_next = (late as f64 * late_odds).min(silent as f64);
            let done = (next - reckoned).abs() <= next * 1e-3
                && (late_next - late_reckoned).abs() <= late_next * 1e-3;
            (reckoned, late_reckoned) = (next, late_next);
            estimate = Estimate {
                per_attempt: chances.one_lost,
                heard,
                unheard,
                silent_unheard: if heard > 0.0 {
                    among_silent(unheard, lost, silent as f64, heard)
                } else {
                    0.0
                },
                late_odds,
            };
            match model {
                _ if !done => {}
                Model::Alike => model = Model::Weighed,
                Model::Weighed => break,
            }
        }
        Some(estimate)
    }

    /// Attempts and repeats in the order of time.
    fn rows(&self, counted: Counted) -> Vec<Row> {
        let pick = |count: Count| match counted {
            Counted::All => count.all as f64,
            Counted::Open => count.open as f64,
        };
        let mut rows = Vec::with_capacity(self.tried.len() * 2);
        for (at, tried) in self.tried.iter().enumerate() {
            let next = self.tried.get(at + 1).and_then(|next| next.sent);
            rows.push(Row {
                kind: match tried.worth {
                    Worth::Void => RowKind::Void,
                    Worth::Sample | Worth::Presumed if tried.coverage > 0.0 && !tried.is_hole() => {
                        RowKind::Attempt
                    }
                    Worth::Sample | Worth::Presumed => RowKind::Uncounted,
                },
                // What proves nothing was asked all the same.
                coverage: if tried.coverage > 0.0 {
                    tried.coverage
                } else {
                    1.0
                },
                answered: pick(tried.answered),
                canaries: f64::from(tried.canaries),
                heard: f64::from(tried.canaries_heard.min(tried.canaries)),
                listened: tried.listened,
                waited: tried.waited,
                alone: match (tried.sent, next) {
                    (Some((began, _)), Some((_, next))) if next < began + OVERTAKEN => Listened::No,
                    _ => Listened::Yes,
                },
                skipped: pick(tried.skipped),
                later: 0.0,
                late: tried.late as f64,
                later_late: 0.0,
            });
            for (kind, count) in [
                (RowKind::Repeats, tried.repeated),
                (RowKind::Beside, tried.beside),
            ] {
                if pick(count) > 0.0 {
                    rows.push(Row {
                        kind,
                        coverage: 1.0,
                        answered: pick(count),
                        canaries: 0.0,
                        heard: 0.0,
                        listened: Listened::No,
                        waited: Listened::No,
                        alone: Listened::Yes,
                        skipped: 0.0,
                        later: 0.0,
                        late: 0.0,
                        later_late: 0.0,
                    });
                }
            }
        }
        let (mut later, mut later_late) = (0.0, 0.0);
        for row in rows.iter_mut().rev() {
            row.later = (later - row.skipped).max(0.0);
            later += row.answered;
            row.later_late = later_late;
            later_late += row.late;
        }
        rows
    }

    fn at(&mut self, attempt: u16) -> &mut Tried {
        let at = usize::from(attempt).min(MOST_ATTEMPTS);
        if at >= self.tried.len() {
            self.tried.resize(at + 1, Tried::default());
        }
        &mut self.tried[at]
    }
}

/// The server's first repeats of a SYN-ACK: after these times from the SYN that it answers.
pub const SERVER_REPEATS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// What is asked once more within this time is not left to its server's first repeat, with what a timer is late.
const OVERTAKEN: Duration = Duration::from_millis(1100);
/// Where the latest attempts tell next to nothing, the number of those that never answered settles slowly.
const ROUNDS: usize = 200;
const MOST_LOST: f64 = 0.999;
const MOST_ATTEMPTS: usize = 255;
const FEW_CANARIES: u32 = 2;

#[cfg(test)]
mod tests;
