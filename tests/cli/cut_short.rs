//! A scan that ended before everything was tested: what is left is named, not only counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{assert_exit, halfopen, json, run, stderr};

fn values(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("written");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

/// `22,80-82` as numbers.
fn numbers(list: &str) -> Vec<u16> {
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let number = |text: &str| text.parse::<u16>().expect("a port");
        number(first)..=number(last)
    };
    list.split(',').flat_map(range).collect()
}

/// The endpoints of the lines of this type, whose hosts are numbered by their last byte.
fn untested(values: &[Value]) -> BTreeSet<(u8, u16)> {
    let mut endpoints = BTreeSet::new();
    for line in values.iter().filter(|line| line["type"] == "untested") {
        let targets = line["targets"].as_str().expect("targets");
        let (first, last) = targets.split_once('-').unwrap_or((targets, targets));
        let byte = |ip: &str| -> u8 {
            let (_, byte) = ip.rsplit_once('.').expect("IPv4");
            byte.parse().expect("a byte")
        };
        let ports = numbers(line["ports"].as_str().expect("ports"));
        let before = endpoints.len();
        for host in byte(first)..=byte(last) {
            endpoints.extend(ports.iter().map(|port| (host, *port)));
        }
        assert_eq!(line["endpoints"], endpoints.len() - before, "{line}");
    }
    endpoints
}

fn listed(values: &[Value]) -> BTreeSet<(u8, u16)> {
    let ports = values.iter().filter(|value| value["type"] == "port");
    ports
        .map(|port| {
            let address = port["address"].as_str().expect("an address");
            let (_, byte) = address.rsplit_once('.').expect("IPv4");
            let number = port["port"].as_u64().expect("a port");
            (byte.parse().expect("a byte"), number as u16)
        })
        .collect()
}

#[test]
fn what_was_left_when_a_scan_was_cut_short_was_only_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let outputs: Vec<String> = ["a.jsonl", "a.txt", "a.gnmap", "a.list", "a.xml", "a.csv"]
        .map(|name| path(name).to_str().expect("UTF-8").to_owned())
        .to_vec();
    let mut command = halfopen();
    command.args(["-m", "connect", "--rate", "200", "--max-time", "1s"]);
    command.args(["--show", "all", "-p", "1-400", "127.0.0.1-3"]);
    outputs.iter().for_each(|path| {
        command.args(["-o", path]);
    });
    let output = super::finished(&mut command);
    assert_exit(&output, 6);
    let told = stderr(&output);
    assert!(told.contains("--resume FILE"), "{told}");

    let values = values(&path("a.jsonl"));
    let (left, found) = (untested(&values), listed(&values));
    let summary = values.last().expect("a summary");
    assert_eq!(summary["untested"], left.len());
    assert!(!left.is_empty() && !found.is_empty());
    // Each endpoint is either tested or named.
    assert!(left.is_disjoint(&found));
    assert_eq!(left.len() + found.len(), 1_200);

    let read = |name: &str| fs::read_to_string(path(name)).expect("written");
    let text = read("a.txt");
    let at = text.find("Not tested before the scan ended:\n  127.0.0.1");
    assert!(at.is_some(), "{text}");
    let marked = |name: &str, start: &str, ports: &str| -> usize {
        let text = read(name);
        let lines = text
            .lines()
            .filter(|line| line.starts_with(start))
            .map(str::trim_end);
        lines
            .map(|line| {
                let (_, list) = line.rsplit_once(ports).expect("ports");
                numbers(list).len()
            })
            .sum()
    };
    assert_eq!(marked("a.gnmap", "# Not tested: ", "Ports: "), left.len());
    assert_eq!(marked("a.list", "# not tested ", " "), left.len());

    // What a part did not come to is not lost when parts are joined.
    let merged = run(&["merge", "--allow-gaps", "--json", &outputs[0]]);
    assert_exit(&merged, 6);
    assert_eq!(untested(&json(&merged)), left);
}

#[test]
fn what_was_left_after_a_signal_was_only_counted() {
    let child = halfopen()
        .args(["-m", "connect", "--rate", "200", "--json", "--show", "all"])
        .args(["-p", "all", "127.0.0.1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(700));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), Signal::INT).expect("it is ours and runs");
    let output = child.wait_with_output().expect("it ends");
    assert_exit(&output, 3);
    let values = json(&output);
    let (left, found) = (untested(&values), listed(&values));
    assert!(left.is_disjoint(&found));
    assert_eq!(left.len() + found.len(), 65_535);
}

#[test]
fn what_a_cut_scan_only_counts_could_not_be_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    let path = path.to_str().expect("UTF-8");
    let mut arguments = vec!["-m", "connect", "--rate", "200", "--max-time", "1s", "-q"];
    arguments.extend(["-p", "1-400", "127.0.0.1-3", "-o", path]);
    assert_exit(&run(&arguments), 6);
    let left = untested(&values(Path::new(path))).len();
    let same = run(&["diff", path, path]);
    assert_exit(&same, 0);
    let tested = 1_200 - left;
    let left = halfopen::report::text::grouped(left as u64);
    assert_eq!(
        super::stdout(&same),
        format!(
            "no change; {tested} endpoints compared, {left} of OLD and {left} of NEW were not\n"
        )
    );
}
