//! What is behind open ports, asked of small servers of the test's own on the loopback: those that tell, and those that lie.

#![allow(
    clippy::disallowed_methods,
    reason = "the test has servers of its own and watches the clock"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use halfopen::enrich::tls::certificate::Authorities;
use halfopen::model::facts::{Basis, Service, Trust, Validity};
use halfopen::{Event, Identify, Mode, Options, Plan, Scan, Summary};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

mod found_out;
mod liars;
mod reports;
mod upgraded;

/// Serves every connection by `serve`, on a thread each; returns the port.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Says this at once, then listens until the other side has enough.
fn greets(greeting: &'static [u8]) -> u16 {
    server(move |mut stream| {
        let _ = stream.write_all(greeting);
        drain(&mut stream);
    })
}

/// Answers each request that has a blank line at its end.
fn answers(answer: &'static [u8]) -> u16 {
    server(move |mut stream| {
        if request(&mut stream).is_some() {
            let _ = stream.write_all(answer);
        }
    })
}

/// What was asked, up to the blank line.
fn request(stream: &mut impl std::io::Read) -> Option<Vec<u8>> {
    let mut asked = Vec::new();
    let mut byte = [0];
    while !asked.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        asked.push(byte[0]);
    }
    Some(asked)
}

fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// Scans these ports of the loopback by connect, and talks with them.
fn identified(ports: &[u16], identify: Identify) -> (Vec<Event>, Duration) {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    let plan = Plan::parse("127.0.0.1", &list.join(",")).expect("a plan");
    let mut options = Options::default();
    options.mode = Mode::Connect;
    options.identify = Some(identify);
    let began = Instant::now();
    let scan = Scan::open(plan, options).expect("a scan");
    let events: Result<Vec<Event>, _> = scan.events().expect("a thread").collect();
    (events.expect("events"), began.elapsed())
}

fn service(events: &[Event], port: u16) -> Service {
    let found = events.iter().find_map(|event| match event {
        Event::Service(service) if service.endpoint.port == port => Some(service.as_ref().clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing is told of {port}"))
}

fn summary(events: &[Event]) -> Summary {
    match events.last() {
        Some(Event::Summary(summary)) => *summary,
        other => panic!("the last event is {other:?}"),
    }
}

fn detail<'a>(service: &'a Service, name: &str) -> &'a str {
    let found = service.details.iter().find(|detail| detail.name == name);
    found.map_or("", |detail| &detail.value)
}

/// A server's side of TLS; the certificate is for `subject`, signed by `authority`.
fn tls_for(
    subject: &str,
    authority: Option<&CertifiedIssuer<'static, KeyPair>>,
) -> rustls::ServerConfig {
    let key = KeyPair::generate().expect("a key");
    let mut parameters =
        CertificateParams::new(vec!["host.example".to_owned()]).expect("parameters");
    parameters
        .distinguished_name
        .push(DnType::CommonName, subject);
    let certificate = match authority {
        Some(authority) => parameters.signed_by(&key, authority),
        None => parameters.self_signed(&key),
    };
    let certificate = certificate.expect("a certificate").der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a configuration")
}

/// A server of TLS that answers every request inside; the certificate is for `subject`, signed by `authority`.
fn over_tls(
    subject: &str,
    authority: Option<&CertifiedIssuer<'static, KeyPair>>,
    answer: &'static [u8],
) -> u16 {
    let mut config = tls_for(subject, authority);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    server(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut inside = rustls::StreamOwned::new(connection, stream);
        if request(&mut inside).is_some() {
            let _ = inside.write_all(answer);
            inside.conn.send_close_notify();
            let _ = inside.flush();
        }
    })
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "The test's authority");
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key"))
        .expect("an authority")
}

const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Length: 34\r\nConnection: close\r\n\r\n<html><title>A page</title></html>";

