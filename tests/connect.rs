//! The connect transport against a real kernel: each test in a network namespace of its own.
#![allow(
    clippy::disallowed_methods,
    reason = "R1 is about the scanner; tests make their own servers and measure time"
)]

pub mod scan;
pub mod tun;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use halfopen::model::{How, LocalFault, Presence, Probe, Seen, Source, SynAck, Unreachable};
use halfopen::transport::Transport;

use crate::lab::alone::{inside, run};
use scan::{all, config, endpoint, is_open, one, probe, started, syns};
use tun::{ACK, RST, Reply, SYN};

const SECOND: Duration = Duration::from_secs(1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 254);

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn soon(packet: Vec<u8>) -> Reply {
    Reply {
        after: milliseconds(20),
        packets: vec![packet],
    }
}

#[test]
fn open_and_closed_ports_of_both_families_are_told_apart() {
    inside(
        "connect::open_and_closed_ports_of_both_families_are_told_apart",
        || {
            let four = TcpListener::bind("127.0.0.1:8080").expect("listen");
            let six = TcpListener::bind("[::1]:8081").expect("listen");
            let mut transport = started(config(2));
            for (to, open) in [
                (endpoint("127.0.0.1", 8080), true),
                (endpoint("127.0.0.1", 8081), false),
                (endpoint("::1", 8081), true),
                (endpoint("::1", 8080), false),
            ] {
                let seen = one(&mut transport, to, SECOND);
                assert_eq!(is_open(&seen), open, "{seen:?}");
                assert_eq!(seen.seen == Seen::Rst { ttl: 0 }, !open, "{seen:?}");
                let (count, rtt) = syns(&seen);
                assert_eq!(count, 1);
                assert!(rtt.is_some_and(|rtt| rtt < milliseconds(100)), "{rtt:?}");
            }
            assert_eq!(transport.counters().packets_sent, 4);
            drop((four, six));
        },
    );
}

#[test]
fn an_icmp_error_during_connect_does_not_end_the_attempt() {
    inside(
        "connect::an_icmp_error_during_connect_does_not_end_the_attempt",
        || {
            let _server = TcpListener::bind("127.0.0.1:80").expect("listen");
            run(
                "nft add table inet t; nft 'add chain inet t in { type filter hook input priority 0; }'",
            );
            let reject =
                "nft add rule inet t in tcp dport 80 reject with icmpx type admin-prohibited";
            run(reject);
            let mut transport = started(config(1));
            let to = endpoint("127.0.0.1", 80);
            // Impatient: all that came was the error, and it is no answer of a port.
            let first = one(&mut transport, to, milliseconds(300));
            let offender = "127.0.0.1".parse().expect("address");
            let reason = Unreachable::AdminProhibited;
            assert_eq!(first.seen, Seen::Icmp { reason, offender });
            // The next attempt is answered.
            run("nft flush chain inet t in");
            assert!(is_open(&one(&mut transport, to, SECOND)));
            // An attempt that lives on hears the answer to its second SYN.
            run(reject);
            thread::spawn(|| {
                thread::sleep(milliseconds(300));
                run("nft flush chain inet t in");
            });
            let patient = one(&mut transport, to, 3 * SECOND);
            assert!(is_open(&patient), "{patient:?}");
            assert_eq!(syns(&patient), (2, None), "no round trip after a repeat");
            let Source::Attempt { took, .. } = patient.source else {
                panic!("no attempt ended");
            };
            let took = took.expect("an answer");
            assert!(took >= SECOND && took < 2 * SECOND, "{took:?}");
        },
    );
}

#[test]
fn icmp_v6_reasons_come_from_the_error_queue() {
    inside("connect::icmp_v6_reasons_come_from_the_error_queue", || {
        run(
            "nft add table inet t; nft 'add chain inet t in { type filter hook input priority 0; }'",
        );
        run("nft add rule inet t in tcp dport 80 reject with icmpx type port-unreachable");
        let mut transport = started(config(1));
        let seen = one(&mut transport, endpoint("::1", 80), milliseconds(300));
        let reason = Unreachable::Port;
        let offender = "::1".parse().expect("address");
        assert_eq!(seen.seen, Seen::Icmp { reason, offender });
    });
}

