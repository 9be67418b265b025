//! The kernel's routes and neighbours over netlink, each distinct route asked once.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::RecvFlags;

use super::channel::{Ask, Channel, family};
use super::neighbours::{self, Gossip, state};
use super::prefixes::{Prefixes, addresses, number};
use super::{
    Framing, Interface, IpVersion, Link, Neighbour, Neighbours, News, Reach, Route, Router,
    Sighting, Surroundings, is_private,
};
use crate::model::Address;

/// A [`Router`] that asks this machine's kernel, which routes as it would route a connect(): policy rules, VPNs and
/// namespaces included. Answers are remembered per distinct route until the kernel tells of a change.
pub struct NetlinkRouter {
    channel: Channel,
    /// Hears of changes to links, addresses, routes and rules; never blocks.
    changes: Socket,
    gossip: Gossip,
    surroundings: Surroundings,
    prefixes: Prefixes,
    routes: HashMap<(IpNet, u32), Route>,
    recent: Recent,
    /// Neighbours whose route wraps packets once more (MPLS, segment routing): interface and address.
    wrapped: HashSet<(u32, IpAddr)>,
    policy_rules: usize,
}

/// The routes of the last few ranges of addresses: a scan asks for the same ones over and over.
#[derive(Default)]
struct Recent {
    spans: Vec<Span>,
    /// Which one is forgotten next.
    oldest: usize,
}

/// Addresses of one family and zone with one route.
struct Span {
    /// One of them.
    like: Address,
    range: RangeInclusive<u128>,
    route: Route,
}

/// Routes remembered at the most.
const MOST: usize = 65_536;

/// Ranges whose route is found without hashing.
const RECENT: usize = 8;

/// Multicast groups of linux/rtnetlink.h, as the bits that bind(2) takes: link, IPv4 address, route and rule, IPv6 address
/// and route.
const GROUPS: u32 = 1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10;

/// RTNLGRP_IPV6_RULE has no such bit.
const IPV6_RULE: u32 = 19;

