//! Targets.

use super::{Row, accepted, check, refused};
use crate::cli::scene::{self, Scene};

/// Rows of one target each.
fn check_targets(test: &str, rows: &[(&str, &str)]) {
    let typed: Vec<([&str; 2], [&str; 1])> = rows
        .iter()
        .map(|(target, expected)| (["--", *target], [*expected]))
        .collect();
    let rows: Vec<Row<'_>> = typed
        .iter()
        .map(|(typed, expected)| (&typed[..], &expected[..]))
        .collect();
    check(test, &rows);
}

#[test]
fn mistaken_addresses() {
    const NO_RANGE_END: &str =
        "is not complete: the range has no end; write 10.0.0.1-50 or 10.0.0.1-10.0.0.50";
    check_targets(
        "mistaken_addresses",
        &[
            ("", "empty target at argument 1"),
            (
                "256.1.1.1",
                r#""256.1.1.1" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"#,
            ),
            (
                "1.2.3",
                r#""1.2.3" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"#,
            ),
            (
                "1",
                r#""1" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"#,
            ),
            (
                "1.2.3.4.5",
                r#""1.2.3.4.5" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"#,
            ),
            (
                "010.0.0.1",
                r#"ambiguous number "010.0.0.1"; did you mean 10.0.0.1? (octal would be 8.0.0.1)"#,
            ),
            (
                "0x7f.1",
                r#"ambiguous number "0x7f.1"; did you mean 127.0.0.1?"#,
            ),
            (
                "2130706433",
                r#"ambiguous number "2130706433"; did you mean 127.0.0.1?"#,
            ),
            (
                "1.2.3.4/33",
                r#"the prefix length must be 0-32 (IPv6: 0-128): "1.2.3.4/33""#,
            ),
            (
                "1.2.3.4/-1",
                r#"the prefix length must be 0-32 (IPv6: 0-128): "1.2.3.4/-1""#,
            ),
            (
                "1.2.3.4/",
                r#"the prefix length must be 0-32 (IPv6: 0-128): "1.2.3.4/""#,
            ),
            (
                "1.2.3.4/24/8",
                r#"the prefix length must be 0-32 (IPv6: 0-128): "1.2.3.4/24/8""#,
            ),
            (
                "10.0.0.9-10.0.0.1",
                r#"the range "10.0.0.9-10.0.0.1" runs backwards; did you mean 10.0.0.1-10.0.0.9?"#,
            ),
            (
                "10.0.0.9-1",
                r#"the range "10.0.0.9-1" runs backwards; did you mean 10.0.0.1-9?"#,
            ),
            ("10.0.0.1-", &format!("\"10.0.0.1-\" {NO_RANGE_END}")),
            (
                "0.0.0.0",
                r#""0.0.0.0" is the unspecified address; 127.0.0.1 or ::1 is this machine"#,
            ),
            (
                "::",
                r#""::" is the unspecified address; 127.0.0.1 or ::1 is this machine"#,
            ),
            (
                "0.0.0.0/0",
                r#""0.0.0.0/0": 4,294,967,296 addresses: needs excludes and --allow-internet"#,
            ),
            (
                "255.255.255.255",
                r#""255.255.255.255" is a broadcast address; broadcast or multicast cannot be a TCP target"#,
            ),
            (
                "224.0.0.1",
                r#""224.0.0.1" is multicast; broadcast or multicast cannot be a TCP target"#,
            ),
            (
                "ff02::1",
                r#""ff02::1" is multicast; broadcast or multicast cannot be a TCP target"#,
            ),
            (
                "fe80::1",
                r#""fe80::1": a link-local address needs a zone: fe80::1%… (have: lo…)"#,
            ),
            ("fe80::1%nope", r#"no interface "nope" (have: lo…)"#),
            (
                "2001:db8::/32",
                r#"too many addresses in "2001:db8::/32"; the largest IPv6 prefix is /104"#,
            ),
        ],
    );
}

#[test]
fn mistaken_names() {
    check_targets(
        "mistaken_names",
        &[
            (
                "[::1]:80",
                r#"give the host only: "[::1]:80"; ports go to -p, prefix lengths to addresses"#,
            ),
            (
                "1.2.3.4:80",
                r#"give the host only: "1.2.3.4:80"; ports go to -p, prefix lengths to addresses"#,
            ),
            (
                "http://host/",
                r#"give the host only: "http://host/"; ports go to -p, prefix lengths to addresses"#,
            ),
            (
                &"a.".repeat(150),
                r#""a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...." is not a valid host name (299 characters, at most 253 are allowed)"#,
            ),
            (
                &"a".repeat(64),
                r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." is not a valid host name (a label has 64 characters, at most 63 are allowed)"#,
            ),
            (
                "a..b",
                r#""a..b" is not a valid host name (a label is empty)"#,
            ),
            (
                "-x",
                r#""-x" is not a valid host name (a label begins or ends with a hyphen)"#,
            ),
            (
                "a b",
                r#""a b" is not a valid host name (character 2 is a blank; separate targets as arguments)"#,
            ),
            (
                "a\x1b[2Jb",
                r#""a\x1b[2Jb" is not a valid host name (character 2 is a control character)"#,
            ),
            (
                "a\nb",
                r#""a\x0ab" is not a valid host name (character 2 is a control character)"#,
            ),
        ],
    );
    check(
        "mistaken_names",
        &[
            (
                &[],
                &["no targets given; name hosts, addresses or networks, such as 10.0.0.0/24"],
            ),
            (
                &["--json"],
                &["no targets given; name hosts, addresses or networks, such as 10.0.0.0/24"],
            ),
        ],
    );
}

#[test]
fn mistaken_excludes() {
    check(
        "mistaken_excludes",
        &[
            (
                &["127.0.0.1", "--exclude", "1.2.3.4/33"],
                &[
                    r#"refusing to scan, because "1.2.3.4/33" might be scanned by mistake: the prefix length must be 0-32 (IPv6: 0-128): "1.2.3.4/33""#,
                ],
            ),
            (
                &["127.0.0.1", "--exclude", "127.0.0.0/8"],
                &["nothing left to scan after the excludes"],
            ),
            (
                &["::ffff:127.0.0.1", "--exclude", "127.0.0.1"],
                &["nothing left to scan after the excludes"],
            ),
            (
                &["0.0.0.0/0", "--allow-internet"],
                &[r#""0.0.0.0/0": 4,294,967,296 addresses: needs excludes and --allow-internet"#],
            ),
            (
                &["0.0.0.0/0", "--exclude", "10.0.0.0/8"],
                &[r#""0.0.0.0/0": 4,294,967,296 addresses: needs excludes and --allow-internet"#],
            ),
        ],
    );
}

#[test]
fn the_broadcast_address_of_a_network_that_this_machine_is_on() {
    let test = "the_broadcast_address_of_a_network_that_this_machine_is_on";
    if !scene::possible(test) {
        return;
    }
    let typed = ["10.9.0.255"];
    let ended = Scene::new().run_after("ip address add 10.9.0.1/24 brd + dev lo", &typed, "");
    refused(
        &ended,
        &typed,
        2,
        &[r#""10.9.0.255" is a broadcast address; broadcast or multicast cannot be a TCP target"#],
    );
}

#[test]
fn names_that_have_no_address_are_the_environments_mistake() {
    if !scene::possible("names_that_have_no_address_are_the_environments_mistake") {
        return;
    }
    let scene = Scene::new();
    for (typed, code, expected) in [
        (
            &["nosuch", "-p", "1"][..],
            4,
            &[r#"cannot resolve "nosuch": no such name"#][..],
        ),
        (
            &["nowhere", "-p", "1"],
            4,
            &[r#"cannot resolve "nowhere": none of its addresses can be a TCP target"#],
        ),
        (
            &["127.0.0.1", "--exclude", "nosuch"],
            4,
            &[
                r#"refusing to scan, because "nosuch" might be scanned by mistake: cannot resolve "nosuch": no such name"#,
            ],
        ),
        // With a mistake of the user's beside it, that one counts.
        (
            &["nosuch", "-p", "0"],
            2,
            &["port 0 cannot be scanned; ports are 1-65535"],
        ),
    ] {
        refused(&scene.run(typed), typed, code, expected);
    }

    scene.etc("nsswitch.conf", "hosts: dns\n");
    scene.etc(
        "resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    );
    let silent = "nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o udp dport 53 drop'";
    for setup in [":", silent] {
        let typed = ["db.example", "-p", "1"];
        let ended = scene.run_after(setup, &typed, "");
        super::show(&typed, &ended);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert_eq!(
            ended.stderr,
            "error: cannot resolve \"db.example\": server failed or timed out\n"
        );
        // The questions were sent; the scan was not.
        assert_eq!(ended.before.tcp(), ended.after.tcp());
    }
}

#[test]
fn odd_targets_that_are_accepted() {
    if !scene::possible("odd_targets_that_are_accepted") {
        return;
    }
    let scene = Scene::new();
    let accepted = |typed: &[&str], notes: &[&str], hosts: u64| {
        let all = [&["-m", "connect", "--json", "-p", "1"][..], typed].concat();
        let report = accepted(&scene, &all, notes);
        let first: serde_json::Value =
            serde_json::from_str(report.lines().next().unwrap_or_default()).expect("JSON");
        assert_eq!(first["targets"], hosts, "{typed:?}");
    };
    accepted(
        &["127.0.0.9/29"],
        &[r#""127.0.0.9/29" is taken as 127.0.0.8/29"#],
        8,
    );
    accepted(&["::ffff:127.0.0.1"], &[], 1);
    accepted(
        &["127.0.0.1", "127.0.0.1", "127.0.0.0/30", "127.0.0.2-3"],
        &[],
        4,
    );
    accepted(&["two"], &[], 2);
    accepted(
        &["0.0.0.0-1", "--exclude", "0.0.0.1", "127.0.0.1"],
        &[r#""0.0.0.0-1": skipping 1 address that cannot be a TCP target (0.0.0.0)"#],
        1,
    );

    let ended = scene.run(&["-m", "connect", "-p", "1", "two", "one"]);
    let first = *ended.lines().first().expect("a line");
    assert!(
        first.contains("; one = 127.0.0.1; two = 127.0.0.1, 127.0.0.2"),
        "{first}"
    );
}
