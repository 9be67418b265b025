//! Bad and odd targets: one row for each, with the whole message.

use halfopen::model::Address;
use halfopen::plan::{Cause, HostName, Internet, Mistake, Parsed, TargetList, TargetSet};

use super::{lines, machine};

fn read(
    targets: &[&str],
    excludes: &[&str],
    internet: Internet,
) -> Result<Parsed<TargetSet>, Vec<Mistake>> {
    let mut list = TargetList::new(machine(), internet);
    targets.iter().for_each(|text| list.add(text));
    excludes.iter().for_each(|text| list.exclude(text));
    list.finish()
}

fn target_mistake(text: &str) -> String {
    let mistakes = lines(&read(&[text], &[], Internet::Refused).unwrap_err());
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.concat()
}

/// The set and the notes of an accepted target.
fn accepted(text: &str) -> (Vec<String>, Vec<String>) {
    let parsed = read(&[text], &[], Internet::Refused).unwrap();
    (
        parsed.set.ranges().map(|range| range.to_string()).collect(),
        lines(&parsed.notes),
    )
}

#[test]
fn mistaken_targets() {
    let not_v4 = |text: &str| {
        format!("\"{text}\" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)")
    };
    let prefix = |text: &str| format!("the prefix length must be 0-32 (IPv6: 0-128): \"{text}\"");
    let host_only = |text: &str| {
        format!("give the host only: \"{text}\"; ports go to -p, prefix lengths to addresses")
    };
    let name = |text: &str, why: &str| format!("\"{text}\" is not a valid host name ({why})");
    for (text, message) in [
        ("", "empty target at argument 1".to_string()),
        ("256.1.1.1", not_v4("256.1.1.1")),
        ("1.2.3", not_v4("1.2.3")),
        ("1", not_v4("1")),
        ("1.2.3.4.5", not_v4("1.2.3.4.5")),
        ("1..2", not_v4("1..2")),
        ("10.0.0.1-300", not_v4("10.0.0.1-300")),
        ("10.0.0.1-10.0.1", not_v4("10.0.0.1-10.0.1")),
        ("99999999999999999999", not_v4("99999999999999999999")),
        ("010.0.0.1", r#"ambiguous number "010.0.0.1"; did you mean 10.0.0.1? (octal would be 8.0.0.1)"#.to_string()),
        ("08.0.0.1", r#"ambiguous number "08.0.0.1"; did you mean 8.0.0.1?"#.to_string()),
        ("0x7f.1", r#"ambiguous number "0x7f.1"; did you mean 127.0.0.1?"#.to_string()),
        ("2130706433", r#"ambiguous number "2130706433"; did you mean 127.0.0.1?"#.to_string()),
        ("010.0.0.1-5", r#"ambiguous number "010.0.0.1-5": write octets without leading zeros"#.to_string()),
        ("1.2.3.4/33", prefix("1.2.3.4/33")),
        ("1.2.3.4/-1", prefix("1.2.3.4/-1")),
        ("1.2.3.4/", prefix("1.2.3.4/")),
        ("1.2.3.4/24/8", prefix("1.2.3.4/24/8")),
        ("1.2.3.4/+8", prefix("1.2.3.4/+8")),
        ("1.2.3.4/08", prefix("1.2.3.4/08")),
        ("2001:db8::/129", prefix("2001:db8::/129")),
        ("fe80::/120%eth0/120", prefix("fe80::/120%eth0/120")),
        (
            "10.0.0.9-10.0.0.1",
            r#"the range "10.0.0.9-10.0.0.1" runs backwards; did you mean 10.0.0.1-10.0.0.9?"#.to_string(),
        ),
        ("10.0.0.9-1", r#"the range "10.0.0.9-1" runs backwards; did you mean 10.0.0.1-9?"#.to_string()),
        (
            "2001:db8::9-2001:db8::1",
            r#"the range "2001:db8::9-2001:db8::1" runs backwards; did you mean 2001:db8::1-2001:db8::9?"#.to_string(),
        ),
        (
            "10.0.0.1-",
            r#""10.0.0.1-" is not complete: the range has no end; write 10.0.0.1-50 or 10.0.0.1-10.0.0.50"#.to_string(),
        ),
        ("-10.0.0.1", r#""-10.0.0.1" has no start; write 10.0.0.1-10.0.0.50"#.to_string()),
        (
            "10.0.0.1-5/24",
            r#""10.0.0.1-5/24" is a range with a prefix length; write 10.0.0.0/24 or 10.0.0.1-50"#.to_string(),
        ),
        (
            "1-254.1-254.1-254.1-254",
            r#""1-254.1-254.1-254.1-254" falls apart into too many ranges; write it with prefixes, such as 10.0.0.0/8"#.to_string(),
        ),
        ("0.0.0.0", r#""0.0.0.0" is the unspecified address; 127.0.0.1 or ::1 is this machine"#.to_string()),
        ("::", r#""::" is the unspecified address; 127.0.0.1 or ::1 is this machine"#.to_string()),
        (
            "0.0.0.0/0",
            r#""0.0.0.0/0": 4,294,967,296 addresses: needs excludes and --allow-internet"#.to_string(),
        ),
        (
            "0.0.0.0-255.255.255.255",
            r#""0.0.0.0-255.255.255.255": 4,294,967,296 addresses: needs excludes and --allow-internet"#.to_string(),
        ),
        (
            "64.0.0.0/7",
            r#""64.0.0.0/7": 33,554,432 addresses: needs excludes and --allow-internet"#.to_string(),
        ),
        (
            "255.255.255.255",
            r#""255.255.255.255" is a broadcast address; broadcast or multicast cannot be a TCP target"#.to_string(),
        ),
        (
            "10.9.0.255",
            r#""10.9.0.255" is a broadcast address; broadcast or multicast cannot be a TCP target"#.to_string(),
        ),
        ("224.0.0.1", r#""224.0.0.1" is multicast; broadcast or multicast cannot be a TCP target"#.to_string()),
        ("224.0.0.0/24", r#""224.0.0.0/24" is multicast; broadcast or multicast cannot be a TCP target"#.to_string()),
        ("ff02::1", r#""ff02::1" is multicast; broadcast or multicast cannot be a TCP target"#.to_string()),
        ("ff02::1%eth0", r#""ff02::1%eth0" is multicast; broadcast or multicast cannot be a TCP target"#.to_string()),
        (
            "fe80::1",
            r#""fe80::1": a link-local address needs a zone: fe80::1%eth0 (have: lo, eth0, br-lan)"#.to_string(),
        ),
        ("fe80::1%nope", r#"no interface "nope" (have: lo, eth0, br-lan)"#.to_string()),
        ("fe80::1%", r#"no interface "" (have: lo, eth0, br-lan)"#.to_string()),
        (
            "2001:db8::1%eth0",
            r#""2001:db8::1%eth0" has a zone that it does not need; only link-local addresses (fe80::/10) take one"#.to_string(),
        ),
        (
            "10.0.0.1%eth0",
            r#""10.0.0.1%eth0" has a zone that it does not need; only link-local IPv6 addresses (fe80::/10) take one"#.to_string(),
        ),
        (
            "fe80::1%eth0-fe80::9%eth0",
            r#""fe80::1%eth0-fe80::9%eth0" names a zone twice; write it once, at the end: fe80::1-fe80::9%eth0"#.to_string(),
        ),
        ("2001:db8::/32", r#"too many addresses in "2001:db8::/32"; the largest IPv6 prefix is /104"#.to_string()),
        (
            "2001:db8::-2001:db9::",
            r#"too many addresses in "2001:db8::-2001:db9::"; the largest IPv6 prefix is /104"#.to_string(),
        ),
        ("2001:db8:::1", r#""2001:db8:::1" is not an IPv6 address (such as 2001:db8::5)"#.to_string()),
        (
            "::ffff:1.2.3.4/90",
            r#""::ffff:1.2.3.4/90" reaches beyond the IPv4-mapped addresses; write the IPv4 prefix, such as 1.2.3.0/24"#.to_string(),
        ),
        ("[::1]:80", host_only("[::1]:80")),
        ("[::1]", host_only("[::1]")),
        ("1.2.3.4:80", host_only("1.2.3.4:80")),
        ("db.example:80", host_only("db.example:80")),
        ("http://host/", host_only("http://host/")),
        ("host/", host_only("host/")),
        ("a..b", name("a..b", "a label is empty")),
        ("-x", name("-x", "a label begins or ends with a hyphen")),
        ("a b", name("a b", "character 2 is a blank; separate targets as arguments")),
        ("10.0.0.1 10.0.0.2", name("10.0.0.1 10.0.0.2", "character 9 is a blank; separate targets as arguments")),
        ("10.0.0.1,10.0.0.2", name("10.0.0.1,10.0.0.2", "character 9 is ','; separate targets with blanks")),
        ("10.0.0.*", name("10.0.0.*", "character 8 is '*'; write 10.0.0.0/24 or 10.0.0.0-255")),
        ("host.5", name("host.5", "it ends in a number, like an address")),
        ("a\x1b[2Jb", name(r"a\x1b[2Jb", "character 2 is a control character")),
        ("a\0b", name(r"a\x00b", "character 2 is a control character")),
        ("a\nb", name(r"a\x0ab", "character 2 is a control character")),
        ("bücher.example", name(r"b\u{fc}cher.example", r"character 2 is not ASCII: \u{fc}; write the xn-- form")),
    ] {
        assert_eq!(target_mistake(text), message, "{text:?}");
    }
    let long_label = "a".repeat(64);
    assert_eq!(
        target_mistake(&long_label),
        format!(
            "\"{}...\" is not a valid host name (a label has 64 characters, at most 63 are allowed)",
            "a".repeat(32)
        )
    );
    let long_name = "a.".repeat(150);
    assert_eq!(
        target_mistake(&long_name),
        format!(
            "\"{}...\" is not a valid host name (299 characters, at most 253 are allowed)",
            "a.".repeat(16)
        )
    );
}

#[test]
fn accepted_targets() {
    for (text, ranges, notes) in [
        ("10.0.0.5", vec!["10.0.0.5"], vec![]),
        (
            "1.2.3.4/24",
            vec!["1.2.3.0-1.2.3.255"],
            vec![r#""1.2.3.4/24" is taken as 1.2.3.0/24"#],
        ),
        ("10.0.0.1-50", vec!["10.0.0.1-10.0.0.50"], vec![]),
        ("10.0.0.1-10.0.0.50", vec!["10.0.0.1-10.0.0.50"], vec![]),
        (
            "10.0.0-1.1-3",
            vec!["10.0.0.1-10.0.0.3", "10.0.1.1-10.0.1.3"],
            vec![],
        ),
        ("2001:db8::/120", vec!["2001:db8::-2001:db8::ff"], vec![]),
        (
            "2001:db8::1/127",
            vec!["2001:db8::-2001:db8::1"],
            vec![r#""2001:db8::1/127" is taken as 2001:db8::/127"#],
        ),
        (
            "2001:db8::1-2001:db8::9",
            vec!["2001:db8::1-2001:db8::9"],
            vec![],
        ),
        ("fe80::1%eth0", vec!["fe80::1%2"], vec![]),
        ("fe80::1%2", vec!["fe80::1%2"], vec![]),
        ("fe80::%br-lan/126", vec!["fe80::%7-fe80::3%7"], vec![]),
        ("fe80::/126%br-lan", vec!["fe80::%7-fe80::3%7"], vec![]),
        (
            "fe80::1-fe80::3%br-lan",
            vec!["fe80::1%7-fe80::3%7"],
            vec![],
        ),
        ("::ffff:1.2.3.4", vec!["1.2.3.4"], vec![]),
        (
            "::ffff:1.2.3.0/120",
            vec!["1.2.3.0-1.2.3.255"],
            vec![r#""::ffff:1.2.3.0/120" is taken as 1.2.3.0/24"#],
        ),
        (
            "10.9.0.252/30",
            vec!["10.9.0.252-10.9.0.254"],
            vec![r#""10.9.0.252/30": skipping 1 address that cannot be a TCP target (10.9.0.255)"#],
        ),
        (
            "223.255.255.254-224.0.0.1",
            vec!["223.255.255.254-223.255.255.255"],
            vec![
                r#""223.255.255.254-224.0.0.1": skipping 2 addresses that cannot be a TCP target (224.0.0.0-224.0.0.1)"#,
            ],
        ),
    ] {
        let (found, said) = accepted(text);
        assert_eq!(found, ranges, "{text}");
        assert_eq!(said, notes, "{text}");
    }
    let internet = read(&["0.0.0.0/0"], &["10.0.0.0/8"], Internet::Allowed).unwrap();
    // 224.0.0.0/4, the excluded /8 (which holds the broadcast address of this machine), 0.0.0.0 and 255.255.255.255.
    assert_eq!(internet.set.hosts(), (1 << 32) - (1 << 28) - (1 << 24) - 2);
}

#[test]
fn targets_and_excludes_in_any_order() {
    let none = lines(&read(&[], &[], Internet::Refused).unwrap_err());
    assert_eq!(
        none,
        ["no targets given; name hosts, addresses or networks, such as 10.0.0.0/24"]
    );
    let covered = lines(
        &read(
            &["10.0.0.0/24", "2001:db8::1"],
            &["10.0.0.0/8", "::/0"],
            Internet::Refused,
        )
        .unwrap_err(),
    );
    assert_eq!(covered, ["nothing left to scan after the excludes"]);
    let mapped = lines(&read(&["::ffff:1.2.3.4"], &["1.2.3.4"], Internet::Refused).unwrap_err());
    assert_eq!(mapped, ["nothing left to scan after the excludes"]);
    let twice = read(
        &["10.0.0.1", "10.0.0.1", "10.0.0.0/30"],
        &[],
        Internet::Refused,
    )
    .unwrap();
    assert_eq!(twice.set.hosts(), 4);

    let mut first = TargetList::new(machine(), Internet::Refused);
    first.exclude("10.0.0.2");
    first.add("10.0.0.0/30");
    let mut last = TargetList::new(machine(), Internet::Refused);
    last.add("10.0.0.0/30");
    last.exclude("10.0.0.2");
    assert_eq!(first.finish().unwrap(), last.finish().unwrap());

    let eights: Vec<String> = (11..=40).map(|first| format!("{first}.0.0.0/8")).collect();
    let eights: Vec<&str> = eights.iter().map(String::as_str).collect();
    assert_eq!(
        lines(&read(&eights, &[], Internet::Refused).unwrap_err()),
        ["all targets together: 503,316,480 addresses: needs excludes and --allow-internet"]
    );
}

#[test]
fn a_malformed_exclude_is_fatal_and_all_mistakes_are_told() {
    assert_eq!(
        lines(
            &read(
                &["10.0.0.1", "1.2.3", ""],
                &["10.0.0.x.5", "0.0.0.0/0", "fe80::1", "224.0.0.1"],
                Internet::Refused
            )
            .unwrap_err()
        ),
        [
            r#""1.2.3" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"#,
            "empty target at argument 3",
            r#"refusing to scan, because "10.0.0.x.5" might be scanned by mistake: "10.0.0.x.5" is not a valid host name (it ends in a number, like an address)"#,
        ]
    );
}

#[test]
fn names_wait_for_the_resolver() {
    let name = HostName::parse("DB.example").unwrap();
    let at = |text: &str| Address::new(text.parse().unwrap());
    let list = || {
        let mut list = TargetList::new(machine(), Internet::Refused);
        list.add("db.example");
        list
    };
    let mut all = list();
    assert_eq!(all.unresolved(), std::slice::from_ref(&name));
    all.resolve(
        &name,
        &[
            at("10.0.0.1"),
            at("2001:db8::1"),
            at("::ffff:10.0.0.2"),
            at("0.0.0.0"),
            at("fe80::1"),
        ],
    );
    assert!(all.unresolved().is_empty());
    let parsed = all.finish().unwrap();
    assert_eq!(parsed.set.hosts(), 3);
    assert_eq!(
        lines(&parsed.notes),
        [
            r#""db.example" resolves to 0.0.0.0, which cannot be a TCP target: skipped"#,
            r#""db.example" resolves to fe80::1, which cannot be a TCP target: skipped"#,
        ]
    );

    let mut nowhere = list();
    nowhere.resolve(&name, &[at("0.0.0.0")]);
    let mistakes = nowhere.finish().unwrap_err();
    assert_eq!(
        lines(&mistakes),
        [r#"cannot resolve "db.example": none of its addresses can be a TCP target"#]
    );

    for why in ["no such name", "server failed", "timed out"] {
        let mut failed = list();
        failed.fail(&name, why);
        let mistakes = failed.finish().unwrap_err();
        assert_eq!(
            lines(&mistakes),
            [format!("cannot resolve \"db.example\": {why}")]
        );
        assert_eq!(mistakes[0].cause(), Cause::Environment);
    }
    assert_eq!(
        lines(&list().finish().unwrap_err()),
        [r#"cannot resolve "db.example": it was not looked up"#]
    );

    let mut excluded = TargetList::new(machine(), Internet::Refused);
    excluded.add("10.0.0.0/30");
    excluded.exclude("db.example");
    let mut known = excluded.clone();
    known.resolve(&name, &[at("10.0.0.1")]);
    assert_eq!(known.finish().unwrap().set.hosts(), 3);
    excluded.fail(&name, "timed out");
    assert_eq!(
        lines(&excluded.finish().unwrap_err()),
        [
            r#"refusing to scan, because "db.example" might be scanned by mistake: cannot resolve "db.example": timed out"#
        ]
    );
}
