//! Scans that are killed at a random moment and resumed: what comes out is the whole, nothing that the journal holds is asked
//! again, and the journal is at most a second behind the wire.
//!
//! Packets to what is held are counted by the kernel, so that none is overlooked. `RESUME_KILLS=20` kills more often than the
//! gate has time for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::net::{IpAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use halfopen::Plan;
use halfopen::model::{Kept, Reason};
use halfopen::results::journal::{Entries, Fault};

use crate::Outcome;
use crate::lab::capture::Capture;
use crate::lab::network::Namespace;
use crate::lab::running::Lab;
use crate::lab::scan::{self, Found, Mode};
use crate::lab::scenario::Scenario;
use crate::lab::{Result, enter};

/// Those that are killed and resumed.
pub const SCENARIOS: [&str; 2] = ["lan", "loss-20"];

/// The outer process of one scenario.
pub fn start(name: &str) -> Outcome {
    let row = format!("resume-{name}");
    let kills = std::env::var("RESUME_KILLS").unwrap_or_else(|_| KILLS.to_owned());
    let mut command = match enter::inside(&[name.to_owned(), kills.clone()]) {
        Ok(command) => command,
        Err(enter::Impossible(why)) => {
            println!("{row:<27} SKIPPED: {why}");
            return Outcome::Skipped;
        }
    };
    command.env("RUST_BACKTRACE", "0");
    let kills: u64 = kills.parse().unwrap_or(1);
    let deadline = Duration::from_secs(60 + kills * 120);
    crate::outcome(&row, scan::run(command, deadline))
}

/// The inner process.
pub fn inside(outer: &str, name: &str, kills: &str) -> ExitCode {
    let row = format!("resume-{name}");
    let tried = kills
        .parse()
        .map_err(|_| format!("RESUME_KILLS={kills} is no number"))
        .and_then(|kills| {
            let lab = Lab::build(Scenario::load(name)?, outer)?;
            [Mode::Syn, Mode::Connect]
                .into_iter()
                .map(|mode| killed(&lab, mode, kills))
                .collect::<Result<Vec<Figures>>>()
        });
    match tried {
        Ok(figures) => {
            let said: Vec<String> = figures.iter().map(Figures::said).collect();
            println!("{row:<27} {}  ok", said.join("; "));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{row:<27} FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What was seen over all kills of one mode.
struct Figures {
    mode: Mode,
    kills: u32,
    /// Endpoints that were held, over all kills.
    held: usize,
    lag: Duration,
    /// Resumed runs that heard nothing of a host and said so.
    unheard: u32,
}

impl Figures {
    fn said(&self) -> String {
        format!(
            "{}: {} kills, {} held, {:.0} ms behind, {} unheard",
            self.mode.name(),
            self.kills,
            self.held,
            self.lag.as_secs_f64() * 1e3,
            self.unheard
        )
    }
}

fn killed(lab: &Lab, mode: Mode, kills: u32) -> Result<Figures> {
    let program =
        std::env::var("HALFOPEN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_halfopen").to_owned());
    let whole = scan::halfopen(lab, &program, mode, "all")?;
    if whole.open != lab.truth() {
        return Err(format!("{} mode: the whole is wrong", mode.name()));
    }
    let folder = tempfile::tempdir().map_err(|error| format!("a folder: {error}"))?;
    let mut figures = Figures {
        mode,
        kills,
        held: 0,
        lag: Duration::ZERO,
        unheard: 0,
    };
    for kill in 0..kills {
        let journal = folder.path().join(format!("journal-{kill}"));
        let after = whole.wall.mul_f64(rand::random());
        let one = one(lab, &program, mode, &journal, after, &whole);
        let (held, lag, unheard) = one.map_err(|error| {
            let after = after.as_secs_f64();
            format!(
                "{} mode, killed after {after:.3} s of {:.3} s: {error}",
                mode.name(),
                whole.wall.as_secs_f64()
            )
        })?;
        figures.held += held;
        figures.lag = figures.lag.max(lag);
        figures.unheard += u32::from(unheard);
    }
    Ok(figures)
}

/// One scan that is killed and resumed: how much was held, how far behind the journal was, whether a host was unheard.
fn one(
    lab: &Lab,
    program: &str,
    mode: Mode,
    journal: &Path,
    after: Duration,
    whole: &Found,
) -> Result<(usize, Duration, bool)> {
    let capture = Capture::open().map_err(|error| format!("capture: {error}"))?;
    let stop = AtomicBool::new(false);
    let (answers, ended) = std::thread::scope(|scope| {
        let heard = scope.spawn(|| capture.answers_until(&stop));
        let ended = end(command(lab, program, mode, journal), after);
        stop.store(true, Ordering::Relaxed);
        (heard.join(), ended)
    });
    let ended = ended?;
    let answers = answers
        .map_err(|_| "the capture panicked")?
        .map_err(|error| format!("capture: {error}"))?;
    let held = held(lab, journal)?;
    let behind: Vec<_> = answers
        .iter()
        .filter(|(endpoint, _)| !held.contains(endpoint))
        .map(|(endpoint, stamp)| (ended.saturating_sub(*stamp), endpoint))
        .collect();
    let lag = behind.iter().max().map_or(Duration::ZERO, |(lag, _)| *lag);
    if lag > MOST_BEHIND {
        let late = behind.iter().filter(|(lag, _)| *lag > MOST_BEHIND);
        return Err(format!(
            "the journal was {lag:?} behind, of {} answers {} too late, such as {:?}; {} held",
            answers.len(),
            late.count(),
            behind.iter().max().map(|(_, endpoint)| {
                let key = (endpoint.ip().to_string(), endpoint.port());
                (endpoint, whole.listed.get(&key))
            }),
            held.len()
        ));
    }

    count_packets_to(&held)?;
    let found = finished(lab, program, mode, journal)?;
    let again = Namespace::Scanner.nft_counter("resumed", "asked")?;
    Namespace::Scanner.nft("delete table inet resumed\n")?;
    if again > 0 {
        return Err(format!("{again} packets to what the journal holds"));
    }
    if found.open != whole.open {
        return Err(format!(
            "{} open ports, and {} in the whole",
            found.open.len(),
            whole.open.len()
        ));
    }
    if found.listed != whole.listed {
        let differing: BTreeMap<_, _> = found
            .listed
            .iter()
            .filter(|(endpoint, state)| whole.listed.get(*endpoint) != Some(*state))
            .take(3)
            .collect();
        return Err(format!(
            "{} endpoints listed, {} in the whole; such as {differing:?}",
            found.listed.len(),
            whole.listed.len()
        ));
    }
    let unheard = found.notes.contains("unheard-since-resume");
    let right = if unheard { Some(6) } else { Some(0) };
    if found.exit != right {
        return Err(format!("exit {:?}, {}", found.exit, found.stderr));
    }
    Ok((held.len(), lag, unheard))
}

fn command(lab: &Lab, program: &str, mode: Mode, journal: &Path) -> Command {
    let mut command = lab.command(mode.privilege(), program);
    command.args(scan::halfopen_arguments(lab, mode, "all"));
    command.arg("--resume").arg(journal);
    command
}

/// Kills a scan after so long; when that was, by the wall clock.
#[allow(
    clippy::disallowed_methods,
    reason = "the clock that captured packets are stamped by"
)]
fn end(mut command: Command, after: Duration) -> Result<Duration> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("halfopen: {error}"))?;
    std::thread::sleep(after);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // It may have ended in this very moment.
    let _ = child.kill();
    let _ = child.wait();
    now.map_err(|error| error.to_string())
}

