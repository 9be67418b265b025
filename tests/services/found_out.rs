//! The whole way of `-A`: from servers in a network of their own to systems, devices and published vulnerabilities in every
//! format, and what happens where there is no database.

#![allow(clippy::disallowed_methods, reason = "the test has servers of its own")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::enrich::vulns::known::Vulnerabilities;
use halfopen::model::facts::{Finding, Service};
use halfopen::report::escape::is_plain;
use halfopen::scan::Systems;
use halfopen::{Event, Identify};
use serde_json::Value;

use crate::judges::{DTD, is_here, validated};
use crate::lab::alone::inside;
use crate::raw::scene::{TARGET, Target};
use crate::vulnerabilities::{ALL, database};

use super::{greets, identified, server, service, summary};

/// What is not fixed, what is, and one that would like to be more than text.
const GREETINGS: [&[u8]; 3] = [
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n",
    b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    b"SSH-2.0-OpenSSH_9.2p1 \x1b[2J<&\"]]>\xff,=1+1\r\n",
];

fn halfopen(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    command.current_dir(folder).env("XDG_DATA_HOME", folder);
    command
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn systems_devices_and_vulnerabilities_are_told_in_every_format() {
    const NAME: &str =
        "services::found_out::systems_devices_and_vulnerabilities_are_told_in_every_format";
    inside(NAME, || {
        let target = Target::new();
        target.run("ip link set b0 address b8:27:eb:01:02:03");
        let ports = target.greet(&GREETINGS);
        let folder = tempfile::tempdir().expect("a folder");
        database(folder.path(), &ALL);
        let list: Vec<String> = ports.iter().map(u16::to_string).collect();
        let list = list.join(",");
        for mode in ["syn", "connect"] {
            let arguments = ["-A", "-m", mode, TARGET, "-p", &list, "--overwrite"];
            let outputs = ["-o", "x.xml", "-o", "x.jsonl", "-o", "x.csv", "-o", "x.txt"];
            let db = ["--db", "vulnerabilities.db"];
            let output = halfopen(folder.path(), &[&arguments[..], &outputs, &db].concat());
            let said = shown(&output.stdout) + &shown(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}");
            let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a file");
            text(&read("x.txt"), mode, &ports);
            json(&read("x.jsonl"), mode, &ports);
            csv(&read("x.csv"), &ports);
            xml(folder.path(), &read("x.xml"));
        }
    });
}

fn text(text: &str, mode: &str, ports: &[u16]) {
    nothing_is_obeyed(text);
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        format!("CVE-2024-6387 on port {}: likely", ports[0]),
        format!(
            "CVE-2024-6387 on port {}: fixed by the distribution",
            ports[1]
        ),
        "Hardware: b8:27:eb:01:02:03 Raspberry Pi Foundation".to_owned(),
        "System: Debian".to_owned(),
    ] {
        assert!(joined.contains(&part), "{mode}: {part} in\n{text}");
    }
    // In SYN mode the stack itself speaks for it.
    let looked_at = joined.contains("tcp.signature 4:64+0:0:1460:");
    assert_eq!(looked_at, mode == "syn", "{text}");
}

fn json(text: &str, mode: &str, ports: &[u16]) {
    nothing_is_obeyed(text);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let judged = |port: u16, id: &str| {
        let of =
            |line: &&Value| line["type"] == "finding" && line["port"] == port && line["id"] == id;
        let finding = lines.iter().find(of).unwrap_or_else(|| panic!("{text}"));
        let evidence = finding["evidence"]["text"].as_str().expect("evidence");
        assert!(evidence.starts_with("OpenSSH_9.2p1 "), "{finding}");
        finding["judgement"].clone()
    };
    assert_eq!(judged(ports[0], "CVE-2024-6387"), "likely");
    assert_eq!(
        judged(ports[1], "CVE-2024-6387"),
        "fixed by the distribution"
    );
    assert_eq!(
        judged(ports[0], "CVE-2023-38408"),
        "fixed by the distribution"
    );
    let system = lines.iter().find(|line| line["type"] == "system");
    let system = system.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(system["hardware"]["mac"], "b8:27:eb:01:02:03");
    let evidence = system["candidates"].to_string();
    assert!(evidence.contains("ssh.banner"), "{system}");
    let signatures = system["signatures"].as_array().expect("a list").len();
    assert_eq!(signatures, usize::from(mode == "syn"), "{system}");
    if mode == "syn" {
        assert!(
            evidence.contains("Linux") || evidence.contains("tcp.signature"),
            "{system}"
        );
    }
}