#[test]
fn services_are_named_by_what_they_answer_on_any_port() {
    let ssh = greets(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    let web = answers(PAGE);
    let mail = server(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP Postfix (Debian/GNU)\r\n");
        let mut asked = [0; 64];
        let _ = stream.read(&mut asked);
        let _ = stream.write_all(b"250-mail.example\r\n250 STARTTLS\r\n");
        drain(&mut stream);
    });
    let (events, time) = identified(&[ssh, web, mail], Identify::default());
    let found = service(&events, ssh);
    assert_eq!(
        (found.protocol.as_deref(), found.basis),
        (Some("ssh"), Basis::ByAnswer)
    );
    let software = found.application().expect("software");
    assert_eq!(
        (software.product.as_str(), software.version.as_deref()),
        ("OpenSSH", Some("9.2p1"))
    );
    assert_eq!(software.revision.as_deref(), Some("Debian-2+deb12u3"));
    let found = service(&events, web);
    assert_eq!(found.protocol.as_deref(), Some("http"));
    assert_eq!(detail(&found, "title"), "A page");
    assert_eq!(
        found
            .application()
            .and_then(|software| software.version.as_deref()),
        Some("1.22.1")
    );
    let found = service(&events, mail);
    assert_eq!(found.protocol.as_deref(), Some("smtp"));
    assert_eq!(detail(&found, "extensions"), "STARTTLS");
    assert!(summary(&events).complete);
    assert!(time < Duration::from_secs(20), "{time:?}");
}

#[test]
fn what_is_spoken_inside_tls_is_found_with_the_certificate() {
    let authority = authority();
    let port = over_tls("web.example", Some(&authority), PAGE);
    let itself = over_tls("itself.example", None, PAGE);
    let mut identify = Identify::default();
    identify.authorities = Authorities::new([authority.der().to_vec()]);
    let (events, _) = identified(&[port, itself], identify);
    let found = service(&events, port);
    assert_eq!(found.protocol.as_deref(), Some("http"));
    assert_eq!(detail(&found, "title"), "A page");
    let tls = found.tls.expect("TLS");
    assert_eq!(
        (tls.least.as_deref(), tls.most.as_deref()),
        (Some("TLS 1.2"), Some("TLS 1.3"))
    );
    assert_eq!(tls.alpn.as_deref(), Some("http/1.1"));
    let certificate = tls.certificate.expect("a certificate");
    assert!(
        certificate.subject.contains("web.example"),
        "{}",
        certificate.subject
    );
    assert_eq!(certificate.names, ["host.example"]);
    assert_eq!(
        (certificate.trust, certificate.validity),
        (Trust::Trusted, Validity::Valid)
    );
    let tls = service(&events, itself).tls.expect("TLS");
    let trust = tls.certificate.map(|certificate| certificate.trust);
    assert_eq!(trust, Some(Trust::SelfSigned));
}

#[test]
fn a_scan_that_is_asked_to_stop_ends_its_talks() {
    let silent = server(|mut stream| drain(&mut stream));
    let plan = Plan::parse("127.0.0.1", &silent.to_string()).expect("a plan");
    let mut options = Options::default();
    options.mode = Mode::Connect;
    options.identify = Some(Identify::default());
    let events = Scan::open(plan, options)
        .expect("a scan")
        .events()
        .expect("a thread");
    let (stop, began) = (events.stop(), Instant::now());
    let mut last = None;
    for event in events {
        let event = event.expect("an event");
        if matches!(event, Event::Verdict(_)) {
            let stop = stop.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(700));
                stop.ask();
            });
        }
        last = Some(event);
    }
    let summary = summary(&[last.expect("an event")]);
    assert!(summary.interrupted && !summary.complete);
    assert_eq!(summary.open, 1);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn talks_end_with_the_time_of_the_scan() {
    let silent = server(|mut stream| drain(&mut stream));
    let plan = Plan::parse("127.0.0.1", &silent.to_string()).expect("a plan");
    let mut options = Options::default();
    options.mode = Mode::Connect;
    options.identify = Some(Identify::default());
    options.max_time = Some(Duration::from_secs(2));
    let began = Instant::now();
    let events = Scan::open(plan, options)
        .expect("a scan")
        .events()
        .expect("a thread");
    let events: Vec<Event> = events.map(|event| event.expect("an event")).collect();
    assert!(!summary(&events).complete);
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

/// Counts what it is given.
fn counter() -> (
    Arc<AtomicUsize>,
    impl Fn(usize) + Clone + Send + Sync + 'static,
) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (count, move |more| {
        let _ = counted.fetch_add(more, Ordering::Relaxed);
    })
}
