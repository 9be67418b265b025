//! What the reports print for a scripted scan: snapshots, JSON read back, hostile names.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use halfopen::model::{
    Address, Endpoint, Event, HostNote, LocalFault, Note, Reason, State, Summary, Time,
    Unreachable, Verdict,
};
use halfopen::report::jsonl::JsonLines;
use halfopen::report::names::Names;
use halfopen::report::text::{Live, Text};
use halfopen::report::{Header, Report, Scope, Show};

mod formats;
mod hosts;
mod untested;

const OPEN_AND_SUSPECT: [State; 2] = [State::Open, State::Suspect];

#[test]
fn text_of_one_host_at_80_columns() {
    insta::assert_snapshot!(text(one_host(), &OPEN_AND_SUSPECT, Live::AtTheEnd, 80));
}

#[test]
fn text_of_one_host_at_40_columns() {
    let text = text(one_host(), &OPEN_AND_SUSPECT, Live::AtTheEnd, 40);
    insta::assert_snapshot!(text);
}

#[test]
fn text_while_it_is_found() {
    insta::assert_snapshot!(text(one_host(), &[State::Open], Live::AsFound, 80));
}

#[test]
fn text_with_everything_shown_summarises_large_groups() {
    insta::assert_snapshot!(text(one_host(), &State::ALL, Live::AtTheEnd, 80));
}

#[test]
fn text_of_one_silent_host_still_has_its_block() {
    let script = Script {
        events: Vec::new(),
        summary: Summary {
            complete: true,
            endpoints: 3,
            filtered: 3,
            packets_sent: 12,
            elapsed: Duration::from_millis(3100),
            ..Summary::default()
        },
        ..one_host()
    };
    insta::assert_snapshot!(text(script, &OPEN_AND_SUSPECT, Live::AtTheEnd, 80));
}

#[test]
fn text_of_a_network() {
    insta::assert_snapshot!(text(network(), &OPEN_AND_SUSPECT, Live::AtTheEnd, 80));
}

/// They were once counted among the hosts that did not answer, and nothing said why the scan was not complete.
#[test]
fn hosts_that_could_not_be_tested_are_named_with_the_reason() {
    let mut script = network();
    for host in 200..220 {
        script.events.push(verdict(
            &format!("10.9.0.{host}"),
            22,
            State::Error,
            Reason::Local(LocalFault::NoRoute),
            None,
        ));
    }
    // It answered, but not on the port that our firewall keeps from us.
    let refused = Reason::Local(LocalFault::Firewall);
    let events = &mut script.events;
    events.push(verdict("10.9.0.9", 80, State::Error, refused, None));
    let shown = text(script.clone(), &OPEN_AND_SUSPECT, Live::AtTheEnd, 60);
    assert!(
        shown.contains("20 hosts could not be tested: 10.9.0.200 (local-no-route),\n"),
        "{shown}"
    );
    assert!(
        shown.contains("10.9.0.215 (local-no-route), and 4 more\n"),
        "{shown}"
    );
    assert!(!shown.contains("10.9.0.216"), "{shown}");
    assert!(shown.contains("231 hosts did not answer\n"), "{shown}");
    assert!(
        shown.contains(
            "10.9.0.9\n  Not listed: 1 closed (rst)\n  Not tested: 80 (local-firewall)\n"
        ),
        "{shown}"
    );
    let hosts = parsed(&json(script, &OPEN_AND_SUSPECT));
    let failed = hosts
        .iter()
        .filter(|line| line["type"] == "host" && line["error"] == 1);
    assert_eq!(failed.count(), 21);
}

#[test]
fn json_of_a_network() {
    insta::assert_snapshot!(json(network(), &OPEN_AND_SUSPECT));
}

#[test]
fn json_of_one_host_lists_what_is_shown_and_counts_the_rest() {
    let values = parsed(&json(one_host(), &State::ALL));
    let ports: Vec<_> = values
        .iter()
        .filter(|value| value["type"] == "port")
        .collect();
    assert_eq!(ports.len(), 47);
    assert_eq!(
        ports
            .iter()
            .filter(|port| port["state"] == "closed")
            .count(),
        40
    );
    let host = values
        .iter()
        .find(|value| value["type"] == "host")
        .expect("a host line");
    assert_eq!(
        (host["open"].as_u64(), host["closed"].as_u64()),
        (Some(3), Some(40))
    );
    assert_eq!(host["filtered"], 2);
}

