//! What a transport must know of the way to an address.

use std::io;
use std::net::IpAddr;

use crate::model::Address;

/// The kernel's answer to "how would you send to this address?".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The address of ours that the kernel would choose.
    pub source: IpAddr,
    /// Index of the outgoing interface.
    pub interface: u32,
    /// The gateway; `None` when the address is on the link or is ours.
    pub next_hop: Option<IpAddr>,
    pub reach: Reach,
    /// Of this route, in bytes.
    pub mtu: u32,
}

/// How far away an address is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reach {
    /// An address of this machine.
    Local,
    /// On a link of ours.
    OnLink,
    /// Behind a gateway, in a range of private use.
    Private,
    /// Behind a gateway.
    Public,
}

/// What the kernel knows of a neighbour's link address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Neighbour {
    Known,
    /// Being asked for, or never asked.
    Unresolved,
    /// It did not answer.
    Failed,
    /// The interface has no link addresses (loopback, tunnels).
    NotNeeded,
}

/// Asks the kernel about routes and neighbours. Answers are expected to be cached: a transport asks for every probe.
pub trait Router {
    /// # Errors
    /// The kernel's own, such as ENETUNREACH where there is no route.
    fn route(&mut self, address: Address) -> io::Result<Route>;

    fn neighbour(&mut self, interface: u32, address: IpAddr) -> Neighbour;
}