fn finished(lab: &Lab, program: &str, mode: Mode, journal: &Path) -> Result<Found> {
    let deadline = Duration::from_secs(lab.scenario().within_seconds);
    let ended = scan::run(command(lab, program, mode, journal), deadline)?;
    let text = String::from_utf8(ended.stdout).map_err(|error| error.to_string())?;
    let mut found = scan::read_json_lines(&text)
        .map_err(|error| format!("{error}; stderr: {}", ended.stderr.trim()))?;
    found.exit = ended.exit;
    found.stderr = ended.stderr;
    Ok(found)
}

/// Everything that need not be asked again.
fn held(lab: &Lab, journal: &Path) -> Result<BTreeSet<SocketAddrV4>> {
    let mut held = BTreeSet::new();
    let scenario = lab.scenario();
    let plan = Plan::parse(&scenario.targets().join(","), &scenario.ports)
        .map_err(|error| error.to_string())?;
    let Ok(file) = File::open(journal) else {
        // It was killed before it began.
        return Ok(held);
    };
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut entries = match Entries::open(BufReader::new(file), length) {
        Ok((_, entries)) => entries,
        Err(Fault::Empty) => return Ok(held),
        Err(fault) => return Err(format!("the journal is {fault}")),
    };
    while let Some(kept) = entries.next_entry().map_err(|fault| fault.to_string())? {
        let index = match kept {
            Kept::Told(told) if !matches!(told.reason, Reason::Local(_)) => told.index,
            Kept::Claimed(claim) => claim.index,
            _ => continue,
        };
        let endpoint = plan.endpoint(index).ok_or("an index outside the plan")?;
        if let IpAddr::V4(ip) = endpoint.address.ip {
            held.insert(SocketAddrV4::new(ip, endpoint.port));
        }
    }
    Ok(held)
}

/// From now on the kernel counts SYNs to these.
fn count_packets_to(endpoints: &BTreeSet<SocketAddrV4>) -> Result<()> {
    Namespace::Scanner.nft(
        "table inet resumed {
            set held { type ipv4_addr . inet_service; }
            counter asked { }
            chain leaving {
                type filter hook output priority 0;
                ip daddr . tcp dport @held tcp flags & (syn | ack) == syn counter name asked
            }
        }\n",
    )?;
    let elements: Vec<String> = endpoints
        .iter()
        .map(|endpoint| format!("{} . {}", endpoint.ip(), endpoint.port()))
        .collect();
    // More do not fit into one message.
    elements.chunks(1_000).try_for_each(|some| {
        let some = some.join(", ");
        Namespace::Scanner.nft(&format!("add element inet resumed held {{ {some} }}\n"))
    })
}

/// Of each mode, where nothing else is asked for.
const KILLS: &str = "1";
const MOST_BEHIND: Duration = Duration::from_secs(1);
