//! `--rate` and `--host-rate` are kept on the wire, in both modes: every SYN that leaves is stamped by the kernel and counted in
//! windows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lab::alone::inside;
use crate::lab::capture::Capture;
use crate::raw::scene::Target;

/// SYNs that left for a scan of ports 1 to `ports`, all of which answer.
fn stamps(mode: &str, rate: u32, ports: u32) -> Vec<Duration> {
    let capture = Capture::open().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let heard = scope.spawn(|| capture.syns_until(&stop).unwrap());
        let ended = Command::new(env!("CARGO_BIN_EXE_halfopen"))
            .args(["--no-config", "-m", mode, "--json"])
            .args(["--rate", &rate.to_string()])
            .args(["-p", &format!("1-{ports}"), "10.9.0.2"])
            .output()
            .unwrap();
        stop.store(true, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{text}");
        let mut times = heard.join().unwrap();
        times.sort_unstable();
        times
    })
}

/// The most that left within 100 ms.
fn busiest(times: &[Duration]) -> usize {
    let window = Duration::from_millis(100);
    let within = |(at, start): (usize, &Duration)| {
        times[at..].partition_point(|time| time.saturating_sub(*start) < window)
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

/// What a scan by this rate put on the wire, at its busiest. A thread that has to wait for a processor sends late what it was
/// given, and more at a time for it: on a machine that is busy with something else it is measured again. A scanner that does
/// not keep its rate does not keep it the next time either.
fn measured<T>(most: usize, busiest: impl Fn(&T) -> usize, scan: impl Fn() -> T) -> (T, usize) {
    let mut tries = 1;
    loop {
        let seen = scan();
        let worst = busiest(&seen);
        if worst <= most || tries == TRIES {
            return (seen, worst);
        }
        println!("try {tries}: {worst} within 100 ms, not {most}");
        tries += 1;
    }
}

/// So often at most.
const TRIES: usize = 5;

fn keeps(mode: &str) {
    let _target = Target::new();
    for (rate, ports) in [(100, 150), (2_000, 3_000), (20_000, 30_000)] {
        // A batch is what a millisecond holds; a thread that waits for a processor may be late by a few of them.
        let batch = (rate / 1000).max(1) as usize + 1;
        let late = rate as usize / 250;
        let most = rate as usize / 10 + batch + late;
        let (times, busiest) = measured(
            most,
            |times: &Vec<Duration>| busiest(times),
            || stamps(mode, rate, ports),
        );
        let span = times[times.len() - 1] - times[0];
        println!(
            "{mode} {rate}/s: {} SYNs in {span:?}, {busiest} within 100 ms",
            times.len()
        );
        assert!(
            times.len() >= ports as usize,
            "{} SYNs of {ports}",
            times.len()
        );
        assert!(
            busiest <= most,
            "{busiest} within 100 ms at {rate}/s, not {most}, {TRIES} times"
        );
        // A ceiling that is never reached would be kept as well.
        let mean = times.len() as f64 / span.as_secs_f64();
        assert!(
            mean > f64::from(rate) * 0.5,
            "{mean}/s where {rate}/s were allowed"
        );
    }
}

/// When each of the hosts was asked in a scan of ports 1 to `ports`, all of which answer.
fn stamps_by_host(
    mode: &str,
    rate: u32,
    ports: u32,
    targets: &str,
) -> BTreeMap<Ipv4Addr, Vec<Duration>> {
    let capture = Capture::open().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let heard = scope.spawn(|| capture.asked_until(&stop).unwrap());
        let ended = Command::new(env!("CARGO_BIN_EXE_halfopen"))
            .args(["--no-config", "-m", mode, "--json"])
            .args(["--host-rate", &rate.to_string()])
            .args(["-p", &format!("1-{ports}"), targets])
            .output()
            .unwrap();
        stop.store(true, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{text}");
        let mut hosts: BTreeMap<Ipv4Addr, Vec<Duration>> = BTreeMap::new();
        for (endpoint, stamp) in heard.join().unwrap() {
            hosts.entry(*endpoint.ip()).or_default().push(stamp);
        }
        hosts.values_mut().for_each(|times| times.sort_unstable());
        hosts
    })
}

fn keeps_for_each_host(mode: &str) {
    let target = Target::new();
    target.run("for last in $(seq 3 65); do ip addr add 10.9.0.$last/24 dev b0; done");
    for (rate, ports, count, targets) in [
        (100, 150, 64, "10.9.0.2-65"),
        (20, 30, 64, "10.9.0.2-65"),
        (2_000, 3_000, 1, "10.9.0.2"),
    ] {
        let batch = (rate / 1000).max(1) as usize;
        let late = rate as usize / 250;
        let most = rate as usize / 10 + batch + late;
        let (hosts, busiest) = measured(
            most,
            |hosts: &BTreeMap<Ipv4Addr, Vec<Duration>>| {
                let worst = hosts.values().map(|times| busiest(times)).max();
                worst.unwrap_or(0)
            },
            || stamps_by_host(mode, rate, ports, targets),
        );
        assert_eq!(hosts.len(), count);
        let syns: usize = hosts.values().map(Vec::len).sum();
        let first = hosts.values().map(|times| times[0]).min().unwrap();
        let last = hosts.values().map(|times| times[times.len() - 1]).max();
        let span = last.unwrap() - first;
        println!(
            "{mode} {count} hosts at {rate}/s each: {syns} SYNs in {span:?}, {busiest} to one host within 100 ms"
        );
        assert!(syns >= count * ports as usize, "{syns} SYNs");
        assert!(
            busiest <= most,
            "{busiest} to one host within 100 ms at {rate}/s, not {most}, {TRIES} times"
        );
        // All of them must be asked at a time, not one after the other.
        let mean = syns as f64 / count as f64 / span.as_secs_f64();
        assert!(
            mean > f64::from(rate) * 0.5,
            "{mean}/s to each host where {rate}/s were allowed"
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
