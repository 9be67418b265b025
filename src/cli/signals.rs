//! Signals ask the scan to end: the first lets it listen for what is in flight, the second ends it at once.

use std::fs;
use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use halfopen::scan::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::exit::Exit;

/// Signals that are caught from now on, and acted upon once a thread [watches](Self::watch) them.
#[derive(Debug)]
pub struct Caught {
    signals: Signals,
}

impl Caught {
    /// Catches Ctrl-C, SIGTERM and SIGHUP, but for those that whoever started us has asked to be ignored (nohup).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> io::Result<Self> {
        let ignored = ignored();
        let wanted: Vec<i32> = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0)
            .collect();
        Ok(Self {
            signals: Signals::new(wanted)?,
        })
    }

    /// Passes them on to `stop`, in a thread of its own. It starts late on purpose: threads that exist when privileges
    /// are dropped would keep theirs.
    pub fn watch(mut self, stop: Stop) {
        // Without the thread only the pleasant way to stop is lost.
        let _ = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for (earlier, _) in (0_u32..).zip(self.signals.forever()) {
                    stop.ask();
                    if earlier > 0 {
                        // The scan ends at once; only an output that nobody reads can still hold us up.
                        thread::sleep(GRACE);
                        process::exit(Exit::Interrupted as i32);
                    }
                }
            });
    }
}

/// The mask of ignored signals; none where there is no /proc.
fn ignored() -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        })
        .unwrap_or(0)
}

const GRACE: Duration = Duration::from_secs(1);
