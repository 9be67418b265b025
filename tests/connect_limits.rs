//! What our own side cannot do: descriptors, source ports, firewall, routes, neighbours. Never a verdict on the target.

#![allow(
    clippy::disallowed_methods,
    reason = "R1 is about the scanner; tests make their own servers and measure time"
)]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use halfopen::model::{LocalFault, Probe, Seen};
use halfopen::transport::connect::ConnectTransport;

use crate::connect::scan::{all, config, endpoint, is_open, one, probe, started, syns};
use crate::connect::tun;
use crate::lab::alone::{inside, run};

const SECOND: Duration = Duration::from_secs(1);

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn few_descriptors_are_slow_but_right() {
    inside("connect_limits::few_descriptors_are_slow_but_right", || {
        let _servers: Vec<TcpListener> = (7001..7004)
            .map(|port| TcpListener::bind(("127.0.0.1", port)).expect("listen"))
            .collect();
        run(
            "nft add table inet t; nft 'add chain inet t in { type filter hook input priority 0; }'",
        );
        run("nft add rule inet t in tcp dport 8000-8059 drop");
        let few = Some(64);
        rustix::process::setrlimit(
            rustix::process::Resource::Nofile,
            rustix::process::Rlimit {
                current: few,
                maximum: few,
            },
        )
        .expect("limit");
        let mut transport = started(config(2));
        assert!(
            (2..40).contains(&transport.window()),
            "{}",
            transport.window()
        );
        // Others take what the transport counted on: it has to live with EMFILE.
        let hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok())
            .take(64 - 16)
            .collect();
        let start = Instant::now();
        let probes: Vec<Probe> = (7000..8060)
            .map(|port| probe(endpoint("127.0.0.1", port), milliseconds(300)))
            .collect();
        let seen = all(&mut transport, &probes);
        for seen in &seen {
            let port = seen.endpoint.port;
            match port {
                7001..7004 => assert!(is_open(seen), "{seen:?}"),
                8000.. => assert_eq!(seen.seen, Seen::Silence, "{seen:?}"),
                _ => assert_eq!(seen.seen, Seen::Rst { ttl: 0 }, "{seen:?}"),
            }
        }
        // Each silent attempt had its whole patience: the 60 cannot all have been under way at once.
        assert!(start.elapsed() > SECOND, "{:?}", start.elapsed());
        // Nothing to be had at all: given back as not sent, without a busy loop.
        let rest: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let before = cpu();
        let none = one(&mut transport, endpoint("127.0.0.1", 7001), SECOND);
        assert_eq!(none.seen, Seen::Local(LocalFault::NotSent));
        assert!(cpu() - before < milliseconds(500), "{:?}", cpu() - before);
        drop((hoard, rest));
        assert!(is_open(&one(
            &mut transport,
            endpoint("127.0.0.1", 7001),
            SECOND
        )));
    });
}

/// Processor time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("positive")
}

#[test]
fn source_ports_that_run_out_are_waited_for() {
    inside(
        "connect_limits::source_ports_that_run_out_are_waited_for",
        || {
            run(
                "nft add table inet t; nft 'add chain inet t in { type filter hook input priority 0; }'",
            );
            run("nft add rule inet t in tcp dport 80 drop");
            run("echo 50000 50001 > /proc/sys/net/ipv4/ip_local_port_range");
            let mut transport = started(config(1));
            let mut probes = vec![probe(endpoint("127.0.0.1", 80), milliseconds(400)); 5];
            probes.push(probe(endpoint("127.0.0.1", 81), milliseconds(400)));
            let seen = all(&mut transport, &probes);
            assert_eq!(
                seen[0].seen,
                Seen::Rst { ttl: 0 },
                "port 81 does not wait for port 80"
            );
            assert!(
                seen[1..].iter().all(|seen| seen.seen == Seen::Silence),
                "{seen:?}"
            );
            let last = seen[5].at.since(seen[0].at);
            assert!(
                (milliseconds(1_150)..2 * SECOND).contains(&last),
                "two at a time: {last:?}"
            );
        },
    );
}

#[test]
fn what_our_own_side_stops_is_an_error_of_our_own() {
    inside(
        "connect_limits::what_our_own_side_stops_is_an_error_of_our_own",
        || {
            tun::network(|_| vec![]);
            run(
                "nft add table inet t; nft 'add chain inet t out { type filter hook output priority 0; }'",
            );
            run("nft add rule inet t out tcp dport 1 drop");
            run("nft add rule inet t out tcp dport 2 reject");
            run("nft add rule inet t out tcp dport 3 reject with icmpx type admin-prohibited");
            run("ip route add prohibit 10.7.0.0/24; ip -6 route add unreachable 2001:db8:1::/48");
            let mut transport = started(config(2));
            let mut seen = |ip, port, patience| one(&mut transport, endpoint(ip, port), patience);
            let dropped = seen("10.9.0.2", 1, milliseconds(2_500));
            assert_eq!(dropped.seen, Seen::Local(LocalFault::Firewall));
            assert_eq!(syns(&dropped), (0, None));
            // Silent all the same, but the SYNs left.
            let silent = seen("10.9.0.2", 9, milliseconds(2_500));
            assert_eq!(silent.seen, Seen::Silence);
            assert_eq!(syns(&silent), (3, None));
            for port in [2, 3] {
                let rejected = seen("10.9.0.2", port, milliseconds(500));
                assert_eq!(
                    rejected.seen,
                    Seen::Local(LocalFault::Firewall),
                    "port {port}"
                );
            }
            for (ip, fault) in [
                ("192.0.2.1", LocalFault::NoRoute),
                ("10.7.0.1", LocalFault::Firewall),
                ("2001:db8:1::1", LocalFault::NoRoute),
                ("2001:db8:2::1", LocalFault::NoRoute),
            ] {
                assert_eq!(seen(ip, 9, SECOND).seen, Seen::Local(fault), "{ip}");
            }
        },
    );
}

