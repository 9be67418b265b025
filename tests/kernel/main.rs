//! Every scenario against the real kernel, in SYN and in connect mode, one after the other.
//!
//! A harness of its own, because timings on a small machine are only fair when nothing else runs, and because a
//! scenario that is impossible here must read `SKIPPED`, not `ok`. `REQUIRE_KERNEL_TESTS=1` turns a skip into
//! a failure. Arguments are parts of scenario names, as with other tests: `cargo test --test kernel -- silent`.
//! `HALFOPEN=PATH` tests another build. A scenario with a `pending` line is named, not run and not counted as passed;
//! `-- --pending` runs these instead, and they count like all others.
#![deny(unsafe_code)]

#[path = "../lab/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the lab example uses the rest, and its unit tests run elsewhere"
)]
mod lab;
mod resume;

use std::collections::BTreeMap;
use std::env;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::failures::Failures;
use lab::running::Lab;
use lab::scan::{self, Ended, Found, Mode};
use lab::scenario::{Scenario, Topology, UsedBy};
use lab::{Result, enter, event, judge, role, traces};

/// What an inner process exits with when the scenario cannot be had here.
const SKIPPED: i32 = 77;

/// How much longer than all its scans a scenario may take.
const GRACE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(done) = role::play(&args) {
        return match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("lab: {error}");
                ExitCode::FAILURE
            }
        };
    }
    match &args[..] {
        [inside, outer, name] if inside == enter::INSIDE => one(outer, name),
        [inside, outer, name, kills] if inside == enter::INSIDE => {
            resume::inside(outer, name, kills)
        }
        _ => all(&args),
    }
}

