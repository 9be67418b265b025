//! What an ICMP error means that this machine itself made: nobody is there, or we may not send.

use std::net::IpAddr;

use super::route::{Link, Neighbour, Route, Router};
use crate::model::{Address, LocalFault, Observation, Seen, Unreachable};

/// The meaning of an error from one of our own addresses about a target that is not ours.
///
/// "Host unreachable" is what the kernel says when no neighbour answered, and then nobody is there, whatever the port. A
/// firewall rule of ours can say it too, and then it speaks of one port only; and the neighbour may be a gateway, and then
/// it says nothing of the target. [`verified`] tells them apart.
pub(super) fn meaning(reason: Unreachable) -> Seen {
    match reason {
        Unreachable::Host | Unreachable::Address => Seen::NoNeighbour,
        Unreachable::Net | Unreachable::NoRoute => Seen::Local(LocalFault::NoRoute),
        _ => Seen::Local(LocalFault::Firewall),
    }
}

/// The same observation, unless it says that nobody is there. Where the neighbour table knows better, our own firewall
/// spoke: without this one rejected port would end the scan of a host that lives. And where the neighbour is not the target
/// itself, it is a gateway that does not answer, and the target was not asked.
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
        Neighbour::Unresolved | Neighbour::Failed | Neighbour::NotNeeded => {
            unanswered(next_hop, address)
        }
    }
}

/// What it means for a target that the neighbour which its packets are handed to does not answer.
pub(super) fn unanswered(next_hop: IpAddr, target: Address) -> Seen {
    if is_gateway(next_hop, target) {
        Seen::Local(LocalFault::NoGateway)
    } else {
        Seen::NoNeighbour
    }
}

/// Nobody answers by a link of ours that leads nowhere (its cable is out): then nobody was asked. `bound` is the interface by which
/// everything leaves, if there is such a one.
pub(super) fn blame_link(
    observations: &mut [Observation],
    bound: Option<u32>,
    router: &mut impl Router,
) {
    let mut known: Option<(u32, Link)> = None;
    for observation in observations {
        if observation.seen != Seen::NoNeighbour {
            continue;
        }
        let Ok(route) = router.further_route(observation.endpoint.address) else {
            continue;
        };
        let leaves_by = bound.unwrap_or(route.interface);
        let link = match known {
            Some((interface, link)) if interface == leaves_by => link,
            _ => router.link(leaves_by),
        };
        known = Some((leaves_by, link));
        if link != Link::Up {
            observation.seen = Seen::NoCarrier;
        }
    }
}

/// Whether this neighbour is not the target itself, but hands on what is for it.
pub(super) fn is_gateway(next_hop: IpAddr, target: Address) -> bool {
    next_hop != target.ip
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

    /// What the table knows, and the gateway of all routes.
    struct Table(Neighbour, Option<IpAddr>);

    impl Router for Table {
        fn route(&mut self, _: Address) -> io::Result<Route> {
            Ok(Route {
                source: "10.9.0.1".parse().expect("an address"),
                interface: 2,
                next_hop: self.1,
                reach: Reach::OnLink,
                mtu: 1500,
            })
        }

        fn neighbour(&mut self, interface: u32, address: IpAddr) -> Neighbour {
            let asked = self.1.unwrap_or(target().ip);
            assert_eq!((interface, address), (2, asked));
            self.0
        }
    }

    fn target() -> Address {
        Address::new("10.9.0.2".parse().expect("an address"))
    }

    #[test]
    fn a_rejected_port_does_not_make_a_living_host_absent() {
        let verified = |table, seen| verified(seen, target(), &mut Table(table, None));
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

    /// The cable was out, so nobody was asked, and nobody was there.
    #[test]
    fn a_link_without_carrier_made_its_hosts_absent() {
        struct Cut(u32);
        impl Router for Cut {
            fn route(&mut self, address: Address) -> io::Result<Route> {
                Table(Neighbour::Failed, None).route(address)
            }

            fn neighbour(&mut self, _: u32, _: IpAddr) -> Neighbour {
                Neighbour::Failed
            }

            fn link(&mut self, interface: u32) -> Link {
                if interface == self.0 {
                    Link::NoCarrier
                } else {
                    Link::Up
                }
            }
        }
        let told = |seen| Observation {
            endpoint: crate::model::Endpoint {
                address: target(),
                port: 80,
            },
            source: crate::model::Source::Host,
            at: crate::model::Time::ZERO,
            seen,
        };
        let answer = Seen::Rst { ttl: 64 };
        for (cut, bound, wanted) in [
            (2, None, Seen::NoCarrier),
            (3, None, Seen::NoNeighbour),
            // Everything leaves by another interface than the kernel would choose.
            (2, Some(3), Seen::NoNeighbour),
            (3, Some(3), Seen::NoCarrier),
        ] {
            let mut seen = [
                told(Seen::NoNeighbour),
                told(answer),
                told(Seen::NoNeighbour),
            ];
            blame_link(&mut seen, bound, &mut Cut(cut));
            assert_eq!(
                seen.map(|each| each.seen),
                [wanted, answer, wanted],
                "{cut}"
            );
        }
    }

    #[test]
    fn what_lies_behind_a_dead_gateway_was_said_to_be_filtered_though_nobody_had_asked_it() {
        let gateway = "10.9.0.254".parse().ok();
        let verified = |table| {
            let nobody = meaning(Unreachable::Address);
            verified(nobody, target(), &mut Table(table, gateway))
        };
        for table in [Neighbour::Failed, Neighbour::Unresolved] {
            assert_eq!(verified(table), Seen::Local(LocalFault::NoGateway));
        }
        // The gateway lives: it was our own firewall that spoke.
        assert_eq!(
            verified(Neighbour::Known),
            Seen::Local(LocalFault::Firewall)
        );
    }
}
