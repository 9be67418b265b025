//! What a process cost: wall time, processor time, peak memory.
//!
//! Measured by a small process of its own: what `wait4` reports as peak memory includes that of the process from which
//! the measured one was forked.

use std::process::Command;
use std::time::{Duration, Instant};

use super::Result;

mod wait;

/// The cost of one process and of the children that it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    pub wall: Duration,
    /// User and system.
    pub cpu: Duration,
    pub peak_kib: u64,
    /// As a shell says it: 128 + the signal's number for a death by signal.
    pub exit: i32,
}

/// Runs a command to its end with our own input and output, and writes what it cost to `file`. The command dies with us.
#[allow(
    clippy::disallowed_methods,
    reason = "this clock measures the scanner from outside"
)]
pub fn measure(file: &str, program: &[&str]) -> Result<()> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(program);
    let started = Instant::now();
    let child = command
        .spawn()
        .map_err(|error| format!("{program:?}: {error}"))?;
    let mut cost = wait::for_child(&child).map_err(|error| format!("wait4: {error}"))?;
    cost.wall = started.elapsed();
    std::fs::write(file, cost.to_line()).map_err(|error| format!("{file}: {error}"))
}

impl Cost {
    fn to_line(self) -> String {
        let (wall, cpu) = (self.wall.as_micros(), self.cpu.as_micros());
        format!("{wall} {cpu} {} {}\n", self.peak_kib, self.exit)
    }

    /// Reads what [`measure`] wrote.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let micros = |word: Option<&str>| Some(Duration::from_micros(word?.parse().ok()?));
        Some(Self {
            wall: micros(words.next())?,
            cpu: micros(words.next())?,
            peak_kib: words.next()?.parse().ok()?,
            exit: words.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_measured() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_string_lossy();
        measure(
            &path,
            &[
                "sh",
                "-c",
                "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; exit 6",
            ],
        )
        .unwrap();
        let cost = Cost::from_line(&std::fs::read_to_string(file.path()).unwrap()).unwrap();
        assert_eq!(cost.exit, 6);
        assert!(
            cost.cpu > Duration::from_millis(1) && cost.peak_kib > 500,
            "{cost:?}"
        );
        assert!(cost.wall >= cost.cpu / 2, "{cost:?}");
    }
}
