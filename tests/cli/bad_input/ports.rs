//! Ports.

use super::{Row, accepted, check};
use crate::cli::scene::{self, Scene};

/// The message for an item that is nothing, and the character that is wrong in it.
macro_rules! not_a_port {
    ($item:expr, $at:literal, $character:expr) => {
        concat!(
            "\"",
            $item,
            "\" is not a port, a range or a service name: character ",
            $at,
            " is \"",
            $character,
            "\"; write for example 80 or 8000-8100"
        )
    };
}

#[test]
fn mistaken_ports() {
    const EMPTY: &[&str] = &["the port list is empty; write for example 22,80 or well-known"];
    let rows: &[(&str, &[&str])] = &[
        ("", EMPTY),
        (" ", EMPTY),
        (",", &[r#"empty item at position 1 in ","; write 22,80"#]),
        (
            "80,",
            &[r#"empty item at position 2 in "80,"; write 22,80"#],
        ),
        (
            "80,,81",
            &[r#"empty item at position 2 in "80,,81"; write 22,80"#],
        ),
        ("0", &["port 0 cannot be scanned; ports are 1-65535"]),
        (
            "0-80",
            &[r#"port 0 cannot be scanned: "0-80"; ports are 1-65535"#],
        ),
        ("65536", &[r#""65536" is out of range (1-65535)"#]),
        (
            "12345678901234567890",
            &[r#""12345678901234567890" is out of range (1-65535)"#],
        ),
        (
            "1000-1",
            &["the range 1000-1 runs backwards; did you mean 1-1000?"],
        ),
        ("80-90-100", &[not_a_port!("80-90-100", "6", "-")]),
        ("8o", &[not_a_port!("8o", "2", "o")]),
        ("0x50", &[not_a_port!("0x50", "2", "x")]),
        ("1e3", &[not_a_port!("1e3", "2", "e")]),
        ("+80", &[not_a_port!("+80", "1", "+")]),
        (
            "８０",
            &[not_a_port!(r"\u{ff18}\u{ff10}", "1", r"\u{ff18}")],
        ),
        (
            "htpp",
            &[r#"unknown service or port set "htpp"; did you mean http?"#],
        ),
        (
            "80;81",
            &[r#"separate ports with commas or blanks: "80;81""#],
        ),
        (
            "T:80",
            &[r#""T:80": Halfopen scans TCP; write 80 (UDP is not supported)"#],
        ),
        (
            "U:53",
            &[r#""U:53": Halfopen scans TCP; write 53 (UDP is not supported)"#],
        ),
        ("*", &[r#""*" is not a port; write all"#]),
        (
            "top:0",
            &[r#"top:N takes 1 to 1,760, the number of ranked ports: "top:0""#],
        ),
        (
            "top:x",
            &[r#"top:N takes 1 to 1,760, the number of ranked ports: "top:x""#],
        ),
        (
            "top:99999",
            &[r#"top:N takes 1 to 1,760, the number of ranked ports: "top:99999""#],
        ),
        (
            "22,0,8o",
            &[
                "port 0 cannot be scanned; ports are 1-65535",
                not_a_port!("8o", "2", "o"),
            ],
        ),
    ];
    let typed: Vec<([&str; 3], &[&str])> = rows
        .iter()
        .map(|(ports, expected)| (["127.0.0.1", "-p", ports], *expected))
        .collect();
    let rows: Vec<Row<'_>> = typed
        .iter()
        .map(|(typed, expected)| (&typed[..], *expected))
        .collect();
    check("mistaken_ports", &rows);
}

#[test]
fn mistaken_excludes_of_ports() {
    check(
        "mistaken_excludes_of_ports",
        &[
            (
                &["127.0.0.1", "-p", "80", "--exclude-ports", "80"],
                &["nothing left to scan after the excludes"],
            ),
            (
                &["127.0.0.1", "--exclude-ports", "all"],
                &["nothing left to scan after the excludes"],
            ),
            (
                &["127.0.0.1", "-p", "80", "--exclude-ports", "8o"],
                &[concat!(
                    r#"refusing to scan, because "8o" might be scanned by mistake: "#,
                    not_a_port!("8o", "2", "o")
                )],
            ),
        ],
    );
}

#[test]
fn odd_ports_that_are_accepted() {
    if !scene::possible("odd_ports_that_are_accepted") {
        return;
    }
    let scene = Scene::new();
    let accepted = |ports: &str, notes: &[&str], expected: u64| {
        let report = accepted(
            &scene,
            &["-m", "connect", "127.0.0.1", "-v", "--json", "-p", ports],
            notes,
        );
        let first: serde_json::Value =
            serde_json::from_str(report.lines().next().unwrap_or_default()).expect("JSON");
        assert_eq!(first["ports"], expected, "{ports}");
    };
    accepted("-80", &[r#""-80" is taken as 1-80"#], 80);
    accepted("80-", &[r#""80-" is taken as 80-65535"#], 65_456);
    accepted("-", &[r#""-" is taken as 1-65535"#], 65_535);
    accepted("http", &["http = 80"], 1);
    accepted("22 80 443", &[], 3);
    accepted(
        "80,80,79-81",
        &["2 duplicates in the port list were merged"],
        3,
    );
    accepted("top:1", &[], 1);
}
