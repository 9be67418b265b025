//! Signals ask the scan to end: the first lets it listen for what is in flight, the second ends it at once.

use std::fs;
use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use halfopen::scan::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::cli::exit::Exit;
use crate::cli::live::raw;

/// Signals that are caught from now on, and acted upon once a thread [watches](Self::watch) them.
#[derive(Debug)]
pub struct Caught {
    signals: Signals,
}

impl Caught {
    /// Catches Ctrl-C, SIGTERM, SIGHUP and Ctrl-Z, but for those that whoever started us has asked to be ignored (nohup).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> io::Result<Self> {
        let ignored = ignored();
        let wanted: Vec<i32> = [SIGINT, SIGTERM, SIGHUP, SIGTSTP]
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0)
            .collect();
        Ok(Self {
            signals: Signals::new(wanted)?,
        })
    }

    /// Passes those that end the program on to `stop` and puts the terminal back before it is suspended, in a thread of its own. It starts late on purpose: threads that exist when privileges
    /// are dropped would keep theirs.
    pub fn watch(mut self, stop: Stop) {
        // Without the thread only the pleasant way to stop is lost.
        let _ = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut earlier = 0_u32;
                for signal in self.signals.forever() {
                    if signal == SIGTSTP {
                        suspend();
                        continue;
                    }
                    stop.ask();
                    earlier += 1;
                    if earlier > 1 {
                        // The scan ends at once; only an output that nobody reads can still hold us up.
                        thread::sleep(GRACE);
                        raw::close();
                        process::exit(Exit::Interrupted as i32);
                    }
                }
            });
    }
}

/// Stops the process as Ctrl-Z always does. Whoever reads keys takes the terminal again when it is ours again.
fn suspend() {
    raw::without(|| {
        // Where that fails the scan just goes on.
        let _ = emulate_default_handler(SIGTSTP);
    });
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
