//! What was found out about services goes through `merge`, and `diff` tells when it changed.

#![allow(clippy::disallowed_methods, reason = "the test has servers of its own")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{assert_exit, json, run, stderr, stdout};

/// Greets every connection with what is in the cell.
fn greeter(greeting: &'static str) -> (u16, Arc<Mutex<&'static str>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let cell = Arc::new(Mutex::new(greeting));
    let said = Arc::clone(&cell);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let greeting = *said.lock().expect("nobody panics");
            std::thread::spawn(move || {
                let _ = stream.write_all(greeting.as_bytes());
                while matches!(stream.read(&mut [0; 256]), Ok(1..)) {}
            });
        }
    });
    (port, cell)
}

fn lines(values: &[Value], kind: &str) -> Vec<Value> {
    let mut found: Vec<Value> = values
        .iter()
        .filter(|value| value["type"] == kind)
        .cloned()
        .collect();
    found.sort_by_key(|value| (value["address"].to_string(), value["port"].as_u64()));
    found
}

const SSH: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
const NEWER: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u4\r\n";
const FTP: &str = "220 (vsFTPd 3.0.3)\r\n";

#[test]
fn what_ports_serve_was_lost_when_parts_were_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let ports: Vec<String> = [SSH, FTP, SSH, FTP, SSH, FTP]
        .map(|greeting| greeter(greeting).0.to_string())
        .to_vec();
    let ports = ports.join(",");
    for (shard, name) in [("1/1", "whole"), ("1/2", "one"), ("2/2", "two")] {
        let arguments = [
            "-q",
            "-m",
            "connect",
            "--seed",
            "7",
            "--services",
            "--os",
            "--shard",
            shard,
            "-p",
            &ports,
            "127.0.0.1",
        ];
        let output = run(&[&arguments[..], &["--json"]].concat());
        assert_exit(&output, 0);
        fs::write(path(name), &output.stdout).expect("written");
    }
    let of = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(path(name)).expect("read");
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let merged = run(&[
        "merge",
        "--json",
        "-o",
        &path("merged.xml"),
        "-o",
        &path("merged.csv"),
        &path("one"),
        &path("two"),
    ]);
    assert_exit(&merged, 0);
    let merged = json(&merged);
    let whole = of("whole");
    let services = lines(&whole, "service");
    assert_eq!(services.len(), 6);
    assert_eq!(lines(&merged, "service"), services);
    // Both parts told of the host; the whole tells of it once, with all that speaks for its system.
    let systems = lines(&merged, "system");
    assert_eq!(systems.len(), 1, "{systems:?}");
    let named = |value: &Value| value["candidates"][0]["product"].clone();
    assert_eq!(named(&systems[0]), named(&lines(&whole, "system")[0]));

    let text = stdout(&run(&["merge", &path("one"), &path("two")]));
    assert_eq!(
        text.matches("ssh OpenSSH 9.2p1 (by answer)").count(),
        3,
        "{text}"
    );
    let xml = fs::read_to_string(path("merged.xml")).expect("read");
    let served = "product=\"OpenSSH\" version=\"9.2p1\" extrainfo=\"Debian-2+deb12u3\"";
    assert_eq!(xml.matches(served).count(), 3, "{xml}");
    let csv = fs::read_to_string(path("merged.csv")).expect("read");
    assert_eq!(csv.matches(",OpenSSH,9.2p1,").count(), 3, "{csv}");
}

#[test]
fn other_software_behind_an_open_port_was_no_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (port, said) = greeter(SSH);
    let port = port.to_string();
    let scan = |name: &str| {
        let arguments = [
            "-q",
            "-m",
            "connect",
            "--services",
            "-p",
            &port,
            "127.0.0.1",
            "-o",
        ];
        let (lines, xml) = (path(&format!("{name}.jsonl")), path(&format!("{name}.xml")));
        assert_exit(&run(&[&arguments[..], &[&lines, "-o", &xml]].concat()), 0);
        [lines, xml]
    };
    let old = scan("old");
    let same = scan("same");
    *said.lock().expect("nobody panics") = NEWER;
    let new = scan("new");
    for old in &old {
        for same in &same {
            let told = run(&["diff", old, same]);
            assert_exit(&told, 0);
            assert_eq!(stdout(&told), "no change; 1 endpoint compared\n");
        }
        for new in &new {
            let told = run(&["diff", old, new]);
            assert_exit(&told, 1);
            assert_eq!(
                stdout(&told),
                format!(
                    "127.0.0.1\n  {port:>5}  open, OpenSSH 9.2p1 Debian-2+deb12u3 -> OpenSSH 9.2p1 \
                     Debian-2+deb12u4\n\n1 change at 1 host; 1 endpoint compared\n"
                ),
                "{}",
                stderr(&told)
            );
        }
    }
    let told = run(&["diff", "--json", &old[0], &new[1]]);
    assert_exit(&told, 1);
    let software = lines(&json(&told), "software");
    assert_eq!(software.len(), 1, "{software:?}");
    assert_eq!(software[0]["old"], "OpenSSH 9.2p1 Debian-2+deb12u3");
    assert_eq!(software[0]["new"], "OpenSSH 9.2p1 Debian-2+deb12u4");
}
