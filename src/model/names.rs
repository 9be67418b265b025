//! The stable names of states and reasons, used in every output.

use super::{LocalFault, Note, Reason, Sign, State, Unreachable};

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

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl LocalFault {
    pub const ALL: [Self; 8] = [
        Self::Firewall,
        Self::NoRoute,
        Self::InterfaceDown,
        Self::NotSent,
        Self::Blocked,
        Self::Other,
        Self::NoGateway,
        Self::AnswersDropped,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Firewall => "local-firewall",
            Self::NoRoute => "local-no-route",
            Self::InterfaceDown => "interface-down",
            Self::NotSent => "not-sent",
            Self::Blocked => "blocked-midway",
            Self::Other => "local-error",
            Self::NoGateway => "no-gateway",
            Self::AnswersDropped => "answers-dropped",
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

    /// Every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        let alone = [
            Self::SynAck,
            Self::Rst,
            Self::NoAnswer,
            Self::NoNeighbour,
            Self::ZeroWindow,
            Self::Unconfirmed,
            Self::AnswersEverything,
        ];
        alone
            .into_iter()
            .chain(Unreachable::ALL.map(Self::Icmp))
            .chain(LocalFault::ALL.map(Self::Local))
    }

    /// The reason of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|reason| reason.name() == name)
    }
}

impl Note {
    pub const ALL: [Self; 11] = [
        Self::NoNeighbour,
        Self::LocalFirewall,
        Self::ResetsLimited,
        Self::BlockedMidway,
        Self::AnswersEverything,
        Self::AnswersDropped,
        Self::DeafCapture,
        Self::UnheardSinceResume,
        Self::TrackingFull,
        Self::NotAllIdentified,
        Self::NoGateway,
    ];

    /// The note of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|note| note.name() == name)
    }

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
            Self::UnheardSinceResume => "unheard-since-resume",
            Self::TrackingFull => "tracking-full",
            Self::NotAllIdentified => "not-all-identified",
            Self::NoGateway => "no-gateway",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_means_one_thing() {
        let reasons: BTreeSet<_> = Reason::all().map(Reason::name).collect();
        assert_eq!(reasons.len(), Reason::all().count());
        for reason in Reason::all() {
            assert_eq!(Reason::named(reason.name()), Some(reason));
        }
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
        }
        for note in Note::ALL {
            assert_eq!(Note::named(note.name()), Some(note));
        }
        assert_eq!(State::named("Open"), None);
    }
}
