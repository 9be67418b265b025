//! How protocols go over to TLS on a connection that began in the clear, which is where their certificates are seen. Nothing
//! but the connection changes by it, and nobody logs in.
//!
//! SMTP: RFC 3207. IMAP and POP3: RFC 2595, RFC 9051. FTP: RFC 4217. LDAP: RFC 4511, 4.14. PostgreSQL: its documentation,
//! 55.2.10. MySQL: its documentation, `Protocol::SSLRequest`. RDP: MS-RDPBCGR, 2.2.1.1 and 2.2.1.2.

use super::rdp;
use super::reply::{self, Read};
use crate::enrich::reader::Reader;

/// The way of one protocol.
#[derive(Debug)]
pub struct Upgrade {
    /// The protocol, as its dialogue calls it.
    pub protocol: &'static str,
    /// What to do with what the server has said so far; nothing where we speak first.
    pub hear: fn(&Heard<'_>) -> Step,
}

/// What has been said on the connection.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    pub bytes: &'a [u8],
    /// How often we have spoken.
    pub spoken: u8,
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Listen on.
    More,
    Say(Vec<u8>),
    /// Say this, if anything, and begin TLS behind it.
    Begin(Vec<u8>),
    /// It does not do that.
    Never,
}

/// The way of this protocol, where it has one.
pub fn of(protocol: &str) -> Option<&'static Upgrade> {
    ALL.iter().find(|upgrade| upgrade.protocol == protocol)
}

/// All ways.
pub static ALL: [Upgrade; 8] = [
    Upgrade {
        protocol: "smtp",
        hear: smtp,
    },
    Upgrade {
        protocol: "imap",
        hear: imap,
    },
    Upgrade {
        protocol: "pop3",
        hear: pop3,
    },
    Upgrade {
        protocol: "ftp",
        hear: ftp,
    },
    Upgrade {
        protocol: "ldap",
        hear: ldap,
    },
    Upgrade {
        protocol: "postgresql",
        hear: postgresql,
    },
    Upgrade {
        protocol: "mysql",
        hear: mysql,
    },
    Upgrade {
        protocol: "rdp",
        hear: rdp,
    },
];

fn smtp(heard: &Heard<'_>) -> Step {
    let mut rest = heard.bytes;
    for (spoken, expected) in [(0, 220), (1, 250), (2, 220)] {
        let reply = match reply::read(rest) {
            Read::Whole(reply) if reply.code == expected => reply,
            Read::Part(..) => return Step::More,
            Read::Whole(_) | Read::Other => return none_yet(rest),
        };
        rest = reply.rest;
        let offers = reply
            .lines
            .iter()
            .any(|line| line.trim_ascii().eq_ignore_ascii_case(b"STARTTLS"));
        match spoken {
            0 if heard.spoken == 0 => return Step::Say(b"EHLO halfopen.invalid\r\n".to_vec()),
            1 if !offers => return Step::Never,
            1 if heard.spoken == 1 => return Step::Say(b"STARTTLS\r\n".to_vec()),
            2 => return Step::Begin(Vec::new()),
            _ => {}
        }
    }
    Step::Never
}

fn ftp(heard: &Heard<'_>) -> Step {
    let greeting = match reply::read(heard.bytes) {
        Read::Whole(reply) if reply.code == 220 => reply,
        Read::Part(..) => return Step::More,
        Read::Whole(_) | Read::Other => return none_yet(heard.bytes),
    };
    if heard.spoken == 0 {
        return Step::Say(b"AUTH TLS\r\n".to_vec());
    }
    match reply::read(greeting.rest) {
        Read::Whole(reply) if reply.code == 234 => Step::Begin(Vec::new()),
        Read::Part(..) => Step::More,
        Read::Whole(_) | Read::Other => none_yet(greeting.rest),
    }
}

fn imap(heard: &Heard<'_>) -> Step {
    let mut lines = whole_lines(heard.bytes);
    match lines.next() {
        None => return Step::More,
        Some(line) if !line.starts_with(b"* OK") => return Step::Never,
        Some(_) if heard.spoken == 0 => return Step::Say(b"h1 STARTTLS\r\n".to_vec()),
        Some(_) => {}
    }
    // Servers may tell something else in between.
    match lines.find(|line| line.starts_with(b"h1 ")) {
        Some(line) if line.starts_with(b"h1 OK") => Step::Begin(Vec::new()),
        Some(_) => Step::Never,
        None => Step::More,
    }
}