impl NetlinkRouter {
    /// Opens the sockets and reads the tables.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn open() -> io::Result<Self> {
        // Listening begins before the tables are read, so that no change is lost between the two.
        let mut changes = Socket::new(NETLINK_ROUTE)?;
        changes.bind(&SocketAddr::new(0, GROUPS))?;
        changes.add_membership(IPV6_RULE)?;
        changes.set_non_blocking(true)?;
        let mut router = Self {
            channel: Channel::open()?,
            changes,
            gossip: Gossip::open()?,
            surroundings: Surroundings::default(),
            prefixes: Prefixes::default(),
            routes: HashMap::new(),
            recent: Recent::default(),
            wrapped: HashSet::new(),
            policy_rules: 0,
        };
        router.reread()?;
        Ok(router)
    }

    /// This machine's interfaces and addresses as they were when the kernel last told of a change.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The neighbours on all links that are confirmed or being asked for.
    ///
    /// # Errors
    /// Where the kernel cannot be asked.
    pub fn sightings(&mut self) -> io::Result<Vec<Sighting>> {
        neighbours::sightings(&mut self.channel)
    }

    /// The MAC addresses of the neighbours, where the kernel has learnt them, also some time ago. Hosts behind a router, this
    /// machine itself and links without such addresses are not among them.
    ///
    /// # Errors
    /// Where the kernel cannot be asked.
    pub fn link_addresses(&mut self) -> io::Result<HashMap<Address, [u8; 6]>> {
        let known = neighbours::link_addresses(&mut self.channel)?;
        let named = |(interface, ip, mac): (u32, IpAddr, [u8; 6])| {
            let address = Address::new(ip);
            let zone = match ip {
                IpAddr::V6(ip) if ip.is_unicast_link_local() => interface,
                _ => 0,
            };
            // Entries that are all zeros stand for links that need none.
            (mac != [0; 6]).then_some((address.with_zone(zone), mac))
        };
        Ok(known.into_iter().filter_map(named).collect())
    }

    /// How many routing rules there are beyond those that every machine has, both families together.
    pub fn policy_rules(&self) -> usize {
        self.policy_rules
    }

    /// The way to `first`, and the last address up to `last` that it is the way to as well.
    pub fn stretch(&mut self, first: Address, last: Address) -> (io::Result<Route>, IpAddr) {
        let route = self.route(first);
        let behind = *self.prefixes.span(first.ip).end();
        let end = match first.ip {
            IpAddr::V4(_) => u32::try_from(behind).map_or(last.ip, |end| IpAddr::V4(end.into())),
            IpAddr::V6(_) => IpAddr::V6(behind.into()),
        };
        (route, end.min(last.ip))
    }

    fn reread(&mut self) -> io::Result<()> {
        self.routes.clear();
        self.recent.spans.clear();
        self.wrapped.clear();
        self.policy_rules = 0;
        self.surroundings = self.channel.surroundings()?;
        self.prefixes = Prefixes::default();
        let routes = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        for answer in self.channel.ask(routes, Ask::List)? {
            if let RouteNetlinkMessage::NewRoute(route) = answer {
                let destination = route
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        RouteAttribute::Destination(address) => ip(address),
                        _ => None,
                    });
                if let Some(destination) = destination {
                    let length = route.header.destination_prefix_length;
                    self.prefixes.insert(destination, length);
                }
            }
        }
        let rules = RouteNetlinkMessage::GetRule(RuleMessage::default());
        for answer in self.channel.ask(rules, Ask::List)? {
            if let RouteNetlinkMessage::NewRule(rule) = answer {
                // The dump holds the rules of multicast routing, too.
                let routes_us = [AddressFamily::Inet, AddressFamily::Inet6];
                let counts = routes_us.contains(&rule.header.family) && !is_default(&rule);
                self.policy_rules += usize::from(counts);
                for attribute in &rule.attributes {
                    if let RuleAttribute::Destination(ip) = attribute {
                        self.prefixes.insert(*ip, rule.header.dst_len);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the kernel told of a change; an overflow of its messages is one.
    fn has_news(&self) -> bool {
        let mut news = false;
        let mut buffer = [0; 8];
        loop {
            match rustix::net::recv(&self.changes, &mut buffer[..], RecvFlags::TRUNC) {
                Ok(_) | Err(rustix::io::Errno::NOBUFS) => news = true,
                Err(_) => return news,
            }
        }
    }

    fn ask(&mut self, address: Address) -> io::Result<Route> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(address.ip);
        question.header.destination_prefix_length = if address.ip.is_ipv4() { 32 } else { 128 };
        question
            .attributes
            .push(RouteAttribute::Destination(address.ip.into()));
        if address.zone != 0 {
            question.attributes.push(RouteAttribute::Oif(address.zone));
        }
        let question = RouteNetlinkMessage::GetRoute(question);
        let answers = self.channel.ask(question, Ask::One)?;
        let Some(RouteNetlinkMessage::NewRoute(answer)) = answers.into_iter().next() else {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        self.read(address.ip, &answer)
    }

    fn read(&mut self, target: IpAddr, answer: &RouteMessage) -> io::Result<Route> {
        let (mut source, mut interface, mut next_hop, mut mtu) = (None, None, None, None);
        let mut wrapped = false;
        for attribute in &answer.attributes {
            match attribute {
                RouteAttribute::PrefSource(address) => source = ip(address),
                RouteAttribute::Oif(index) => interface = Some(*index),
                RouteAttribute::Gateway(address) => next_hop = ip(address),
                RouteAttribute::Via(RouteVia::Inet(ip)) => next_hop = Some(IpAddr::V4(*ip)),
                RouteAttribute::Via(RouteVia::Inet6(ip)) => next_hop = Some(IpAddr::V6(*ip)),
                RouteAttribute::Encap(_) | RouteAttribute::EncapType(_) => wrapped = true,
                RouteAttribute::Metrics(metrics) => {
                    mtu = metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) => Some(*mtu),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        let kind = answer.header.kind;
        match kind {
            RouteType::Local | RouteType::Unicast | RouteType::Anycast => {}
            RouteType::Broadcast | RouteType::Multicast => {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            RouteType::Prohibit => return Err(io::Error::from_raw_os_error(libc::EACCES)),
            _ => return Err(io::Error::from(io::ErrorKind::NetworkUnreachable)),
        }
        let interface = interface.ok_or(io::ErrorKind::NetworkUnreachable)?;
        let source = source.ok_or(io::ErrorKind::AddrNotAvailable)?;
        if wrapped {
            self.wrapped.insert((interface, next_hop.unwrap_or(target)));
        }
        let link = self.surroundings.indexed(interface);
        let on_link = link.is_none_or(|link| {
            // Where the link has no neighbours, a route without a router may still lead far: a default route into a VPN.
            let beside = link.addresses.iter().any(|own| own.is_beside(target));
            link.neighbours == Neighbours::Asked || beside
        });
        Ok(Route {
            source,
            interface,
            next_hop,
            reach: match (kind, next_hop) {
                (RouteType::Local, _) => Reach::Local,
                (_, None) if on_link => Reach::OnLink,
                _ if is_private(target) => Reach::Private,
                _ => Reach::Public,
            },
            mtu: mtu.unwrap_or_else(|| link.map_or(1280, |link| link.mtu)),
        })
    }
}

impl Router for NetlinkRouter {
    fn route(&mut self, address: Address) -> io::Result<Route> {
        if self.has_news() {
            self.reread()?;
        }
        self.further_route(address)
    }

    fn further_route(&mut self, address: Address) -> io::Result<Route> {
        // The kernel knows these by themselves, before it looks at a table.
        if address.ip.is_multicast()
            || address.ip.is_unspecified()
            || address.ip == IpAddr::V4(Ipv4Addr::BROADCAST)
        {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        if let Some(route) = self.recent.find(address) {
            return Ok(route);
        }
        let key = (self.prefixes.key(address.ip), address.zone);
        if let Some(known) = self.routes.get(&key).copied() {
            self.recent.keep(&self.prefixes, address, known);
            return Ok(known);
        }
        let route = self.ask(address)?;
        // In a local prefix each address may be its own source.
        if route.source != address.ip || key.0.prefix_len() == key.0.max_prefix_len() {
            if self.routes.len() >= MOST {
                self.routes.clear();
            }
            self.routes.insert(key, route);
            self.recent.keep(&self.prefixes, address, route);
        }
        Ok(route)
    }

    fn alike(&self, address: Address) -> RangeInclusive<IpAddr> {
        match self.recent.span(address) {
            Some(span) => addresses(&span.range, address.ip),
            None => address.ip..=address.ip,
        }
    }

    fn neighbour(&mut self, interface: u32, address: IpAddr) -> Neighbour {
        let link = self.surroundings.indexed(interface);
        if link.is_some_and(|link| link.neighbours == Neighbours::None) {
            return Neighbour::NotNeeded;
        }
        self.entry(interface, address)
            .map_or(Neighbour::Unresolved, |entry| state(entry.header.state))
    }

    fn neighbour_news(&mut self, out: &mut Vec<((u32, IpAddr), Neighbour)>) -> News {
        self.gossip.take(out)
    }

    fn link(&mut self, interface: u32) -> Link {
        if self.has_news() && self.reread().is_err() {
            return Link::Up;
        }
        let known = self.surroundings.indexed(interface);
        known.map_or(Link::Up, |known| known.link)
    }

    fn neighbour_room(&mut self, version: IpVersion) -> usize {
        neighbours::room(&mut self.channel, version)
    }

    fn own_hardware(&mut self, interface: u32, address: IpAddr, source: IpAddr) -> Option<[u8; 6]> {
        let link = self.surroundings.indexed(interface)?;
        let is_its_own = link.addresses.iter().any(|own| own.ip == source);
        let hardware = self.framed(interface, address)?.hardware;
        hardware.filter(|_| is_its_own)
    }

    fn hardware_address(&mut self, interface: u32, address: IpAddr) -> Option<[u8; 6]> {
        self.framed(interface, address)?;
        let entry = self.entry(interface, address)?;
        if state(entry.header.state) != Neighbour::Known {
            return None;
        }
        neighbours::hardware(&entry)
    }
}

impl NetlinkRouter {
    /// The interface, if what is for this neighbour leaves by it in plain Ethernet frames.
    fn framed(&self, interface: u32, address: IpAddr) -> Option<&Interface> {
        let link = self.surroundings.indexed(interface)?;
        let is_framed = link.framing == Framing::Ethernet
            && link.neighbours == Neighbours::Asked
            && !self.wrapped.contains(&(interface, address));
        is_framed.then_some(link)
    }

    /// The neighbour table's entry; `None` when the kernel was never asked for that address.
    fn entry(&mut self, interface: u32, address: IpAddr) -> Option<NeighbourMessage> {
        let mut question = NeighbourMessage::default();
        question.header.family = family(address);
        question.header.ifindex = interface;
        let destination = match address {
            IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
            IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
        };
        question
            .attributes
            .push(NeighbourAttribute::Destination(destination));
        let question = RouteNetlinkMessage::GetNeighbour(question);
        // ENOENT: never asked.
        let answers = self.channel.ask(question, Ask::One).ok()?;
        match answers.into_iter().next()? {
            RouteNetlinkMessage::NewNeighbour(entry) => Some(entry),
            _ => None,
        }
    }
}

impl Recent {
    fn find(&self, address: Address) -> Option<Route> {
        Some(self.span(address)?.route)
    }

    fn span(&self, address: Address) -> Option<&Span> {
        let at = number(address.ip);
        self.spans.iter().find(|span| {
            span.range.contains(&at)
                && span.like.zone == address.zone
                && span.like.ip.is_ipv4() == address.ip.is_ipv4()
        })
    }

    fn keep(&mut self, prefixes: &Prefixes, address: Address, route: Route) {
        let span = Span {
            like: address,
            range: prefixes.span(address.ip),
            route,
        };
        match self.spans.get_mut(self.oldest) {
            Some(oldest) => *oldest = span,
            None => self.spans.push(span),
        }
        self.oldest = (self.oldest + 1) % RECENT;
    }
}

impl std::fmt::Debug for NetlinkRouter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.routes.len();
        f.debug_struct("NetlinkRouter")
            .field("routes", &known)
            .finish_non_exhaustive()
    }
}

/// Whether a rule is one of those that the kernel makes itself: the tables local, main and default in this order.
fn is_default(rule: &RuleMessage) -> bool {
    let header = &rule.header;
    let (mut priority, mut table) = (0, u32::from(header.table));
    for attribute in &rule.attributes {
        match attribute {
            RuleAttribute::Priority(value) => priority = *value,
            RuleAttribute::Table(value) => table = *value,
            RuleAttribute::SuppressPrefixLen(u32::MAX) | RuleAttribute::Protocol(_) => {}
            _ => return false,
        }
    }
    header.action == RuleAction::ToTable
        && !header.flags.contains(RuleFlags::Invert)
        && (header.dst_len, header.src_len, header.tos) == (0, 0, 0)
        && matches!((priority, table), (0, 255) | (32766, 254) | (32767, 253))
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}
