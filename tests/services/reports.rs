//! What was found out, in every format.

use std::time::UNIX_EPOCH;

use halfopen::model::State;
use halfopen::report::csv::Csv;
use halfopen::report::escape::is_plain;
use halfopen::report::fields::{FIELDS, SERVICE_FIELDS};
use halfopen::report::grepable::Grepable;
use halfopen::report::jsonl::JsonLines;
use halfopen::report::names::Names;
use halfopen::report::text::{Live, Text};
use halfopen::report::xml::Xml;
use halfopen::report::{Header, Report, Scope, Show};
use halfopen::{Event, Identify};

use super::{answers, greets, identified, over_tls};

fn written(mut report: impl Report, events: &[Event]) -> String {
    let header = Header {
        version: "1".to_owned(),
        mode: "connect".to_owned(),
        reason_for_mode: "asked for".to_owned(),
        scope: Scope::Ports,
        hosts: 1,
        only_host: None,
        ports: 3,
        endpoints: 3,
        seed: 0,
        shard: (1, 1),
        missing_shards: Vec::new(),
        target_list: vec!["127.0.0.1".to_owned()],
        port_list: "1-3".to_owned(),
        command: "halfopen".to_owned(),
        started: UNIX_EPOCH,
    };
    let mut out = Vec::new();
    report.start(&header, &mut out).expect("written");
    for event in events {
        report.event(event, &mut out).expect("written");
        if let Event::Summary(summary) = event {
            report.finish(summary, &mut out).expect("written");
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

fn show() -> Show {
    Show::of(&[State::Open])
}

fn all_formats(events: &[Event]) -> Vec<(&'static str, String)> {
    let names = Names::default;
    let fields = [&FIELDS[..], &SERVICE_FIELDS].concat();
    vec![
        (
            "text",
            written(Text::new(show(), names(), Live::AsFound, 80), events),
        ),
        ("json", written(JsonLines::new(show(), names()), events)),
        ("xml", written(Xml::new(show(), names()), events)),
        ("csv", written(Csv::new(show(), names(), fields), events)),
        ("grepable", written(Grepable::new(show(), names()), events)),
    ]
}

/// Nothing that a terminal obeys, no markup of theirs, no line that is too long.
pub fn nothing_gets_through(events: &[Event]) {
    for (format, text) in all_formats(events) {
        let mut others = text
            .chars()
            .filter(|c| !is_plain(*c) && !matches!(c, '\n' | '\r' | '\t'));
        assert_eq!(others.next(), None, "{format}: {text}");
        match format {
            "xml" => {
                let options = roxmltree::ParsingOptions {
                    allow_dtd: true,
                    ..roxmltree::ParsingOptions::default()
                };
                roxmltree::Document::parse_with_options(&text, options).expect("XML");
                assert!(
                    text.lines()
                        .all(|line| line.len() <= halfopen::report::xml::LONGEST_LINE)
                );
            }
            "json" => text.lines().for_each(|line| {
                serde_json::from_str::<serde_json::Value>(line).expect("JSON");
            }),
            "text" => {
                let figures = text.lines().count() - 1;
                assert!(
                    text.lines()
                        .take(figures)
                        .all(|line| line.chars().count() <= 80),
                    "{text}"
                );
            }
            _ => {}
        }
    }
}

#[test]
fn every_format_tells_what_was_found_out() {
    let ssh = greets(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    let web = over_tls("web.example", None, super::PAGE);
    let plain = answers(super::PAGE);
    let (events, _) = identified(&[ssh, web, plain], Identify::default());
    nothing_gets_through(&events);
    let formats = all_formats(&events);
    let of = |wanted: &str| {
        formats
            .iter()
            .find(|(format, _)| *format == wanted)
            .map_or("", |(_, text)| text.as_str())
    };

    let text = of("text");
    assert!(text.contains("ssh OpenSSH 9.2p1 (by answer)"), "{text}");
    assert!(
        text.contains("http over TLS nginx 1.22.1 (by answer)"),
        "{text}"
    );
    assert!(text.contains("tls: TLS 1.2 to TLS 1.3, http/1.1"), "{text}");
    assert!(text.contains("title: A page"), "{text}");
    assert!(text.contains("self-signed"), "{text}");

    let json: Vec<serde_json::Value> = of("json")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let service = json
        .iter()
        .find(|line| line["type"] == "service" && line["port"] == ssh)
        .expect("a service");
    assert_eq!(service["protocol"], "ssh");
    assert_eq!(service["basis"], "by answer");
    assert_eq!(service["software"][0]["version"], "9.2p1");
    assert_eq!(service["tls"], serde_json::Value::Null);
    let service = json
        .iter()
        .find(|line| line["type"] == "service" && line["port"] == web)
        .expect("a service");
    assert_eq!(service["tls"]["most"], "TLS 1.3");
    assert_eq!(service["details"]["title"], "A page");

    let xml = of("xml");
    assert!(xml.contains("<service name=\"ssh\" product=\"OpenSSH\" version=\"9.2p1\" extrainfo=\"Debian-2+deb12u3\""), "{xml}");
    assert!(xml.contains("<cpe>cpe:/a:openbsd:openssh:9.2"), "{xml}");
    assert!(
        xml.contains("tunnel=\"ssl\" method=\"probed\" conf=\"10\""),
        "{xml}"
    );

    let csv = of("csv");
    let line = csv
        .lines()
        .find(|line| line.contains(&format!(",{ssh},")))
        .expect("a line");
    assert!(
        line.contains(",ssh,") && line.contains(",by answer,") && line.contains(",OpenSSH,9.2p1,"),
        "{line}"
    );
    let line = csv
        .lines()
        .find(|line| line.contains(&format!(",{web},")))
        .expect("a line");
    assert!(line.contains(",tls,nginx,1.22.1,"), "{line}");
    assert!(
        of("grepable").contains("//ssh//OpenSSH\\x209.2p1/"),
        "{}",
        of("grepable")
    );
}

/// An open port must not be missing in a file because the program was killed during the talks.
#[test]
fn what_waits_for_its_service_stands_in_a_csv_that_is_not_ended() {
    let plain = answers(super::PAGE);
    let (events, _) = identified(&[plain], Identify::default());
    let fields = [&FIELDS[..], &SERVICE_FIELDS].concat();
    let mut csv = Csv::new(show(), Names::default(), fields);
    let (mut fixed, mut interim) = (Vec::new(), Vec::new());
    let verdict = events
        .iter()
        .find(|event| matches!(event, Event::Verdict(_)))
        .expect("a verdict");
    csv.event(verdict, &mut fixed).expect("written");
    csv.interim(&halfopen::Summary::default(), &mut interim)
        .expect("written");
    assert!(fixed.is_empty() && !interim.is_empty());
}
