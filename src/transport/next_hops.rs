//! What is known of the link neighbours that probes go to, and how many unknown ones may be asked for at a time.
//!
//! While a neighbour is being resolved the kernel queues about 180 packets for it, drops the rest without a word, and holds
//! what it queued against the send buffer of the socket: a scan that starts at full speed would lose most of its first pass
//! to its own machine, and one dead host would stop the sending to all others until the kernel gives it up (3 s). Each
//! neighbour also takes an entry of a table that the whole machine shares, and that overflows at 1,024 entries.
//!
//! So a network where nobody is takes its time: the kernel asks three times, a second apart, and half of the table is left to
//! others, so 512 addresses end every 3 s. Half-open that is 12 s for 2,048 addresses (measured; 25 s by connects) and six and a
//! half minutes for a /16, whatever the rate. Raising the table's size (net.ipv4.neigh.default.gc_thresh3) changes nothing,
//! because the packets that wait share the scouts' send buffers. Neighbours that we ask for ourselves (frames) take no part in
//! this: more of them are asked for at a time, and what waits for them waits with us.
//!
//! A neighbour that is a gateway is another matter. That it does not answer says nothing of the hosts behind it, so no probe
//! to them counts as sent, and it is asked for again and again: by one probe at a time, which the kernel keeps for three seconds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::own_error::{is_gateway, unanswered};
use super::route::{Neighbour, News, Router};
use crate::model::{Endpoint, Observation, Source, Time};

/// Interface and link neighbour that a packet goes to.
pub(super) type HopKey = (u32, IpAddr);

/// See the top of the file.
#[derive(Debug)]
pub(super) struct NextHops {
    hops: HashMap<HopKey, Hop>,
    /// Of those that the kernel asks for, and of those that we do.
    unresolved: usize,
    asked_by_us: usize,
    is_any_failed: bool,
    /// Neighbours that may be asked for at the same time.
    most: usize,
    crowd: Crowd,
    /// The resolved one that was used last: behind a router it is always the same.
    last_free: Option<HopKey>,
    /// When the unresolved ones were last looked at one by one.
    swept: Time,
    /// When the kernel's news were last asked for.
    heard: Time,
}

/// How many probes an unresolved neighbour gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Crowd {
    /// A few; the others wait a moment and are then refused.
    Scouts,
    /// All: each has a socket of its own, and its repeats are the kernel's. But they leave together when it answers, so where a
    /// rate is to be kept there are scouts all the same.
    All,
}

/// Who asks for a neighbour that the kernel's table does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AskedBy {
    /// With the first probe to it.
    Kernel,
    Us,
}

#[derive(Clone, Copy, Debug)]
enum Hop {
    Unresolved {
        by: AskedBy,
        sent: u16,
        since: Time,
        asked: Time,
        /// One of the endpoints behind it.
        endpoint: Endpoint,
        hope: Hope,
    },
    Free,
    /// The kernel gave it up.
    Failed(Time),
}

/// Whether a neighbour is likely to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hope {
    Fresh,
    /// The kernel gave it up at this time, so one probe asks for it and nobody waits.
    Little(Time),
}

/// Whether a probe may go now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Permission {
    Go,
    /// It may go, but stays in the kernel until the neighbour is resolved or given up.
    GoAndStay,
    /// The same, but as its gateway was given up before, it counts as not sent until it is answered.
    GoInDoubt,
    /// Not before this time.
    Wait(Time),
    /// Its neighbour is not resolved yet: better luck at the next pass.
    Refuse,
    /// Nobody is there.
    Absent,
    /// Its gateway does not answer.
    NoGateway,
}

impl NextHops {
    /// `most` neighbours may be asked for at the same time.
    pub(super) fn new(crowd: Crowd, most: usize) -> Self {
        Self {
            hops: HashMap::new(),
            unresolved: 0,
            asked_by_us: 0,
            is_any_failed: false,
            most: most.clamp(1, MOST_UNRESOLVED),
            crowd,
            last_free: None,
            swept: Time::ZERO,
            heard: Time::ZERO,
        }
    }

    /// From now on an unresolved neighbour gets a few probes: what waits for it in the kernel leaves all at once when it answers.
    pub(super) fn keep_few_waiting(&mut self) {
        self.crowd = Crowd::Scouts;
    }

