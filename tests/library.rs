//! The library as a program of somebody else uses it: only what the crate's root shows.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use halfopen::plan::Mistake;
use halfopen::{Control, Event, Mode, Options, Plan, Scan, SelfTest, State, self_test};

/// A listener of 127.0.0.1 and its port.
#[expect(clippy::disallowed_methods, reason = "the tests' own server")]
fn listener() -> (TcpListener, u16) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(any).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

fn by_connects() -> Options {
    let mut options = Options::default();
    options.mode = Mode::Connect;
    options
}

fn scan(ports: &str) -> Scan {
    let plan = Plan::parse("127.0.0.1", ports).expect("a plan");
    Scan::open(plan, by_connects()).expect("it opens")
}

#[test]
fn events_come_as_an_iterator_and_the_summary_is_the_last() {
    let (_open, port) = listener();
    let events: Vec<Event> = scan(&format!("{port}"))
        .events()
        .expect("a thread")
        .collect::<Result<_, _>>()
        .expect("it runs");
    let open: Vec<u16> = events
        .iter()
        .filter_map(|event| match event {
            Event::Verdict(verdict) if verdict.state == State::Open => Some(verdict.endpoint.port),
            _ => None,
        })
        .collect();
    assert_eq!(open, [port]);
    let Some(Event::Summary(summary)) = events.last() else {
        panic!("{:?}", events.last());
    };
    assert!(summary.complete);
    let summaries = events.iter().filter(|e| matches!(e, Event::Summary(_)));
    assert_eq!(summaries.count(), 1);
}

/// More events than wait in the queue, and nobody takes them for a while.
#[test]
fn a_slow_taker_loses_no_event() {
    let mut events = scan("1-20000").events().expect("a thread");
    std::thread::sleep(Duration::from_millis(300));
    let mut told = 0;
    let mut counted = 0;
    for event in &mut events {
        match event.expect("it runs") {
            Event::Verdict(_) => told += 1,
            Event::Summary(summary) => counted = summary.open + summary.closed + summary.suspect,
            _ => {}
        }
    }
    assert_eq!((told, counted), (20_000, 20_000));
    assert!(events.next().is_none());
}

#[test]
fn a_scan_whose_events_nobody_wants_any_more_ends() {
    let plan = Plan::parse("127.0.0.1", "all").expect("a plan");
    let mut options = by_connects();
    // At this rate the whole scan would take eleven minutes.
    options.rate = Some(100);
    let scan = Scan::open(plan, options).expect("it opens");
    let mut events = scan.events().expect("a thread");
    assert!(matches!(events.next(), Some(Ok(_))));
    drop(events);
}

#[test]
fn a_scan_that_is_asked_to_stop_tells_its_last_events() {
    let plan = Plan::parse("127.0.0.1", "all").expect("a plan");
    let mut options = by_connects();
    options.rate = Some(100);
    let events = Scan::open(plan, options)
        .expect("it opens")
        .events()
        .expect("a thread");
    events.stop().ask();
    let last = events.last().expect("an event").expect("it runs");
    let Event::Summary(summary) = last else {
        panic!("{last:?}");
    };
    assert!(summary.interrupted && !summary.complete);
}

#[test]
fn a_function_is_a_sink() {
    let (_open, port) = listener();
    let mut open = Vec::new();
    let mut keep = |event: Event| {
        if let Event::Verdict(verdict) = event {
            open.push((verdict.endpoint.port, verdict.state));
        }
    };
    let summary = scan(&port.to_string())
        .run(&mut keep, &Control::default())
        .expect("it runs");
    assert_eq!(open, [(port, State::Open)]);
    assert_eq!(summary.open, 1);
}

#[test]
fn a_plan_tells_all_mistakes_of_both_texts() {
    let mistakes = Plan::parse("192.0.2.256 nowhere.example", "80,,0").expect_err("mistakes");
    let told: Vec<String> = mistakes.0.iter().map(Mistake::to_string).collect();
    assert!(told.len() >= 3, "{told:?}");
    assert_eq!(mistakes.to_string().lines().count(), told.len());
}

#[test]
fn connect_mode_works_on_this_machine() {
    let outcome = self_test(Mode::Connect, IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!(matches!(outcome, SelfTest::Works { .. }), "{outcome:?}");
    // Documentation addresses belong to nobody (RFC 5737).
    let nobody = self_test(Mode::Connect, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77)));
    assert!(matches!(nobody, SelfTest::NoAddress(_)), "{nobody:?}");
}
