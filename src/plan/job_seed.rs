//! The seed that a plan has by itself, so that tasks which share nothing but a command line walk in one order.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::Plan;

impl Plan {
    /// A seed that follows from the plan alone: from its disjoint address ranges and its ports, in ascending order, however
    /// they were typed. It is below 2^32: short enough to be typed again, and exact in every JSON reader.
    ///
    /// Fixed for ever: tasks of one scan may run different releases. What is hashed (SipHash-1-3, key `halfopen`, `job`) is,
    /// for each range, its zone's place among the plan's zones (4 bytes), its first and last address (16 bytes each, IPv4 as
    /// ::ffff:a.b.c.d), then 0xffff_ffff (4 bytes), then each port (2 bytes); all little-endian. A zone is hashed by its place,
    /// because the index of an interface is another on every machine.
    ///
    /// ```
    /// use halfopen::plan::{Plan, PortSet, TargetSet};
    ///
    /// let plan = |targets: &[&str], ports| {
    ///     Plan::new(TargetSet::parse(targets, &[]).unwrap(), PortSet::parse(ports).unwrap().set)
    /// };
    /// let seed = plan(&["192.0.2.0/24"], "22,80").job_seed();
    /// assert_eq!(seed, plan(&["192.0.2.128/25", "192.0.2.0-127"], "80,22").job_seed());
    /// ```
    pub fn job_seed(&self) -> u64 {
        let mut hash = SipHasher13::new_with_keys(
            u64::from_le_bytes(*b"halfopen"),
            u64::from_le_bytes(*b"job\0\0\0\0\0"),
        );
        let mut zones = BTreeMap::new();
        for range in self.targets().ranges() {
            let next = zones.len() as u32;
            let zone: u32 = *zones.entry(range.zone()).or_insert(next);
            let (first, last) = range.bounds();
            hash.write(&zone.to_le_bytes());
            hash.write(&first.to_le_bytes());
            hash.write(&last.to_le_bytes());
        }
        hash.write(&u32::MAX.to_le_bytes());
        for port in self.ports().iter() {
            hash.write(&port.to_le_bytes());
        }
        hash.finish() & u64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;
    use crate::plan::{AddressRange, PortSet, TargetSet};

    fn seed(targets: &[&str], excludes: &[&str], ports: &str) -> u64 {
        let targets = TargetSet::parse(targets, excludes).unwrap();
        Plan::new(targets, PortSet::parse(ports).unwrap().set).job_seed()
    }

    #[test]
    fn it_never_changes() {
        // Computed by another implementation from the words of `job_seed` alone.
        assert_eq!(seed(&["192.0.2.0/24"], &[], "1-1023"), 1_243_150_169);
        assert_eq!(
            seed(&["2001:db8::/120", "10.0.0.1"], &[], "22,80"),
            1_159_486_215
        );
    }

    #[test]
    fn it_follows_what_is_scanned_and_not_how_that_was_typed() {
        let base = seed(&["192.0.2.0/24"], &["192.0.2.7"], "22,80");
        assert_eq!(
            base,
            seed(&["192.0.2.8-255", "192.0.2.0-6", "192.0.2.3"], &[], "80,22")
        );
        for other in [
            seed(&["192.0.2.0/24"], &[], "22,80"),
            seed(&["192.0.2.0/24"], &["192.0.2.8"], "22,80"),
            seed(&["192.0.2.0/24"], &["192.0.2.7"], "22"),
            seed(&["192.0.2.0/24"], &["192.0.2.7"], "22,81"),
        ] {
            assert_ne!(base, other);
        }
        assert!(base <= u64::from(u32::MAX));
    }

    #[test]
    fn the_number_of_an_interface_is_not_part_of_it() {
        let by_zone = |zone| {
            let at: Address = Address::new("fe80::1".parse().unwrap()).with_zone(zone);
            let targets = TargetSet::new(&[AddressRange::single(at)], &[]).unwrap();
            Plan::new(targets, PortSet::new([22]).unwrap()).job_seed()
        };
        assert_eq!(by_zone(2), by_zone(7));
    }
}
