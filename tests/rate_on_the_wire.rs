//! `--rate` is kept on the wire, in both modes: every SYN that leaves is stamped by the kernel and counted in windows.

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

fn keeps(mode: &str) {
    let _target = Target::new();
    for (rate, ports) in [(100, 150), (2_000, 3_000), (20_000, 30_000)] {
        let times = stamps(mode, rate, ports);
        let (busiest, span) = (busiest(&times), times[times.len() - 1] - times[0]);
        println!(
            "{mode} {rate}/s: {} SYNs in {span:?}, {busiest} within 100 ms",
            times.len()
        );
        assert!(
            times.len() >= ports as usize,
            "{} SYNs of {ports}",
            times.len()
        );
        // A batch is what a millisecond holds; a thread that waits for a processor may be late by a few of them.
        let batch = (rate / 1000).max(1) as usize + 1;
        let late = rate as usize / 250;
        let most = rate as usize / 10 + batch + late;
        assert!(
            busiest <= most,
            "{busiest} within 100 ms at {rate}/s, not {most}"
        );
        // A ceiling that is never reached would be kept as well.
        let mean = times.len() as f64 / span.as_secs_f64();
        assert!(
            mean > f64::from(rate) * 0.5,
            "{mean}/s where {rate}/s were allowed"
        );
    }
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