fn csv(text: &str, ports: &[u16]) {
    nothing_is_obeyed(text);
    let line = |port: u16| {
        let of = |line: &&str| line.contains(&format!(",{port},"));
        text.lines().find(of).unwrap_or_else(|| panic!("{text}"))
    };
    assert!(
        text.lines()
            .next()
            .is_some_and(|head| head.ends_with(",system,vulnerabilities"))
    );
    assert!(line(ports[0]).contains(",Debian"), "{text}");
    assert!(line(ports[0]).contains("CVE-2024-6387 likely; "), "{text}");
    assert!(
        line(ports[1]).contains("CVE-2024-6387 fixed by the distribution"),
        "{text}"
    );
}

fn xml(folder: &Path, text: &str) {
    nothing_is_obeyed(text);
    for part in [
        "<address addr=\"B8:27:EB:01:02:03\" addrtype=\"mac\" vendor=\"Raspberry Pi Foundation\"/>",
        "<osmatch name=\"Debian",
        "<cpe>cpe:/a:openbsd:openssh:9.2:p1</cpe>",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    if is_here("of -A by nmap's own DTD", &["xmllint"], &[DTD]) {
        let judged = validated(&folder.join("x.xml"), folder);
        assert!(judged.status.success(), "{}\n{text}", shown(&judged.stderr));
    }
}

fn nothing_is_obeyed(text: &str) {
    let mut others = text
        .chars()
        .filter(|c| !is_plain(*c) && !matches!(c, '\n' | '\r' | '\t'));
    assert_eq!(others.next(), None, "{text}");
}

#[test]
fn without_a_database_one_line_says_so_and_the_scan_goes_on() {
    let port = greets(GREETINGS[0]).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let scan = |more: &[&str]| {
        let all = [&["-m", "connect", "127.0.0.1", "-p", &port], more].concat();
        let output = halfopen(folder.path(), &all);
        (
            output.status.code(),
            shown(&output.stdout),
            shown(&output.stderr),
        )
    };
    let (code, found, said) = scan(&["--vulns"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(found.contains("OpenSSH 9.2p1 (by answer)"), "{found}");
    let lines = said.lines().filter(|line| line.contains("vulnerabilit"));
    assert_eq!(lines.collect::<Vec<_>>().len(), 1, "{said}");
    assert!(
        said.contains("there is no vulnerability database at"),
        "{said}"
    );
    // One that was named must be there.
    let (code, found, said) = scan(&["--vulns", "--db", "typo.db"]);
    assert!(code == Some(2) && found.is_empty(), "{said}");
    assert!(
        said.contains("there is no vulnerability database at \"typo.db\""),
        "{said}"
    );
    let (code, _, said) = scan(&["--services", "--db", "typo.db"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("give --vulns or -A with it"), "{said}");
    fs::write(folder.path().join("notes.txt"), "x".repeat(5000)).expect("written");
    let (code, _, said) = scan(&["--vulns", "--db", "notes.txt"]);
    assert!(
        code == Some(2) && said.contains("is no vulnerability database"),
        "{said}"
    );
}

#[test]
fn a_usual_database_that_is_none_was_called_a_mistake_in_what_was_typed() {
    let port = greets(GREETINGS[0]).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("halfopen");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(data.join("vulnerabilities.db"), "x".repeat(5000)).expect("written");
    let all = ["-m", "connect", "127.0.0.1", "-p", &port, "--vulns"];
    let output = halfopen(folder.path(), &all);
    let said = shown(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("is no vulnerability database"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_usual_place_that_cannot_be_entered_ended_the_scan() {
    let port = greets(GREETINGS[0]).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    // No folder, so nothing can be in it; root would be let in where permissions lack.
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .env("XDG_DATA_HOME", &file)
        .args(["-m", "connect", "127.0.0.1", "-p", &port, "-A"])
        .output()
        .expect("the program starts");
    let said = shown(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let note = "known vulnerabilities are not looked up: cannot open the vulnerability database";
    assert!(said.contains(note), "{said}");
    assert!(shown(&output.stdout).contains("OpenSSH 9.2p1 (by answer)"));
}

#[test]
fn parts_of_all_were_not_to_be_left_out() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let port = server(move |mut stream| {
        // The scan itself connects too, and resets at once.
        if stream.write_all(GREETINGS[0]).is_ok() && stream.read(&mut [0; 64]).is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let port = port.to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let scan = |more: &[&str]| {
        let all = [&["-m", "connect", "--json", "127.0.0.1", "-p", &port], more].concat();
        let output = halfopen(folder.path(), &all);
        let told = shown(&output.stdout);
        let has = |kind: &str| told.contains(&format!("{{\"type\":\"{kind}\""));
        let vulns = shown(&output.stderr).contains("vulnerabilit");
        (output.status.code(), has("service"), has("system"), vulns)
    };
    assert_eq!(scan(&["-A"]), (Some(0), true, true, true));
    assert_eq!(scan(&["-A", "--no-vulns"]), (Some(0), true, true, false));
    assert_eq!(scan(&["--no-vulns", "-A"]), (Some(0), true, true, false));
    assert_eq!(
        scan(&["-A", "--no-os", "--no-vulns"]),
        (Some(0), true, false, false)
    );
    assert_eq!(scan(&["--no-identify"]), (Some(0), false, false, false));
    // The last connection may be counted a moment after the program has ended.
    std::thread::sleep(Duration::from_millis(300));
    let before = asked.load(Ordering::Relaxed);
    let (code, service, _, vulns) = scan(&["-A", "--no-services", "--no-vulns"]);
    assert_eq!((code, service, vulns), (Some(0), false, false));
    assert_eq!(asked.load(Ordering::Relaxed), before, "nobody is asked");
    // What is looked up is what services say.
    assert_eq!(scan(&["-A", "--no-services"]).0, Some(2));
}

/// What open ports were asked was not counted.
#[test]
fn a_host_rate_holds_for_what_ports_are_asked_too() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    // Closes at once, so that everything is tried, each on a connection of its own.
    let port = server(move |stream| {
        seen.lock()
            .expect("the times")
            .push(std::time::Instant::now());
        drop(stream);
    });
    let plan = halfopen::Plan::parse("127.0.0.1", &port.to_string()).expect("a plan");
    let mut options = halfopen::Options::default();
    options.mode = halfopen::Mode::Connect;
    options.host_rate = Some(10);
    options.identify = Some(Identify::default());
    let scan = halfopen::Scan::open(plan, options).expect("a scan");
    let events: Vec<_> = scan.events().expect("a thread").flatten().collect();
    assert!(summary(&events).complete);
    let times = times.lock().expect("the times");
    assert!(times.len() > 12, "{}", times.len());
    // The first one is the scan's own; threads may be late.
    let talks = times.get(1..).unwrap_or_default();
    let span = talks[talks.len() - 1] - talks[0];
    let least = Duration::from_millis(100) * (talks.len() as u32 - 1);
    assert!(
        span + Duration::from_millis(500) >= least,
        "{span:?} for {}",
        talks.len()
    );
}

#[test]
fn nothing_was_told_while_open_ports_were_asked() {
    // Silent ports take seconds.
    let ports = [greets(b""), greets(GREETINGS[0])];
    let (events, _) = identified(&ports, Identify::default());
    let told: Vec<(u64, u64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Progress(progress) => progress.talks.map(|talks| (talks.done, talks.of)),
            _ => None,
        })
        .collect();
    assert!(told.contains(&(1, 2)), "{told:?}");
    assert_eq!(told.last(), Some(&(2, 2)), "{told:?}");
    assert!(told.len() > 4, "{told:?}");
}

/// Counts how often it is asked, and fails.
#[derive(Debug)]
struct Broken(Arc<Mutex<usize>>);

impl Vulnerabilities for Broken {
    fn known(&self, _: &Service) -> Result<Vec<Finding>, String> {
        *self.0.lock().expect("the count") += 1;
        Err("the disk is gone".to_owned())
    }
}

#[test]
fn a_database_that_fails_is_asked_no_more_and_the_scan_is_not_complete() {
    let ports = [greets(GREETINGS[0]), greets(GREETINGS[1])];
    let asked = Arc::new(Mutex::new(0));
    let mut identify = Identify::default();
    identify.vulnerabilities = Some(Arc::new(Mutex::new(Broken(Arc::clone(&asked)))));
    let (events, _) = identified(&ports, identify);
    assert_eq!(service(&events, ports[1]).protocol.as_deref(), Some("ssh"));
    assert_eq!(*asked.lock().expect("the count"), 1);
    assert!(!summary(&events).complete);
}

#[test]
fn a_system_is_told_once_for_each_host_and_only_where_it_is_asked_for() {
    let ports = [greets(GREETINGS[0]), greets(GREETINGS[1])];
    let systems = |systems| {
        let mut identify = Identify::default();
        identify.systems = systems;
        let (events, _) = identified(&ports, identify);
        let told = events
            .iter()
            .filter(|event| matches!(event, Event::System(_)));
        told.count()
    };
    assert_eq!((systems(Systems::Told), systems(Systems::NotTold)), (1, 0));
}
