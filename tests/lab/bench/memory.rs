//! How much memory a very large plan takes, and whether that grows while it is scanned.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::Result;
use crate::lab::running::{Lab, Privilege};
use crate::lab::scan;
use crate::lab::scenario::Site;

/// The network with the host that drops everything.
pub const SCENARIO: &str = "sink";

/// 2^23 addresses and 2^9 ports: 2^32 endpoints, all of them behind the sink.
const TARGETS: &str = "10.128.0.0/9";
const PORTS: &str = "1-512";

/// After so many probes the scan has begun, and after so many it is ended.
const BEGUN: u64 = 10_000;
const ENOUGH: u64 = 10_000_000;

/// A scanner that needs longer for that many has failed.
const DEADLINE: Duration = Duration::from_secs(150);

/// Peak memory in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Peaks {
    begun: Option<u64>,
    enough: Option<u64>,
    last: u64,
}

/// Scans 2^32 endpoints until ten million probes have left. `lab` is that of [`SCENARIO`], whose only way out leads into
/// the sink.
pub fn of_a_large_plan(lab: &Lab, halfopen: &str) -> Result<String> {
    lab.at(Site::Scanner)?
        .perform("ip route add default via 10.66.0.2")?;
    let mut command = lab.command(Privilege::Root, halfopen);
    command
        .args(["--no-config", "-m", "syn", "--rate", "10M", "--json"])
        .args(["-p", PORTS, TARGETS]);
    let (ended, peaks) = scan::run_beside(command, DEADLINE, |scanner| watch(lab, scanner))?;
    let said = String::from_utf8_lossy(&ended.stdout);
    scan::read_json_lines(&said).map_err(|error| format!("{error}: {}", ended.stderr.trim()))?;
    let (Some(begun), Some(enough)) = (peaks.begun, peaks.enough) else {
        return Err(format!(
            "the scan ended before {ENOUGH} probes had left: {}",
            ended.stderr.trim()
        ));
    };
    let mb = |kib: u64| format!("{:.1} MB", kib as f64 / 1024.0);
    Ok(format!(
        "memory: {TARGETS} ports {PORTS}, 4294967296 endpoints\n  {} after {BEGUN} probes, {} after {ENOUGH}, {} at the end; {:.1} s\n",
        mb(begun),
        mb(enough),
        mb(peaks.last),
        ended.wall.as_secs_f64()
    ))
}

/// Looks at the scanner until it is gone, and ends it when it has sent enough.
fn watch(lab: &Lab, scanner: Pid) -> Result<Peaks> {
    let before = lab.packets_arrived()?;
    let mut peaks = Peaks::default();
    while let Some(peak) = peak_kib(scanner) {
        let sent = lab.packets_arrived()?.saturating_sub(before);
        peaks.last = peak;
        if peaks.begun.is_none() && sent >= BEGUN {
            peaks.begun = Some(peak);
        }
        if peaks.enough.is_none() && sent >= ENOUGH {
            peaks.enough = Some(peak);
            // What a shell has started in the background takes no SIGINT.
            kill_process(scanner, Signal::TERM)
                .map_err(|error| format!("interrupting the scan: {error}"))?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(peaks)
}

/// The most memory that a process has had resident so far; `None` when it is gone.
fn peak_kib(process: Pid) -> Option<u64> {
    let path = format!("/proc/{}/status", process.as_raw_nonzero());
    read_peak(&std::fs::read_to_string(path).ok()?)
}

/// A process that has ended and was not waited for has no such line.
fn read_peak(status: &str) -> Option<u64> {
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::scenario::Scenario;

    #[test]
    fn the_peak_of_a_process_is_read_and_a_dead_one_has_none() {
        let peak = peak_kib(rustix::process::getpid()).unwrap();
        assert!(peak > 500, "{peak}");
        assert_eq!(read_peak("Name:\tsleep\nState:\tZ (zombie)\n"), None);
        assert_eq!(read_peak("VmPeak:\t9 kB\nVmHWM:\t   1234 kB\n"), Some(1234));
    }

    #[test]
    fn the_plan_has_as_many_endpoints_as_it_says() {
        let plan = halfopen::Plan::parse(TARGETS, PORTS).unwrap();
        assert_eq!(plan.len(), 1 << 32);
        assert!(Scenario::load(SCENARIO).is_ok());
    }
}
