//! The stable names of states and reasons, used in every output, and the ICMP codes that reasons come from.

use super::{LocalFault, Note, Reason, State, Unreachable};

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

impl Unreachable {
    pub const ALL: [Self; 10] = [
        Self::Net,
        Self::Host,
        Self::Protocol,
        Self::Port,
        Self::AdminProhibited,
        Self::TtlExceeded,
        Self::ParameterProblem,
        Self::NoRoute,
        Self::Address,
        Self::Other,
    ];

    /// Reads an ICMPv4 type and code (RFC 792, RFC 1812). `None` means that the message is no verdict: fragmentation
    /// needed, source quench, redirect, and everything that is not an error.
    pub fn from_icmp_v4(kind: u8, code: u8) -> Option<Self> {
        Some(match (kind, code) {
            (3, 4) => return None,
            (3, 0) => Self::Net,
            (3, 1) => Self::Host,
            (3, 2) => Self::Protocol,
            (3, 3) => Self::Port,
            (3, 9 | 10 | 13) => Self::AdminProhibited,
            (3, _) => Self::Other,
            (11, _) => Self::TtlExceeded,
            (12, _) => Self::ParameterProblem,
            _ => return None,
        })
    }

    /// Reads an ICMPv6 type and code (RFC 4443). Packet too big (type 2) is no verdict.
    pub fn from_icmp_v6(kind: u8, code: u8) -> Option<Self> {
        Some(match (kind, code) {
            (1, 0) => Self::NoRoute,
            (1, 1 | 5 | 6) => Self::AdminProhibited,
            (1, 3) => Self::Address,
            (1, 4) => Self::Port,
            (1, _) => Self::Other,
            (3, _) => Self::TtlExceeded,
            (4, _) => Self::ParameterProblem,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net-unreachable",
            Self::Host => "host-unreachable",
            Self::Protocol => "protocol-unreachable",
            Self::Port => "port-unreachable",
            Self::AdminProhibited => "admin-prohibited",
            Self::TtlExceeded => "ttl-exceeded",
            Self::ParameterProblem => "parameter-problem",
            Self::NoRoute => "no-route",
            Self::Address => "address-unreachable",
            Self::Other => "unreachable",
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
        }
    }
}
