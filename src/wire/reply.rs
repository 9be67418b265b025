//! Reads a packet from the network into a small value, once; nothing behind it touches bytes again.
//!
//! This says what a packet *is*. Whether it answers one of our probes is [`super::judge`]'s question. A parser of our own,
//! because the packets are hostile: every length is checked before it is used and nothing can panic.

use std::net::IpAddr;

use crate::model::{Presence, Unreachable};

use super::checksum::Sum;
use super::headers::{self, Extent, Fragment, ICMP_V4, ICMP_V6, Packet, TCP};

/// What the kernel knows of a packet's transport checksum (the packet socket's status word).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumStatus {
    /// Nothing: verify it.
    Unknown,
    /// Not filled in yet (loopback, veth, offloading cards): there is nothing to verify.
    Unfinished,
    /// Verified already.
    Valid,
}

/// A well-formed packet that can say something about a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    Segment(Segment),
    Icmp(IcmpError),
    /// The first fragment of a TCP packet: no verdict, because the rest was not seen, but a hint.
    Fragment {
        from: Peer,
    },
}

/// Addresses and ports of a packet that came in: `source` is the answering side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    pub source: IpAddr,
    pub source_port: u16,
    pub destination: IpAddr,
    pub destination_port: u16,
}

/// A TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    pub from: Peer,
    pub hop_limit: u8,
    pub kind: Kind,
}

/// The flags that decide, in the order in which a kernel in SYN_SENT looks at them (RFC 9293, 3.10.7.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// SYN and ACK, no RST. Other flags do not matter, nor do malformed or unknown options.
    SynAck {
        acknowledgement: u32,
        window: u16,
        options: Presence,
    },
    /// RST with ACK.
    Reset { acknowledgement: u32 },
    /// RST without ACK, which a kernel in SYN_SENT ignores.
    BareReset,
    /// SYN alone.
    Syn { sequence: u32 },
    /// ACK without SYN and RST.
    Ack { acknowledgement: u32 },
    /// None of these flags.
    Other,
}

/// An ICMP error that quotes the start of a TCP segment which went from `source` to `target`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    pub offender: IpAddr,
    /// To whom the error was sent.
    pub destination: IpAddr,
    pub reason: Unreachable,
    pub quoted: Quoted,
}

/// The 8 bytes that every ICMP error quotes, and the addresses before them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quoted {
    pub source: IpAddr,
    pub source_port: u16,
    pub target: IpAddr,
    pub target_port: u16,
    pub sequence: u32,
}

/// Why a packet says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the packet ends before its headers do")]
    Truncated,
    #[error("neither IPv4 nor IPv6")]
    NotIp,
    #[error("a header contradicts itself")]
    BadHeader,
    #[error("a checksum is wrong")]
    BadChecksum,
    #[error("more extension headers than a real packet has")]
    TooManyHeaders,
    #[error("a fragment without the transport header")]
    LaterFragment,
    #[error("neither TCP nor an ICMP error about TCP")]
    OtherProtocol,
    #[error("an ICMP message that is never a verdict")]
    OtherIcmp,
}

/// Reads a packet that starts at its IP header. `checksum` is what the kernel said of it.
///
/// # Errors
/// [`Unusable`] for anything that can be no answer to a SYN; the caller counts it and forgets it.
pub fn parse(bytes: &[u8], checksum: ChecksumStatus) -> Result<Reply, Unusable> {
    let packet = headers::read(bytes, Extent::Complete)?;
    let is_v4 = packet.source.is_ipv4();
    match (packet.fragment, packet.protocol) {
        (Fragment::Later, _) => Err(Unusable::LaterFragment),
        (Fragment::First, TCP) => ports(&packet).map(|from| Reply::Fragment { from }),
        (Fragment::Whole, TCP) => segment(&packet, checksum).map(Reply::Segment),
        (Fragment::Whole, ICMP_V4) if is_v4 => icmp(&packet, checksum).map(Reply::Icmp),
        (Fragment::Whole, ICMP_V6) if !is_v4 => icmp(&packet, checksum).map(Reply::Icmp),
        _ => Err(Unusable::OtherProtocol),
    }
}

