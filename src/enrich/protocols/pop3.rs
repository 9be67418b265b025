//! POP3: greeting and CAPA (RFC 1939, RFC 2449).

use crate::enrich::dialogue::{Dialogue, End, Heard, Opening, Recognised, Said, may_begin};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "pop3",
    ports: &[110, 995],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"+OK") {
        return Heard::Strange;
    }
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    let Some(greeting) = line.strip_prefix(b"+OK") else {
        return Heard::Strange;
    };
    if said.answers == 0 && said.end == End::Open {
        return Heard::Answer(b"CAPA\r\n".to_vec());
    }
    let mut lines = said.bytes.split(|byte| *byte == b'\n').skip(1);
    let status = lines.next().unwrap_or_default();
    let known = status.starts_with(b"+OK") || status.starts_with(b"-ERR");
    let capabilities: Vec<&[u8]> = lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    let whole = status.starts_with(b"-ERR") || capabilities.contains(&&b"."[..]);
    let over = known && whole || said.is_all();
    if !over {
        return Heard::More;
    }
    let listed: Vec<&[u8]> = capabilities
        .into_iter()
        .take_while(|line| *line != b".")
        .filter(|line| !line.is_empty())
        .collect();
    let implementation = listed
        .iter()
        .find_map(|line| line.strip_prefix(b"IMPLEMENTATION "));
    let names: Vec<&[u8]> = listed
        .iter()
        .filter_map(|line| line.split(|byte| *byte == b' ').next())
        .collect();
    Recognised::new("pop3")
        .text("pop3.banner", greeting)
        .detail("capabilities", names.join(&b' '))
        .detail_of("implementation", implementation)
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, answer, known, said, said_after};

    #[test]
    fn dovecot() {
        let greeting = b"+OK Dovecot (Debian) ready.\r\n";
        assert_eq!(answer(hear(&said(greeting))), b"CAPA\r\n");
        let whole = [
            &greeting[..],
            b"+OK\r\nCAPA\r\nTOP\r\nSTLS\r\nSASL PLAIN\r\nIMPLEMENTATION x 1\r\n.\r\n",
        ]
        .concat();
        let heard = known(hear(&said_after(&whole, 1)));
        assert_eq!(heard.texts[0].text, b"Dovecot (Debian) ready.");
        assert_eq!(heard.details[0].value, "CAPA TOP STLS SASL IMPLEMENTATION");
        assert_eq!(known(hear(&all(greeting))).protocol, "pop3");
        assert!(matches!(hear(&all(b"-ERR no")), Heard::Strange));
    }
}
