//! The ICMP errors that say something of an endpoint.

/// Why an ICMP error says that an endpoint cannot be reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Unreachable {
    Net = 1,
    Host,
    Protocol,
    Port,
    AdminProhibited,
    TtlExceeded,
    ParameterProblem,
    NoRoute,
    Address,
    /// Another code of destination unreachable.
    Other,
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