fn pop3(heard: &Heard<'_>) -> Step {
    let mut lines = whole_lines(heard.bytes);
    match lines.next() {
        None => return Step::More,
        Some(line) if !line.starts_with(b"+OK") => return Step::Never,
        Some(_) if heard.spoken == 0 => return Step::Say(b"STLS\r\n".to_vec()),
        Some(_) => {}
    }
    match lines.next() {
        None => Step::More,
        Some(line) if line.starts_with(b"+OK") => Step::Begin(Vec::new()),
        Some(_) => Step::Never,
    }
}

/// An extended request without a value, and its response with the result 0.
fn ldap(heard: &Heard<'_>) -> Step {
    if heard.spoken == 0 {
        let mut request = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16".to_vec();
        request.extend(b"1.3.6.1.4.1.1466.20037");
        return Step::Say(request);
    }
    let bytes = heard.bytes;
    let (Some(tag), Some(length)) = (bytes.first(), bytes.get(1)) else {
        return Step::More;
    };
    if *tag != 0x30 || *length >= 0x80 {
        return Step::Never;
    }
    let Some(message) = bytes.get(2..2 + usize::from(*length)) else {
        return Step::More;
    };
    match message {
        [2, 1, 1, 0x78, length, 0x0a, 1, 0, ..] if *length < 0x80 => Step::Begin(Vec::new()),
        _ => Step::Never,
    }
}

/// Length 8, code 80877103; the answer is one byte.
fn postgresql(heard: &Heard<'_>) -> Step {
    match heard.bytes {
        [] if heard.spoken == 0 => Step::Say(vec![0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]),
        [] => Step::More,
        [b'S'] => Step::Begin(Vec::new()),
        _ => Step::Never,
    }
}

/// The server's handshake says whether it does; the request is the beginning of a login that ends there.
fn mysql(heard: &Heard<'_>) -> Step {
    let mut reader = Reader::new(heard.bytes);
    let (Some(length), Some(0)) = (reader.take(3), reader.u8()) else {
        return none_yet(heard.bytes.get(4..).unwrap_or_default());
    };
    let length = length
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if length > 1024 {
        return Step::Never;
    }
    let Some(mut packet) = reader.part(length) else {
        return Step::More;
    };
    let offers = packet.u8() == Some(10)
        && packet.until(0).is_some()
        && packet.skip(4 + 8 + 1).is_some()
        && packet
            .u16_le()
            .is_some_and(|capabilities| capabilities & CLIENT_SSL != 0);
    if !offers {
        return Step::Never;
    }
    let mut request = vec![32, 0, 0, 1];
    request.extend((CLIENT_SSL | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION).to_le_bytes());
    request.extend([0, 0]);
    request.extend((1_u32 << 24).to_le_bytes());
    request.push(UTF_8);
    request.extend([0; 23]);
    Step::Begin(request)
}

fn rdp(heard: &Heard<'_>) -> Step {
    if heard.spoken == 0 {
        return Step::Say(rdp::REQUEST.to_vec());
    }
    match rdp::confirmed(heard.bytes) {
        None => Step::More,
        Some(rdp::Confirmed::Tls) => Step::Begin(Vec::new()),
        Some(rdp::Confirmed::Other) => Step::Never,
    }
}

/// Where nothing is there yet, something may come; anything else is no answer.
fn none_yet(bytes: &[u8]) -> Step {
    if bytes.is_empty() {
        Step::More
    } else {
        Step::Never
    }
}

/// The lines that have their end.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
}

