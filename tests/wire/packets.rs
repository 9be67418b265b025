//! Packets as they come from the network, with pnet as the one that computes their checksums.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use halfopen::model::{Presence, SynAck};
use halfopen::wire::judge::Answer;
use halfopen::wire::{
    ChecksumStatus, Cookie, Evidence, Flows, Judge, Syn, SynShape, SynTemplate, parse,
};
use pnet::packet::icmp::IcmpPacket;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::tcp::{self, MutableTcpPacket};

pub const SHAPE: SynShape = SynShape {
    hop_limit: 64,
    window_scale: 7,
    timestamp_offset: 0,
};
pub const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
pub const TARGET: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
pub const OURS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
pub const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 254);
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xfe);
pub const PORT: u16 = 443;
pub const FIRST: u16 = 61000;
pub const SOURCE_PORT: u16 = FIRST + 3;

pub fn cookie() -> Cookie {
    Cookie::new([9; 16])
}

pub fn judge() -> Judge {
    Judge::new(cookie(), Flows::new(FIRST, 20).unwrap())
}

pub fn sequence(target: IpAddr) -> u32 {
    cookie().sequence(target, PORT, SOURCE_PORT)
}
#[derive(Clone)]
pub struct Answered {
    pub flags: u8,
    pub acknowledgement: u32,
    pub window: u16,
    pub options: Vec<u8>,
    pub payload: Vec<u8>,
}

pub fn answered(flags: u8, target: IpAddr) -> Answered {
    Answered {
        flags,
        acknowledgement: sequence(target).wrapping_add(1),
        window: 29200,
        options: vec![2, 4, 5, 0xb4],
        payload: Vec::new(),
    }
}

impl Answered {
    pub fn segment(&self, source: IpAddr, destination: IpAddr) -> Vec<u8> {
        let mut bytes = vec![0; 20 + self.options.len() + self.payload.len()];
        bytes[20..20 + self.options.len()].copy_from_slice(&self.options);
        bytes[20 + self.options.len()..].copy_from_slice(&self.payload);
        let mut packet = MutableTcpPacket::new(&mut bytes).unwrap();
        packet.set_source(PORT);
        packet.set_destination(SOURCE_PORT);
        packet.set_sequence(77);
        packet.set_acknowledgement(self.acknowledgement);
        packet.set_data_offset(5 + (self.options.len() / 4) as u8);
        packet.set_flags(self.flags);
        packet.set_window(self.window);
        let checksum = match (source, destination) {
            (IpAddr::V4(a), IpAddr::V4(b)) => tcp::ipv4_checksum(&packet.to_immutable(), &a, &b),
            (IpAddr::V6(a), IpAddr::V6(b)) => tcp::ipv6_checksum(&packet.to_immutable(), &a, &b),
            _ => unreachable!(),
        };
        packet.set_checksum(checksum);
        bytes
    }

    pub fn v4(&self) -> Vec<u8> {
        ipv4(
            6,
            TARGET,
            OURS,
            &[],
            &self.segment(TARGET.into(), OURS.into()),
        )
    }

    pub fn v6(&self) -> Vec<u8> {
        ipv6(
            6,
            TARGET_V6,
            OURS_V6,
            &self.segment(TARGET_V6.into(), OURS_V6.into()),
        )
    }
}

pub fn ipv4(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes.extend_from_slice(options);
    bytes.extend_from_slice(payload);
    bytes[0] = 0x40 | (5 + options.len() as u8 / 4);
    let length = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes[8] = 57;
    bytes[9] = protocol;
    bytes[12..16].copy_from_slice(&from.octets());
    bytes[16..20].copy_from_slice(&to.octets());
    finish_v4(bytes)
}

pub fn finish_v4(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = pnet::packet::ipv4::checksum(&Ipv4Packet::new(&bytes).unwrap());
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

pub fn ipv6(next: u8, from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, next, 57];
    bytes[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&from.octets());
    bytes.extend_from_slice(&to.octets());
    bytes.extend_from_slice(payload);
    bytes
}

/// The verdict on a packet as it would come from the ring.
pub fn verdict(packet: &[u8]) -> Result<Answer, String> {
    let reply = parse(packet, ChecksumStatus::Unknown).map_err(|error| format!("{error:?}"))?;
    judge().judge(&reply).map_err(|stray| format!("{stray:?}"))
}

pub fn answer(target: IpAddr, evidence: Evidence) -> Result<Answer, String> {
    Ok(Answer {
        target,
        to: if target.is_ipv4() {
            OURS.into()
        } else {
            OURS_V6.into()
        },
        port: PORT,
        flow: 3,
        evidence,
    })
}

/// What the verdict is called, for packets that prove nothing.
pub fn word(verdict: Result<Answer, String>) -> String {
    verdict.map_or_else(|stray| stray, |answer| format!("{:?}", answer.evidence))
}

pub fn syn_ack() -> Evidence {
    Evidence::SynAck(SynAck {
        ttl: Some(57),
        window: 29200,
        options: Presence::Present,
    })
}
/// Puts extension headers before a TCP segment: (number, bytes), outermost first.
pub fn with_extensions(extensions: &[(u8, Vec<u8>)], segment: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (at, (_, bytes)) in extensions.iter().enumerate() {
        let mut bytes = bytes.clone();
        bytes[0] = extensions.get(at + 1).map_or(6, |(number, _)| *number);
        payload.extend(bytes);
    }
    payload.extend_from_slice(segment);
    let first = extensions.first().map_or(6, |(number, _)| *number);
    ipv6(first, TARGET_V6, OURS_V6, &payload)
}

pub fn extension(eights: usize) -> Vec<u8> {
    let mut bytes = vec![0; eights * 8];
    bytes[1] = eights as u8 - 1;
    bytes
}
pub fn our_syn(source: IpAddr, target: IpAddr) -> Vec<u8> {
    let syn = Syn {
        source,
        target,
        source_port: SOURCE_PORT,
        target_port: PORT,
        sequence: sequence(target),
        timestamp: 0,
        identification: 0,
        mtu: 1500,
    };
    SynTemplate::new(SHAPE)
        .syn(&syn)
        .unwrap()
        .as_slice()
        .to_vec()
}

pub fn icmp_v4(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(quoted);
    let checksum = pnet::packet::icmp::checksum(&IcmpPacket::new(&message).unwrap());
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ipv4(1, ROUTER, OURS, &[], &message)
}

pub fn icmp_v6(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(quoted);
    let packet = pnet::packet::icmpv6::Icmpv6Packet::new(&message).unwrap();
    let checksum = pnet::packet::icmpv6::checksum(&packet, &ROUTER_V6, &OURS_V6);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ipv6(58, ROUTER_V6, OURS_V6, &message)
}
