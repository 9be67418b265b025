//! Redis and what is compatible with it: INFO (Redis serialization protocol).

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "redis",
    ports: &[6379, 6380, 26379],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n".to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    match said.bytes.first() {
        None => said.more_or_strange(),
        Some(b'$') => info(said),
        Some(b'-') => error(said),
        Some(_) => Heard::Strange,
    }
}

fn info(said: &Said<'_>) -> Heard {
    let Some(header) = said.first_line() else {
        return Heard::More;
    };
    let length = header
        .get(1..)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
    let Some(length) = length else {
        return Heard::Strange;
    };
    let body = said.bytes.get(header.len() + 2..).unwrap_or_default();
    if body.len() < length && !said.is_all() {
        return Heard::More;
    }
    let line = |name: &str| {
        body.split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii_end)
            .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":"))
    };
    if line("redis_version").is_none() {
        return Heard::Strange;
    }
    Recognised::new("redis")
        .text("redis.info", body)
        .detail_of("mode", line("redis_mode").or_else(|| line("server_mode")))
        .detail_of("os", line("os"))
        .known()
}

/// Only words that Redis has.
fn error(said: &Said<'_>) -> Heard {
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    let words = [
        &b"-NOAUTH "[..],
        b"-DENIED ",
        b"-NOPERM ",
        b"-LOADING ",
        b"-MASTERDOWN ",
        b"-ERR unknown command",
        b"-ERR wrong number of arguments",
        b"-ERR operation not permitted",
        b"-ERR Protocol error",
    ];
    if !words.iter().any(|word| line.starts_with(word)) {
        return Heard::Strange;
    }
    Recognised::new("redis")
        .detail("error", line.get(1..).unwrap_or_default())
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn info_and_errors() {
        let body = b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux 6.1.0 x86_64\r\n";
        let mut bytes = format!("${}\r\n", body.len()).into_bytes();
        bytes.extend(body);
        assert!(matches!(hear(&said(&bytes[..40])), Heard::More));
        let heard = known(hear(&said(&bytes)));
        assert_eq!(heard.texts[0].text, body.trim_ascii());
        assert_eq!(heard.details[1].value, "Linux 6.1.0 x86_64");
        let heard = known(hear(&said(b"-NOAUTH Authentication required.\r\n")));
        assert_eq!(heard.protocol, "redis");
        assert!(matches!(hear(&all(b"-ERR go away\r\n")), Heard::Strange));
        assert!(matches!(hear(&all(b"$x\r\n")), Heard::Strange));
    }
}
