//! What nmap's formats call our states and reasons, so that programs which know those words understand us.

use crate::model::{Address, Reason, Sign, State, Unreachable};

/// A suspect port answers and has no proven listener: that is nmap's `unfiltered` (reachable, open or closed is not known).
pub fn state(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Closed => "closed",
        State::Filtered => "filtered",
        State::Suspect => "unfiltered",
        State::Error => "unknown",
    }
}

/// What nmap has no word for keeps ours. The word is the same in both modes: a refused connect is a reset.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Rst => "reset",
        Reason::NoAnswer => "no-response",
        Reason::NoNeighbour => "host-unreach",
        Reason::Icmp(unreachable) => match unreachable {
            Unreachable::Net => "net-unreach",
            Unreachable::Host => "host-unreach",
            Unreachable::Protocol => "proto-unreach",
            Unreachable::Port => "port-unreach",
            Unreachable::AdminProhibited => "admin-prohibited",
            Unreachable::TtlExceeded => "time-exceeded",
            Unreachable::ParameterProblem => "param-problem",
            Unreachable::NoRoute => "no-route",
            Unreachable::Address => "addr-unreach",
            Unreachable::Other => "dest-unreach",
        },
        Reason::SynAck
        | Reason::Local(_)
        | Reason::ZeroWindow
        | Reason::Unconfirmed
        | Reason::AnswersEverything => reason.name(),
    }
}

/// What a host showed that it is there by.
pub fn sign(sign: Sign, address: &Address) -> &'static str {
    match sign {
        Sign::EchoReply => "echo-reply",
        Sign::SynAck => "syn-ack",
        Sign::Rst => "reset",
        Sign::Unreachable => "dest-unreach",
        Sign::Neighbour if address.ip.is_ipv4() => "arp-response",
        Sign::Neighbour => "nd-response",
    }
}
