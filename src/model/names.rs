//! The stable names of states and reasons, used in every output.

use super::{LocalFault, Note, Reason, Sign, State};

impl State {
    /// Every state, in the order in which reports list them.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Closed,
        Self::Filtered,
        Self::Suspect,
        Self::Error,
    ];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::Suspect => "suspect",
            Self::Error => "error",
        }
    }
}

impl LocalFault {
    pub const ALL: [Self; 6] = [
        Self::Firewall,
        Self::NoRoute,
        Self::InterfaceDown,
        Self::NotSent,
        Self::Blocked,
        Self::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Firewall => "local-firewall",
            Self::NoRoute => "local-no-route",
            Self::InterfaceDown => "interface-down",
            Self::NotSent => "not-sent",
            Self::Blocked => "blocked-midway",
            Self::Other => "local-error",
        }
    }
}

impl Sign {
    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::EchoReply => "echo-reply",
            Self::SynAck => "syn-ack",
            Self::Rst => "rst",
            Self::Unreachable => "unreachable",
            Self::Neighbour => "neighbour",
        }
    }
}

impl Reason {
    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::SynAck => "syn-ack",
            Self::Rst => "rst",
            Self::NoAnswer => "no-answer",
            Self::NoNeighbour => "no-neighbour",
            Self::Icmp(reason) => reason.name(),
            Self::Local(fault) => fault.name(),
            Self::ZeroWindow => "zero-window",
            Self::Unconfirmed => "unconfirmed",
            Self::AnswersEverything => "answers-everything",
        }
    }
}

impl Note {
    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoNeighbour => "no-neighbour",
            Self::LocalFirewall => "local-firewall",
            Self::ResetsLimited => "rst-limited",
            Self::BlockedMidway => "blocked-midway",
            Self::AnswersEverything => "answers-everything",
            Self::AnswersDropped => "answers-dropped",
            Self::DeafCapture => "deaf-capture",
        }
    }
}
