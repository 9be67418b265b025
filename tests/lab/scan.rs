//! Running scanners in a lab, with a deadline, and reading what they found.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::measure::Cost;
use super::role::ROLE;
use super::running::{self, Lab, Privilege};
use super::{Result, stopping};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Syn,
    Connect,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Connect => "connect",
        }
    }

    /// Connect mode is what ordinary users have, so it runs as one.
    pub fn privilege(self) -> Privilege {
        match self {
            Self::Syn => Privilege::Root,
            Self::Connect => Privilege::Ordinary,
        }
    }
}

/// (address without zone, port).
pub type Endpoint = (String, u16);

/// What one scan said.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub open: BTreeSet<Endpoint>,
    /// State and reason of everything that was listed.
    pub listed: BTreeMap<Endpoint, (String, String)>,
    /// How many of each state, by the summary.
    pub counts: BTreeMap<String, u64>,
    /// How long after the scan's start it was found, of everything that was listed.
    pub found_after: BTreeMap<Endpoint, Duration>,
    /// Of hosts and of the whole.
    pub notes: BTreeSet<String>,
    /// Packets that found no room in the capture.
    pub capture_drops: u64,
    /// The most memory that it had resident at a time, where the scenario asks.
    pub peak_kib: Option<u64>,
    pub complete: bool,
    pub exit: Option<i32>,
    pub wall: Duration,
    pub stderr: String,
    /// The summary's line, for whoever has to find out why.
    pub summary: String,
}

/// A finished process.
#[derive(Debug)]
pub struct Ended {
    pub exit: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub wall: Duration,
}

/// The options of a scan of this lab's targets with Halfopen.
pub fn halfopen_arguments(lab: &Lab, mode: Mode, show: &str) -> Vec<String> {
    let scenario = lab.scenario();
    let of_this_mode = match mode {
        Mode::Syn => scenario.scanner.arguments_in_syn_mode.as_slice(),
        Mode::Connect => &[],
    };
    let options = [
        "--no-config",
        "-m",
        mode.name(),
        "-p",
        &scenario.ports,
        "--json",
        "--show",
        show,
    ];
    options
        .into_iter()
        .map(str::to_owned)
        .chain(scenario.scanner.arguments.iter().cloned())
        .chain(of_this_mode.iter().cloned())
        .chain(scenario.targets())
        .collect()
}

/// Runs Halfopen (`program`) in the lab and reads its JSON lines.
pub fn halfopen(lab: &Lab, program: &str, mode: Mode, show: &str) -> Result<Found> {
    let (scenario, costs) = (lab.scenario(), costs_file(lab)?);
    let mut command = match &costs {
        None => lab.command(mode.privilege(), program),
        Some(file) => {
            let mut command = lab.command(mode.privilege(), &running::own_program()?);
            command
                .args([ROLE, "measure"])
                .arg(file.path())
                .arg(program);
            command
        }
    };
    command.args(halfopen_arguments(lab, mode, show));
    let deadline = Duration::from_secs(scenario.within_seconds);
    let (ended, ()) = run_beside(command, deadline, |scanner| {
        let stop = scenario.scanner.stopped;
        stop.map_or(Ok(()), |stop| stopping::stop(scanner, stop))
    })?;
    let cost = costs.and_then(|file| {
        let said = std::fs::read_to_string(file.path()).unwrap_or_default();
        Cost::from_line(&said)
    });
    let text = String::from_utf8(ended.stdout)
        .map_err(|error| format!("{} mode: {error}", mode.name()))?;
    let mut found = read_json_lines(&text).map_err(|error| {
        format!(
            "{} mode: {error}; stderr: {}",
            mode.name(),
            ended.stderr.trim()
        )
    })?;
    // Who is measured ends inside the process that we started.
    found.exit = cost.map_or(ended.exit, |cost| Some(cost.exit));
    found.peak_kib = cost.map(|cost| cost.peak_kib);
    found.wall = ended.wall;
    found.stderr = ended.stderr;
    Ok(found)
}

