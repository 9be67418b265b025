//! Two scans compared: only what both speak of, and only what is certain.

use std::io::Cursor;

use halfopen::model::{Endpoint, Reason, State};
use halfopen::plan::Shard;
use halfopen::report::names::Names;
use halfopen::results::changes::{json, text};
use halfopen::results::diff::{Diff, diff};
use halfopen::results::known::Known;
use halfopen::results::zones::Zones;

use super::{Made, truth};

fn compared(old: &str, new: &str) -> (Diff, Names) {
    let mut zones = Zones::default();
    let mut read = |file: &str| Known::read(Cursor::new(file), "x", &mut zones).expect("a scan");
    let (old, new) = (read(old), read(new));
    let names = Names {
        zones: zones.names(),
        ..Names::default()
    };
    (diff(&old, &new), names)
}

fn told(old: &str, new: &str) -> String {
    let (diff, names) = compared(old, new);
    let mut out = Vec::new();
    text(&diff, &names, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

fn made(show: &[State], truth: fn(&Endpoint) -> (State, Reason)) -> String {
    let made = Made {
        show: show.to_vec(),
        ..Made::part(0, 1)
    };
    made.lines(truth)
}

const SHOWN: [State; 2] = [State::Open, State::Suspect];

fn no_error(endpoint: &Endpoint) -> (State, Reason) {
    match truth(endpoint) {
        (State::Error, _) => (State::Closed, Reason::Rst),
        other => other,
    }
}

fn host(endpoint: &Endpoint) -> u8 {
    match endpoint.address.ip {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(_) => 0,
    }
}

/// 192.0.2.3:12 has closed (as its neighbours are: admin-prohibited), 192.0.2.1:30 has opened.
fn changed(endpoint: &Endpoint) -> (State, Reason) {
    match (host(endpoint), endpoint.port) {
        (0, 12) => (State::Closed, Reason::Rst),
        (1, 30) => (State::Open, Reason::SynAck),
        _ => no_error(endpoint),
    }
}

/// 192.0.2.0 and 192.0.2.1 are gone.
fn gone(endpoint: &Endpoint) -> (State, Reason) {
    match host(endpoint) {
        0 | 1 => (State::Filtered, Reason::NoAnswer),
        _ => no_error(endpoint),
    }
}

#[test]
fn a_scan_is_the_same_as_itself_however_much_it_lists() {
    for old in [&SHOWN[..], &State::ALL] {
        for new in [&SHOWN[..], &State::ALL] {
            let (diff, _) = compared(&made(old, no_error), &made(new, no_error));
            assert!(diff.is_same(), "{diff:?}");
            assert_eq!(diff.reach.compared, Some(640));
        }
    }
}

#[test]
fn what_opened_and_what_closed_is_told_and_nothing_else() {
    for old in [&SHOWN[..], &State::ALL] {
        for new in [&SHOWN[..], &State::ALL] {
            assert_eq!(
                told(&made(old, no_error), &made(new, changed)),
                "192.0.2.0\n     12  open -> closed\n192.0.2.1\n     30  closed -> open\n\n\
                 2 changes at 2 hosts; 640 endpoints compared\n"
            );
        }
    }
}

#[test]
fn a_host_that_is_gone_or_came_is_told_with_all_its_ports() {
    let (before, after) = (made(&SHOWN, no_error), made(&SHOWN, gone));
    let text = told(&before, &after);
    assert!(
        text.starts_with("192.0.2.0 does not answer any more\n      2  open -> filtered\n"),
        "{text}"
    );
    assert!(
        text.contains("\n  36 ports: closed -> filtered\n"),
        "{text}"
    );
    assert!(
        text.contains("\n192.0.2.1 does not answer any more\n  40 ports: closed -> filtered\n"),
        "{text}"
    );
    assert!(text.contains("80 changes at 2 hosts"), "{text}");
    let back = told(&after, &before);
    assert!(
        back.starts_with("192.0.2.0 answers now, and did not\n"),
        "{back}"
    );
}

#[test]
fn a_smaller_scan_closes_nothing() {
    let whole = made(&SHOWN, no_error);
    let fewer_ports = Made {
        ports: "1-10",
        ..Made::part(0, 1)
    };
    let fewer_hosts = Made {
        targets: "192.0.2.4-9",
        ..Made::part(0, 1)
    };
    for (made, endpoints, only_old) in [(fewer_ports, 160, 28), (fewer_hosts, 240, 16)] {
        let smaller = made.lines(no_error);
        let (diff, _) = compared(&whole, &smaller);
        assert!(diff.is_same(), "{diff:?}");
        assert_eq!(diff.reach.compared, Some(endpoints));
        assert_eq!((diff.reach.only_old, diff.reach.only_new), (only_old, 0));
        assert!(compared(&smaller, &whole).0.is_same());
    }
}

#[test]
fn a_part_of_a_scan_speaks_of_its_own_endpoints_alone() {
    let whole = made(&SHOWN, changed);
    let (mut changes, mut compared_endpoints) = (0, 0);
    for index in 0..3 {
        let (diff, _) = compared(&Made::part(index, 3).lines(no_error), &whole);
        compared_endpoints += diff.reach.compared.expect("few enough to be counted");
        changes += diff.changes();
    }
    assert_eq!(compared_endpoints, 640);
    // Of what a part does not list it says less than the whole does, but never anything wrong.
    assert!((1..=2).contains(&changes), "{changes}");
}

#[test]
fn what_was_not_tested_did_not_change() {
    let whole = made(&SHOWN, no_error);
    // Killed: nothing but what is listed is known.
    let cut = whole.find(r#"{"type":"host""#).expect("a host");
    let killed = &whole[..cut];
    let (diff, _) = compared(&made(&SHOWN, changed), killed);
    assert_eq!(diff.changes(), 1, "{diff:?}");
    let listed = killed.matches(r#"{"type":"port""#).count() as u64;
    assert_eq!(diff.reach.compared, Some(listed));
    // 192.0.2.7 has one port that our own side could not test, so what it does not list may be that.
    let (diff, _) = compared(&made(&State::ALL, truth), &made(&SHOWN, no_error));
    assert!(diff.is_same(), "{diff:?}");
    let opened = |endpoint: &Endpoint| match (host(endpoint), endpoint.port) {
        (7, 9) => (State::Open, Reason::SynAck),
        _ => no_error(endpoint),
    };
    let (diff, _) = compared(&made(&SHOWN, truth), &made(&SHOWN, opened));
    assert!(diff.is_same(), "{diff:?}");
}

#[test]
fn programs_get_a_line_for_each_change() {
    let (diff, names) = compared(&made(&SHOWN, no_error), &made(&SHOWN, gone));
    let mut out = Vec::new();
    json(&diff, &names, &mut out).expect("a vector takes all");
    let out = String::from_utf8(out).expect("UTF-8");
    let lines: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines[0],
        serde_json::json!({"type": "host", "address": "192.0.2.0", "change": "vanished"})
    );
    assert_eq!(
        lines[1],
        serde_json::json!({"type": "change", "address": "192.0.2.0", "port": 2, "protocol": "tcp",
                           "old": "open", "new": "filtered"})
    );
    assert_eq!(lines[5]["ports"], "1,3-11,13-21,23-31,33-40");
    assert_eq!(
        lines.last().expect("a summary"),
        &serde_json::json!({"type": "summary", "same": false, "changes": 80, "hosts": 2,
                            "compared": 640, "compared_at_least": 640, "endpoints_old": 640,
                            "endpoints_new": 640, "only_old": 0, "only_new": 0})
    );
}

/// As nmap writes it, as far as anybody reads it.
fn nmap(hosts: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner=\"nmap\" \
         args=\"nmap -p 1-40 192.0.2.0/28\" version=\"7.93\">\n\
         <scaninfo type=\"syn\" protocol=\"tcp\" numservices=\"40\" services=\"1-40\"/>\n{hosts}\
         <runstats><finished exit=\"success\"/><hosts up=\"1\" down=\"15\" total=\"16\"/></runstats>\n</nmaprun>\n"
    )
}

fn nmap_host(address: &str, extra: &str, open: &[u16]) -> String {
    let ports: String = open
        .iter()
        .map(|port| {
            format!(
                "<port protocol=\"tcp\" portid=\"{port}\"><state state=\"open\" reason=\"syn-ack\"/>\
                 <service name=\"&lt;x&gt;\"/></port>"
            )
        })
        .collect();
    format!(
        "<host><status state=\"up\"/><address addr=\"{address}\" addrtype=\"ipv4\"/>\
         <address addr=\"0A:8E:C0:48:B3:28\" addrtype=\"mac\"/><ports>{extra}\
         <port protocol=\"udp\" portid=\"53\"><state state=\"open\"/></port>{ports}</ports></host>\n"
    )
}

const CLOSED: &str = "<extraports state=\"closed\" count=\"36\"/>";

#[test]
fn nmap_and_halfopen_agree_on_what_both_saw() {
    let ours = made(&SHOWN, no_error);
    let theirs = nmap(&nmap_host("192.0.2.0", CLOSED, &[2, 12, 22, 32]));
    let (diff, _) = compared(&ours, &theirs);
    // All other targets are down, by what nmap says of its targets.
    assert_eq!(diff.hosts.len(), 10, "{diff:?}");
    let only_this = theirs
        .replace("192.0.2.0/28", "192.0.2.0")
        .replace("total=\"16\"", "total=\"1\"");
    let (diff, _) = compared(&ours, &only_this);
    assert!(diff.is_same(), "{diff:?}");
    assert_eq!(diff.reach.compared, Some(40));
    let closed = nmap(&nmap_host("192.0.2.0", CLOSED, &[2, 22, 32, 33]))
        .replace("total=\"16\"", "total=\"17\"");
    assert_eq!(
        told(&ours, &closed),
        "192.0.2.0\n     12  open -> closed\n     33  closed -> open\n\n\
         2 changes at 1 host; 40 endpoints compared, 600 of OLD were not; 30 open ports only OLD covers\n"
    );
}

#[test]
fn a_target_that_nmap_found_down_has_vanished() {
    const CLOSED: &str = "<extraports state=\"closed\" count=\"39\"/>";
    let up = nmap(&(nmap_host("192.0.2.0", CLOSED, &[2]) + &nmap_host("192.0.2.9", CLOSED, &[2])));
    let one = nmap(&nmap_host("192.0.2.0", CLOSED, &[2]));
    let vanished = "192.0.2.9 does not answer any more\n\n1 change at 1 host; 40 endpoints compared, 40 of OLD were not\n";
    assert_eq!(told(&up, &one), vanished);
    // With -v it says so itself.
    let down =
        "<host><status state=\"down\"/><address addr=\"192.0.2.9\" addrtype=\"ipv4\"/></host>";
    let said = nmap(&(nmap_host("192.0.2.0", CLOSED, &[2]) + down)).replace("192.0.2.0/28", "x");
    assert_eq!(told(&up, &said), vanished);
    // Where its targets cannot be read from its command line nobody knows.
    for args in [
        "192.0.2.0/28 --exclude 192.0.2.9",
        "-&#45;exclude x 192.0.2.0/28",
        "192.0.2.0/28 198.51.100.1",
        "host.example",
        "192.0.2.0/28 &undefined;",
    ] {
        let unknown = one.replace("192.0.2.0/28", args);
        assert_eq!(
            told(&up, &unknown),
            "no change; 40 endpoints compared, 40 of OLD were not; 1 open port only OLD covers\n",
            "{args}"
        );
    }
}

#[test]
fn of_masscan_only_the_list_is_known() {
    let port = |port: u16| {
        format!(
            "<host endtime=\"1\"><address addr=\"192.0.2.0\" addrtype=\"ipv4\"/><ports><port protocol=\"tcp\" \
             portid=\"{port}\"><state state=\"open\" reason=\"syn-ack\" reason_ttl=\"64\"/></port></ports></host>\n"
        )
    };
    let mass = |ports: &[u16]| {
        let hosts: String = ports.iter().copied().map(port).collect();
        format!(
            "<?xml version=\"1.0\"?>\n<!-- masscan v1.0 scan -->\n<nmaprun scanner=\"masscan\" version=\"1.0-BETA\">\n\
             <scaninfo type=\"syn\" protocol=\"tcp\" />\n{hosts}<runstats>\n<hosts up=\"6\" down=\"0\" total=\"6\" />\n\
             </runstats>\n</nmaprun>\n"
        )
    };
    let ours = made(&SHOWN, no_error);
    assert_eq!(
        told(&mass(&[2, 12]), &ours),
        "no change; 2 endpoints compared, 638 of NEW were not; 32 open ports only NEW covers\n"
    );
    assert_eq!(
        told(&mass(&[2, 13]), &ours),
        "192.0.2.0\n     13  open -> closed\n\n1 change at 1 host; 2 endpoints compared, 638 of NEW were not; 33 open ports only NEW covers\n"
    );
    // What it does not list it may have missed.
    assert!(compared(&ours, &mass(&[2])).0.is_same());
}

#[test]
fn nmaps_words_are_taken_for_what_they_mean() {
    for (state, same_as_open, same_as_closed) in [
        ("open", true, false),
        ("open|filtered", true, false),
        ("closed|filtered", false, true),
        ("unfiltered", true, true),
        ("filtered", false, false),
    ] {
        let of = |port: u16| {
            let port = format!(
                "<port protocol=\"tcp\" portid=\"{port}\"><state state=\"{state}\"/></port>"
            );
            nmap(&nmap_host("192.0.2.0", &port, &[12, 22, 32])).replace("192.0.2.0/28", "x")
        };
        let ours = made(&State::ALL, no_error);
        assert_eq!(compared(&ours, &of(2)).0.is_same(), same_as_open, "{state}");
        let open_elsewhere = nmap_host("192.0.2.0", "", &[2, 12, 22, 32]);
        let closed = nmap(&open_elsewhere.replace(
            "</ports>",
            &format!(
                "<port protocol=\"tcp\" portid=\"3\"><state state=\"{state}\"/></port></ports>"
            ),
        ))
        .replace("192.0.2.0/28", "x");
        assert_eq!(
            compared(&ours, &closed).0.is_same(),
            same_as_closed,
            "{state}"
        );
    }
}

#[test]
fn parts_merged_with_gaps_speak_of_what_they_have() {
    let files: Vec<String> = [0, 1, 3]
        .map(|index| Made::part(index, 4).lines(no_error))
        .to_vec();
    let (_, merged) = super::joined(&files, super::Gaps::Allowed).expect("three parts");
    let (diff, _) = compared(&made(&SHOWN, no_error), &merged);
    assert!(diff.is_same(), "{diff:?}");
    let fourth = Made {
        shard: Shard::new(2, 4).expect("a shard"),
        ..Made::part(0, 1)
    };
    let (diff, _) = compared(&fourth.lines(no_error), &merged);
    assert!(diff.is_same());
    assert!(diff.reach.only_old > 0, "{diff:?}");
}

/// Half of the ports were never asked: what was open there has not closed.
#[test]
fn a_scan_that_was_cut_short_closed_ports_that_it_had_not_asked() {
    let file = |scanner: &str, rest: &str| {
        format!(
            r#"<nmaprun scanner="{scanner}"><scaninfo type="syn" protocol="tcp" numservices="4" services="1-4"/><host><address addr="192.0.2.1" addrtype="ipv4"/><ports>{rest}</ports></host></nmaprun>"#
        )
    };
    let open = r#"<port protocol="tcp" portid="3"><state state="open" reason="syn-ack"/></port>"#;
    let whole = r#"<extraports state="closed" count="3"/>"#;
    let half = r#"<extraports state="closed" count="2"/>"#;
    for scanner in ["halfopen", "nmap"] {
        let old = file(scanner, &format!("{whole}{open}"));
        let (cut, _) = compared(&old, &file(scanner, half));
        assert!(cut.is_same(), "{scanner}");
        let closed = file(scanner, r#"<extraports state="closed" count="4"/>"#);
        let (closed, _) = compared(&old, &closed);
        assert!(!closed.is_same(), "{scanner}");
    }
    // Not even one port was counted.
    let old = file("halfopen", &format!("{whole}{open}"));
    let (nothing, _) = compared(&old, &file("halfopen", ""));
    assert!(nothing.is_same());
}

/// Two programs name the same software differently, and a name by the port's number is nobody's word.
#[test]
fn software_is_compared_in_the_words_of_one_program() {
    let file = |scanner: &str, service: &str| {
        format!(
            r#"<nmaprun scanner="{scanner}"><scaninfo type="syn" protocol="tcp" numservices="2" services="22,80"/><host><address addr="192.0.2.1" addrtype="ipv4"/><ports><port protocol="tcp" portid="22"><state state="open"/><service {service}/></port><port protocol="tcp" portid="80"><state state="open"/><service name="http" method="table" conf="3"/></port></ports></host></nmaprun>"#
        )
    };
    let old =
        r#"name="ssh" product="OpenSSH" version="9.2p1 Debian 2&#43;deb12u3" method="probed""#;
    let new = r#"name="ssh" product="Evil &#x1b;[2J" version="1" method="probed""#;
    assert_eq!(
        told(&file("nmap", old), &file("nmap", new)),
        "192.0.2.1\n     22  open, OpenSSH 9.2p1 Debian 2+deb12u3 -> Evil \\x1b[2J 1\n\n\
         1 change at 1 host; 2 endpoints compared\n"
    );
    for (one, other) in [
        (file("nmap", old), file("nmap", old)),
        (file("nmap", old), file("halfopen", new)),
        (
            file("nmap", old),
            file("nmap", r#"name="http" method="table""#),
        ),
        (
            file("nmap", old),
            file("nmap", r#"name="ssh" method="probed""#),
        ),
    ] {
        assert!(told(&one, &other).starts_with("no change"), "{other}");
    }
}
