//! A run of addresses, IPv4 and IPv6 in one number line.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Address;

/// All addresses from a first to a last, both included, of one family and one zone.
///
/// Inside, IPv4 has its place at ::ffff:0:0/96, where RFC 4291 maps it. No range holds both mapped and other
/// addresses, so a mapped address *is* the IPv4 address, and one piece of code serves both families.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AddressRange {
    zone: u32,
    first: u128,
    last: u128,
}

const MAPPED_FIRST: u128 = 0xffff_0000_0000;
const MAPPED_LAST: u128 = 0xffff_ffff_ffff;

impl AddressRange {
    /// Makes a range; `None` when it runs backwards, mixes zones, or mixes IPv4 (or mapped IPv4) with IPv6.
    pub fn new(first: Address, last: Address) -> Option<Self> {
        let range = Self {
            zone: first.zone,
            first: number(first.ip),
            last: number(last.ip),
        };
        let one_family = same_family(range.first, range.last);
        // A range that starts below the mapped block and ends above it holds all of IPv4 without saying so.
        let spans_mapped = range.first < MAPPED_FIRST && range.last > MAPPED_LAST;
        (first.zone == last.zone && range.first <= range.last && one_family && !spans_mapped)
            .then_some(range)
    }

    /// The range of one address.
    pub fn single(address: Address) -> Self {
        let at = number(address.ip);
        Self {
            zone: address.zone,
            first: at,
            last: at,
        }
    }

    /// The blocks of `address/prefix`, host bits cleared: one range, or two for an IPv6 prefix so short that it holds
    /// the mapped block, which is left out. A prefix longer than the family's addresses counts as one address.
    pub fn block(address: Address, prefix: u32) -> Vec<Self> {
        let zone = address.zone;
        let host_bits = match address.ip.to_canonical() {
            IpAddr::V4(_) => 32_u32.saturating_sub(prefix),
            IpAddr::V6(_) => 128_u32.saturating_sub(prefix),
        };
        let mask = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        let first = number(address.ip) & !mask;
        let last = first | mask;
        if is_mapped(first) || last < MAPPED_FIRST || first > MAPPED_LAST {
            return vec![Self { zone, first, last }];
        }
        [(first, MAPPED_FIRST - 1), (MAPPED_LAST + 1, last)]
            .into_iter()
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| Self { zone, first, last })
            .collect()
    }

    /// The lowest address.
    pub fn first(&self) -> Address {
        address(self.zone, self.first)
    }

    /// The highest address.
    pub fn last(&self) -> Address {
        address(self.zone, self.last)
    }

    /// How many addresses; saturates at `u128::MAX` for all of IPv6.
    pub fn count(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// Whether it is IPv4.
    pub fn is_ipv4(&self) -> bool {
        is_mapped(self.first)
    }

    /// The zone that all addresses share; 0 where none is needed.
    pub fn zone(&self) -> u32 {
        self.zone
    }

    /// The part that lies in `other` too; zones are not compared.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (first <= last).then_some(Self {
            zone: self.zone,
            first,
            last,
        })
    }

    /// The same addresses in another zone.
    pub(super) fn in_zone(self, zone: u32) -> Self {
        Self { zone, ..self }
    }

    /// Sorts ranges and joins those that overlap or touch, within a zone and a family.
    pub(super) fn join(ranges: &mut Vec<Self>) {
        ranges.sort_unstable();
        ranges.dedup_by(|next, open| {
            let meet = next.first <= open.last
                || (next.first - 1 == open.last && same_family(next.first, open.last));
            let joined = next.zone == open.zone && meet;
            if joined {
                open.last = open.last.max(next.last);
            }
            joined
        });
    }

    /// Bounds on the number line.
    pub(super) fn bounds(&self) -> (u128, u128) {
        (self.first, self.last)
    }

    /// A range of these bounds. The caller cuts it out of an existing range, so it cannot mix families.
    pub(super) fn within(zone: u32, first: u128, last: u128) -> Self {
        Self { zone, first, last }
    }
}

/// `10.0.0.1`, `10.0.0.1-10.0.0.9`, zones as numbers.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first())
        } else {
            write!(f, "{}-{}", self.first(), self.last())
        }
    }
}

/// An address's place on the number line.
pub(super) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => MAPPED_FIRST | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address at a place of the number line.
pub(super) fn address(zone: u32, number: u128) -> Address {
    let ip = if is_mapped(number) {
        IpAddr::V4(Ipv4Addr::from_bits((number & 0xffff_ffff) as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(number))
    };
    Address { ip, zone }
}

/// Whether two places belong to one family.
pub(super) fn same_family(left: u128, right: u128) -> bool {
    is_mapped(left) == is_mapped(right)
}

fn is_mapped(number: u128) -> bool {
    (MAPPED_FIRST..=MAPPED_LAST).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        Address::new(text.parse().unwrap())
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let raw: IpAddr = "::ffff:1.2.3.4".parse().unwrap();
        let mapped = AddressRange::single(Address { ip: raw, zone: 0 });
        assert_eq!(mapped, AddressRange::single(at("1.2.3.4")));
        assert_eq!(mapped.first(), at("1.2.3.4"));
        assert!(mapped.is_ipv4());
    }

    #[test]
    fn no_range_mixes_families_or_runs_backwards() {
        assert_eq!(AddressRange::new(at("1.2.3.4"), at("::5")), None);
        assert_eq!(AddressRange::new(at("::5"), at("1.2.3.4")), None);
        assert_eq!(AddressRange::new(at("::5"), at("2001:db8::1")), None);
        assert_eq!(AddressRange::new(at("::6"), at("::5")), None);
        assert_eq!(AddressRange::new(at("::5"), at("::6").with_zone(2)), None);
        assert_eq!(AddressRange::new(at("::5"), at("::6")).unwrap().count(), 2);
    }

    #[test]
    fn blocks_clear_host_bits_and_never_swallow_ipv4() {
        let block = |text: &str, prefix| {
            AddressRange::block(at(text), prefix)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(block("10.1.2.3", 24), ["10.1.2.0-10.1.2.255"]);
        assert_eq!(block("10.1.2.3", 32), ["10.1.2.3"]);
        assert_eq!(block("0.0.0.0", 0), ["0.0.0.0-255.255.255.255"]);
        assert_eq!(block("2001:db8::7", 120), ["2001:db8::-2001:db8::ff"]);
        assert_eq!(
            block("::", 0),
            [
                "::-::fffe:ffff:ffff",
                "::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
            ]
        );
        assert_eq!(block("::fffe:0:0", 95), ["::fffe:0:0-::fffe:ffff:ffff"]);
    }
}
