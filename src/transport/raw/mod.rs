//! Half-open probes: SYNs by raw IP sockets, answers from packet sockets (Linux).
//!
//! ```text
//! loop's thread:   send -> route -> SYN -> sendmmsg        recv <- bounded queue <-+
//! courier thread:             whole batches that the loop has no time for -> sendmmsg
//! receiver thread:            ring block -> parse -> judge (cookie) -> batch ------+
//! ```
//!
//! The kernel routes what is sent, so VPNs, policy routing, tunnels, loopback and the local firewall act as for `connect()`,
//! and it answers SYN-ACKs with the RST that ends them, because nothing listens on the reserved source ports.

mod beaten;
pub mod bypass;
mod courier;
mod frames;
mod inquiry;
mod kernel_syn;
mod outbox;
mod ports;
mod queue;
mod receiver;
mod refused;
mod scouts;
mod sender;

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::model::{Address, Departure, Observation, Probe, Seen, Time};
use crate::transport::Shapes;
use crate::wire::{Cookie, Judge};

use super::clock::Clock;
use super::lag::Lag;
use super::own_error;
use super::route::{Reach, Router};
use super::sys::ring;
use super::{Counters, Transport};
use queue::{Arrival, Queue};
use receiver::{Receiver, Shutdown};
use sender::Sender;

/// An IP version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    V4,
    V6,
}

/// The IP versions of a plan: each costs sockets and a capture ring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Families {
    V4,
    V6,
    Both,
}

/// By which way probes leave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SendPath {
    /// Raw IP sockets: the kernel routes, and its firewall sees every probe as it would see a `connect()`.
    #[default]
    Ip,
    /// Ethernet frames, which pass by the local firewall and policy routing ([`bypass`]): only ever used when asked for.
    /// A host on the link that the kernel's table does not know is asked for by ARP or NDP of our own; what has no link address
    /// (loopback, tun) or whose gateway is not resolved yet goes by IP all the same.
    Frame,
    /// Frames, also where there are rules that they pass by. The transport knows no difference: whoever opens it asks.
    ForceFrame,
}

/// How many threads send.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Senders {
    /// The loop's own.
    One,
    /// One more for whole batches, where there is a core for it.
    Two,
}

/// How to open a [`RawTransport`].
#[derive(Clone, Debug)]
pub struct RawConfig {
    pub families: Families,
    /// Send by the interface of this index only. Answers are heard on all.
    pub interface: Option<u32>,
    /// Send from this address (one of this machine) to targets of its family.
    pub source: Option<IpAddr>,
    pub path: SendPath,
    pub senders: Senders,
    /// How many source ports to reserve: flows 0 to `flows - 1` can be sent. See [`RawConfig::FLOWS`].
    pub flows: u8,
    /// Size of each capture ring in blocks of 16 KiB. See [`RawConfig::RING`]; tests make it overflow.
    pub ring: u16,
    /// Key of the sequence numbers: random for each scan and never printed or derived from what is.
    pub key: [u8; 16],
    pub clock: Clock,
}

/// The half-open transport. Sends on the caller's thread and receives on its own.
pub struct RawTransport<R> {
    clock: Clock,
    router: R,
    sender: Sender,
    queue: Arc<Queue>,
    /// Before [`start`](Self::start).
    receiver: Option<Receiver>,
    running: Option<JoinHandle<()>>,
    shutdown: Shutdown,
    captures: Vec<Capture>,
    /// Strays that only this side could tell.
    refused: u64,
    lag: Lag,
    arrivals: Vec<Arrival>,
}

/// The socket of a ring, to ask for its drops.
struct Capture {
    socket: Arc<OwnedFd>,
    drops: AtomicU64,
}

/// Interface index of loopback in every network namespace (LOOPBACK_IFINDEX).
const LOOPBACK: u32 = 1;

impl RawConfig {
    /// One source port for each of the first attempts; later ones share them.
    pub const FLOWS: u8 = 20;
    /// 4 MiB: about 29,000 answers at once, or a quarter of a second of a trickle that nobody reads, which takes a block each
    /// millisecond.
    pub const RING: u16 = 256;
}

