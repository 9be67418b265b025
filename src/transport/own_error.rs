//! What an ICMP error means that this machine itself made: nobody is there, or we may not send.

use std::net::IpAddr;

use super::route::{Neighbour, Route, Router};
use crate::model::{Address, LocalFault, Seen, Unreachable};

/// The meaning of an error from one of our own addresses about a target that is not ours.
///
/// "Host unreachable" is what the kernel says when no neighbour answered, and then nobody is there, whatever the port. A
/// firewall rule of ours can say it too, and then it speaks of one port only; [`verified`] tells the two apart.
pub(super) fn meaning(reason: Unreachable) -> Seen {
    match reason {
        Unreachable::Host | Unreachable::Address => Seen::NoNeighbour,
        Unreachable::Net | Unreachable::NoRoute => Seen::Local(LocalFault::NoRoute),
        _ => Seen::Local(LocalFault::Firewall),
    }
}

/// The same observation, unless it says that nobody is there and the neighbour table knows better: then our own firewall
/// spoke. Without this one rejected port would end the scan of a host that lives.
pub(super) fn verified(seen: Seen, address: Address, router: &mut impl Router) -> Seen {
    if seen != Seen::NoNeighbour {
        return seen;
    }
    let Ok(route) = router.route(address) else {
        return seen;
    };
    let (interface, next_hop) = next_hop(&route, address);
    match router.neighbour(interface, next_hop) {
        Neighbour::Known => Seen::Local(LocalFault::Firewall),
        Neighbour::Unresolved | Neighbour::Failed | Neighbour::NotNeeded => seen,
    }
}

/// The interface and the neighbour behind it that a packet to this address is handed to.
pub(super) fn next_hop(route: &Route, address: Address) -> (u32, IpAddr) {
    (route.interface, route.next_hop.unwrap_or(address.ip))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::transport::route::Reach;

    struct Table(Neighbour);

    impl Router for Table {
        fn route(&mut self, _: Address) -> io::Result<Route> {
            Ok(Route {
                source: "10.9.0.1".parse().expect("an address"),
                interface: 2,
                next_hop: None,
                reach: Reach::OnLink,
                mtu: 1500,
            })
        }

        fn neighbour(&mut self, interface: u32, address: IpAddr) -> Neighbour {
            assert_eq!((interface, address.to_string().as_str()), (2, "10.9.0.2"));
            self.0
        }
    }

    #[test]
    fn a_rejected_port_does_not_make_a_living_host_absent() {
        let target = Address::new("10.9.0.2".parse().expect("an address"));
        let verified = |table, seen| verified(seen, target, &mut Table(table));
        let nobody = meaning(Unreachable::Host);
        assert_eq!(
            verified(Neighbour::Known, nobody),
            Seen::Local(LocalFault::Firewall)
        );
        for table in [
            Neighbour::Failed,
            Neighbour::Unresolved,
            Neighbour::NotNeeded,
        ] {
            assert_eq!(verified(table, nobody), Seen::NoNeighbour);
        }
        let reset = Seen::Rst { ttl: 64 };
        assert_eq!(verified(Neighbour::Known, reset), reset);
    }
}