fn ports(packet: &Packet<'_>) -> Result<Peer, Unusable> {
    let ports: &[u8; 4] = packet.payload.first_chunk().ok_or(Unusable::Truncated)?;
    Ok(Peer {
        source: packet.source,
        source_port: u16::from_be_bytes([ports[0], ports[1]]),
        destination: packet.destination,
        destination_port: u16::from_be_bytes([ports[2], ports[3]]),
    })
}

fn segment(packet: &Packet<'_>, checksum: ChecksumStatus) -> Result<Segment, Unusable> {
    let from = ports(packet)?;
    let fixed: &[u8; 20] = packet.payload.first_chunk().ok_or(Unusable::Truncated)?;
    let offset = usize::from(fixed[12] >> 4) * 4;
    if offset < 20 {
        return Err(Unusable::BadHeader);
    }
    let options = packet.payload.get(20..offset).ok_or(Unusable::Truncated)?;
    if checksum == ChecksumStatus::Unknown && !packet.pseudo_sum().bytes(packet.payload).is_intact()
    {
        return Err(Unusable::BadChecksum);
    }
    let acknowledgement = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
    let flag = |bit: u8| fixed[13] & bit != 0;
    let (syn, reset, ack) = (flag(0x02), flag(0x04), flag(0x10));
    Ok(Segment {
        from,
        hop_limit: packet.hop_limit,
        kind: match (reset, syn, ack) {
            (true, _, true) => Kind::Reset { acknowledgement },
            (true, _, false) => Kind::BareReset,
            (false, true, true) => Kind::SynAck {
                acknowledgement,
                window: u16::from_be_bytes([fixed[14], fixed[15]]),
                options: presence(options),
            },
            (false, true, false) => Kind::Syn {
                sequence: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            },
            (false, false, true) => Kind::Ack { acknowledgement },
            (false, false, false) => Kind::Other,
        },
    })
}

/// Whether there is an option that is not mere padding (NOP), before the end of the list.
fn presence(options: &[u8]) -> Presence {
    match options.iter().find(|kind| **kind != 1) {
        None | Some(0) => Presence::Absent,
        Some(_) => Presence::Present,
    }
}

fn icmp(packet: &Packet<'_>, checksum: ChecksumStatus) -> Result<IcmpError, Unusable> {
    let (fixed, quotation) = packet
        .payload
        .split_first_chunk::<8>()
        .ok_or(Unusable::Truncated)?;
    let (kind, code) = (fixed[0], fixed[1]);
    let (reason, sum) = if packet.source.is_ipv4() {
        (Unreachable::from_icmp_v4(kind, code), Sum::default())
    } else {
        (Unreachable::from_icmp_v6(kind, code), packet.pseudo_sum())
    };
    let reason = reason.ok_or(Unusable::OtherIcmp)?;
    if checksum == ChecksumStatus::Unknown && !sum.bytes(packet.payload).is_intact() {
        return Err(Unusable::BadChecksum);
    }
    let inner = headers::read(quotation, Extent::Quoted)?;
    if inner.source.is_ipv4() != packet.source.is_ipv4() {
        return Err(Unusable::BadHeader);
    }
    if inner.protocol != TCP || inner.fragment != Fragment::Whole {
        return Err(Unusable::OtherProtocol);
    }
    let tcp: &[u8; 8] = inner.payload.first_chunk().ok_or(Unusable::Truncated)?;
    Ok(IcmpError {
        offender: packet.source,
        destination: packet.destination,
        reason,
        quoted: Quoted {
            source: inner.source,
            source_port: u16::from_be_bytes([tcp[0], tcp[1]]),
            target: inner.destination,
            target_port: u16::from_be_bytes([tcp[2], tcp[3]]),
            sequence: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
        },
    })
}
