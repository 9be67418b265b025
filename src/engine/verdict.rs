//! What an observation means: the table of design section 4, as one function.

use crate::model::{LocalFault, Reason, Seen, State, SynAck, Unreachable};

/// What the engine does with an observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The endpoint has answered; nothing that comes later changes this.
    Final(State, Reason),
    /// Filtered, unless something better arrives.
    Icmp(Unreachable),
    /// Nobody of the whole host is to be asked.
    Absent(Absence),
    /// Our own side failed: an error, unless something better arrives.
    Local(LocalFault),
    /// Stale state at the target: ask again from a fresh flow.
    AskAfresh,
    /// No proof, but worth a kernel connect.
    Confirm,
    /// Nothing was heard.
    Nothing,
}

/// Why a host is asked no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absence {
    /// Nobody is there.
    NoNeighbour,
    /// Its link leads nowhere, so nobody was asked.
    NoCarrier,
}

impl Absence {
    /// What that says of each of its endpoints.
    pub fn reason(self) -> Reason {
        match self {
            Self::NoNeighbour => Reason::NoNeighbour,
            Self::NoCarrier => Reason::Local(LocalFault::InterfaceDown),
        }
    }
}

/// Judges what was seen.
pub fn judge(seen: &Seen) -> Outcome {
    match *seen {
        Seen::SynAck(SynAck { window: 0, .. }) | Seen::Detour(SynAck { window: 0, .. }) => {
            Outcome::Final(State::Suspect, Reason::ZeroWindow)
        }
        Seen::SynAck(_) | Seen::Detour(_) => Outcome::Final(State::Open, Reason::SynAck),
        Seen::Hint => Outcome::Confirm,
        Seen::Rst { .. } => Outcome::Final(State::Closed, Reason::Rst),
        Seen::Icmp { reason, .. } => Outcome::Icmp(reason),
        Seen::NoNeighbour => Outcome::Absent(Absence::NoNeighbour),
        Seen::NoCarrier => Outcome::Absent(Absence::NoCarrier),
        Seen::StaleAck => Outcome::AskAfresh,
        Seen::Silence => Outcome::Nothing,
        Seen::Local(fault) => Outcome::Local(fault),
    }
}

/// The state of an endpoint that never answered, from what was noted of it.
pub fn unanswered(noted: Option<Reason>) -> (State, Reason) {
    match noted {
        None => (State::Filtered, Reason::NoAnswer),
        Some(reason @ Reason::Local(_)) => (State::Error, reason),
        Some(reason) => (State::Filtered, reason),
    }
}
