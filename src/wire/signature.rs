//! The signature of a SYN-ACK: how its stack fills in the fields that nobody prescribes.

use crate::model::{Layout, Payload, Quirks, Signature};

use super::headers::{self, Extent, TCP};

/// Reads a SYN-ACK that starts at its IP header and has been accepted as one. `None` for any other packet.
pub fn signature(bytes: &[u8]) -> Option<Signature> {
    let packet = headers::read(bytes, Extent::Complete).ok()?;
    let fixed: &[u8; 20] = packet.payload.first_chunk()?;
    if packet.protocol != TCP || fixed[13] & (SYN | ACK | RST) != SYN | ACK {
        return None;
    }
    let offset = usize::from(fixed[12] >> 4) * 4;
    let options = packet.payload.get(20..offset)?;
    let mut quirks = Quirks::default();
    let (version, ip_options, congestion) = match packet.source.is_ipv4() {
        true => v4(bytes, &mut quirks)?,
        false => v6(bytes, packet.payload.len(), &mut quirks)?,
    };
    let flag = |bit: u8| fixed[13] & bit != 0;
    for (is_so, quirk) in [
        (congestion != 0 || flag(ECE) || flag(CWR), Quirks::ECN),
        (fixed[12] & 0x0f != 0, Quirks::RESERVED),
        (fixed[4..8] == [0; 4], Quirks::SEQUENCE_0),
        (
            !flag(URG) && fixed[18..20] != [0; 2],
            Quirks::URGENT_POINTER,
        ),
        (flag(URG), Quirks::URGENT),
        (flag(PSH), Quirks::PUSH),
    ] {
        if is_so {
            quirks.add(quirk);
        }
    }
    let mut signature = Signature {
        version,
        ttl: packet.hop_limit,
        ip_options,
        mss: None,
        window: u16::from_be_bytes([fixed[14], fixed[15]]),
        scale: None,
        layout: Layout::default(),
        quirks,
        payload: if packet.payload.len() > offset {
            Payload::Present
        } else {
            Payload::Absent
        },
    };
    if read_options(options, &mut signature).is_none() {
        signature.quirks.add(Quirks::MALFORMED);
    }
    Some(signature)
}

/// Version, bytes of options, congestion bits.
fn v4(bytes: &[u8], quirks: &mut Quirks) -> Option<(u8, u8, u8)> {
    let header: &[u8; 20] = bytes.first_chunk()?;
    let has_id = header[4..6] != [0; 2];
    match (header[6] & 0x40 != 0, has_id) {
        (true, true) => {
            quirks.add(Quirks::DF);
            quirks.add(Quirks::ID_WITH_DF);
        }
        (true, false) => quirks.add(Quirks::DF),
        (false, true) => {}
        (false, false) => quirks.add(Quirks::NO_ID),
    }
    if header[6] & 0x80 != 0 {
        quirks.add(Quirks::RESERVED);
    }
    let options = (header[0] & 0x0f).saturating_sub(5) * 4;
    Some((4, options, header[1] & 0x03))
}

fn v6(bytes: &[u8], segment: usize, quirks: &mut Quirks) -> Option<(u8, u8, u8)> {
    let header: &[u8; 40] = bytes.first_chunk()?;
    if header[1] & 0x0f != 0 || header[2..4] != [0; 2] {
        quirks.add(Quirks::FLOW);
    }
    let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let extensions = u8::try_from(payload.saturating_sub(segment)).unwrap_or(u8::MAX);
    Some((6, extensions, header[1] >> 4 & 0x03))
}

/// `None`: they contradict themselves, and what was read before stands.
fn read_options(mut rest: &[u8], signature: &mut Signature) -> Option<()> {
    while let Some((kind, behind)) = rest.split_first() {
        signature.layout.push(*kind).ok()?;
        match kind {
            0 => {
                // At most 40 bytes in all.
                signature.layout.pad(behind.len() as u8);
                if behind.iter().any(|byte| *byte != 0) {
                    signature.quirks.add(Quirks::TRAILING);
                }
                return Some(());
            }
            1 => rest = behind,
            kind => {
                let length = usize::from(*behind.first()?);
                let value = behind.get(1..length.checked_sub(1)?)?;
                read_option(*kind, value, signature)?;
                rest = behind.get(length - 1..)?;
            }
        }
    }
    Some(())
}

