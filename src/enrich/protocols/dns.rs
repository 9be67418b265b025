//! DNS over TCP: `version.bind TXT CH` (RFC 1035, RFC 7766, RFC 4892).

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "domain",
    ports: &[53, 853, 5353],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    let mut query = vec![0, 30];
    query.extend(ID.to_be_bytes());
    // No recursion, one question.
    query.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    query.extend(b"\x07version\x04bind\0\0\x10\0\x03");
    query
}

fn hear(said: &Said<'_>) -> Heard {
    let mut reader = Reader::new(said.bytes);
    let (Some(length), Some(id), Some(flags)) = (reader.u16(), reader.u16(), reader.u16()) else {
        return said.more_or_strange();
    };
    if length < 12 || id != ID || flags & QUERY_RESPONSE == 0 {
        return Heard::Strange;
    }
    let mut reader = Reader::new(said.bytes);
    let message = reader.skip(2).and_then(|()| reader.part(length.into()));
    let Some(message) = message else {
        return said.more_or_strange();
    };
    let known = Recognised::new("domain");
    let known = match code(flags) {
        "" => known,
        refused => known.detail("version.bind", refused),
    };
    match version(message) {
        Some(version) => known
            .detail("version.bind", version)
            .text("dns.versionbind", version),
        None => known,
    }
    .known()
}

/// The text of the first TXT record among the answers.
fn version(mut message: Reader<'_>) -> Option<&[u8]> {
    message.skip(4)?;
    let (questions, answers) = (message.u16()?, message.u16()?);
    message.skip(4)?;
    for _ in 0..questions.min(4) {
        name(&mut message)?;
        message.skip(4)?;
    }
    for _ in 0..answers.min(16) {
        name(&mut message)?;
        let kind = message.u16()?;
        message.skip(2 + 4)?;
        let length = message.u16()?;
        let mut data = message.part(length.into())?;
        if kind == TXT {
            let length = data.u8()?;
            return data.take(length.into());
        }
    }
    None
}

/// Past a name; a pointer ends it.
fn name(message: &mut Reader<'_>) -> Option<()> {
    loop {
        match message.u8()? {
            0 => return Some(()),
            length @ 1..=63 => message.skip(length.into())?,
            192.. => return message.skip(1),
            _ => return None,
        }
    }
}

fn code(flags: u16) -> &'static str {
    match flags & 15 {
        0 => "",
        1 => "format error",
        2 => "server failure",
        3 => "no such name",
        4 => "not implemented",
        5 => "refused",
        _ => "error",
    }
}

const ID: u16 = 0x6870;
const QUERY_RESPONSE: u16 = 0x8000;
const TXT: u16 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn bind_says_its_version() {
        let text = b"9.18.24-1-Debian";
        let mut bytes = b"\x68\x70\x84\x00\0\x01\0\x01\0\0\0\0\x07version\x04bind\0\0\x10\0\x03\xc0\x0c\0\x10\0\x03\0\0\0\0".to_vec();
        bytes.extend((text.len() as u16 + 1).to_be_bytes());
        bytes.push(text.len() as u8);
        bytes.extend(text);
        let mut whole = (bytes.len() as u16).to_be_bytes().to_vec();
        whole.extend(&bytes);
        let heard = known(hear(&said(&whole)));
        assert_eq!(heard.texts[0].text, text);
        assert!(matches!(hear(&said(&whole[..20])), Heard::More));
        let refused = b"\0\x0c\x68\x70\x80\x05\0\0\0\0\0\0\0\0";
        assert_eq!(known(hear(&all(refused))).details[0].value, "refused");
        assert!(matches!(hear(&all(b"HTTP/1.1 400")), Heard::Strange));
    }
}
