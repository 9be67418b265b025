//! SMB: negotiation, and the challenge of a session setup that ends there (MS-SMB2, 2.2.3 to 2.2.6; MS-CIFS, 2.2.4.52).

use super::ntlm;
use crate::enrich::dialogue::{Circumstances, Dialogue, End, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "microsoft-ds",
    ports: &[139, 445],
    opening: Opening::Client(opening),
    hear,
};

/// SMB 1's negotiation that offers SMB 2 as well: old and new servers answer it, each in its own way.
fn opening(_: &Circumstances) -> Vec<u8> {
    let mut dialects = Vec::new();
    for dialect in ["NT LM 0.12", "SMB 2.002", "SMB 2.???"] {
        dialects.push(2);
        dialects.extend(dialect.as_bytes());
        dialects.push(0);
    }
    let mut message = b"\xffSMB\x72\0\0\0\0\x18\x01\xc8".to_vec();
    message.extend([0; 12]);
    // Tree, process and user are nobody's.
    message.extend([0xff, 0xff, 0x70, 0x68, 0, 0, 0, 0]);
    message.push(0);
    message.extend((dialects.len() as u16).to_le_bytes());
    message.extend(dialects);
    framed(&message)
}

fn hear(said: &Said<'_>) -> Heard {
    let Some((first, rest)) = message(said.bytes) else {
        let other = said.bytes.first().is_some_and(|kind| *kind != 0);
        return if other {
            Heard::Strange
        } else {
            said.more_or_strange()
        };
    };
    if first.starts_with(b"\xffSMB\x72") {
        return smb1(first);
    }
    if !first.starts_with(b"\xfeSMB") {
        return Heard::Strange;
    }
    let any = match dialect(first) {
        None => return Heard::Strange,
        Some(dialect) => dialect == ANY,
    };
    if any && said.answers == 0 && said.end == End::Open {
        return Heard::Answer(negotiate());
    }
    let second = message(rest).filter(|(second, _)| dialect(second).is_some());
    let (negotiated, rest) = match (any, second) {
        (false, _) => (first, rest),
        (true, Some((second, rest))) => (second, rest),
        (true, None) if said.is_all() => (first, rest),
        (true, None) => return Heard::More,
    };
    let asked = u8::from(any);
    if said.answers == asked && said.end == End::Open {
        // Our messages are numbered, the one of SMB 1 among them.
        return Heard::Answer(ntlm::session_setup(1 + u64::from(asked)));
    }
    let set_up = message(rest).map(|(answer, _)| answer);
    if set_up.is_none() && !said.is_all() {
        return Heard::More;
    }
    match (smb2(negotiated), set_up.and_then(ntlm::challenge)) {
        (Some(known), Some(challenge)) => challenge.told(known).known(),
        (Some(known), None) => known.known(),
        (None, _) => Heard::Strange,
    }
}

/// The next message behind its frame.
fn message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    reader.u8().filter(|kind| *kind == 0)?;
    let length = reader.u24()?;
    let message = reader.take(length as usize)?;
    Some((message, reader.rest()))
}

pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u32).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

/// SMB 2's negotiation up to 3.1.1, with SHA-512 for its integrity.
fn negotiate() -> Vec<u8> {
    let mut message =
        b"\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
    message.extend([0; 32]);
    message.extend(36_u16.to_le_bytes());
    message.extend(5_u16.to_le_bytes());
    // Signing enabled; no capabilities; a client without a name.
    message.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    message.extend([0x68; 16]);
    let contexts: u32 = 64 + 36 + 10 + 2;
    message.extend(contexts.to_le_bytes());
    message.extend([1, 0, 0, 0]);
    for dialect in [0x0202_u16, 0x0210, 0x0300, 0x0302, 0x0311] {
        message.extend(dialect.to_le_bytes());
    }
    message.extend([0; 2]);
    message.extend([1, 0, 38, 0, 0, 0, 0, 0, 1, 0, 32, 0, 1, 0]);
    message.extend([0x70; 32]);
    framed(&message)
}

/// The dialect of an answer to SMB 2's negotiation that was not refused.
fn dialect(message: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(message);
    reader.skip(8)?;
    let status = reader.u32_le()?;
    let command = reader.u16_le()?;
    if status != 0 || command != 0 {
        return None;
    }
    reader.skip(64 - 14)?;
    reader.u16_le().filter(|size| *size == 65)?;
    reader.skip(2)?;
    reader.u16_le()
}

fn smb2(message: &[u8]) -> Option<Recognised> {
    let signing = message.get(66).copied().unwrap_or_default();
    let dialect = match dialect(message) {
        Some(0x0202) => "2.0.2",
        Some(0x0210) => "2.1",
        Some(0x0300) => "3.0",
        Some(0x0302) => "3.0.2",
        Some(0x0311) => "3.1.1",
        Some(ANY) => "2",
        _ => return None,
    };
    let signing = if signing & 2 != 0 {
        "required"
    } else {
        "optional"
    };
    // Samba makes its identifier of its own name and zeros; others throw dice.
    let identifier = message.get(72..88).unwrap_or_default();
    let known = Recognised::new("microsoft-ds")
        .detail("dialect", dialect)
        .detail("signing", signing)
        .text("smb.server_guid", identifier);
    Some(known)
}

fn smb1(message: &[u8]) -> Heard {
    // Behind the header: a count of words, the chosen dialect, the security mode.
    let (Some(words), Some(mode)) = (message.get(32), message.get(35)) else {
        return Heard::Strange;
    };
    if *words == 0 {
        return Heard::Strange;
    }
    let signing = if mode & 8 != 0 {
        "required"
    } else {
        "optional"
    };
    Recognised::new("microsoft-ds")
        .detail("dialect", "1")
        .detail("signing", signing)
        .known()
}

/// What a server of SMB 2 says to SMB 1's negotiation: ask again.
const ANY: u16 = 0x02ff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, answer, known, said, said_after};

    fn response(dialect: u16) -> Vec<u8> {
        let mut message = b"\xfeSMB\x40\0\0\0".to_vec();
        message.extend([0; 56]);
        message.extend([65, 0, 1, 0]);
        message.extend(dialect.to_le_bytes());
        message.extend([0; 58]);
        framed(&message)
    }

    #[test]
    fn two_rounds_of_negotiation() {
        let first = response(ANY);
        let second = answer(hear(&said(&first)));
        assert_eq!(second.len(), 4 + 64 + 36 + 10 + 2 + 8 + 38);
        let both = [first, response(0x0311)].concat();
        // It is asked for a challenge next; without one the negotiation is all that is known.
        let third = answer(hear(&said_after(&both, 1)));
        assert_eq!(third[4 + 12], 1);
        assert_eq!(third[4 + 24], 2);
        let silent = Said {
            end: End::Quiet,
            ..said_after(&both, 2)
        };
        assert_eq!(known(hear(&silent)).details[0].value, "3.1.1");
        let old = answer(hear(&said(&response(0x0210))));
        assert_eq!(old[4 + 24], 1);
        assert_eq!(known(hear(&all(&response(0x0210)))).details[0].value, "2.1");
        assert!(matches!(hear(&said(&both[..20])), Heard::More));
        assert!(matches!(hear(&all(b"\0\0\0\x04abcd")), Heard::Strange));
        assert!(matches!(hear(&all(b"HTTP")), Heard::Strange));
    }
}
