//! The nouns that every stage shares: what is probed, what came back, what it means.
//!
//! Nothing here does I/O or reads a clock. Times are durations since the start of the transport's own clock.

pub mod cpe;
pub mod facts;
mod figures;
mod kept;
pub mod meter;
mod names;
mod shape;
mod undelivered;
mod unreachable;

pub use crate::model::figures::{Progress, Summary, Talks, Untested};
pub use crate::model::kept::{Claim, Kept, Looked, Oddness, Proof, Through, Told};
pub use crate::model::shape::{
    Agreed, Layout, Payload, Quirks, Sack, Shape, Signature, Timestamps, Unit,
};
pub use crate::model::undelivered::Undelivered;
pub use crate::model::unreachable::Unreachable;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// A host address. `zone` is the interface index (scope) that a link-local IPv6 address needs, and 0 for every other.
///
/// IPv4-mapped IPv6 addresses never appear here: [`Address::new`] makes them IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Address {
    pub ip: IpAddr,
    pub zone: u32,
}

/// An (address, port) pair to be tested.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Endpoint {
    pub address: Address,
    pub port: u16,
}

/// A moment on the transport's clock: nanoseconds since that transport was opened. Monotonic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Time(pub u64);

/// One attempt at one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The endpoint's index in the plan.
    pub index: u64,
    pub endpoint: Endpoint,
    /// 0 for the first attempt at this endpoint.
    pub attempt: u16,
    pub how: How,
}

/// How a probe asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// A SYN that the transport crafts itself.
    Syn {
        /// Which source port of the transport's block it leaves by. Two SYNs to one endpoint with the same flow are
        /// identical; a fresh flow is a fresh connection to every box on the path.
        flow: u8,
    },
    /// A kernel `connect()`, watched until it has answered or `patience` has passed.
    Handshake { patience: Duration },
}

/// A probe that a transport has done with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure {
    pub endpoint: Endpoint,
    /// It had left by then, or it was known by then that it never will.
    pub at: Time,
}

/// What a transport saw, already validated as an answer to one of our probes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    pub endpoint: Endpoint,
    pub source: Source,
    /// When it arrived (the kernel's stamp where there is one).
    pub at: Time,
    pub seen: Seen,
}

/// Which attempt an observation belongs to, as far as the transport can know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// It answered a SYN of this flow.
    Flow(u8),
    /// It ends this attempt of a kernel connect. `syns` left the machine for it, repeats included, and `took` is how long after
    /// the first of them its answer came, also where that is to a repeat; `None` where nothing came.
    Attempt {
        attempt: u16,
        syns: u8,
        took: Option<Duration>,
    },
    /// It tells of the host, whatever was sent there.
    Host,
}

impl Source {
    /// The round-trip time of an answer to a kernel connect. After a repeat nobody knows which SYN was answered (Karn).
    pub fn rtt(&self) -> Option<Duration> {
        match *self {
            Self::Attempt { syns: 1, took, .. } => took,
            Self::Attempt { .. } | Self::Flow(_) | Self::Host => None,
        }
    }
}

/// What was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// A SYN-ACK (or, by connect, a completed handshake with an open window).
    SynAck(SynAck),
    /// The same, but it came to another address of ours or by another interface than the route's.
    Detour(SynAck),
    /// A sign of life without a cookie (a lone SYN, a first fragment): anybody can send it, so it proves nothing.
    Hint,
    /// A valid reset.
    Rst { ttl: u8 },
    /// An ICMP error that quotes our probe.
    Icmp {
        reason: Unreachable,
        offender: IpAddr,
    },
    /// An ICMP error whose offender is one of our own addresses: this host is on our link, and no neighbour answered for it.
    /// (Where a gateway is what did not answer, that is [`LocalFault::NoGateway`].)
    NoNeighbour,
    /// The same, but the link has no carrier (its cable is out): nobody was asked.
    NoCarrier,
    /// A lone ACK with numbers that are not ours: stale state at the target.
    StaleAck,
    /// A kernel connect lived its whole patience and heard nothing.
    Silence,
    /// Our side failed; nothing is known of the endpoint from this attempt.
    Local(LocalFault),
}

