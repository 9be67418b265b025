//! Memcached: `version` (memcached's protocol.txt).

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "memcached",
    ports: &[11211],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    b"version\r\n".to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    match line.strip_prefix(b"VERSION ") {
        Some(version) if version.first().is_some_and(u8::is_ascii_digit) => {
            Recognised::new("memcached")
                .text("memcached.version", line)
                .known()
        }
        // What it says to other protocols.
        None if line == b"ERROR" => Recognised::new("memcached").known(),
        _ => Heard::Strange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn version() {
        let heard = known(hear(&said(b"VERSION 1.6.18\r\n")));
        assert_eq!(heard.texts[0].text, b"VERSION 1.6.18");
        assert!(matches!(hear(&said(b"VERSION 1.6")), Heard::More));
        assert!(matches!(hear(&all(b"VERSION x\r\n")), Heard::Strange));
    }
}