#[test]
fn icmp_after_connect_is_never_open_nor_closed() {
    inside(
        "connect::icmp_after_connect_is_never_open_nor_closed",
        || {
            // The port says which error comes; ports from 1000 on answer the second SYN.
            tun::network(
                |segment| match (segment.flags, segment.port, segment.syns) {
                    (SYN, 1000.., 2..) => vec![soon(segment.answer(SYN | ACK, 7, 1000))],
                    (SYN, port, _) => {
                        vec![soon(segment.icmp(3, (port % 1000) as u8, ROUTER))]
                    }
                    _ => vec![],
                },
            );
            let mut transport = started(config(2));
            let codes = [0, 1, 2, 3, 5, 9, 10, 13];
            for base in [100, 1000] {
                for code in codes {
                    let port = if base == 100 {
                        u16::from(code)
                    } else {
                        base + u16::from(code)
                    };
                    if port == 0 {
                        continue;
                    }
                    let to = endpoint("10.9.0.2", port);
                    let first = one(&mut transport, to, milliseconds(500));
                    let reason = Unreachable::from_icmp_v4(3, code).expect("a verdict");
                    let offender = ROUTER.into();
                    assert_eq!(first.seen, Seen::Icmp { reason, offender }, "code {code}");
                    assert_eq!(syns(&first).0, 1);
                    if base == 1000 {
                        let second = one(&mut transport, to, milliseconds(500));
                        assert!(is_open(&second), "{second:?}");
                    }
                }
            }
            // Fragmentation needed is no verdict: the kernel goes on, and the answer to its repeat counts.
            let seen = one(&mut transport, endpoint("10.9.0.2", 1004), 3 * SECOND);
            assert!(is_open(&seen), "{seen:?}");
        },
    );
}

#[test]
fn a_reset_answers_only_with_the_handshake_before_it() {
    inside(
        "connect::a_reset_answers_only_with_the_handshake_before_it",
        || {
            tun::network(
                |segment| match (segment.port, segment.flags, segment.syns) {
                    // A bare SYN, and a reset for our SYN-ACK.
                    (1, SYN, 1) => vec![soon(segment.answer(SYN, 7, 1000))],
                    (1, ..) => vec![soon(segment.answer(RST | ACK, 8, 0))],
                    // A handshake, and a reset at once.
                    (2, SYN, _) => vec![Reply {
                        after: milliseconds(20),
                        packets: vec![
                            segment.answer(SYN | ACK, 7, 1000),
                            segment.answer(RST | ACK, 8, 0),
                        ],
                    }],
                    // A reset that acknowledges nothing is not for us.
                    (3, SYN, 1) => vec![soon(segment.answer(RST, 0, 0))],
                    (4, SYN, _) => vec![soon(segment.answer(RST | ACK, 0, 0))],
                    _ => vec![],
                },
            );
            let mut transport = started(config(1));
            let mut seen =
                |port, patience| one(&mut transport, endpoint("10.9.0.2", port), patience);
            let bare = seen(1, 2 * SECOND);
            assert_eq!(bare.seen, Seen::Rst { ttl: 0 });
            let reset = seen(2, 2 * SECOND);
            assert!(is_open(&reset), "{reset:?}");
            assert_eq!(seen(3, milliseconds(500)).seen, Seen::Silence);
            assert_eq!(seen(4, SECOND).seen, Seen::Rst { ttl: 0 });
        },
    );
}

#[test]
fn a_shut_window_is_watched_to_its_end() {
    inside("connect::a_shut_window_is_watched_to_its_end", || {
        tun::network(|segment| {
            let shut = soon(segment.answer(SYN | ACK, 7, 0));
            let later = |packet| Reply {
                after: milliseconds(400),
                packets: vec![packet],
            };
            match (segment.port, segment.flags) {
                (1, SYN) => vec![shut],
                (2, SYN) => vec![shut, later(segment.answer(RST | ACK, 8, 0))],
                (3, SYN) => vec![shut, later(segment.answer(ACK, 8, 900))],
                _ => vec![],
            }
        });
        let mut transport = started(config(1));
        let mut seen = |port| one(&mut transport, endpoint("10.9.0.2", port), SECOND);
        let tarpit = seen(1);
        let answer = SynAck {
            ttl: None,
            window: 0,
            options: Presence::Absent,
        };
        assert_eq!(tarpit.seen, Seen::SynAck(answer));
        assert_eq!(seen(2).seen, Seen::Rst { ttl: 0 });
        let opened = seen(3);
        assert!(is_open(&opened), "{opened:?}");
        let (_, rtt) = syns(&opened);
        assert!(
            rtt.is_some_and(|rtt| (milliseconds(20)..milliseconds(200)).contains(&rtt)),
            "the round trip is that of the handshake: {rtt:?}"
        );
    });
}

#[test]
fn servers_that_accept_and_reset_are_open() {
    inside("connect::servers_that_accept_and_reset_are_open", || {
        let ports: Vec<u16> = (20_000..21_000).collect();
        let servers: Vec<TcpListener> = ports
            .iter()
            .map(|port| {
                let server = TcpListener::bind(("127.0.0.1", *port)).expect("listen");
                server.set_nonblocking(true).expect("option");
                server
            })
            .collect();
        thread::spawn(move || {
            loop {
                for (stream, _) in servers.iter().filter_map(|server| server.accept().ok()) {
                    let zero = Some(Duration::ZERO);
                    rustix::net::sockopt::set_socket_linger(&stream, zero).expect("option");
                }
            }
        });
        let mut transport = started(config(2));
        for _ in 0..5 {
            let probes: Vec<Probe> = (19_500..21_500)
                .map(|port| probe(endpoint("127.0.0.1", port), 3 * SECOND))
                .collect();
            let open: BTreeSet<u16> = all(&mut transport, &probes)
                .iter()
                .filter(|seen| is_open(seen))
                .map(|seen| seen.endpoint.port)
                .collect();
            assert!(open.iter().eq(ports.iter()), "{} open", open.len());
        }
    });
}