fn read_option(kind: u8, value: &[u8], signature: &mut Signature) -> Option<()> {
    match (kind, value) {
        (2, [high, low]) => signature.mss = Some(u16::from_be_bytes([*high, *low])),
        (3, [scale]) => {
            signature.scale = Some(*scale);
            if *scale > 14 {
                signature.quirks.add(Quirks::EXCESSIVE_SCALE);
            }
        }
        (4, []) => {}
        (8, [0, 0, 0, 0, _, _, _, _]) => signature.quirks.add(Quirks::TIMESTAMP_0),
        (8, [_, _, _, _, _, _, _, _]) => {}
        (2 | 3 | 4 | 8, _) => return None,
        _ => {}
    }
    Some(())
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;
const ECE: u8 = 0x40;
const CWR: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A SYN-ACK over IPv4; its checksum is filled in.
    fn v4(ttl: u8, id: u16, df: u8, window: u16, options: &[u8]) -> Vec<u8> {
        let length = 40 + options.len();
        let mut bytes = vec![0; 20];
        bytes[0] = 0x45;
        bytes[3] = length as u8;
        bytes[4..6].copy_from_slice(&id.to_be_bytes());
        bytes[6] = df;
        bytes[8] = ttl;
        bytes[9] = 6;
        bytes[12..20].copy_from_slice(&[10, 9, 0, 2, 10, 9, 0, 1]);
        let sum: u32 = bytes
            .chunks(2)
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(segment(window, options));
        bytes
    }

    fn segment(window: u16, options: &[u8]) -> Vec<u8> {
        let mut segment = vec![0, 80, 238, 75, 1, 2, 3, 4, 5, 6, 7, 8];
        segment.push((((20 + options.len()) / 4) << 4) as u8);
        segment.push(0x12);
        segment.extend(window.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend(options);
        segment
    }

    fn told(bytes: &[u8]) -> String {
        signature(bytes).expect("a SYN-ACK").to_string()
    }

    const LINUX: &[u8] = &[
        2, 4, 0x05, 0xb4, 4, 2, 8, 10, 9, 9, 9, 9, 0, 0, 0, 77, 1, 3, 3, 7,
    ];

    #[test]
    fn the_notation_is_that_of_p0f() {
        assert_eq!(
            told(&v4(64, 0, 0x40, 65160, LINUX)),
            "4:64+0:0:1460:mss*45,7:mss,sok,ts,nop,ws:df:0"
        );
        let windows = [2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
        assert_eq!(
            told(&v4(125, 7, 0x40, 65535, &windows)),
            "4:128+3:0:1460:65535,8:mss,nop,ws,nop,nop,sok:df,id+:0"
        );
        assert_eq!(
            told(&v4(255, 7, 0, 4128, &[2, 4, 0x02, 0x18])),
            "4:255+0:0:536:4128,0:mss::0"
        );
        assert_eq!(told(&v4(64, 0, 0, 0, &[])), "4:64+0:0:*:0,0::id-:0");
    }

    #[test]
    fn oddities_have_names() {
        let mut bytes = v4(64, 0, 0x40, 512, &[0, 0, 9, 0]);
        bytes[24..28].fill(0);
        bytes[33] |= 0x48;
        bytes[39] = 1;
        bytes.extend([1]);
        // Padding behind the packet's own length is none of its bytes.
        assert_eq!(
            told(&bytes),
            "4:64+0:0:*:512,0:eol+3:df,ecn,seq-,uptr+,pushf+,opt+:0"
        );
        for malformed in [
            [2, 4, 5, 5],
            [2, 3, 5, 1],
            [9, 0, 1, 1],
            [9, 1, 1, 1],
            [1, 1, 1, 3],
        ] {
            let text = told(&v4(64, 0, 0x40, 512, &malformed));
            assert_eq!(
                text.ends_with(":df,bad:0"),
                malformed != [2, 4, 5, 5],
                "{text}"
            );
        }
        let text = told(&v4(64, 0, 0x40, 512, &[1; 20]));
        assert!(text.ends_with("nop:df,bad:0"), "{text}");
        let text = told(&v4(64, 0, 0x40, 512, &[3, 3, 15, 0]));
        assert!(text.ends_with("512,15:ws,eol+0:df,exws:0"), "{text}");
    }

    #[test]
    fn ipv6_has_a_flow_label_and_extension_headers() {
        let mut bytes = vec![0x60, 0x02, 0, 0, 0, 28 + 20, 0, 62];
        bytes.extend([0xfd; 32]);
        bytes.extend([6, 0, 1, 4, 0, 0, 0, 0]);
        bytes.extend(segment(64800, LINUX));
        assert_eq!(
            told(&bytes),
            "6:64+2:8:1460:64800,7:mss,sok,ts,nop,ws:flow:0"
        );
    }

    #[test]
    fn what_is_no_syn_ack_has_no_signature() {
        let mut reset = v4(64, 0, 0x40, 0, &[]);
        reset[33] = 0x14;
        assert_eq!(signature(&reset), None);
        assert_eq!(signature(&[]), None);
    }

    proptest! {
        #[test]
        fn any_packet_has_a_signature_or_none(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            let _ = signature(&bytes).map(|signature| signature.to_string());
        }

        #[test]
        fn any_options_have_a_signature(
            words in prop::collection::vec(any::<[u8; 4]>(), 0..10),
            ttl: u8,
            window: u16,
        ) {
            let options: Vec<u8> = words.concat();
            let text = told(&v4(ttl, 0, 0x40, window, &options));
            prop_assert_eq!(text.split(':').count(), 8);
            prop_assert!(text.len() < 256);
        }
    }
}
