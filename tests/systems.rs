//! What the stack of a host looks like, and whose its network interface is: the kernel's own through a namespace, and another
//! system's replayed over TUN.
#![allow(clippy::disallowed_methods)]

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use halfopen::enrich::hardware::hardware;
use halfopen::enrich::system::system;
use halfopen::model::facts::{Registered, System};
use halfopen::model::{Address, How, Probe, Seen};
use halfopen::transport::clock::Clock;
use halfopen::transport::connect::{ConnectConfig, ConnectTransport};
use halfopen::transport::raw::RawTransport;
use halfopen::transport::route::NetlinkRouter;
use halfopen::transport::{Shapes, Transport};

use crate::connect::tun::{self, Look, Reply, SYN};
use crate::lab::alone::{inside, run};
use crate::raw::scene::{KernelRouter, TARGET, TARGET_V6, Target, endpoint, transport, walk};

/// What is known of a host after one SYN to this port.
fn after_a_syn(ip: IpAddr, port: u16) -> System {
    let shapes = Shapes::default();
    let mut transport: RawTransport<KernelRouter> = transport(KernelRouter::default());
    transport.set_shapes(shapes.clone());
    transport.start().expect("threads");
    let seen = walk(&mut transport, ip, &[port], 0, Duration::from_secs(2));
    assert!(matches!(seen[&port][0], Seen::SynAck(_)), "{seen:?}");
    known(ip, &shapes)
}

fn after_a_connect(ip: IpAddr, port: u16) -> System {
    let shapes = Shapes::default();
    let mut transport = ConnectTransport::open(ConnectConfig {
        threads: NonZeroUsize::MIN,
        source: None,
        interface: None,
        window: None,
        clock: Clock::start(),
    })
    .expect("pollers");
    transport.set_shapes(&shapes);
    transport.start().expect("threads");
    let patience = Duration::from_secs(2);
    let probe = Probe {
        index: 0,
        endpoint: endpoint(ip, port),
        attempt: 0,
        how: How::Handshake { patience },
    };
    assert_eq!(transport.send(&[probe]), 1);
    let mut out = Vec::new();
    while out.is_empty() {
        let until = transport.now() + patience;
        transport.recv(until, &mut out);
    }
    assert!(matches!(out[0].seen, Seen::SynAck(_)), "{out:?}");
    known(ip, &shapes)
}

fn known(ip: IpAddr, shapes: &Shapes) -> System {
    let address = Address::new(ip);
    let neighbours = NetlinkRouter::open().and_then(|mut router| router.link_addresses());
    let mac = neighbours.expect("netlink").get(&address).copied();
    system(address, &shapes.of(address), &[], mac.map(hardware)).expect("something is known")
}

fn first(system: &System) -> (&str, &str, &str) {
    let first = &system.candidates[0].system;
    (&first.product, &first.evidence.rule, &first.evidence.text)
}

#[test]
fn the_kernels_own_signature_through_a_namespace_is_that_of_linux() {
    inside(
        "systems::the_kernels_own_signature_through_a_namespace_is_that_of_linux",
        || {
            let target = Target::new();
            let port = *target.listen(1).first().expect("a port");
            // What kernels come with; a distribution may have set more.
            target.run("echo 4096 131072 6291456 > /proc/sys/net/ipv4/tcp_rmem");
            for (options, layout) in [
                ("", "mss,sok,ts,nop,ws"),
                (
                    "echo 0 > /proc/sys/net/ipv4/tcp_timestamps",
                    "mss,nop,nop,sok,nop,ws",
                ),
                (
                    "echo 1 > /proc/sys/net/ipv4/tcp_timestamps; echo 0 > /proc/sys/net/ipv4/tcp_sack",
                    "mss,nop,nop,ts,nop,ws",
                ),
            ] {
                if !options.is_empty() {
                    target.run(options);
                }
                let system = after_a_syn(TARGET.parse().expect("address"), port);
                let (product, rule, text) = first(&system);
                assert_eq!((product, rule), ("Linux", "tcp.signature"));
                assert!(
                    text.starts_with("4:64+0:0:1460:") && text.ends_with(":df:0"),
                    "{text}"
                );
                assert!(text.contains(&format!(":{layout}:")), "{text}");
                assert_eq!(system.signatures, [text]);
                assert_eq!(system.candidates[0].further[0].rule, "ip.ttl");
            }
            target.run("echo 1 > /proc/sys/net/ipv4/tcp_sack");
            let system = after_a_syn(TARGET_V6.parse().expect("address"), port);
            let (product, _, text) = first(&system);
            assert_eq!(product, "Linux");
            assert!(text.starts_with("6:64+0:0:1440:"), "{text}");
            let scale = text.split([',', ':']).nth(5).expect("a scale").to_owned();
            let system = after_a_connect(TARGET.parse().expect("address"), port);
            assert_eq!(system.signatures, Vec::<String>::new());
            // A machine whose net.core.rmem_max is large has a scale of its own, and then a connect names nobody.
            if ["7", "10"].contains(&scale.as_str()) {
                let agreed = format!("window scale {scale}, timestamps, SACK");
                assert_eq!(first(&system), ("Linux", "tcp.options", &*agreed));
                assert!(system.candidates[0].weight < 0.5);
            } else {
                assert_eq!(system.candidates, []);
            }
        },
    );
}

