//! Which questions to the routing tables have the same answer. Pure.
//!
//! Routing by destination looks at nothing but the prefixes in rules and tables. Two addresses that lie in exactly the same
//! prefixes of all tables and rules are therefore routed the same, and as prefixes nest, that is so when the longest of
//! all prefixes that hold them is the same one. Asking the kernel which prefix *it* matched would not do: a longer one may
//! lie inside it.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{Bound, RangeInclusive};

use ipnet::IpNet;

/// The prefixes of all routes and rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    nets: HashSet<IpNet>,
    /// The lengths that occur, per family, so that a look-up tries only those.
    lengths_v4: BTreeSet<u8>,
    lengths_v6: BTreeSet<u8>,
    /// The first address of every prefix, and the first address behind it.
    borders_v4: BTreeSet<u128>,
    borders_v6: BTreeSet<u128>,
    completeness: Completeness,
}

/// Whether all prefixes are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Completeness {
    #[default]
    Whole,
    /// Then every address is a question of its own.
    Overflowed,
}

/// A full Internet table would take more memory than it saves.
const MOST: usize = 50_000;

impl Prefixes {
    pub(super) fn insert(&mut self, ip: IpAddr, length: u8) {
        let Ok(net) = IpNet::new(ip, length) else {
            self.completeness = Completeness::Overflowed;
            return;
        };
        if self.nets.len() >= MOST {
            self.completeness = Completeness::Overflowed;
            return;
        }
        self.nets.insert(net.trunc());
        let (lengths, borders) = match ip {
            IpAddr::V4(_) => (&mut self.lengths_v4, &mut self.borders_v4),
            IpAddr::V6(_) => (&mut self.lengths_v6, &mut self.borders_v6),
        };
        lengths.insert(length);
        borders.insert(number(net.network()));
        // Behind the last address of all there is nothing.
        borders.extend(number(net.broadcast()).checked_add(1));
    }

    /// Addresses around `ip`, as numbers, that all have its [`key`](Self::key): no prefix begins or ends between them.
    pub(super) fn span(&self, ip: IpAddr) -> RangeInclusive<u128> {
        let at = number(ip);
        let borders = match ip {
            IpAddr::V4(_) => &self.borders_v4,
            IpAddr::V6(_) => &self.borders_v6,
        };
        if self.completeness == Completeness::Overflowed {
            return at..=at;
        }
        let first = borders.range(..=at).next_back();
        let next = borders
            .range((Bound::Excluded(at), Bound::Unbounded))
            .next();
        // A border is never 0 when something lies before it.
        let last = next.map_or(u128::MAX, |next| next - 1);
        first.copied().unwrap_or(0)..=last
    }

    /// The key under which the route of `ip` may be remembered.
    pub(super) fn key(&self, ip: IpAddr) -> IpNet {
        let lengths = match ip {
            IpAddr::V4(_) => &self.lengths_v4,
            IpAddr::V6(_) => &self.lengths_v6,
        };
        if self.completeness == Completeness::Overflowed {
            return IpNet::from(ip);
        }
        let nets = lengths
            .iter()
            .rev()
            .filter_map(|length| IpNet::new(ip, *length).ok());
        let mut nets = nets.map(|net| net.trunc());
        nets.find(|net| self.nets.contains(net))
            .unwrap_or_else(|| everything(ip))
    }
}

/// An address as a number of its own family.
pub(super) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// A range of numbers around `ip` as addresses, without those that no table routes: unspecified, broadcast and multicast,
/// none of which `ip` is. The range may end beyond the last address of its family.
pub(super) fn addresses(range: &RangeInclusive<u128>, ip: IpAddr) -> RangeInclusive<IpAddr> {
    let (first, last) = match ip {
        IpAddr::V4(ip) if ip < MULTICAST_V4 => (1, u128::from(MULTICAST_V4.to_bits()) - 1),
        IpAddr::V4(_) => (0xf000_0000, u128::from(u32::MAX) - 1),
        IpAddr::V6(_) => (1, MULTICAST_V6.to_bits() - 1),
    };
    let address = |number: u128| match ip {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    };
    address(first.max(*range.start()))..=address(last.min(*range.end()))
}

/// The prefix of length 0: what no route and no rule names is routed (or refused) alike.
fn everything(ip: IpAddr) -> IpNet {
    IpNet::new(ip, 0).map_or_else(|_| IpNet::from(ip), |net| net.trunc())
}

