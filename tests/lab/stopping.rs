//! A process that is stopped in the middle, as by Ctrl-Z in a shell, and goes on: the network does not wait for it.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::Result;
use super::scenario::Stop;

/// Stops a process of ours that was just started, and lets it go on. It must still be there.
pub fn stop(process: Pid, stop: Stop) -> Result<()> {
    let [before, meanwhile] = [stop.after_ms, stop.for_ms].map(Duration::from_millis);
    std::thread::sleep(before);
    send(process, Signal::STOP)?;
    std::thread::sleep(meanwhile);
    send(process, Signal::CONT)
}

fn send(process: Pid, signal: Signal) -> Result<()> {
    kill_process(process, signal).map_err(|error| match error {
        Errno::SRCH => "it ended before it was stopped".to_owned(),
        error => format!("sending {signal:?} to it: {error}"),
    })
}
