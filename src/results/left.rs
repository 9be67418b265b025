//! Endpoints that a scan which was cut short names as not tested.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::model::{Address, Endpoint, Untested};

/// By address. A file names them once each.
#[derive(Clone, Default, Debug)]
pub struct Left {
    groups: BTreeMap<Address, Untested>,
    endpoints: u64,
}

impl Left {
    pub fn add(&mut self, untested: Untested) {
        self.endpoints = self.endpoints.saturating_add(untested.endpoints());
        self.groups.insert(untested.first, untested);
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many endpoints are named.
    pub fn endpoints(&self) -> u64 {
        self.endpoints
    }

    pub fn has(&self, endpoint: &Endpoint) -> bool {
        let Some(group) = self.group(&endpoint.address) else {
            return false;
        };
        let ports: &[RangeInclusive<u16>] = &group.ports;
        let at = ports.partition_point(|range| *range.end() < endpoint.port);
        ports
            .get(at)
            .is_some_and(|range| range.contains(&endpoint.port))
    }

    /// How many ports of this host are named.
    pub fn of_host(&self, address: &Address) -> u64 {
        self.group(address).map_or(0, Untested::ports_of_each)
    }

    fn group(&self, address: &Address) -> Option<&Untested> {
        let (_, group) = self.groups.range(..=*address).next_back()?;
        (*address <= group.last).then_some(group)
    }
}
