//! Addresses as outputs have them. The name of a zone has a number here that holds for all files of one run.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::Address;
use crate::plan::AddressRange;

/// The zones that were met, in the order in which they were met.
#[derive(Clone, Default, Debug)]
pub struct Zones {
    numbers: BTreeMap<String, u32>,
}

impl Zones {
    /// Reads `10.0.0.1`, `fe80::1%eth0`. A zone without a number gets the next one.
    pub fn address(&mut self, text: &str) -> Option<Address> {
        let (ip, zone) = split(text);
        let zone = zone.map_or(Some(0), |zone| self.number(zone))?;
        Some(Address::new(ip.parse().ok()?).with_zone(zone))
    }

    /// Reads an address whose zone must be known already.
    pub fn known(&self, text: &str) -> Option<Address> {
        let (ip, zone) = split(text);
        let zone = zone.map_or(Some(0), |zone| self.numbers.get(zone).copied())?;
        Some(Address::new(ip.parse().ok()?).with_zone(zone))
    }

    /// Reads `10.0.0.1`, `10.0.0.1-10.0.0.9`, `fe80::1-fe80::9%eth0`.
    pub fn range(&mut self, text: &str) -> Option<AddressRange> {
        let (ips, zone) = split(text);
        let zone = zone.map_or(Some(0), |zone| self.number(zone))?;
        let (first, last) = ips.split_once('-').unwrap_or((ips, ips));
        let at = |ip: &str| Some(Address::new(ip.parse::<IpAddr>().ok()?).with_zone(zone));
        AddressRange::new(at(first)?, at(last)?)
    }

    /// Names by number, as reports want them.
    pub fn names(&self) -> BTreeMap<u32, String> {
        let names = self.numbers.iter();
        names
            .map(|(name, number)| (*number, name.clone()))
            .collect()
    }

    fn number(&mut self, zone: &str) -> Option<u32> {
        if zone.is_empty() || zone.len() > LONGEST_ZONE {
            return None;
        }
        if let Some(number) = self.numbers.get(zone) {
            return Some(*number);
        }
        let next = u32::try_from(self.numbers.len()).ok()?.checked_add(1)?;
        self.numbers.insert(zone.to_owned(), next);
        Some(next)
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('%') {
        Some((ip, zone)) => (ip, Some(zone)),
        None => (text, None),
    }
}

/// More than any system allows an interface's name to have.
const LONGEST_ZONE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut zones = Zones::default();
        for text in [
            "10.0.0.1",
            "10.0.0.1-10.0.0.9",
            "2001:db8::-2001:db8::ff",
            "fe80::1%br-lan",
            "fe80::1-fe80::9%eth0",
        ] {
            let range = zones.range(text).expect(text);
            let names = crate::report::names::Names {
                zones: zones.names(),
                ..Default::default()
            };
            assert_eq!(names.range(&range.first(), &range.last()), text);
        }
        assert_eq!(zones.known("fe80::1%eth0").map(|at| at.zone), Some(2));
        assert_eq!(zones.known("fe80::1%eth1"), None);
    }

    #[test]
    fn what_is_no_range_is_none() {
        let mut zones = Zones::default();
        for text in [
            "",
            "x",
            "10.0.0.9-10.0.0.1",
            "::1-10.0.0.1",
            "fe80::1%",
            "1.2.3.4-",
        ] {
            assert_eq!(zones.range(text), None, "{text}");
        }
    }
}
