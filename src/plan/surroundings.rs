//! What reading a target needs to know of this machine. The plan is pure, so whoever asks the kernel passes it in.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::Address;

use super::address_range::AddressRange;
use super::mistake::escape;

/// This machine, as far as targets are concerned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// Names and indices of the network interfaces, for zones.
    pub interfaces: Vec<(String, u32)>,
    /// The broadcast addresses of the networks that this machine is on, as the kernel's routes have them.
    pub broadcast: Vec<Ipv4Addr>,
}

/// How many interfaces a message names.
const NAMED: usize = 6;

impl Surroundings {
    /// The index of the interface of this name, or of this number if there is one.
    pub fn zone(&self, name: &str) -> Option<u32> {
        self.interfaces
            .iter()
            .find(|(known, index)| known == name || index.to_string() == name)
            .map(|&(_, index)| index)
    }

    /// The first interface that is not the loopback, as an example.
    pub(super) fn example(&self) -> String {
        self.interfaces
            .iter()
            .find(|(name, _)| name != "lo")
            .or(self.interfaces.first())
            .map_or_else(|| "eth0".to_string(), |(name, _)| escape(name, 16))
    }

    /// The interfaces' names for a message.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<String> = self
            .interfaces
            .iter()
            .take(NAMED)
            .map(|(name, _)| escape(name, 16))
            .collect();
        if self.interfaces.len() > NAMED {
            names.push("...".to_string());
        }
        if names.is_empty() {
            names.push("none".to_string());
        }
        names.join(", ")
    }

    /// The addresses that no TCP connection can have as its target.
    pub(super) fn unscannable(&self) -> Vec<AddressRange> {
        let v4 = |octets: [u8; 4]| Address::new(IpAddr::from(octets));
        let v6 = |segments: [u16; 8]| Address::new(IpAddr::from(segments));
        let mut ranges: Vec<AddressRange> = [
            (v4([0, 0, 0, 0]), 32),
            (v4([224, 0, 0, 0]), 4),
            (v4([255, 255, 255, 255]), 32),
            (v6([0; 8]), 128),
            (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8),
        ]
        .into_iter()
        .flat_map(|(address, prefix)| AddressRange::block(address, prefix))
        .collect();
        ranges.extend(
            self.broadcast
                .iter()
                .map(|&ip| AddressRange::single(Address::new(IpAddr::V4(ip)))),
        );
        ranges
    }
}
