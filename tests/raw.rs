//! The raw transport against this machine's kernel, in network namespaces that the test makes itself.
//!
//! Each test runs itself again below `unshare -Urn`. Where that is impossible it prints SKIPPED, which
//! `REQUIRE_KERNEL_TESTS=1` turns into a failure.
#![allow(clippy::disallowed_methods)]

mod frames;
mod neighbours;
mod overflow;
mod refusals;
pub mod scene;
mod senders;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::alone::{inside, interface, run};
use halfopen::model::{Address, How, LocalFault, Observation, Presence, Seen, Source, Unreachable};
use halfopen::transport::Transport;
use halfopen::transport::raw::{Families, RawConfig, RawTransport};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, ipproto, socket_with};
use scene::{KernelRouter, TARGET, TARGET_V6, Target, endpoint, open, probe, transport, walk};

const LOOPBACK: &str = "127.0.0.1";

fn is_open(seen: &Seen) -> bool {
    matches!(seen, Seen::SynAck(_))
}

fn is_reset(seen: &Seen) -> bool {
    matches!(seen, Seen::Rst { .. })
}

/// Every port answered once, and exactly the listeners are open.
fn assert_exact(seen: &BTreeMap<u16, Vec<Seen>>, listening: &BTreeSet<u16>) {
    let opened: BTreeSet<u16> = seen
        .iter()
        .filter(|(_, seen)| seen.iter().any(is_open))
        .map(|(port, _)| *port)
        .collect();
    assert_eq!(
        opened.difference(listening).collect::<Vec<_>>(),
        Vec::<&u16>::new()
    );
    assert_eq!(
        listening.difference(&opened).collect::<Vec<_>>(),
        Vec::<&u16>::new()
    );
    for (port, seen) in seen {
        assert_eq!(seen.len(), 1, "{port}: {seen:?}");
        assert!(is_open(&seen[0]) || is_reset(&seen[0]), "{port}: {seen:?}");
    }
    assert_eq!(seen.len(), 65_535);
}

#[test]
fn a_kernel_answers_our_syn_on_loopback_in_both_families() {
    inside(
        "raw::a_kernel_answers_our_syn_on_loopback_in_both_families",
        || {
            for address in [LOOPBACK, "::1"] {
                let ip: IpAddr = address.parse().unwrap();
                let listener = TcpListener::bind((ip, 0)).unwrap();
                let port = listener.local_addr().unwrap().port();
                let mut transport = open(KernelRouter::default());
                let seen = walk(&mut transport, ip, &[port, 9], 0, Duration::from_secs(2));
                let Seen::SynAck(answer) = seen[&port][0] else {
                    panic!("{seen:?}");
                };
                assert_eq!(answer.options, Presence::Present);
                assert_eq!(answer.ttl, Some(64));
                assert!(answer.window > 0);
                assert_eq!(seen[&9], [Seen::Rst { ttl: 64 }]);
                // The kernel's own RST has ended the half-open connection: nothing is to be accepted.
                listener.set_nonblocking(true).unwrap();
                assert!(listener.accept().is_err());
                let table = std::fs::read_to_string(if ip.is_ipv4() {
                    "/proc/self/net/tcp"
                } else {
                    "/proc/self/net/tcp6"
                });
                // State 03 is SYN_RECV.
                let half_open = table
                    .unwrap()
                    .lines()
                    .filter(|line| line.contains(" 03 "))
                    .count();
                assert_eq!(half_open, 0);
            }
        },
    );
}

#[test]
fn all_ports_of_loopback_answer_also_those_that_we_send_from() {
    inside(
        "raw::all_ports_of_loopback_answer_also_those_that_we_send_from",
        || {
            let listeners: Vec<_> = (0..100)
                .map(|_| TcpListener::bind((LOOPBACK, 0)).unwrap())
                .collect();
            let listening = listeners
                .iter()
                .map(|listener| listener.local_addr().unwrap().port())
                .collect();
            let mut transport = open(KernelRouter::default());
            let ports: Vec<u16> = (1..=65_535).collect();
            let begin = Instant::now();
            let seen = walk(
                &mut transport,
                LOOPBACK.parse().unwrap(),
                &ports,
                3,
                Duration::from_secs(5),
            );
            println!(
                "loopback, 65,535 ports: {:?}, {:?}",
                begin.elapsed(),
                transport.counters()
            );
            assert_exact(&seen, &listening);
            let counters = transport.counters();
            assert_eq!((counters.capture_drops, counters.queue_drops), (0, 0));
            assert_eq!(counters.packets_sent, 65_535);
            // Our own SYNs to the ports that we reserved come by as well: they are no strays.
            assert_eq!(counters.strays, 0);
        },
    );
}

