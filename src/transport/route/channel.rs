//! Questions to the kernel over netlink (rtnetlink(7)), one at a time, without privilege.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::{Framing, Interface, Link, Neighbours, OwnAddress, Surroundings};

/// A netlink socket for questions.
pub(super) struct Channel {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

/// Whether a question has one answer or a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    One,
    List,
}

/// The kernel fills at most 32 KiB at a time.
const BUFFER: usize = 64 * 1024;

/// The kernel answers at once; only a broken one does not.
const PATIENCE: Duration = Duration::from_secs(2);

impl Channel {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER],
            sequence: 0,
        })
    }

    /// Asks and returns every message of the answer.
    pub(super) fn ask(
        &mut self,
        question: RouteNetlinkMessage,
        ask: Ask,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut header = NetlinkHeader::default();
        self.sequence = self.sequence.wrapping_add(1);
        header.sequence_number = self.sequence;
        header.flags = match ask {
            Ask::One => NLM_F_REQUEST,
            Ask::List => NLM_F_REQUEST | NLM_F_DUMP,
        };
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answers = Vec::new();
        while self.read(ask, &mut answers)? == Answer::Part {}
        Ok(answers)
    }

    /// Reads one datagram of the answer.
    fn read(&mut self, ask: Ask, answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<Answer> {
        let (_, length) = rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC)?;
        let mut rest = self.buffer.get(..length).ok_or_else(broken)?;
        while !rest.is_empty() {
            // The length of a message that cannot be parsed (a newer kernel's) is known all the same: skip it.
            let size = rest
                .first_chunk()
                .map_or(0, |size| u32::from_ne_bytes(*size)) as usize;
            let bytes = rest.get(..size).filter(|_| size >= 16).ok_or_else(broken)?;
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
                continue;
            };
            if message.header.sequence_number != self.sequence {
                continue;
            }
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(Answer::Whole),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Error(_) => return Ok(Answer::Whole),
                NetlinkPayload::InnerMessage(inner) => {
                    answers.push(inner);
                    if ask == Ask::One {
                        return Ok(Answer::Whole);
                    }
                }
                _ => {}
            }
        }
        Ok(match (ask, answers.len()) {
            (Ask::One, 1..) => Answer::Whole,
            _ => Answer::Part,
        })
    }

    /// All interfaces and their addresses.
    pub(super) fn surroundings(&mut self) -> io::Result<Surroundings> {
        let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let mut interfaces: Vec<Interface> = Vec::new();
        for answer in self.ask(links, Ask::List)? {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                interfaces.push(interface(&link));
            }
        }
        for answer in self.ask(addresses, Ask::List)? {
            let RouteNetlinkMessage::NewAddress(message) = answer else {
                continue;
            };
            let owner = interfaces
                .iter_mut()
                .find(|interface| interface.index == message.header.index);
            if let (Some(interface), Some(own)) = (owner, own_address(&message)) {
                interface.addresses.push(own);
            }
        }
        let broadcasts = self.broadcasts()?;
        Ok(Surroundings {
            interfaces,
            broadcasts,
        })
    }

    /// The addresses that the kernel takes for broadcasts: it makes a route for each, whether or not its interface names it.
    fn broadcasts(&mut self) -> io::Result<Vec<Ipv4Addr>> {
        let mut question = RouteMessage::default();
        question.header.address_family = AddressFamily::Inet;
        let answers = self.ask(RouteNetlinkMessage::GetRoute(question), Ask::List)?;
        let broadcast = |answer: &RouteNetlinkMessage| match answer {
            RouteNetlinkMessage::NewRoute(route) if route.header.kind == RouteType::Broadcast => {
                route
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(*ip),
                        _ => None,
                    })
            }
            _ => None,
        };
        Ok(answers.iter().filter_map(broadcast).collect())
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Part,
    Whole,
}

/// The family of an address, for netlink.
pub(super) fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn interface(message: &LinkMessage) -> Interface {
    let flags = message.header.flags;
    let mut interface = Interface {
        index: message.header.index,
        name: String::new(),
        link: match (
            flags.contains(LinkFlags::Up),
            flags.contains(LinkFlags::LowerUp),
        ) {
            (true, true) => Link::Up,
            (true, false) => Link::NoCarrier,
            (false, _) => Link::Down,
        },
        neighbours: if flags
            .intersects(LinkFlags::Loopback | LinkFlags::Noarp | LinkFlags::Pointopoint)
        {
            Neighbours::None
        } else {
            Neighbours::Asked
        },
        framing: match message.header.link_layer_type {
            LinkLayerType::Ether => Framing::Ethernet,
            _ => Framing::Other,
        },
        hardware: None,
        // What IPv6 asks of every link, where the kernel does not say.
        mtu: 1280,
        addresses: Vec::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Address(address) if interface.framing == Framing::Ethernet => {
                interface.hardware = address.as_slice().try_into().ok();
            }
            _ => {}
        }
    }
    interface
}

fn own_address(message: &AddressMessage) -> Option<OwnAddress> {
    // On a point-to-point link ADDRESS is the other end; LOCAL is ours wherever it is given.
    let (mut local, mut address, mut broadcast) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Broadcast(ip) => broadcast = Some(*ip),
            _ => {}
        }
    }
    Some(OwnAddress {
        ip: local.or(address)?,
        prefix: message.header.prefix_len,
        broadcast,
    })
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "netlink answer cut short")
}
