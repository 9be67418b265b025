//! Halfopen and nmap on the same work, in turn, in one lab: medians of wall time, and ports missed and invented.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use super::Result;
use super::running::{Lab, Privilege};
use super::scan::{self, Endpoint, Mode};
use super::scenario::Family;

/// A scanner of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Halfopen(Mode),
    Nmap(Mode),
}

/// One run of nmap.
const NMAP_DEADLINE: Duration = Duration::from_secs(180);

const TOOLS: [Tool; 4] = [
    Tool::Halfopen(Mode::Syn),
    Tool::Nmap(Mode::Syn),
    Tool::Halfopen(Mode::Connect),
    Tool::Nmap(Mode::Connect),
];

/// One tool's runs.
#[derive(Debug, Default)]
struct Column {
    walls: Vec<Duration>,
    missed: Vec<usize>,
    invented: Vec<usize>,
    failures: Vec<String>,
}

/// Runs every installed tool `runs` times, one after the other within a round, so that all meet the same machine.
pub fn compare(lab: &Lab, halfopen: &str, runs: usize) -> Result<String> {
    let truth = lab.truth();
    let mut columns: Vec<(Tool, Column)> = TOOLS
        .into_iter()
        .filter(|tool| installed(*tool, halfopen))
        .map(|tool| (tool, Column::default()))
        .collect();
    for _ in 0..runs {
        // Who failed or took too long once is not asked again: nmap needs minutes on a lossy path.
        for (tool, column) in columns
            .iter_mut()
            .filter(|(_, column)| column.failures.is_empty())
        {
            match once(lab, halfopen, *tool) {
                Ok((wall, open)) => {
                    column.walls.push(wall);
                    column.missed.push(truth.difference(&open).count());
                    column.invented.push(open.difference(&truth).count());
                }
                Err(error) => column.failures.push(error),
            }
        }
    }
    let scenario = lab.scenario();
    let mut table = format!(
        "{}: {} ports of {}, {} open, {runs} runs each\n{:<34} {:>9} {:>9} {:>9}  {:<12} {:<12}\n",
        scenario.name,
        scenario.ports,
        scenario.targets().join(" "),
        truth.len(),
        "tool",
        "median s",
        "least s",
        "most s",
        "missed",
        "invented"
    );
    for (tool, mut column) in columns {
        column.walls.sort();
        let seconds = |at: usize| {
            column.walls.get(at).map_or_else(
                || "-".to_owned(),
                |wall| format!("{:.3}", wall.as_secs_f64()),
            )
        };
        table += &format!(
            "{:<34} {:>9} {:>9} {:>9}  {:<12} {:<12}\n",
            label(tool),
            seconds(column.walls.len() / 2),
            seconds(0),
            seconds(column.walls.len().saturating_sub(1)),
            range(&column.missed),
            range(&column.invented)
        );
        if let Some(failure) = column.failures.first() {
            table += &format!(
                "  {} of {runs} runs failed: {failure}\n",
                column.failures.len()
            );
        }
    }
    Ok(table)
}

fn once(lab: &Lab, halfopen: &str, tool: Tool) -> Result<(Duration, BTreeSet<Endpoint>)> {
    match tool {
        Tool::Halfopen(mode) => {
            let found = scan::halfopen(lab, halfopen, mode, "open")?;
            match found.exit {
                Some(0) => Ok((found.wall, found.open)),
                exit => Err(format!("exit {exit:?}: {}", found.stderr.trim())),
            }
        }
        Tool::Nmap(mode) => {
            // As root for both, as its users run it.
            let mut command = lab.command(Privilege::Root, "nmap");
            command
                .args(nmap_options(mode))
                .args(["-p", &lab.scenario().ports, "-oG", "-"]);
            if lab.scenario().family != Family::V4 {
                command.arg("-6");
            }
            command.args(lab.scenario().targets());
            let ended = scan::run(command, NMAP_DEADLINE)?;
            match ended.exit {
                Some(0) => Ok((
                    ended.wall,
                    scan::read_grepable(&String::from_utf8_lossy(&ended.stdout)),
                )),
                exit => Err(format!("exit {exit:?}: {}", ended.stderr.trim())),
            }
        }
    }
}

fn nmap_options(mode: Mode) -> [&'static str; 4] {
    let kind = match mode {
        Mode::Syn => "-sS",
        Mode::Connect => "-sT",
    };
    [kind, "-n", "-Pn", "-T4"]
}

fn label(tool: Tool) -> String {
    match tool {
        Tool::Halfopen(mode) => format!("halfopen -m {}", mode.name()),
        Tool::Nmap(mode) => format!("nmap {}", nmap_options(mode).join(" ")),
    }
}

fn installed(tool: Tool, halfopen: &str) -> bool {
    let program = match tool {
        Tool::Halfopen(_) => halfopen,
        Tool::Nmap(_) => "nmap",
    };
    Command::new(program).arg("--version").output().is_ok()
}

/// `0`, or `0 to 3`.
fn range(numbers: &[usize]) -> String {
    match (numbers.iter().min(), numbers.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_number_where_all_agree() {
        assert_eq!(range(&[0, 0]), "0");
        assert_eq!(range(&[2, 0, 3]), "0 to 3");
        assert_eq!(range(&[]), "-");
    }
}
