//! What can be asked before a scan: `--dry-run` and `--list`, which send nothing.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use super::{assert_exit, finished, halfopen, json, program, run, stderr, stdout};
use crate::lab::alone;

#[test]
fn a_list_has_every_endpoint_once_and_in_order() {
    let output = run(&[
        "--list",
        "-p",
        "443,80",
        "127.0.0.1-3",
        "::1",
        "--exclude",
        "127.0.0.2",
    ]);
    assert_exit(&output, 0);
    assert_eq!(
        stdout(&output),
        "::1 80\n::1 443\n127.0.0.1 80\n127.0.0.1 443\n127.0.0.3 80\n127.0.0.3 443\n"
    );
    assert_eq!(stderr(&output), "");
}

#[test]
fn the_lists_of_all_shards_are_the_whole_list() {
    let lines = |shard: &[&str]| -> Vec<String> {
        let output = run(&[&["--list", "-p", "1-100", "127.0.0.0/28"], shard].concat());
        assert_exit(&output, 0);
        stdout(&output).lines().map(str::to_owned).collect()
    };
    let whole = lines(&[]);
    let mut parts = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        parts.extend(lines(&["--shard", part]));
    }
    assert_eq!(parts.len(), whole.len());
    assert_eq!(
        parts.into_iter().collect::<BTreeSet<_>>(),
        whole.into_iter().collect()
    );
}

#[test]
fn a_list_in_json_lines() {
    let output = run(&["--list", "--json", "-p", "22", "127.0.0.1"]);
    assert_exit(&output, 0);
    assert_eq!(
        stdout(&output),
        "{\"type\":\"endpoint\",\"address\":\"127.0.0.1\",\"port\":22}\n"
    );
}

