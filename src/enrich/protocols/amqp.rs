//! AMQP 0-9-1: the server's Connection.Start (AMQP 0-9-1 specification, 2.2.4 and 4.2); brokers of 1.0 name their version.

use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "amqp",
    ports: &[5671, 5672],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    b"AMQP\0\0\x09\x01".to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    if said.bytes.len() >= 8 && said.bytes.starts_with(b"AMQP") {
        let version = said.bytes.get(5..8).unwrap_or_default();
        let version: Vec<String> = version.iter().map(u8::to_string).collect();
        return Recognised::new("amqp")
            .detail("protocol", version.join("."))
            .known();
    }
    if said.bytes.is_empty() || may_begin(said.bytes, b"AMQP") && said.bytes.len() < 8 {
        return said.more_or_strange();
    }
    if !may_begin(said.bytes, &[1, 0, 0]) {
        return Heard::Strange;
    }
    let mut reader = Reader::new(said.bytes);
    let Some(size) = reader.skip(3).and_then(|()| reader.u32()) else {
        return said.more_or_strange();
    };
    // A list of properties longer than what is kept is read as far as it is there.
    let frame = match reader.part(size as usize) {
        Some(frame) => frame,
        None if said.is_all() => reader,
        None => return Heard::More,
    };
    start(frame).map_or(Heard::Strange, Recognised::known)
}

fn start(mut frame: Reader<'_>) -> Option<Recognised> {
    if frame.take(4)? != [0, 10, 0, 10] {
        return None;
    }
    let (major, minor) = (frame.u8()?, frame.u8()?);
    let length = frame.u32()? as usize;
    let properties = table(frame.part(length).unwrap_or(frame));
    let value = |name: &str| {
        properties
            .iter()
            .find(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| *value)
    };
    let mut known = Recognised::new("amqp").detail("protocol", format!("{major}.{minor}"));
    if let Some(product) = value("product") {
        let named = [product, b" ", value("version").unwrap_or_default()].concat();
        known = known.detail("product", &named).text("amqp.product", &named);
    }
    Some(
        known
            .detail_of("platform", value("platform"))
            .detail_of("cluster", value("cluster_name")),
    )
}

/// The texts among the fields of a table, up to the first field of a kind that we do not know.
fn table(mut reader: Reader<'_>) -> Vec<(&[u8], &[u8])> {
    let mut texts = Vec::new();
    while let Some((key, value)) = entry(&mut reader) {
        texts.extend(value.map(|value| (key, value)));
        if texts.len() >= 32 {
            break;
        }
    }
    texts
}

fn entry<'a>(reader: &mut Reader<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let length = reader.u8()?;
    let key = reader.take(length.into())?;
    let kind = reader.u8()?;
    let size = match kind {
        b'S' | b'x' | b'F' | b'A' => reader.u32()? as usize,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'D' => 5,
        b'V' => 0,
        _ => return None,
    };
    let value = reader.take(size)?;
    Some((key, (kind == b'S').then_some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn rabbitmq() {
        let mut properties = b"\x0ccapabilitiesF\0\0\0\x05\x01at\x01".to_vec();
        properties.truncate(13);
        properties.extend(b"F\0\0\0\x05\x02abt\x01");
        properties.extend(b"\x07productS\0\0\0\x08RabbitMQ");
        properties.extend(b"\x07versionS\0\0\0\x063.10.8");
        let mut method = vec![0, 10, 0, 10, 0, 9];
        method.extend((properties.len() as u32).to_be_bytes());
        method.extend(&properties);
        method.extend(b"\0\0\0\x05PLAIN\0\0\0\x05en_US");
        let mut bytes = vec![1, 0, 0];
        bytes.extend((method.len() as u32).to_be_bytes());
        bytes.extend(&method);
        bytes.push(0xce);
        let heard = known(hear(&said(&bytes)));
        assert_eq!(heard.texts[0].text, b"RabbitMQ 3.10.8");
        assert!(matches!(hear(&said(&bytes[..50])), Heard::More));
        assert_eq!(
            known(hear(&all(b"AMQP\0\x01\0\0"))).details[0].value,
            "1.0.0"
        );
        assert!(matches!(hear(&all(b"AMQ")), Heard::Strange));
    }
}
