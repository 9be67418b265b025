//! Scanners on the same work, in turn, in one lab: medians of what it cost them, and ports missed and invented.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Result;
use super::measure::Cost;
use super::role::ROLE;
use super::running::{self, Lab};
use super::scan::{self, Endpoint};
use super::scenario::Topology;

pub mod memory;
mod tool;

pub use tool::Tool;

/// No run takes longer; who needs more has failed.
const DEADLINE: Duration = Duration::from_secs(150);

/// Who took longer than this is not asked again: one run shows it.
const LONG: Duration = Duration::from_secs(20);

/// Of the rate of packets: the best window of this length counts.
const WINDOW: Duration = Duration::from_millis(200);

const HEAD: [&str; 9] = [
    "wall s",
    "(least-most)",
    "cpu s",
    "MB",
    "packets",
    "peak kpps",
    "missed",
    "invented",
    "exit",
];

/// The addresses of the link from the scanner to the first machine behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub ours: String,
    pub theirs: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    cost: Cost,
    packets: Option<u64>,
    /// Packets per second.
    peak: Option<u64>,
    missed: u64,
    invented: u64,
}

/// Runs every installed tool `runs` times, one after the other within a round, so that all meet the same machine.
pub fn compare(lab: &mut Lab, tools: &[Tool], halfopen: &str, runs: usize) -> Result<String> {
    let truth = lab.truth();
    let mut columns: Vec<(Tool, Vec<Run>, Option<String>)> = Vec::new();
    for tool in tools {
        let excuse = match (tool.is_installed(halfopen), tool.excuse(lab)) {
            (false, _) => Some("not installed".to_owned()),
            (true, excuse) => excuse.map(str::to_owned),
        };
        columns.push((*tool, Vec::new(), excuse));
    }
    for round in 0..runs {
        for (tool, done, failure) in &mut columns {
            let slow = done.last().is_some_and(|run| run.cost.wall > LONG);
            if failure.is_some() || slow {
                continue;
            }
            if lab.scenario().is_worn_by_a_scan() && round > 0 {
                lab.renew()?;
            }
            let run = match tool {
                // Its receiver looks for the end of the scan only when a packet comes.
                Tool::Masscan => lab
                    .nudging(|lab| once(lab, halfopen, *tool, &truth))
                    .and_then(|run| run),
                _ => once(lab, halfopen, *tool, &truth),
            };
            match run {
                Ok(run) => done.push(run),
                Err(error) => *failure = Some(error),
            }
        }
    }
    let mut table = title(lab, truth.len());
    for (tool, done, failure) in &columns {
        if !done.is_empty() {
            table += &row(&format!("{} x{}", tool.label(lab), done.len()), done);
        }
        if let Some(why) = failure {
            table += &format!("{:<46} -- {why}\n", tool.label(lab));
        }
    }
    Ok(table)
}

fn title(lab: &Lab, open: usize) -> String {
    let scenario = lab.scenario();
    let targets = scenario.targets().join(" ");
    format!(
        "{}: {}\n{:<46} {}\n",
        scenario.name,
        scenario.about,
        format!("  {targets} ports {}, {open} open", scenario.ports),
        cells(&HEAD.map(str::to_owned)),
    )
}

fn row(label: &str, runs: &[Run]) -> String {
    let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
    let walls = sorted(runs, |run| run.cost.wall);
    let ends = match (walls.first(), walls.last()) {
        (Some(least), Some(most)) => format!("({}-{})", seconds(*least), seconds(*most)),
        _ => String::new(),
    };
    let number = |what: fn(&Run) -> Option<u64>| {
        median(runs, what).map_or_else(|| "-".to_owned(), |number| number.to_string())
    };
    let values = [
        seconds(median(runs, |run| run.cost.wall)),
        ends,
        seconds(median(runs, |run| run.cost.cpu)),
        format!(
            "{:.1}",
            median(runs, |run| run.cost.peak_kib) as f64 / 1024.0
        ),
        number(|run| run.packets),
        number(|run| run.peak.map(|peak| peak / 1_000)),
        range(&sorted(runs, |run| run.missed)),
        range(&sorted(runs, |run| run.invented)),
        range(&sorted(runs, |run| {
            u64::try_from(run.cost.exit).unwrap_or(255)
        })),
    ];
    format!("{label:<46} {}\n", cells(&values))
}

