//! IMAP: greeting, and ID without naming ourselves (RFC 9051, RFC 2971).

use crate::enrich::dialogue::{Dialogue, End, Heard, Opening, Recognised, Said, may_begin};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "imap",
    ports: &[143, 993],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"* ") {
        return Heard::Strange;
    }
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    let greeting = [&b"* OK"[..], b"* PREAUTH", b"* BYE"]
        .into_iter()
        .find_map(|word| line.strip_prefix(word));
    let Some(greeting) = greeting.filter(|rest| rest.is_empty() || rest.starts_with(b" ")) else {
        return Heard::Strange;
    };
    if said.answers == 0 && said.end == End::Open && !line.starts_with(b"* BYE") {
        return Heard::Answer(b"h1 ID NIL\r\n".to_vec());
    }
    let lines: Vec<&[u8]> = said.bytes.split(|byte| *byte == b'\n').skip(1).collect();
    let ended = lines.iter().any(|line| line.starts_with(b"h1 "));
    if !ended && !said.is_all() {
        return Heard::More;
    }
    let id = lines.iter().find_map(|line| line.strip_prefix(b"* ID "));
    let pairs = quoted(id.unwrap_or_default());
    let value = |name: &str| {
        let at = pairs
            .iter()
            .step_by(2)
            .position(|key| key.eq_ignore_ascii_case(name.as_bytes()));
        at.and_then(|at| pairs.get(at * 2 + 1))
    };
    let (name, version) = (value("name"), value("version"));
    let mut recognised = Recognised::new("imap");
    if let (Some(name), Some(version)) = (name, version) {
        recognised = recognised.text("imap.id", &[name.as_slice(), version].join(&b' '));
    }
    recognised
        .text("imap4.banner", greeting)
        .detail_of(
            "id",
            name.map(|name| [name.as_slice(), version.map_or(b"", |v| v)].join(&b' ')),
        )
        .known()
}

/// The quoted strings of a list; what has escapes in it is not needed.
fn quoted(list: &[u8]) -> Vec<Vec<u8>> {
    list.split(|byte| *byte == b'"')
        .skip(1)
        .step_by(2)
        .map(<[u8]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, answer, known, said, said_after};

    #[test]
    fn dovecot_and_cyrus() {
        let greeting = b"* OK [CAPABILITY IMAP4rev1 ID STARTTLS] Dovecot (Debian) ready.\r\n";
        assert_eq!(answer(hear(&said(greeting))), b"h1 ID NIL\r\n");
        let whole = [
            &greeting[..],
            b"* ID (\"name\" \"Dovecot\")\r\nh1 OK done\r\n",
        ]
        .concat();
        let heard = known(hear(&said_after(&whole, 1)));
        assert_eq!(heard.details[0].value, "Dovecot");
        let whole =
            b"* OK hi\r\n* ID (\"name\" \"Cyrus IMAPD\" \"version\" \"3.6.1\")\r\nh1 OK\r\n";
        let heard = known(hear(&said_after(whole, 1)));
        assert_eq!(heard.texts[0].text, b"Cyrus IMAPD 3.6.1");
        assert!(matches!(hear(&all(b"* NO\r\n")), Heard::Strange));
        assert!(matches!(hear(&said(b"*")), Heard::More));
    }
}
