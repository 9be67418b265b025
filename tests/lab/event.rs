//! What happens to the network while a scan runs.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Result;
use super::running::Lab;

/// Runs `scan`, and the scenario's events at their times. An event that fails, or that the scan does not live to see, is
/// an error: nothing would have been tested.
#[allow(
    clippy::disallowed_methods,
    reason = "the lab is the network: it has its own clock"
)]
pub fn during<T>(lab: &Lab, scan: impl FnOnce() -> T) -> Result<T> {
    let mut events = lab.scenario().event.clone();
    events.sort_by_key(|event| event.after_ms);
    let started = Instant::now();
    let (end, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let happened = scope.spawn(move || {
            for event in events {
                let due = Duration::from_millis(event.after_ms);
                match ended.recv_timeout(due.saturating_sub(started.elapsed())) {
                    Err(RecvTimeoutError::Timeout) => lab.at(event.at)?.perform(&event.run)?,
                    _ => return Err(format!("the scan ended before `{}`", event.run)),
                }
            }
            Ok(())
        });
        let result = scan();
        drop(end);
        happened
            .join()
            .unwrap_or_else(|_| Err("an event's thread panicked".to_owned()))?;
        Ok(result)
    })
}
