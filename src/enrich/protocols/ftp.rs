//! FTP: greeting and FEAT, which needs no login (RFC 959, RFC 2389).

use super::reply::{Read, Reply, read};
use crate::enrich::dialogue::{Dialogue, End, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "ftp",
    ports: &[21, 990, 2121],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    let greeting = match read(said.bytes) {
        Read::Whole(reply) if matches!(reply.code, 220 | 421 | 530) => reply,
        Read::Part(0 | 220 | 421 | 530, _) => return said.more_or_strange(),
        _ => return Heard::Strange,
    };
    if greeting.code != 220 && !names_ftp(&greeting) {
        return Heard::Strange;
    }
    match (read(greeting.rest), said.answers, said.end) {
        _ if greeting.code != 220 => recognised(&greeting, &[]).known(),
        (_, 0, End::Open) => Heard::Answer(b"FEAT\r\n".to_vec()),
        (Read::Whole(answer), ..) if answer.code == 211 => {
            recognised(&greeting, &answer.lines).known()
        }
        // Mail servers say 500 to 504 as well.
        (Read::Whole(answer), ..) if answer.code == 530 || names_ftp(&greeting) => {
            recognised(&greeting, &[]).known()
        }
        (Read::Whole(_), ..) => Heard::Strange,
        (Read::Part(211, lines), ..) if said.is_all() => recognised(&greeting, &lines).known(),
        _ if said.is_all() && names_ftp(&greeting) => recognised(&greeting, &[]).known(),
        _ => said.more_or_strange(),
    }
}

/// Whether the greeting itself says what it is.
pub(super) fn names_ftp(reply: &Reply<'_>) -> bool {
    reply.lines.iter().any(|line| {
        let line = line.to_ascii_lowercase();
        line.windows(3).any(|word| word == b"ftp") && !line.windows(4).any(|word| word == b"smtp")
    })
}

fn recognised(greeting: &Reply<'_>, features: &[&[u8]]) -> Recognised {
    let mut recognised = Recognised::new("ftp");
    for line in greeting.lines.iter().rev().take(4) {
        recognised = recognised.text("ftp.banner", line);
    }
    let inner = features.get(1..features.len().saturating_sub(1));
    let named: Vec<String> = inner
        .unwrap_or_default()
        .iter()
        .filter_map(|line| line.trim_ascii().split(|byte| *byte == b' ').next())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    recognised.detail("features", named.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{answer, known, said, said_after};

    #[test]
    fn greeting_and_features() {
        let greeting = b"220 (vsFTPd 3.0.3)\r\n";
        assert_eq!(answer(hear(&said(greeting))), b"FEAT\r\n");
        let all = [
            &greeting[..],
            b"211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n UTF8\r\n211 End\r\n",
        ]
        .concat();
        let heard = known(hear(&said_after(&all, 1)));
        assert_eq!(heard.texts[0].text, b"(vsFTPd 3.0.3)");
        assert_eq!(heard.details[0].value, "EPRT EPSV MDTM UTF8");
        let silent = b"220 Welcome.\r\n530 Please login with USER and PASS.\r\n";
        assert_eq!(known(hear(&said_after(silent, 1))).protocol, "ftp");
        let mail = b"220 mail.example ESMTP\r\n502 5.5.2 Error: command not recognized\r\n";
        assert!(matches!(hear(&said_after(mail, 1)), Heard::Strange));
    }
}