/// The facts of a SYN-ACK that verdicts and identification use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SynAck {
    /// Hop limit of the packet; `None` where the kernel does not tell (connect mode).
    pub ttl: Option<u8>,
    /// Receive window, unscaled.
    pub window: u16,
    /// Whether it carried any TCP option.
    pub options: Presence,
}

/// Whether something was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    Present,
    Absent,
}

/// Why our own side could not ask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum LocalFault {
    /// Our own firewall refused or dropped the packet (EPERM, EACCES, a local reject).
    Firewall = 1,
    /// No route to the address (ENETUNREACH, EHOSTUNREACH without ICMP).
    NoRoute,
    /// The interface is down or gone (ENETDOWN, ENODEV).
    InterfaceDown,
    /// The attempt was never made, because a resource stayed exhausted or the scan ended.
    NotSent,
    /// The target stopped answering in the middle of the scan before this endpoint was asked: it was never tested.
    Blocked,
    /// The kernel refused for another reason.
    Other,
    /// The gateway that the route leads by does not answer (ARP, NDP): nothing behind it was asked.
    NoGateway,
    /// This machine drops answers of the host (its INPUT chain, rp_filter), so that silence proves nothing.
    AnswersDropped,
}

/// The state of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum State {
    Open,
    Closed,
    Filtered,
    Suspect,
    Error,
}

/// Why an endpoint has its state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    SynAck,
    Rst,
    NoAnswer,
    NoNeighbour,
    Icmp(Unreachable),
    Local(LocalFault),
    /// A handshake that never opened its window.
    ZeroWindow,
    /// A SYN-ACK that is odd, and that no kernel connect has confirmed.
    Unconfirmed,
    /// The host takes connections on nearly every port: that proves no listener.
    AnswersEverything,
}

/// What the scan concluded about one endpoint.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Verdict {
    pub endpoint: Endpoint,
    pub state: State,
    pub reason: Reason,
    /// Round-trip time, where an answer could be matched to exactly one SYN.
    pub rtt: Option<Duration>,
    pub ttl: Option<u8>,
    /// Attempts made when the answer came (or in all, where none came).
    pub attempts: u16,
    /// When it was decided, on the transport's clock.
    pub at: Time,
}

/// What a scan tells.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An endpoint has its state. Told once for each endpoint, silent ones at the end of the scan or of a block.
    Verdict(Verdict),
    /// Verdicts that are known by their number alone. A running scan has none; what an earlier one wrote does.
    Counted(Counted),
    /// Something about a host.
    Host(HostNote),
    /// A host answers, and hosts are what was asked for.
    Alive(Alive),
    /// What an open port serves. After its verdict.
    Service(Box<facts::Service>),
    /// What a host seems to run. After its services.
    System(Box<facts::System>),
    /// A vulnerability that a service may have. After its service.
    Finding(Box<facts::Finding>),
    /// What was lost on the way to a host and back, once it is known, and again for each block of a big plan. Not told where
    /// there is one host: the loss of the scan is its own.
    Loss(HostLoss),
    /// Ports of hosts that were not tested before the scan ended, in the order of the plan. Not every one where they are more
    /// than a million.
    Untested(Untested),
    /// How far it is, a few times per second.
    Progress(Progress),
    /// The last event.
    Summary(Summary),
}

/// How many endpoints of a host share a state and a reason, without their ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    pub address: Address,
    pub state: State,
    pub reason: Reason,
    pub count: u64,
}

/// A host that was found to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alive {
    pub address: Address,
    pub sign: Sign,
    /// Round-trip time of an echo request.
    pub rtt: Option<Duration>,
    /// When it was found, on the transport's clock.
    pub at: Time,
}

