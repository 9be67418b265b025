//! What scans leave in the kernels of a lab beside their answers: counters, and what is seen to be there meanwhile.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::Result;
use super::running::Lab;
use super::scan::Mode;
use super::scenario::{Scenario, Site};

/// Of the scans between two looks. What the scenario does not ask for is not looked at and stays 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traces {
    /// Connections that the first host's kernel has taken.
    handshakes: u64,
    /// Packets that the queue of the scanner's device has refused.
    queue_drops: u64,
    /// The most neighbours that the scanner's kernel was asking for at a time.
    unresolved: usize,
}

/// How often what passes is looked at: a kernel asks for a neighbour for three seconds.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Runs `scans` and tells what they have left behind.
pub fn of<T>(lab: &Lab, scans: impl FnOnce() -> T) -> Result<(T, Traces)> {
    let before = counted(lab)?;
    let (result, unresolved) = beside(lab, scans)?;
    let after = counted(lab)?;
    let traces = Traces {
        handshakes: after.handshakes - before.handshakes,
        queue_drops: after.queue_drops - before.queue_drops,
        unresolved,
    };
    Ok((result, traces))
}

impl Traces {
    /// What is wrong with the traces of scans in this mode, in words.
    pub fn faults(self, scenario: &Scenario, mode: Mode) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(right) = scenario.handshakes_in_syn_mode {
            let (had, wanted) = (self.handshakes, expected_handshakes(right, mode));
            if (mode == Mode::Syn && had != right) || (mode == Mode::Connect && had <= right) {
                faults.push(format!("{had} handshakes, {wanted} expected"));
            }
        }
        if let Some(least) = scenario.least_queue_drops
            && self.queue_drops < least
        {
            faults.push(format!(
                "the device's queue refused {} packets: with fewer than {least} nothing was tested",
                self.queue_drops
            ));
        }
        if let Some(most) = scenario.most_unresolved_neighbours {
            let had = self.unresolved;
            if had > most {
                faults.push(format!(
                    "{had} neighbours were asked for at a time, at most {most} expected"
                ));
            } else if had == 0 {
                faults.push("no neighbours were asked for: nothing was tested".to_owned());
            }
        }
        faults
    }
}

fn expected_handshakes(in_syn_mode: u64, mode: Mode) -> String {
    match mode {
        Mode::Syn => in_syn_mode.to_string(),
        Mode::Connect => format!("more than {in_syn_mode}"),
    }
}

/// The counters, as they stand.
fn counted(lab: &Lab) -> Result<Traces> {
    let scenario = lab.scenario();
    let handshakes = match scenario.handshakes_in_syn_mode {
        Some(_) => lab.at(Site::Host)?.handshakes_taken()?,
        None => 0,
    };
    let queue_drops = match scenario.least_queue_drops {
        Some(_) => lab.at(Site::Scanner)?.queue_drops("lab0")?,
        None => 0,
    };
    Ok(Traces {
        handshakes,
        queue_drops,
        unresolved: 0,
    })
}

/// Runs `scans`, and tells how many neighbours were asked for at a time meanwhile.
fn beside<T>(lab: &Lab, scans: impl FnOnce() -> T) -> Result<(T, usize)> {
    if lab.scenario().most_unresolved_neighbours.is_none() {
        return Ok((scans(), 0));
    }
    let scanner = lab.at(Site::Scanner)?;
    let (end, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let looking = scope.spawn(move || {
            let mut most = 0;
            while ended.recv_timeout(LOOK_AGAIN) == Err(RecvTimeoutError::Timeout) {
                most = most.max(scanner.unresolved_neighbours()?);
            }
            Ok(most)
        });
        let result = scans();
        drop(end);
        let most = looking
            .join()
            .unwrap_or_else(|_| Err("the thread that looks at neighbours panicked".to_owned()))?;
        Ok((result, most))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKS: &str = "about = 'x'\ntopology = 'pair'\nports = '21-23'\nhandshakes-in-syn-mode = 1\n\
                        least-queue-drops = 5\nmost-unresolved-neighbours = 512\n[[host]]\n\
                        expect = { state = 'closed', reason = 'rst' }\n";

    const RIGHT: Traces = Traces {
        handshakes: 1,
        queue_drops: 5,
        unresolved: 512,
    };

    fn faults(traces: Traces, mode: Mode) -> String {
        let scenario = Scenario::read("sample", ASKS).unwrap();
        traces.faults(&scenario, mode).join("; ")
    }

    #[test]
    fn the_traces_that_a_scenario_asks_for_are_no_fault() {
        assert_eq!(faults(RIGHT, Mode::Syn), "");
        let more = Traces {
            handshakes: 2,
            ..RIGHT
        };
        assert_eq!(faults(more, Mode::Connect), "");
    }

    #[test]
    fn too_much_is_a_fault_and_so_is_what_has_tested_nothing() {
        for (mode, handshakes, complaint) in [
            (Mode::Syn, 0, "0 handshakes, 1 expected"),
            (Mode::Syn, 2, "2 handshakes, 1 expected"),
            (Mode::Connect, 1, "1 handshakes, more than 1 expected"),
        ] {
            let traces = Traces {
                handshakes,
                ..RIGHT
            };
            assert_eq!(faults(traces, mode), complaint);
        }
        let none_refused = Traces {
            queue_drops: 4,
            ..RIGHT
        };
        assert!(faults(none_refused, Mode::Syn).contains("refused 4 packets"));
        for (unresolved, complaint) in [
            (513, "513 neighbours were asked for at a time, at most 512"),
            (0, "no neighbours were asked for: nothing was tested"),
        ] {
            let traces = Traces {
                unresolved,
                ..RIGHT
            };
            let said = faults(traces, Mode::Syn);
            assert!(said.contains(complaint), "{said}");
        }
    }

    #[test]
    fn what_is_not_asked_for_is_not_judged() {
        let text = "about = 'x'\ntopology = 'pair'\nports = '21-23'\n[[host]]\n\
                    expect = { state = 'closed', reason = 'rst' }\n";
        let scenario = Scenario::read("sample", text).unwrap();
        for mode in [Mode::Syn, Mode::Connect] {
            assert_eq!(
                Traces::default().faults(&scenario, mode),
                Vec::<String>::new()
            );
        }
    }
}
