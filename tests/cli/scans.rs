//! What a right command line gives.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::{
    assert_exit, closed_port, finished, halfopen, halfopen_without_privilege, json, list,
    listeners, ports_of, program, run, stderr, stdout,
};

#[test]
fn the_open_ports_of_one_host_end_its_block() {
    let (_open, ports) = listeners("127.0.0.1", 3);
    let (_held, closed) = closed_port();
    let spec = list(&[&ports[..], &[closed]].concat());
    let output = run(&["-m", "connect", "127.0.0.1", "-p", &spec]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    let expected = list(&ports).replace(',', ", ");
    assert!(text.starts_with("127.0.0.1\n"), "{text}");
    assert!(
        text.contains(&format!("  Open ports are: [{expected}]\n")),
        "{text}"
    );
    assert!(text.contains("Not listed: 1 closed (rst)"), "{text}");
    assert!(
        text.lines().last().expect("a line").ends_with("; complete"),
        "{text}"
    );
}

#[test]
fn a_host_without_open_ports_still_has_its_block() {
    let (_held, closed) = closed_port();
    let closed = closed.to_string();
    let output = run(&["-m", "connect", "127.0.0.1", "-p", &closed]);
    assert_exit(&output, 0);
    assert!(
        stdout(&output).contains("Open ports are: []"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn json_lines_read_back() {
    let (_open, ports) = listeners("127.0.0.1", 2);
    let (_held, closed) = closed_port();
    let spec = list(&[&ports[..], &[closed]].concat());
    let output = run(&[
        "--json",
        "--show",
        "all",
        "-m",
        "connect",
        "127.0.0.1",
        "-p",
        &spec,
        "--seed",
        "5",
    ]);
    assert_exit(&output, 0);
    let values = json(&output);
    let first = values.first().expect("a line");
    assert_eq!(first["type"], "scan");
    assert_eq!(first["mode"], "connect");
    assert_eq!(
        (first["targets"].as_u64(), first["ports"].as_u64()),
        (Some(1), Some(3))
    );
    assert_eq!(
        (first["endpoints"].as_u64(), first["seed"].as_u64()),
        (Some(3), Some(5))
    );
    assert!(
        first["started"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z') && at.len() == 20)
    );
    assert_eq!(ports_of(&values, "open"), ports);
    assert_eq!(ports_of(&values, "closed"), [closed]);
    let open = values
        .iter()
        .find(|value| value["port"] == ports[0])
        .expect("its line");
    assert_eq!(open["address"], "127.0.0.1");
    assert_eq!(open["protocol"], "tcp");
    assert_eq!(open["reason"], "syn-ack");
    assert!(
        open["attempts"]
            .as_u64()
            .is_some_and(|attempts| attempts >= 1)
    );
    assert!(open["time"].as_f64().is_some_and(|time| time < 60.0));
    let host = values
        .iter()
        .find(|value| value["type"] == "host")
        .expect("a host line");
    assert_eq!(
        (host["open"].as_u64(), host["closed"].as_u64()),
        (Some(2), Some(1))
    );
    let last = values.last().expect("a line");
    assert_eq!(last["type"], "summary");
    assert_eq!(last["complete"], true);
    assert_eq!(
        (last["open"].as_u64(), last["untested"].as_u64()),
        (Some(2), Some(0))
    );
    assert!(last["packets_sent"].as_u64().is_some_and(|sent| sent >= 3));
}

#[test]
fn show_decides_what_is_listed_and_never_what_is_open() {
    let (_open, ports) = listeners("127.0.0.1", 1);
    let (_held, closed) = closed_port();
    let spec = list(&[ports[0], closed]);
    let with = |show: &str| {
        json(&run(&[
            "--json",
            "-m",
            "connect",
            "127.0.0.1",
            "-p",
            &spec,
            "--show",
            show,
        ]))
    };
    assert_eq!(ports_of(&with("open"), "closed"), [0_u64; 0]);
    assert_eq!(ports_of(&with("closed"), "open"), [0_u64; 0]);
    assert_eq!(ports_of(&with("closed"), "closed"), [closed]);
    assert_eq!(ports_of(&with("all"), "open"), ports);
    let text = stdout(&run(&[
        "-m",
        "connect",
        "127.0.0.1",
        "-p",
        &spec,
        "--show",
        "closed",
    ]));
    assert!(
        text.contains(&format!("Open ports are: [{}]", ports[0])),
        "{text}"
    );
    assert!(text.contains(&format!("{closed}  closed")), "{text}");
}

#[test]
fn port_sets_hold_what_their_names_say() {
    for (spec, count) in [
        ("common", 9),
        ("well-known", 1_023),
        ("22 80,443", 3),
        ("top:100", 100),
        ("1000-1099", 100),
        ("http", 1),
    ] {
        let output = run(&["--json", "-m", "connect", "127.0.0.1", "-p", spec]);
        assert_exit(&output, 0);
        let values = json(&output);
        assert_eq!(values[0]["ports"], count, "{spec}");
        let summary = values.last().expect("a summary");
        let tested: u64 = ["open", "closed", "filtered", "suspect", "error"]
            .iter()
            .filter_map(|state| summary[*state].as_u64())
            .sum();
        assert_eq!(tested, count, "{spec}");
    }
}

#[test]
fn all_ports_find_the_listener_wherever_it_is() {
    let (_open, ports) = listeners("127.0.0.1", 1);
    let output = run(&["--json", "-m", "connect", "127.0.0.1", "-p-"]);
    assert_exit(&output, 0);
    let values = json(&output);
    assert_eq!(values[0]["ports"], 65_535);
    assert!(ports_of(&values, "open").contains(&ports[0]));
}

#[test]
fn excluded_ports_and_hosts_are_left_alone() {
    let (_open, ports) = listeners("127.0.0.1", 2);
    let spec = list(&ports);
    let without = ports[0].to_string();
    let output = run(&[
        "--json",
        "-m",
        "connect",
        "127.0.0.1",
        "-p",
        &spec,
        "--exclude-ports",
        &without,
    ]);
    assert_eq!(ports_of(&json(&output), "open"), [ports[1]]);
    let output = run(&[
        "--json",
        "-m",
        "connect",
        "--exclude",
        "127.0.0.1",
        "127.0.0.1-2",
        "-p",
        &spec,
    ]);
    assert_exit(&output, 0);
    let values = json(&output);
    assert_eq!(values[0]["targets"], 1);
    assert_eq!(ports_of(&values, "open"), [0_u64; 0]);
}

#[test]
fn shards_are_the_whole_and_nothing_twice() {
    let (_open, ports) = listeners("127.0.0.1", 4);
    let spec = format!("{},{}", list(&ports), "1-40");
    let tested = |shard: &str| -> Vec<u64> {
        let output = run(&[
            "--json",
            "-m",
            "connect",
            "127.0.0.1",
            "-p",
            &spec,
            "--show",
            "all",
            "--shard",
            shard,
        ]);
        assert_exit(&output, 0);
        json(&output)
            .iter()
            .filter_map(|value| value["port"].as_u64())
            .collect()
    };
    let parts: Vec<u64> = ["1/3", "2/3", "3/3"]
        .iter()
        .flat_map(|shard| tested(shard))
        .collect();
    let unique: BTreeSet<u64> = parts.iter().copied().collect();
    assert_eq!((parts.len(), unique.len()), (44, 44));
}

#[test]
fn several_hosts_have_a_block_each_when_there_is_something_to_show() {
    let (_first, ports) = listeners("127.0.0.1", 1);
    let output = run(&["-m", "connect", "127.0.0.1-4", "-p", &ports[0].to_string()]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert_eq!(text.matches("Open ports are").count(), 1, "{text}");
    assert!(
        text.contains("3 hosts answered, with nothing to list"),
        "{text}"
    );
}

#[test]
fn ipv6_and_names() {
    let output = run(&["--json", "-m", "connect", "localhost", "-p", "1"]);
    assert_exit(&output, 0);
    assert!(
        stderr(&output)
            .lines()
            .next()
            .is_some_and(|line| line.contains("localhost = "))
    );
    let host = json(&output)
        .into_iter()
        .find(|value| value["type"] == "host");
    assert_eq!(host.expect("a host line")["name"], "localhost");

    if std::fs::exists("/proc/net/if_inet6").unwrap_or(false) {
        let (_open, ports) = listeners("::1", 1);
        let output = run(&[
            "--json",
            "-m",
            "connect",
            "::1",
            "-p",
            &ports[0].to_string(),
        ]);
        assert_exit(&output, 0);
        let values: Vec<Value> = json(&output);
        assert_eq!(ports_of(&values, "open"), ports);
        assert_eq!(values[1]["address"], "::1");
    }
}

#[test]
fn quiet_means_quiet_and_results_are_on_standard_output_only() {
    let output = run(&["-q", "-m", "connect", "127.0.0.1"]);
    assert_exit(&output, 0);
    assert_eq!(stderr(&output), "");
    let output = run(&["-m", "connect", "127.0.0.1"]);
    assert!(
        !stderr(&output).contains("Open ports"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("note: no ports given: scanning top:1000"));
}

#[test]
fn details_are_told_when_asked_for() {
    let told = |flag: &str| stderr(&run(&["-m", "connect", "127.0.0.1", "-p", "http", flag]));
    assert!(told("-v").contains("http = 80"), "{}", told("-v"));
    assert!(!told("--json").contains("http = 80"));
}

/// `setcap` was once recommended to a process whose capabilities were not what it lacked.
#[test]
fn too_few_descriptors_for_raw_sockets_are_no_want_of_privilege() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root holds the privilege that must not be asked for");
        return;
    }
    let (_open, ports) = listeners("127.0.0.1", 1);
    let line = format!(
        "ulimit -n 20; exec {} --json 127.0.0.1 -p {}",
        program(),
        ports[0]
    );
    let output = finished(std::process::Command::new("sh").args(["-c", &line]));
    assert_exit(&output, 0);
    assert_eq!(ports_of(&json(&output), "open"), ports);
    let told = stderr(&output);
    assert!(told.contains("Too many open files"), "{told}");
    assert!(!told.contains("setcap"), "{told}");
}

#[test]
fn without_privilege_the_list_is_the_same_and_the_way_out_is_named() {
    let (_open, ports) = listeners("127.0.0.1", 2);
    let spec = list(&ports);
    // A file capability does not let a program start where even root may not have it.
    let way_out = match rustix::process::geteuid().is_root() {
        true => "start it with NET_RAW (docker: --cap-add NET_RAW)".to_owned(),
        false => format!("sudo setcap cap_net_raw+ep {}", program()),
    };

    let output = finished(halfopen_without_privilege().args(["--json", "127.0.0.1", "-p", &spec]));
    assert_exit(&output, 0);
    assert_eq!(ports_of(&json(&output), "open"), ports);
    assert_eq!(json(&output)[0]["mode"], "connect");
    let told = stderr(&output);
    assert_eq!(told.matches(&way_out).count(), 1, "{told}");
    assert_eq!(told.matches("CAP_NET_RAW").count(), 1, "{told}");

    let output =
        finished(halfopen_without_privilege().args(["-m", "syn", "127.0.0.1", "-p", &spec]));
    assert_exit(&output, 4);
    assert_eq!(stdout(&output), "");
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains(&way_out) && told.contains("-m connect"),
        "{told}"
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = halfopen()
        .args([
            "-m",
            "connect",
            "127.0.0.1",
            "-p",
            "all",
            "--json",
            "--show",
            "all",
            "-q",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(64, child.stdout.take().expect("a pipe"));
    reader.read_line(&mut line).expect("the first line");
    assert!(line.starts_with("{\"type\":\"scan\""), "{line}");
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    assert_exit(&output, 0);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_disk_is_said_once() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let output = finished(
        halfopen()
            .args(["-q", "-m", "connect", "127.0.0.1"])
            .stdout(full),
    );
    assert_exit(&output, 5);
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.starts_with("error: cannot write to standard output: "),
        "{told}"
    );
}

#[test]
fn help_and_version() {
    let help = run(&["--help"]);
    assert_exit(&help, 0);
    for flag in ["--ports", "--mode", "--show", "--shard", "Exit status"] {
        assert!(stdout(&help).contains(flag), "{flag}");
    }
    let version = run(&["-V"]);
    assert_exit(&version, 0);
    assert_eq!(
        stdout(&version),
        format!("halfopen {}\n", env!("CARGO_PKG_VERSION"))
    );
}
