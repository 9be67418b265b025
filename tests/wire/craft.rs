//! What we send, compared with what pnet makes of the same fields.

use std::net::IpAddr;

use halfopen::wire::reply::{Kind, Peer, Segment};
use halfopen::wire::{ChecksumStatus, Reply, Syn, SynTemplate, parse};
use pnet::packet::Packet;
use pnet::packet::ip::IpNextHeaderProtocols as Protocols;
use pnet::packet::ipv4::{Ipv4Flags, MutableIpv4Packet};
use pnet::packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet::packet::tcp::{self, MutableTcpPacket, TcpFlags, TcpOption, TcpPacket};
use proptest::prelude::*;

use super::packets::{OURS, OURS_V6, PORT, SHAPE, SOURCE_PORT, TARGET, TARGET_V6, our_syn};

/// What pnet makes of the same fields, checksums by pnet's own function.
fn pnet_segment(syn: &Syn<IpAddr>, mss: u16) -> Vec<u8> {
    let mut bytes = vec![0; 40];
    let mut packet = MutableTcpPacket::new(&mut bytes).unwrap();
    packet.set_source(syn.source_port);
    packet.set_destination(syn.target_port);
    packet.set_sequence(syn.sequence);
    packet.set_data_offset(10);
    packet.set_flags(TcpFlags::SYN);
    packet.set_window(65535 / mss * mss);
    packet.set_options(&[
        TcpOption::mss(mss),
        TcpOption::sack_perm(),
        TcpOption::timestamp(syn.timestamp, 0),
        TcpOption::nop(),
        TcpOption::wscale(7),
    ]);
    let checksum = match (syn.source, syn.target) {
        (IpAddr::V4(a), IpAddr::V4(b)) => tcp::ipv4_checksum(&packet.to_immutable(), &a, &b),
        (IpAddr::V6(a), IpAddr::V6(b)) => tcp::ipv6_checksum(&packet.to_immutable(), &a, &b),
        _ => unreachable!(),
    };
    packet.set_checksum(checksum);
    bytes
}

fn pnet_syn(syn: &Syn<IpAddr>) -> Vec<u8> {
    match (syn.source, syn.target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let mut bytes = vec![0; 20];
            let mut packet = MutableIpv4Packet::new(&mut bytes).unwrap();
            packet.set_version(4);
            packet.set_header_length(5);
            packet.set_total_length(60);
            packet.set_identification(syn.identification);
            packet.set_flags(Ipv4Flags::DontFragment);
            packet.set_ttl(64);
            packet.set_next_level_protocol(Protocols::Tcp);
            packet.set_source(source);
            packet.set_destination(target);
            let checksum = pnet::packet::ipv4::checksum(&packet.to_immutable());
            packet.set_checksum(checksum);
            bytes.extend(pnet_segment(syn, syn.mtu as u16 - 40));
            bytes
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            let mut bytes = vec![0; 40];
            let mut packet = MutableIpv6Packet::new(&mut bytes).unwrap();
            packet.set_version(6);
            packet.set_payload_length(40);
            packet.set_next_header(Protocols::Tcp);
            packet.set_hop_limit(64);
            packet.set_source(source);
            packet.set_destination(target);
            bytes.extend(pnet_segment(syn, syn.mtu as u16 - 60));
            bytes
        }
        _ => unreachable!(),
    }
}

#[test]
fn the_syn_has_the_bytes_of_connect() {
    let template = SynTemplate::new(SHAPE);
    let syn = Syn {
        source: OURS.into(),
        target: TARGET.into(),
        source_port: SOURCE_PORT,
        target_port: PORT,
        sequence: 0x0102_0304,
        timestamp: 0x0a0b_0c0d,
        identification: 0xbeef,
        mtu: 1500,
    };
    let bytes = template.syn(&syn).unwrap();
    let bytes = bytes.as_slice();
    assert_eq!(bytes.len(), 60);
    let packet = TcpPacket::new(&bytes[20..]).unwrap();
    assert_eq!(packet.get_window(), 64240);
    // MSS 1460, SACK permitted, timestamps, NOP, window scale 7.
    let options = [
        2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x0a, 0x0b, 0x0c, 0x0d, 0, 0, 0, 0, 1, 3, 3, 7,
    ];
    assert_eq!(packet.get_options_raw(), options);
}

#[test]
fn mixed_families_are_no_syn() {
    let syn = Syn {
        source: OURS.into(),
        target: TARGET_V6.into(),
        source_port: 1,
        target_port: 2,
        sequence: 3,
        timestamp: 4,
        identification: 5,
        mtu: 1500,
    };
    assert_eq!(SynTemplate::new(SHAPE).syn(&syn), None);
}

fn addresses() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b))),
        any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b))),
        // Sums that fold to 0 and 0xffff are where incremental checksums go wrong.
        Just((IpAddr::from([0; 4]), IpAddr::from([0; 4]))),
        Just((IpAddr::from([255; 4]), IpAddr::from([255; 4]))),
        Just((IpAddr::from([255; 16]), IpAddr::from([0; 16]))),
    ]
}

proptest! {
    #[test]
    fn every_patched_syn_is_the_one_that_pnet_makes(
        (source, target) in addresses(),
        ports in any::<(u16, u16)>(),
        sequence in any::<u32>(),
        timestamp in any::<u32>(),
        identification in any::<u16>(),
        mtu in 1280_u32..=9000,
    ) {
        let syn = Syn {
            source, target, source_port: ports.0, target_port: ports.1,
            sequence, timestamp, identification, mtu,
        };
        let bytes = SynTemplate::new(SHAPE).syn(&syn).unwrap();
        prop_assert_eq!(bytes.as_slice(), &pnet_syn(&syn)[..]);
    }

    #[test]
    fn a_syn_of_ours_parses_with_its_checksum_and_any_flipped_bit_is_noticed(
        (source, target) in addresses(), sequence in any::<u32>(), bit in 0_usize..480,
    ) {
        let syn = Syn {
            source, target, source_port: 1, target_port: 2, sequence,
            timestamp: 0, identification: 0, mtu: 1500,
        };
        let packet = SynTemplate::new(SHAPE).syn(&syn).unwrap();
        let reply = parse(packet.as_slice(), ChecksumStatus::Unknown).unwrap();
        let from = Peer { source, source_port: 1, destination: target, destination_port: 2 };
        prop_assert_eq!(reply, Reply::Segment(Segment { from, hop_limit: 64, kind: Kind::Syn { sequence } }));

        let mut damaged = packet.as_slice().to_vec();
        // IPv6 has no header checksum: there only the TCP segment is safe.
        let bit = if source.is_ipv4() { bit } else { 320 + bit % 320 };
        damaged[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(parse(&damaged, ChecksumStatus::Unknown).is_err());
    }
}
#[test]
fn pnet_reads_what_we_craft() {
    let packet = our_syn(OURS_V6.into(), TARGET_V6.into());
    let ip = Ipv6Packet::new(&packet).unwrap();
    assert_eq!(
        (ip.get_source(), ip.get_destination()),
        (OURS_V6, TARGET_V6)
    );
    let segment = TcpPacket::new(ip.payload()).unwrap();
    assert_eq!(
        tcp::ipv6_checksum(&segment, &OURS_V6, &TARGET_V6),
        segment.get_checksum()
    );
}
