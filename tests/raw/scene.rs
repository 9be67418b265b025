//! What the tests share: a router that asks the kernel, a target behind a veth pair, and a walk over ports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use halfopen::model::{Address, Endpoint, How, Observation, Probe, Seen};
use halfopen::transport::Transport;
use halfopen::transport::clock::Clock;
use halfopen::transport::raw::{Families, RawConfig, RawTransport, SendPath, Senders};
use halfopen::transport::route::{Neighbour, Reach, Route, Router};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::lab::alone::run;

pub const TARGET: &str = "10.9.0.2";
pub const TARGET_V6: &str = "fd00::2";

/// Asks by a connected UDP socket which source the kernel takes, and by binding whether an address is ours.
#[derive(Default)]
pub struct KernelRouter {
    known: BTreeMap<Address, Route>,
}

impl Router for KernelRouter {
    fn route(&mut self, address: Address) -> io::Result<Route> {
        if let Some(route) = self.known.get(&address) {
            return Ok(*route);
        }
        let any = if address.ip.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(place(address, 9))?;
        let is_own = UdpSocket::bind(place(address, 0)).is_ok();
        let route = Route {
            source: socket.local_addr()?.ip(),
            interface: 2,
            next_hop: None,
            reach: if is_own { Reach::Local } else { Reach::OnLink },
            mtu: 1500,
        };
        self.known.insert(address, route);
        Ok(route)
    }

    fn neighbour(&mut self, _: u32, address: IpAddr) -> Neighbour {
        let output = Command::new("ip")
            .args(["neigh", "show", "to", &address.to_string()])
            .output();
        let table = String::from_utf8(output.unwrap().stdout).unwrap();
        match table.split_whitespace().next_back() {
            None | Some("INCOMPLETE") => Neighbour::Unresolved,
            Some("FAILED") => Neighbour::Failed,
            Some(_) => Neighbour::Known,
        }
    }
}

fn place(address: Address, port: u16) -> SocketAddr {
    match address.ip {
        IpAddr::V4(ip) => (ip, port).into(),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, address.zone).into(),
    }
}

pub fn config() -> RawConfig {
    RawConfig {
        families: Families::Both,
        interface: None,
        source: None,
        path: SendPath::Ip,
        senders: Senders::Two,
        flows: RawConfig::FLOWS,
        ring: RawConfig::RING,
        key: [42; 16],
        clock: Clock::start(),
    }
}

pub fn transport(router: KernelRouter) -> RawTransport<KernelRouter> {
    RawTransport::open(config(), router).unwrap()
}

pub fn open(router: KernelRouter) -> RawTransport<KernelRouter> {
    let mut transport = transport(router);
    transport.start().unwrap();
    transport
}

pub fn endpoint(ip: IpAddr, port: u16) -> Endpoint {
    Endpoint {
        address: Address::new(ip),
        port,
    }
}

pub fn probe(ip: IpAddr, port: u16, flow: u8) -> Probe {
    Probe {
        index: u64::from(port),
        endpoint: endpoint(ip, port),
        attempt: 0,
        how: How::Syn { flow },
    }
}

/// Listens until something is told, for ten seconds at the most, and says what; nothing is a failure.
pub fn told(transport: &mut RawTransport<impl Router>) -> Vec<Observation> {
    let (begin, mut out) = (Instant::now(), Vec::new());
    while out.is_empty() && begin.elapsed() < Duration::from_secs(10) {
        let until = transport.now() + Duration::from_millis(50);
        transport.recv(until, &mut out);
    }
    assert!(!out.is_empty());
    out
}

/// Packets that a device keeps for a kernel that is busy (net.core.netdev_max_backlog is 1,000; a SYN and its answer may wait
/// on the same processor).
const ON_THE_WAY: usize = 400;

const ANSWERS_COME: Duration = Duration::from_millis(20);

