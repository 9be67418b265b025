//! What a row of the calibration table must show, and the oracle that it is compared with.

use super::scans::{Cell, Kind, Mode, OPEN, Outcome, PORTS, Rest};

/// Missed ports against the sum of the printed figures, with a 99 % interval.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    pub low: f64,
    pub mid: f64,
    pub high: f64,
}

/// Of independent misses: Poisson's exact interval (a search for the means under which so few, or so many, are the rarest
/// half a percent). Of misses in clusters: the normal interval of a sum of so many scans, no narrower than Poisson's.
pub fn ratio(cell: &Cell, outcome: &Outcome) -> Ratio {
    let missed = outcome.missed as f64;
    let (mut low, mut high) = poisson_interval(outcome.missed);
    if matches!(cell.kind, Kind::Bursts(_)) {
        let scans = outcome.scans.max(1) as f64;
        let variance = outcome.squares as f64 - missed * missed / scans;
        let reach = 2.576 * variance.max(0.0).sqrt();
        low = low.min((missed - reach).max(0.0));
        high = high.max(missed + reach);
    }
    let expected = outcome.expected.max(1e-9);
    Ratio {
        low: low / expected,
        mid: missed / expected,
        high: high / expected,
    }
}

/// The probes of an oracle: it knows the loss per round trip and the rule's budget, and makes the fewest attempts `n` that
/// meet it, `(open + 1/2) q / (1 - q) < budget` with `q` = loss to the power of `n`, asking only what has not answered.
///
/// What is fixed costs it too: a silent endpoint is asked twice at least, a second apart; and by kernel connect a silent
/// endpoint is listened to for whole patiences of 3 s, in which the kernel sends three SYNs.
pub fn oracle(cell: &Cell) -> f64 {
    let lost = 1.0 - (1.0 - cell.loss).powi(2);
    let enough = |n: i32| {
        let q = lost.powi(n);
        (OPEN as f64 + 0.5) * q / (1.0 - q) < cell.budget
    };
    let mut attempts = 1;
    while !enough(attempts) {
        attempts += 1;
    }
    let silent = match cell.rest {
        Rest::Resets => 0.0,
        Rest::Silent => f64::from(PORTS) - OPEN as f64,
    };
    let least = match (cell.mode, cell.rest) {
        (_, Rest::Resets) => 1,
        (Mode::Syn, Rest::Silent) => 2,
        (Mode::Connect, Rest::Silent) => 3,
    };
    attempts = attempts.max(least);
    if cell.mode == Mode::Connect && cell.rest == Rest::Silent {
        attempts = (attempts + 2) / 3 * 3;
    }
    let answering = f64::from(PORTS) - silent;
    silent * f64::from(attempts) + answering * (1.0 - lost.powi(attempts)) / (1.0 - lost)
}

/// What is wrong with a row; empty if nothing is.
pub fn wrong(cell: &Cell, outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    let ratio = ratio(cell, outcome);
    match cell.kind {
        Kind::Independent => {
            if ratio.low > MOST || ratio.high < LEAST {
                wrong.push("figures and misses differ".to_owned());
            }
            let counts = outcome.missed >= COUNTABLE;
            if counts && !(LEAST..=MOST).contains(&ratio.mid) {
                wrong.push("figures are not calibrated".to_owned());
            }
        }
        Kind::Bursts(_) => {
            if ratio.mid > 1.0 && (ratio.low > 1.0 || outcome.missed >= COUNTABLE) {
                wrong.push("more missed than printed".to_owned());
            }
        }
    }
    // No path here is dead for as long as a scan listens.
    if outcome.mute > 0 {
        wrong.push("scans that heard nothing".to_owned());
    }
    if outcome.probes_per_scan() > oracle(cell) * COST {
        wrong.push("too many probes".to_owned());
    }
    wrong
}

const LEAST: f64 = 0.3;
const MOST: f64 = 1.2;
const COST: f64 = 1.5;
/// Fewer misses than this tell only what their interval tells.
const COUNTABLE: u64 = 20;

/// Poisson's exact 99 % interval for the mean, when `count` was seen.
fn poisson_interval(count: u64) -> (f64, f64) {
    let tail = 0.005;
    let up = bisect(count as f64, |mean| at_most(count, mean) > tail);
    if count == 0 {
        return (0.0, up);
    }
    let down = bisect(0.0, |mean| 1.0 - at_most(count - 1, mean) < tail);
    (down, up)
}

/// The largest mean above `from` for which `holds`, which is true up to there and false beyond.
fn bisect(from: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let mut low = from;
    let mut high = from.max(1.0) * 2.0 + 10.0;
    while holds(high) {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The probability of at most `count` where `mean` are expected.
fn at_most(count: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let mut log_term = -mean;
    let mut sum = log_term.exp();
    for k in 1..=count {
        log_term += mean.ln() - (k as f64).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}