fn cells(values: &[String; 9]) -> String {
    let [
        wall,
        ends,
        cpu,
        memory,
        packets,
        peak,
        missed,
        invented,
        exit,
    ] = values;
    format!(
        "{wall:>8} {ends:<15} {cpu:>7} {memory:>7} {packets:>9} {peak:>9}  {missed:<13} {invented:<9} {exit}"
    )
}

/// One run of one tool.
fn once(lab: &Lab, halfopen: &str, tool: Tool, truth: &BTreeSet<Endpoint>) -> Result<Run> {
    let link = link(lab)?;
    let file =
        tempfile::NamedTempFile::new().map_err(|error| format!("temporary file: {error}"))?;
    let mut command = lab.command(tool.privilege(), &running::own_program()?);
    command
        .args([ROLE, "measure"])
        .arg(file.path())
        .args(tool.words(lab, halfopen, link.as_ref())?);
    let before = lab.packets_arrived().ok();
    let (ended, peak) = while_counting(lab, || scan::run(command, DEADLINE));
    let (ended, after) = (ended?, lab.packets_arrived().ok());
    let said = std::fs::read_to_string(file.path()).unwrap_or_default();
    let cost = Cost::from_line(&said).ok_or_else(|| ended.stderr.trim().to_owned())?;
    let open = tool
        .read(&String::from_utf8_lossy(&ended.stdout))
        .map_err(|error| format!("exit {}: {error}: {}", cost.exit, ended.stderr.trim()))?;
    if open.is_empty() && !truth.is_empty() && cost.exit != 0 {
        return Err(format!("exit {}: {}", cost.exit, ended.stderr.trim()));
    }
    Ok(Run {
        cost,
        packets: before
            .zip(after)
            .map(|(before, after)| after.saturating_sub(before)),
        peak,
        missed: truth.difference(&open).count() as u64,
        invented: open.difference(truth).count() as u64,
    })
}

/// The highest rate at which packets arrived while something was done, over [`WINDOW`].
#[allow(
    clippy::disallowed_methods,
    reason = "this clock measures the scanner from outside"
)]
fn while_counting<T>(lab: &Lab, what: impl FnOnce() -> T) -> (T, Option<u64>) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let (mut last, mut peak) = ((Instant::now(), lab.packets_arrived().ok()?), None);
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
                let (now, count) = (Instant::now(), lab.packets_arrived().ok()?);
                let passed = now.duration_since(last.0);
                if passed >= WINDOW {
                    let rate = count.saturating_sub(last.1) as f64 / passed.as_secs_f64();
                    peak = peak.max(Some(rate as u64));
                    last = (now, count);
                }
            }
            peak
        });
        let result = what();
        done.store(true, Ordering::Relaxed);
        (result, counting.join().unwrap_or_default())
    })
}

/// Nothing on loopback, on bridges and behind TUN devices.
fn link(lab: &Lab) -> Result<Option<Link>> {
    match lab.scenario().topology {
        Topology::Pair | Topology::Asymmetric | Topology::Routed => {
            let (ours, theirs) = lab.link_addresses()?;
            Ok(Some(Link { ours, theirs }))
        }
        _ => Ok(None),
    }
}

fn sorted<T: Ord>(runs: &[Run], what: impl Fn(&Run) -> T) -> Vec<T> {
    let mut values: Vec<T> = runs.iter().map(what).collect();
    values.sort();
    values
}

/// Of at least one run.
fn median<T: Ord + Copy + Default>(runs: &[Run], what: impl Fn(&Run) -> T) -> T {
    let values = sorted(runs, what);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// `0`, or `0-3 (1)`: least, most, median.
fn range(sorted: &[u64]) -> String {
    match (sorted.first(), sorted.last(), sorted.get(sorted.len() / 2)) {
        (Some(least), Some(most), _) if least == most => least.to_string(),
        (Some(least), Some(most), Some(middle)) => format!("{middle} ({least}-{most})"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_number_where_all_agree() {
        assert_eq!(range(&[0, 0]), "0");
        assert_eq!(range(&[0, 2, 3]), "2 (0-3)");
        assert_eq!(range(&[]), "-");
    }

    #[test]
    fn medians_are_of_the_runs() {
        let run = |missed| Run {
            cost: Cost::default(),
            packets: None,
            peak: None,
            missed,
            invented: 0,
        };
        assert_eq!(median(&[run(9), run(1), run(2)], |run| run.missed), 2);
    }
}