#[test]
fn a_connection_with_ourselves_is_no_answer() {
    inside("connect::a_connection_with_ourselves_is_no_answer", || {
        // Every connect draws its source port among the 64 that are probed: one in 64 meets itself.
        run("echo 40000 40063 > /proc/sys/net/ipv4/ip_local_port_range");
        let mut transport = started(config(2));
        for address in ["127.0.0.1", "::1"] {
            let probes: Vec<Probe> = (0..400)
                .flat_map(|_| 40_000..40_064)
                .map(|port| probe(endpoint(address, port), SECOND))
                .collect();
            for seen in all(&mut transport, &probes) {
                assert_eq!(seen.seen, Seen::Rst { ttl: 0 }, "{seen:?}");
            }
        }
        // Where the only source port is the target's, nothing can be known.
        run("echo 40001 40001 > /proc/sys/net/ipv4/ip_local_port_range");
        let only = one(&mut transport, endpoint("127.0.0.1", 40_001), SECOND);
        assert_eq!(only.seen, Seen::Local(LocalFault::NotSent));
    });
}

#[test]
fn the_whole_ephemeral_range_of_an_idle_loopback_is_closed() {
    inside(
        "connect::the_whole_ephemeral_range_of_an_idle_loopback_is_closed",
        || {
            let mut transport = started(config(2));
            for _ in 0..5 {
                let probes: Vec<Probe> = (32_768..=60_999)
                    .map(|port| probe(endpoint("127.0.0.1", port), SECOND))
                    .collect();
                for seen in all(&mut transport, &probes) {
                    assert_eq!(seen.seen, Seen::Rst { ttl: 0 }, "{seen:?}");
                }
            }
        },
    );
}

#[test]
fn a_syn_probe_is_a_fault_of_our_own_and_dropping_never_hangs() {
    inside(
        "connect::a_syn_probe_is_a_fault_of_our_own_and_dropping_never_hangs",
        || {
            run(
                "nft add table inet t; nft 'add chain inet t in { type filter hook input priority 0; }'",
            );
            run("nft add rule inet t in tcp dport 8000-8999 drop");
            let mut transport = started(config(2));
            let wrong = Probe {
                how: How::Syn { flow: 0 },
                ..probe(endpoint("127.0.0.1", 80), SECOND)
            };
            let seen = all(&mut transport, &[wrong]);
            assert_eq!(seen[0].seen, Seen::Local(LocalFault::Other));
            let probes: Vec<Probe> = (8000..9000)
                .map(|port| probe(endpoint("127.0.0.1", port), 60 * SECOND))
                .collect();
            let taken = transport.send(&probes);
            assert_eq!(taken, 1000);
            thread::sleep(milliseconds(50));
            let start = Instant::now();
            drop(transport);
            assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
        },
    );
}

#[test]
fn recv_sleeps_as_long_as_it_was_told() {
    let mut transport = started(config(1));
    for wait in [Duration::from_micros(300), milliseconds(5)] {
        let mut best = SECOND;
        for _ in 0..20 {
            let start = transport.now();
            transport.recv(start + wait, &mut Vec::new());
            let slept = transport.now().since(start);
            assert!(slept >= wait, "{slept:?}");
            best = best.min(slept);
        }
        // The best of twenty: other work on the machine may delay some.
        assert!(best < wait + Duration::from_micros(500), "{best:?}");
    }
}

/// How late our own threads are is told while they are, and not for ever.
#[test]
fn what_waits_for_a_worker_shows_and_is_forgotten() {
    let mut transport = started(config(1));
    let probes: Vec<Probe> = (1..=500)
        .map(|port| probe(endpoint("127.0.0.1", port), SECOND))
        .collect();
    let (mut rest, mut seen, mut late) = (&probes[..], Vec::new(), Duration::ZERO);
    while seen.len() < probes.len() {
        rest = &rest[transport.send(rest)..];
        transport.recv(transport.now() + milliseconds(1), &mut seen);
        late = late.max(transport.counters().held_up);
    }
    assert!(late > Duration::ZERO && late < SECOND, "{late:?}");
    thread::sleep(milliseconds(100));
    assert_eq!(transport.counters().held_up, Duration::ZERO);
}
