//! Ports that were not tested before the scan ended, host by host: neighbours of which the same is missing are one group.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::{Address, Untested};
use crate::report::tally::{Range, ranges};

/// All that is known by name, as far as memory allows.
#[derive(Clone, Default, Debug)]
pub struct Unasked {
    hosts: BTreeMap<Address, Vec<Range>>,
    ranges: usize,
}

/// Hosts side by side, with the same ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub first: Address,
    pub last: Address,
    pub hosts: u64,
    pub ports: Vec<Range>,
}

impl Unasked {
    pub fn take(&mut self, untested: &Untested) {
        if self.ranges >= MOST_RANGES {
            return;
        }
        self.ranges += untested.ports.len();
        let more = untested.ports.iter().map(|range| Range {
            first: *range.start(),
            last: *range.end(),
        });
        let known = self.hosts.entry(untested.address).or_default();
        let is_new = known.is_empty();
        known.extend(more);
        // Parts of a scan each have ports of a host.
        if !is_new {
            let mut ports: Vec<u16> = known
                .iter()
                .flat_map(|range| range.first..=range.last)
                .collect();
            ports.sort_unstable();
            ports.dedup();
            *known = ranges(&mut ports);
        }
    }

    /// By address.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (address, ports) in &self.hosts {
            match groups.last_mut() {
                Some(group) if is_next(&group.last, address) && group.ports == *ports => {
                    group.last = *address;
                    group.hosts += 1;
                }
                _ => groups.push(Group {
                    first: *address,
                    last: *address,
                    hosts: 1,
                    ports: ports.clone(),
                }),
            }
        }
        groups
    }
}

impl Group {
    /// How many endpoints it names.
    pub fn endpoints(&self) -> u64 {
        self.hosts.saturating_mul(self.ports_of_each())
    }

    /// How many ports of each host.
    pub fn ports_of_each(&self) -> u64 {
        let count = |range: &Range| u64::from(range.last - range.first) + 1;
        self.ports.iter().map(count).sum()
    }

    /// `22,80,8000-8100`
    pub fn port_list(&self) -> String {
        let ranges: Vec<String> = self.ports.iter().map(Range::to_string).collect();
        ranges.join(",")
    }
}

fn is_next(last: &Address, address: &Address) -> bool {
    let follows = match (last.ip, address.ip) {
        (IpAddr::V4(last), IpAddr::V4(ip)) => u32::from(last).checked_add(1) == Some(ip.into()),
        (IpAddr::V6(last), IpAddr::V6(ip)) => u128::from(last).checked_add(1) == Some(ip.into()),
        _ => false,
    };
    follows && last.zone == address.zone
}

/// 4 MiB of ranges, and at the worst as many hosts.
const MOST_RANGES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn untested(address: [u8; 4], ports: std::ops::RangeInclusive<u16>) -> Untested {
        Untested {
            address: Address::new(address.into()),
            ports: vec![ports],
        }
    }

    #[test]
    fn neighbours_of_which_the_same_is_missing_are_one() {
        let mut unasked = Unasked::default();
        for host in [1, 2, 3, 5] {
            unasked.take(&untested([10, 0, 0, host], 1..=9));
        }
        // Two parts of a scan know of the same host.
        unasked.take(&untested([10, 0, 0, 6], 5..=9));
        unasked.take(&untested([10, 0, 0, 6], 1..=4));
        let groups = unasked.groups();
        let told: Vec<(u64, u64, String)> = groups
            .iter()
            .map(|group| (group.hosts, group.endpoints(), group.port_list()))
            .collect();
        assert_eq!(told, [(3, 27, "1-9".to_owned()), (2, 18, "1-9".to_owned())]);
        assert_eq!(groups[1].last, Address::new([10, 0, 0, 6].into()));
    }
}
