//! TCP segments: which of them answer a SYN of ours.

use halfopen::model::{Presence, SynAck};
use halfopen::wire::{ChecksumStatus, Evidence, Stray, Syn, SynTemplate, Unusable, parse};
use pnet::packet::tcp::TcpFlags;

use super::packets::*;

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
    assert_eq!(verdict(&syn.v4()), answer(TARGET.into(), Evidence::Hint));
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
        word(verdict(template.syn(&forged).unwrap().as_slice())),
        "Hint"
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
        assert_eq!(word(verdict(&finish_v4(packet))), expected, "{field:#x}");
    }
    let segment = reply.segment(TARGET_V6.into(), OURS_V6.into());
    for (field, expected) in [(1_u16, "Hint"), (9, "LaterFragment"), (8, "LaterFragment")] {
        let mut header = vec![0; 8];
        header[2..4].copy_from_slice(&field.to_be_bytes());
        let packet = with_extensions(&[(44, header)], &segment);
        assert_eq!(word(verdict(&packet)), expected, "{field}");
    }
}