impl Senders {
    /// As many as this process has cores for.
    pub fn for_this_machine() -> Self {
        match std::thread::available_parallelism() {
            Ok(cores) if cores.get() > 1 => Self::Two,
            _ => Self::One,
        }
    }
}

impl Families {
    /// The versions as a list.
    pub fn list(self) -> &'static [Family] {
        match self {
            Self::V4 => &[Family::V4],
            Self::V6 => &[Family::V6],
            Self::Both => &[Family::V4, Family::V6],
        }
    }
}

impl Family {
    /// The version of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl<R: Router> RawTransport<R> {
    /// Opens every socket that the scan will need and reserves its source ports. Needs CAP_NET_RAW; whatever comes later
    /// needs no privilege, so drop it between this and [`start`](Self::start).
    ///
    /// # Errors
    /// EPERM without the privilege, `AddrInUse` when no block of source ports is free, `InvalidInput` for zero flows.
    pub fn open(config: RawConfig, mut router: R) -> io::Result<Self> {
        let (flows, reserved) = ports::reserve(config.families, config.flows)?;
        let cookie = Cookie::new(config.key);
        let mut rings = Vec::new();
        let mut captures = Vec::new();
        for family in config.families.list() {
            let ring = ring::Ring::open(*family, flows.ports(), config.ring)?;
            captures.push(Capture {
                socket: ring.socket(),
                drops: AtomicU64::new(0),
            });
            rings.push(ring);
        }
        let sender = Sender::open(&config, cookie.clone(), flows, reserved, &mut router)?;
        let queue = Arc::new(Queue::default());
        let shutdown = Shutdown::new()?;
        let receiver = Receiver::new(
            rings,
            Judge::new(cookie, flows),
            config.clock,
            Arc::clone(&queue),
            shutdown.clone(),
        );
        Ok(Self {
            clock: config.clock,
            router,
            sender,
            queue,
            receiver: Some(receiver),
            running: None,
            shutdown,
            captures,
            refused: 0,
            lag: Lag::default(),
            arrivals: Vec::new(),
        })
    }

    /// Has what the stacks of the hosts look like added to `shapes`. Before [`start`](Self::start).
    pub fn set_shapes(&mut self, shapes: Shapes) {
        if let Some(receiver) = &mut self.receiver {
            receiver.set_shapes(shapes);
        }
    }

    /// Starts the receiver thread: from here on bytes from the network are read. Packets that came in since
    /// [`open`](Self::open) are not lost. A second call does nothing.
    ///
    /// # Errors
    /// The kernel's, when no thread can be made.
    pub fn start(&mut self) -> io::Result<()> {
        if let Some(receiver) = self.receiver.take() {
            let thread = std::thread::Builder::new().name("receiver".into());
            self.running = Some(thread.spawn(move || receiver.run())?);
            self.sender.start(self.clock)?;
        }
        Ok(())
    }

    /// How many flows a probe may name: 0 to this, exclusive.
    pub fn flows(&self) -> u8 {
        self.sender.flows().count()
    }

    /// The first and the last reserved source port.
    pub fn source_ports(&self) -> (u16, u16) {
        self.sender.flows().ports()
    }

    /// The router, for what else wants to know the way.
    pub fn router(&mut self) -> &mut R {
        &mut self.router
    }

    /// What the receiver could not tell, because it takes the routing table. `None`: it proves nothing after all.
    fn admit(&mut self, arrival: Arrival) -> Option<Observation> {
        let mut observation = arrival.observation;
        if let IpAddr::V6(ip) = observation.endpoint.address.ip
            && ip.is_unicast_link_local()
        {
            observation.endpoint.address.zone = self.zone(ip, arrival.interface);
        }
        match observation.seen {
            // Our own firewall's reject-with-RST claims to come from the target, but over loopback.
            Seen::Rst { .. }
                if arrival.interface == LOOPBACK
                    && !self.is_local(observation.endpoint.address) =>
            {
                self.refused += 1;
                return None;
            }
            // An error from ourselves: no neighbour answered, or our own firewall's reject. On a scan of ourselves the
            // two sides cannot be told apart, and the error counts as the target's.
            Seen::Icmp { reason, offender }
                if offender != observation.endpoint.address.ip
                    && self.is_ours(offender, arrival.interface) =>
            {
                let seen = own_error::meaning(reason);
                let address = observation.endpoint.address;
                observation.seen = own_error::verified(seen, address, &mut self.router);
            }
            Seen::SynAck(answer) if self.is_detour(&arrival, observation.endpoint.address) => {
                observation.seen = Seen::Detour(answer);
            }
            _ => {}
        }
        self.sender.answered(&observation, &mut self.router);
        Some(observation)
    }

