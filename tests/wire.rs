//! The wire stage against pnet as the oracle, and against bytes that no honest network carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use halfopen::model::{Presence, SynAck, Unreachable};
use halfopen::wire::judge::Answer;
use halfopen::wire::reply::{Kind, Peer, Segment};
use halfopen::wire::{
    ChecksumStatus, Cookie, Evidence, Flows, Judge, Reply, Stray, Syn, SynShape, SynTemplate,
    Unusable, parse,
};
use pnet::packet::Packet;
use pnet::packet::icmp::IcmpPacket;
use pnet::packet::ip::IpNextHeaderProtocols as Protocols;
use pnet::packet::ipv4::{Ipv4Flags, Ipv4Packet, MutableIpv4Packet};
use pnet::packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet::packet::tcp::{self, MutableTcpPacket, TcpFlags, TcpOption, TcpPacket};
use proptest::prelude::*;

const SHAPE: SynShape = SynShape {
    hop_limit: 64,
    window_scale: 7,
    timestamp_offset: 0,
};
const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const OURS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 254);
const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xfe);
const PORT: u16 = 443;
const FIRST: u16 = 61000;
const SOURCE_PORT: u16 = FIRST + 3;

fn cookie() -> Cookie {
    Cookie::new([9; 16])
}

fn judge() -> Judge {
    Judge::new(cookie(), Flows::new(FIRST, 20).unwrap())
}

fn sequence(target: IpAddr) -> u32 {
    cookie().sequence(target, PORT, SOURCE_PORT)
}

// ---- crafting ----------------------------------------------------------------------------------------------------------

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

// ---- replies -----------------------------------------------------------------------------------------------------------

#[derive(Clone)]
struct Answered {
    flags: u8,
    acknowledgement: u32,
    window: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
}

fn answered(flags: u8, target: IpAddr) -> Answered {
    Answered {
        flags,
        acknowledgement: sequence(target).wrapping_add(1),
        window: 29200,
        options: vec![2, 4, 5, 0xb4],
        payload: Vec::new(),
    }
}