    /// Counts a probe to this next hop, if it may go. `by` asks for it if it is not known; `ask` looks into the kernel's
    /// neighbour table.
    pub(super) fn permit(
        &mut self,
        key: HopKey,
        endpoint: Endpoint,
        now: Time,
        by: AskedBy,
        ask: impl FnOnce() -> Neighbour,
    ) -> Permission {
        if self.last_free == Some(key) {
            return Permission::Go;
        }
        let unresolved = self.unresolved + self.asked_by_us;
        let scouts = if unresolved < FEW { 2 } else { 1 };
        let head_start = HEAD_START / u32::try_from(unresolved.max(1)).unwrap_or(u32::MAX);
        let by_gateway = is_gateway(key.1, endpoint.address);
        match self.hops.get_mut(&key) {
            Some(Hop::Free) => {
                self.last_free = Some(key);
                Permission::Go
            }
            Some(Hop::Failed(at)) if !by_gateway && now < *at + FAILED_FOR => Permission::Absent,
            None | Some(Hop::Failed(_)) => self.first(key, endpoint, now, by, ask),
            Some(Hop::Unresolved {
                by,
                sent,
                since,
                asked,
                hope,
                ..
            }) => {
                let waits = !by_gateway || *hope == Hope::Fresh;
                if waits && self.crowd == Crowd::All {
                    return Permission::GoAndStay;
                }
                // A second probe that the kernel keeps as well tells nothing of a gateway that does not answer.
                let overdue = by_gateway && now >= *since + HEAD_START;
                if waits && *sent < scouts && !overdue {
                    *sent += 1;
                    return Permission::GoAndStay;
                }
                let (by, since) = (*by, *since);
                if by == AskedBy::Kernel && now >= *asked + LOOK_AGAIN {
                    *asked = now;
                    if matches!(ask(), Neighbour::Known | Neighbour::NotNeeded) {
                        self.free(key);
                        return Permission::Go;
                    }
                }
                let least = match by {
                    AskedBy::Kernel => LEAST_HEAD_START,
                    AskedBy::Us => Duration::ZERO,
                };
                if waits && now < since + head_start.max(least) {
                    return Permission::Wait(now + LOOK_AGAIN);
                }
                if by_gateway {
                    Permission::NoGateway
                } else {
                    Permission::Refuse
                }
            }
        }
    }

    /// The first probe to a neighbour of which nothing recent is known.
    fn first(
        &mut self,
        key: HopKey,
        endpoint: Endpoint,
        now: Time,
        by: AskedBy,
        ask: impl FnOnce() -> Neighbour,
    ) -> Permission {
        let state = ask();
        if matches!(state, Neighbour::Known | Neighbour::NotNeeded) {
            self.remember(key, Hop::Free);
            return Permission::Go;
        }
        let (held, most) = match by {
            AskedBy::Kernel => (&mut self.unresolved, self.most),
            AskedBy::Us => (&mut self.asked_by_us, MOST_ASKED_BY_US),
        };
        if *held >= most {
            return Permission::Wait(now + LOOK_AGAIN);
        }
        *held += 1;
        let hope = match self.hops.get(&key) {
            Some(Hop::Failed(at)) => Hope::Little(*at),
            _ => Hope::Fresh,
        };
        // A neighbour that failed before this scan is asked for again by the packet itself.
        self.remember(
            key,
            Hop::Unresolved {
                by,
                sent: 1,
                since: now,
                asked: now,
                endpoint,
                hope,
            },
        );
        match (hope, self.crowd) {
            // A connect tells by itself how it ended.
            (Hope::Little(_), Crowd::Scouts) if is_gateway(key.1, endpoint.address) => {
                Permission::GoInDoubt
            }
            _ => Permission::GoAndStay,
        }
    }

    /// The link address of this next hop is known.
    pub(super) fn free(&mut self, key: HopKey) {
        if let Some(hop) = self.hops.get_mut(&key)
            && let Hop::Unresolved { by, .. } = *hop
        {
            *hop = Hop::Free;
            self.is_settled(by);
        }
    }

    /// One that was waited for is not any more.
    fn is_settled(&mut self, by: AskedBy) {
        match by {
            AskedBy::Kernel => self.unresolved -= 1,
            AskedBy::Us => self.asked_by_us -= 1,
        }
    }

    /// A probe that was to go did not leave this machine (our own firewall): nobody was asked for the neighbour on its account.
    pub(super) fn take_back(&mut self, key: HopKey) {
        let Some(hop) = self.hops.get_mut(&key) else {
            return;
        };
        match hop {
            Hop::Unresolved {
                by, sent: 1, hope, ..
            } => {
                let by = *by;
                match *hope {
                    Hope::Little(given_up) => *hop = Hop::Failed(given_up),
                    Hope::Fresh => {
                        self.hops.remove(&key);
                    }
                }
                self.is_settled(by);
            }
            Hop::Unresolved { sent, .. } => *sent -= 1,
            Hop::Free | Hop::Failed(_) => {}
        }
    }

    /// The kernel had no room for a probe, which is offered again: if it was the first, nobody was asked for the neighbour.
    pub(super) fn found_no_room(&mut self, key: HopKey) {
        if let Some(Hop::Unresolved { sent: 1, .. }) = self.hops.get(&key) {
            self.take_back(key);
        }
    }

    /// Whether any next hop is still waited for.
    pub(super) fn is_any_unresolved(&self) -> bool {
        self.unresolved + self.asked_by_us > 0
    }

    /// Whether there is any next hop that is waited for or was given up.
    pub(super) fn is_any_watched(&self) -> bool {
        self.is_any_unresolved() || self.is_any_failed
    }

