//! By which interface and which gateway probes to an address leave, as far as the engine must know: which addresses go the
//! same way.

use std::net::IpAddr;

use crate::model::Address;

/// Ways by address. The default has one for all.
#[derive(Clone, Default, Debug)]
pub struct Ways {
    /// Where a way begins, in ascending order: it is taken up to the next.
    starts: Vec<(Key, usize)>,
    /// The interfaces, by the numbers that ways have here.
    interfaces: Vec<u32>,
    /// Where a gateway begins to be the next hop, or none is, in the same order.
    crossings: Vec<(Key, Option<usize>)>,
    /// Where addresses of this machine begin, and where they end.
    own: Vec<(Key, Owner)>,
}

/// Whose an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    ThisMachine,
    Other,
}

/// Zoned addresses by their zone first: its interface is their way.
type Key = (u32, IpAddr);

impl Ways {
    /// From each first address on, probes leave by that interface.
    pub fn new(stretches: impl IntoIterator<Item = (Address, u32)>) -> Self {
        let mut ways = Self::default();
        for (first, interface) in stretches {
            let known = ways.interfaces.iter().position(|known| *known == interface);
            let way = known.unwrap_or(ways.interfaces.len());
            if known.is_none() {
                ways.interfaces.push(interface);
            }
            ways.starts.push((key(&first), way));
        }
        ways.starts.sort_unstable();
        ways
    }

    /// The same, told by which gateway (interface and address) probes leave from each first address on; `None` where the targets
    /// are on the link.
    pub fn with_gateways(
        mut self,
        stretches: impl IntoIterator<Item = (Address, Option<(u32, IpAddr)>)>,
    ) -> Self {
        let mut gateways: Vec<(u32, IpAddr)> = Vec::new();
        for (first, gateway) in stretches {
            let number = gateway.map(|gateway| {
                let known = gateways.iter().position(|known| *known == gateway);
                known.unwrap_or_else(|| {
                    gateways.push(gateway);
                    gateways.len() - 1
                })
            });
            self.crossings.push((key(&first), number));
        }
        self.crossings.sort_unstable();
        self
    }

    /// The same, told whose the targets are from each first address on.
    pub fn with_owners(mut self, stretches: impl IntoIterator<Item = (Address, Owner)>) -> Self {
        let own = stretches.into_iter();
        self.own
            .extend(own.map(|(first, owner)| (key(&first), owner)));
        self.own.sort_unstable_by_key(|(start, _)| *start);
        self
    }

    /// How many ways there are, at least one.
    pub fn count(&self) -> usize {
        self.interfaces.len().max(1)
    }

    /// The number of the way that probes to this address take.
    pub fn of(&self, address: &Address) -> usize {
        before(&self.starts, address).unwrap_or(0)
    }

    /// The number of the gateway that probes to this address leave by, where that is known and there is one.
    pub fn gateway(&self, address: &Address) -> Option<usize> {
        before(&self.crossings, address).flatten()
    }

    /// Whether this address is one of this machine's own.
    pub fn is_own(&self, address: &Address) -> bool {
        address.ip.is_loopback() || before(&self.own, address) == Some(Owner::ThisMachine)
    }
}

/// What begins at this address or was the last to begin before it.
fn before<T: Copy>(starts: &[(Key, T)], address: &Address) -> Option<T> {
    let key = key(address);
    let behind = starts.partition_point(|(start, _)| *start <= key);
    let start = behind.checked_sub(1).and_then(|at| starts.get(at));
    start.map(|(_, what)| *what)
}

fn key(address: &Address) -> Key {
    (address.zone, address.ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::new(text.parse().expect("an address"))
    }

    #[test]
    fn each_stretch_has_its_way_and_stretches_by_one_interface_have_the_same() {
        let zoned = |last: u16, zone| {
            let ip = std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
            Address::new(ip.into()).with_zone(zone)
        };
        let ways = Ways::new([
            (address("10.2.0.0"), 7),
            (address("10.1.0.0"), 4),
            (address("10.3.0.0"), 4),
            (zoned(1, 4), 4),
            (zoned(1, 7), 7),
        ]);
        assert_eq!(ways.count(), 2);
        let of = |text| ways.of(&address(text));
        assert_eq!(of("10.1.0.9"), of("10.3.0.9"));
        assert_ne!(of("10.1.0.9"), of("10.2.0.9"));
        // Addresses of two zones lie among each other.
        assert_eq!(ways.of(&zoned(5, 7)), of("10.2.0.1"));
        assert_eq!(ways.of(&zoned(9, 4)), of("10.1.0.1"));
        assert_eq!(Ways::default().count(), 1);
        assert_eq!(Ways::default().of(&address("10.1.0.1")), 0);
    }

    #[test]
    fn addresses_behind_one_gateway_share_it_and_those_on_the_link_have_none() {
        let gateway = |text: &str, interface| Some((interface, text.parse().expect("an address")));
        let ways = Ways::default().with_gateways([
            (address("10.3.0.0"), gateway("10.1.0.254", 4)),
            (address("10.1.0.0"), None),
            (address("10.2.0.0"), gateway("10.1.0.254", 4)),
            (address("10.4.0.0"), gateway("10.1.0.254", 7)),
        ]);
        let of = |text| ways.gateway(&address(text));
        assert_eq!(of("10.1.0.254"), None);
        assert!(of("10.2.0.9").is_some());
        assert_eq!(of("10.2.0.9"), of("10.3.0.9"));
        assert_ne!(of("10.2.0.9"), of("10.4.0.9"));
        assert_eq!(Ways::default().gateway(&address("10.2.0.9")), None);
    }

    #[test]
    fn addresses_of_this_machine_are_known_and_loopback_always_is() {
        let ways = Ways::default().with_owners([
            (address("10.1.0.6"), Owner::Other),
            (address("10.1.0.5"), Owner::ThisMachine),
            (address("10.1.0.1"), Owner::Other),
        ]);
        let own = ["10.1.0.1", "10.1.0.5", "10.1.0.6", "127.0.0.9", "::1"];
        let own = own.map(|text| ways.is_own(&address(text)));
        assert_eq!(own, [false, true, false, true, true]);
    }
}
