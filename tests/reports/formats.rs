//! The formats for other programs: what they look like, and that any name whatever comes back out of them.

use std::collections::BTreeMap;

use halfopen::model::{Address, Event, Note, Reason, State, Summary};
use halfopen::report::csv::Csv;
use halfopen::report::escape::{is_plain, terminal, word};
use halfopen::report::fields::{self, FIELDS};
use halfopen::report::grepable::Grepable;
use halfopen::report::jsonl::JsonLines;
use halfopen::report::list::List;
use halfopen::report::names::Names;
use halfopen::report::xml::{LONGEST_LINE, Xml};
use halfopen::report::{Report, Show};
use proptest::prelude::*;

use super::{OPEN_AND_SUSPECT, Script, address, network, one_host, parsed, played, verdict};

#[test]
fn xml_of_one_host() {
    insta::assert_snapshot!(xml(&one_host(), &OPEN_AND_SUSPECT));
}

#[test]
fn xml_of_a_network() {
    insta::assert_snapshot!(xml(&network(), &OPEN_AND_SUSPECT));
}

#[test]
fn grepable_of_one_host() {
    insta::assert_snapshot!(grepable(&one_host(), &OPEN_AND_SUSPECT));
}

#[test]
fn csv_of_a_network() {
    insta::assert_snapshot!(csv(&network(), &State::ALL));
}

#[test]
fn list_of_one_host() {
    insta::assert_snapshot!(list(&one_host(), &OPEN_AND_SUSPECT));
}

#[test]
fn fields_are_chosen_and_ordered() {
    let chosen: Vec<_> = ["port", "state", "address"]
        .iter()
        .filter_map(|name| fields::named(name))
        .collect();
    let script = one_host();
    let show = Show::of(&[State::Open]);
    let csv = played(
        Csv::new(show, script.names.clone(), chosen.clone()),
        &script,
    );
    assert!(
        csv.starts_with("port,state,address\r\n443,open,10.9.0.2\r\n"),
        "{csv}"
    );
    let lines = JsonLines::new(show, script.names.clone()).with_fields(chosen);
    let lines = played(lines, &script);
    assert!(
        lines.contains(r#"{"type":"port","port":443,"state":"open","address":"10.9.0.2"}"#),
        "{lines}"
    );
}

/// What an importer may take for open is open, and nothing else.
#[test]
fn a_suspect_is_open_in_no_format() {
    let script = one_host();
    let text = xml(&script, &State::ALL);
    let document = document(&text);
    let open: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("state") && node.attribute("state") == Some("open"))
        .filter_map(|node| node.parent_element()?.attribute("portid"))
        .collect();
    assert_eq!(open, ["22", "443", "60000"]);
    assert!(grepable(&script, &State::ALL).contains(" 9/unfiltered/tcp"));
    assert!(list(&script, &State::ALL).contains("\nsuspect tcp 9 10.9.0.2 "));
}

/// A killed scan leaves what an interim end wrote.
#[test]
fn an_interim_end_is_a_whole_document_that_says_that_it_is_not_complete() {
    let script = network();
    let mut report = Xml::new(Show::of(&OPEN_AND_SUSPECT), script.names.clone());
    let mut head = Vec::new();
    report.start(&script.header, &mut head).expect("a vector");
    let so_far = Summary {
        interrupted: true,
        ..Summary::default()
    };
    for event in &script.events {
        report.event(event, &mut head).expect("a vector");
        let mut whole = head.clone();
        report.interim(&so_far, &mut whole).expect("a vector");
        let text = String::from_utf8(whole).expect("text");
        let document = document(&text);
        let finished = document
            .descendants()
            .find(|node| node.has_tag_name("finished"));
        let exit = finished.and_then(|finished| finished.attribute("exit"));
        assert_eq!(exit, Some("error"));
    }
}

/// Whatever is asked to be shown: formats that are set at the end keep no line for each of 65,535 closed ports.
#[test]
fn a_group_too_long_to_list_is_counted() {
    let mut script = one_host();
    script.events = (1..=5_000)
        .map(|port| verdict("10.9.0.2", port, State::Closed, Reason::Rst, None))
        .collect();
    for text in [xml(&script, &State::ALL), grepable(&script, &State::ALL)] {
        assert!(text.len() < 2_000, "{text}");
        assert!(text.contains("5000"), "{text}");
    }
}

#[test]
fn no_host_is_lost_for_want_of_open_ports_when_there_is_something_to_tell() {
    let mut script = network();
    script.events.push(Event::Host(halfopen::model::HostNote {
        address: Some(address("10.9.0.9")),
        note: Note::ResetsLimited,
    }));
    let text = xml(&script, &OPEN_AND_SUSPECT);
    assert!(text.contains("<host comment=\"rst-limited\">"), "{text}");
    // Ten hosts kept silent.
    assert!(
        text.contains("<hosts up=\"3\" down=\"251\" total=\"254\"/>"),
        "{text}"
    );
    assert!(!text.contains("10.9.0.20\""), "{text}");
}