/// The outer process: starts one inner process per scenario and counts.
#[allow(clippy::disallowed_methods, reason = "this clock measures the tests")]
fn all(args: &[String]) -> ExitCode {
    let scenarios = match Scenario::load_all() {
        Ok(scenarios) => scenarios,
        Err(error) => {
            println!("kernel: {error}");
            return ExitCode::FAILURE;
        }
    };
    let asked: Vec<&Scenario> = scenarios
        .iter()
        .filter(|scenario| scenario.used_by == UsedBy::Tests && is_asked_for(&scenario.name, args))
        .collect();
    let tries_pending = args.iter().any(|arg| arg == "--pending");
    let (pending, ready): (Vec<&Scenario>, Vec<&Scenario>) = asked
        .into_iter()
        .partition(|scenario| scenario.pending.is_some());
    let wanted = if tries_pending { &pending } else { &ready };
    if args.iter().any(|arg| arg == "--list") {
        for scenario in wanted {
            println!("{}: test", scenario.name);
        }
        for name in resume::SCENARIOS {
            println!("resume-{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    println!(
        "\nrunning {} kernel scenarios, one after the other",
        wanted.len()
    );
    println!(
        "{:<27} {:<36} {:<36} {:<7} {:>15}  result",
        "scenario", "syn", "connect", "lists", "seconds"
    );
    let (mut passed, mut failed, mut skipped) = (0, Failures::default(), Vec::new());
    let mut count = |name: &str, outcome| match outcome {
        Outcome::Passed => passed += 1,
        Outcome::Failed(said) => failed.add(name, &said),
        Outcome::Skipped => skipped.push(name.to_owned()),
    };
    for scenario in wanted {
        count(&scenario.name, start(scenario));
    }
    for name in resume::SCENARIOS {
        let row = format!("resume-{name}");
        if !tries_pending && is_asked_for(&row, args) {
            count(&row, resume::start(name));
        }
    }
    if !tries_pending {
        for scenario in &pending {
            let lacks = scenario.pending.as_deref().unwrap_or_default();
            println!("{:<27} PENDING: {lacks}", scenario.name);
        }
    }
    let required = env::var_os("REQUIRE_KERNEL_TESTS").is_some_and(|value| value == "1");
    if !skipped.is_empty() {
        println!("\nSKIPPED: {}", skipped.join(", "));
    }
    if !failed.is_empty() {
        println!("\nWhat failed, once more:\n{}", failed.details());
        println!("FAILED: {}", failed.names());
    }
    let good = failed.is_empty() && (skipped.is_empty() || !required);
    println!(
        "\ntest result: {}. {passed} passed; {} failed; {} skipped{}; {} pending; finished in {:.1}s\n",
        if good { "ok" } else { "FAILED" },
        failed.len(),
        skipped.len(),
        if required {
            " (which are failures here)"
        } else {
            ""
        },
        pending.len(),
        started.elapsed().as_secs_f64()
    );
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// With what it printed.
    Failed(String),
    Skipped,
}

/// Runs one scenario in namespaces of its own. It prints its row itself.
fn start(scenario: &Scenario) -> Outcome {
    let mut command = match enter::inside(std::slice::from_ref(&scenario.name)) {
        Ok(command) => command,
        Err(enter::Impossible(why)) => {
            println!("{:<27} SKIPPED: {why}", scenario.name);
            return Outcome::Skipped;
        }
    };
    let scans = 2 * u64::from(scenario.scanner.repeat);
    let deadline = Duration::from_secs(scenario.within_seconds * scans) + GRACE;
    command.env("RUST_BACKTRACE", "0");
    outcome(&scenario.name, scan::run(command, deadline))
}

/// What the inner process of `row` came to. What it printed is passed on.
fn outcome(row: &str, ended: Result<Ended>) -> Outcome {
    let (exit, said) = match ended {
        Ok(ended) => {
            let said = String::from_utf8_lossy(&ended.stdout) + ended.stderr.as_str();
            (ended.exit, said.into_owned())
        }
        Err(error) => (None, format!("{row:<27} FAILED: {error}\n")),
    };
    print!("{said}");
    // A row is of use as soon as it is there; a closed pipe is found by the next print.
    let _ = std::io::stdout().flush();
    match exit {
        Some(0) => Outcome::Passed,
        Some(SKIPPED) => Outcome::Skipped,
        _ => Outcome::Failed(said),
    }
}

/// The inner process: builds the network, scans it in both modes, and prints one row.
fn one(outer: &str, name: &str) -> ExitCode {
    match scenario(outer, name) {
        Ok(code) => code,
        Err(error) => {
            println!("{name:<27} FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn scenario(outer: &str, name: &str) -> Result<ExitCode> {
    let scenario = Scenario::load(name)?;
    if scenario.topology == Topology::Tun
        && let Err(error) = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
    {
        println!("{name:<27} SKIPPED: /dev/net/tun: {error}");
        return Ok(ExitCode::from(SKIPPED as u8));
    }
    let program =
        env::var("HALFOPEN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_halfopen").to_owned());
    let (repeat, worn) = (scenario.scanner.repeat, scenario.is_worn_by_a_scan());
    let mut lab = Lab::build(scenario, outer)?;
    let (mut syn, mut connect, mut left_behind) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..repeat {
        for (mode, found) in [(Mode::Syn, &mut syn), (Mode::Connect, &mut connect)] {
            if worn && (run, mode) != (0, Mode::Syn) {
                lab.renew()?;
            }
            let scans = || event::during(&lab, || at_once(&lab, &program, mode));
            let (scans, traces) = traces::of(&lab, scans)?;
            found.extend(scans??);
            let faults = traces.faults(lab.scenario(), mode);
            let named = |fault| format!("run {}, {}: {fault}", run + 1, mode.name());
            left_behind.extend(faults.into_iter().map(named));
        }
    }
    let scenario = lab.scenario();
    let mut wrong = judge::judge(scenario, &syn, &connect);
    wrong.append(&mut left_behind);
    let equal = syn
        .iter()
        .zip(&connect)
        .all(|(syn, connect)| syn.open == connect.open);
    println!(
        "{name:<27} {:<36} {:<36} {:<7} {:>7} {:>7}  {}",
        counts(&syn),
        counts(&connect),
        if equal { "equal" } else { "DIFFER" },
        median(&syn),
        median(&connect),
        if wrong.is_empty() { "ok" } else { "FAILED" }
    );
    for complaint in &wrong {
        println!("    {complaint}");
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// As many scans of one mode at the same time as the scenario asks for.
fn at_once(lab: &Lab, program: &str, mode: Mode) -> Result<Vec<Found>> {
    let show = if judge::lists_all(lab.scenario()) {
        "all"
    } else {
        "open,suspect,error"
    };
    std::thread::scope(|scope| {
        let scans: Vec<_> = (0..lab.scenario().scanner.at_once)
            .map(|_| scope.spawn(|| scan::halfopen(lab, program, mode, show)))
            .collect();
        scans
            .into_iter()
            .map(|scan| {
                scan.join()
                    .unwrap_or_else(|_| Err("a scan's thread panicked".to_owned()))
            })
            .collect()
    })
}

/// `100 open, 65435 closed`, of the last run; `x20` when there were so many.
fn counts(runs: &[Found]) -> String {
    let empty = BTreeMap::new();
    let last = runs.last().map_or(&empty, |found| &found.counts);
    let states = ["open", "closed", "filtered", "suspect", "error"];
    let parts: Vec<String> = states
        .iter()
        .filter_map(|state| {
            last.get(*state)
                .filter(|count| **count > 0)
                .map(|count| format!("{count} {state}"))
        })
        .collect();
    match runs.len() {
        1 => parts.join(", "),
        more => format!("{} x{more}", parts.join(", ")),
    }
}

fn median(runs: &[Found]) -> String {
    let mut walls: Vec<Duration> = runs.iter().map(|found| found.wall).collect();
    walls.sort();
    walls.get(walls.len() / 2).map_or_else(
        || "-".to_owned(),
        |wall| format!("{:.2}", wall.as_secs_f64()),
    )
}

/// Words select by part of the name, after `--exact` by the whole; other options of the usual harness change nothing.
fn is_asked_for(name: &str, args: &[String]) -> bool {
    let mut words = args.iter().filter(|arg| !arg.starts_with('-')).peekable();
    let exact = args.iter().any(|arg| arg == "--exact");
    words.peek().is_none()
        || words.any(|word| {
            if exact {
                name == word
            } else {
                name.contains(word.as_str())
            }
        })
}
