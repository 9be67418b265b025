//! LDAP: a search of the root DSE without a bind (RFC 4511, 4.5; RFC 4512, 5.1).

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "ldap",
    ports: &[389, 636, 3268, 3269],
    opening: Opening::Client(opening),
    hear,
};

/// Base object "", scope base, filter (objectClass=*), all user and operational attributes, at most one entry in 5 s.
fn opening(_: &Circumstances) -> Vec<u8> {
    let mut search = vec![
        0x04, 0, 0x0a, 1, 0, 0x0a, 1, 0, 0x02, 1, 1, 0x02, 1, 5, 0x01, 1, 0,
    ];
    search.extend(b"\x87\x0bobjectClass");
    search.extend(b"\x30\x06\x04\x01*\x04\x01+");
    let mut operation = vec![0x63, search.len() as u8];
    operation.extend(search);
    let mut message = vec![0x30, operation.len() as u8 + 3, 0x02, 1, 1];
    message.extend(operation);
    message
}

fn hear(said: &Said<'_>) -> Heard {
    if said.bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Heard::Strange;
    }
    let mut reader = Reader::new(said.bytes);
    let message = match element(&mut reader) {
        Some((_, message)) => message,
        // An entry longer than what is kept is read as far as it is there.
        None if said.is_all() => match begun(said.bytes) {
            Some(message) => message,
            None => return Heard::Strange,
        },
        None => return Heard::More,
    };
    answer(message).map_or(Heard::Strange, |known| {
        known.text("ldap.search_result", said.bytes).known()
    })
}

fn answer(mut message: Reader<'_>) -> Option<Recognised> {
    let (tag, id) = element(&mut message)?;
    if tag != INTEGER || !matches!(id.rest(), [0 | 1]) {
        return None;
    }
    let known = Recognised::new("ldap");
    let operation = message.rest().first().copied()?;
    match operation {
        SEARCH_ENTRY => {
            let entry = element(&mut message)
                .map(|(_, entry)| entry)
                .or_else(|| begun(message.rest()))?;
            Some(entry_of(known, entry))
        }
        SEARCH_DONE | EXTENDED => {
            let code = element(&mut message).and_then(|(_, mut done)| element(&mut done));
            let code = code.and_then(|(_, code)| code.rest().first().copied());
            Some(known.detail("result", code.unwrap_or_default().to_string()))
        }
        _ => None,
    }
}

fn entry_of(known: Recognised, entry: Reader<'_>) -> Recognised {
    let attributes = attributes(entry);
    let values = |name: &str| {
        attributes
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, values)| values)
    };
    let first = |name: &str| values(name).and_then(|values| values.first()).copied();
    let (vendor, version) = (first("vendorName"), first("vendorVersion"));
    known
        .detail_of("vendor", vendor)
        .detail_of("version", version)
        .detail_of(
            "naming_context",
            first("defaultNamingContext").or_else(|| first("namingContexts")),
        )
        .detail_of("host", first("dnsHostName"))
        .detail_of(
            "ldap_versions",
            values("supportedLDAPVersion").map(|versions| versions.join(&b' ')),
        )
}

/// Types and values, as many as are there whole.
fn attributes(mut entry: Reader<'_>) -> Vec<(&[u8], Vec<&[u8]>)> {
    let mut found = Vec::new();
    let Some((_, _name)) = element(&mut entry) else {
        return found;
    };
    let list = element(&mut entry)
        .map(|(_, list)| list)
        .or_else(|| begun(entry.rest()));
    let mut list = list.unwrap_or(Reader::new(b""));
    while let Some((_, mut attribute)) = element(&mut list) {
        let (Some((_, kind)), Some((_, mut set))) =
            (element(&mut attribute), element(&mut attribute))
        else {
            break;
        };
        let mut values = Vec::new();
        while let Some((_, value)) = element(&mut set) {
            values.push(value.rest());
            if values.len() >= 32 {
                break;
            }
        }
        found.push((kind.rest(), values));
        if found.len() >= 64 {
            break;
        }
    }
    found
}

/// The next element in the basic encoding, where it is whole.
fn element<'a>(reader: &mut Reader<'a>) -> Option<(u8, Reader<'a>)> {
    let mut ahead = *reader;
    let (tag, length) = header(&mut ahead)?;
    let content = ahead.part(length)?;
    *reader = ahead;
    Some((tag, content))
}

/// The content of an element that is not whole, as far as it is there.
fn begun(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(bytes);
    header(&mut reader)?;
    Some(reader)
}

fn header(reader: &mut Reader<'_>) -> Option<(u8, usize)> {
    let tag = reader.u8()?;
    let length = match reader.u8()? {
        short @ ..=0x7f => usize::from(short),
        0x81 => reader.u8()?.into(),
        0x82 => reader.u16()?.into(),
        0x83 => reader.u24()? as usize,
        0x84 => reader.u32()? as usize,
        _ => return None,
    };
    Some((tag, length))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const EXTENDED: u8 = 0x78;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8][..], content].concat()
    }

    #[test]
    fn root_dse() {
        let attribute = |name: &[u8], value: &[u8]| {
            wrap(0x30, &[wrap(4, name), wrap(0x31, &wrap(4, value))].concat())
        };
        let list = [
            attribute(b"objectClass", b"OpenLDAProotDSE"),
            attribute(b"namingContexts", b"dc=a"),
        ]
        .concat();
        let entry = wrap(SEARCH_ENTRY, &[wrap(4, b""), wrap(0x30, &list)].concat());
        let message = wrap(0x30, &[wrap(2, &[1]), entry].concat());
        let heard = known(hear(&said(&message)));
        assert_eq!(heard.texts[0].text, message);
        assert_eq!(heard.details[0].value, "dc=a");
        assert!(matches!(hear(&said(&message[..30])), Heard::More));
        // Cut off within the second attribute.
        assert_eq!(
            known(hear(&all(&message[..message.len() - 4]))).protocol,
            "ldap"
        );
        let done = wrap(
            0x30,
            &[wrap(2, &[1]), wrap(SEARCH_DONE, &[0x0a, 1, 50, 4, 0, 4, 0])].concat(),
        );
        assert_eq!(known(hear(&all(&done))).details[0].value, "50");
        assert!(matches!(hear(&all(b"0garbage")), Heard::Strange));
    }
}
