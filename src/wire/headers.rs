//! From an IP header to the bytes behind it, for both families and also for the headers that ICMP errors quote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;
use super::reply::Unusable;

pub(super) const ICMP_V4: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const ICMP_V6: u8 = 58;

/// IPv6 extension headers that are walked before we give up: more than any real packet has.
const MAX_EXTENSIONS: usize = 8;

/// An IP packet whose header is sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Packet<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub hop_limit: u8,
    /// Of the payload, behind all options and extension headers.
    pub protocol: u8,
    pub fragment: Fragment,
    pub payload: &'a [u8],
}

/// Where in the original packet the payload lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fragment {
    Whole,
    /// Offset 0, more to come: the transport header's start is here.
    First,
    Later,
}

/// How much of a packet must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    /// All that the header announces; what follows is padding and is cut off.
    Complete,
    /// A quotation in an ICMP error, which may end anywhere behind the header.
    Quoted,
}

/// Reads the header at the start of `bytes`.
pub(super) fn read(bytes: &[u8], extent: Extent) -> Result<Packet<'_>, Unusable> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => read_v4(bytes, extent),
        Some(6) => read_v6(bytes, extent),
        Some(_) => Err(Unusable::NotIp),
        None => Err(Unusable::Truncated),
    }
}

impl Packet<'_> {
    /// Starts a checksum over the payload with this packet's pseudo header.
    pub(super) fn pseudo_sum(&self) -> Sum {
        // Payloads come out of a 16-bit length field.
        let length = u16::try_from(self.payload.len()).unwrap_or(u16::MAX);
        match (self.source, self.destination) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Sum::default().pseudo_v4(a, b, self.protocol, length),
            (IpAddr::V6(a), IpAddr::V6(b)) => Sum::default().pseudo_v6(a, b, self.protocol, length),
            // `read` never mixes families; a sum of nothing fits no packet.
            _ => Sum::default().word(1),
        }
    }
}

fn read_v4(bytes: &[u8], extent: Extent) -> Result<Packet<'_>, Unusable> {
    let fixed: &[u8; 20] = bytes.first_chunk().ok_or(Unusable::Truncated)?;
    let header_length = usize::from(fixed[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if header_length < 20 || (extent == Extent::Complete && total < header_length) {
        return Err(Unusable::BadHeader);
    }
    let header = bytes.get(..header_length).ok_or(Unusable::Truncated)?;
    let payload = match extent {
        Extent::Complete => {
            // The kernel drops a packet whose header is damaged, and our tap lies before that check.
            if !Sum::default().bytes(header).is_intact() {
                return Err(Unusable::BadChecksum);
            }
            bytes.get(header_length..total)
        }
        // Routers quote with a changed TTL, some without a new header checksum, and Linux with a changed total length.
        Extent::Quoted => bytes.get(header_length..),
    }
    .ok_or(Unusable::Truncated)?;
    let flags = u16::from_be_bytes([fixed[6], fixed[7]]);
    Ok(Packet {
        source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]).into(),
        destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]).into(),
        hop_limit: fixed[8],
        protocol: fixed[9],
        fragment: fragment(flags & 0x1fff, flags & 0x2000),
        payload,
    })
}

fn read_v6(bytes: &[u8], extent: Extent) -> Result<Packet<'_>, Unusable> {
    let (fixed, rest) = bytes.split_first_chunk::<40>().ok_or(Unusable::Truncated)?;
    let mut payload = match extent {
        Extent::Complete => {
            let length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
            rest.get(..length).ok_or(Unusable::Truncated)?
        }
        Extent::Quoted => rest,
    };
    let mut protocol = fixed[6];
    let mut fragmented = Fragment::Whole;
    for _ in 0..=MAX_EXTENSIONS {
        let length = match protocol {
            // Hop-by-hop, routing, destination options: 8 bytes and as many more eights as they say (RFC 8200, 4).
            0 | 43 | 60 => extension_byte(payload, 1)? * 8 + 8,
            // Authentication header: fours, less two (RFC 4302, 2.2).
            51 => extension_byte(payload, 1)? * 4 + 8,
            44 => {
                let field = payload.get(2..4).ok_or(Unusable::Truncated)?;
                let field = u16::from_be_bytes([field[0], field[1]]);
                // An atomic fragment (RFC 6946: offset 0, none to come) is a whole packet.
                fragmented = fragment(field >> 3, field & 1);
                8
            }
            protocol => {
                return Ok(Packet {
                    source: address_v6(fixed, 8).into(),
                    destination: address_v6(fixed, 24).into(),
                    hop_limit: fixed[7],
                    protocol,
                    fragment: fragmented,
                    payload,
                });
            }
        };
        let next = extension_byte(payload, 0)?;
        payload = payload.get(length..).ok_or(Unusable::Truncated)?;
        // At most 255 by its type.
        protocol = next as u8;
        if fragmented == Fragment::Later {
            // What follows is not a header but the middle of something.
            return Err(Unusable::LaterFragment);
        }
    }
    Err(Unusable::TooManyHeaders)
}

fn extension_byte(bytes: &[u8], at: usize) -> Result<usize, Unusable> {
    bytes
        .get(at)
        .map(|byte| usize::from(*byte))
        .ok_or(Unusable::Truncated)
}

fn fragment(offset: u16, more: u16) -> Fragment {
    match (offset, more) {
        (0, 0) => Fragment::Whole,
        (0, _) => Fragment::First,
        _ => Fragment::Later,
    }
}

fn address_v6(fixed: &[u8; 40], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    for (octet, byte) in octets.iter_mut().zip(fixed.iter().skip(at)) {
        *octet = *byte;
    }
    octets.into()
}
