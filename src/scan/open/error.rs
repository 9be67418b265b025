//! Why a scan cannot begin.

use std::io;

use crate::engine::confirm::Confirm;
use crate::model::Address;
use crate::transport::privilege;

/// Why a scan cannot begin. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Half-open scanning was asked for and raw sockets are not to be had.
    #[error("SYN mode needs raw sockets: {what}")]
    NoPrivilege { what: String },
    /// Frames were asked for, and this machine has rules that they would pass by.
    #[error("frames would pass by {what}")]
    PassesBy { what: String },
    /// No connection may be completed, and raw sockets are not to be had.
    #[error("to complete no connection needs raw sockets: {what}")]
    NeverWithoutRaw { what: String },
    /// Full connects were asked for, and that none is completed.
    #[error("a full connect completes a connection with every open port, and none may be")]
    Completes,
    /// The kernel knows no way to any target.
    #[error("no route to {address}: {source}")]
    NoRoute { address: Address, source: io::Error },
    #[error("{attempted}: {source}")]
    Io {
        attempted: String,
        source: io::Error,
    },
}

pub(super) fn refused(error: io::Error, confirm: Confirm) -> OpenError {
    match error.kind() {
        io::ErrorKind::PermissionDenied if confirm == Confirm::Never => {
            OpenError::NeverWithoutRaw {
                what: why_not_raw(&error),
            }
        }
        io::ErrorKind::PermissionDenied => OpenError::NoPrivilege {
            what: why_not_raw(&error),
        },
        _ => io_error("cannot open raw sockets", error),
    }
}

pub(super) fn why_not_raw(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => privilege::discover().to_string(),
        _ => format!("raw sockets failed: {error}"),
    }
}

pub(super) fn io_error(attempted: &str, source: io::Error) -> OpenError {
    OpenError::Io {
        attempted: attempted.to_owned(),
        source,
    }
}