#[test]
fn a_host_without_a_neighbour_entry_is_told_as_such() {
    inside(
        "connect_limits::a_host_without_a_neighbour_entry_is_told_as_such",
        || {
            run("ip link add v0 type veth peer name v1; ip addr add 10.8.0.1/24 dev v0");
            run("ip link set v0 up; ip link set v1 up; ip addr add 2001:db8::1/64 dev v0 nodad");
            let mut transport = started(config(2));
            for ip in ["10.8.0.77", "2001:db8::77"] {
                let seen = one(&mut transport, endpoint(ip, 80), 5 * SECOND);
                assert_eq!(seen.seen, Seen::NoNeighbour, "{ip}");
            }
        },
    );
}

/// One rejected port once ended the scan of the whole host.
#[test]
fn a_host_that_our_firewall_calls_unreachable_is_not_absent_while_its_neighbour_entry_lives() {
    inside(
        "connect_limits::a_host_that_our_firewall_calls_unreachable_is_not_absent_while_its_neighbour_entry_lives",
        || {
            run("ip link add v0 type veth peer name v1; ip addr add 10.8.0.1/24 dev v0");
            run("ip link set v0 up; ip link set v1 up; ip addr add 2001:db8::1/64 dev v0 nodad");
            run(
                "nft add table inet t; nft 'add chain inet t out { type filter hook output priority 0; }'",
            );
            run("nft add rule inet t out tcp dport 80 reject with icmpx type host-unreachable");
            let mut transport = started(config(2));
            for ip in ["10.8.0.78", "2001:db8::78"] {
                run(&format!(
                    "ip neigh add {ip} lladdr 02:00:00:00:00:01 dev v0 nud permanent"
                ));
                let seen = one(&mut transport, endpoint(ip, 80), milliseconds(500));
                assert_eq!(seen.seen, Seen::Local(LocalFault::Firewall), "{ip}");
            }
        },
    );
}

#[test]
fn source_interface_and_zone_are_obeyed() {
    inside(
        "connect_limits::source_interface_and_zone_are_obeyed",
        || {
            run("ip addr add 10.6.0.1/32 dev lo; ip link add v0 type veth peer name v1");
            run(
                "ip link set v0 addrgenmode none; ip -6 addr add fe80::1/64 dev v0 nodad; ip link set v0 up; ip link set v1 up",
            );
            let server = TcpListener::bind("127.0.0.1:80").expect("listen");
            let mut bound = config(1);
            bound.source = Some("10.6.0.1".parse().expect("address"));
            bound.interface = Some("lo".to_owned());
            let mut transport = started(bound.clone());
            assert!(is_open(&one(
                &mut transport,
                endpoint("127.0.0.1", 80),
                SECOND
            )));
            let (_, from) = server.accept().expect("accept");
            assert_eq!(from.ip().to_string(), "10.6.0.1");
            bound.interface = Some("v0".to_owned());
            let mut transport = started(bound.clone());
            let elsewhere = one(&mut transport, endpoint("127.0.0.1", 80), milliseconds(300));
            assert!(!is_open(&elsewhere), "{elsewhere:?}");
            bound.interface = Some("gone".to_owned());
            let mut transport = started(bound.clone());
            let gone = one(&mut transport, endpoint("127.0.0.1", 80), SECOND);
            assert_eq!(gone.seen, Seen::Local(LocalFault::InterfaceDown));
            bound.source = Some("10.6.0.99".parse().expect("address"));
            ConnectTransport::open(bound).expect_err("not our address");
            let mut transport = started(config(1));
            let index = std::fs::read_to_string("/sys/class/net/v0/ifindex")
                .ok()
                .and_then(|text| text.trim().parse().ok());
            let mut to = endpoint("fe80::1", 80);
            let unzoned = one(&mut transport, to, SECOND);
            assert_eq!(unzoned.seen, Seen::Local(LocalFault::Other));
            if let Some(index) = index {
                to.address = to.address.with_zone(index);
                assert_eq!(one(&mut transport, to, SECOND).seen, Seen::Rst { ttl: 0 });
            }
        },
    );
}