#[test]
fn all_ports_of_a_veth_neighbour_answer_in_both_families_without_privilege() {
    inside(
        "raw::all_ports_of_a_veth_neighbour_answer_in_both_families_without_privilege",
        || {
            let target = Target::new();
            let listening = target.listen(100);
            let ports: Vec<u16> = (1..=65_535).collect();
            for ip in [TARGET, TARGET_V6] {
                let mut transport = transport(KernelRouter::default());
                if ip == TARGET_V6 {
                    // What a scan does between opening and starting; the receiver thread inherits it.
                    let none = caps::CapsHashSet::new();
                    caps::set(None, caps::CapSet::Effective, &none).unwrap();
                    caps::set(None, caps::CapSet::Permitted, &none).unwrap();
                }
                transport.start().unwrap();
                let begin = Instant::now();
                let seen = walk(
                    &mut transport,
                    ip.parse().unwrap(),
                    &ports,
                    0,
                    Duration::from_secs(5),
                );
                let elapsed = begin.elapsed();
                let counters = transport.counters();
                println!("veth {ip}, 65,535 ports: {elapsed:?}, {counters:?}");
                assert_exact(&seen, &listening);
                assert_eq!((counters.capture_drops, counters.queue_drops), (0, 0));
                let begin = Instant::now();
                drop(transport);
                assert!(begin.elapsed() < Duration::from_secs(1));
            }
        },
    );
}

#[test]
fn our_syn_is_that_of_connect() {
    inside("raw::our_syn_is_that_of_connect", || {
        run("ip link set lo mtu 1500");
        for (address, domain, header) in [
            (LOOPBACK, AddressFamily::INET, 20),
            // A raw IPv6 socket shows no IP header.
            ("::1", AddressFamily::INET6, 0),
        ] {
            let ip: IpAddr = address.parse().unwrap();
            let tap = socket_with(
                domain,
                SocketType::RAW,
                SocketFlags::CLOEXEC,
                Some(ipproto::TCP),
            )
            .unwrap();
            let syn = || loop {
                let mut bytes = [0_u8; 200];
                let (_, length) =
                    rustix::net::recv(&tap, &mut bytes[..], RecvFlags::empty()).unwrap();
                let mut bytes = bytes[..length].to_vec();
                if bytes[header + 13] != 0x02 {
                    continue;
                }
                if header > 0 {
                    // Identification, header checksum.
                    bytes[4..6].fill(0);
                    bytes[10..12].fill(0);
                }
                // Ports and sequence number, checksum, timestamp.
                let segment = &mut bytes[header..];
                segment[0..8].fill(0);
                segment[16..18].fill(0);
                segment[28..32].fill(0);
                return bytes;
            };
            let _ = TcpStream::connect((ip, 9));
            let theirs = syn();
            let mut transport = open(KernelRouter::default());
            walk(&mut transport, ip, &[9], 0, Duration::from_secs(1));
            assert_eq!(syn(), theirs, "{address}");
        }
    });
}

#[test]
fn icmp_errors_arrive_with_reason_and_offender() {
    inside("raw::icmp_errors_arrive_with_reason_and_offender", || {
        let target = Target::new();
        target.run("nft add table inet t; nft add chain inet t i '{ type filter hook input priority 0 ; }'; \
             nft add rule inet t i tcp dport 81 reject with icmpx type admin-prohibited; \
             nft add rule inet t i tcp dport 82 reject; \
             nft add rule inet t i tcp dport 83 reject with tcp reset");
        let mut transport = open(KernelRouter::default());
        for ip in [TARGET, TARGET_V6] {
            let offender = ip.parse().unwrap();
            for (port, reason) in [(81, Unreachable::AdminProhibited), (82, Unreachable::Port)] {
                let seen = walk(&mut transport, offender, &[port], 0, Duration::from_secs(2));
                assert_eq!(seen[&port], [Seen::Icmp { reason, offender }]);
                // The kernel lets out one error a second to each destination.
                thread::sleep(Duration::from_millis(1100));
            }
            let seen = walk(&mut transport, offender, &[83], 0, Duration::from_secs(2));
            assert!(is_reset(&seen[&83][0]));
        }
    });
}

#[test]
fn link_local_addresses_are_probed_through_their_zone() {
    inside(
        "raw::link_local_addresses_are_probed_through_their_zone",
        || {
            let target = Target::new();
            let listening = target.listen(1);
            let port = *listening.first().unwrap();
            run("ip -6 addr add fe80::1:1/64 dev a0 nodad");
            target.run("ip -6 addr add fe80::1:2/64 dev b0 nodad");
            let index = interface("a0");
            let mut transport = open(KernelRouter::default());
            // The target's, and our own: that one answers over loopback but lives in a0's zone.
            for (ip, expect_open) in [("fe80::1:2", true), ("fe80::1:1", false)] {
                let address = Address::new(ip.parse().unwrap()).with_zone(index);
                let mut probe = probe(address.ip, port, 0);
                probe.endpoint.address = address;
                assert_eq!(transport.send(&[probe]), 1);
                let mut out: Vec<Observation> = Vec::new();
                let until = transport.now() + Duration::from_secs(2);
                transport.recv(until, &mut out);
                assert_eq!(out.len(), 1, "{ip} {:?}", transport.counters());
                assert_eq!(out[0].endpoint.address, address);
                assert_eq!(is_open(&out[0].seen), expect_open, "{out:?}");
            }
        },
    );
}

