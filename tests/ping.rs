//! `--ping` and `--ping-only` in a network of two namespaces: hosts that answer in one way only, and hosts that are not there.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::lab::alone::{inside, run};

/// Another namespace, joined to ours by a veth pair: 10.0.0.0/24 and fd00::/64 are on the link, 10.1.0.0/24 and fd01::/64
/// behind it.
struct Far {
    holder: Child,
}

impl Far {
    fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo ready; exec sleep 110"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut line = String::new();
        let pipe = holder.stdout.as_mut().expect("a pipe");
        BufReader::new(pipe)
            .read_line(&mut line)
            .expect("it says so");
        let far = Self { holder };
        run(&format!(
            "ip link add v0 type veth peer name v1 netns {0}
             ip addr add 10.0.0.1/24 dev v0
             ip -6 addr add fd00::1/64 dev v0 nodad
             ip link set v0 up
             ip route add 10.1.0.0/24 via 10.0.0.2
             ip -6 route add fd01::/64 via fd00::2",
            far.holder.id()
        ));
        far.run(
            "ip link set lo up
             ip addr add 10.0.0.2/24 dev v1
             ip addr add 10.0.0.3/24 dev v1
             ip -6 addr add fd00::2/64 dev v1 nodad
             ip -6 addr add fd00::3/64 dev v1 nodad
             ip link set v1 up
             for i in 1 2 3; do ip addr add 10.1.0.$i/32 dev lo; ip -6 addr add fd01::$i/128 dev lo; done
             ip route add blackhole 10.1.0.0/24
             ip -6 route add blackhole fd01::/64",
        );
        far.filter(
            "ip daddr 10.0.0.3 drop
             ip daddr 10.1.0.1 meta l4proto tcp drop
             ip daddr 10.1.0.2 meta l4proto icmp drop
             ip daddr 10.1.0.2 tcp dport != 443 drop
             ip daddr 10.1.0.3 drop
             ip6 daddr fd00::3 meta l4proto tcp drop
             ip6 daddr fd00::3 icmpv6 type echo-request drop
             ip6 daddr fd01::1 meta l4proto tcp drop
             ip6 daddr fd01::2 icmpv6 type echo-request drop
             ip6 daddr fd01::3 drop",
        );
        far
    }

    fn run(&self, lines: &str) {
        let pid = self.holder.id();
        run(&format!(
            "nsenter --net=/proc/{pid}/ns/net sh -ec '{}'",
            lines.replace('\'', "'\\''")
        ));
    }

    /// These rules for what comes in, and no ICMP errors out: nobody tells of an address that is not there.
    fn filter(&self, rules: &str) {
        self.run(&format!(
            "nft -f - <<X
flush ruleset
table inet t {{
 chain in {{
  type filter hook input priority 0
  {rules}
 }}
 chain out {{
  type filter hook output priority 0
  icmp type destination-unreachable drop
  icmpv6 type destination-unreachable drop
 }}
}}
X"
        ));
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What runs the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum As {
    Root,
    /// Without any capability.
    Ordinary,
}

fn halfopen(who: As, arguments: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_halfopen");
    let mut command = Command::new("timeout");
    command.arg("60");
    if who == As::Ordinary {
        command.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
    }
    command.arg(program).args(arguments.split_whitespace());
    command.stdin(Stdio::null()).output().expect("it starts")
}

fn lines(output: &Output) -> Vec<Value> {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Address and reason of the host lines, in order.
fn hosts(output: &Output) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut hosts: Vec<(String, String)> = lines(output)
        .iter()
        .filter(|line| line["type"] == "host")
        .map(|line| (text(&line["address"]), text(&line["reason"])))
        .collect();
    hosts.sort();
    hosts
}

fn addresses(hosts: &[(String, String)]) -> Vec<&str> {
    hosts.iter().map(|(address, _)| address.as_str()).collect()
}

const ALL: &str = "10.0.0.2-6 10.1.0.0/29 fd00::2 fd00::3 fd00::4 fd01::/125";
const UP: [&str; 8] = [
    "10.0.0.2", "10.0.0.3", "10.1.0.1", "10.1.0.2", "fd00::2", "fd00::3", "fd01::1", "fd01::2",
];

#[test]
fn every_mode_finds_the_same_hosts_whatever_they_answer_by() {
    inside(
        "ping::every_mode_finds_the_same_hosts_whatever_they_answer_by",
        || {
            let _far = Far::new();
            let raw = halfopen(As::Root, &format!("-m syn --ping-only --json {ALL}"));
            let connect = halfopen(As::Root, &format!("-m connect --ping-only --json {ALL}"));
            run("echo 0 0 > /proc/sys/net/ipv4/ping_group_range");
            let ordinary = halfopen(As::Ordinary, &format!("--ping-only --json {ALL}"));
            for output in [&raw, &connect, &ordinary] {
                let found = hosts(output);
                assert_eq!(addresses(&found), UP);
                for (address, reason) in [
                    ("10.0.0.3", "neighbour"),
                    ("fd00::3", "neighbour"),
                    ("10.1.0.1", "echo-reply"),
                    ("fd01::1", "echo-reply"),
                    ("10.1.0.2", "rst"),
                    ("fd01::2", "rst"),
                ] {
                    let told = (address.to_owned(), reason.to_owned());
                    assert!(found.contains(&told), "{told:?} in {found:?}");
                }
                let all = lines(output);
                let summary = all.last().expect("a summary");
                assert_eq!(summary["hosts_up"], 8);
                assert_eq!(summary["hosts_down"], 16);
                assert_eq!(summary["complete"], true);
            }
        },
    );
}

#[test]
fn without_ping_sockets_it_says_so_and_finds_who_answers_otherwise() {
    inside(
        "ping::without_ping_sockets_it_says_so_and_finds_who_answers_otherwise",
        || {
            let _far = Far::new();
            // In a new namespace no group may have ping sockets.
            let output = halfopen(As::Ordinary, &format!("--ping-only --json {ALL}"));
            let found = hosts(&output);
            let expected: Vec<&str> = UP
                .into_iter()
                .filter(|address| !["10.1.0.1", "fd01::1"].contains(address))
                .collect();
            assert_eq!(addresses(&found), expected);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("note: no echo requests from here"), "{said}");
        },
    );
}

