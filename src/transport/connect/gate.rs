//! What connects need to know of link neighbours: not too many unknown ones at a time, and whether a silence was one of
//! a host that is not there.
//!
//! The kernel asks three times, a second apart, before it gives a neighbour up: a little longer than the usual patience.
//! So a silence whose neighbour is still asked for is held back until that is decided, and then it is the same for all
//! endpoints behind that neighbour. Where the neighbour is a gateway, no decision is needed: what it did not answer for until
//! the end of an attempt was not asked. (The ICMP error that the kernel makes for each is no substitute: it makes at most
//! 1,000 a second.)

use std::time::Duration;

use crate::model::{Address, Observation, Probe, Seen, Time};
use crate::transport::next_hops::{AskedBy, Crowd, Fate, HopKey, NEWS_EVERY, NextHops, Permission};
use crate::transport::own_error;
use crate::transport::route::{IpVersion, NetlinkRouter, Reach, Router as _};

#[derive(Debug)]
pub(super) struct Gate {
    router: NetlinkRouter,
    /// By which interface everything leaves.
    bound: Option<u32>,
    hops: NextHops,
    not_before: Time,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    observation: Observation,
    hop: HopKey,
    until: Time,
}

impl Gate {
    pub(super) fn new(mut router: NetlinkRouter, interface: Option<&str>) -> Self {
        let bound = interface.and_then(|name| router.surroundings().named(name));
        let bound = bound.map(|interface| interface.index);
        let v4 = router.neighbour_room(IpVersion::V4);
        let room = v4.min(router.neighbour_room(IpVersion::V6));
        Self {
            router,
            bound,
            hops: NextHops::new(Crowd::All, room),
            not_before: Time::ZERO,
            held: Vec::new(),
        }
    }

    /// A rate is to be kept on the wire.
    pub(super) fn keep_few_waiting(&mut self) {
        self.hops.keep_few_waiting();
    }

    /// Whether connects wait until fewer neighbours are asked for.
    pub(super) fn is_shut(&self, now: Time) -> bool {
        now < self.not_before
    }

    /// Whether this connect may be given to a worker, and what else there is to say of it.
    pub(super) fn admit(&mut self, probe: &Probe, now: Time) -> Permission {
        let Some(hop) = self.hop(probe.endpoint.address) else {
            // No route, or none that needs a neighbour: connect() itself tells.
            return Permission::Go;
        };
        let Self { router, hops, .. } = self;
        let ask = || router.neighbour(hop.0, hop.1);
        let permission = hops.permit(hop, probe.endpoint, now, AskedBy::Kernel, ask);
        if let Permission::Wait(until) = permission {
            self.not_before = until;
        }
        permission
    }

    /// Moves what may be told now to `out`: the observations, but those that are held back, and before them the neighbours
    /// that were given up and what was held back for them. Returns how many of them end an attempt.
    pub(super) fn pass(
        &mut self,
        now: Time,
        seen: impl Iterator<Item = Observation>,
        out: &mut Vec<Observation>,
    ) -> usize {
        self.hops.hear(now, &mut self.router, out);
        let before = out.len();
        for held in std::mem::take(&mut self.held) {
            self.tell_or_hold(now, held.observation, Some((held.hop, held.until)), out);
        }
        for observation in seen {
            let hop = self
                .hops
                .is_any_watched()
                .then(|| self.hop(observation.endpoint.address));
            let hop = hop.flatten().map(|hop| (hop, now + DECIDED));
            self.tell_or_hold(now, observation, hop, out);
        }
        out.len() - before
    }

    fn tell_or_hold(
        &mut self,
        now: Time,
        mut observation: Observation,
        hop: Option<(HopKey, Time)>,
        out: &mut Vec<Observation>,
    ) {
        if let Some((hop, until)) = hop {
            let target = observation.endpoint.address;
            match (observation.seen, self.hops.fate(hop)) {
                (Seen::Silence, Fate::Open { .. }) if own_error::is_gateway(hop.1, target) => {
                    observation.seen = own_error::unanswered(hop.1, target);
                }
                (Seen::Silence, Fate::Open { since }) if now < until && now >= since + SOON => {
                    return self.held.push(Held {
                        observation,
                        hop,
                        until,
                    });
                }
                (Seen::Silence, Fate::Failed) => {
                    observation.seen = own_error::unanswered(hop.1, target);
                }
                (Seen::SynAck(_) | Seen::Rst { .. }, Fate::Open { .. }) => self.hops.free(hop),
                _ => {}
            }
        }
        let address = observation.endpoint.address;
        observation.seen = own_error::verified(observation.seen, address, &mut self.router);
        out.push(observation);
    }

    /// See [`own_error::blame_link`].
    pub(super) fn blame_link(&mut self, observations: &mut [Observation]) {
        own_error::blame_link(observations, self.bound, &mut self.router);
    }

    /// Until when to listen for anything else.
    pub(super) fn listen_until(&self, now: Time, until: Time) -> Time {
        if self.hops.is_any_unresolved() {
            until.min(now + NEWS_EVERY)
        } else {
            until
        }
    }

    fn hop(&mut self, address: Address) -> Option<HopKey> {
        let route = self.router.further_route(address).ok()?;
        (route.reach != Reach::Local).then(|| own_error::next_hop(&route, address))
    }
}

/// After so long the kernel's decision is near. The silence of a short attempt before that is one like any other.
const SOON: Duration = Duration::from_millis(2_500);
/// What the kernel has not decided by then it does not decide in time.
const DECIDED: Duration = Duration::from_secs(1);
