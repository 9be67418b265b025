//! Routes and neighbours as a real kernel tells them.
#![allow(
    clippy::disallowed_methods,
    reason = "R1 is about the scanner; tests make their own servers and measure time"
)]

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use halfopen::model::Address;
use halfopen::transport::route::{
    Link, Neighbour, Neighbours, NetlinkRouter, Reach, Route, Router, Surroundings,
};

use crate::lab::alone::{inside, run};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn address(text: &str) -> Address {
    Address::new(ip(text))
}

#[test]
fn routes_are_those_of_the_kernel_and_follow_its_changes() {
    inside(
        "connect_route::routes_are_those_of_the_kernel_and_follow_its_changes",
        || {
            run(
                "ip link add v0 mtu 1400 type veth peer name v1; ip link set v0 up; ip link set v1 up",
            );
            run("ip addr add 10.8.0.1/24 dev v0; ip addr add 10.8.0.2/24 dev v0");
            run("ip addr add 2001:db8::1/64 dev v0 nodad");
            run(
                "ip route add default via 10.8.0.254; ip route add 10.7.0.0/16 via 10.8.0.253 src 10.8.0.2 mtu 1300",
            );
            run("ip route add 10.7.9.0/24 via 10.8.0.252; ip route add prohibit 10.6.0.0/16");
            run("ip -6 route add fd00::/8 via 2001:db8::fe");
            run(
                "ip rule add to 10.7.8.0/24 table 77; ip route add default via 10.8.0.251 table 77",
            );
            let mut router = NetlinkRouter::open().expect("netlink");
            let index = router.surroundings().named("v0").expect("v0").index;
            let via = |source: &str, hop: Option<&str>, reach, mtu| Route {
                source: ip(source),
                interface: index,
                next_hop: hop.map(ip),
                reach,
                mtu,
            };
            let on_link = via("10.8.0.1", None, Reach::OnLink, 1400);
            let expected = [
                ("10.8.0.77", on_link),
                (
                    "8.8.8.8",
                    via("10.8.0.1", Some("10.8.0.254"), Reach::Public, 1400),
                ),
                (
                    "10.7.1.1",
                    via("10.8.0.2", Some("10.8.0.253"), Reach::Private, 1300),
                ),
                // Inside the prefix that matched before, by a longer route and by a rule.
                (
                    "10.7.9.1",
                    via("10.8.0.1", Some("10.8.0.252"), Reach::Private, 1400),
                ),
                (
                    "10.7.8.1",
                    via("10.8.0.1", Some("10.8.0.251"), Reach::Private, 1400),
                ),
                (
                    "10.7.1.2",
                    via("10.8.0.2", Some("10.8.0.253"), Reach::Private, 1300),
                ),
                (
                    "2001:db8::77",
                    via("2001:db8::1", None, Reach::OnLink, 1400),
                ),
                (
                    "fd00::1",
                    via("2001:db8::1", Some("2001:db8::fe"), Reach::Private, 1400),
                ),
            ];
            for (target, route) in expected {
                assert_eq!(
                    router.route(address(target)).expect(target),
                    route,
                    "{target}"
                );
            }
            for (target, own) in [
                ("127.0.0.1", "127.0.0.1"),
                ("10.8.0.2", "10.8.0.1"),
                ("::1", "::1"),
            ] {
                let route = router.route(address(target)).expect(target);
                assert_eq!(
                    (route.reach, route.source),
                    (Reach::Local, ip(own)),
                    "{target}"
                );
            }
            for (target, error) in [
                ("10.6.1.1", libc::EACCES),
                ("2001:db9::1", libc::ENETUNREACH),
            ] {
                let failed = router.route(address(target)).expect_err(target);
                assert_eq!(failed.raw_os_error(), Some(error), "{target}: {failed}");
            }
            for target in [
                "10.8.0.255",
                "224.0.0.1",
                "255.255.255.255",
                "0.0.0.0",
                "ff02::1",
            ] {
                let failed = router.route(address(target)).expect_err(target);
                assert_eq!(failed.kind(), std::io::ErrorKind::InvalidInput, "{target}");
            }
            let zoned = router
                .route(address("fe80::77").with_zone(index))
                .expect("link-local");
            assert_eq!((zoned.interface, zoned.reach), (index, Reach::OnLink));

            run("ip route replace default via 10.8.0.250");
            let moved = router.route(address("8.8.8.8")).expect("route");
            assert_eq!(moved.next_hop, Some(ip("10.8.0.250")));
            run("ip addr del 10.8.0.2/24 dev v0; ip route del default");
            let gone = router.route(address("8.8.8.8")).expect_err("no route");
            assert_eq!(gone.raw_os_error(), Some(libc::ENETUNREACH));
            assert_eq!(
                router.route(address("10.8.0.77")).expect("on link"),
                on_link
            );
        },
    );
}