    /// Whether an answer came to another address or by another interface than those that its probe left by.
    fn is_detour(&mut self, arrival: &Arrival, address: Address) -> bool {
        match self.sender.way(address, &mut self.router) {
            Ok(route) if route.reach == Reach::Local => false,
            Ok(route) => arrival.interface != route.interface || arrival.to != route.source,
            Err(_) => false,
        }
    }

    fn is_ours(&mut self, offender: IpAddr, interface: u32) -> bool {
        match offender {
            // Link-local packets of others never come over loopback.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                interface == LOOPBACK || self.is_local(Address::new(offender).with_zone(interface))
            }
            _ => self.is_local(Address::new(offender)),
        }
    }

    fn is_local(&mut self, address: Address) -> bool {
        match self.sender.route(address, &mut self.router) {
            Ok(route) => route.reach == Reach::Local,
            Err(_) => false,
        }
    }

    /// The zone of a link-local answer: the interface that it came in by, but our own addresses answer over loopback.
    fn zone(&self, ip: Ipv6Addr, interface: u32) -> u32 {
        match interface {
            LOOPBACK => self.sender.zone_of(ip).unwrap_or(interface),
            interface => interface,
        }
    }
}

impl<R: Router> Transport for RawTransport<R> {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn room(&self) -> usize {
        self.sender.room(self.clock.now())
    }

    /// A Handshake probe comes back as [`NotSent`](crate::model::LocalFault::NotSent): this transport only sends SYNs.
    fn send(&mut self, probes: &[Probe]) -> usize {
        self.sender.send(probes, self.clock, &mut self.router)
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        let before = out.len();
        let until = self
            .sender
            .hear(self.clock.now(), until, &mut self.router, out);
        self.sender.take_faults(out);
        let patience = if out.len() > before {
            Duration::ZERO
        } else {
            until.since(self.clock.now())
        };
        let mut arrivals = std::mem::take(&mut self.arrivals);
        self.queue.take(patience, &mut arrivals);
        let now = self.clock.now();
        let mut worst = None;
        for arrival in arrivals.drain(..) {
            let late = now.since(arrival.observation.at);
            worst = worst.max(Some(late));
            if let Some(observation) = self.admit(arrival) {
                out.push(observation);
            }
        }
        self.arrivals = arrivals;
        if let Some(worst) = worst {
            self.lag.add(now, worst);
        }
        own_error::blame_link(&mut out[before..], self.sender.bound(), &mut self.router);
    }

    fn tell_departures(&mut self) {
        self.sender.tell_departures();
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        self.sender.departures(out);
    }

    fn counters(&self) -> Counters {
        let drops = |capture: &Capture| {
            // The kernel starts from zero again at each look.
            let new = ring::new_drops(&capture.socket);
            capture.drops.fetch_add(new, Ordering::Relaxed) + new
        };
        Counters {
            packets_sent: self.sender.packets_sent(),
            capture_drops: self.captures.iter().map(drops).sum(),
            queue_drops: self.queue.overflow(),
            strays: self.queue.strays() + self.refused,
            delivery_lag: self.lag.worst(),
            ..Counters::default()
        }
    }
}

impl<R> Drop for RawTransport<R> {
    /// The thread is woken, so this takes as long as the kernel needs to close the rings (30 to 60 ms), not longer.
    fn drop(&mut self) {
        self.shutdown.ask();
        if let Some(thread) = self.running.take() {
            // A thread that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}