const CLIENT_SSL: u16 = 0x0800;
const CLIENT_PROTOCOL_41: u16 = 0x0200;
const CLIENT_SECURE_CONNECTION: u16 = 0x8000;
/// utf8mb3_general_ci
const UTF_8: u8 = 33;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is said and done at a server that answers in this order; each answer comes byte by byte.
    fn steps(protocol: &str, answers: &[&[u8]]) -> Vec<Step> {
        let upgrade = of(protocol).expect("a way");
        let (mut bytes, mut spoken) = (Vec::new(), 0);
        let mut steps = Vec::new();
        let mut answers = answers.iter().copied();
        let mut left: &[u8] = b"";
        for _ in 0..2000 {
            let step = (upgrade.hear)(&Heard {
                bytes: &bytes,
                spoken,
            });
            match step {
                Step::More => {
                    if left.is_empty() {
                        let Some(next) = answers.next() else { break };
                        left = next;
                    }
                    bytes.extend(left.first());
                    left = left.get(1..).unwrap_or_default();
                }
                Step::Say(said) => {
                    spoken += 1;
                    steps.push(Step::Say(said));
                }
                end => {
                    steps.push(end);
                    break;
                }
            }
        }
        steps
    }

    fn say(text: &[u8]) -> Step {
        Step::Say(text.to_vec())
    }

    const BEGIN: Step = Step::Begin(Vec::new());

    #[test]
    fn text_protocols_ask_and_begin() {
        let ehlo = say(b"EHLO halfopen.invalid\r\n");
        assert_eq!(
            steps(
                "smtp",
                &[
                    b"220 mail ESMTP\r\n",
                    b"250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n",
                    b"220 2.0.0 Ready to start TLS\r\n"
                ]
            ),
            [ehlo.clone(), say(b"STARTTLS\r\n"), BEGIN]
        );
        assert_eq!(
            steps("smtp", &[b"220 mail\r\n", b"250-mail\r\n250 SIZE 1\r\n"]),
            [ehlo.clone(), Step::Never]
        );
        assert_eq!(
            steps(
                "smtp",
                &[b"220 m\r\n", b"250-m\r\n250 STARTTLS\r\n", b"454 no\r\n"]
            ),
            [ehlo, say(b"STARTTLS\r\n"), Step::Never]
        );
        assert_eq!(
            steps(
                "imap",
                &[b"* OK hello\r\n", b"* CAPABILITY x\r\nh1 OK go\r\n"]
            ),
            [say(b"h1 STARTTLS\r\n"), BEGIN]
        );
        assert_eq!(
            steps("imap", &[b"* OK hello\r\n", b"h1 BAD no\r\n"]),
            [say(b"h1 STARTTLS\r\n"), Step::Never]
        );
        assert_eq!(
            steps("pop3", &[b"+OK hello\r\n", b"+OK go\r\n"]),
            [say(b"STLS\r\n"), BEGIN]
        );
        assert_eq!(
            steps("ftp", &[b"220-a\r\n220 b\r\n", b"234 go\r\n"]),
            [say(b"AUTH TLS\r\n"), BEGIN]
        );
        assert_eq!(
            steps("ftp", &[b"220 b\r\n", b"530 Please login\r\n"]),
            [say(b"AUTH TLS\r\n"), Step::Never]
        );
    }

    #[test]
    fn binary_protocols_ask_and_begin() {
        let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
        assert_eq!(steps("postgresql", &[b"S"]), [say(request), BEGIN]);
        assert_eq!(steps("postgresql", &[b"N"]), [say(request), Step::Never]);

        let done = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0";
        assert_eq!(steps("ldap", &[done])[1], BEGIN);
        let refused = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\0\x04\0";
        assert_eq!(steps("ldap", &[refused])[1], Step::Never);

        let handshake = |low: u8, high: u8| {
            let mut packet = b"\x0a5.5.5-10.11.6-MariaDB\0\x07\0\0\0xxxxxxxx\0".to_vec();
            packet.extend([low, high, 0x2d]);
            [&[packet.len() as u8, 0, 0, 0][..], &packet].concat()
        };
        let steps_of = steps("mysql", &[&handshake(0xff, 0xff)]);
        let [Step::Begin(request)] = steps_of.as_slice() else {
            panic!("{steps_of:?}");
        };
        assert_eq!(request.len(), 36);
        assert_eq!(request[..8], [32, 0, 0, 1, 0, 0x8a, 0, 0]);
        assert_eq!(steps("mysql", &[&handshake(0xff, 0xf7)]), [Step::Never]);

        let confirm = |protocol| {
            vec![
                3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, protocol, 0, 0, 0,
            ]
        };
        assert_eq!(steps("rdp", &[&confirm(2)])[1], BEGIN);
        assert_eq!(steps("rdp", &[&confirm(0)])[1], Step::Never);
    }

    proptest! {
        #[test]
        fn any_answer_can_be_heard(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            start in prop::sample::select(vec![
                &b""[..], b"220 a\r\n", b"220 a\r\n250-m\r\n250 STARTTLS\r\n", b"* OK\r\nh1 ", b"+OK\r\n", b"S", b"0\x0c\x02\x01\x01\x78",
                b"\x4a\0\0\0\x0a5.7\0", b"\x03\0\0\x13\x0e\xd0",
            ]),
            spoken in 0_u8..9,
        ) {
            let bytes = [start, &bytes].concat();
            for upgrade in &ALL {
                let step = (upgrade.hear)(&Heard { bytes: &bytes, spoken });
                if let Step::Say(said) | Step::Begin(said) = step {
                    prop_assert!(said.len() <= 64);
                }
            }
        }
    }
}
