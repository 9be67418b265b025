//! Looking and listening beside the TCP probes: echo requests, the neighbour table, and every observation as a sign of life.

use std::time::Duration;

use crate::engine::pace::Ceiling;
use crate::model::{Address, Alive, Observation, Seen, Sign, Time};
use crate::plan::TargetSet;
use crate::scan::Control;
use crate::scan::ping::census::Census;
use crate::scan::ping::rounds::{Ask, Rounds};
use crate::transport::echo::{Echo, EchoSockets, Sent};
use crate::transport::route::{Neighbours, NetlinkRouter, Reach, Router as _, Standing};

/// Everything that finds hosts but the TCP probes themselves.
pub struct Look<'a> {
    targets: &'a TargetSet,
    control: &'a Control,
    pub census: Census,
    echo: Option<EchoSockets>,
    rounds: Rounds,
    /// An echo request for which there was no room.
    waiting: Option<Ask>,
    router: Option<NetlinkRouter>,
    /// When the neighbour table is looked at next.
    next_look: Time,
    /// Whether the kernel was still asking for a neighbour of whom nothing else is known.
    asking: Asking,
    /// Hosts found that nobody was told of.
    pub found: Vec<Alive>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asking {
    Somebody,
    Nobody,
}

impl<'a> Look<'a> {
    /// Learns of every target whether it is on a link; nothing is sent.
    pub fn new(
        targets: &'a TargetSet,
        control: &'a Control,
        echo: Option<EchoSockets>,
        ceiling: Ceiling,
        seed: u64,
        now: Time,
    ) -> Self {
        let hosts = targets.hosts();
        let mut look = Self {
            targets,
            control,
            census: Census::new(hosts),
            echo,
            rounds: Rounds::new(hosts, seed, ceiling, now),
            waiting: None,
            router: NetlinkRouter::open().ok(),
            next_look: now,
            asking: Asking::Nobody,
            found: Vec::new(),
        };
        if let Some(router) = &mut look.router {
            for (host, address) in (0..).zip(targets.iter()) {
                if let Ok(route) = router.further_route(address)
                    && route.reach == Reach::OnLink
                    && router
                        .surroundings()
                        .indexed(route.interface)
                        .is_some_and(|link| link.neighbours == Neighbours::Asked)
                {
                    look.census.is_on_link(host);
                }
            }
        }
        look
    }

    /// A rate that was asked for meanwhile.
    pub fn set_ceiling(&mut self, ceiling: Ceiling) {
        self.rounds.set_ceiling(ceiling);
    }

    /// Echo requests that left.
    pub fn packets(&self) -> u64 {
        self.echo.as_ref().map_or(0, EchoSockets::packets)
    }

    /// Whether every host that echo requests reach has been asked once, or none is to be.
    pub fn has_asked_all(&self) -> bool {
        self.echo.is_none() || self.rounds.has_asked_all()
    }

    /// Whether nothing more is to be expected.
    pub fn is_over(&self, now: Time, patience: Duration) -> bool {
        let echoes = self.echo.is_none() || self.rounds.is_over(now, patience);
        self.census.are_all_up() || echoes && self.asking == Asking::Nobody
    }

    /// The rank of a target.
    pub fn host(&self, address: &Address) -> Option<u64> {
        self.targets.rank(address)
    }

    /// What the TCP probes brought.
    pub fn hear(&mut self, observed: &[Observation]) {
        for observation in observed {
            let address = observation.endpoint.address;
            let sign = match observation.seen {
                Seen::SynAck(_) | Seen::Detour(_) => Sign::SynAck,
                Seen::Rst { .. } => Sign::Rst,
                // An error that the host itself sent.
                Seen::Icmp { offender, .. } if offender == address.ip => Sign::Unreachable,
                _ => continue,
            };
            self.answered(address, sign, None, observation.at);
        }
    }

    /// Sends what is due and hears what came.
    pub fn pump(&mut self, now: Time) {
        let mut heard: Vec<Echo> = Vec::new();
        if let Some(echo) = &self.echo {
            echo.take(&mut heard);
        }
        for Echo { address, rtt, at } in heard {
            self.answered(address, Sign::EchoReply, Some(rtt), at);
        }
        if !self.control.is_paused() && self.control.stop().asked() == 0 {
            self.ask(now);
        }
        if now >= self.next_look {
            self.look(now);
        }
    }

    fn ask(&mut self, now: Time) {
        let Some(echo) = &mut self.echo else {
            return;
        };
        for _ in 0..BATCH {
            let census = &self.census;
            let wanted = |host: u64| {
                let can = || {
                    self.targets
                        .host(host)
                        .is_some_and(|at| echo.can_ask(at.ip))
                };
                census.wants_echo(host) && can()
            };
            let ask = self.waiting.take();
            let Some(ask) = ask.or_else(|| self.rounds.poll(now, wanted)) else {
                return;
            };
            let Some(address) = self.targets.host(ask.host) else {
                continue;
            };
            match echo.send(address, ask.round) {
                Sent::Yes => self.census.asked(ask.host),
                Sent::Refused => {}
                Sent::Full => {
                    self.waiting = Some(ask);
                    return;
                }
            }
            self.census.tried(ask.host);
        }
    }

    /// Looks at the neighbour table. An entry lives for seconds at the least, so it need not be looked at all the time.
    fn look(&mut self, now: Time) {
        self.next_look = now + LOOK_EVERY;
        let Some(sightings) = self
            .router
            .as_mut()
            .and_then(|router| router.sightings().ok())
        else {
            self.asking = Asking::Nobody;
            return;
        };
        self.asking = Asking::Nobody;
        for sighting in sightings {
            let plain = Address::new(sighting.ip);
            let Some(host) = [plain, plain.with_zone(sighting.interface)]
                .iter()
                .find_map(|address| self.targets.rank(address))
            else {
                continue;
            };
            match sighting.standing {
                Standing::Confirmed => self.census.resolved(host, sighting.hardware),
                Standing::Asked if self.census.is_up(host) || self.census.is_resolved(host) => {}
                Standing::Asked => self.asking = Asking::Somebody,
            }
        }
    }

    /// Who nothing but the link has told of is up as well.
    pub fn conclude(&mut self, now: Time) {
        for host in self.census.proven_by_link() {
            if let Some(address) = self.targets.host(host) {
                self.answered(address, Sign::Neighbour, None, now);
            }
        }
    }

    fn answered(&mut self, address: Address, sign: Sign, rtt: Option<Duration>, at: Time) {
        if let Some(host) = self.targets.rank(&address)
            && self.census.answered(host)
        {
            self.found.push(Alive {
                address,
                sign,
                rtt,
                at,
            });
        }
    }
}

/// Echo requests between two looks at the sockets.
const BATCH: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(250);
