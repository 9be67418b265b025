//! What was found out about services and hosts is read back as it was written, and joined where several parts tell of it.

use std::io::Cursor;
use std::time::{Duration, UNIX_EPOCH};

use halfopen::model::facts::{
    Basis, Begun, Candidate, Certificate, Evidence, Exploited, Finding, Hardware, Judgement, Part,
    Registered, Service, Software, System, Tls, Trust, Validity,
};
use halfopen::model::{Address, Endpoint, Event, Reason, State};
use halfopen::report::jsonl::JsonLines;
use halfopen::report::names::Names;
use halfopen::report::{Report, Show};
use halfopen::results::join::Gaps;
use halfopen::results::known::Known;
use halfopen::results::zones::Zones;
use serde_json::Value;

use super::{Made, joined, told, truth};

fn evidence(text: &str) -> Evidence {
    Evidence {
        rule: "a.rule".to_owned(),
        text: text.to_owned(),
    }
}

fn software(part: Part, product: &str, text: &str) -> Software {
    Software {
        part,
        vendor: Some("Maker \u{1b}[2J".to_owned()),
        product: product.to_owned(),
        version: Some("9.2p1".to_owned()),
        revision: Some("Debian-2+deb12u3".to_owned()),
        cpe: Some("cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*".to_owned()),
        evidence: evidence(text),
    }
}

/// Port 2 of 192.0.2.3, which is open.
fn at() -> Endpoint {
    Endpoint {
        address: Address::new([192, 0, 2, 3].into()),
        port: 2,
    }
}

fn service() -> Service {
    Service {
        endpoint: at(),
        protocol: Some("ssh".to_owned()),
        basis: Basis::ByAnswer,
        tls: Some(Tls {
            begun: Begun::OnRequest,
            least: Some("TLS 1.0".into()),
            most: Some("TLS 1.3".into()),
            alpn: Some("h2".to_owned()),
            certificate: Some(Certificate {
                subject: "CN=\u{202e}evil".to_owned(),
                issuer: "CN=\"]]>".to_owned(),
                names: vec!["a.example".to_owned(), "192.0.2.3".to_owned()],
                not_before: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
                not_after: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
                validity: Validity::NotYetValid,
                trust: Trust::UnknownIssuer,
                sha256: [0xa5; 32],
            }),
        }),
        software: vec![
            software(Part::Application, "OpenSSH", "\\x1b"),
            software(Part::System, "Linux", "Debian"),
        ],
        details: Vec::new(),
        greeting: b"SSH-2.0-\x1b[2J\xff\\x00\r\n".to_vec(),
    }
}

fn system(text: &str, weight: f64) -> System {
    System {
        address: at().address,
        candidates: vec![Candidate {
            system: software(Part::System, "Linux", text),
            further: vec![evidence("further")],
            weight,
        }],
        signatures: vec![format!("4:64:0:1460:mss*44,7:mss:{text}:0")],
        hardware: Some(Hardware {
            mac: [2, 0, 0, 0xab, 0xcd, 0xef],
            registered: Registered::To {
                organisation: "Maker".to_owned(),
                dated: "2026-10-17".to_owned(),
            },
        }),
    }
}

fn finding() -> Finding {
    Finding {
        endpoint: at(),
        id: "CVE-2024-6387".to_owned(),
        judgement: Judgement::FixedByDistribution,
        software: "cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*".to_owned(),
        rule: "from 8.5 to before 9.8".to_owned(),
        evidence: evidence("OpenSSH_9.2p1"),
        exploited: Exploited::Known,
        epss: Some(0.25),
        score: Some(8.1),
        source: "nvd 2026-11-20".to_owned(),
    }
}

/// The scan with these events before the lines of its hosts.
fn with(lines: &str, events: &[Event]) -> String {
    let mut report = JsonLines::new(Show::of(&[]), Names::default());
    let mut told = Vec::new();
    for event in events {
        report.event(event, &mut told).expect("a vector takes all");
    }
    let told = String::from_utf8(told).expect("UTF-8");
    let hosts = lines.find("{\"type\":\"host\"").expect("hosts");
    let (before, after) = lines.split_at(hosts);
    format!("{before}{told}{after}")
}

fn scan() -> String {
    let made = Made {
        ports: "1-20",
        ..Made::part(0, 1)
    };
    made.lines(truth)
}