/// Where a scan's cost is written, if the scenario asks for it.
fn costs_file(lab: &Lab) -> Result<Option<tempfile::NamedTempFile>> {
    let asked = lab.scenario().most_memory_mb;
    let made = asked.map(|_| tempfile::NamedTempFile::new()).transpose();
    made.map_err(|error| format!("a temporary file for the cost of a scan: {error}"))
}

/// Reads Halfopen's JSON lines. A port that is listed twice is an error, and so is a missing summary.
pub fn read_json_lines(text: &str) -> Result<Found> {
    let mut found = Found::default();
    for line in text.lines() {
        let object: Value =
            serde_json::from_str(line).map_err(|error| format!("`{line}`: {error}"))?;
        let word = |key: &str| {
            object[key]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("no `{key}` in `{line}`"))
        };
        match word("type")?.as_str() {
            "port" => {
                let address = word("address")?;
                let address = address.split('%').next().unwrap_or_default().to_owned();
                let port = object["port"]
                    .as_u64()
                    .and_then(|port| u16::try_from(port).ok());
                let endpoint = (
                    address,
                    port.ok_or_else(|| format!("no `port` in `{line}`"))?,
                );
                let (state, reason) = (word("state")?, word("reason")?);
                if state == "open" {
                    found.open.insert(endpoint.clone());
                }
                let after = object["time"]
                    .as_f64()
                    .and_then(|after| Duration::try_from_secs_f64(after).ok());
                if let Some(after) = after {
                    found.found_after.insert(endpoint.clone(), after);
                }
                if found.listed.insert(endpoint, (state, reason)).is_some() {
                    return Err(format!("listed twice: `{line}`"));
                }
            }
            "host" => found.notes.extend(notes(&object)),
            "summary" => {
                line.clone_into(&mut found.summary);
                found.notes.extend(notes(&object));
                found.capture_drops = object["capture_drops"].as_u64().unwrap_or(0);
                found.complete = object["complete"].as_bool().unwrap_or(false);
                for state in ["open", "closed", "filtered", "suspect", "error"] {
                    let count = object[state]
                        .as_u64()
                        .ok_or_else(|| format!("no `{state}` in `{line}`"))?;
                    found.counts.insert(state.to_owned(), count);
                }
            }
            _ => {}
        }
    }
    if found.summary.is_empty() {
        return Err("no summary was printed".to_owned());
    }
    Ok(found)
}

fn notes(object: &Value) -> impl Iterator<Item = String> {
    let notes = object["notes"].as_array().into_iter().flatten();
    notes.filter_map(|note| note.as_str().map(str::to_owned))
}

/// Reads nmap's grepable output (`-oG -`): `Ports: 22/open/tcp//ssh///, ...`.
pub fn read_grepable(text: &str) -> BTreeSet<Endpoint> {
    let mut open = BTreeSet::new();
    for line in text.lines() {
        let Some((host, ports)) = line.split_once("Ports: ") else {
            continue;
        };
        let address = host.split_whitespace().nth(1).unwrap_or_default();
        let address = address.split('%').next().unwrap_or_default();
        for entry in ports.split(", ") {
            let mut fields = entry.trim().split('/');
            if let (Some(port), Some("open")) = (fields.next(), fields.next())
                && let Ok(port) = port.parse()
            {
                open.insert((address.to_owned(), port));
            }
        }
    }
    open
}

/// Runs a command to its end, or kills it at the deadline, which is an error.
pub fn run(command: Command, deadline: Duration) -> Result<Ended> {
    run_beside(command, deadline, |_| Ok(())).map(|(ended, ())| ended)
}

