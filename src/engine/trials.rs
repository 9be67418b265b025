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
//! that our attempts had lost, as many as it is seen to bring in.
//!
//! Of `heard` endpoints m = heard q / (1 - q) more would answer. How many endpoints are silent is known, and bounds that:
//! either nobody is silent by nature, and all of the silent were lost, or some number of them is, any as likely as any
//! other; both are thought equally likely beforehand, and the number of the silent decides between them.

use std::time::Duration;

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
    canaries: u32,
    canaries_heard: u32,
    worth: Worth,
}

/// Of all answers, and of SYN-ACKs alone.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: u64,
    open: u64,
}

/// Whether an attempt reached everything that it should have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Worth {
    #[default]
    Nothing,
    Proof,
    /// A limiter kept back most of it: it tells nothing, not even of loss.
    Void,
}

/// Which answers are counted: SYN-ACKs alone where the host limits its resets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    All,
    Open,
}

/// What the answer to an attempt was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// To this attempt (0 for the first).
    To(u16),
    /// By the server's own repeat, when this attempt was the latest: all up to it were lost.
    Repeated(u16),
    /// Nobody can tell.
    Unknown,
}

impl Came {
    /// The attempt, where an attempt was answered.
    pub fn attempt(self) -> Option<u16> {
        match self {
            Self::To(attempt) => Some(attempt),
            Self::Repeated(_) | Self::Unknown => None,
        }
    }
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
}

