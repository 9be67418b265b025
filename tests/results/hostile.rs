//! Files that no scan wrote.

use std::io::Cursor;

use halfopen::plan::MESSAGE_BYTES;
use halfopen::results::join::{Gaps, survey};
use halfopen::results::zones::Zones;
use proptest::prelude::*;

use super::{Made, joined, truth};

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
    ) {
        let file = Made::part(0, count).lines(truth).into_bytes();
        let file = damaged(file, &damages);
        // What is not UTF-8 goes to the reader as bytes; what is goes all the way.
        let _ = survey(Cursor::new(&file), "x", &mut Zones::default());
        if let Ok(text) = String::from_utf8(file) {
            let _ = joined(&[text], Gaps::Allowed);
        }
    }
}
