//! VNC: version and security types of the remote framebuffer protocol (RFC 6143, 7.1). No type is chosen.

use crate::enrich::dialogue::{Dialogue, End, Heard, Opening, Recognised, Said, may_begin, text};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "vnc",
    ports: &[5900, 5901, 5902, 5903],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"RFB ") {
        return Heard::Strange;
    }
    let Some((version, rest)) = said.bytes.split_at_checked(12) else {
        return said.more_or_strange();
    };
    let digits = |from: usize| {
        version
            .get(from..from + 3)
            .filter(|d| d.iter().all(u8::is_ascii_digit))
    };
    let (Some(_), Some(minor)) = (digits(4), digits(8)) else {
        return Heard::Strange;
    };
    let types = match (rest.split_first(), said.answers) {
        (_, 0) if said.end == End::Open => {
            let ours: &[u8] = if minor >= &b"008"[..] {
                b"RFB 003.008\n"
            } else {
                b"RFB 003.003\n"
            };
            return Heard::Answer(ours.to_vec());
        }
        (Some((count, types)), _) if usize::from(*count) <= types.len() => {
            types.get(..usize::from(*count)).unwrap_or_default()
        }
        _ if said.is_all() => &[],
        _ => return Heard::More,
    };
    let named: Vec<String> = types.iter().map(|kind| security(*kind)).collect();
    Recognised::new("vnc")
        .detail("protocol", text(version.get(4..11).unwrap_or_default()))
        .detail("security", named.join(" "))
        .text("vnc.banner", version.get(..11).unwrap_or_default())
        .known()
}

/// By IANA's registry of security types.
fn security(kind: u8) -> String {
    match kind {
        1 => "none".to_owned(),
        2 => "password".to_owned(),
        5 => "ra2".to_owned(),
        16 => "tight".to_owned(),
        18 => "tls".to_owned(),
        19 => "vencrypt".to_owned(),
        30 => "apple".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{answer, known, said, said_after};

    #[test]
    fn version_and_types() {
        assert_eq!(answer(hear(&said(b"RFB 003.008\n"))), b"RFB 003.008\n");
        let heard = known(hear(&said_after(b"RFB 003.008\n\x02\x02\x13", 1)));
        assert_eq!(heard.details[0].value, "003.008");
        assert_eq!(heard.details[1].value, "password vencrypt");
        assert!(matches!(
            hear(&said_after(b"RFB 003.008\n\x02\x02", 1)),
            Heard::More
        ));
        assert!(matches!(hear(&said(b"RFB abc.def\n")), Heard::Strange));
    }
}
