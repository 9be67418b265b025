//! What a kernel's refusal of a probe means, as an observation.

use std::io;

use crate::model::{How, LocalFault, Observation, Probe, Seen, Source, Time};

/// What is told of a probe that the kernel would not send.
pub(super) fn local_fault(probe: &Probe, at: Time, error: &io::Error) -> Observation {
    refused(probe, at, Seen::Local(fault(error)))
}

pub(super) fn refused(probe: &Probe, at: Time, seen: Seen) -> Observation {
    Observation {
        endpoint: probe.endpoint,
        source: match probe.how {
            How::Syn { flow } => Source::Flow(flow),
            How::Handshake { .. } => Source::Attempt {
                attempt: probe.attempt,
                syns: 0,
                took: None,
            },
        },
        at,
        seen,
    }
}

/// What a refusal of the kernel means.
pub(super) fn fault(error: &io::Error) -> LocalFault {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => LocalFault::Firewall,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => LocalFault::NoRoute,
        Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO) => LocalFault::InterfaceDown,
        _ => LocalFault::Other,
    }
}
