//! Files that no scan wrote.

use std::io::{Cursor, Read as _};

use halfopen::plan::MESSAGE_BYTES;
use halfopen::report::escape::is_plain;
use halfopen::report::names::Names;
use halfopen::results::changes;
use halfopen::results::diff::diff;
use halfopen::results::join::{Gaps, survey};
use halfopen::results::known::Known;
use halfopen::results::zones::Zones;
use proptest::prelude::*;

use super::{Made, identified, joined, truth};

fn refused(file: &str) -> String {
    survey(Cursor::new(file), "a\u{1b}[2J", &mut Zones::default())
        .expect_err("a mistake")
        .to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let good = Made::part(0, 1).lines(truth);
    let (head, rest) = good.split_once('\n').expect("lines");
    let port = rest.lines().next().expect("a port");
    let with = |line: &str| refused(&format!("{head}\n{line}\n"));
    for (told, expected) in [
        (refused(""), "is empty, or ends within its first line"),
        (
            refused("hello\n"),
            "line 1: not a line that halfopen writes",
        ),
        (
            refused(&format!("{port}\n")),
            "begin with a line of type scan",
        ),
        (refused(&head.replace("640", "641")), "is empty, or ends"),
        (
            refused(&format!("{}\n", head.replace("640", "641"))),
            "641 endpoints, but targets and ports are 640",
        ),
        (
            refused(&format!("{}\n", head.replace("1/1", "2/1"))),
            "shards are written I/N",
        ),
        (
            refused(&format!("{}\n", head.replace("192.0.2.0-", "192.0.2.99-"))),
            "is no range of addresses",
        ),
        (
            refused(&format!(
                "{}\n",
                head.replace("\"targets\":", "\"scope\":\"answering\",\"targets\":")
            )),
            "a scan with --ping, of which nobody can tell what it tested",
        ),
        (
            with(&port.replace("192.0.2.", "192.0.3.")),
            "is no address of this scan",
        ),
        (
            with(&port.replace("\"port\":", "\"port\":1")),
            "is not among the endpoints",
        ),
        (
            with(&port.replace("open", "ajar")),
            r#"unknown state "ajar""#,
        ),
        (
            with(&port.replace("open", "closed")),
            "which it does not show",
        ),
        (
            with(&port.replace("syn-ack", "\\u001b[2J")),
            r#"unknown reason "\x1b[2J""#,
        ),
        (
            with(&port.replace("\"time\":", "\"time\":-")),
            "a time that no scan can have taken",
        ),
        (with(r#"{"type":"port"}"#), "missing field"),
        (with(r#"{"type":"zebra"}"#), "unknown variant"),
        (with(head), "a second scan begins"),
        (
            refused(&format!("{good}{port}\n")),
            "nothing follows a summary",
        ),
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(
            told.len() <= MESSAGE_BYTES && !told.contains('\u{1b}'),
            "{told}"
        );
    }
}

#[test]
fn figures_that_cannot_be_are_refused() {
    let good = Made::part(0, 1).lines(truth);
    let lines: Vec<&str> = good.lines().collect();
    let summary = lines.last().expect("a summary");
    let huge = summary.replace("\"open\":", "\"open\":9223372036854775807,\"x\":");
    let host = lines
        .iter()
        .find(|line| line.contains("\"host\""))
        .expect("a host")
        .replace("\"count\":", "\"count\":1");
    for wrong in [huge, host] {
        let told = refused(&format!("{}\n{wrong}\n", lines[0]));
        assert!(
            told.contains("do not add up") || told.contains("of a host, and 40 were"),
            "{told}"
        );
    }
}

fn refused_xml(file: &str) -> String {
    Known::read(Cursor::new(file), "a\u{1b}[2J", &mut Zones::default())
        .expect_err("a mistake")
        .to_string()
}

const XML: &str = "<nmaprun><scaninfo protocol=\"tcp\" services=\"1-9\"/><host><address addr=\"192.0.2.1\" addrtype=\"ipv4\"/>\
                   <ports><port protocol=\"tcp\" portid=\"7\"><state state=\"open\"/></port></ports></host></nmaprun>";

#[test]
fn xml_that_no_scanner_wrote_is_refused_in_one_line() {
    for (file, expected) in [
        ("", "is neither JSON lines"),
        ("PK\x03\x04", "is neither JSON lines"),
        (
            "<html><body/></html>",
            "\"html\" where nmap and masscan have nmaprun",
        ),
        ("<?xml version=\"1.0\"?>", "ends before its first element"),
        (
            &XML.replace("192.0.2.1", "evil\u{1b}[2J"),
            r#""evil\x1b[2J" is no address"#,
        ),
        (&XML.replace("\"7\"", "\"65536\""), "is no port"),
        (&XML.replace("1-9", "9-1"), "services are no list of ports"),
        (&XML.replace("</host>", "</hose>"), "at byte"),
        (&"<nmaprun>".repeat(100), "elements in too many elements"),
        (
            &format!("<nmaprun><{}>", "x".repeat(1_000)),
            "of too long a name",
        ),
    ] {
        let told = refused_xml(file);
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(
            told.len() <= MESSAGE_BYTES && !told.contains('\u{1b}'),
            "{told}"
        );
    }
}

#[test]
fn entities_are_not_expanded() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let file = format!("{bomb}{}", XML.replace("open", "&b;"));
    let known = Known::read(Cursor::new(&file), "x", &mut Zones::default()).expect("XML");
    let host = known.hosts.values().next().expect("a host");
    assert_eq!(host.ports[&7].name(), "unknown");
}

#[test]
fn a_tag_without_an_end_does_not_fill_the_memory() {
    let head = "<nmaprun><host ".as_bytes();
    let endless = std::io::BufReader::new(head.chain(std::io::repeat(b'a')));
    let told = Known::read(endless, "x", &mut Zones::default())
        .expect_err("a mistake")
        .to_string();
    assert!(told.contains("markup of more than 8 MiB"), "{told}");
    // A million attributes are read in one walk.
    let many = format!("<nmaprun><host {}/></nmaprun>", "a=\"\" ".repeat(1_000_000));
    assert!(Known::read(Cursor::new(&many), "x", &mut Zones::default()).is_ok());
}

#[derive(Clone, Debug)]
enum Damage {
    Byte(usize, u8),
    Cut(usize),
    Twice(usize),
    Digits(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => any::<usize>().prop_map(Damage::Cut),
        1 => any::<usize>().prop_map(Damage::Twice),
        2 => any::<usize>().prop_map(Damage::Digits),
    ]
}

fn damaged(mut file: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let place = |at: &usize| at % file.len().max(1);
        match damage {
            Damage::Byte(at, byte) => {
                let at = place(at);
                if let Some(old) = file.get_mut(at) {
                    *old = *byte;
                }
            }
            Damage::Cut(at) => file.truncate(place(at)),
            Damage::Twice(at) => {
                let tail = file[place(at)..].to_vec();
                file.extend(tail);
            }
            // Numbers are where arithmetic breaks.
            Damage::Digits(at) => {
                let start = place(at);
                let digit = file[start..].iter().position(u8::is_ascii_digit);
                if let Some(digit) = digit {
                    file.splice(start + digit..start + digit, *b"9999999999");
                }
            }
        }
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_file_makes_merge_panic(
        damages in prop::collection::vec(damage(), 1..6),
        count in 1_u64..3,
        facts in any::<bool>(),
    ) {
        let lines = if facts { identified::file() } else { Made::part(0, count).lines(truth) };
        let file = lines.into_bytes();
        let file = damaged(file, &damages);
        // What is not UTF-8 goes to the reader as bytes; what is goes all the way.
        let _ = survey(Cursor::new(&file), "x", &mut Zones::default());
        if let Ok(text) = String::from_utf8(file) {
            let _ = joined(&[text], Gaps::Allowed);
        }
    }

    #[test]
    fn no_file_makes_diff_panic(
        damages in prop::collection::vec(damage(), 1..6),
        xml in any::<bool>(),
        other in any::<bool>(),
    ) {
        let ours = identified::file().into_bytes();
        let file = damaged(if xml { XML.as_bytes().to_vec() } else { ours.clone() }, &damages);
        let mut zones = Zones::default();
        let read = Known::read(Cursor::new(&file), "x", &mut zones);
        let good = if other { XML.as_bytes().to_vec() } else { ours };
        let good = Known::read(Cursor::new(&good), "y", &mut zones).expect("a scan");
        if let Ok(known) = read {
            let mut out = Vec::new();
            let names = Names { zones: zones.names(), ..Names::default() };
            for diff in [diff(&known, &good), diff(&good, &known)] {
                changes::text(&diff, &names, &mut out).expect("a vector takes all");
                changes::json(&diff, &names, &mut out).expect("a vector takes all");
            }
            let out = String::from_utf8(out).expect("UTF-8");
            prop_assert!(out.chars().all(|c| is_plain(c) || c == '\n'), "{}", out);
        }
    }
}
