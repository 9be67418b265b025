//! Kafka: ApiVersions, version 0 (Kafka protocol guide).

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "kafka",
    ports: &[9092, 9093],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    let client = b"halfopen";
    let mut request = vec![0, 18, 0, 0];
    request.extend(ID.to_be_bytes());
    request.extend((client.len() as u16).to_be_bytes());
    request.extend(client);
    let mut bytes = (request.len() as u32).to_be_bytes().to_vec();
    bytes.extend(request);
    bytes
}

fn hear(said: &Said<'_>) -> Heard {
    let mut reader = Reader::new(said.bytes);
    let (Some(size), Some(id)) = (reader.u32(), reader.u32()) else {
        return said.more_or_strange();
    };
    if id != ID || !(10..=65_536).contains(&size) {
        return Heard::Strange;
    }
    let (Some(error), Some(count)) = (reader.u16(), reader.u32()) else {
        return said.more_or_strange();
    };
    if error != 0 || count.checked_mul(6).is_none_or(|bytes| bytes + 10 != size) {
        return Heard::Strange;
    }
    let mut kinds = Vec::new();
    while let (Some(kind), Some(_), Some(most)) = (reader.u16(), reader.u16(), reader.u16()) {
        kinds.push((kind, most));
    }
    if kinds.len() < count as usize && !said.is_all() {
        return Heard::More;
    }
    let most = |wanted: u16| {
        kinds
            .iter()
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, most)| most.to_string())
    };
    Recognised::new("kafka")
        .detail("requests", count.to_string())
        .detail_of("produce", most(0))
        .detail_of("fetch", most(1))
        .known()
}

const ID: u32 = 0x6870_6f01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn api_versions() {
        let mut bytes = 22_u32.to_be_bytes().to_vec();
        bytes.extend(ID.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 13]);
        let heard = known(hear(&said(&bytes)));
        assert_eq!(heard.details[2].value, "13");
        assert!(matches!(hear(&said(&bytes[..16])), Heard::More));
        assert!(matches!(hear(&all(b"HTTP/1.1 400 Bad")), Heard::Strange));
    }
}
