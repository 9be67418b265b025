//! MongoDB: `buildInfo`, which needs no login (MongoDB wire protocol, OP_MSG; bsonspec.org).

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "mongodb",
    ports: &[27017, 27018, 27019],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    let mut document = b"\x10buildInfo\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0".to_vec();
    let length = document.len() as u32 + 4;
    document.splice(0..0, length.to_le_bytes());
    let mut message = (16 + 4 + 1 + length).to_le_bytes().to_vec();
    message.extend(ID.to_le_bytes());
    message.extend(0_u32.to_le_bytes());
    message.extend(OP_MSG.to_le_bytes());
    message.extend([0, 0, 0, 0, 0]);
    message.extend(document);
    message
}

fn hear(said: &Said<'_>) -> Heard {
    if said.bytes.windows(HINT.len()).any(|words| words == HINT) {
        return Recognised::new("mongodb").known();
    }
    let mut reader = Reader::new(said.bytes);
    let Some(length) = reader.u32_le() else {
        return said.more_or_strange();
    };
    if !(21..=1 << 20).contains(&length) {
        return Heard::Strange;
    }
    let Some(answers) = reader.skip(4).and_then(|()| reader.u32_le()) else {
        return said.more_or_strange();
    };
    let Some(code) = reader.u32_le() else {
        return said.more_or_strange();
    };
    if answers != ID || !matches!(code, OP_MSG | OP_REPLY) {
        return Heard::Strange;
    }
    if said.bytes.len() < length as usize && !said.is_all() {
        return Heard::More;
    }
    let known = Recognised::new("mongodb");
    if code == OP_REPLY {
        return known.known();
    }
    match reader
        .skip(4 + 1 + 4)
        .and_then(|()| field(reader, b"version"))
    {
        Some(version) => known.text("mongodb.version", version),
        None => known,
    }
    .known()
}

/// The text of a field of a document, as far as its fields can be skipped.
fn field<'a>(mut document: Reader<'a>, wanted: &[u8]) -> Option<&'a [u8]> {
    loop {
        let kind = document.u8()?;
        let name = document.until(0)?;
        match kind {
            0x02 => {
                let length = document.u32_le()? as usize;
                let text = document.take(length)?;
                if name == wanted {
                    return text.strip_suffix(b"\0");
                }
            }
            0x03 | 0x04 => {
                let length = document.u32_le()? as usize;
                document.skip(length.checked_sub(4)?)?;
            }
            0x05 => {
                let length = document.u32_le()? as usize;
                document.skip(length.checked_add(1)?)?;
            }
            0x07 => document.skip(12)?,
            0x08 => document.skip(1)?,
            0x0a => {}
            0x10 => document.skip(4)?,
            0x01 | 0x09 | 0x11 | 0x12 => document.skip(8)?,
            _ => return None,
        }
    }
}

const ID: u32 = 0x6870;
const OP_MSG: u32 = 2013;
const OP_REPLY: u32 = 1;
/// What it says to a web browser.
const HINT: &[u8] = b"It looks like you are trying to access MongoDB over HTTP";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known};

    #[test]
    fn build_info() {
        let mut document = b"\x02version\0\x07\0\0\x006.0.12\0\x04a\0\x05\0\0\0\0\0".to_vec();
        let length = document.len() as u32 + 4;
        document.splice(0..0, length.to_le_bytes());
        let mut bytes = (21 + length).to_le_bytes().to_vec();
        bytes.extend([9, 0, 0, 0]);
        bytes.extend(ID.to_le_bytes());
        bytes.extend(OP_MSG.to_le_bytes());
        bytes.extend([0; 5]);
        bytes.extend(&document);
        let heard = known(hear(&all(&bytes)));
        assert_eq!(heard.texts[0].text, b"6.0.12");
        assert_eq!(known(hear(&all(HINT))).protocol, "mongodb");
        assert!(matches!(
            hear(&all(b"HTTP/1.1 400 Bad Request\r\n")),
            Heard::Strange
        ));
    }
}
