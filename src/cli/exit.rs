//! How the program ends.

use std::process::ExitCode;

/// Exit statuses. Their numbers are part of the interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Finished, and the list is complete.
    Complete = 0,
    /// `halfopen diff` found changes.
    Different = 1,
    /// The command line was wrong; nothing was sent.
    Usage = 2,
    /// Stopped by a signal; what was found until then is written.
    Interrupted = 3,
    /// Something outside is missing: a privilege, a route, a name.
    Environment = 4,
    /// A result could not be written.
    Output = 5,
    /// Finished, but it is not proven that nothing is missing.
    Unproven = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