#[test]
fn only_hosts_that_answer_are_scanned() {
    inside("ping::only_hosts_that_answer_are_scanned", || {
        let _far = Far::new();
        for mode in ["syn", "connect"] {
            let arguments = format!("-m {mode} --ping -p 440-449 --json --show all {ALL}");
            let all = lines(&halfopen(As::Root, &arguments));
            let mut scanned: Vec<&str> = all
                .iter()
                .filter(|line| line["type"] == "port")
                .filter_map(|line| line["address"].as_str())
                .collect();
            scanned.sort_unstable();
            scanned.dedup();
            assert_eq!(scanned, UP, "{mode}");
            let summary = all.last().expect("a summary");
            assert_eq!(summary["endpoints"], 80, "{mode}");
            assert_eq!(summary["hosts_up"], 8, "{mode}");
        }
    });
}

#[test]
fn a_list_of_hosts_can_be_read_as_targets_and_says_how_many() {
    inside(
        "ping::a_list_of_hosts_can_be_read_as_targets_and_says_how_many",
        || {
            let _far = Far::new();
            let output = halfopen(As::Root, "-m connect --ping-only 10.1.0.0/29");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let targets: Vec<&str> = text
                .lines()
                .filter_map(|line| line.split('#').next())
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect();
            assert_eq!(targets, ["10.1.0.1", "10.1.0.2"]);
            let last = text.lines().last().expect("a line");
            assert!(
                last.starts_with("# 2 of 8 hosts answered the ping, "),
                "{last}"
            );
        },
    );
}

#[test]
fn where_nobody_is_nothing_is_scanned_and_that_is_complete() {
    inside(
        "ping::where_nobody_is_nothing_is_scanned_and_that_is_complete",
        || {
            let _far = Far::new();
            for mode in ["syn", "connect"] {
                let arguments = format!("-m {mode} --ping -p 443 10.1.0.4-7 10.0.0.7-9");
                let output = halfopen(As::Root, &arguments);
                assert_eq!(output.status.code(), Some(0));
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let told = "0 of 7 hosts answered the ping; nothing was scanned";
                assert!(text.contains(told), "{text}");
            }
        },
    );
}

#[test]
fn a_host_whose_first_answers_are_lost_is_asked_again() {
    inside(
        "ping::a_host_whose_first_answers_are_lost_is_asked_again",
        || {
            let far = Far::new();
            far.filter(
                "ip daddr 10.1.0.1 meta l4proto tcp drop
                 ip daddr 10.1.0.1 numgen inc mod 3 != 2 drop
                 ip daddr 10.1.0.2 meta l4proto icmp drop
                 ip daddr 10.1.0.2 tcp dport != 22 drop
                 ip daddr 10.1.0.2 numgen inc mod 2 == 0 drop",
            );
            for mode in ["syn", "connect"] {
                let arguments = format!("-m {mode} --ping-only --json 10.1.0.1-2");
                let found = hosts(&halfopen(As::Root, &arguments));
                assert_eq!(addresses(&found), ["10.1.0.1", "10.1.0.2"], "{mode}");
            }
        },
    );
}

#[test]
fn hosts_whose_answers_this_machine_dropped_were_said_to_be_down() {
    inside(
        "ping::hosts_whose_answers_this_machine_dropped_were_said_to_be_down",
        || {
            let far = Far::new();
            far.filter("");
            run("nft add table inet own
                 nft add chain inet own in '{ type filter hook input priority 0; }'
                 nft add rule inet own in ip saddr 10.1.0.0/24 meta l4proto '{ tcp, icmp }' drop");
            let output = halfopen(As::Root, "-m connect --ping-only --json 10.1.0.1-2");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(6), "{text}");
            assert!(text.contains("answers-dropped"), "{text}");
        },
    );
}

#[test]
fn a_router_that_answers_for_every_address_on_the_link_proves_none() {
    inside(
        "ping::a_router_that_answers_for_every_address_on_the_link_proves_none",
        || {
            let far = Far::new();
            // It takes 10.0.0.64/26 for a network behind it, and answers ARP for all of it.
            far.run(
                "ip link add d0 type veth peer name d1
                 ip link set d0 up
                 ip link set d1 up
                 ip route add 10.0.0.64/26 dev d0
                 echo 1 > /proc/sys/net/ipv4/conf/v1/proxy_arp
                 echo 1 > /proc/sys/net/ipv4/ip_forward
                 echo 0 > /proc/sys/net/ipv4/neigh/v1/proxy_delay",
            );
            let arguments = "-m syn --ping-only --json 10.0.0.64/26 10.0.0.2-3";
            let found = hosts(&halfopen(As::Root, arguments));
            assert_eq!(addresses(&found), ["10.0.0.2"]);
        },
    );
}
