//! Endpoints that a scan which was cut short names as not tested.

use std::ops::RangeInclusive;

use crate::model::{Address, Endpoint};
use crate::results::scan_file::Missing;

/// By address. A file names them once each.
#[derive(Clone, Default, Debug)]
pub struct Left {
    groups: Vec<Group>,
    endpoints: u64,
}

#[derive(Clone, Debug)]
struct Group {
    first: Address,
    last: Address,
    ports: Box<[RangeInclusive<u16>]>,
}

impl Left {
    /// Adds what a line names; gives how many ranges of ports that are.
    pub fn add(&mut self, missing: &Missing) -> u64 {
        let ports: Box<[RangeInclusive<u16>]> = missing.ports.ranges().collect();
        let ranges = ports.len() as u64;
        let each = u64::from(missing.ports.len());
        self.endpoints = self
            .endpoints
            .saturating_add(each.saturating_mul(missing.hosts));
        let at = self
            .groups
            .partition_point(|group| group.first <= missing.first);
        let group = Group {
            first: missing.first,
            last: missing.last,
            ports,
        };
        self.groups.insert(at, group);
        ranges
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many endpoints are named.
    pub fn endpoints(&self) -> u64 {
        self.endpoints
    }

    pub fn has(&self, endpoint: &Endpoint) -> bool {
        let ports = self.ports(&endpoint.address);
        let at = ports.partition_point(|range| *range.end() < endpoint.port);
        ports
            .get(at)
            .is_some_and(|range| range.contains(&endpoint.port))
    }

    /// How many ports of this host are named.
    pub fn of_host(&self, address: &Address) -> u64 {
        let ports = self.ports(address);
        ports.iter().map(|range| range.len() as u64).sum()
    }

    fn ports(&self, address: &Address) -> &[RangeInclusive<u16>] {
        let behind = self.groups.partition_point(|group| group.first <= *address);
        let group = behind.checked_sub(1).and_then(|at| self.groups.get(at));
        group
            .filter(|group| *address <= group.last)
            .map_or(&[], |group| &group.ports)
    }
}
