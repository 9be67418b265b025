//! NATS: the server's INFO (NATS client protocol).

use super::json::{field, object};
use crate::enrich::dialogue::{Dialogue, Heard, Opening, Recognised, Said, may_begin};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "nats",
    ports: &[4222],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"INFO {") {
        return Heard::Strange;
    }
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    let Some(text) = line.strip_prefix(b"INFO ") else {
        return Heard::Strange;
    };
    let info = object(text).unwrap_or_default();
    if field(&info, &["version"]).is_none() {
        return Heard::Strange;
    }
    Recognised::new("nats")
        .text("nats.info", text)
        .detail_of("server_name", field(&info, &["server_name"]))
        .detail_of("go", field(&info, &["go"]))
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn info() {
        let heard = known(hear(&said(
            b"INFO {\"server_id\":\"N\",\"server_name\":\"a\",\"version\":\"2.9.10\",\"go\":\"go1.19.8\"} \r\n",
        )));
        assert!(heard.texts[0].text.starts_with(b"{\"server_id\""));
        assert!(matches!(hear(&said(b"INF")), Heard::More));
        assert!(matches!(hear(&all(b"INFO {\"version\":")), Heard::Strange));
    }
}
