//! Probes as Ethernet frames: exact, only where they were asked for, and never past rules without a word. An output chain
//! with a counter tells which probes the kernel sent for us: frames do not meet it.

use std::net::{IpAddr, TcpListener};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use halfopen::model::{Probe, Seen};
use halfopen::transport::Transport;
use halfopen::transport::raw::{RawConfig, RawTransport, SendPath};
use halfopen::transport::route::NetlinkRouter;

use super::scene::{TARGET, TARGET_V6, Target, config, probe, told, walk};
use super::{assert_exact, is_open, is_reset};
use crate::lab::alone::{inside, run};

const COUNT_SYNS: &str = "nft add table inet watch; \
    nft add chain inet watch out '{ type filter hook output priority 0 ; }'; \
    nft 'add rule inet watch out tcp flags & (syn | rst | ack) == syn counter'";

/// SYNs that went through the kernel's own sending since the counter was made.
fn counted() -> u64 {
    let output = Command::new("nft")
        .args(["list", "chain", "inet", "watch", "out"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = text.split_once("packets ").unwrap();
    rest.split_once(' ').unwrap().0.parse().unwrap()
}

fn open(path: SendPath) -> RawTransport<NetlinkRouter> {
    let config = RawConfig { path, ..config() };
    let mut transport = RawTransport::open(config, NetlinkRouter::open().unwrap()).unwrap();
    transport.start().unwrap();
    transport
}

fn all_ports() -> Vec<u16> {
    (1..=65_535).collect()
}

#[test]
fn all_ports_of_a_neighbour_answer_to_frames_in_both_families() {
    inside(
        "raw::frames::all_ports_of_a_neighbour_answer_to_frames_in_both_families",
        || {
            let target = Target::new();
            let listening = target.listen(100);
            run(COUNT_SYNS);
            for ip in [TARGET, TARGET_V6] {
                let before = counted();
                let mut transport = open(SendPath::Frame);
                // Capabilities are gone when a scan begins; the look at the neighbours needs none.
                let none = caps::CapsHashSet::new();
                let held = caps::read(None, caps::CapSet::Effective).unwrap();
                caps::set(None, caps::CapSet::Effective, &none).unwrap();
                let begin = Instant::now();
                let patience = Duration::from_secs(5);
                let seen = walk(
                    &mut transport,
                    ip.parse().unwrap(),
                    &all_ports(),
                    0,
                    patience,
                );
                println!("frames, {ip}: {:?}", begin.elapsed());
                caps::set(None, caps::CapSet::Effective, &held).unwrap();
                assert_exact(&seen, &listening);
                let counters = transport.counters();
                assert_eq!((counters.capture_drops, counters.queue_drops), (0, 0));
                assert_eq!(counters.packets_sent, 65_535);
                // One for every look at the table, once it has an entry.
                let by_kernel = counted() - before;
                assert!(by_kernel < 1000, "{by_kernel} by the kernel");
            }
        },
    );
}

#[test]
fn no_frame_is_sent_when_none_is_asked_for() {
    inside(
        "raw::frames::no_frame_is_sent_when_none_is_asked_for",
        || {
            let target = Target::new();
            target.listen(1);
            run(COUNT_SYNS);
            let mut transport = open(SendPath::Ip);
            let ports: Vec<u16> = (1..=5000).collect();
            let patience = Duration::from_secs(2);
            let seen = walk(&mut transport, TARGET.parse().unwrap(), &ports, 0, patience);
            assert_eq!(seen.len(), ports.len());
            assert_eq!(counted(), transport.counters().packets_sent);
        },
    );
}

#[test]
fn frames_go_to_the_router_of_a_target_behind_it() {
    inside(
        "raw::frames::frames_go_to_the_router_of_a_target_behind_it",
        || {
            let target = Target::new();
            let listening = target.listen(10);
            target.run("ip addr add 10.20.0.2/32 dev lo; ip -6 addr add fd20::2/128 dev lo nodad");
            run("ip route add 10.20.0.0/24 via 10.9.0.2; ip -6 route add fd20::/64 via fd00::2");
            run(COUNT_SYNS);
            for ip in ["10.20.0.2", "fd20::2"] {
                let before = counted();
                let mut transport = open(SendPath::Frame);
                let patience = Duration::from_secs(5);
                let seen = walk(
                    &mut transport,
                    ip.parse().unwrap(),
                    &all_ports(),
                    0,
                    patience,
                );
                assert_exact(&seen, &listening);
                let by_kernel = counted() - before;
                assert!((1..1000).contains(&by_kernel), "{by_kernel} by the kernel");
            }
        },
    );
}

#[test]
fn what_has_no_link_address_goes_by_ip() {
    inside("raw::frames::what_has_no_link_address_goes_by_ip", || {
        let _target = Target::new();
        run(COUNT_SYNS);
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut transport = open(SendPath::Frame);
        let mut ports: Vec<u16> = (1..=3000).collect();
        ports.push(port);
        // Loopback, and our own addresses on the link: frames to them would reach nobody.
        for ip in ["127.0.0.1", "::1", "10.9.0.1", "fd00::1"] {
            let patience = Duration::from_secs(2);
            let seen = walk(&mut transport, ip.parse().unwrap(), &ports, 0, patience);
            assert_eq!(seen.len(), ports.len(), "{ip}");
            for (at, seen) in &seen {
                assert!(if *at == port {
                    is_open(&seen[0])
                } else {
                    is_reset(&seen[0])
                });
            }
        }
        assert_eq!(counted(), transport.counters().packets_sent);
    });
}

#[test]
fn a_neighbour_that_does_not_resolve_is_told_as_without_frames() {
    inside(
        "raw::frames::a_neighbour_that_does_not_resolve_is_told_as_without_frames",
        || {
            let target = Target::new();
            run(COUNT_SYNS);
            let mut transport = open(SendPath::Frame);
            // The living one first, so that frames are in use.
            let ports: Vec<u16> = (1..=500).collect();
            let patience = Duration::from_secs(2);
            let seen = walk(&mut transport, TARGET.parse().unwrap(), &ports, 0, patience);
            assert_eq!(seen.len(), ports.len());
            let before = (counted(), transport.counters().packets_sent);
            let dead: IpAddr = "10.9.0.77".parse().unwrap();
            let probes: Vec<Probe> = ports.iter().map(|port| probe(dead, *port, 0)).collect();
            // They wait with us, and the kernel is not asked.
            assert_eq!(transport.send(&probes), 2);
            assert_eq!((counted(), transport.counters().packets_sent), before);
            assert!(!neighbours().contains("10.9.0.77 "), "{}", neighbours());
            for observation in told(&mut transport) {
                assert_eq!(observation.seen, Seen::NoNeighbour, "{observation:?}");
            }
            drop(target);
        },
    );
}

/// All entries of the kernel's table.
fn neighbours() -> String {
    let output = Command::new("ip")
        .args(["neigh", "show", "nud", "all"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn thousands_of_neighbours_are_asked_for_at_a_time_and_the_kernel_for_none() {
    inside(
        "raw::frames::thousands_of_neighbours_are_asked_for_at_a_time_and_the_kernel_for_none",
        || {
            let target = Target::new();
            run(COUNT_SYNS);
            // Of some 4,100 addresses on either link nobody is there.
            run("ip addr add 10.73.0.1/20 dev a0; ip -6 addr add fd73::1/64 dev a0 nodad");
            target.run("ip addr add 10.73.7.7/20 dev b0; ip -6 addr add fd73::777/64 dev b0 nodad");
            let v4 = (2..4_095_u32).map(|host| IpAddr::V4((0x0a49_0000 + host).into()));
            let v6 = (2..4_096_u128).map(|host| IpAddr::V6(((0xfd73 << 112) + host).into()));
            for hosts in [v4.collect::<Vec<_>>(), v6.collect()] {
                let mut transport = open(SendPath::Frame);
                let probes: Vec<Probe> = hosts.iter().map(|ip| probe(*ip, 80, 0)).collect();
                let (begin, mut sent) = (Instant::now(), 0);
                let (mut out, mut most) = (Vec::new(), 0);
                while out.len() < probes.len() && begin.elapsed() < Duration::from_secs(60) {
                    let room = transport.room().min(probes.len() - sent);
                    sent += transport.send(&probes[sent..sent + room]);
                    let until = transport.now() + Duration::from_millis(1);
                    transport.recv(until, &mut out);
                    if sent == probes.len() && most == 0 {
                        most = neighbours().lines().count();
                    }
                }
                println!("{} hosts: {:?}", hosts.len(), begin.elapsed());
                let alive = |ip: &IpAddr| ["10.73.7.7", "fd73::777"].contains(&&*ip.to_string());
                let mut told: Vec<IpAddr> = Vec::new();
                for observation in &out {
                    let ip = observation.endpoint.address.ip;
                    match observation.seen {
                        Seen::NoNeighbour => assert!(!alive(&ip), "{observation:?}"),
                        seen => assert!(alive(&ip) && is_reset(&seen), "{observation:?}"),
                    }
                    told.push(ip);
                }
                told.sort();
                assert_eq!(told, hosts);
                assert!(most < 20, "{most} entries: {}", neighbours());
                assert_eq!(counted(), 0);
                assert_eq!(transport.counters().packets_sent, 1);
            }
        },
    );
}

/// What it had told was forgotten, and its probes left by the kernel's sockets, however many neighbours there were.
#[test]
fn a_neighbour_that_told_its_address_some_time_ago_is_asked_for_again() {
    inside(
        "raw::frames::a_neighbour_that_told_its_address_some_time_ago_is_asked_for_again",
        || {
            let target = Target::new();
            run(COUNT_SYNS);
            // The target knows us: five seconds after an answer it would make sure of us, and our kernel would learn of it.
            run("ip link set a0 address 02:00:00:00:00:01");
            target.run("ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev b0 nud permanent");
            let mut transport = open(SendPath::Frame);
            let ip: IpAddr = TARGET.parse().unwrap();
            for port in [1, 2] {
                let seen = walk(&mut transport, ip, &[port], 0, Duration::from_secs(2));
                assert!(is_reset(&seen[&port][0]), "{seen:?}");
                assert_eq!(counted(), 0, "{}", neighbours());
                std::thread::sleep(Duration::from_millis(5_100));
            }
            // It is gone, and told as such.
            target.run("ip link set b0 arp off");
            run("ip neigh flush dev a0");
            let seen = walk(&mut transport, ip, &[3, 4], 0, Duration::from_secs(5));
            for port in [3, 4] {
                assert_eq!(seen[&port], [Seen::NoNeighbour], "{seen:?}");
            }
            assert_eq!(counted(), 0);
        },
    );
}

#[test]
fn a_neighbour_that_is_replaced_is_found_again() {
    inside(
        "raw::frames::a_neighbour_that_is_replaced_is_found_again",
        || {
            let target = Target::new();
            run(COUNT_SYNS);
            let mut transport = open(SendPath::Frame);
            let ports: Vec<u16> = (1..=500).collect();
            let ip: IpAddr = TARGET.parse().unwrap();
            let seen = walk(&mut transport, ip, &ports, 0, Duration::from_secs(2));
            assert_eq!(seen.len(), ports.len());
            // Another machine takes the address over, as a standby router does, and the kernel hears it announced.
            target.run("ip link set b0 address 02:00:00:00:00:99");
            run("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:99 dev a0 nud reachable");
            std::thread::sleep(Duration::from_millis(1100));
            let before = counted();
            let seen = walk(&mut transport, ip, &ports, 1, Duration::from_secs(2));
            assert_eq!(seen.len(), ports.len());
            assert!(counted() - before < 10);
        },
    );
}

fn halfopen(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["--no-config", "-m", "syn", "-p", "1-2000"])
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a0 has sent so far.
fn packets_out() -> u64 {
    let output = Command::new("ip")
        .args(["-s", "-o", "link", "show", "a0"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, sent) = text.split_once("TX:").unwrap();
    sent.split_once('\\')
        .and_then(|(_, numbers)| numbers.split_whitespace().nth(1))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn the_program_sends_frames_when_asked_and_says_what_they_pass_by() {
    inside(
        "raw::frames::the_program_sends_frames_when_asked_and_says_what_they_pass_by",
        || {
            let _target = Target::new();
            let output = halfopen(&format!("--send-path frame {TARGET}"));
            assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
            let note = "note: frames pass by this machine's firewall and policy routing\n";
            assert!(errors(&output).contains(note), "{}", errors(&output));

            // An empty chain that accepts is no rule.
            run(
                "nft add table inet f; nft add chain inet f out '{ type filter hook output priority 0 ; }'",
            );
            let output = halfopen(&format!("--send-path frame {TARGET}"));
            assert_eq!(output.status.code(), Some(0), "{}", errors(&output));

            // One that counts may as well drop.
            run(COUNT_SYNS);
            let before = packets_out();
            let output = halfopen(&format!("--send-path frame {TARGET}"));
            assert_eq!(output.status.code(), Some(4), "{}", errors(&output));
            assert_eq!(
                errors(&output),
                "error: frames would pass by the chain inet watch out; --send-path ip keeps to these rules, \
                 --send-path force-frame does not\n"
            );
            // The machine may say a word of its own (a neighbour, a multicast group); 2,000 probes would be more.
            assert!(packets_out() - before < 100, "{before}");
            assert_eq!(counted(), 0);

            let output = halfopen(&format!("--send-path force-frame {TARGET}"));
            assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
            assert!(
                errors(&output).contains("policy routing (the chain inet watch out)\n"),
                "{}",
                errors(&output)
            );
            let by_kernel = counted();
            assert!(by_kernel < 500, "{by_kernel} of 2,000");

            // The ordinary way meets the chain with every probe, and says nothing of frames.
            let output = halfopen(TARGET);
            assert_eq!(output.status.code(), Some(0));
            assert!(!errors(&output).contains("frames"));
            assert!(counted() - by_kernel >= 2000);
        },
    );
}

#[test]
fn the_program_refuses_frames_past_routing_rules_and_says_when_it_cannot_look() {
    inside(
        "raw::frames::the_program_refuses_frames_past_routing_rules_and_says_when_it_cannot_look",
        || {
            let _target = Target::new();
            // Root without CAP_NET_ADMIN, as with `setcap cap_net_raw+ep`.
            let output = Command::new("setpriv")
                .args(["--bounding-set=-net_admin", "--inh-caps=-all"])
                .arg(env!("CARGO_BIN_EXE_halfopen"))
                .args(["--no-config", "-m", "syn", "-p", "1-100"])
                .args(["--send-path", "frame", TARGET])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
            assert!(
                errors(&output).contains("cannot be seen without CAP_NET_ADMIN\n"),
                "{}",
                errors(&output)
            );
            run("ip rule add fwmark 7 lookup 100; ip -6 rule add from fd77::/64 lookup 100");
            let output = halfopen(&format!("--send-path frame {TARGET}"));
            assert_eq!(output.status.code(), Some(4));
            assert!(
                errors(&output).starts_with("error: frames would pass by 2 routing rules; "),
                "{}",
                errors(&output)
            );
        },
    );
}
