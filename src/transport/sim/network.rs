//! What is on the simulated network: hosts, how they answer, what the path does to packets.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Address;
use crate::transport::sim::gate::Gates;
use crate::transport::sim::own_side::OwnSide;

/// A network of hosts. Addresses that are not in it are silent.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub capture: Capture,
    /// What the one router lets in that stands before all hosts; it keeps no resets back.
    pub router: Gates,
    pub own: OwnSide,
    pub hosts: HashMap<Address, Host>,
}

/// What the scanning machine's capture hears.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Capture {
    #[default]
    Whole,
    /// Nothing at all, though kernel connects are answered: address translation on the scanning machine.
    Deaf,
    /// The same for this address and all above: they are reached by another interface.
    DeafFrom(Address),
}

impl Capture {
    /// Whether it hears this host.
    pub fn hears(self, host: &Address) -> bool {
        match self {
            Self::Whole => true,
            Self::Deaf => false,
            Self::DeafFrom(first) => *host < first,
        }
    }
}

/// One host and the path to it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Round-trip time without jitter.
    pub rtt: Duration,
    /// Each way takes up to half of this longer, evenly spread; so packets overtake each other.
    pub jitter: Duration,
    pub loss: PathLoss,
    /// What ports do that are not in `ports`.
    pub rest: Behaviour,
    pub ports: HashMap<u16, Behaviour>,
    pub gates: Gates,
}

/// How a path loses packets, each way by itself.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PathLoss {
    None,
    /// Each packet is lost with this probability.
    Independent(f64),
    /// The path is dead for this share of the time, in bursts of this mean length.
    Bursts(f64, Duration),
}

/// What a port does with a SYN.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Behaviour {
    /// Accepts as Linux does: one SYN-ACK, repeats after 1, 3 and 7 s until it is reset, answers a repeat of the same SYN
    /// at most once in 500 ms.
    Open,
    /// Resets.
    Closed,
    Silent,
    /// An ICMP error of this type and code.
    Unreachable {
        kind: u8,
        code: u8,
    },
    /// Accepts, but answers only after this time.
    Slow(Duration),
    /// Accepts and says it several times.
    Repeated(u8),
    /// The first SYNs, this many, draw an ICMP error; then it accepts.
    UnreachableFirst {
        kind: u8,
        code: u8,
        times: u8,
    },
    /// A SYN-ACK that acknowledges another number than ours.
    ForgedAcknowledgement,
    /// A good SYN-ACK from another port of the same host.
    ForgedSource,
    /// A reset without ACK: a kernel ignores it.
    BareReset,
    /// A reset that acknowledges another number than ours.
    ForgedReset,
    /// An ICMP error that quotes another sequence number than ours.
    ForgedQuote,
    /// Accepts with a window that never opens.
    ZeroWindow,
    /// Behind a SYN proxy: accepts with a shut window, and opens it.
    ProxiedOpen,
    /// Behind a SYN proxy: accepts with a shut window, and resets.
    ProxiedClosed,
    /// A SYN in answer to a SYN, and nothing more.
    LoneSyn,
    /// A SYN in answer to a SYN, and the ACK that ends a simultaneous open.
    Simultaneous,
    /// Accepts and resets.
    AcceptsAndResets,
    /// A lone ACK to the first flow, as from a stale connection, until it was reset; then it accepts.
    Stale,
}
