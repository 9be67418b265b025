//! `--rate` and `--host-rate` are kept on the wire, in both modes: every SYN that leaves is stamped by the kernel and counted in
//! windows. That is measured once and holds however busy the machine is: who sends late does not catch up. For the same reason
//! a busy machine does not reach the rates; that a machine with time for it does is seen where time is simulated
//! (`late_senders`).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::time::Duration;

use crate::lab::alone::{inside, run};
use crate::lab::recording::Recording;
use crate::raw::scene::Target;

/// Scans ports 1 to `ports` of these hosts, all of which answer.
fn syns(
    mode: &str,
    option: &str,
    rate: u32,
    ports: u32,
    targets: &str,
) -> Vec<(SocketAddrV4, Duration)> {
    let recording = Recording::start().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["--no-config", "-m", mode, "--json"])
        .args([option, &rate.to_string()])
        .args(["-p", &format!("1-{ports}"), targets])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{text}");
    recording.syns().unwrap()
}

/// The hosts 10.9.0.2 to 10.9.0.65. Who they are on the link is known: packets that wait in the kernel for the answer to that
/// would leave all at once.
fn hosts() -> Target {
    let target = Target::new();
    target.run("ip link set b0 address 02:00:00:00:00:02");
    target.run("for last in $(seq 3 65); do ip addr add 10.9.0.$last/24 dev b0; done");
    run("for last in $(seq 2 65); do \
         ip neigh replace 10.9.0.$last lladdr 02:00:00:00:00:02 dev a0 nud permanent; done");
    target
}

/// The most that left within 100 ms.
fn busiest(times: &[Duration]) -> usize {
    let window = Duration::from_millis(100);
    let within = |(at, start): (usize, &Duration)| {
        times[at..].partition_point(|time| time.saturating_sub(*start) < window)
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

/// A tenth of the rate and one batch, which is a millisecond's worth.
fn most(rate: u32) -> usize {
    (rate / 10 + (rate / 1000).max(1)) as usize
}

/// The calendar's clock, by which packets are stamped, may go a little slower than the one that keeps the rate.
const CLOCKS_DIFFER: usize = 1;

fn keeps(mode: &str) {
    let _target = hosts();
    for (rate, ports) in [(100, 150), (1_000, 1_500), (2_000, 3_000), (20_000, 30_000)] {
        let syns = syns(mode, "--rate", rate, ports, "10.9.0.2");
        let times: Vec<Duration> = syns.iter().map(|(_, stamp)| *stamp).collect();
        let (busiest, span) = (busiest(&times), times[times.len() - 1] - times[0]);
        let mean = times.len() as f64 / span.as_secs_f64();
        println!(
            "{mode} {rate}/s: {} SYNs in {span:?}, {mean:.1}/s, {busiest} within 100 ms",
            times.len()
        );
        assert!(times.len() >= ports as usize, "{} SYNs", times.len());
        assert!(
            busiest <= most(rate) + CLOCKS_DIFFER,
            "{busiest} within 100 ms at {rate}/s"
        );
    }
}

fn keeps_for_each_host(mode: &str) {
    let _target = hosts();
    for (rate, ports, count, targets) in [
        (100, 150, 64, "10.9.0.2-65"),
        (20, 30, 64, "10.9.0.2-65"),
        (2_000, 3_000, 1, "10.9.0.2"),
    ] {
        let mut hosts: BTreeMap<Ipv4Addr, Vec<Duration>> = BTreeMap::new();
        for (endpoint, stamp) in syns(mode, "--host-rate", rate, ports, targets) {
            hosts.entry(*endpoint.ip()).or_default().push(stamp);
        }
        assert_eq!(hosts.len(), count);
        let worst = hosts.values().map(|times| busiest(times)).max().unwrap();
        let syns: usize = hosts.values().map(Vec::len).sum();
        let first = hosts.values().map(|times| times[0]).min().unwrap();
        let last = hosts.values().map(|times| times[times.len() - 1]).max();
        let span = last.unwrap() - first;
        let mean = syns as f64 / count as f64 / span.as_secs_f64();
        println!(
            "{mode} {count} hosts: {syns} SYNs in {span:?}, {mean:.1}/s to each, {worst} to one host within 100 ms"
        );
        assert!(syns >= count * ports as usize, "{syns} SYNs");
        assert!(
            worst <= most(rate) + CLOCKS_DIFFER,
            "{worst} to one host within 100 ms at {rate}/s"
        );
    }
}

#[test]
fn half_open_probes_keep_the_host_rate() {
    inside(
        "rate_on_the_wire::half_open_probes_keep_the_host_rate",
        || keeps_for_each_host("syn"),
    );
}

#[test]
fn connects_keep_the_host_rate() {
    inside("rate_on_the_wire::connects_keep_the_host_rate", || {
        keeps_for_each_host("connect")
    });
}

#[test]
fn half_open_probes_keep_the_rate() {
    inside("rate_on_the_wire::half_open_probes_keep_the_rate", || {
        keeps("syn")
    });
}

#[test]
fn connects_keep_the_rate() {
    inside("rate_on_the_wire::connects_keep_the_rate", || {
        keeps("connect")
    });
}

/// The host's neighbour entry is resolved a second and a half after the scan began: the kernel keeps what is sent before, and
/// lets it go in one bunch.
fn keeps_while_nobody_answers_for_the_host(mode: &str) {
    let target = Target::new();
    target.run("ip link set b0 arp off");
    let (rate, ports) = (100, 250);
    let syns = std::thread::scope(|scope| {
        scope.spawn(|| target.run("sleep 1.5; ip link set b0 arp on"));
        syns(mode, "--rate", rate, ports, "10.9.0.2")
    });
    // What a kernel repeats of a connect is not counted.
    let mut firsts: BTreeMap<SocketAddrV4, Duration> = BTreeMap::new();
    for (endpoint, stamp) in syns {
        firsts.entry(endpoint).or_insert(stamp);
    }
    assert!(firsts.len() >= ports as usize, "{} ports", firsts.len());
    let mut times: Vec<Duration> = firsts.into_values().collect();
    times.sort_unstable();
    let busiest = busiest(&times);
    println!("{mode}: {busiest} within 100 ms");
    assert!(
        busiest <= most(rate) + CLOCKS_DIFFER + SCOUTS,
        "{busiest} within 100 ms at {rate}/s"
    );
}

/// Probes that make the kernel ask for a neighbour.
const SCOUTS: usize = 2;

#[test]
fn half_open_probes_that_wait_for_a_neighbour_keep_the_rate() {
    inside(
        "rate_on_the_wire::half_open_probes_that_wait_for_a_neighbour_keep_the_rate",
        || keeps_while_nobody_answers_for_the_host("syn"),
    );
}

#[test]
fn connects_that_waited_for_a_neighbour_left_in_one_bunch() {
    inside(
        "rate_on_the_wire::connects_that_waited_for_a_neighbour_left_in_one_bunch",
        || keeps_while_nobody_answers_for_the_host("connect"),
    );
}