#[test]
fn the_interface_of_a_host_on_the_link_is_the_neighbour_tables() {
    inside(
        "systems::the_interface_of_a_host_on_the_link_is_the_neighbour_tables",
        || {
            let target = Target::new();
            let port = *target.listen(1).first().expect("a port");
            let ip = TARGET.parse().expect("address");
            // veth makes its addresses up.
            let made_up = after_a_syn(ip, port).hardware.expect("on the link");
            assert_eq!(made_up.registered, Registered::Locally);
            target.run("ip link set b0 address b8:27:eb:01:02:03");
            run("ip neigh flush dev a0");
            let bought = after_a_syn(ip, port).hardware.expect("on the link");
            assert_eq!(bought.mac, [0xb8, 0x27, 0xeb, 1, 2, 3]);
            let Registered::To { organisation, .. } = bought.registered else {
                panic!("{bought:?}");
            };
            assert_eq!(organisation, "Raspberry Pi Foundation");
        },
    );
}

#[test]
fn the_signature_of_another_system_over_tun_is_told_from_linux() {
    inside(
        "systems::the_signature_of_another_system_over_tun_is_told_from_linux",
        || {
            tun::network(|segment| {
                let look = LOOKS.iter().find(|(port, ..)| *port == segment.port);
                match look {
                    Some((_, look, _)) if segment.flags == SYN => vec![Reply {
                        after: Duration::from_millis(1),
                        packets: vec![segment.syn_ack(look)],
                    }],
                    _ => vec![],
                }
            });
            let ip: IpAddr = "10.9.0.2".parse().expect("address");
            for (port, _, wanted) in LOOKS {
                let system = after_a_syn(ip, port);
                let names: Vec<&str> = system
                    .candidates
                    .iter()
                    .map(|candidate| candidate.system.product.as_str())
                    .collect();
                assert_eq!(names, wanted, "{:?}", system.signatures);
                assert_eq!(system.hardware, None);
            }
        },
    );
}

/// By port: what answers there, and the candidates that it makes.
const LOOKS: [(u16, Look, &[&str]); 4] = [
    (
        1,
        Look {
            ttl: 125,
            id: 4711,
            window: 65_535,
            options: &[
                2, 4, 0x05, 0xb4, 1, 3, 3, 8, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 1,
            ],
        },
        &["Windows"],
    ),
    (
        2,
        Look {
            ttl: 60,
            id: 0,
            window: 65_535,
            options: &[
                2, 4, 0x05, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 1, 4, 2, 0, 0,
            ],
        },
        &["macOS"],
    ),
    (
        3,
        Look {
            ttl: 252,
            id: 3,
            window: 4128,
            options: &[2, 4, 0x05, 0xb4],
        },
        &["IOS"],
    ),
    // Nobody's.
    (
        4,
        Look {
            ttl: 64,
            id: 1,
            window: 1234,
            options: &[3, 3, 2, 1],
        },
        &[],
    ),
];