proptest! {
    #[test]
    fn any_bytes_as_names_read_back_from_every_format(bytes in any_name()) {
        reads_back(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn names_that_attack_a_reader_read_back_from_every_format() {
    for name in [
        "",
        "=cmd|'/c calc'!A0",
        "@SUM(1+1)*cmd|'/c calc'!A0",
        "\"/><port portid=\"1\"/>",
        "]]>--><!-- &lol; <?x ?>",
        "a) \tPorts: 22/open/tcp//ssh///",
        "a\",\"b\r\nc,d",
        "\u{1b}[2J\u{0}\u{7f}\u{9b}\u{202e}\u{fffe}\u{ffff}",
        "\\x1b \\u{202e} \\",
        "-- --> - ---",
        &"\u{1f4a9}".repeat(4_000),
    ] {
        reads_back(name);
    }
}

/// Names as they are, and names of nothing but what formats are made of.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let syntax = prop::sample::select(b"\"'<>&/,;|=+-@()[]{}\\%:?! \t\r\n\0\x1b\x7f".to_vec());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(syntax, 0..100),
    ]
}

/// One scan with this name for its host, its zone and a service; every format is read by what it promises.
fn reads_back(name: &str) {
    let zoned = Address::new("fe80::1".parse().expect("an address")).with_zone(3);
    let mut script = one_host();
    script.names = Names {
        services: BTreeMap::from([(22, name.to_owned())]),
        zones: BTreeMap::from([(3, name.to_owned())]),
        hosts: BTreeMap::from([(zoned, name.to_owned())]),
    };
    script.header.only_host = Some(zoned);
    script.header.command = name.to_owned();
    for event in &mut script.events {
        if let Event::Verdict(verdict) = event {
            verdict.endpoint.address = zoned;
        }
    }
    let escaped = terminal(name);

    let text = xml(&script, &State::ALL);
    harmless(&text, &['\n']);
    let document = document(&text);
    let of = |tag: &str, attribute: &str| -> String {
        let node = document.descendants().find(|node| node.has_tag_name(tag));
        let value = node.and_then(|node| node.attribute(attribute));
        value.expect(tag).to_owned()
    };
    let clipped: String = name.chars().take(256).collect();
    assert_eq!(of("hostname", "name"), terminal(&clipped));
    assert_eq!(of("service", "name"), terminal(&clipped));
    assert_eq!(
        of("host", "comment"),
        format!("zone {}", terminal(&clipped))
    );
    assert_eq!(of("nmaprun", "args"), escaped);
    let body = text.split_once("<debugging").expect("the head ends").1;
    assert!(body.lines().all(|line| line.len() <= LONGEST_LINE));
    assert!(!body.contains("--") && !body.contains("<?"), "{body}");

    let lines = JsonLines::new(Show::of(&State::ALL), script.names.clone());
    let values = parsed(&played(lines, &script));
    let ssh = values.iter().find(|value| value["port"] == 22);
    let ssh = ssh.expect("port 22");
    assert_eq!(
        (ssh["service"].as_str(), ssh["name"].as_str()),
        (Some(name), Some(name))
    );

    let text = csv(&script, &State::ALL);
    harmless(&text, &['\r', '\n']);
    let rows = rows(&text);
    assert_eq!(rows.len(), 1 + script.events.len());
    assert!(rows.iter().all(|row| row.len() == FIELDS.len()), "{rows:?}");
    let formula = |cell: &String| cell.trim_start().starts_with(['=', '+', '-', '@', '\t']);
    assert!(!rows.iter().flatten().any(formula), "{rows:?}");
    let column = FIELDS
        .iter()
        .position(|field| field.name == "name")
        .expect("a name");
    let cell = &rows[1][column];
    assert_eq!(
        cell.strip_prefix('\'')
            .filter(|_| !escaped.starts_with('\''))
            .unwrap_or(cell),
        &escaped
    );

    let text = list(&script, &State::ALL);
    harmless(&text, &['\n']);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(
            (words.len(), words[3]),
            (5, format!("fe80::1%{}", word(name)).as_str()),
            "{line}"
        );
    }

    let text = grepable(&script, &State::ALL);
    harmless(&text, &['\n', '\t']);
    let line = text.lines().find(|line| line.contains("\tPorts: "));
    let parts: Vec<&str> = line.expect("ports").split('\t').collect();
    assert_eq!(
        parts[0],
        format!("Host: fe80::1%{} ({})", word(name), word(name))
    );
    let entries: Vec<&str> = parts[1].trim_start_matches("Ports: ").split(", ").collect();
    assert_eq!(entries.len(), 7, "{entries:?}");
    assert!(
        entries.iter().all(|entry| entry.split('/').count() == 8),
        "{entries:?}"
    );
}

fn harmless(text: &str, layout: &[char]) {
    let bad = text.chars().find(|c| !is_plain(*c) && !layout.contains(c));
    assert_eq!(bad, None, "{text}");
}

/// RFC 4180, read strictly.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' => {
                assert!(cell.is_empty(), "a quote within a cell: {text}");
                quoted = true;
            }
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(rest.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(
        row.is_empty() && cell.is_empty() && !quoted,
        "cut off: {text}"
    );
    rows
}

fn document(text: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    roxmltree::Document::parse_with_options(text, options)
        .unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

fn xml(script: &Script, show: &[State]) -> String {
    played(Xml::new(Show::of(show), script.names.clone()), script)
}

fn grepable(script: &Script, show: &[State]) -> String {
    played(Grepable::new(Show::of(show), script.names.clone()), script)
}

fn csv(script: &Script, show: &[State]) -> String {
    let csv = Csv::new(Show::of(show), script.names.clone(), FIELDS.to_vec());
    played(csv, script)
}

fn list(script: &Script, show: &[State]) -> String {
    played(List::new(Show::of(show), script.names.clone()), script)
}
