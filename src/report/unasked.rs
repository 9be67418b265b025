//! What was not tested before the scan ended, as far as memory allows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::model::{Address, Untested};
use crate::report::tally::ranges;

/// See the top of the file.
#[derive(Clone, Default, Debug)]
pub struct Unasked {
    groups: Vec<Untested>,
    ranges: usize,
}

impl Unasked {
    pub fn take(&mut self, untested: &Untested) {
        let rest = match self.groups.last_mut() {
            Some(last) => last.join(untested.clone()),
            None => Err(untested.clone()),
        };
        if let Err(next) = rest
            && self.ranges < MOST_RANGES
        {
            self.ranges += next.ports.len();
            self.groups.push(next);
        }
    }

    /// By address, each address once. A scan tells them so; parts of one each have other ports of the same hosts.
    pub fn groups(&self) -> Vec<Untested> {
        let in_order = |pair: &[Untested]| pair[0].last < pair[1].first;
        if self.groups.windows(2).all(in_order) {
            return self.groups.clone();
        }
        let mut hosts: BTreeMap<Address, Vec<u16>> = BTreeMap::new();
        for (address, ports) in self.groups.iter().flat_map(apart).take(MOST_HOSTS) {
            let known = hosts.entry(address).or_default();
            known.extend(ports.iter().cloned().flatten());
        }
        let mut joined = Self::default();
        for (address, mut ports) in hosts {
            ports.sort_unstable();
            ports.dedup();
            let ports = ranges(&mut ports);
            joined.take(&Untested {
                first: address,
                last: address,
                ports: ports.iter().map(|range| range.first..=range.last).collect(),
            });
        }
        joined.groups
    }
}

/// Host by host.
fn apart(group: &Untested) -> impl Iterator<Item = (Address, &[RangeInclusive<u16>])> {
    let mut next = Some(group.first);
    std::iter::from_fn(move || {
        let address = next?;
        next = address.next().filter(|_| address != group.last);
        Some((address, group.ports.as_slice()))
    })
}

/// 4 MiB of ranges.
const MOST_RANGES: usize = 1 << 20;
/// Hosts that are put together from parts of a scan.
const MOST_HOSTS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn untested(first: u8, last: u8, ports: RangeInclusive<u16>) -> Untested {
        Untested {
            first: Address::new([10, 0, 0, first].into()),
            last: Address::new([10, 0, 0, last].into()),
            ports: vec![ports],
        }
    }

    fn told(unasked: &Unasked) -> Vec<(u64, u64, String)> {
        let groups = unasked.groups();
        let one = |group: &Untested| (group.hosts(), group.endpoints(), group.port_list());
        groups.iter().map(one).collect()
    }

    #[test]
    fn neighbours_of_which_the_same_is_missing_are_one() {
        let mut unasked = Unasked::default();
        for (first, last) in [(1, 1), (2, 2), (3, 4), (6, 6)] {
            unasked.take(&untested(first, last, 1..=9));
        }
        let nine = "1-9".to_owned();
        assert_eq!(told(&unasked), [(4, 36, nine.clone()), (1, 9, nine)]);
    }

    #[test]
    fn parts_of_a_scan_that_miss_ports_of_the_same_hosts_are_put_together() {
        let mut unasked = Unasked::default();
        unasked.take(&untested(1, 3, 5..=9));
        unasked.take(&untested(2, 4, 1..=4));
        assert_eq!(
            told(&unasked),
            [
                (1, 5, "5-9".to_owned()),
                (2, 18, "1-9".to_owned()),
                (1, 4, "1-4".to_owned())
            ]
        );
    }
}
