//! The sending half, on the loop's thread: route, SYN, batch, and what the kernel says to it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use crate::model::{Address, How, LocalFault, Observation, Probe, Seen, Source, Time};
use crate::wire::syn::{LENGTH_V4, LENGTH_V6};
use crate::wire::{Cookie, Flows, Syn, SynTemplate};

use super::next_hops::{NextHops, Permission};
use super::{Family, RawConfig, kernel_syn};
use crate::transport::clock::Clock;
use crate::transport::own_error::next_hop;
use crate::transport::route::{Reach, Route, Router};
use crate::transport::sys::batch::{BatchV4, BatchV6};
use crate::transport::sys::packet_option;

/// Packets per system call: more are not faster.
const BATCH: usize = 256;
/// After a full queue of the device or the socket.
const BACK_OFF: Duration = Duration::from_micros(200);
/// Room for about 1,000 SYNs in a device's queue.
const SEND_BUFFER: usize = 1 << 20;
/// Link-local targets whose zone is remembered.
const ZONES: usize = 4096;

pub(super) struct Sender {
    socket_v4: Option<OwnedFd>,
    socket_v6: Option<OwnedFd>,
    batch_v4: BatchV4,
    batch_v6: BatchV6,
    template: SynTemplate,
    cookie: Cookie,
    flows: Flows,
    source: Option<IpAddr>,
    next_hops: NextHops,
    /// Of the last address: probes of one host follow each other.
    last_route: Option<(Address, Route)>,
    zones: HashMap<Ipv6Addr, u32>,
    faults: Vec<Observation>,
    not_before: Time,
    packets_sent: u64,
    /// They keep the source ports.
    _reserved: Vec<OwnedFd>,
}

/// What one probe comes to.
enum Step {
    V4([u8; LENGTH_V4], std::net::Ipv4Addr),
    V6([u8; LENGTH_V6], Ipv6Addr, u32),
    Fault(LocalFault),
    Wait(Time),
}

/// How far a batch got.
enum Flushed {
    All,
    /// Messages that were dealt with before the kernel had no room.
    Part(usize),
}

impl Sender {
    pub(super) fn open(
        config: &RawConfig,
        cookie: Cookie,
        flows: Flows,
        reserved: Vec<OwnedFd>,
    ) -> io::Result<Self> {
        let (mut socket_v4, mut socket_v6) = (None, None);
        for family in config.families.list() {
            let socket = raw_socket(*family, config.interface)?;
            match family {
                Family::V4 => socket_v4 = Some(socket),
                Family::V6 => socket_v6 = Some(socket),
            }
        }
        Ok(Self {
            socket_v4,
            socket_v6,
            batch_v4: BatchV4::with_capacity(BATCH),
            batch_v6: BatchV6::with_capacity(BATCH),
            template: SynTemplate::new(kernel_syn::shape()),
            cookie,
            flows,
            source: config.source,
            next_hops: NextHops::default(),
            last_route: None,
            zones: HashMap::new(),
            faults: Vec::new(),
            not_before: Time::ZERO,
            packets_sent: 0,
            _reserved: reserved,
        })
    }

    pub(super) fn flows(&self) -> Flows {
        self.flows
    }

    pub(super) fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// A batch, or nothing while a full queue or an unresolved neighbour is waited for.
    pub(super) fn room(&self, now: Time) -> usize {
        if now < self.not_before { 0 } else { BATCH }
    }

    pub(super) fn take_faults(&mut self, out: &mut Vec<Observation>) {
        out.append(&mut self.faults);
    }

    /// Sends a prefix of `probes` and returns its length.
    pub(super) fn send(
        &mut self,
        probes: &[Probe],
        clock: Clock,
        router: &mut impl Router,
    ) -> usize {
        let now = clock.now();
        if now < self.not_before {
            return 0;
        }
        // Where the batch begins: all probes before are dealt with, all behind are in it, in this order.
        let mut start = 0;
        for (at, probe) in probes.iter().enumerate() {
            let step = self.step(probe, now, router);
            let mixes = match step {
                Step::V4(..) => self.batch_v6.len() > 0,
                Step::V6(..) => self.batch_v4.len() > 0,
                Step::Fault(_) | Step::Wait(_) => true,
            };
            if mixes || at - start == BATCH {
                if let Flushed::Part(taken) = self.flush(probes, start, clock) {
                    return start + taken;
                }
                start = at;
            }
            match step {
                Step::V4(packet, to) => self.batch_v4.push(packet, to),
                Step::V6(packet, to, zone) => self.batch_v6.push(packet, to, zone),
                Step::Fault(fault) => {
                    self.fault(probe, now, fault);
                    start = at + 1;
                }
                Step::Wait(until) => {
                    self.not_before = until;
                    return at;
                }
            }
        }
        match self.flush(probes, start, clock) {
            Flushed::All => probes.len(),
            Flushed::Part(taken) => start + taken,
        }
    }

    /// The route to an address, from memory when it is the one asked for last.
    pub(super) fn route(
        &mut self,
        address: Address,
        router: &mut impl Router,
    ) -> io::Result<Route> {
        match self.last_route {
            Some((last, route)) if last == address => Ok(route),
            _ => {
                let route = router.route(address)?;
                self.last_route = Some((address, route));
                Ok(route)
            }
        }
    }