impl Answered {
    fn segment(&self, source: IpAddr, destination: IpAddr) -> Vec<u8> {
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

    fn v4(&self) -> Vec<u8> {
        ipv4(
            6,
            TARGET,
            OURS,
            &[],
            &self.segment(TARGET.into(), OURS.into()),
        )
    }

    fn v6(&self) -> Vec<u8> {
        ipv6(
            6,
            TARGET_V6,
            OURS_V6,
            &self.segment(TARGET_V6.into(), OURS_V6.into()),
        )
    }
}

fn ipv4(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, options: &[u8], payload: &[u8]) -> Vec<u8> {
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

fn finish_v4(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = pnet::packet::ipv4::checksum(&Ipv4Packet::new(&bytes).unwrap());
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn ipv6(next: u8, from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, next, 57];
    bytes[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&from.octets());
    bytes.extend_from_slice(&to.octets());
    bytes.extend_from_slice(payload);
    bytes
}

/// The verdict on a packet as it would come from the ring.
fn verdict(packet: &[u8]) -> Result<Answer, String> {
    let reply = parse(packet, ChecksumStatus::Unknown).map_err(|error| format!("{error:?}"))?;
    judge().judge(&reply).map_err(|stray| format!("{stray:?}"))
}

fn answer(target: IpAddr, evidence: Evidence) -> Result<Answer, String> {
    Ok(Answer {
        target,
        port: PORT,
        flow: 3,
        evidence,
    })
}

fn syn_ack() -> Evidence {
    Evidence::SynAck(SynAck {
        ttl: Some(57),
        window: 29200,
        options: Presence::Present,
    })
}

#[test]
fn a_syn_ack_with_any_other_flags_and_options_is_accepted_as_the_kernel_does() {
    for extra in 0..=u8::MAX {
        let flags = extra & !TcpFlags::RST | TcpFlags::SYN | TcpFlags::ACK;
        let packet = answered(flags, TARGET.into()).v4();
        assert_eq!(
            verdict(&packet),
            answer(TARGET.into(), syn_ack()),
            "{flags:#x}"
        );
    }
    let mut odd = answered(0x12, TARGET_V6.into());
    // An option that runs past its end, and unknown ones.
    for options in [[2, 99, 5, 180], [0xfe, 0, 0, 0], [8, 1, 1, 1]] {
        odd.options = options.to_vec();
        assert_eq!(verdict(&odd.v6()), answer(TARGET_V6.into(), syn_ack()));
    }
    // Data in it (TCP Fast Open), of odd length.
    odd.payload = vec![0xaa; 1001];
    assert_eq!(verdict(&odd.v6()), answer(TARGET_V6.into(), syn_ack()));
}

#[test]
fn padding_is_no_option_and_window_0_is_told() {
    for options in [&[][..], &[1, 1, 1, 1], &[0, 2, 4, 5], &[1, 0, 0, 0]] {
        let mut bare = answered(0x12, TARGET.into());
        bare.options = options.to_vec();
        bare.window = 0;
        let evidence = Evidence::SynAck(SynAck {
            ttl: Some(57),
            window: 0,
            options: Presence::Absent,
        });
        assert_eq!(verdict(&bare.v4()), answer(TARGET.into(), evidence));
    }
}

#[test]
fn only_the_number_of_our_syn_proves_an_answer() {
    for difference in [0_u32, 2, 3, 0x8000_0000, u32::MAX] {
        for flags in [0x12, 0x14] {
            let mut forged = answered(flags, TARGET.into());
            forged.acknowledgement = sequence(TARGET.into()).wrapping_add(difference);
            assert_eq!(
                verdict(&forged.v4()),
                Err(format!("{:?}", Stray::WrongNumber))
            );
        }
    }
}

#[test]
fn resets_need_an_ack() {
    let reset = answered(TcpFlags::RST | TcpFlags::ACK, TARGET.into());
    assert_eq!(
        verdict(&reset.v4()),
        answer(TARGET.into(), Evidence::Reset { ttl: 57 })
    );
    let bare = answered(TcpFlags::RST, TARGET.into());
    assert_eq!(verdict(&bare.v4()), Err("Meaningless".into()));
    // A reset wins over a SYN in the same segment.
    let both = answered(0x16, TARGET.into());
    assert_eq!(
        verdict(&both.v4()),
        answer(TARGET.into(), Evidence::Reset { ttl: 57 })
    );
}

#[test]
fn lone_acks_are_stale_and_lone_syns_are_hints() {
    let mut ack = answered(TcpFlags::ACK, TARGET.into());
    assert_eq!(verdict(&ack.v4()), Err("Meaningless".into()));
    ack.acknowledgement ^= 1;
    assert_eq!(
        verdict(&ack.v4()),
        answer(TARGET.into(), Evidence::StaleAck)
    );
    let syn = answered(TcpFlags::SYN, TARGET.into());
    assert_eq!(verdict(&syn.v4()), Err("Hint".into()));
    // Our own SYN to a port that we reserved, on an address of ours.
    let syn = Syn {
        source: OURS.into(),
        target: OURS.into(),
        source_port: SOURCE_PORT,
        target_port: FIRST,
        sequence: cookie().sequence(OURS.into(), FIRST, SOURCE_PORT),
        timestamp: 0,
        identification: 0,
        mtu: 1500,
    };
    let template = SynTemplate::new(SHAPE);
    assert_eq!(
        verdict(template.syn(&syn).unwrap().as_slice()),
        Err("OurOwn".into())
    );
    let forged = Syn {
        sequence: syn.sequence ^ 1,
        ..syn
    };
    assert_eq!(
        verdict(template.syn(&forged).unwrap().as_slice()),
        Err("Hint".into())
    );
    let nothing = answered(0, TARGET.into());
    assert_eq!(verdict(&nothing.v4()), Err("Meaningless".into()));
}

#[test]
fn an_answer_to_another_port_or_from_another_host_is_no_answer() {
    let reply = answered(0x12, TARGET.into());
    let segment = reply.segment(ROUTER.into(), OURS.into());
    let packet = ipv4(6, ROUTER, OURS, &[], &segment);
    assert_eq!(verdict(&packet), Err("WrongNumber".into()));
    let mut packet = reply.v4();
    packet[22..24].copy_from_slice(&60999_u16.to_be_bytes());
    let parsed = parse(&packet, ChecksumStatus::Valid).unwrap();
    assert_eq!(judge().judge(&parsed), Err(Stray::OtherPorts));
}

#[test]
fn a_wrong_checksum_counts_unless_the_kernel_says_otherwise() {
    for packet in [
        answered(0x12, TARGET.into()).v4(),
        answered(0x12, TARGET_V6.into()).v6(),
    ] {
        let at = if packet[0] >> 4 == 4 { 36 } else { 56 };
        let mut damaged = packet.clone();
        damaged[at] ^= 0x55;
        assert_eq!(
            parse(&damaged, ChecksumStatus::Unknown),
            Err(Unusable::BadChecksum)
        );
        let good = parse(&packet, ChecksumStatus::Unknown);
        assert!(good.is_ok());
        assert_eq!(parse(&damaged, ChecksumStatus::Unfinished), good);
        assert_eq!(parse(&damaged, ChecksumStatus::Valid), good);
    }
    let mut damaged = answered(0x12, TARGET.into()).v4();
    damaged[8] -= 1;
    assert_eq!(
        parse(&damaged, ChecksumStatus::Valid),
        Err(Unusable::BadChecksum)
    );
}

#[test]
fn data_offsets_must_lie_inside_the_segment() {
    for words in 0..16_u8 {
        let mut packet = answered(0x12, TARGET.into()).v4();
        packet[32] = words << 4;
        let expected = match words {
            0..5 => Some(Unusable::BadHeader),
            5 | 6 => None,
            _ => Some(Unusable::Truncated),
        };
        assert_eq!(
            parse(&packet, ChecksumStatus::Valid).err(),
            expected,
            "{words}"
        );
    }
}

#[test]
fn ip_options_and_padding_are_skipped() {
    let segment = answered(0x12, TARGET.into()).segment(TARGET.into(), OURS.into());
    for words in 0..=10 {
        let mut packet = ipv4(6, TARGET, OURS, &vec![1; words * 4], &segment);
        packet.extend_from_slice(&[0xff; 6]);
        assert_eq!(
            verdict(&packet),
            answer(TARGET.into(), syn_ack()),
            "{words}"
        );
    }
}

// ---- extension headers and fragments -----------------------------------------------------------------------------------

/// Puts extension headers before a TCP segment: (number, bytes), outermost first.
fn with_extensions(extensions: &[(u8, Vec<u8>)], segment: &[u8]) -> Vec<u8> {
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

fn extension(eights: usize) -> Vec<u8> {
    let mut bytes = vec![0; eights * 8];
    bytes[1] = eights as u8 - 1;
    bytes
}

#[test]
fn extension_headers_are_walked_but_not_for_ever() {
    let segment = answered(0x12, TARGET_V6.into()).segment(TARGET_V6.into(), OURS_V6.into());
    let mut authentication = vec![0; 24];
    authentication[1] = 4;
    for chain in [
        vec![],
        vec![(0, extension(1))],
        vec![(60, extension(3))],
        vec![(43, extension(2)), (60, extension(1))],
        vec![(51, authentication)],
        // Atomic fragment.
        vec![(44, vec![0; 8])],
        vec![(60, extension(1)); 8],
    ] {
        let packet = with_extensions(&chain, &segment);
        assert_eq!(
            verdict(&packet),
            answer(TARGET_V6.into(), syn_ack()),
            "{chain:?}"
        );
    }
    let packet = with_extensions(&vec![(60, extension(1)); 9], &segment);
    assert_eq!(verdict(&packet), Err("TooManyHeaders".into()));
    let mut long = extension(1);
    long[1] = 255;
    let packet = with_extensions(&[(0, long)], &segment);
    assert_eq!(verdict(&packet), Err("Truncated".into()));
    assert_eq!(
        verdict(&ipv6(59, TARGET_V6, OURS_V6, &segment)),
        Err("OtherProtocol".into())
    );
}

#[test]
fn fragments_prove_nothing_and_the_first_is_a_hint() {
    let reply = answered(0x12, TARGET.into());
    for (field, expected) in [
        (0x2000_u16, "Hint"),
        (0x2001, "LaterFragment"),
        (1, "LaterFragment"),
    ] {
        let mut packet = reply.v4();
        packet[6..8].copy_from_slice(&field.to_be_bytes());
        assert_eq!(
            verdict(&finish_v4(packet)),
            Err(expected.into()),
            "{field:#x}"
        );
    }
    let segment = reply.segment(TARGET_V6.into(), OURS_V6.into());
    for (field, expected) in [(1_u16, "Hint"), (9, "LaterFragment"), (8, "LaterFragment")] {
        let mut header = vec![0; 8];
        header[2..4].copy_from_slice(&field.to_be_bytes());
        let packet = with_extensions(&[(44, header)], &segment);
        assert_eq!(verdict(&packet), Err(expected.into()), "{field}");
    }
}

// ---- ICMP --------------------------------------------------------------------------------------------------------------

fn our_syn(source: IpAddr, target: IpAddr) -> Vec<u8> {
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

fn icmp_v4(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(quoted);
    let checksum = pnet::packet::icmp::checksum(&IcmpPacket::new(&message).unwrap());
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ipv4(1, ROUTER, OURS, &[], &message)
}

fn icmp_v6(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(quoted);
    let packet = pnet::packet::icmpv6::Icmpv6Packet::new(&message).unwrap();
    let checksum = pnet::packet::icmpv6::checksum(&packet, &ROUTER_V6, &OURS_V6);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ipv6(58, ROUTER_V6, OURS_V6, &message)
}

#[test]
fn every_icmp_type_and_code_means_what_the_table_says() {
    let quoted = our_syn(OURS.into(), TARGET.into());
    let quoted_v6 = our_syn(OURS_V6.into(), TARGET_V6.into());
    let (mut reasons, mut reasons_v6) = (0, 0);
    for kind in 0..=u8::MAX {
        for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255] {
            let expected = match Unreachable::from_icmp_v4(kind, code) {
                Some(reason) => {
                    reasons += 1;
                    let offender = ROUTER.into();
                    answer(TARGET.into(), Evidence::Icmp { reason, offender })
                }
                None => Err("OtherIcmp".into()),
            };
            assert_eq!(
                verdict(&icmp_v4(kind, code, &quoted)),
                expected,
                "{kind}/{code}"
            );
            let expected = match Unreachable::from_icmp_v6(kind, code) {
                Some(reason) => {
                    reasons_v6 += 1;
                    let offender = ROUTER_V6.into();
                    answer(TARGET_V6.into(), Evidence::Icmp { reason, offender })
                }
                None => Err("OtherIcmp".into()),
            };
            assert_eq!(
                verdict(&icmp_v6(kind, code, &quoted_v6)),
                expected,
                "{kind}/{code}"
            );
        }
    }
    // Destination unreachable without 3/4, time exceeded, parameter problem; three whole types for IPv6.
    assert_eq!((reasons, reasons_v6), (16 + 17 + 17, 3 * 17));
}

#[test]
fn eight_quoted_bytes_are_enough_and_seven_are_not() {
    let quoted = our_syn(OURS.into(), TARGET.into());
    assert!(verdict(&icmp_v4(3, 13, &quoted[..28])).is_ok());
    assert_eq!(
        verdict(&icmp_v4(3, 13, &quoted[..27])),
        Err("Truncated".into())
    );
    let quoted = our_syn(OURS_V6.into(), TARGET_V6.into());
    assert!(verdict(&icmp_v6(1, 4, &quoted[..48])).is_ok());
    assert_eq!(
        verdict(&icmp_v6(1, 4, &quoted[..47])),
        Err("Truncated".into())
    );
}

#[test]
fn routers_may_change_what_they_quote_but_not_what_proves_it() {
    let quoted = our_syn(OURS.into(), TARGET.into());
    // TTL, total length and header checksum as some routers leave them; IP options that one added.
    let mut changed = quoted.clone();
    changed[2..4].copy_from_slice(&40_u16.to_be_bytes());
    changed[8] = 1;
    changed[10] ^= 0xff;
    assert!(verdict(&icmp_v4(11, 0, &changed)).is_ok());
    let mut longer = changed.clone();
    longer[0] = 0x46;
    longer.splice(20..20, [1, 1, 1, 1]);
    assert!(verdict(&icmp_v4(11, 0, &longer)).is_ok());
    // Source and target address, ports, sequence number.
    for (at, stray) in [
        (12, "WrongNumber"),
        (16, "WrongNumber"),
        (20, "OtherPorts"),
        (22, "WrongNumber"),
        (24, "WrongNumber"),
    ] {
        let mut forged = quoted.clone();
        forged[at] ^= 0x80;
        assert_eq!(verdict(&icmp_v4(3, 1, &forged)), Err(stray.into()), "{at}");
    }
    let mut other = quoted.clone();
    other[9] = 17;
    assert_eq!(verdict(&icmp_v4(3, 3, &other)), Err("OtherProtocol".into()));
    let mut later = quoted;
    later[7] = 1;
    assert_eq!(verdict(&icmp_v4(3, 3, &later)), Err("OtherProtocol".into()));
    // A quotation of the other family, and a damaged message.
    let v6 = our_syn(OURS_V6.into(), TARGET_V6.into());
    assert_eq!(verdict(&icmp_v4(3, 3, &v6)), Err("BadHeader".into()));
    let mut damaged = icmp_v6(1, 3, &v6);
    damaged[60] ^= 1;
    assert_eq!(verdict(&damaged), Err("BadChecksum".into()));
}

// ---- hostile bytes -----------------------------------------------------------------------------------------------------

fn samples() -> Vec<Vec<u8>> {
    vec![
        answered(0x12, TARGET.into()).v4(),
        answered(0x14, TARGET_V6.into()).v6(),
        icmp_v4(3, 13, &our_syn(OURS.into(), TARGET.into())),
        icmp_v6(1, 1, &our_syn(OURS_V6.into(), TARGET_V6.into())),
        with_extensions(
            &[(0, extension(2)), (44, vec![0; 8]), (60, extension(1))],
            &answered(0x12, TARGET_V6.into()).segment(TARGET_V6.into(), OURS_V6.into()),
        ),
    ]
}

#[test]
fn every_truncation_is_refused() {
    for sample in samples() {
        assert!(verdict(&sample).is_ok());
        for length in 0..sample.len() {
            assert!(
                parse(&sample[..length], ChecksumStatus::Valid).is_err(),
                "{length}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0_usize..3) {
        let mut bytes = bytes;
        if let (Some(first), Some(start)) = (bytes.first_mut(), [None, Some(0x45), Some(0x60)][version]) {
            *first = start;
        }
        for checksum in [ChecksumStatus::Unknown, ChecksumStatus::Valid] {
            if let Ok(reply) = parse(&bytes, checksum) {
                // 32 bits of cookie: chance does not hit it.
                let is_stale = |answer: &Answer| answer.evidence == Evidence::StaleAck;
                prop_assert!(judge().judge(&reply).as_ref().map_or(true, is_stale));
            }
        }
    }

    #[test]
    fn damaged_answers_never_panic_and_never_turn_into_other_answers(
        which in 0_usize..5, changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6), tail in 0_usize..2000,
    ) {
        let mut packet = samples()[which].clone();
        let before = verdict(&packet);
        packet.resize(packet.len() + tail, 0xa5);
        for (at, byte) in changes {
            let at = at % packet.len();
            packet[at] = byte;
        }
        for checksum in [ChecksumStatus::Unknown, ChecksumStatus::Valid] {
            if let Ok(reply) = parse(&packet, checksum) && let Ok(answer) = judge().judge(&reply) {
                let endpoint = |answer: &Answer| (answer.target, answer.port, answer.flow);
                if answer.evidence != Evidence::StaleAck {
                    prop_assert_eq!(Some(endpoint(&answer)), before.as_ref().ok().map(endpoint));
                }
            }
        }
    }
}

#[test]
fn a_million_blind_forgeries_prove_nothing() {
    let judge = judge();
    let from = Peer {
        source: TARGET.into(),
        source_port: PORT,
        destination: OURS.into(),
        destination_port: SOURCE_PORT,
    };
    let right = sequence(TARGET.into()).wrapping_add(1);
    let mut accepted = 0;
    for guess in 0..1_u32 << 20 {
        // Every residue once, spread over all 32 bits.
        let acknowledgement = guess.wrapping_mul(0x9e37_79b1);
        let kind = Kind::Reset { acknowledgement };
        let reply = Reply::Segment(Segment {
            from,
            hop_limit: 64,
            kind,
        });
        if acknowledgement != right && judge.judge(&reply).is_ok() {
            accepted += 1;
        }
    }
    assert_eq!(accepted, 0);
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
