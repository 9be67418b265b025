//! News of the neighbour table, as the kernel sends them (RTNLGRP_NEIGH), and how full the table is.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::neighbour_table::{NeighbourTableAttribute, NeighbourTableMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::RecvFlags;

use super::channel::{Ask, Channel};
use super::{IpVersion, Neighbour, News, TABLE};

/// Hears of neighbours that are resolved or given up; never blocks.
pub(super) struct Gossip {
    socket: Socket,
    buffer: Vec<u8>,
}

/// RTNLGRP_NEIGH of linux/rtnetlink.h as the bit that bind(2) takes.
const GROUP: u32 = 1 << 2;

/// One message is below 200 bytes; the kernel sends each by itself.
const BUFFER: usize = 8 * 1024;

impl Gossip {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, GROUP))?;
        socket.set_non_blocking(true)?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER],
        })
    }

    pub(super) fn take(&mut self, out: &mut Vec<((u32, IpAddr), Neighbour)>) -> News {
        let mut heard = News::All;
        loop {
            match rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((_, length)) => out.extend(self.buffer.get(..length).and_then(told)),
                Err(rustix::io::Errno::NOBUFS) => heard = News::SomeLost,
                Err(_) => return heard,
            }
        }
    }
}

/// What one message tells. One that cannot be read tells nothing: the table is looked at from time to time as well.
fn told(bytes: &[u8]) -> Option<((u32, IpAddr), Neighbour)> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).ok()?;
    let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) = message.payload
    else {
        return None;
    };
    Some((
        (entry.header.ifindex, address(&entry)?),
        state(entry.header.state),
    ))
}

pub(super) fn state(state: NeighbourState) -> Neighbour {
    match state {
        NeighbourState::Incomplete | NeighbourState::None => Neighbour::Unresolved,
        NeighbourState::Failed => Neighbour::Failed,
        NeighbourState::Noarp => Neighbour::NotNeeded,
        _ => Neighbour::Known,
    }
}

fn address(entry: &NeighbourMessage) -> Option<IpAddr> {
    let destination = |attribute: &NeighbourAttribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    };
    entry.attributes.iter().find_map(destination)
}

/// What the table says of a host on a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    pub interface: u32,
    pub ip: IpAddr,
    pub standing: Standing,
    /// The link address, where it is known and as long as that of Ethernet.
    pub hardware: Option<[u8; 6]>,
}

/// How sure the kernel is of a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has answered a moment ago (NUD_REACHABLE).
    Confirmed,
    /// The kernel is asking, or will when nothing is heard from it (NUD_INCOMPLETE, NUD_DELAY, NUD_PROBE).
    Asked,
}

/// The neighbours that are confirmed or being asked for.
pub(super) fn sightings(channel: &mut Channel) -> io::Result<Vec<Sighting>> {
    let question = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    let answers = channel.ask(question, Ask::List)?;
    Ok(answers.iter().filter_map(sighting).collect())
}

fn sighting(answer: &RouteNetlinkMessage) -> Option<Sighting> {
    let RouteNetlinkMessage::NewNeighbour(entry) = answer else {
        return None;
    };
    let standing = match entry.header.state {
        NeighbourState::Reachable => Standing::Confirmed,
        NeighbourState::Incomplete | NeighbourState::Delay | NeighbourState::Probe => {
            Standing::Asked
        }
        _ => return None,
    };
    Some(Sighting {
        interface: entry.header.ifindex,
        ip: address(entry)?,
        standing,
        hardware: hardware(entry),
    })
}

/// The link addresses of the neighbours that have answered at some time, as (interface, address, MAC). An entry that is stale
/// still tells who was there.
pub(super) fn link_addresses(channel: &mut Channel) -> io::Result<Vec<(u32, IpAddr, [u8; 6])>> {
    let question = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    let answers = channel.ask(question, Ask::List)?;
    Ok(answers.iter().filter_map(link_address).collect())
}

fn link_address(answer: &RouteNetlinkMessage) -> Option<(u32, IpAddr, [u8; 6])> {
    let RouteNetlinkMessage::NewNeighbour(entry) = answer else {
        return None;
    };
    match entry.header.state {
        NeighbourState::Reachable
        | NeighbourState::Stale
        | NeighbourState::Delay
        | NeighbourState::Probe
        | NeighbourState::Permanent => {
            Some((entry.header.ifindex, address(entry)?, hardware(entry)?))
        }
        _ => None,
    }
}

/// The link address, where it is as long as that of Ethernet.
pub(super) fn hardware(entry: &NeighbourMessage) -> Option<[u8; 6]> {
    entry
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        })
}

/// Half of what the table holds, or less where it is more than half full: it is the whole machine's, and when it is full
/// nobody on this machine reaches a new neighbour. A quarter at the least, because the kernel throws away what was given up
/// or has not been used for a while before it refuses an entry.
pub(super) fn room(channel: &mut Channel, version: IpVersion) -> usize {
    let question = RouteNetlinkMessage::GetNeighbourTable(NeighbourTableMessage::default());
    let family = match version {
        IpVersion::V4 => AddressFamily::Inet,
        IpVersion::V6 => AddressFamily::Inet6,
    };
    let answers = channel.ask(question, Ask::List).unwrap_or_default();
    let tables = answers.iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewNeighbourTable(table) if table.header.family == family => {
            portion(table)
        }
        _ => None,
    });
    // The kernel tells of the table as a whole in one message and of each interface in another, which has no limit.
    tables.min().unwrap_or(TABLE / 2)
}

fn portion(table: &NeighbourTableMessage) -> Option<usize> {
    let (mut most, mut taken) = (None, 0);
    for attribute in &table.attributes {
        match attribute {
            NeighbourTableAttribute::Threshold3(limit) => most = Some(*limit),
            NeighbourTableAttribute::Config(config) => taken = config.entries,
            _ => {}
        }
    }
    let most = most?;
    let free = most.saturating_sub(taken);
    usize::try_from(free.clamp(most / 4, most / 2)).ok()
}
