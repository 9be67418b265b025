//! By which way probes leave: routes, and the neighbours that they need.

use std::io;
use std::net::Ipv6Addr;

use super::super::beaten::Way;
use super::super::refused::{fault, refused};
use super::{Sender, Step};
use crate::model::{Address, LocalFault, Observation, Probe, Seen, Time};
use crate::transport::next_hops::{HopKey, NEWS_EVERY, Permission};
use crate::transport::own_error::next_hop;
use crate::transport::route::{Reach, Route, Router};

impl Sender {
    /// The route to an address, from memory when it is the one asked for last.
    pub(in crate::transport::raw) fn route(
        &mut self,
        address: Address,
        router: &mut impl Router,
    ) -> io::Result<Route> {
        match self.last_route {
            Some((last, route)) if last == address => Ok(route),
            _ => {
                let route = router.route(address)?;
                self.last_route = Some((address, route));
                Ok(route)
            }
        }
    }

    /// The way that probes to an address leave by, options included.
    pub(in crate::transport::raw) fn way(
        &mut self,
        address: Address,
        router: &mut impl Router,
    ) -> io::Result<Route> {
        let mut route = self.route_in_batch(address, router)?;
        route.interface = self.interface.unwrap_or(route.interface);
        if let Some(source) = self.source
            && source.is_ipv4() == address.ip.is_ipv4()
        {
            route.source = source;
        }
        Ok(route)
    }

    /// The same within a batch: only its first address is worth the question what has changed.
    fn route_in_batch(&mut self, address: Address, router: &mut impl Router) -> io::Result<Route> {
        let route = match self.last_route {
            Some((last, route)) if last == address => return Ok(route),
            Some(_) => router.further_route(address)?,
            None => router.route(address)?,
        };
        self.last_route = Some((address, route));
        Ok(route)
    }

    /// An answer shows that the way to it is resolved; an error of our own kernel may show that it is not.
    pub(in crate::transport::raw) fn answered(
        &mut self,
        observation: &Observation,
        router: &mut impl Router,
    ) {
        let address = observation.endpoint.address;
        let tells = match observation.seen {
            // A gateway that was there a moment ago may have gone.
            Seen::Local(LocalFault::NoGateway) => true,
            Seen::Local(_) => false,
            _ => self.next_hops.is_any_unresolved(),
        };
        if !tells {
            return;
        }
        if let Ok(route) = self.route(address, router) {
            let key = next_hop(&route, address);
            match observation.seen {
                Seen::NoNeighbour | Seen::Local(_) => {
                    self.next_hops.give_up(key, observation.at);
                }
                _ => self.next_hops.free(key),
            }
        }
    }

    /// Takes the kernel's news of neighbours, and says until when to listen for anything else.
    pub(in crate::transport::raw) fn hear(
        &mut self,
        now: Time,
        until: Time,
        router: &mut impl Router,
        out: &mut Vec<Observation>,
    ) -> Time {
        self.next_hops.hear(now, router, out);
        if self.next_hops.is_any_unresolved() {
            until.min(now + NEWS_EVERY)
        } else {
            until
        }
    }

    /// The zone by which a link-local address was probed.
    pub(in crate::transport::raw) fn zone_of(&self, ip: Ipv6Addr) -> Option<u32> {
        self.zones.get(&ip).copied()
    }

    /// The way of a probe, and the neighbour that it is to find if that is not resolved yet.
    pub(super) fn look_up(
        &mut self,
        probe: &Probe,
        now: Time,
        router: &mut impl Router,
    ) -> Result<(Way, Option<HopKey>), Step> {
        let address = probe.endpoint.address;
        let route = self
            .route_in_batch(address, router)
            .map_err(|error| Step::Fault(fault(&error)))?;
        let mut scout_to = None;
        if route.reach != Reach::Local {
            let key = next_hop(&route, address);
            let ask = || router.neighbour(key.0, key.1);
            match self.next_hops.permit(key, probe.endpoint, now, ask) {
                Permission::Go => {}
                Permission::GoAndStay => scout_to = Some(key),
                Permission::GoInDoubt => {
                    let doubt = Seen::Local(LocalFault::NoGateway);
                    self.faults.push(refused(probe, now, doubt));
                    scout_to = Some(key);
                }
                Permission::Wait(until) => return Err(Step::Wait(until)),
                Permission::Refuse => return Err(Step::Fault(LocalFault::NotSent)),
                Permission::Absent => return Err(Step::NoNeighbour),
                Permission::NoGateway => return Err(Step::Fault(LocalFault::NoGateway)),
            }
        }
        let way = Way {
            source: match self.source {
                Some(source) if source.is_ipv4() == address.ip.is_ipv4() => source,
                _ => route.source,
            },
            mtu: route.mtu,
            link: match &mut self.frames {
                Some(frames) => frames.place(&route, address, self.interface, now, router),
                None => None,
            },
        };
        // A frame that has no link address now may have one in a moment.
        if scout_to.is_none() && (self.frames.is_none() || way.link.is_some()) {
            self.beaten.keep(way, address, &route, router);
        }
        Ok((way, scout_to))
    }
}