/// What a host showed that it is there by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sign {
    EchoReply,
    SynAck,
    Rst,
    /// An ICMP error that it sent itself.
    Unreachable,
    /// Somebody on the link answers for its address (ARP, NDP).
    Neighbour,
}

/// Of the endpoints of a host that answered: how many answered to their first attempt, and how many only to a later one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostLoss {
    pub address: Address,
    pub first: u64,
    pub later: u64,
}

/// The loss per round trip, 0 to 1, where so many endpoints answered to their first attempt and so many only to a later one. `None`
/// before anything has answered, and where only answers to later attempts are known: the others are not counted then, because a
/// limiter may have been what kept them back.
pub fn loss_per_round_trip(first: u64, later: u64) -> Option<f64> {
    (first > 0).then(|| later as f64 / first.saturating_add(later) as f64)
}

/// How many hosts were looked for, and how many were there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pinged {
    pub asked: u64,
    pub up: u64,
}

/// Something worth saying about a host, or about the whole scan where `address` is `None`.
#[derive(Clone, PartialEq, Debug)]
pub struct HostNote {
    pub address: Option<Address>,
    pub note: Note,
}

/// The notes that exist, with stable names in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Note {
    /// No neighbour answered for this on-link address.
    NoNeighbour,
    /// Our own firewall refused packets to it.
    LocalFirewall,
    /// It sends fewer resets than it was asked for, so many closed ports look silent.
    ResetsLimited,
    /// It stopped answering in the middle of the scan.
    BlockedMidway,
    /// It takes connections on nearly every port.
    AnswersEverything,
    /// This machine drops answers (its INPUT chain, rp_filter), so that kernel connects do not hear what a capture hears.
    AnswersDropped,
    /// The capture does not hear what kernel connects hear (address translation on this machine).
    DeafCapture,
    /// It answered an earlier run of this scan, and the run that went on heard nothing of it.
    UnheardSinceResume,
    /// This machine tracks connections and has little room left in its table, so the scan waited for some.
    TrackingFull,
    /// More ports are open than are asked what they serve.
    NotAllIdentified,
    /// A gateway did not answer, so what lies behind it was not tested.
    NoGateway,
}

impl Address {
    /// Makes an address without a zone; an IPv4-mapped IPv6 address becomes IPv4.
    pub fn new(ip: IpAddr) -> Self {
        Self {
            ip: ip.to_canonical(),
            zone: 0,
        }
    }

    /// The next address of the same family and zone, if there is one.
    pub fn next(&self) -> Option<Self> {
        let ip = match self.ip {
            IpAddr::V4(ip) => IpAddr::V4(ip.to_bits().checked_add(1)?.into()),
            IpAddr::V6(ip) => IpAddr::V6(ip.to_bits().checked_add(1)?.into()),
        };
        Some(Self { ip, ..*self })
    }

    /// The same address with an interface index.
    pub fn with_zone(self, zone: u32) -> Self {
        Self { zone, ..self }
    }
}

/// A zone is printed as its number: names are the reporter's business.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone {
            0 => write!(f, "{}", self.ip),
            zone => write!(f, "{}%{zone}", self.ip),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.ip {
            IpAddr::V4(_) => write!(f, "{}:{}", self.address, self.port),
            IpAddr::V6(_) => write!(f, "[{}]:{}", self.address, self.port),
        }
    }
}

impl Time {
    pub const ZERO: Self = Self(0);
    pub const NEVER: Self = Self(u64::MAX);

    /// Time since `earlier`, zero if that lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the clock's start.
    pub fn as_secs_f64(self) -> f64 {
        Duration::from_nanos(self.0).as_secs_f64()
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(later)))
    }
}

impl std::ops::Sub<Duration> for Time {
    type Output = Self;

    /// Never before the clock's start.
    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(nanoseconds(earlier)))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
