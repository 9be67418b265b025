//! One sending thread or two: the same packets, the same refusals, each once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use halfopen::model::{LocalFault, Probe, Seen};
use halfopen::transport::Transport;
use halfopen::transport::raw::{RawConfig, RawTransport, SendPath, Senders};
use halfopen::transport::route::NetlinkRouter;

use super::scene::{TARGET, Target, config, probe, walk};
use super::{assert_exact, is_reset};
use crate::lab::alone::{inside, run};

fn open(senders: Senders, path: SendPath) -> RawTransport<NetlinkRouter> {
    let config = RawConfig {
        senders,
        path,
        ..config()
    };
    let mut transport = RawTransport::open(config, NetlinkRouter::open().unwrap()).unwrap();
    transport.start().unwrap();
    transport
}

fn threads_named(name: &str) -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}

#[test]
fn every_port_gets_its_packet_whoever_sends_it() {
    inside(
        "raw::senders::every_port_gets_its_packet_whoever_sends_it",
        || {
            let target = Target::new();
            let listening = target.listen(100);
            for (senders, couriers) in [(Senders::One, 0), (Senders::Two, 1)] {
                for path in [SendPath::Ip, SendPath::Frame] {
                    let mut transport = open(senders, path);
                    // A thread names itself when it begins to run.
                    let begin = Instant::now();
                    while threads_named("courier") < couriers && begin.elapsed().as_secs() < 5 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    assert_eq!(threads_named("courier"), couriers);
                    let ports: Vec<u16> = (1..=65_535).collect();
                    let ip: IpAddr = TARGET.parse().unwrap();
                    let begin = Instant::now();
                    let seen = walk(&mut transport, ip, &ports, 0, Duration::from_secs(5));
                    println!("{senders:?} {path:?}: {:?}", begin.elapsed());
                    assert_exact(&seen, &listening);
                    assert_eq!(sent_in_the_end(&transport, 65_535), 65_535);
                    drop(transport);
                    assert_eq!(threads_named("courier"), 0);
                }
            }
        },
    );
}

/// Packets sent, once they are as many as expected or a second has passed: the last answer may be here before the second
/// sender, whose call it came out of, has counted what it sent.
fn sent_in_the_end(transport: &RawTransport<NetlinkRouter>, expected: u64) -> u64 {
    let begin = Instant::now();
    while transport.counters().packets_sent < expected && begin.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
    transport.counters().packets_sent
}

#[test]
fn refusals_come_back_for_the_probes_that_they_met() {
    inside(
        "raw::senders::refusals_come_back_for_the_probes_that_they_met",
        || {
            let _target = Target::new();
            run(
                "nft add table ip t; nft add chain ip t o '{ type filter hook output priority 0 ; }'; \
                 nft add rule ip t o tcp dport 2000-2999 drop",
            );
            let ip: IpAddr = TARGET.parse().unwrap();
            for senders in [Senders::One, Senders::Two] {
                let mut transport = open(senders, SendPath::Ip);
                let ports: Vec<u16> = (1..=10_240).collect();
                let seen: BTreeMap<u16, Vec<Seen>> =
                    walk(&mut transport, ip, &ports, 0, Duration::from_secs(2));
                assert_eq!(seen.len(), ports.len());
                for (port, seen) in &seen {
                    assert_eq!(seen.len(), 1, "{port} {seen:?}");
                    if (2000..3000).contains(port) {
                        assert_eq!(seen[0], Seen::Local(LocalFault::Firewall), "{port}");
                    } else {
                        assert!(is_reset(&seen[0]), "{port} {seen:?}");
                    }
                }
                assert_eq!(sent_in_the_end(&transport, 9_240), 9_240);
            }
        },
    );
}

#[test]
fn a_transport_that_is_dropped_while_it_sends_ends_soon() {
    inside(
        "raw::senders::a_transport_that_is_dropped_while_it_sends_ends_soon",
        || {
            let _target = Target::new();
            let ip: IpAddr = TARGET.parse().unwrap();
            let mut transport = open(Senders::Two, SendPath::Ip);
            // So that the neighbour is known.
            assert_eq!(
                walk(&mut transport, ip, &[1], 0, Duration::from_secs(2)).len(),
                1
            );
            let probes: Vec<Probe> = (1..=10_240).map(|port| probe(ip, port, 0)).collect();
            assert!(transport.send(&probes) > 0);
            let begin = Instant::now();
            drop(transport);
            assert!(begin.elapsed() < Duration::from_secs(1));
            assert_eq!(threads_named("courier"), 0);
        },
    );
}