#[test]
fn hostile_names_reach_no_terminal() {
    const HOSTILE: &str = "a\u{1b}[2J\r\n\0\u{7f}\u{9b}\u{202e}\u{200b}\"]]>=cmd|'/c'!A0\\";
    let mut script = one_host();
    let address = script.header.only_host.expect("one host");
    script.names.hosts.insert(address, HOSTILE.to_owned());
    script.names.services.insert(22, HOSTILE.to_owned());

    let shown = text(script.clone(), &State::ALL, Live::AsFound, 80);
    let line = json(script, &State::ALL);
    for output in [&shown, &line] {
        let bad: Vec<char> = output
            .chars()
            .filter(|c| *c != '\n' && (!matches!(c, ' '..='~') && !c.is_alphanumeric()))
            .collect();
        assert!(bad.is_empty(), "{bad:?} in {output}");
    }
    assert!(
        shown.contains(r"a\x1b[2J\x0d\x0a\x00\x7f\u{9b}\u{202e}\u{200b}"),
        "{shown}"
    );
    let values = parsed(&line);
    let ssh = values
        .iter()
        .find(|value| value["port"] == 22)
        .expect("port 22");
    assert_eq!(ssh["service"], HOSTILE);
    assert_eq!(ssh["name"], HOSTILE);
}

#[test]
fn no_line_of_a_table_is_wider_than_the_terminal() {
    for width in [30, 34, 40, 60, 80] {
        let text = text(one_host(), &State::ALL, Live::AtTheEnd, width);
        let (block, _figures) = text.split_once("\n\n").expect("a block and the figures");
        for line in block.lines() {
            let fits = line.chars().count() <= width;
            // The list of open ports is for programs too and stays one line; a sentence is the terminal's to wrap.
            let prose = line.contains("Open ports are") || line.contains("Suspect:");
            assert!(fits || prose, "{width}: {line:?}");
        }
    }
}

#[test]
fn ten_million_silent_endpoints_need_little_memory() {
    use halfopen::report::tally::{Keep, SILENT_HOSTS, Tally};

    let mut tally = Tally::new(Keep::Lines(Show::of(&State::ALL)));
    for host in 0..200_000_u32 {
        let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + host).to_string();
        for port in 1..=50 {
            tally.take(&verdict(&ip, port, State::Filtered, Reason::NoAnswer, None));
        }
    }
    assert_eq!(tally.hosts.len(), SILENT_HOSTS);
    assert!(tally.hosts.values().all(|host| host.lines.is_empty()));
    // One that answers is never left out for want of room.
    tally.take(&verdict(
        "10.200.0.1",
        22,
        State::Open,
        Reason::SynAck,
        None,
    ));
    assert_eq!(tally.hosts.len(), SILENT_HOSTS + 1);
}

#[test]
fn the_open_list_is_whole_whatever_is_shown() {
    let text = text(one_host(), &[State::Filtered], Live::AtTheEnd, 80);
    assert!(text.contains("Open ports are: [22, 443, 60000]"), "{text}");
    assert!(!text.contains("https"), "{text}");
}

#[derive(Clone)]
struct Script {
    header: Header,
    names: Names,
    events: Vec<Event>,
    summary: Summary,
}

#[test]
fn a_host_that_answers_everything_is_one_line() {
    let lies = |host: &str| {
        let note = Event::Host(HostNote {
            address: Some(address(host)),
            note: Note::AnswersEverything,
        });
        let verdicts = (1..=3_000)
            .map(|port| verdict(host, port, State::Suspect, Reason::AnswersEverything, None));
        verdicts.chain([note]).collect::<Vec<_>>()
    };
    let mut script = network();
    let plain = text(network(), &OPEN_AND_SUSPECT, Live::AsFound, 80);
    script.events.extend(lies("10.9.0.97"));
    script.events.extend(lies("10.9.0.98"));
    let told = text(script, &OPEN_AND_SUSPECT, Live::AsFound, 80);
    assert!(
        told.contains("10.9.0.97: 3,000 ports suspect, takes connections on nearly every port"),
        "{told}"
    );
    assert_eq!(told.lines().count(), plain.lines().count() + 2, "{told}");

    let mut script = network();
    script.events.extend(lies("10.9.0.97"));
    let (some, all) = (json(script, &OPEN_AND_SUSPECT), {
        let mut script = network();
        script.events.extend(lies("10.9.0.97"));
        json(script, &State::ALL)
    });
    let listed = |lines: &str| {
        let of_the_liar =
            |line: &&serde_json::Value| line["type"] == "port" && line["address"] == "10.9.0.97";
        parsed(lines).iter().filter(of_the_liar).count()
    };
    assert_eq!((listed(&some), listed(&all)), (0, 3_000));
}

