//! Packets of the simulated network. Answers become real bytes, so that what the engine is told went through the same
//! parser and the same cookie check as a packet from a wire.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Endpoint;

/// A SYN on its way to a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Syn {
    pub endpoint: Endpoint,
    pub source_port: u16,
    pub seq: u32,
}

/// An answer on its way to the scanner.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Answer {
    pub from: Endpoint,
    /// The scanner's port.
    pub to_port: u16,
    pub kind: Kind,
}

/// What kind of answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Tcp {
        flags: u8,
        ack: u32,
        window: u16,
    },
    /// An ICMP error that quotes this SYN.
    Icmp {
        kind: u8,
        code: u8,
        quoted: Syn,
    },
}

impl Answer {
    pub fn syn_ack(syn: Syn) -> Self {
        Self::tcp(syn, SYN | ACK, syn.seq.wrapping_add(1), 64240)
    }

    pub fn reset(syn: Syn) -> Self {
        Self::tcp(syn, RST | ACK, syn.seq.wrapping_add(1), 0)
    }

    pub fn lone_syn(syn: Syn) -> Self {
        Self::tcp(syn, SYN, 0, 64240)
    }

    /// An ACK of our SYN: a window update, or the end of a simultaneous open.
    pub fn lone_ack(syn: Syn) -> Self {
        Self::tcp(syn, ACK, syn.seq.wrapping_add(1), 64240)
    }

    pub fn bare_reset(syn: Syn) -> Self {
        Self::tcp(syn, RST, 0, 0)
    }

    /// A lone ACK with numbers of another connection.
    pub fn stale_ack(syn: Syn) -> Self {
        Self::tcp(syn, ACK, syn.seq.wrapping_sub(77), 500)
    }

    pub fn unreachable(syn: Syn, kind: u8, code: u8) -> Self {
        Self {
            from: syn.endpoint,
            to_port: syn.source_port,
            kind: Kind::Icmp {
                kind,
                code,
                quoted: syn,
            },
        }
    }

    pub fn acknowledging(mut self, number: u32) -> Self {
        if let Kind::Tcp { ack, .. } = &mut self.kind {
            *ack = number;
        }
        self
    }

    pub fn by_port(mut self, port: u16) -> Self {
        self.from.port = port;
        self
    }

    pub fn with_window(mut self, size: u16) -> Self {
        if let Kind::Tcp { window, .. } = &mut self.kind {
            *window = size;
        }
        self
    }

    pub fn is_reset(&self) -> bool {
        matches!(self.kind, Kind::Tcp { flags, .. } if flags & RST != 0)
    }

    /// Whether a scanner's kernel that has no such connection answers with a reset.
    pub fn draws_reset(&self) -> bool {
        matches!(self.kind, Kind::Tcp { flags, .. } if flags & RST == 0)
    }

    /// The packet as it would arrive, from its IP header on. TCP checksums are left for the caller to declare valid.
    pub fn bytes(&self) -> Vec<u8> {
        let (protocol, payload) = match self.kind {
            Kind::Tcp { flags, ack, window } => (6, self.tcp_bytes(flags, ack, window)),
            Kind::Icmp { kind, code, quoted } => {
                let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
                icmp.extend(quoted.bytes());
                match self.from.address.ip {
                    IpAddr::V4(_) => (1, icmp),
                    IpAddr::V6(_) => (58, icmp),
                }
            }
        };
        ip_bytes(
            self.from.address.ip,
            scanner(self.from.address.ip),
            protocol,
            &payload,
        )
    }

    fn tcp(syn: Syn, flags: u8, ack: u32, window: u16) -> Self {
        Self {
            from: syn.endpoint,
            to_port: syn.source_port,
            kind: Kind::Tcp { flags, ack, window },
        }
    }

    fn tcp_bytes(&self, flags: u8, ack: u32, window: u16) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(self.from.port.to_be_bytes());
        bytes.extend(self.to_port.to_be_bytes());
        bytes.extend(0x1234_5678u32.to_be_bytes());
        bytes.extend(ack.to_be_bytes());
        bytes.extend([6 << 4, flags]);
        bytes.extend(window.to_be_bytes());
        bytes.extend([0, 0, 0, 0]);
        // MSS 1460, as every real stack sends it.
        bytes.extend([2, 4, 0x05, 0xb4]);
        bytes
    }
}

impl Syn {
    /// Its IP header and the first eight bytes of TCP: the least that an ICMP error quotes (RFC 792).
    fn bytes(&self) -> Vec<u8> {
        let target = self.endpoint.address.ip;
        let mut tcp = Vec::with_capacity(8);
        tcp.extend(self.source_port.to_be_bytes());
        tcp.extend(self.endpoint.port.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        ip_bytes(scanner(target), target, 6, &tcp)
    }
}

/// The scanner's address towards a target of this family.
pub fn scanner(target: IpAddr) -> IpAddr {
    match target {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    }
}

fn ip_bytes(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let mut bytes = Vec::with_capacity(40 + payload.len());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend([0x45, 0]);
            bytes.extend((length + 20).to_be_bytes());
            bytes.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
            let checksum = pnet::util::checksum(&bytes, 5);
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        (from, to) => {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([protocol, 64]);
            bytes.extend(v6(from).octets());
            bytes.extend(v6(to).octets());
        }
    }
    bytes.extend(payload);
    bytes
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;
