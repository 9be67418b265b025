//! The calibration of the stop rule: do the figures that a scan prints match what it misses, and what do they cost?
//!
//!     cargo bench --bench calibration -- [--scans N] [--loss PERCENT,..] [--kind independent|bursts] [--mode syn|connect]
//!         [--budget X,..] [--rest resets|silent] [--first-seed N]
//!
//! What a row is stands in `tests/calibration/scans.rs`; what it must show, and the oracle, in `tests/calibration/judge.rs`.
//! A small part of the table runs in the gate.

#[path = "../tests/calibration/judge.rs"]
mod judge;
#[path = "../tests/calibration/scans.rs"]
mod scans;

use std::process::ExitCode;

use scans::{Cell, Kind, Mode, Rest};

fn main() -> ExitCode {
    let asked = match Asked::read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(mistake) => {
            eprintln!("error: {mistake}");
            return ExitCode::from(2);
        }
    };
    println!(
        "{:<7} {:>4} {:<12} {:<6} {:>6} | {:>5} {:>4} {:>5} {:>6} | {:>6} {:>8} {:>6} {:>13} | {:>7} {:>7} {:>5} | {:>6} | ok",
        "mode",
        "loss",
        "kind",
        "rest",
        "budget",
        "scans",
        "mute",
        "whole",
        "opens",
        "missed",
        "expected",
        "ratio",
        "99 %",
        "probes",
        "oracle",
        "ratio",
        "s/scan"
    );
    let mut failed = 0;
    for cell in asked.cells() {
        failed += u32::from(!row(&cell, asked.scans));
    }
    println!("{failed} rows are not as they should be");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs and prints one row; whether it is as it should be.
fn row(cell: &Cell, scans: u64) -> bool {
    let outcome = cell.run(scans);
    let ratio = judge::ratio(cell, &outcome);
    let oracle = judge::oracle(cell);
    let wrong = judge::wrong(cell, &outcome);
    let kind = match cell.kind {
        Kind::Independent => "independent".to_owned(),
        Kind::Bursts(mean) => format!("bursts {mean} ms"),
    };
    println!(
        "{:<7} {:>3}% {kind:<12} {:<6} {:>6} | {:>5} {:>4} {:>5} {:>6} | {:>6} {:>8.2} {:>6.2} {:>6.2}-{:<6.2} | {:>7.0} {:>7.0} {:>5.2} | {:>6.2} | {}",
        match cell.mode {
            Mode::Syn => "syn",
            Mode::Connect => "connect",
        },
        cell.loss * 100.0,
        match cell.rest {
            Rest::Resets => "resets",
            Rest::Silent => "silent",
        },
        cell.budget,
        outcome.scans,
        outcome.mute,
        outcome.complete,
        (outcome.scans - outcome.mute) * scans::OPEN,
        outcome.missed,
        outcome.expected,
        ratio.mid,
        ratio.low,
        ratio.high,
        outcome.probes_per_scan(),
        oracle,
        outcome.probes_per_scan() / oracle,
        outcome.seconds / outcome.scans.max(1) as f64,
        if wrong.is_empty() {
            "ok".to_owned()
        } else {
            wrong.join(", ")
        }
    );
    wrong.is_empty()
}

/// Which rows are wanted.
struct Asked {
    scans: u64,
    losses: Vec<f64>,
    kinds: Vec<Kind>,
    modes: Vec<Mode>,
    budgets: Vec<f64>,
    rests: Vec<Rest>,
    first_seed: u64,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self {
            scans: 1000,
            losses: vec![0.0, 0.01, 0.05, 0.2, 0.3],
            kinds: vec![Kind::Independent, Kind::Bursts(10), Kind::Bursts(200)],
            modes: vec![Mode::Syn, Mode::Connect],
            budgets: vec![0.5, 0.1],
            rests: vec![Rest::Resets, Rest::Silent],
            first_seed: 0,
        };
        while let Some(word) = words.next() {
            // cargo bench adds this one.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or(format!("{word:?} has no value"))?;
            match word.as_str() {
                "--scans" => asked.scans = value.parse().map_err(|_| bad(&value))?,
                "--loss" => {
                    asked.losses = numbers(&value)?
                        .into_iter()
                        .map(|percent| percent / 100.0)
                        .collect();
                }
                "--budget" => asked.budgets = numbers(&value)?,
                "--kind" => match value.as_str() {
                    "independent" => asked.kinds = vec![Kind::Independent],
                    "bursts" => asked.kinds.retain(|kind| *kind != Kind::Independent),
                    _ => return Err(bad(&value)),
                },
                "--mode" => match value.as_str() {
                    "syn" => asked.modes = vec![Mode::Syn],
                    "connect" => asked.modes = vec![Mode::Connect],
                    _ => return Err(bad(&value)),
                },
                "--rest" => match value.as_str() {
                    "resets" => asked.rests = vec![Rest::Resets],
                    "silent" => asked.rests = vec![Rest::Silent],
                    _ => return Err(bad(&value)),
                },
                "--first-seed" => asked.first_seed = value.parse().map_err(|_| bad(&value))?,
                _ => return Err(format!("{word:?} is no option of this benchmark")),
            }
        }
        Ok(asked)
    }

    fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &mode in &self.modes {
            for &kind in &self.kinds {
                for &loss in &self.losses {
                    // Without losses there are no bursts of them.
                    if loss == 0.0 && kind != Kind::Independent {
                        continue;
                    }
                    for &rest in &self.rests {
                        cells.extend(self.budgets.iter().map(|&budget| Cell {
                            mode,
                            kind,
                            rest,
                            loss,
                            budget,
                            first_seed: self.first_seed,
                        }));
                    }
                }
            }
        }
        cells
    }
}

fn numbers(text: &str) -> Result<Vec<f64>, String> {
    text.split(',')
        .map(|word| {
            word.parse()
                .ok()
                .filter(|number: &f64| (0.0..100.0).contains(number))
                .ok_or_else(|| bad(text))
        })
        .collect()
}

fn bad(text: &str) -> String {
    format!("{text:?} is not possible here")
}