fn one_host() -> Script {
    let us = |us| Some(Duration::from_micros(us));
    let host = "10.9.0.2";
    let mut events = vec![
        verdict(host, 443, State::Open, Reason::SynAck, us(1234)),
        verdict(host, 22, State::Open, Reason::SynAck, us(210)),
        verdict(host, 60_000, State::Open, Reason::SynAck, None),
        verdict(host, 9, State::Suspect, Reason::ZeroWindow, us(300)),
        verdict(
            host,
            25,
            State::Filtered,
            Reason::Icmp(Unreachable::AdminProhibited),
            None,
        ),
        verdict(host, 53, State::Filtered, Reason::NoAnswer, None),
        verdict(
            host,
            81,
            State::Error,
            Reason::Local(LocalFault::Firewall),
            None,
        ),
    ];
    events
        .extend((1000..1040).map(|port| verdict(host, port, State::Closed, Reason::Rst, us(190))));
    Script {
        header: Header {
            version: "0.1.0".to_owned(),
            mode: "syn".to_owned(),
            reason_for_mode: "raw sockets are available".to_owned(),
            scope: Scope::Ports,
            hosts: 1,
            only_host: Some(address(host)),
            ports: 47,
            endpoints: 47,
            seed: 7,
            shard: (1, 1),
            port_list: "9,22,25,53,81,443,1000-1039,60000".to_owned(),
            command: "halfopen -p 9,22 db.example --exclude a--b".to_owned(),
            missing_shards: Vec::new(),
            target_list: vec!["10.9.0.2".to_owned()],
            started: UNIX_EPOCH + Duration::from_secs(1_709_164_800),
        },
        names: names(),
        events,
        summary: Summary {
            complete: false,
            endpoints: 47,
            open: 3,
            closed: 40,
            filtered: 2,
            suspect: 1,
            error: 1,
            packets_sent: 1_052,
            loss: Some(0.0123),
            expected_missed: 0.0042,
            elapsed: Duration::from_millis(3456),
            ..Summary::default()
        },
    }
}

fn network() -> Script {
    let one = one_host();
    let zoned = Address::new("fe80::1".parse().expect("an address")).with_zone(3);
    let mut zoned_ssh = verdict("10.9.0.9", 22, State::Open, Reason::SynAck, None);
    if let Event::Verdict(verdict) = &mut zoned_ssh {
        verdict.endpoint.address = zoned;
        verdict.at = Time(1_500_000_123);
    }
    let mut events = vec![
        zoned_ssh,
        verdict(
            "10.9.0.10",
            80,
            State::Open,
            Reason::SynAck,
            Some(Duration::from_micros(512)),
        ),
        verdict("10.9.0.9", 22, State::Closed, Reason::Rst, None),
        Event::Host(HostNote {
            address: Some(address("10.9.0.77")),
            note: Note::NoNeighbour,
        }),
        Event::Host(HostNote {
            address: None,
            note: Note::LocalFirewall,
        }),
    ];
    for host in 20..30 {
        events.push(verdict(
            &format!("10.9.0.{host}"),
            22,
            State::Filtered,
            Reason::NoAnswer,
            None,
        ));
    }
    Script {
        header: Header {
            scope: Scope::Ports,
            hosts: 254,
            only_host: None,
            ports: 2,
            endpoints: 508,
            target_list: vec!["10.9.0.1-10.9.0.253".to_owned(), "fe80::1%eth0".to_owned()],
            port_list: "22,80".to_owned(),
            ..one.header
        },
        events,
        summary: Summary {
            complete: true,
            endpoints: 508,
            open: 2,
            closed: 1,
            filtered: 505,
            packets_sent: 2_024,
            elapsed: Duration::from_secs(4),
            ..Summary::default()
        },
        ..one
    }
}

fn text(script: Script, show: &[State], live: Live, width: usize) -> String {
    let report = Text::new(Show::of(show), script.names.clone(), live, width);
    played(report, &script)
}

fn json(script: Script, show: &[State]) -> String {
    played(
        JsonLines::new(Show::of(show), script.names.clone()),
        &script,
    )
}

fn played(mut report: impl Report, script: &Script) -> String {
    let mut out = Vec::new();
    report
        .start(&script.header, &mut out)
        .expect("a vector takes all");
    for event in &script.events {
        report.event(event, &mut out).expect("a vector takes all");
    }
    report
        .finish(&script.summary, &mut out)
        .expect("a vector takes all");
    String::from_utf8(out).expect("reports are UTF-8")
}

fn parsed(lines: &str) -> Vec<serde_json::Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect()
}

fn names() -> Names {
    Names {
        services: BTreeMap::from([
            (22, "ssh".to_owned()),
            (25, "smtp".to_owned()),
            (80, "http".to_owned()),
            (443, "https".to_owned()),
        ]),
        zones: BTreeMap::from([(3, "eth0".to_owned())]),
        hosts: BTreeMap::from([(address("10.9.0.2"), "db.example".to_owned())]),
    }
}

fn verdict(host: &str, port: u16, state: State, reason: Reason, rtt: Option<Duration>) -> Event {
    Event::Verdict(Verdict {
        endpoint: Endpoint {
            address: address(host),
            port,
        },
        state,
        reason,
        rtt,
        ttl: Some(64),
        attempts: 1,
        at: Time(250_000_000),
    })
}

fn address(text: &str) -> Address {
    Address::new(text.parse::<IpAddr>().expect("an address"))
}
