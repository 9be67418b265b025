//! What the probes of one batch share: behind a router, or to one host, all of them leave the same way.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::model::Address;
use crate::transport::route::{Route, Router};
use crate::transport::sys::batch::LinkPlace;

/// How a probe leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Way {
    /// The address of ours that it leaves from.
    pub(super) source: IpAddr,
    pub(super) mtu: u32,
    /// Where it goes as a frame; `None`: by the kernel's routing.
    pub(super) link: Option<LinkPlace>,
}

/// Ways whose neighbour is known, and the addresses that they lead to. Good for one batch: nothing that they rest on changes
/// within.
#[derive(Default)]
pub(super) struct Beaten {
    ways: Vec<(Way, Places)>,
    /// Which one is forgotten next.
    oldest: usize,
}

/// Addresses of one family and zone.
struct Places {
    zone: u32,
    range: RangeInclusive<IpAddr>,
}

impl Beaten {
    /// The way to this address, if it is among them.
    pub(super) fn way(&self, address: Address) -> Option<Way> {
        let leads_there =
            |(_, to): &&(Way, Places)| to.zone == address.zone && to.range.contains(&address.ip);
        self.ways.iter().find(leads_there).map(|(way, _)| *way)
    }

    /// Keeps the way by which a probe to `address` leaves on this route.
    pub(super) fn keep(&mut self, way: Way, address: Address, route: &Route, router: &impl Router) {
        let places = Places {
            zone: address.zone,
            range: match route.next_hop {
                Some(_) => router.alike(address),
                // Every address is a neighbour of its own.
                None => address.ip..=address.ip,
            },
        };
        match self.ways.get_mut(self.oldest) {
            Some(oldest) => *oldest = (way, places),
            None => self.ways.push((way, places)),
        }
        self.oldest = (self.oldest + 1) % MOST;
    }

    /// Forgets all of them, before another batch.
    pub(super) fn clear(&mut self) {
        self.ways.clear();
        self.oldest = 0;
    }
}

/// A default route is cut into as many parts as there are other prefixes within; more are not worth the search.
const MOST: usize = 4;

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::transport::route::{Neighbour, Reach};

    /// Everything in 10.9.0.0/16 goes the same way.
    struct Sixteen;

    impl Router for Sixteen {
        fn route(&mut self, _: Address) -> io::Result<Route> {
            Ok(route(None))
        }

        fn neighbour(&mut self, _: u32, _: IpAddr) -> Neighbour {
            Neighbour::Known
        }

        fn alike(&self, _: Address) -> RangeInclusive<IpAddr> {
            ip("10.9.0.0")..=ip("10.9.255.255")
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    fn route(next_hop: Option<IpAddr>) -> Route {
        Route {
            source: ip("10.8.0.1"),
            interface: 2,
            next_hop,
            reach: Reach::OnLink,
            mtu: 1500,
        }
    }

    fn way(mtu: u32) -> Way {
        Way {
            source: ip("10.8.0.1"),
            mtu,
            link: None,
        }
    }

    fn at(text: &str) -> Address {
        Address::new(ip(text))
    }

    #[test]
    fn a_way_past_a_router_leads_to_all_behind_it_and_one_on_the_link_to_one_neighbour() {
        let mut beaten = Beaten::default();
        let behind = route(Some(ip("10.8.0.254")));
        beaten.keep(way(1), at("10.9.0.2"), &behind, &Sixteen);
        beaten.keep(way(2), at("10.8.0.7"), &route(None), &Sixteen);
        assert_eq!(beaten.way(at("10.9.200.1")), Some(way(1)));
        assert_eq!(beaten.way(at("10.8.0.7")), Some(way(2)));
        assert_eq!(beaten.way(at("10.8.0.8")), None);
        assert_eq!(beaten.way(at("10.10.0.0")), None);
        assert_eq!(beaten.way(at("10.9.0.2").with_zone(3)), None);
        beaten.clear();
        assert_eq!(beaten.way(at("10.8.0.7")), None);
    }

    #[test]
    fn a_crowd_on_the_link_takes_no_more_memory_than_a_few() {
        let mut beaten = Beaten::default();
        for last in 0..=255 {
            let address = Address::new([10, 8, 0, last].into());
            beaten.keep(way(last.into()), address, &route(None), &Sixteen);
        }
        assert_eq!(beaten.ways.len(), MOST);
        assert_eq!(beaten.way(at("10.8.0.255")), Some(way(255)));
        assert_eq!(beaten.way(at("10.8.0.1")), None);
    }
}
