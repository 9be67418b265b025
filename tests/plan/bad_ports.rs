//! Bad and odd ports: one row for each, with the whole message.

use halfopen::plan::{Loudness, PortSet, ranked_ports};

use super::lines;

fn port_mistake(text: &str) -> String {
    let mistakes = lines(&PortSet::parse(text).unwrap_err());
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.concat()
}

fn ports(text: &str) -> (String, Vec<String>) {
    let parsed = PortSet::parse(text).unwrap();
    (parsed.set.to_string(), lines(&parsed.notes))
}

#[test]
fn mistaken_ports() {
    let bad_number = |text: &str, at: usize, wrong: &str| {
        format!(
            "\"{text}\" is not a port, a range or a service name: character {at} is \"{wrong}\"; write for example 80 or 8000-8100"
        )
    };
    let empty = "the port list is empty; write for example 22,80 or well-known";
    for (text, message) in [
        ("", empty.to_string()),
        (" \t", empty.to_string()),
        (",", r#"empty item at position 1 in ","; write 22,80"#.to_string()),
        ("80,", r#"empty item at position 2 in "80,"; write 22,80"#.to_string()),
        ("80,,81", r#"empty item at position 2 in "80,,81"; write 22,80"#.to_string()),
        ("22 23,,81", r#"empty item at position 3 in "22 23,,81"; write 22,80"#.to_string()),
        ("0", "port 0 cannot be scanned; ports are 1-65535".to_string()),
        ("0-80", r#"port 0 cannot be scanned: "0-80"; ports are 1-65535"#.to_string()),
        ("65536", r#""65536" is out of range (1-65535)"#.to_string()),
        ("1-70000", r#""1-70000" is out of range (1-65535)"#.to_string()),
        ("99999999999999999999", r#""99999999999999999999" is out of range (1-65535)"#.to_string()),
        ("1000-1", "the range 1000-1 runs backwards; did you mean 1-1000?".to_string()),
        ("80-90-100", bad_number("80-90-100", 6, "-")),
        ("8o", bad_number("8o", 2, "o")),
        ("0x50", bad_number("0x50", 2, "x")),
        ("1e3", bad_number("1e3", 2, "e")),
        ("+80", bad_number("+80", 1, "+")),
        ("--", bad_number("--", 2, "-")),
        ("８0", bad_number(r"\u{ff18}0", 1, r"\u{ff18}")),
        ("ht\x1btp", bad_number(r"ht\x1btp", 3, r"\x1b")),
        ("http:80", bad_number("http:80", 5, ":")),
        ("htpp", r#"unknown service or port set "htpp"; did you mean http?"#.to_string()),
        ("wellknown", r#"unknown service or port set "wellknown"; did you mean well-known?"#.to_string()),
        (
            "qqqqqqqq",
            r#"unknown service or port set "qqqqqqqq"; write a number, a range or a name such as http"#.to_string(),
        ),
        ("80;81", r#"separate ports with commas or blanks: "80;81""#.to_string()),
        ("T:80", r#""T:80": Halfopen scans TCP; write 80 (UDP is not supported)"#.to_string()),
        ("U:53", r#""U:53": Halfopen scans TCP; write 53 (UDP is not supported)"#.to_string()),
        ("*", r#""*" is not a port; write all"#.to_string()),
    ] {
        assert_eq!(port_mistake(text), message, "{text:?}");
    }
    let ranked = ranked_ports().len();
    for text in [
        "top:0",
        "top:x",
        "top:99999",
        "top:-5",
        "top:+5",
        "TOP:0",
        "top",
        "top100",
    ] {
        assert_eq!(
            port_mistake(text),
            format!(
                "top:N takes 1 to {},{:03}, the number of ranked ports: \"{text}\"",
                ranked / 1000,
                ranked % 1000
            )
        );
    }
}

#[test]
fn accepted_ports() {
    for (text, set, notes) in [
        ("80", "80", vec![]),
        ("443,80", "80,443", vec![]),
        ("-80", "1-80", vec![r#""-80" is taken as 1-80"#]),
        (
            "65000-",
            "65000-65535",
            vec![r#""65000-" is taken as 65000-65535"#],
        ),
        ("-", "1-65535", vec![r#""-" is taken as 1-65535"#]),
        ("all", "1-65535", vec![]),
        ("Well-Known", "1-1023", vec![]),
        ("registered", "1-49151", vec![]),
        ("common", "20-23,25,53,80,110,443", vec![]),
        ("top:3", "22,80,443", vec![]),
        ("TOP:2,22", "22,80,443", vec![]),
        ("http", "80", vec!["http = 80"]),
        ("ircu", "6665-6669", vec!["ircu = 6665,6666,6667,6668,6669"]),
        ("22 80 443", "22,80,443", vec![]),
        (" 22 , 80\t443\n", "22,80,443", vec![]),
        (
            "80,80,79-81",
            "79-81",
            vec!["2 duplicates in the port list were merged"],
        ),
        (
            "80,80",
            "80",
            vec!["1 duplicate in the port list was merged"],
        ),
    ] {
        let (found, said) = ports(text);
        assert_eq!(
            (found.as_str(), said),
            (set, notes.iter().map(ToString::to_string).collect()),
            "{text:?}"
        );
    }
    assert_eq!(
        PortSet::parse("http").unwrap().notes[0].loudness(),
        Loudness::Verbose
    );
    assert_eq!(
        PortSet::parse("-80").unwrap().notes[0].loudness(),
        Loudness::Always
    );
}

#[test]
fn excluded_ports() {
    let set = |text: &str| PortSet::parse(text).unwrap().set;
    assert_eq!(
        set("1-100").without(&set("22,80-90")).unwrap().to_string(),
        "1-21,23-79,91-100"
    );
    assert_eq!(
        set("80").without(&set("80")).unwrap_err().to_string(),
        "nothing left to scan after the excludes"
    );
    assert_eq!(
        lines(&PortSet::parse_excluded("8o").unwrap_err()),
        [
            r#"refusing to scan, because "8o" might be scanned by mistake: "8o" is not a port, a range or a service name: character 2 is "o"; write for example 80 or 8000-8100"#
        ]
    );
}

#[test]
fn every_mistake_of_a_port_list_is_told() {
    assert_eq!(
        lines(&PortSet::parse("22,0,8o,80,70000").unwrap_err()),
        [
            "port 0 cannot be scanned; ports are 1-65535",
            r#""8o" is not a port, a range or a service name: character 2 is "o"; write for example 80 or 8000-8100"#,
            r#""70000" is out of range (1-65535)"#,
        ]
    );
    let many = lines(&PortSet::parse("0,".repeat(100_000).trim_end_matches(',')).unwrap_err());
    assert_eq!(many.len(), 17);
    assert_eq!(many[16], "99984 more mistakes in the port list");
}
