//! NTLM's challenge, which a server gives to everybody who wants to begin: its names and its version (MS-NLMP, 2.2.1.2). SMB
//! carries it within its session setup (MS-SMB2, 2.2.5; RFC 4178). It is never answered, so nobody logs in or fails to.

use super::smb::framed;
use crate::enrich::dialogue::{LONGEST_TEXT, Recognised};
use crate::enrich::reader::Reader;

/// What a challenge tells.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Challenge {
    host: Option<String>,
    domain: Option<String>,
    dns_host: Option<String>,
    dns_domain: Option<String>,
    /// `10.0.20348`
    version: Option<String>,
}

/// SMB 2's session setup that asks for a challenge, as the message of this number.
pub(super) fn session_setup(number: u64) -> Vec<u8> {
    let token = token();
    let mut message = b"\xfeSMB\x40\0\0\0\0\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0".to_vec();
    message.extend(number.to_le_bytes());
    message.extend([0; 32]);
    message.extend(25_u16.to_le_bytes());
    // No flags; signing enabled; no capabilities; no channel.
    message.extend([0, 1]);
    message.extend([0; 8]);
    message.extend(88_u16.to_le_bytes());
    message.extend((token.len() as u16).to_le_bytes());
    message.extend([0; 8]);
    message.extend(token);
    framed(&message)
}

/// The challenge in the answer to a session setup.
pub(super) fn challenge(message: &[u8]) -> Option<Challenge> {
    let mut header = Reader::new(message.strip_prefix(b"\xfeSMB")?);
    header.skip(4)?;
    let status = header.u32_le()?;
    let command = header.u16_le()?;
    if status != MORE_PROCESSING_REQUIRED || command != 1 {
        return None;
    }
    let at = message
        .windows(SIGNATURE.len())
        .position(|window| window == SIGNATURE)?;
    read(message.get(at..)?)
}

impl Challenge {
    /// What was recognised, with this.
    pub fn told(self, known: Recognised) -> Recognised {
        known
            .detail_of("host", self.host)
            .detail_of("domain", self.domain)
            .detail_of("dns_host", self.dns_host)
            .detail_of("dns_domain", self.dns_domain)
            .text(
                "ntlm.version",
                self.version.as_deref().unwrap_or_default().as_bytes(),
            )
            .detail_of("ntlm_version", self.version)
    }
}

