//! The figures behind `trials`: the chance that every attempt was lost, and how many of the silent that makes.

use super::Listened;
use crate::engine::spread::Spread;

/// Something that may have brought in an endpoint that would answer.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub kind: RowKind,
    /// The share of the silent endpoints that it asked.
    pub coverage: f64,
    pub answered: f64,
    pub canaries: f64,
    pub heard: f64,
    /// Whether servers have had the time to repeat their answers, and whether they had it before the next attempt was made.
    pub listened: Listened,
    pub alone: Listened,
    pub waited: Listened,
    pub skipped: f64,
    /// Endpoints that it asked, and that answered after it.
    pub later: f64,
    /// Those that answered it late, and that answered late after it.
    pub late: f64,
    pub later_late: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    Attempt,
    /// An attempt whose samples count, but which proves nothing.
    Uncounted,
    /// Its answers are answers, and that is all.
    Void,
    Repeats,
    /// Something that asked only a few: it tells what the attempts before it lost, and nothing else.
    Beside,
}

impl Row {
    /// Whether it was made at all that had not answered.
    fn is_attempt(&self) -> bool {
        matches!(self.kind, RowKind::Attempt | RowKind::Uncounted)
    }

    /// Whether it got through, as far as is known.
    fn got_through(&self) -> bool {
        match self.canaries > 0.0 {
            true => self.heard * 2.0 > self.canaries,
            false => self.answered > self.later,
        }
    }

    /// Whether it tells how many of the lost repeats bring in: it lost some, and they were left to their servers for long enough.
    fn tells_of_repeats(&self) -> bool {
        self.kind == RowKind::Repeats
            || self.is_attempt() && self.later > 0.0 && self.alone == Listened::Yes
    }

    /// Whether it was an attempt at what answers late too.
    pub fn is_waited(&self) -> bool {
        self.kind == RowKind::Attempt && self.waited == Listened::Yes
    }

    /// Samples: how many were lost and how many there are, if `unheard` never answered.
    fn samples(&self, unheard: f64) -> (f64, f64) {
        let lost = self.later + unheard * self.coverage + self.canaries - self.heard;
        (lost, lost + self.answered + self.heard)
    }
}

/// What is held of the attempts at one lane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Alike,
    /// Alike unless they differ by more than chance allows.
    Weighed,
}

/// How likely it is that an endpoint that would answer has not.
pub(super) struct Chances {
    /// Everything was lost.
    pub lost: f64,
    /// The same for an endpoint that answers late.
    pub late_lost: f64,
    /// One attempt is.
    pub one_lost: f64,
}

pub(super) fn chance(
    rows: &[Row],
    mean: f64,
    (unheard, late_unheard): (f64, f64),
    model: Model,
) -> Chances {
    let tries = || {
        rows.iter()
            .filter(|row| row.is_attempt())
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
                .filter(|row| row.is_attempt())
                .filter(|row| row.answered + row.later + row.canaries > 0.0)
                .map(|row| row.samples(unheard));
            likeness(own, lost / all)
        }
    };
    let (mut lost_late, mut all_late) = (lost, all);
    for row in rows.iter().filter(|row| row.is_waited()) {
        lost_late += row.later_late + late_unheard;
        all_late += row.late + row.later_late + late_unheard;
    }
    let mut chance = 1.0;
    let mut late_lost = 1.0;
    let (mut made, mut made_late) = (0.0, 0.0);
    if alike.is_some() {
        // Endpoints that were asked one after the other are lost together: a few canaries may have missed that hole.
        chance = HIDDEN_HOLES;
    }
    for row in rows.iter().filter(|row| row.kind == RowKind::Attempt) {
        let (some, of) = row.samples(unheard);
        let one = match alike {
            None => (lost + made) / (all + made),
            // What this very attempt lost would follow from nothing but how many never answered.
            Some(_) if row.later + row.canaries == 0.0 => pooled,
            Some(weight) => (some + weight * pooled) / (of + weight),
        };
        chance *= 1.0 - row.coverage * (1.0 - one);
        made += 1.0;
        if row.is_waited() {
            late_lost *= match alike {
                None => (lost_late + made_late) / (all_late + made_late),
                Some(_) => one,
            };
            made_late += 1.0;
        }
    }
    if alike.is_none() {
        chance /= 1.0 + unseen(rows);
    }
    for row in rows.iter().filter(|row| row.kind == RowKind::Repeats) {
        let (some, of) = row.samples(unheard);
        chance *= (some + REPEATS_DOUBT) / (of + REPEATS_DOUBT);
    }
    Chances {
        lost: chance,
        late_lost,
        one_lost: pooled,
    }
}

/// How many attempts repeats followed unseen, after the last of which they were seen, or could have been. If a share r of what is
/// lost is brought in by them, which may be anything, the mean of (1 - r)^n is 1 / (1 + n).
fn unseen(rows: &[Row]) -> f64 {
    rows.iter()
        .rev()
        .take_while(|row| !row.tells_of_repeats())
        .filter(|row| row.kind == RowKind::Attempt && row.listened == Listened::Yes)
        .filter(|row| row.got_through())
        .map(|row| row.coverage)
        .sum()
}

/// How much alike passes are: `None` if they differ no more than chance allows, otherwise how many samples of its own weigh
/// as much as the mean of all, and that mean, in which each pass weighs as much as it tells.
fn likeness(samples: impl Iterator<Item = (f64, f64)> + Clone, pooled: f64) -> (Option<f64>, f64) {
    let spread = Spread::of(samples.clone(), pooled);
    let beyond: f64 = samples.clone().map(|(_, all)| (all - 1.0).max(0.0)).sum();
    if spread.is_chance() || beyond <= 0.0 {
        return (None, pooled);
    }
    let within = ((spread.squared - spread.freedom) / beyond).clamp(1e-3, 1.0);
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
pub fn among_silent(unheard: f64, lost: f64, silent: f64, heard: f64) -> f64 {
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

const PRIOR_WEIGHT: f64 = 5.0;
const HIDDEN_HOLES: f64 = 2.0;
/// Repeats are believed to bring in what they are seen to, less this many.
const REPEATS_DOUBT: f64 = 2.0;
const LEAST_ALIKE: f64 = 0.5;
const MOST_ALIKE: f64 = 50.0;