/// The same, and meanwhile does something with the process, which must end when that is gone.
#[allow(
    clippy::disallowed_methods,
    reason = "this clock measures the scanner from outside"
)]
pub fn run_beside<T: Send>(
    mut command: Command,
    deadline: Duration,
    beside: impl FnOnce(Pid) -> Result<T> + Send,
) -> Result<(Ended, T)> {
    let started = Instant::now();
    let what = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{what}: {error}"))?;
    let pid = Pid::from_child(&child);
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let errors = std::thread::spawn(move || slurp(&mut stderr));
            let output = slurp(&mut stdout);
            let status = child.wait();
            // The receiver may have given up; nobody is left to be told then.
            let _ = tell.send((
                status,
                started.elapsed(),
                output,
                errors.join().unwrap_or_default(),
            ));
        });
        let beside = scope.spawn(move || beside(pid));
        match told.recv_timeout(deadline) {
            Ok((status, wall, stdout, stderr)) => {
                let beside = beside
                    .join()
                    .unwrap_or_else(|_| Err("the thread beside it panicked".to_owned()))
                    .map_err(|error| format!("{what}: {error}"))?;
                let ended = Ended {
                    exit: status.map_err(|error| format!("{what}: {error}"))?.code(),
                    stdout,
                    stderr: String::from_utf8_lossy(&stderr).into_owned(),
                    wall,
                };
                Ok((ended, beside))
            }
            Err(_) => {
                // It may have ended in this very moment.
                let _ = kill_process(pid, Signal::KILL);
                Err(format!("{what}: not done after {} s", deadline.as_secs()))
            }
        }
    })
}

fn slurp(pipe: &mut Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = r#"{"type":"summary","complete":true,"open":1,"closed":1,"filtered":0,"suspect":0,"error":0}"#;

    #[test]
    fn json_lines_are_read_and_zones_dropped() {
        let text = format!(
            "{}\n{}\n{}\n{SUMMARY}\n",
            r#"{"type":"scan","mode":"syn"}"#,
            r#"{"type":"port","address":"fe80::2%lab0","port":22,"state":"open","reason":"syn-ack"}"#,
            r#"{"type":"port","address":"fe80::2%lab0","port":23,"state":"closed","reason":"rst"}"#,
        );
        let found = read_json_lines(&text).unwrap();
        assert_eq!(found.open, BTreeSet::from([("fe80::2".to_owned(), 22)]));
        assert_eq!(
            found.listed[&("fe80::2".to_owned(), 23)],
            ("closed".to_owned(), "rst".to_owned())
        );
        assert_eq!(found.counts["closed"], 1);
        assert!(found.complete);
    }

    #[test]
    fn a_repeated_port_a_missing_summary_and_garbage_are_errors() {
        let port = r#"{"type":"port","address":"::1","port":22,"state":"open","reason":"syn-ack"}"#;
        for (text, complaint) in [
            (format!("{port}\n{port}\n{SUMMARY}"), "listed twice"),
            (port.to_owned(), "no summary"),
            ("nonsense".to_owned(), "nonsense"),
            (port.replace("22", "65536"), "no `port`"),
        ] {
            assert!(
                read_json_lines(&text).unwrap_err().contains(complaint),
                "{text}"
            );
        }
    }

    #[test]
    fn grepable_output_is_read() {
        let text = "# Nmap\nHost: 10.66.0.2 ()\tStatus: Up\nHost: 10.66.0.2 ()\tPorts: 22/open/tcp//ssh///, 80/filtered/tcp//http///, 443/open/tcp//https///\tIgnored State: closed (3)\n";
        let expected = [22, 443].map(|port| ("10.66.0.2".to_owned(), port));
        assert_eq!(read_grepable(text), BTreeSet::from(expected));
    }

    #[test]
    fn a_command_that_is_stopped_goes_on_and_one_that_ends_before_is_an_error() {
        let stop = crate::lab::scenario::Stop {
            after_ms: 20,
            for_ms: 50,
        };
        let sleep = |time: &str| {
            let mut command = Command::new("sleep");
            command.arg(time);
            run_beside(command, Duration::from_secs(20), |pid| {
                stopping::stop(pid, stop)
            })
        };
        assert_eq!(sleep("0.3").unwrap().0.exit, Some(0));
        let error = sleep("0").unwrap_err();
        assert!(error.contains("ended before it was stopped"), "{error}");
    }

    #[test]
    fn a_command_that_hangs_is_killed() {
        let mut command = Command::new("sleep");
        command.arg("30");
        let error = run(command, Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("not done"), "{error}");
    }
}
