//! Servers that would keep a scan busy, fill its memory, or write on its reader's terminal.

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use halfopen::Identify;
use halfopen::model::facts::Basis;

use super::{
    answers, counter, detail, drain, greets, identified, over_tls, request, server, service,
    summary,
};

#[test]
fn a_gibibyte_without_a_newline_is_not_read() {
    let (sent, count) = counter();
    let port = server(move |mut stream| {
        let chunk = [b'x'; 64 * 1024];
        for _ in 0..16 * 1024 {
            if stream.write_all(&chunk).is_err() {
                break;
            }
            count(chunk.len());
        }
    });
    let (events, time) = identified(&[port], Identify::default());
    let found = service(&events, port);
    assert_eq!(found.basis, Basis::ByNumber);
    assert!(found.greeting.len() <= 256);
    assert!(time < Duration::from_secs(30), "{time:?}");
    // Buffers of the kernel included, of some thirty connections.
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 512 << 20, "{sent}");
}

#[test]
fn one_byte_in_a_while_ends_by_the_deadline() {
    let port = server(|mut stream| {
        while stream.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(400));
        }
    });
    let (events, time) = identified(&[port], Identify::default());
    assert_eq!(service(&events, port).basis, Basis::ByNumber);
    assert!(time < Duration::from_secs(25), "{time:?}");
}

#[test]
fn garbage_in_the_place_of_tls_is_no_tls() {
    let garbage = server(|mut stream| {
        let _ = stream.write_all(&[0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc, 0xff, 0xee]);
        let _ = stream.write_all(&[0xa5; 600]);
        drain(&mut stream);
    });
    let (events, time) = identified(&[garbage], Identify::default());
    let found = service(&events, garbage);
    assert!(found.tls.is_none_or(|tls| tls.certificate.is_none()));
    assert!(time < Duration::from_secs(25), "{time:?}");
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let (asked, count) = counter();
    let port = server(move |mut stream| {
        if let Some(asked) = request(&mut stream) {
            count(usize::from(asked.starts_with(b"GET ")));
            let _ = stream
                .write_all(b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let (events, _) = identified(&[port], Identify::default());
    assert_eq!(detail(&service(&events, port), "redirect"), "/loop");
    assert!(asked.load(Ordering::Relaxed) <= 2);
}

#[test]
fn what_is_not_utf8_or_would_move_a_cursor_is_kept_as_text_of_bounded_length() {
    let title = answers(
        b"HTTP/1.1 200 OK\r\nServer: \xff\xfe\x1b]0;owned\x07\r\nContent-Length: 40\r\n\r\n<title>\x1b[2J\xc3(\xe2\x80\xae</title>........",
    );
    let name = over_tls("\u{1b}[2J\u{202e}]]><evil a='b'>", None, super::PAGE);
    let greeting = greets(b"SSH-2.0-\x1b[31m\xff\xfe\r\n");
    let (events, _) = identified(&[title, name, greeting], Identify::default());
    let found = service(&events, title);
    assert_eq!(found.protocol.as_deref(), Some("http"));
    assert!(found.details.iter().all(|detail| detail.value.len() <= 256));
    let tls = service(&events, name).tls.expect("TLS");
    assert!(
        tls.certificate
            .expect("a certificate")
            .subject
            .contains("evil")
    );
    assert_eq!(service(&events, greeting).protocol.as_deref(), Some("ssh"));
    assert_eq!(summary(&events).open, 3);
    super::reports::nothing_gets_through(&events);
}

#[test]
fn whoever_closes_at_once_is_named_by_number() {
    let port = server(drop);
    let (events, time) = identified(&[port], Identify::default());
    assert_eq!(service(&events, port).basis, Basis::ByNumber);
    assert!(time < Duration::from_secs(20), "{time:?}");
}
