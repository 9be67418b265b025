//! Whether a mode works on this machine: a scan of one port, on which a listener of our own answers over loopback.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Endpoint, Event, Note, Reason, State};
use crate::plan::Plan;
use crate::scan::{Mode, OpenError, Options, Scan};
use crate::transport::own_listener::OwnListener;

/// How a test of oneself came out.
#[derive(Debug)]
#[non_exhaustive]
pub enum SelfTest {
    /// The answer was heard, the way that the mode hears it; with the round-trip time where one could be measured.
    Works { rtt: Option<Duration> },
    /// This machine does not have the address: there is nothing to test.
    NoAddress(io::Error),
    /// The mode is not to be had.
    Refused(OpenError),
    /// The scan ran and did not hear what it should: what it said instead.
    Deaf(String),
}

/// Scans one port of `ip`, a loopback address of this machine, in `mode`.
///
/// It takes a fraction of a second; three where nothing is heard. The caller keeps its privileges.
pub fn self_test(mode: Mode, ip: IpAddr) -> SelfTest {
    let listener = match OwnListener::open(ip) {
        Ok(listener) => listener,
        Err(error) => return SelfTest::NoAddress(error),
    };
    match heard(mode, listener.endpoint()) {
        Ok(outcome) => outcome,
        Err(error) => SelfTest::Refused(error),
    }
}

fn heard(mode: Mode, endpoint: Endpoint) -> Result<SelfTest, OpenError> {
    let io_error = |source| OpenError::Io {
        attempted: "cannot test".to_owned(),
        source,
    };
    let targets = endpoint.address.to_string();
    let plan = Plan::parse(&targets, &endpoint.port.to_string())
        .map_err(|mistakes| io_error(io::Error::other(mistakes)))?;
    let options = Options {
        mode,
        patience: PATIENCE,
        max_time: Some(LONGEST),
        ..Options::default()
    };
    let mut outcome = SelfTest::Deaf("it told of no port".to_owned());
    let mut deaf = false;
    for event in Scan::open(plan, options)?.events().map_err(io_error)? {
        match event? {
            Event::Verdict(verdict) if verdict.state == State::Open => {
                // Only the capture tells a hop limit: without one a connect has answered for it.
                let by_capture = verdict.ttl.is_some() && verdict.reason == Reason::SynAck;
                outcome = if mode == Mode::Syn && !by_capture {
                    SelfTest::Deaf("its answer was heard by a connect only".to_owned())
                } else {
                    SelfTest::Works { rtt: verdict.rtt }
                };
            }
            Event::Verdict(verdict) => {
                outcome = SelfTest::Deaf(format!(
                    "a listening port was {} ({})",
                    verdict.state.name(),
                    verdict.reason.name()
                ));
            }
            Event::Host(note) if note.note == Note::DeafCapture => deaf = true,
            _ => {}
        }
    }
    if deaf {
        outcome = SelfTest::Deaf("the capture does not hear what a connect hears".to_owned());
    }
    Ok(outcome)
}

const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3);