    /// An answer shows that the way to it is resolved.
    pub(super) fn answered(&mut self, observation: &Observation, router: &mut impl Router) {
        let address = observation.endpoint.address;
        if self.next_hops.is_any_unresolved()
            && let Ok(route) = self.route(address, router)
        {
            self.next_hops.free(next_hop(&route, address));
        }
    }

    /// The zone by which a link-local address was probed.
    pub(super) fn zone_of(&self, ip: Ipv6Addr) -> Option<u32> {
        self.zones.get(&ip).copied()
    }

    fn step(&mut self, probe: &Probe, now: Time, router: &mut impl Router) -> Step {
        let address = probe.endpoint.address;
        let port = probe.endpoint.port;
        let source_port = match probe.how {
            How::Syn { flow } => match self.flows.source_port(flow, port) {
                Some(source_port) => source_port,
                None => return Step::Fault(LocalFault::Other),
            },
            How::Handshake { .. } => return Step::Fault(LocalFault::NotSent),
        };
        let route = match self.route(address, router) {
            Ok(route) => route,
            Err(error) => return Step::Fault(fault(&error)),
        };
        if route.reach != Reach::Local {
            let key = next_hop(&route, address);
            let ask = || router.neighbour(key.0, key.1);
            if let Permission::Wait(until) = self.next_hops.permit(key, now, ask) {
                return Step::Wait(until);
            }
        }
        let source = match self.source {
            Some(source) if source.is_ipv4() == address.ip.is_ipv4() => source,
            _ => route.source,
        };
        let (sequence, identification) = self.cookie.pair(address.ip, port, source_port);
        let syn = Syn {
            source,
            target: address.ip,
            source_port,
            target_port: port,
            sequence,
            // Milliseconds, which wrap after 49 days as the option's clock may (RFC 7323, 5.4).
            timestamp: (now.0 / 1_000_000) as u32,
            identification,
            mtu: route.mtu,
        };
        match (source, address.ip) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let mut packet = [0; LENGTH_V4];
                self.template
                    .patch_v4(&mut packet, &syn.between(source, target));
                Step::V4(packet, target)
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                if target.is_unicast_link_local() && self.zones.len() < ZONES {
                    self.zones.insert(target, address.zone);
                }
                let mut packet = [0; LENGTH_V6];
                self.template
                    .patch_v6(&mut packet, &syn.between(source, target));
                Step::V6(packet, target, address.zone)
            }
            // A router that answers with the other family knows no route.
            _ => Step::Fault(LocalFault::NoRoute),
        }
    }

    /// Sends what is in the batch; its messages are the probes from `start` on.
    fn flush(&mut self, probes: &[Probe], start: usize, clock: Clock) -> Flushed {
        let length = self.batch_v4.len() + self.batch_v6.len();
        let mut done = 0;
        while done < length {
            let result = match (&self.socket_v4, &self.socket_v6) {
                (Some(socket), _) if self.batch_v4.len() > 0 => {
                    self.batch_v4.send(socket.as_fd(), done)
                }
                (_, Some(socket)) if self.batch_v6.len() > 0 => {
                    self.batch_v6.send(socket.as_fd(), done)
                }
                // A family that the plan did not announce: there is no socket for it.
                _ => Err(io::ErrorKind::Unsupported.into()),
            };
            match result {
                Ok(0) => break,
                Ok(taken) => {
                    self.packets_sent += taken as u64;
                    done += taken;
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // `libc::EWOULDBLOCK` is the same number. Never a verdict: the caller offers the rest again.
                    Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => {
                        self.drain();
                        break;
                    }
                    _ => {
                        self.drain();
                        if let Some(probe) = probes.get(start + done) {
                            self.fault(probe, clock.now(), fault(&error));
                        }
                        done += 1;
                    }
                },
            }
        }
        self.batch_v4.clear();
        self.batch_v6.clear();
        if done < length {
            self.not_before = clock.now() + BACK_OFF;
            return Flushed::Part(done);
        }
        Flushed::All
    }

    fn drain(&self) {
        for socket in self.socket_v4.iter().chain(&self.socket_v6) {
            packet_option::drain_error_queue(socket.as_fd(), BATCH);
        }
    }

    fn fault(&mut self, probe: &Probe, at: Time, fault: LocalFault) {
        self.faults.push(Observation {
            endpoint: probe.endpoint,
            source: match probe.how {
                How::Syn { flow } => Source::Flow(flow),
                How::Handshake { .. } => Source::Attempt {
                    attempt: probe.attempt,
                    syns: 0,
                    rtt: None,
                },
            },
            at,
            seen: Seen::Local(fault),
        });
    }
}

/// What a refusal of the kernel means.
fn fault(error: &io::Error) -> LocalFault {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => LocalFault::Firewall,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => LocalFault::NoRoute,
        Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO) => LocalFault::InterfaceDown,
        _ => LocalFault::Other,
    }
}

#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
fn raw_socket(family: Family, interface: Option<u32>) -> io::Result<OwnedFd> {
    let domain = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    // IPPROTO_RAW implies that we bring the IP header, for both families; such a socket never receives.
    let socket = socket_with(
        domain,
        SocketType::RAW,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(ipproto::RAW),
    )?;
    packet_option::report_errors(socket.as_fd(), family)?;
    // The kernel cuts it down to net.core.wmem_max by itself.
    set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    if let Some(interface) = interface {
        packet_option::bind_to_index(socket.as_fd(), interface)?;
    }
    Ok(socket)
}
