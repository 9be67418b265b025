//! Neighbours that do not answer: told as such, and nobody else waits for them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::lab::alone::inside;
use halfopen::model::{Probe, Seen};
use halfopen::transport::Transport as _;
use halfopen::transport::raw::RawTransport;
use halfopen::transport::route::NetlinkRouter;

use super::assert_exact;
use super::scene::{KernelRouter, TARGET, Target, config, open, probe, told, walk};

#[test]
fn a_dead_neighbour_is_told_and_gets_few_probes_until_then() {
    inside(
        "raw::neighbours::a_dead_neighbour_is_told_and_gets_few_probes_until_then",
        || {
            let target = Target::new();
            target.run("ip link set b0 arp off");
            let dead: IpAddr = "10.9.0.77".parse().unwrap();
            let mut transport = open(KernelRouter::default());
            let ports: Vec<u16> = (1..=1000).collect();
            let probes: Vec<Probe> = ports.iter().map(|port| probe(dead, *port, 0)).collect();
            assert_eq!(transport.send(&probes), 2);
            // The next look at the neighbour table finds it still unresolved.
            assert_eq!(transport.send(&probes[2..]), 0);
            assert_eq!(transport.counters().packets_sent, 2);
            let mut out = told(&mut transport);
            for observation in &out {
                assert_eq!(observation.seen, Seen::NoNeighbour, "{observation:?}");
                assert_eq!(observation.endpoint.address.ip, dead);
            }
            out.clear();
            assert_eq!(transport.send(&probes[2..258]), 256);
            transport.recv(transport.now(), &mut out);
            assert_eq!(out.len(), 256);
            assert!(out.iter().all(|one| one.seen == Seen::NoNeighbour));
            assert_eq!(transport.counters().packets_sent, 2);
        },
    );
}

#[test]
fn a_dead_neighbour_did_not_leave_the_others_a_send_buffer() {
    inside(
        "raw::neighbours::a_dead_neighbour_did_not_leave_the_others_a_send_buffer",
        || {
            let target = Target::new();
            let listening = target.listen(50);
            let mut transport =
                RawTransport::open(config(), NetlinkRouter::open().unwrap()).unwrap();
            transport.start().unwrap();
            // Nobody has any of these addresses; their packets wait in the kernel for three seconds.
            let dead: Vec<Probe> = (20..250_u8)
                .map(|last| probe([10, 9, 0, last].into(), 80, 0))
                .collect();
            assert_eq!(transport.send(&dead), dead.len());
            let begin = Instant::now();
            let ports: Vec<u16> = (1..=65_535).collect();
            let ip: IpAddr = TARGET.parse().unwrap();
            let seen = walk(&mut transport, ip, &ports, 0, Duration::from_secs(2));
            assert_exact(&seen, &listening);
            assert!(
                begin.elapsed() < Duration::from_millis(2_500),
                "{:?}",
                begin.elapsed()
            );
        },
    );
}