impl Trials {
    pub fn answered(&mut self, came: Came, counted: Counted) {
        let count = match came {
            Came::To(attempt) => &mut self.at(attempt).answered,
            Came::Repeated(attempt) => &mut self.at(attempt).repeated,
            Came::Unknown => return,
        };
        count.all += 1;
        count.open += u64::from(counted == Counted::Open);
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

    /// This attempt reached everything.
    pub fn proves(&mut self, attempt: u16) {
        self.at(attempt).worth = Worth::Proof;
    }

    /// Of the attempts before this one, those that prove nothing were kept back by a limiter.
    pub fn void_before(&mut self, attempt: u16) {
        for tried in self.tried.iter_mut().take(usize::from(attempt)) {
            if tried.worth == Worth::Nothing {
                tried.worth = Worth::Void;
            }
        }
    }

    /// The canaries of this attempt are asked once more.
    pub fn unwatch(&mut self, attempt: u16) {
        let tried = self.at(attempt);
        tried.canaries = 0;
        tried.canaries_heard = 0;
    }

    /// It did not after all.
    pub fn forget(&mut self, attempt: u16) {
        self.at(attempt).worth = Worth::Nothing;
    }

    /// The same attempts, of which one host alone is told: so many of its endpoints answered to the first, and so many only
    /// to a later one, `open` of each among them.
    pub fn of_host(&self, first: (u64, u64), later: (u64, u64)) -> Self {
        let mut own = Self::default();
        for tried in &self.tried {
            own.tried.push(Tried {
                worth: tried.worth,
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
    /// few samples are drawn.
    pub fn estimate(&self, counted: Counted, mean: f64, silent: u64) -> Option<Estimate> {
        let mut rows = self.rows(counted);
        let heard: f64 = rows.iter().map(|row| row.answered).sum();
        if heard == 0.0 || silent == 0 {
            return None;
        }
        // What was cut short was an attempt at what it reached.
        if !rows.iter().any(|row| row.kind == RowKind::Attempt) {
            rows[0].kind = RowKind::Attempt;
        }
        let mut estimate = Estimate {
            per_attempt: mean,
            heard,
            unheard: 0.0,
            silent_unheard: 0.0,
        };
        // First as if all attempts were alike: before those that never answered are reckoned with, the last attempt looks
        // better than the others, however alike they are.
        let mut model = Model::Alike;
        // Only as many as loss explains are reckoned with: to take the silent for lost would prove the loss by itself.
        let mut reckoned: f64 = 0.0;
        for _ in 0..ROUNDS {
            let (lost, per_attempt) = chance(&rows, mean, reckoned, model);
            let lost = lost.min(MOST_LOST);
            let unheard = heard * lost / (1.0 - lost);
            let next = unheard.min(silent as f64);
            let done = (next - reckoned).abs() <= next * 1e-3;
            reckoned = next;
            estimate = Estimate {
                per_attempt,
                heard,
                unheard,
                silent_unheard: among_silent(unheard, lost, silent as f64, heard),
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
        for tried in &self.tried {
            rows.push(Row {
                kind: match tried.worth {
                    Worth::Proof => RowKind::Attempt,
                    Worth::Nothing => RowKind::Uncounted,
                    Worth::Void => RowKind::Void,
                },
                answered: pick(tried.answered),
                canaries: f64::from(tried.canaries),
                heard: f64::from(tried.canaries_heard.min(tried.canaries)),
                later: 0.0,
            });
            if pick(tried.repeated) > 0.0 {
                rows.push(Row {
                    kind: RowKind::Repeats,
                    answered: pick(tried.repeated),
                    canaries: 0.0,
                    heard: 0.0,
                    later: 0.0,
                });
            }
        }
        let mut later = 0.0;
        for row in rows.iter_mut().rev() {
            row.later = later;
            later += row.answered;
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

/// Something that may have brought in an endpoint that would answer.
#[derive(Clone, Copy)]
struct Row {
    kind: RowKind,
    answered: f64,
    canaries: f64,
    heard: f64,
    /// Endpoints that answered after it.
    later: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RowKind {
    Attempt,
    /// An attempt whose samples count, but which proves nothing.
    Uncounted,
    /// Its answers are answers, and that is all.
    Void,
    Repeats,
}

impl RowKind {
    fn has_samples(self) -> bool {
        matches!(self, Self::Attempt | Self::Uncounted)
    }
}

impl Row {
    /// Samples: how many were lost and how many there are, if `unheard` never answered.
    fn samples(&self, unheard: f64) -> (f64, f64) {
        let lost = self.later + unheard + self.canaries - self.heard;
        (lost, lost + self.answered + self.heard)
    }
}

/// What is held of the attempts at one lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    Alike,
    /// Alike unless they differ by more than chance allows.
    Weighed,
}

/// The chance that everything was lost, and that one attempt is.
fn chance(rows: &[Row], mean: f64, unheard: f64, model: Model) -> (f64, f64) {
    let tries = || {
        rows.iter()
            .filter(|row| row.kind.has_samples())
            .map(|row| row.samples(unheard))
            .filter(|(_, all)| *all > 0.0)
    };
    let (mut lost, mut all) = (mean * PRIOR_WEIGHT, PRIOR_WEIGHT);
    for (some, of) in tries() {
        lost += some;
        all += of;
    }
    let (alike, pooled) = match model {
        Model::Alike => (None, lost / all),
        Model::Weighed => {
            // An attempt after which nobody answered, and in which no canary was asked, has no samples of its own.
            let own = rows
                .iter()
                .filter(|row| row.kind.has_samples())
                .filter(|row| row.answered + row.later + row.canaries > 0.0)
                .map(|row| row.samples(unheard));
            likeness(own, lost / all)
        }
    };
    let mut chance = 1.0;
    let mut made = 0.0;
    if alike.is_some() {
        // Endpoints that were asked one after the other are lost together: a few canaries may have missed that hole.
        chance = HIDDEN_HOLES;
    }
    for row in rows.iter().filter(|row| row.kind == RowKind::Attempt) {
        let (some, of) = row.samples(unheard);
        chance *= match alike {
            None => (lost + made) / (all + made),
            // What this very attempt lost would follow from nothing but how many never answered.
            Some(_) if row.later + row.canaries == 0.0 => pooled,
            Some(weight) => (some + weight * pooled) / (of + weight),
        };
        made += 1.0;
    }
    for row in rows.iter().filter(|row| row.kind == RowKind::Repeats) {
        let (some, of) = row.samples(unheard);
        chance *= (some + REPEATS_DOUBT) / (of + REPEATS_DOUBT);
    }
    (chance, pooled)
}

/// How much alike passes are: `None` if they differ no more than chance allows, otherwise how many samples of its own weigh
/// as much as the mean of all, and that mean, in which each pass weighs as much as it tells.
fn likeness(samples: impl Iterator<Item = (f64, f64)> + Clone, pooled: f64) -> (Option<f64>, f64) {
    let (mut spread, mut passes, mut beyond) = (0.0, 0.0, 0.0);
    let variance = (pooled * (1.0 - pooled)).max(1e-9);
    for (lost, all) in samples.clone() {
        spread += (lost - all * pooled).powi(2) / (all * variance);
        passes += 1.0;
        beyond += (all - 1.0).max(0.0);
    }
    let freedom: f64 = passes - 1.0;
    if freedom < 1.0 || spread <= freedom + SURPRISE * (2.0 * freedom).sqrt() || beyond <= 0.0 {
        return (None, pooled);
    }
    let within = ((spread - freedom) / beyond).clamp(1e-3, 1.0);
    let (mut share, mut weights) = (0.0, 0.0);
    for (lost, all) in samples {
        let weight = all / (1.0 + (all - 1.0).max(0.0) * within);
        share += weight * lost / all;
        weights += weight;
    }
    let alike = (1.0 / within - 1.0).clamp(LEAST_ALIKE, MOST_ALIKE);
    (Some(alike), share / weights)
}

/// How many of the `silent` endpoints would have answered, if `unheard` are expected to by loss alone (see the top of the
/// file).
fn among_silent(unheard: f64, lost: f64, silent: f64, heard: f64) -> f64 {
    if silent > unheard * 4.0 + 40.0 || unheard > 500.0 {
        return unheard.min(silent);
    }
    // Poisson: exactly `silent`, at most `silent`, at most one fewer.
    let mut term = (-unheard).exp();
    let (mut fewer, mut up_to) = (0.0, term);
    let mut k = 1.0;
    while k <= silent {
        fewer = up_to;
        term *= unheard / k;
        up_to += term;
        k += 1.0;
    }
    let any = 1.0 / (silent + heard);
    // A burst may have taken them all at once.
    let all_lost = term.max(lost * any);
    let some_lost = up_to * any;
    (all_lost * silent + any * unheard * fewer) / (all_lost + some_lost)
}

/// The server's first repeats of a SYN-ACK: after these times from the SYN that it answers.
pub const SERVER_REPEATS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
const PRIOR_WEIGHT: f64 = 5.0;
/// Where the latest attempts tell next to nothing, the number of those that never answered settles slowly.
const ROUNDS: usize = 200;
const MOST_LOST: f64 = 0.999;
const MOST_ATTEMPTS: usize = 255;
/// Passes differ by more than chance allows when their spread is so many deviations above its mean.
const SURPRISE: f64 = 2.5;
const HIDDEN_HOLES: f64 = 2.0;
const LEAST_ALIKE: f64 = 0.5;
const MOST_ALIKE: f64 = 50.0;
/// Repeats are believed to bring in what they are seen to, less this many.
const REPEATS_DOUBT: f64 = 1.0;

#[cfg(test)]
mod tests;
