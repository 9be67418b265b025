//! Reserves the block of source ports.
//!
//! Bound sockets that never listen: the kernel answers every SYN-ACK with the RST that ends it, no other program gets the
//! ports, and two scans at a time cannot meet.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_ipv6_v6only;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use super::{Families, Family};
use crate::transport::ephemeral;
use crate::wire::Flows;

/// Blocks that are tried before we give up: a machine where this many are taken has no room.
const TRIES: u32 = 200;
/// Ports below are for services.
const LOWEST: u16 = 1024;

/// Reserves `count` ports and a spare one. The sockets keep them until they are dropped.
pub(super) fn reserve(families: Families, count: u8) -> io::Result<(Flows, Vec<OwnedFd>)> {
    let size = u16::from(count) + 1;
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for attempt in 0..TRIES {
        let place = if attempt < TRIES / 2 {
            Place::OutsideEphemeral
        } else {
            Place::Anywhere
        };
        let range = ranges(ephemeral::range(), size, place);
        let Some(first) = pick(&range, size, rand::random()) else {
            continue;
        };
        let flows = Flows::new(first, count)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no flows asked for"))?;
        match hold(families, flows) {
            Ok(sockets) => return Ok((flows, sockets)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// Where to look for a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the kernel takes no ports for `connect()`, so that neither has to dodge the other.
    OutsideEphemeral,
    Anywhere,
}

fn hold(families: Families, flows: Flows) -> io::Result<Vec<OwnedFd>> {
    let (first, last) = flows.ports();
    let mut sockets = Vec::new();
    for port in first..=last {
        for family in families.list() {
            sockets.push(hold_port(*family, port)?);
        }
    }
    Ok(sockets)
}

#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
fn hold_port(family: Family, port: u16) -> io::Result<OwnedFd> {
    let (domain, any) = match family {
        Family::V4 => (AddressFamily::INET, Ipv4Addr::UNSPECIFIED.into()),
        Family::V6 => (AddressFamily::INET6, Ipv6Addr::UNSPECIFIED.into()),
    };
    // SO_REUSEADDR stays off: the second scan must be refused.
    let socket = socket_with(domain, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if family == Family::V6 {
        set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &SocketAddr::new(any, port))?;
    Ok(socket)
}

/// Where a block of `size` may start: above or below the ephemeral range, where it fits; anywhere else after that.
fn ranges(ephemeral: (u16, u16), size: u16, place: Place) -> [(u16, u16); 2] {
    let (first, last) = ephemeral;
    let highest = u16::MAX - size + 1;
    match place {
        Place::OutsideEphemeral => [
            (last.saturating_add(1), highest),
            (LOWEST, first.saturating_sub(size)),
        ],
        Place::Anywhere => [(LOWEST, highest); 2],
    }
}

/// The first of the ranges that holds anything, and there a port by chance.
fn pick(ranges: &[(u16, u16)], size: u16, chance: u32) -> Option<u16> {
    let (first, last) = *ranges
        .iter()
        .find(|(first, last)| first <= last && last.checked_add(size - 1).is_some())?;
    let width = u32::from(last - first) + 1;
    Some(first + u16::try_from(chance % width).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_lie_outside_the_ephemeral_ports_where_that_leaves_room() {
        let block =
            |ephemeral, chance| pick(&ranges(ephemeral, 21, Place::OutsideEphemeral), 21, chance);
        for chance in 0..100_000 {
            let first = block((32768, 60999), chance).unwrap();
            assert!((61000..=65515).contains(&first), "{first}");
            let first = block((32768, 65535), chance).unwrap();
            assert!((1024..=32747).contains(&first), "{first}");
        }
        assert_eq!(block((1024, 65535), 0), None);
        let anywhere = ranges((1024, 65535), 21, Place::Anywhere);
        assert_eq!(pick(&anywhere, 21, 0), Some(1024));
    }
}
