//! The lab by hand: `cargo run --example lab -- list | run SCENARIO -- COMMAND... | bench SCENARIO TOOLS RUNS HALFOPEN |
//! memory HALFOPEN`.
//!
//! In COMMAND, `{target}`, `{ports}` and `{open}` stand for the scenario's targets, scanned ports and true list.
#![deny(unsafe_code)]

use std::process::ExitCode;

#[path = "mod.rs"]
#[allow(dead_code, reason = "the kernel tests use the rest")]
mod lab;

use lab::bench::Tool;
use lab::running::{Lab, Privilege};
use lab::scenario::Scenario;
use lab::{Result, bench, enter, role};

const USAGE: &str = "usage: lab list\n       lab run SCENARIO -- COMMAND...   ({target}, {ports} and {open} are filled in; keys need a terminal inside: script -qec \"COMMAND\" /dev/null)\n       lab bench SCENARIO TOOLS RUNS HALFOPEN   (tools: halfopen-syn,nmap-connect,masscan,...)\n       lab memory HALFOPEN   (of a plan of 2^32 endpoints)\n";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match role::play(&args) {
        Some(done) => done.map(|()| ExitCode::SUCCESS),
        None => command(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("lab: {error}");
        ExitCode::FAILURE
    })
}

fn command(args: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["list"] => {
            for scenario in Scenario::load_all()? {
                println!("{:<28} {}", scenario.name, scenario.about);
            }
            Ok(ExitCode::SUCCESS)
        }
        ["run", name, "--", _, ..] | ["bench", name, _, _, _] => {
            Scenario::load(name)?;
            inside(args)
        }
        ["memory", _] => inside(args),
        [enter::INSIDE, outer, "run", name, "--", program, ..] => {
            let lab = Lab::build(Scenario::load(name)?, outer)?;
            let mut command = lab.command(Privilege::Root, program);
            command.args(args.iter().skip(6).flat_map(|word| filled_in(&lab, word)));
            let status = command
                .status()
                .map_err(|error| format!("{program}: {error}"))?;
            Ok(exit_code(status.code()))
        }
        [enter::INSIDE, outer, "bench", name, tools, runs, halfopen] => {
            let runs = match runs.parse() {
                Ok(runs @ 1..=100) => runs,
                _ => return Err(format!("`{runs}` runs: 1 to 100 are possible")),
            };
            let tools: Vec<Tool> = tools.split(',').map(Tool::named).collect::<Result<_>>()?;
            let mut lab = Lab::build(Scenario::load(name)?, outer)?;
            print!("{}", bench::compare(&mut lab, &tools, halfopen, runs)?);
            Ok(ExitCode::SUCCESS)
        }
        [enter::INSIDE, outer, "memory", halfopen] => {
            let lab = Lab::build(Scenario::load(bench::memory::SCENARIO)?, outer)?;
            print!("{}", bench::memory::of_a_large_plan(&lab, halfopen)?);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprint!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// Plays the same command in fresh namespaces.
fn inside(args: &[String]) -> Result<ExitCode> {
    let status = enter::inside(args)
        .map_err(|enter::Impossible(why)| why)?
        .status()
        .map_err(|error| format!("unshare: {error}"))?;
    Ok(exit_code(status.code()))
}

/// A word of the command; `{target}` alone becomes one word per target.
fn filled_in(lab: &Lab, word: &str) -> Vec<String> {
    let targets = lab.scenario().targets();
    if word == "{target}" {
        return targets;
    }
    let open: Vec<String> = lab
        .truth()
        .into_iter()
        .map(|(_, port)| port.to_string())
        .collect();
    let word = word.replace("{target}", &targets.join(" "));
    vec![
        word.replace("{ports}", &lab.scenario().ports)
            .replace("{open}", &open.join(",")),
    ]
}

fn exit_code(code: Option<i32>) -> ExitCode {
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