/// The first of 224.0.0.0/4, behind which lie 240.0.0.0/4 and the broadcast.
const MULTICAST_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 0);
/// The first of ff00::/8, the last addresses that there are.
const MULTICAST_V6: Ipv6Addr = Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefixes: &Prefixes, ip: &str) -> String {
        prefixes.key(ip.parse().expect("address")).to_string()
    }

    #[test]
    fn the_longest_prefix_of_all_tables_decides() {
        let mut prefixes = Prefixes::default();
        for (ip, length) in [
            ("0.0.0.0", 0),
            ("10.0.0.0", 8),
            ("10.9.0.0", 24),
            ("10.9.0.7", 32),
            ("2001:db8::", 32),
        ] {
            prefixes.insert(ip.parse().expect("address"), length);
        }
        assert_eq!(key(&prefixes, "10.1.2.3"), "10.0.0.0/8");
        assert_eq!(key(&prefixes, "10.9.0.8"), "10.9.0.0/24");
        assert_eq!(key(&prefixes, "10.9.0.7"), "10.9.0.7/32");
        assert_eq!(key(&prefixes, "192.0.2.1"), "0.0.0.0/0");
        assert_eq!(key(&prefixes, "2001:db8::9"), "2001:db8::/32");
        assert_eq!(key(&prefixes, "2001:db9::9"), "::/0");
    }

    #[test]
    fn all_addresses_of_a_span_have_one_key_and_its_neighbours_may_have_another() {
        let mut prefixes = Prefixes::default();
        for (ip, length) in [
            ("0.0.0.0", 0),
            ("10.0.0.0", 8),
            ("10.9.0.0", 24),
            ("10.9.0.7", 32),
            ("255.255.255.0", 24),
            ("ffff::", 16),
        ] {
            prefixes.insert(ip.parse().expect("address"), length);
        }
        let span = |ip: &str| prefixes.span(ip.parse().expect("address"));
        let v4 = |ip: &str| number(ip.parse().expect("address"));
        assert_eq!(span("10.9.0.7"), v4("10.9.0.7")..=v4("10.9.0.7"));
        assert_eq!(span("10.9.0.8"), v4("10.9.0.8")..=v4("10.9.0.255"));
        assert_eq!(span("10.9.0.3"), v4("10.9.0.0")..=v4("10.9.0.6"));
        assert_eq!(span("10.8.1.1"), v4("10.0.0.0")..=v4("10.8.255.255"));
        assert_eq!(span("11.0.0.0"), v4("11.0.0.0")..=v4("255.255.254.255"));
        assert_eq!(*span("255.255.255.9").start(), v4("255.255.255.0"));
        assert_eq!(span("ffff::1"), v4("ffff::")..=u128::MAX);
        assert_eq!(
            span("::"),
            0..=v4("fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        );
        for ip in ["10.9.0.3", "10.9.0.200", "10.200.0.1", "192.0.2.1"] {
            let ends = span(ip);
            for end in [*ends.start(), *ends.end()] {
                let end = IpAddr::V4((end as u32).into());
                assert_eq!(key(&prefixes, &end.to_string()), key(&prefixes, ip));
            }
        }
    }

    #[test]
    fn too_many_prefixes_make_every_address_a_question() {
        let mut prefixes = Prefixes::default();
        for number in 0..=MOST as u32 {
            prefixes.insert(IpAddr::V4((number << 8).into()), 24);
        }
        assert_eq!(key(&prefixes, "0.0.1.9"), "0.0.1.9/32");
    }

    #[test]
    fn a_default_route_is_no_way_to_multicast_broadcast_and_nobody() {
        for (ip, first, last) in [
            ("10.9.0.2", "0.0.0.1", "223.255.255.255"),
            ("240.0.0.1", "240.0.0.0", "255.255.255.254"),
            ("fd00::2", "::1", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let all = addresses(&(0..=u128::MAX), ip.parse().expect("address"));
            assert_eq!(all.start().to_string(), first);
            assert_eq!(all.end().to_string(), last);
        }
        let part = addresses(
            &(0x0a09_0000..=0x0a09_00ff),
            "10.9.0.2".parse().expect("address"),
        );
        assert_eq!(part.start().to_string(), "10.9.0.0");
        assert_eq!(part.end().to_string(), "10.9.0.255");
    }
}
