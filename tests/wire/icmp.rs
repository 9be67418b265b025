//! ICMP errors of both families.

use halfopen::model::Unreachable;
use halfopen::wire::Evidence;

use super::packets::*;

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
