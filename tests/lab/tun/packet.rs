//! The few packets that the scripted stack reads and writes. Written apart from the scanner's own wire code, so that
//! an error there cannot hide here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// What of a TCP segment matters to a stack that only meets SYNs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub from: (IpAddr, u16),
    pub to: (IpAddr, u16),
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
}

/// Reads an IP packet; `None` for everything that is not a whole TCP header behind a plain IP header.
pub fn read(packet: &[u8]) -> Option<Segment> {
    let (from, to, tcp) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 15) * 4;
            if *packet.get(9)? != 6 || header < 20 {
                return None;
            }
            let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            let (from, to) = (Ipv4Addr::from(from), Ipv4Addr::from(to));
            (IpAddr::from(from), IpAddr::from(to), packet.get(header..)?)
        }
        6 => {
            if *packet.get(6)? != 6 {
                return None;
            }
            let from: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            let (from, to) = (Ipv6Addr::from(from), Ipv6Addr::from(to));
            (IpAddr::from(from), IpAddr::from(to), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
    tcp.get(19)?;
    Some(Segment {
        from: (from, port(0)?),
        to: (to, port(2)?),
        sequence: u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?),
        acknowledgement: u32::from_be_bytes(tcp.get(8..12)?.try_into().ok()?),
        flags: *tcp.get(13)?,
    })
}

/// The answer to a segment, as a whole packet.
pub fn reply(to: &Segment, sequence: u32, flags: u8, window: u16, options: &[u8]) -> Vec<u8> {
    let mut tcp = Vec::with_capacity(20 + options.len());
    tcp.extend(to.to.1.to_be_bytes());
    tcp.extend(to.from.1.to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(to.sequence.wrapping_add(1).to_be_bytes());
    let words = u8::try_from((20 + options.len()) / 4).unwrap_or(5);
    tcp.extend([words << 4, flags]);
    tcp.extend(window.to_be_bytes());
    tcp.extend([0; 4]);
    tcp.extend(options);
    let sum = checksum(&[&pseudo_header(to.to.0, to.from.0, 6, tcp.len()), &tcp]);
    tcp.splice(16..18, sum.to_be_bytes());
    ip(to.to.0, to.from.0, 6, &tcp)
}

/// An IPv4 packet without options in two fragments, the first with `first` bytes (a multiple of 8) of what it carries;
/// any other packet as it is.
pub fn fragments(packet: Vec<u8>, first: usize) -> Vec<Vec<u8>> {
    let (Some((head, payload)), true) = (
        packet.split_at_checked(20),
        packet.first() == Some(&0x45) && first.is_multiple_of(8),
    ) else {
        return vec![packet];
    };
    let Some((one, two)) = payload.split_at_checked(first) else {
        return vec![packet];
    };
    let units = u16::try_from(first / 8).unwrap_or(0);
    // More fragments follow: 0x2000.
    [(0x2000, one), (units, two)]
        .map(|(place, part)| {
            let mut fragment = head.to_vec();
            let length = u16::try_from(20 + part.len()).unwrap_or(u16::MAX);
            fragment.splice(2..4, length.to_be_bytes());
            // The same number in both; different ports must not share it.
            fragment.splice(4..6, [payload[0] ^ payload[2], payload[1] ^ payload[3]]);
            fragment.splice(6..8, u16::to_be_bytes(place));
            fragment.splice(10..12, [0, 0]);
            let sum = checksum(&[&fragment]);
            fragment.splice(10..12, sum.to_be_bytes());
            fragment.extend(part);
            fragment
        })
        .to_vec()
}

/// An ICMP error from `offender` about `packet`, which asked for it. `kinds` are type and code of version 4 and of 6.
pub fn icmp_error(offender: IpAddr, to: IpAddr, kinds: [(u8, u8); 2], packet: &[u8]) -> Vec<u8> {
    let ((kind, code), protocol, quoted) = match offender {
        // As old routers do: the header and 8 bytes.
        IpAddr::V4(_) => (kinds[0], 1, 28),
        IpAddr::V6(_) => (kinds[1], 58, 1_000),
    };
    let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
    icmp.extend(packet.iter().take(quoted));
    let sum = match offender {
        IpAddr::V4(_) => checksum(&[&icmp]),
        IpAddr::V6(_) => checksum(&[&pseudo_header(offender, to, protocol, icmp.len()), &icmp]),
    };
    icmp.splice(2..4, sum.to_be_bytes());
    ip(offender, to, protocol, &icmp)
}

fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = |more: usize| {
        u16::try_from(payload.len() + more)
            .unwrap_or(u16::MAX)
            .to_be_bytes()
    };
    let mut packet = Vec::with_capacity(40 + payload.len());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend(length(20));
            packet.extend([0, 0, 0x40, 0, 61, protocol, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let sum = checksum(&[&packet]);
            packet.splice(10..12, sum.to_be_bytes());
        }
        (from, to) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length(0));
            packet.extend([protocol, 61]);
            packet.extend(octets(from));
            packet.extend(octets(to));
        }
    }
    packet.extend(payload);
    packet
}

fn pseudo_header(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let mut header = octets(from);
    header.extend(octets(to));
    header.extend(u32::try_from(length).unwrap_or(0).to_be_bytes());
    header.extend([0, 0, 0, protocol]);
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// RFC 1071, over parts of even length (the last may be odd).
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