#[test]
fn two_scans_at_once_do_not_meet() {
    inside("raw::two_scans_at_once_do_not_meet", || {
        let mut first = open(KernelRouter::default());
        let mut second = open(KernelRouter::default());
        let (a, b) = (first.source_ports(), second.source_ports());
        assert!(a.1 < b.0 || b.1 < a.0, "{a:?} {b:?}");
        assert!(a.0 > 60_999 && b.0 > 60_999, "{a:?} {b:?}");
        assert!(TcpListener::bind(("0.0.0.0", a.0)).is_err());
        let ip: IpAddr = LOOPBACK.parse().unwrap();
        for transport in [&mut first, &mut second] {
            let ports: Vec<u16> = (1..=2000).collect();
            let seen = walk(transport, ip, &ports, 0, Duration::from_secs(2));
            assert_eq!(seen.len(), 2000);
        }
        assert_eq!((first.counters().strays, second.counters().strays), (0, 0));
    });
}

#[test]
fn a_flow_that_does_not_exist_and_a_handshake_are_refused_without_a_packet() {
    inside(
        "raw::a_flow_that_does_not_exist_and_a_handshake_are_refused_without_a_packet",
        || {
            let mut transport = open(KernelRouter::default());
            let ip: IpAddr = LOOPBACK.parse().unwrap();
            let mut handshake = probe(ip, 80, 0);
            handshake.how = How::Handshake {
                patience: Duration::from_secs(1),
            };
            assert_eq!(
                transport.send(&[probe(ip, 80, transport.flows()), handshake]),
                2
            );
            let mut out = Vec::new();
            let now = transport.now();
            transport.recv(now, &mut out);
            let seen: Vec<_> = out.iter().map(|observation| observation.seen).collect();
            assert_eq!(
                seen,
                [
                    Seen::Local(LocalFault::Other),
                    Seen::Local(LocalFault::NotSent)
                ]
            );
            assert_eq!(transport.counters().packets_sent, 0);
        },
    );
}

#[test]
fn a_wait_ends_when_it_should_and_each_flow_is_told_apart() {
    inside(
        "raw::a_wait_ends_when_it_should_and_each_flow_is_told_apart",
        || {
            let mut transport = open(KernelRouter::default());
            let mut late: Vec<Duration> = (0..50)
                .map(|_| {
                    let until = transport.now() + Duration::from_micros(300);
                    transport.recv(until, &mut Vec::new());
                    transport.now().since(until)
                })
                .collect();
            late.sort();
            println!("a wait of 300 us ends late by {:?} (median)", late[25]);
            assert!(late[25] < Duration::from_millis(1), "{late:?}");

            let ip: IpAddr = LOOPBACK.parse().unwrap();
            let probes: Vec<_> = (0..transport.flows())
                .map(|flow| probe(ip, 9, flow))
                .collect();
            assert_eq!(transport.send(&probes), probes.len());
            let (mut out, begin) = (Vec::new(), Instant::now());
            while out.len() < probes.len() && begin.elapsed() < Duration::from_secs(2) {
                let until = transport.now() + Duration::from_millis(10);
                transport.recv(until, &mut out);
            }
            let flows: BTreeSet<_> = out
                .iter()
                .map(|observation| match observation.source {
                    Source::Flow(flow) => flow,
                    Source::Attempt { .. } | Source::Host => u8::MAX,
                })
                .collect();
            assert_eq!(flows, (0..transport.flows()).collect());
            for observation in &out {
                assert_eq!(observation.endpoint, endpoint(ip, 9));
                assert!(observation.at <= transport.now());
            }
            let lag = transport.counters().delivery_lag;
            println!("delivery lag {lag:?}");
            assert!(lag > Duration::ZERO && lag < Duration::from_millis(100));
        },
    );
}

#[test]
fn without_the_privilege_opening_fails_with_permission_denied() {
    inside(
        "raw::without_the_privilege_opening_fails_with_permission_denied",
        || {
            let none = caps::CapsHashSet::new();
            caps::set(None, caps::CapSet::Effective, &none).unwrap();
            let config = RawConfig {
                families: Families::Both,
                ..scene::config()
            };
            let error = RawTransport::open(config, KernelRouter::default())
                .err()
                .unwrap();
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        },
    );
}
