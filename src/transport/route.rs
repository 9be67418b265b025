//! Where the kernel would send a packet, and what it knows of the way: facts, asked without privilege.

mod channel;
mod neighbours;
mod netlink;
mod prefixes;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

pub use self::neighbours::{Sighting, Standing};
pub use self::netlink::NetlinkRouter;
use crate::model::Address;

/// The way to one address, as the kernel would choose it for a connect().
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The address of ours that packets leave from.
    pub source: IpAddr,
    /// Index of the interface that they leave by.
    pub interface: u32,
    /// The router; `None` for an address on the link, or of our own.
    pub next_hop: Option<IpAddr>,
    pub reach: Reach,
    /// Largest packet on the first link or, where the route says so, on the way, in bytes.
    pub mtu: u32,
}

/// How far away an address is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reach {
    /// Our own address, or loopback.
    Local,
    /// On a link of ours.
    OnLink,
    /// Behind a router, in a range of private use (RFC 1918, RFC 6598, RFC 4193) or link-local.
    Private,
    /// Behind a router.
    Public,
}

/// What the neighbour table (ARP, NDP) knows of an address on the link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Neighbour {
    /// Its link-layer address is known.
    Known,
    /// Never asked, or the question is out.
    Unresolved,
    /// Asked, and nobody answered.
    Failed,
    /// The interface needs no link-layer addresses (loopback, tun, point-to-point).
    NotNeeded,
}

/// Answers about routes and neighbours.
pub trait Router {
    /// The way to `address`.
    ///
    /// # Errors
    /// What a connect() there would fail with (no route, prohibited), `InvalidInput` for a broadcast, multicast or unspecified address,
    /// and failures of the question itself.
    fn route(&mut self, address: Address) -> io::Result<Route>;

    /// The same for a further address of one batch: a change since the last [`route`](Self::route) may be overlooked, so
    /// that a batch costs one question and not hundreds.
    ///
    /// # Errors
    /// Those of [`route`](Self::route).
    fn further_route(&mut self, address: Address) -> io::Result<Route> {
        self.route(address)
    }

    /// Addresses of the same family and zone around `address` that go the same way, as far as that is known without a
    /// question, for as long as [`further_route`](Self::further_route) may be asked.
    fn alike(&self, address: Address) -> RangeInclusive<IpAddr> {
        address.ip..=address.ip
    }

    /// What is known of the neighbour `address` behind `interface`. A question that fails counts as
    /// [`Neighbour::Unresolved`].
    fn neighbour(&mut self, interface: u32, address: IpAddr) -> Neighbour;

    /// The Ethernet address to which the kernel would send a packet for the neighbour `address` behind `interface`.
    /// `None` where it does not know it now, or where packets do not leave in plain Ethernet frames (loopback, tun,
    /// encapsulated routes): then only the kernel can send them.
    fn hardware_address(&mut self, interface: u32, address: IpAddr) -> Option<[u8; 6]> {
        let _ = (interface, address);
        None
    }

    /// The Ethernet address of ours with which `source` asks for the neighbour `address` behind `interface`. `None` where nobody
    /// is asked for, where `source` is no address of that interface, so that not everybody would answer it, or where only the
    /// kernel can ask (see [`hardware_address`](Self::hardware_address)).
    fn own_hardware(&mut self, interface: u32, address: IpAddr, source: IpAddr) -> Option<[u8; 6]> {
        let _ = (interface, address, source);
        None
    }

    /// Appends the neighbours (interface and address) that were resolved or given up since the last call, as far as they
    /// are told of. Never blocks.
    fn neighbour_news(&mut self, out: &mut Vec<((u32, IpAddr), Neighbour)>) -> News {
        let _ = out;
        News::All
    }

    /// Whether packets can leave by `interface` now; of one that is not known nothing speaks against it.
    fn link(&mut self, interface: u32) -> Link {
        let _ = interface;
        Link::Up
    }

    /// How many neighbours of an IP version may be asked for at the same time without filling the machine's table.
    fn neighbour_room(&mut self, version: IpVersion) -> usize {
        let _ = version;
        TABLE / 2
    }
}

/// Whether all that the kernel told was heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum News {
    All,
    /// Its messages overflowed.
    SomeLost,
}

/// Each IP version has a neighbour table of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IpVersion {
    V4,
    V6,
}

