//! MQTT 3.1.1: CONNECT with a clean session and without a name, then the broker's version where it is published
//! (OASIS MQTT 3.1.1; `$SYS/broker/version` as brokers document it). Nothing is published.

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said, text};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "mqtt",
    ports: &[1883, 8883],
    opening: Opening::Client(opening),
    hear,
};

/// Protocol level 4, clean session, 30 s, no client identifier.
fn opening(_: &Circumstances) -> Vec<u8> {
    b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x1e\x00\x00".to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    let mut reader = Reader::new(said.bytes);
    let Some(head) = reader.take(4) else {
        return if said.bytes.first().is_none_or(|kind| *kind == CONNACK) {
            said.more_or_strange()
        } else {
            Heard::Strange
        };
    };
    let [CONNACK, 2, 0, code @ 0..=5] = head else {
        return Heard::Strange;
    };
    if *code != 0 {
        return Recognised::new("mqtt")
            .detail("refused", refusal(*code))
            .known();
    }
    if said.answers == 0 {
        return Heard::Answer(subscribe());
    }
    match published(reader) {
        Some(payload) => Recognised::new("mqtt")
            .detail("broker", payload)
            .text("mqtt.version", payload)
            .known(),
        None if said.is_all() => Recognised::new("mqtt").known(),
        None => Heard::More,
    }
}

fn subscribe() -> Vec<u8> {
    let topic = TOPIC.as_bytes();
    let mut packet = vec![0x82, topic.len() as u8 + 5, 0, 1, 0, topic.len() as u8];
    packet.extend(topic);
    packet.push(0);
    packet
}

/// The payload of the first message of our topic.
fn published(mut reader: Reader<'_>) -> Option<&[u8]> {
    loop {
        let kind = reader.u8()?;
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let byte = reader.u8()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut packet = reader.part(length)?;
        if kind >> 4 != 3 {
            continue;
        }
        let topic = packet.u16()?;
        if packet.take(topic.into())? == TOPIC.as_bytes() {
            // Quality of service 0 was asked for: no packet identifier.
            return Some(packet.rest());
        }
    }
}

fn refusal(code: u8) -> String {
    match code {
        1 => "protocol version".to_owned(),
        2 => "identifier".to_owned(),
        3 => "unavailable".to_owned(),
        4 => "user or password".to_owned(),
        5 => "not authorised".to_owned(),
        other => text(&[b'0' + other]),
    }
}

const CONNACK: u8 = 0x20;
const TOPIC: &str = "$SYS/broker/version";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{answer, known, said, said_after};

    #[test]
    fn mosquitto() {
        assert_eq!(answer(hear(&said(b"\x20\x02\x00\x00")))[..2], [0x82, 24]);
        let mut bytes = b"\x20\x02\x00\x00\x90\x03\x00\x01\x00\x31".to_vec();
        let payload = b"mosquitto version 2.0.11";
        bytes.push(2 + 19 + payload.len() as u8);
        bytes.extend([0, 19]);
        bytes.extend(TOPIC.as_bytes());
        bytes.extend(payload);
        let heard = known(hear(&said_after(&bytes, 1)));
        assert_eq!(heard.texts[0].text, payload);
        assert!(matches!(hear(&said_after(&bytes[..30], 1)), Heard::More));
        assert_eq!(
            known(hear(&said(b"\x20\x02\x00\x05"))).details[0].value,
            "not authorised"
        );
        assert!(matches!(hear(&said(b"\x20\x09\x00\x00")), Heard::Strange));
    }
}
