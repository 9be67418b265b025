//! Certificates of servers that begin in the clear and go over to TLS when they are asked to.

#![allow(clippy::disallowed_methods, reason = "the test has servers of its own")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use halfopen::Identify;
use halfopen::model::facts::Begun;

use super::{identified, server, service, tls_for};

/// Says and hears this in the clear, and speaks TLS from then on: what is expected, and the answer to it. The first answer
/// is the greeting where nothing is expected before it.
fn goes_over(subject: &str, talk: &'static [(&'static [u8], &'static [u8])]) -> u16 {
    let config = Arc::new(tls_for(subject, None));
    server(move |mut stream| {
        for (expected, answer) in talk {
            if !said(&mut stream, expected) {
                // Whatever else is asked has an answer that tells nothing.
                let _ = stream.write_all(b"500 ?\r\n");
                return;
            }
            if stream.write_all(answer).is_err() {
                return;
            }
        }
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut inside = rustls::StreamOwned::new(connection, stream);
        let _ = inside.read(&mut [0; 64]);
    })
}

fn said(stream: &mut TcpStream, expected: &[u8]) -> bool {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).is_ok() && bytes == expected
}

#[test]
fn certificates_behind_starttls_were_not_seen() {
    const EHLO: &[u8] = b"EHLO halfopen.invalid\r\n";
    let smtp = goes_over(
        "mail.example",
        &[
            (b"", b"220 mail.example ESMTP Postfix\r\n"),
            (EHLO, b"250-mail.example\r\n250 STARTTLS\r\n"),
            (b"STARTTLS\r\n", b"220 Ready\r\n"),
        ],
    );
    let plain = goes_over(
        "never.example",
        &[
            (b"", b"220 mail.example ESMTP Postfix\r\n"),
            (EHLO, b"250-mail.example\r\n250 SIZE 1\r\n"),
            (b"nothing else", b""),
        ],
    );
    let (events, _) = identified(&[smtp, plain], Identify::default());
    let found = service(&events, smtp);
    assert_eq!(found.protocol.as_deref(), Some("smtp"));
    assert!(!found.is_inside_tls());
    let tls = found.tls.expect("TLS");
    assert_eq!((tls.begun, tls.least.as_deref()), (Begun::OnRequest, None));
    assert_eq!(tls.most.as_deref(), Some("TLS 1.3"));
    let certificate = tls.certificate.expect("a certificate");
    assert!(
        certificate.subject.contains("mail.example"),
        "{}",
        certificate.subject
    );
    let found = service(&events, plain);
    assert_eq!((found.protocol.as_deref(), found.tls), (Some("smtp"), None));
}

/// What was recognised in the clear stays, whatever comes in the place of TLS.
#[test]
fn a_server_that_promises_tls_and_lies_is_bounded() {
    let port = server(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP Postfix\r\n");
        if !said(&mut stream, b"EHLO halfopen.invalid\r\n") {
            return;
        }
        let _ = stream.write_all(b"250-mail.example\r\n250 STARTTLS\r\n");
        if !said(&mut stream, b"STARTTLS\r\n") {
            return;
        }
        let _ = stream.write_all(b"220 Ready\r\n");
        // Records of a handshake without an end.
        let record = [
            &[22, 3, 3, 0x3f, 0xff, 2, 0xff, 0xff, 0xff][..],
            &[7; 0x3ffb],
        ]
        .concat();
        while stream.write_all(&record).is_ok() {}
    });
    let (events, time) = identified(&[port], Identify::default());
    let found = service(&events, port);
    assert_eq!(
        (found.protocol.as_deref(), found.tls.is_none()),
        (Some("smtp"), true)
    );
    assert!(time < std::time::Duration::from_secs(20), "{time:?}");
}
