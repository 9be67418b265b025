//! SMTP: greeting and EHLO (RFC 5321). A greeting that may be FTP's as well is told apart by the answer to EHLO.

use super::ftp;
use super::reply::{Read, Reply, read};
use crate::enrich::dialogue::{Dialogue, End, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "smtp",
    ports: &[25, 465, 587, 2525],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    let greeting = match read(said.bytes) {
        Read::Whole(reply) if matches!(reply.code, 220 | 421 | 521 | 554) => reply,
        Read::Part(0 | 220 | 421 | 521 | 554, _) => return said.more_or_strange(),
        _ => return Heard::Strange,
    };
    if greeting.code != 220 {
        return refused(&greeting);
    }
    if ftp::names_ftp(&greeting) {
        return Heard::Strange;
    }
    match (read(greeting.rest), said.answers, said.end) {
        (_, 0, End::Open) => Heard::Answer(b"EHLO halfopen.invalid\r\n".to_vec()),
        (Read::Whole(answer), ..) if answer.code == 250 => {
            recognised(&greeting, &answer.lines).known()
        }
        // Whoever does not know EHLO is no mail server of the last decades, unless it says that it is one.
        (Read::Whole(_), ..) if names_smtp(&greeting) => recognised(&greeting, &[]).known(),
        (Read::Whole(_), ..) => Heard::Strange,
        (Read::Part(250, lines), ..) if said.is_all() => recognised(&greeting, &lines).known(),
        _ if said.is_all() && names_smtp(&greeting) => recognised(&greeting, &[]).known(),
        _ => said.more_or_strange(),
    }
}

/// A server that does not want to talk to us; FTP's would say so in the same way.
fn refused(reply: &Reply<'_>) -> Heard {
    if !names_smtp(reply) && !matches!(reply.code, 521 | 554) {
        return Heard::Strange;
    }
    recognised(reply, &[])
        .detail("refused", reply.code.to_string())
        .known()
}

fn recognised(greeting: &Reply<'_>, extensions: &[&[u8]]) -> Recognised {
    let mut recognised = Recognised::new("smtp");
    for line in greeting.lines.iter().take(4) {
        recognised = recognised.text("smtp.banner", line);
    }
    let named: Vec<String> = extensions
        .iter()
        .skip(1)
        .filter_map(|line| line.split(|byte| *byte == b' ').next())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    recognised.detail("extensions", named.join(" "))
}

fn names_smtp(reply: &Reply<'_>) -> bool {
    reply.lines.iter().any(|line| {
        let line = line.to_ascii_uppercase();
        line.windows(4)
            .any(|word| word == b"SMTP" || word == b"MAIL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{answer, known, said, said_after};

    #[test]
    fn postfix_tells_what_it_can() {
        let greeting = b"220 mail.example ESMTP Postfix (Debian/GNU)\r\n";
        assert_eq!(answer(hear(&said(greeting))), b"EHLO halfopen.invalid\r\n");
        let all = [
            &greeting[..],
            b"250-mail.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n",
        ]
        .concat();
        let heard = known(hear(&said_after(&all, 1)));
        assert_eq!(
            heard.texts[0].text,
            b"mail.example ESMTP Postfix (Debian/GNU)"
        );
        assert_eq!(heard.details[0].value, "PIPELINING SIZE STARTTLS");
    }

    #[test]
    fn what_does_not_know_ehlo_may_be_ftp() {
        let all = b"220 Welcome.\r\n530 Please login with USER and PASS.\r\n";
        assert!(matches!(hear(&said_after(all, 1)), Heard::Strange));
        assert!(matches!(
            hear(&said(b"220 (vsFTPd 3.0.3)\r\n")),
            Heard::Strange
        ));
        let heard = known(hear(&said(b"554 5.7.1 no access for you\r\n")));
        assert_eq!(heard.details[0].value, "554");
    }
}
