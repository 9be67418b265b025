use std::net::{IpAddr, Ipv4Addr};
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use rustls::pki_types::UnixTime;

use super::*;
use crate::enrich::protocols;
use crate::enrich::rules::Rules;
use crate::enrich::tls::certificate::Authorities;
use crate::model::Address;
use crate::model::facts::{Basis, Service};

/// Plays a server that says something on each connection, by what it is told: the time of each wait passes at once.
fn interview(port: u16, mut server: impl FnMut(u32, &[u8]) -> Reply) -> (Service, u32, Duration) {
    let subject = Subject {
        endpoint: Endpoint {
            address: Address::new(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port,
        },
        host: "127.0.0.1".to_owned(),
        rtt: Some(Duration::from_millis(1)),
        registered: Some("registered".to_owned()),
        random: 7,
    };
    let mut interview = Interview::new(
        subject,
        Client::new(UnixTime::since_unix_epoch(Duration::ZERO)),
    );
    let mut now = Time::ZERO;
    let (mut connection, mut told, mut waiting) = (0, Vec::new(), None);
    let mut action = interview.next(Happened::Start, now);
    for _ in 0..5000 {
        action = match action {
            Action::Done => {
                let guide = Guide {
                    rules: std::sync::Arc::new(Rules::builtin()),
                    authorities: Authorities::default(),
                    now: UNIX_EPOCH,
                };
                return (
                    interview.conclude(&guide),
                    connection,
                    now.since(Time::ZERO),
                );
            }
            Action::Connect => {
                connection += 1;
                told.clear();
                waiting = Some(server(connection, &told));
                interview.next(Happened::Connected, now)
            }
            Action::Send(bytes) => {
                told.extend(bytes);
                if waiting
                    .as_ref()
                    .is_none_or(|reply| *reply == Reply::Nothing)
                {
                    waiting = Some(server(connection, &told));
                }
                interview.next(Happened::Sent, now)
            }
            Action::Listen(until) => match waiting.take() {
                Some(Reply::Say(bytes)) => {
                    let action = interview.next(Happened::Received(&bytes), now);
                    // A server that is answered may say more.
                    action
                }
                Some(Reply::Close) => interview.next(Happened::Closed, now),
                Some(Reply::Nothing) | None => {
                    now = until.max(now);
                    interview.next(Happened::Silence, now)
                }
            },
        };
    }
    panic!("no end");
}

#[derive(PartialEq)]
enum Reply {
    Say(Vec<u8>),
    Close,
    Nothing,
}

fn say(bytes: &[u8]) -> Reply {
    Reply::Say(bytes.to_vec())
}

#[test]
fn an_echo_was_taken_for_a_broker_of_amqp() {
    let (service, ..) = interview(9027, |_, told| {
        if told.is_empty() {
            Reply::Nothing
        } else {
            Reply::Say(told.to_vec())
        }
    });
    assert_eq!(service.basis, Basis::ByNumber);
    assert!(service.software.is_empty());
}

/// What was asked came out on paper: TLS, HTTP and all that follows, a page each.
#[test]
fn a_printer_printed_the_questions() {
    for port in [9100, 9107] {
        let (service, connections, time) = interview(port, |_, told| {
            assert!(told.is_empty(), "{told:?} was sent to {port}");
            Reply::Nothing
        });
        assert_eq!(service.basis, Basis::ByNumber);
        assert_eq!(service.details[0].name, "not_asked");
        assert_eq!(connections, 1);
        assert!(time < Duration::from_secs(6), "{time:?}");
    }
    // What speaks first is known there too.
    let (service, ..) = interview(9100, |_, told| match told {
        b"" => say(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
        _ => Reply::Nothing,
    });
    assert_eq!(service.protocol.as_deref(), Some("ssh"));
    assert!(
        service
            .details
            .iter()
            .all(|detail| detail.name != "not_asked")
    );
}

/// Each connection that ends before a login counts at MySQL, which shuts out whoever has a hundred of them in a row.
#[test]
fn a_database_counted_two_broken_logins_where_one_is_enough() {
    let mut greeting = b"\x4a\0\0\0\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0".to_vec();
    greeting.extend(b"\x07\0\0\0xxxxxxxx\0\xff\xff\x2d");
    greeting.resize(4 + 0x4a, 0);
    for port in [3306, 7777] {
        let mut hello = false;
        let (service, connections, _) = interview(port, |_, told| match told {
            b"" => Reply::Say(greeting.clone()),
            // The request for TLS, and a handshake behind it.
            told => {
                hello |= told.starts_with(&[32, 0, 0, 1]) && told.get(36) == Some(&0x16);
                Reply::Close
            }
        });
        assert_eq!(service.protocol.as_deref(), Some("mysql"), "{port}");
        assert!(hello, "{port}");
        assert_eq!(connections, 1, "{port}");
    }
}

#[test]
fn a_greeting_is_enough_on_any_port() {
    for port in [22, 80, 443, 7777] {
        let (service, connections, _) = interview(port, |_, told| match told {
            b"" => say(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
            _ => Reply::Nothing,
        });
        assert_eq!(service.protocol.as_deref(), Some("ssh"), "{port}");
        assert_eq!(service.basis, Basis::ByAnswer);
        assert_eq!(service.software[0].version.as_deref(), Some("9.2p1"));
        assert!(connections <= 2, "{port}: {connections}");
    }
}

#[test]
fn a_web_server_on_an_unusual_port_answers_tls_with_a_hint() {
    let (service, connections, _) = interview(7777, |_, told| match told {
        b"" => Reply::Nothing,
        told if told.starts_with(b"GET / ") => {
            say(b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n")
        }
        _ => say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    });
    assert_eq!(service.protocol.as_deref(), Some("http"));
    assert_eq!(service.details[0].value, "200");
    assert_eq!(connections, 2);
}

#[test]
fn what_answers_only_to_its_own_protocol_is_found_on_any_port() {
    let (service, ..) = interview(7777, |_, told| match told {
        told if told.starts_with(b"*2\r\n$4\r\nINFO") => {
            say(b"$21\r\nredis_version:7.0.15\r\n\r\n")
        }
        _ => Reply::Nothing,
    });
    assert_eq!(service.software[0].product, "Redis");
    let (service, ..) = interview(7777, |_, told| match told {
        told if told.starts_with(b"version") => say(b"VERSION 1.6.18\r\n"),
        b"" => Reply::Nothing,
        _ => Reply::Close,
    });
    assert_eq!(service.protocol.as_deref(), Some("memcached"));
}

#[test]
fn what_says_nothing_that_is_known_is_named_by_its_number() {
    for reply in [b"" as &[u8], b"\x00\x01\x02 nonsense \xff\n"] {
        let (service, connections, time) = interview(7777, |_, told| match (told, reply) {
            (_, b"") => Reply::Nothing,
            (b"", reply) => say(reply),
            _ => Reply::Close,
        });
        assert_eq!(service.basis, Basis::ByNumber);
        assert_eq!(service.protocol.as_deref(), Some("registered"));
        assert_eq!(service.greeting, reply);
        assert!(
            connections <= MOST_CONNECTIONS && time < Duration::from_secs(40),
            "{connections} {time:?}"
        );
    }
}

#[test]
fn a_greeting_of_220_is_told_apart_by_the_answer() {
    let ftp = |told: &[u8]| match told {
        b"" => say(b"220 Welcome.\r\n"),
        _ => say(b"530 Please login with USER and PASS.\r\n"),
    };
    let (service, ..) = interview(7777, |_, told| ftp(told));
    assert_eq!(service.protocol.as_deref(), Some("ftp"));
    let (service, ..) = interview(7777, |_, told| match told {
        b"" => say(b"220 Welcome.\r\n"),
        told if told.starts_with(b"EHLO") => say(b"250 mail\r\n"),
        _ => say(b"502 what\r\n"),
    });
    assert_eq!(service.protocol.as_deref(), Some("smtp"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_server_comes_to_an_end(
        port in prop::sample::select(vec![22_u16, 21, 25, 80, 443, 993, 3306, 6379, 7777]),
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..8),
    ) {
        let mut at = 0;
        let (service, connections, _) = interview(port, |_, _| {
            at += 1;
            match replies[at % replies.len()].as_slice() {
                [] => Reply::Nothing,
                [0, ..] => Reply::Close,
                bytes => say(bytes),
            }
        });
        prop_assert!(connections <= MOST_CONNECTIONS);
        prop_assert!(service.greeting.len() <= 256);
    }

    #[test]
    fn any_answer_can_be_heard_by_any_protocol(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        start in prop::sample::select(vec![
            &b""[..], b"220 ", b"* OK ", b"+OK", b"HTTP/1.1 200 OK\r\n", b"\xff\xfd", b"\x30\x84\0\0", b"\0\0\0\x20\xfeSMB",
            b"RFB 003.", b"$9999999999999999\r\n", b"INFO {", b"E\0\0\0\x40S", b"\x20\x02\0\0", b"\x01\0\0\0\0\0\x20\0\x0a\0\x0a",
            b"\0\x20\x68\x70\x84\0\0\x01\0\x01", b"\x4a\0\0\0\x0a5.7", b"\0\0\0\x40\xffSMB\x72", b"\x01\0\x0b\0\0\0\x04\0",
        ]),
        answers in 0_u8..20,
        end in prop::sample::select(vec![End::Open, End::Quiet, End::Closed]),
    ) {
        let bytes = [start, &bytes].concat();
        for dialogue in protocols::ALL {
            let said = Said { bytes: &bytes, answers, end };
            if let Heard::Known(known) = (dialogue.hear)(&said) {
                prop_assert!(known.details.iter().all(|detail| detail.value.len() <= 256));
                prop_assert!(known.texts.iter().all(|text| text.text.len() <= KEPT));
            }
        }
    }
}