/// A scan that found something of everything.
pub(super) fn file() -> String {
    with(
        &scan(),
        &[
            Event::Service(Box::new(service())),
            Event::Finding(Box::new(finding())),
            Event::System(Box::new(system("MSS", 0.5))),
        ],
    )
}

#[test]
fn every_fact_comes_out_as_it_went_in() {
    let file = file();
    let (_, out) = joined(std::slice::from_ref(&file), Gaps::Allowed).expect("one scan");
    assert_eq!(out, file);
}

#[test]
fn a_host_that_every_part_tells_of_has_each_candidate_once() {
    let told_twice = with(
        &scan(),
        &[
            Event::System(Box::new(system("one", 0.25))),
            Event::System(Box::new(system("two", 0.75))),
        ],
    );
    let (_, out) = joined(&[told_twice], Gaps::Allowed).expect("one scan");
    let systems: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|value| value["type"] == "system")
        .collect();
    let [system] = systems.as_slice() else {
        panic!("{systems:?}");
    };
    let candidates = system["candidates"].as_array().expect("a list");
    assert_eq!(candidates.len(), 1, "{candidates:?}");
    assert_eq!(candidates[0]["weight"], 0.75);
    let told: Vec<&str> = std::iter::once(&candidates[0]["evidence"])
        .chain(candidates[0]["further"].as_array().expect("a list"))
        .filter_map(|evidence| evidence["text"].as_str())
        .collect();
    assert_eq!(told, ["one", "further", "two"]);
    assert_eq!(system["signatures"].as_array().map(Vec::len), Some(2));
}

/// Of such a host no port is open in the whole, so none would have been talked with.
#[test]
fn what_a_host_serves_that_answers_everything_is_not_told() {
    let made = |index| Made {
        targets: "192.0.2.3",
        ports: "1-1200",
        ..Made::part(index, 2)
    };
    let everything = |_: &Endpoint| (State::Open, Reason::SynAck);
    let parts: Vec<String> = (0..2).map(|index| made(index).lines(everything)).collect();
    let speaks = |part: &String| part.contains("\"port\":2,");
    let files: Vec<String> = parts
        .iter()
        .map(|part| {
            let facts = [
                Event::Service(Box::new(service())),
                Event::Finding(Box::new(finding())),
            ];
            let told = if speaks(part) { &facts[..] } else { &[] };
            with(part, told)
        })
        .collect();
    assert!(
        files
            .iter()
            .any(|file| file.contains("\"type\":\"finding\""))
    );
    let (joined, out) = joined(&files, Gaps::Refused).expect("one scan");
    assert_eq!((joined.summary.open, joined.summary.suspect), (0, 1_200));
    assert!(!out.contains("\"type\":\"service\""), "{out}");
    assert!(!out.contains("\"type\":\"finding\""), "{out}");
}

#[test]
fn facts_that_no_scan_can_have_written_are_named() {
    let file = file();
    for (was, is, expected) in [
        (
            "\"basis\":\"by answer\"",
            "\"basis\":\"by magic\"",
            "unknown word \"by magic\"",
        ),
        (
            "\"port\":2,\"protocol\":\"ssh\"",
            "\"port\":77,\"protocol\":\"ssh\"",
            "is not among the endpoints",
        ),
        (
            "\"judgement\":\"fixed",
            "\"judgement\":\"vulnerable",
            "unknown word",
        ),
        ("\"weight\":0.5", "\"weight\":7", "7 is not within 0 and 1"),
        ("\"epss\":0.25", "\"epss\":-1", "-1 is not within 0 and 1"),
        (
            "02:00:00:ab:cd:ef",
            "02:00:00:ab:cd:+f",
            "is no MAC address",
        ),
        ("\"a5a5", "\"a5a", "is no SHA-256"),
        ("2027-01-15T08:00:00", "2027-99-15T08:00:00", "is no moment"),
        (
            "\"signatures\":[",
            "\"signatures\":[7,",
            "not a line that halfopen writes",
        ),
    ] {
        let broken = file.replacen(was, is, 1);
        assert_ne!(broken, file, "{was}");
        let mistakes = told(std::slice::from_ref(&broken), Gaps::Allowed).join("\n");
        assert!(mistakes.contains(expected), "{mistakes}");
        let known = Known::read(Cursor::new(broken), "x", &mut Zones::default());
        assert!(known.is_err(), "{was}");
    }
}