    /// What became of an attempt to reach a neighbour.
    pub(super) fn fate(&self, key: HopKey) -> Fate {
        match self.hops.get(&key) {
            Some(Hop::Unresolved { since, .. }) => Fate::Open { since: *since },
            Some(Hop::Failed(_)) => Fate::Failed,
            Some(Hop::Free) | None => Fate::NotAsked,
        }
    }

    /// Takes what the kernel tells of its neighbours; `out` hears of an endpoint of each that was given up. What it tells of one
    /// that we ask for is about somebody else's question.
    pub(super) fn hear(&mut self, now: Time, router: &mut impl Router, out: &mut Vec<Observation>) {
        // What is resolved may still be given up later.
        if self.unresolved == 0 && now < self.heard + NEWS_EVERY {
            return;
        }
        self.heard = now;
        let mut news = Vec::new();
        let lost = router.neighbour_news(&mut news) == News::SomeLost;
        // What it does not tell (its messages overflowed, or a table that is flushed) is asked.
        if lost || now >= self.swept + SWEEP {
            self.swept = now;
            let unresolved = self.hops.iter().filter_map(|(key, hop)| match hop {
                Hop::Unresolved {
                    by: AskedBy::Kernel,
                    since,
                    ..
                } => Some((*key, *since)),
                Hop::Unresolved { .. } | Hop::Free | Hop::Failed(_) => None,
            });
            for (key, since) in unresolved.collect::<Vec<_>>() {
                match router.neighbour(key.0, key.1) {
                    Neighbour::Unresolved if now >= since + FORGOTTEN => {
                        self.hops.remove(&key);
                        self.unresolved -= 1;
                    }
                    state => news.push((key, state)),
                }
            }
        }
        for (key, state) in news {
            if self.is_asked_by_us(key) {
                continue;
            }
            match state {
                Neighbour::Known | Neighbour::NotNeeded => self.free(key),
                Neighbour::Failed => out.extend(self.give_up(key, now)),
                Neighbour::Unresolved => {}
            }
        }
    }

    /// Nothing is known of this next hop any more.
    pub(super) fn forget(&mut self, key: HopKey) {
        if self.last_free == Some(key) {
            self.last_free = None;
        }
        if let Some(Hop::Unresolved { by, .. }) = self.hops.remove(&key) {
            self.is_settled(by);
        }
    }

    pub(super) fn is_asked_by_us(&self, key: HopKey) -> bool {
        let hop = self.hops.get(&key);
        hop.is_some_and(|hop| {
            matches!(
                hop,
                Hop::Unresolved {
                    by: AskedBy::Us,
                    ..
                }
            )
        })
    }

    /// Whoever asked for it gave a neighbour up. One that was resolved before is to be asked for again. What is told of it, if it was
    /// waited for.
    pub(super) fn give_up(&mut self, key: HopKey, now: Time) -> Option<Observation> {
        if self.last_free == Some(key) {
            self.last_free = None;
        }
        match self.hops.get_mut(&key)? {
            hop @ Hop::Unresolved { .. } => {
                let Hop::Unresolved { by, endpoint, .. } = std::mem::replace(hop, Hop::Failed(now))
                else {
                    return None;
                };
                self.is_settled(by);
                self.is_any_failed = true;
                Some(Observation {
                    endpoint,
                    source: Source::Host,
                    at: now,
                    seen: unanswered(key.1, endpoint.address),
                })
            }
            Hop::Free => {
                self.hops.remove(&key);
                None
            }
            Hop::Failed(_) => None,
        }
    }

    fn remember(&mut self, key: HopKey, hop: Hop) {
        if self.hops.len() >= REMEMBERED {
            self.hops
                .retain(|_, hop| matches!(hop, Hop::Unresolved { .. }));
        }
        self.hops.insert(key, hop);
    }
}

/// See [`NextHops::fate`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// The kernel asks for it since then.
    Open {
        since: Time,
    },
    Failed,
    NotAsked,
}

/// Neighbours that are asked for at the same time, whatever the table holds: their packets share two send buffers.
const MOST_UNRESOLVED: usize = 512;
/// Of those that we ask for ourselves: where nobody is, so many questions a second.
const MOST_ASKED_BY_US: usize = 4096;
/// Below this many unresolved neighbours each may have a second scout.
const FEW: usize = 64;
/// So long the walk waits for a neighbour before it goes on without; shared by all that are waited for.
const HEAD_START: Duration = Duration::from_millis(500);
const LEAST_HEAD_START: Duration = Duration::from_millis(5);
/// How often the neighbour table is asked while probes wait.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// So long nothing is sent to a neighbour that was given up.
const FAILED_FOR: Duration = Duration::from_secs(10);
/// How often unresolved neighbours are asked for one by one, should the kernel's news be lost.
const SWEEP: Duration = Duration::from_millis(500);
/// How often the kernel's news are asked for while no neighbour is waited for, and how soon they are heard while one is.
pub(super) const NEWS_EVERY: Duration = Duration::from_millis(20);
/// Longer than any kernel asks (three times, a second apart).
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Next hops that are remembered: 4 MiB.
const REMEMBERED: usize = 65_536;

#[cfg(test)]
mod tests;