/// Entries that a table holds where the kernel does not say (gc_thresh3).
const TABLE: usize = 1024;

/// This machine's interfaces and addresses at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    pub interfaces: Vec<Interface>,
    /// Addresses to which a packet would be a broadcast, by the kernel's routes.
    pub broadcasts: Vec<Ipv4Addr>,
}

/// A network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    pub link: Link,
    pub neighbours: Neighbours,
    pub framing: Framing,
    /// Of an Ethernet interface.
    pub hardware: Option<[u8; 6]>,
    /// In bytes.
    pub mtu: u32,
    pub addresses: Vec<OwnAddress>,
}

/// Whether packets can leave by an interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    Up,
    /// It is up, and nothing is at its other end: the kernel takes packets for it, and drops them without a word.
    NoCarrier,
    Down,
}

/// Whether an interface asks for link-layer addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Neighbours {
    Asked,
    /// Loopback, tun, point-to-point.
    None,
}

/// What a packet is wrapped in when it leaves by an interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Framing {
    /// Addresses of 6 bytes (ARPHRD_ETHER): wired, wireless, bridges, VLANs, veth.
    Ethernet,
    /// Loopback, tun, tunnels, other links.
    Other,
}

/// An address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnAddress {
    pub ip: IpAddr,
    /// Length of the prefix that is on the link.
    pub prefix: u8,
    pub broadcast: Option<Ipv4Addr>,
}

impl Surroundings {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn discover() -> io::Result<Self> {
        channel::Channel::open()?.surroundings()
    }

    /// The interface of this name.
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// The interface of this index.
    pub fn indexed(&self, index: u32) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.index == index)
    }

    /// The interface that has this address, if it is our own. All of 127.0.0.0/8 answers for us, but only what is
    /// configured counts here.
    pub fn owner(&self, ip: IpAddr) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.addresses.iter().any(|own| own.ip == ip))
    }

    /// Whether a packet to `ip` would be a broadcast.
    pub fn is_broadcast(&self, ip: Ipv4Addr) -> bool {
        self.broadcasts.contains(&ip)
    }
}

impl OwnAddress {
    /// Whether `ip` lies in the prefix of this address.
    pub fn is_beside(&self, ip: IpAddr) -> bool {
        match (
            ipnet::IpNet::new(self.ip, self.prefix),
            self.ip.is_ipv4() == ip.is_ipv4(),
        ) {
            (Ok(net), true) => net.contains(&ip),
            _ => false,
        }
    }
}

/// Whether an address is one that routers of the Internet do not carry.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0b1100_0000 == 64;
            ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether that is so of all addresses between these two. No two blocks of such addresses begin with the same byte.
pub(crate) fn is_private_throughout(first: IpAddr, last: IpAddr) -> bool {
    let block = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets()[0],
        IpAddr::V6(ip) => ip.octets()[0],
    };
    is_private(first) && is_private(last) && block(first) == block(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_ranges_end_where_their_rfc_says() {
        for (text, private) in [
            ("10.0.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.168.0.1", true),
            ("100.63.255.255", false),
            ("100.64.0.0", true),
            ("100.127.255.255", true),
            ("100.128.0.0", false),
            ("169.254.1.1", true),
            ("8.8.8.8", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            let ip = text.parse().expect("address");
            assert_eq!(is_private(ip), private, "{text}");
        }
    }

    #[test]
    fn beside_means_in_the_prefix_and_of_the_family() {
        let own = OwnAddress {
            ip: "10.8.0.1".parse().expect("address"),
            prefix: 24,
            broadcast: None,
        };
        assert!(own.is_beside("10.8.0.77".parse().expect("address")));
        assert!(!own.is_beside("10.8.1.77".parse().expect("address")));
        assert!(!own.is_beside("::1".parse().expect("address")));
    }

    #[test]
    fn a_range_that_leaves_its_private_block_is_not_private() {
        for (first, last, private) in [
            ("10.0.0.0", "10.255.255.255", true),
            ("172.16.0.0", "172.31.255.255", true),
            ("172.16.0.0", "172.32.255.255", false),
            ("10.0.0.0", "172.16.0.1", false),
            ("192.167.0.0", "192.168.0.1", false),
            ("fd00::1", "fd00::ffff", true),
        ] {
            let ip = |text: &str| text.parse().expect("an address");
            assert_eq!(is_private_throughout(ip(first), ip(last)), private);
        }
    }
}