#[test]
fn a_list_that_nobody_reads_to_its_end_ends_quietly() {
    let line = format!("{} --list -p all 127.0.0.0/16 | head -n 2", program());
    let output = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {line}")])
        .output()
        .expect("bash");
    assert_exit(&output, 0);
    assert_eq!(stdout(&output), "127.0.0.0 1\n127.0.0.0 2\n");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_list_that_cannot_be_written_fails() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("the device");
    let output = finished(halfopen().args(["--list", "127.0.0.1"]).stdout(full));
    assert_exit(&output, 5);
    assert!(
        stderr(&output).contains("cannot write"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_plan_says_what_it_will_cost_and_why() {
    let output = run(&[
        "--dry-run",
        "-m",
        "connect",
        "-p",
        "1-1000",
        "127.0.0.0/24",
        "--exclude",
        "127.0.0.7",
        "--rate",
        "500",
    ]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    for told in [
        "connect mode, because it was asked for; nothing was sent",
        "Targets    255: 127.0.0.0-127.0.0.6, 127.0.0.8-127.0.0.255",
        "Left out   1 address",
        "Ports      1,000 per target",
        "Endpoints  255,000",
        "255 by lo from 127.0.0.1, this machine",
        "At least   255,000 packets, 15.3 MB, 8 min 30 s",
        "765,000 packets",
        "the ceiling of 500 packets per second decides",
    ] {
        assert!(text.contains(told), "{told:?} in:\n{text}");
    }
}

#[test]
fn a_plan_says_what_a_ceiling_for_each_host_costs() {
    let plan = |more: &[&str]| {
        let mut args = vec!["--dry-run", "-m", "connect", "-p", "1-1000", "127.0.0.0/24"];
        args.extend(more);
        let output = run(&args);
        assert_exit(&output, 0);
        stdout(&output)
    };
    // A thousand ports of each host at ten a second; all hosts are asked at a time.
    let text = plan(&["--host-rate", "10"]);
    for told in [
        "At least   256,000 packets, 15.4 MB, 1 min 40 s",
        "the ceiling of 10 packets per second to one host decides",
    ] {
        assert!(text.contains(told), "{told:?} in:\n{text}");
    }
    let text = plan(&["--host-rate", "10", "--rate", "500"]);
    for told in [
        "8 min 32 s",
        "the ceiling of 500 packets per second decides",
    ] {
        assert!(text.contains(told), "{told:?} in:\n{text}");
    }
}

#[test]
fn a_plan_in_json_is_one_line() {
    let output = run(&[
        "--dry-run",
        "--json",
        "-m",
        "connect",
        "-p",
        "22,80",
        "127.0.0.1",
        "--shard",
        "1/2",
    ]);
    assert_exit(&output, 0);
    assert!(stdout(&output).starts_with("{\"type\":\"plan\","));
    let values = json(&output);
    assert_eq!(values.len(), 1);
    assert_eq!(values[0]["mode"], "connect");
    assert_eq!(values[0]["endpoints"], 1);
    assert_eq!(values[0]["least"]["packets"], 1);
    assert_eq!(values[0]["ways"][0]["interface"], "lo");
    assert_eq!(values[0]["warnings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn few_descriptors_are_a_warning() {
    let output = Command::new("prlimit")
        .args(["--nofile=200:200", program()])
        .args(["--dry-run", "-m", "connect", "-p", "1-5000", "127.0.0.1"])
        .stdin(Stdio::null())
        .output()
        .expect("prlimit of util-linux");
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("connects fit at a time"), "{text}");
    assert!(text.contains("the descriptor limit ("), "{text}");
}

#[test]
fn a_plan_or_a_list_and_not_both() {
    let output = run(&["--dry-run", "--list", "127.0.0.1"]);
    assert_exit(&output, 2);
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("choose one"),
        "{}",
        stderr(&output)
    );
}

/// Packets and bytes that the namespace's interfaces have sent.
fn sent() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/net/dev").expect("it is there");
    let transmitted = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(9..11).map(|words| words.join(" "))
    };
    text.lines().skip(2).filter_map(transmitted).collect()
}

#[test]
fn neither_a_plan_nor_a_list_sends_a_packet() {
    alone::inside(
        "cli::before::neither_a_plan_nor_a_list_sends_a_packet",
        || {
            // No IPv6: the kernel itself would announce us on the new link.
            alone::run(
                "sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null || echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
                ip link add v0 type veth peer name v1
                ip addr add 10.9.0.1/24 dev v0
                ip link set v0 up
                ip link set v1 up
                ip route add 10.10.0.0/16 via 10.9.0.254",
            );
            let before = sent();
            let asked = |arguments: &[&str]| -> Output {
                let targets = ["-p", "1-100", "127.0.0.1", "10.9.0.0/24", "10.10.0.0/16"];
                let output = finished(halfopen().args(arguments).args(targets));
                assert_exit(&output, 0);
                output
            };
            for mode in ["syn", "connect"] {
                let text = stdout(&asked(&["--dry-run", "-m", mode]));
                assert!(text.contains(&format!("A scan in {mode} mode")), "{text}");
                assert!(
                    text.contains("254 by v0 from 10.9.0.1, on the link"),
                    "{text}"
                );
                assert!(
                    text.contains("65,536 by v0 from 10.9.0.1 through 10.9.0.254, private"),
                    "{text}"
                );
            }
            asked(&["--list"]);
            assert_eq!(sent(), before);
            // The counters do count.
            finished(halfopen().args(["-p", "1", "127.0.0.1", "-m", "connect"]));
            assert_ne!(sent(), before);
        },
    );
}

#[test]
fn what_does_not_go_together_with_a_ping_is_said_and_nothing_is_sent() {
    for (arguments, told) in [
        (
            &["--ping", "--list", "127.0.0.1"][..],
            "--ping-only lists hosts",
        ),
        (
            &["--ping", "--shard", "1/2", "127.0.0.1"],
            "list them once with --ping-only",
        ),
        (
            &["--ping-only", "127.0.0.0/8"],
            "16,777,215 addresses are too many for a ping; it takes 1,048,576 at a time",
        ),
    ] {
        let output = run(arguments);
        assert_exit(&output, 2);
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}