#[test]
fn neighbours_are_unresolved_then_known_or_failed() {
    inside(
        "connect_route::neighbours_are_unresolved_then_known_or_failed",
        || {
            run("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up");
            run("ip addr add 10.8.0.1/24 dev v0");
            run("ip neigh add 10.8.0.5 lladdr 02:00:00:00:00:05 dev v0 nud permanent");
            let mut router = NetlinkRouter::open().expect("netlink");
            let index = |router: &NetlinkRouter, name| {
                router.surroundings().named(name).expect("interface").index
            };
            let (v0, lo) = (index(&router, "v0"), index(&router, "lo"));
            assert_eq!(router.neighbour(lo, ip("127.0.0.1")), Neighbour::NotNeeded);
            assert_eq!(router.neighbour(v0, ip("10.8.0.5")), Neighbour::Known);
            assert_eq!(router.neighbour(v0, ip("10.8.0.9")), Neighbour::Unresolved);
            let socket = UdpSocket::bind("10.8.0.1:0").expect("socket");
            socket
                .send_to(b"?", "10.8.0.9:9")
                .expect("queued behind ARP");
            assert_eq!(router.neighbour(v0, ip("10.8.0.9")), Neighbour::Unresolved);
            std::thread::sleep(Duration::from_millis(3_500));
            assert_eq!(router.neighbour(v0, ip("10.8.0.9")), Neighbour::Failed);
        },
    );
}

#[test]
fn surroundings_name_interfaces_addresses_and_broadcasts() {
    inside(
        "connect_route::surroundings_name_interfaces_addresses_and_broadcasts",
        || {
            run("ip link add v0 type veth peer name v1; ip link set v0 up");
            run("ip addr add 10.8.0.1/24 broadcast + dev v0");
            let around = Surroundings::discover().expect("netlink");
            let lo = around.named("lo").expect("lo");
            assert_eq!((lo.link, lo.neighbours), (Link::Up, Neighbours::None));
            let v0 = around.owner(ip("10.8.0.1")).expect("owner");
            assert_eq!((v0.name.as_str(), v0.neighbours), ("v0", Neighbours::Asked));
            assert_eq!(around.named("v1").expect("v1").link, Link::Down);
            assert!(around.is_broadcast([10, 8, 0, 255].into()));
            assert!(around.is_broadcast([127, 255, 255, 255].into()));
            assert!(!around.is_broadcast([10, 8, 0, 1].into()));
            assert!(around.owner(ip("10.8.0.2")).is_none());
        },
    );
}

#[test]
fn a_thousand_routes_are_asked_once_each() {
    inside(
        "connect_route::a_thousand_routes_are_asked_once_each",
        || {
            run(
                "ip link add v0 type veth peer name v1; ip link set v0 up; ip addr add 10.8.0.1/24 dev v0",
            );
            run(
                "seq 0 999 | awk '{print \"route add 10.\" 100+int($1/250) \".\" $1%250 \".0/24 via 10.8.0.\" 2+$1%250}' | ip -batch -",
            );
            let mut router = NetlinkRouter::open().expect("netlink");
            let start = std::time::Instant::now();
            for round in 0..20_u8 {
                for number in 0..1000_u16 {
                    let octets = [10, 100 + (number / 250) as u8, (number % 250) as u8, round];
                    let route = router.route(Address::new(octets.into())).expect("route");
                    let hop = [10, 8, 0, 2 + (number % 250) as u8];
                    assert_eq!(route.next_hop, Some(hop.into()));
                }
            }
            let took = start.elapsed();
            println!("20,000 look-ups of 1,000 routes: {:?}", took);
        },
    );
}
