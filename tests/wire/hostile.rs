//! Bytes that no honest network carries.

use halfopen::wire::judge::Answer;
use halfopen::wire::reply::{Kind, Peer, Segment};
use halfopen::wire::{ChecksumStatus, Evidence, Reply, parse};
use proptest::prelude::*;

use super::packets::*;

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
                let proves_nothing = |answer: &Answer| matches!(answer.evidence, Evidence::StaleAck | Evidence::Hint);
                prop_assert!(judge().judge(&reply).as_ref().map_or(true, proves_nothing));
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
                // A hint proves nothing by itself: it carries no cookie, whoever it names.
                if !matches!(answer.evidence, Evidence::StaleAck | Evidence::Hint) {
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
