//! By which way probes leave: routes, and the neighbours that they need.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use super::super::beaten::Way;
use super::super::frames::Expired;
use super::super::refused::{fault, refused};
use super::{Sender, Step, Waits};
use crate::model::{Address, LocalFault, Observation, Probe, Seen, Time};
use crate::transport::next_hops::{AskedBy, NEWS_EVERY, Permission};
use crate::transport::own_error::{is_gateway, next_hop};
use crate::transport::route::{Reach, Route, Router};
use crate::wire::neighbour::Asker;

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
        route.source = self.source(&route, address);
        Ok(route)
    }

    /// The address of ours that probes to this one leave from on this route.
    fn source(&self, route: &Route, address: Address) -> IpAddr {
        let fits = |source: &IpAddr| source.is_ipv4() == address.ip.is_ipv4();
        self.source.filter(fits).unwrap_or(route.source)
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
                // It is about what the kernel asked before.
                Seen::NoNeighbour if self.next_hops.is_asked_by_us(key) => {}
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
        self.hear_neighbours(now, router, out);
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
    ) -> Result<(Way, Option<Waits>), Step> {
        let address = probe.endpoint.address;
        let route = self
            .route_in_batch(address, router)
            .map_err(|error| Step::Fault(fault(&error)))?;
        let source = self.source(&route, address);
        let mut waits = None;
        if route.reach != Reach::Local {
            let key = next_hop(&route, address);
            let asker = self.asker(&route, address, source, router);
            let by = asker.map_or(AskedBy::Kernel, |_| AskedBy::Us);
            if let (AskedBy::Us, Some(frames)) = (by, &mut self.frames)
                && frames.expire(key, now) == Expired::Yes
            {
                self.next_hops.forget(key);
            }
            let ask = || router.neighbour(key.0, key.1);
            match self.next_hops.permit(key, probe.endpoint, now, by, ask) {
                Permission::Go => {}
                Permission::GoAndStay => {
                    waits = Some(match asker {
                        Some(asker) => Waits::WithUs(key, asker),
                        None => Waits::InTheKernel(key),
                    });
                }
                Permission::GoInDoubt => {
                    let doubt = Seen::Local(LocalFault::NoGateway);
                    self.faults.push(refused(probe, now, doubt));
                    waits = Some(Waits::InTheKernel(key));
                }
                Permission::Wait(until) => return Err(Step::Wait(until)),
                Permission::Refuse => return Err(Step::Fault(LocalFault::NotSent)),
                Permission::Absent => return Err(Step::NoNeighbour),
                Permission::NoGateway => return Err(Step::Fault(LocalFault::NoGateway)),
            }
        }
        let way = Way {
            source,
            mtu: route.mtu,
            link: match (&mut self.frames, &waits) {
                (None, _) | (_, Some(Waits::WithUs(..))) => None,
                (Some(frames), _) => frames.place(&route, address, self.interface, now, router),
            },
        };
        // A frame that has no link address now may have one in a moment.
        if waits.is_none() && (self.frames.is_none() || way.link.is_some()) {
            self.beaten.keep(way, address, &route, router);
        }
        Ok((way, waits))
    }

    /// As whom we ask for this neighbour; `None`: the kernel does.
    fn asker(
        &self,
        route: &Route,
        address: Address,
        source: IpAddr,
        router: &mut impl Router,
    ) -> Option<Asker> {
        let (interface, neighbour) = next_hop(route, address);
        let elsewhere = self.interface.is_some_and(|asked| asked != interface);
        if self.asking.is_none() || elsewhere || is_gateway(neighbour, address) {
            return None;
        }
        let hardware = router.own_hardware(interface, neighbour, source)?;
        let ip = source;
        Some(Asker { ip, hardware })
    }
}