/// Reads the message itself.
fn read(message: &[u8]) -> Option<Challenge> {
    let mut reader = Reader::new(message.strip_prefix(SIGNATURE)?);
    reader.u32_le().filter(|kind| *kind == CHALLENGE)?;
    // The name of the target.
    reader.skip(8)?;
    let flags = reader.u32_le()?;
    reader.skip(8 + 8)?;
    let length = reader.u16_le()?;
    reader.skip(2)?;
    let offset = reader.u32_le()?;
    let mut challenge = Challenge::default();
    if flags & WITH_VERSION != 0 {
        let (major, minor) = (reader.u8()?, reader.u8()?);
        let build = reader.u16_le()?;
        challenge.version = Some(format!("{major}.{minor}.{build}"));
    }
    let end = (offset as usize).checked_add(length.into())?;
    let mut pairs = Reader::new(message.get(offset as usize..end).unwrap_or_default());
    while let (Some(id), Some(length)) = (pairs.u16_le(), pairs.u16_le()) {
        let Some(value) = pairs.take(length.into()) else {
            break;
        };
        let place = match id {
            0 => break,
            1 => &mut challenge.host,
            2 => &mut challenge.domain,
            3 => &mut challenge.dns_host,
            4 => &mut challenge.dns_domain,
            _ => continue,
        };
        place.get_or_insert_with(|| utf16(value));
    }
    Some(challenge)
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take(LONGEST_TEXT))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// NTLM's first message as the only mechanism that is offered.
fn token() -> Vec<u8> {
    let mut first = SIGNATURE.to_vec();
    first.extend(1_u32.to_le_bytes());
    first.extend(FLAGS.to_le_bytes());
    // Neither a domain nor a workstation, and no version.
    first.extend([0; 8 + 8 + 8]);
    let wrapped = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
    let mechanisms = wrapped(0xa0, &wrapped(0x30, &wrapped(6, NTLMSSP)));
    let offered = wrapped(0xa2, &wrapped(4, &first));
    let init = wrapped(0xa0, &wrapped(0x30, &[mechanisms, offered].concat()));
    wrapped(0x60, &[wrapped(6, SPNEGO), init].concat())
}

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.3.6.1.4.1.311.2.2.10
const NTLMSSP: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
/// The type of the second message.
const CHALLENGE: u32 = 2;
/// NTLMSSP_NEGOTIATE_VERSION
const WITH_VERSION: u32 = 0x0200_0000;
/// 56 and 128 bits, a version, what is told of the target, extended session security, always sign, NTLM, request target,
/// Unicode.
const FLAGS: u32 = 0xa2_88_82_05;
/// STATUS_MORE_PROCESSING_REQUIRED
const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::enrich::dialogue::Heard;

    fn answered(names: &[(u16, &str)], version: [u8; 4]) -> Vec<u8> {
        let mut pairs = Vec::new();
        for (id, name) in names {
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            pairs.extend(id.to_le_bytes());
            pairs.extend((units.len() as u16).to_le_bytes());
            pairs.extend(units);
        }
        pairs.extend([0; 4]);
        let mut message = SIGNATURE.to_vec();
        message.extend(CHALLENGE.to_le_bytes());
        message.extend([0; 8]);
        message.extend(WITH_VERSION.to_le_bytes());
        message.extend([7; 8]);
        message.extend([0; 8]);
        message.extend((pairs.len() as u16).to_le_bytes());
        message.extend((pairs.len() as u16).to_le_bytes());
        message.extend(56_u32.to_le_bytes());
        message.extend(version);
        message.extend([0, 0, 0, 15]);
        message.extend(pairs);
        let mut answer = b"\xfeSMB\x40\0\x01\0\x16\0\0\xc0\x01\0".to_vec();
        answer.extend([0; 50 + 8]);
        answer.extend(b"\xa1\x81\xc0 wrapped ");
        answer.extend(message);
        answer
    }

    #[test]
    fn a_challenge_tells_names_and_version() {
        let answer = answered(
            &[
                (2, "EXAMPLE"),
                (1, "DC1"),
                (4, "ad.example"),
                (3, "dc1.ad.example"),
            ],
            [10, 0, 0x7c, 0x4f],
        );
        let known = challenge(&answer)
            .expect("a challenge")
            .told(Recognised::new("x"));
        let Heard::Known(known) = known.known() else {
            panic!("not known");
        };
        let details: Vec<(&str, &str)> = known
            .details
            .iter()
            .map(|detail| (&*detail.name, &*detail.value))
            .collect();
        assert_eq!(
            details,
            [
                ("host", "DC1"),
                ("domain", "EXAMPLE"),
                ("dns_host", "dc1.ad.example"),
                ("dns_domain", "ad.example"),
                ("ntlm_version", "10.0.20348")
            ]
        );
        assert_eq!(known.texts[0].kind, "ntlm.version");
        assert_eq!(known.texts[0].text, b"10.0.20348");
        // Access denied is no challenge.
        let mut denied = answer;
        denied[8] = 0x22;
        assert_eq!(challenge(&denied), None);
    }

    #[test]
    fn what_is_asked_is_as_long_as_it_says() {
        let setup = session_setup(2);
        let length = u32::from_be_bytes([setup[0], setup[1], setup[2], setup[3]]);
        assert_eq!(length as usize, setup.len() - 4);
        let token = token();
        assert_eq!(usize::from(token[1]), token.len() - 2);
        assert_eq!(setup.len(), 4 + 64 + 24 + token.len());
    }

    proptest! {
        #[test]
        fn any_challenge_can_be_read(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..300,
        ) {
            let mut answer = answered(&[(1, "DC1")], [10, 0, 1, 2]);
            let place = cut.min(answer.len());
            answer.splice(place.., bytes);
            if let Some(challenge) = challenge(&answer) {
                let told = challenge.told(Recognised::new("x"));
                prop_assert!(told.details.iter().all(|detail| detail.value.len() <= LONGEST_TEXT));
            }
        }
    }
}