/// Sends one SYN to each port and listens until each has answered, or for `patience` after the last one. Nothing here repeats
/// what a busy machine loses, so while answers come no more than [`ON_THE_WAY`] are waited for at a time.
pub fn walk(
    transport: &mut RawTransport<impl Router>,
    ip: IpAddr,
    ports: &[u16],
    flow: u8,
    patience: Duration,
) -> BTreeMap<u16, Vec<Seen>> {
    let probes: Vec<Probe> = ports.iter().map(|port| probe(ip, *port, flow)).collect();
    let mut seen: BTreeMap<u16, Vec<Seen>> = BTreeMap::new();
    let mut out: Vec<Observation> = Vec::new();
    let mut sent = 0_usize;
    let mut quiet = Instant::now();
    while seen.len() < ports.len() && quiet.elapsed() < patience {
        let waiting = sent.saturating_sub(seen.len());
        let behind = waiting >= ON_THE_WAY && quiet.elapsed() < ANSWERS_COME;
        let most = if behind { 0 } else { ON_THE_WAY };
        let room = transport.room().min(probes.len() - sent).min(most);
        let taken = transport.send(&probes[sent..sent + room]);
        sent += taken;
        let pause = if taken > 0 {
            Duration::ZERO
        } else {
            Duration::from_micros(500)
        };
        let until = transport.now() + pause;
        transport.recv(until, &mut out);
        if taken > 0 || !out.is_empty() {
            quiet = Instant::now();
        }
        for observation in out.drain(..) {
            assert_eq!(observation.endpoint.address.ip, ip);
            seen.entry(observation.endpoint.port)
                .or_default()
                .push(observation.seen);
        }
    }
    seen
}

/// Another namespace behind a veth pair: a0 here (10.9.0.1, fd00::1), b0 there. It ends with this value.
pub struct Target {
    holder: Child,
}

impl Target {
    pub fn new() -> Self {
        let holder = Command::new("unshare")
            .args(["-n", "sleep", "60"])
            .spawn()
            .unwrap();
        let target = Self { holder };
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let begin = Instant::now();
        while std::fs::read_link(target.namespace()).is_ok_and(|theirs| theirs == own) {
            assert!(begin.elapsed() < Duration::from_secs(5));
            thread::sleep(Duration::from_millis(1));
        }
        run(&format!(
            "ip link add a0 type veth peer name b0 netns {}; ip link set a0 up; ip addr add 10.9.0.1/24 dev a0; \
             ip -6 addr add fd00::1/64 dev a0 nodad",
            target.holder.id()
        ));
        target.run(
            "ip link set lo up; ip link set b0 up; ip addr add 10.9.0.2/24 dev b0; ip -6 addr add fd00::2/64 dev b0 nodad",
        );
        target
    }

    /// Runs a shell line over there.
    pub fn run(&self, line: &str) {
        let script = line.replace('\'', r"'\''");
        run(&format!(
            "nsenter -t {} -n sh -ec '{script}'",
            self.holder.id()
        ));
    }

    /// Listens on this many ports over there, for both families, as long as this process lives.
    pub fn listen(&self, count: usize) -> BTreeSet<u16> {
        let namespace = File::open(self.namespace()).unwrap();
        let ready = Arc::new(Barrier::new(2));
        let (sender, receiver) = std::sync::mpsc::channel();
        let there = Arc::clone(&ready);
        thread::spawn(move || {
            // Only this thread moves.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let listeners: Vec<TcpListener> = (0..count)
                .map(|_| TcpListener::bind("[::]:0").unwrap())
                .collect();
            let ports = listeners
                .iter()
                .map(|listener| listener.local_addr().unwrap().port());
            sender.send(ports.collect()).unwrap();
            there.wait();
            loop {
                thread::park();
            }
        });
        let ports = receiver.recv().unwrap();
        ready.wait();
        ports
    }

    /// Listens over there on a port for each of these, and greets everybody with it, as long as this process lives.
    pub fn greet(&self, greetings: &'static [&'static [u8]]) -> Vec<u16> {
        let namespace = File::open(self.namespace()).unwrap();
        let there = thread::spawn(move || {
            // Only this thread moves, and those that it starts.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let greeted = greetings.iter().map(|greeting| {
                let listener = TcpListener::bind("[::]:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                thread::spawn(move || {
                    for mut stream in listener.incoming().flatten() {
                        thread::spawn(move || {
                            let _ = stream.write_all(greeting);
                            let _ = std::io::copy(&mut stream, &mut std::io::sink());
                        });
                    }
                });
                port
            });
            greeted.collect()
        });
        there.join().unwrap()
    }

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
