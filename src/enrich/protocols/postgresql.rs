//! PostgreSQL: a startup packet of a protocol that never was, so no login is begun (PostgreSQL documentation, 55.7). The
//! error tells what is supported, and the place in the source that said so.

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "postgresql",
    ports: &[5432, 5433, 6432],
    opening: Opening::Client(opening),
    hear,
};

/// Length 8, protocol 255.255.
fn opening(_: &Circumstances) -> Vec<u8> {
    vec![0, 0, 0, 8, 0, 255, 0, 255]
}

fn hear(said: &Said<'_>) -> Heard {
    let mut reader = Reader::new(said.bytes);
    match reader.u8() {
        None => return said.more_or_strange(),
        Some(b'E') => {}
        Some(_) => return Heard::Strange,
    }
    let Some(length) = reader.u32() else {
        return said.more_or_strange();
    };
    if !(8..=2048).contains(&length) {
        return Heard::Strange;
    }
    let Some(message) = reader.part(length as usize - 4) else {
        return said.more_or_strange();
    };
    fields(message).map_or(Heard::Strange, Recognised::known)
}

fn fields(mut message: Reader<'_>) -> Option<Recognised> {
    let mut found: [&[u8]; 6] = [b""; 6];
    loop {
        let kind = message.u8()?;
        if kind == 0 {
            break;
        }
        let value = message.until(0)?;
        if let Some(at) = b"SCMFLR".iter().position(|known| *known == kind) {
            found[at] = value;
        }
    }
    let [severity, code, text, file, line, routine] = found;
    if severity.is_empty() || code.len() != 5 {
        return None;
    }
    let mut known = Recognised::new("postgresql").detail("message", text);
    if !file.is_empty() {
        let place = [file, b":", line, b" ", routine].concat();
        known = known
            .detail("source", &place)
            .text("postgresql.error", &place);
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known};

    #[test]
    fn the_error_tells() {
        let fields = b"SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol 255.255: server supports 3.0 to 3.0\0Fpostmaster.c\0L2188\0RProcessStartupPacket\0\0";
        let mut bytes = vec![b'E'];
        bytes.extend((fields.len() as u32 + 4).to_be_bytes());
        bytes.extend(fields);
        let heard = known(hear(&all(&bytes)));
        assert_eq!(
            heard.details[1].value,
            "postmaster.c:2188 ProcessStartupPacket"
        );
        assert!(matches!(hear(&all(&bytes[..30])), Heard::Strange));
        assert!(matches!(hear(&all(b"ERROR\r\n")), Heard::Strange));
    }
}
