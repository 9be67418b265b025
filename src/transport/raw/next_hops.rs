//! The first probes to a next hop go alone until its link address is known.
//!
//! While a neighbour is being resolved the kernel queues about 180 packets for it and drops the rest without a word: a
//! scan that starts at full speed would lose most of its first pass to its own machine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::Time;
use crate::transport::route::Neighbour;

/// Probes that an unresolved neighbour may get.
const ALONE: u16 = 150;
/// Next hops that are watched; a plan with more of them meets the kernel's queue for each only with a few probes.
const WATCHED: usize = 64;
/// After this long without an answer of any kind, sending goes on: it is dead, or something hides that it lives.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the neighbour table is asked while probes wait.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Interface and link neighbour that a packet goes to.
pub(super) type HopKey = (u32, IpAddr);

#[derive(Default)]
pub(super) struct NextHops {
    hops: HashMap<HopKey, Hop>,
    unresolved: usize,
    /// The resolved one that was used last: behind a router it is always the same.
    last_free: Option<HopKey>,
}

enum Hop {
    Unresolved { sent: u16, since: Time, asked: Time },
    Free,
}

/// Whether a probe may go now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Permission {
    Go,
    /// Not before this time.
    Wait(Time),
}

impl NextHops {
    /// Counts a probe to this next hop, if it may go. `ask` looks into the kernel's neighbour table.
    pub(super) fn permit(
        &mut self,
        key: HopKey,
        now: Time,
        ask: impl FnOnce() -> Neighbour,
    ) -> Permission {
        if self.last_free == Some(key) {
            return Permission::Go;
        }
        let room = self.hops.len() < WATCHED;
        let hop = match self.hops.get_mut(&key) {
            Some(hop) => hop,
            None if !room => return Permission::Go,
            None => {
                let hop = if ask() == Neighbour::Unresolved {
                    self.unresolved += 1;
                    Hop::Unresolved {
                        sent: 1,
                        since: now,
                        asked: now,
                    }
                } else {
                    Hop::Free
                };
                self.hops.insert(key, hop);
                return Permission::Go;
            }
        };
        let Hop::Unresolved { sent, since, asked } = hop else {
            self.last_free = Some(key);
            return Permission::Go;
        };
        if *sent < ALONE {
            *sent += 1;
            return Permission::Go;
        }
        if now < *since + PATIENCE {
            if now < *asked + LOOK_AGAIN {
                return Permission::Wait(*asked + LOOK_AGAIN);
            }
            *asked = now;
            if ask() == Neighbour::Unresolved {
                return Permission::Wait(now + LOOK_AGAIN);
            }
        }
        self.free(key);
        Permission::Go
    }

    /// Something came back from there.
    pub(super) fn free(&mut self, key: HopKey) {
        if let Some(hop @ Hop::Unresolved { .. }) = self.hops.get_mut(&key) {
            *hop = Hop::Free;
            self.unresolved = self.unresolved.saturating_sub(1);
        }
    }

    /// Whether any next hop is still waited for.
    pub(super) fn is_any_unresolved(&self) -> bool {
        self.unresolved > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HopKey = (2, IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));

    fn at(milliseconds: u64) -> Time {
        Time(milliseconds * 1_000_000)
    }

    fn first_probes(hops: &mut NextHops) {
        for _ in 0..ALONE {
            let permission = hops.permit(KEY, at(0), || Neighbour::Unresolved);
            assert_eq!(permission, Permission::Go);
        }
        assert!(hops.is_any_unresolved());
    }

    #[test]
    fn an_unresolved_neighbour_gets_a_few_probes_and_then_a_second() {
        let mut hops = NextHops::default();
        first_probes(&mut hops);
        let wait = hops.permit(KEY, at(0), || unreachable!("asked a moment ago"));
        assert_eq!(wait, Permission::Wait(at(1)));
        let wait = hops.permit(KEY, at(999), || Neighbour::Unresolved);
        assert_eq!(wait, Permission::Wait(at(1000)));
        let go = hops.permit(KEY, at(1000), || unreachable!("it is over"));
        assert_eq!(go, Permission::Go);
        assert!(!hops.is_any_unresolved());
    }

    #[test]
    fn the_table_or_an_answer_ends_the_wait() {
        for known in [Neighbour::Known, Neighbour::Failed, Neighbour::NotNeeded] {
            let mut hops = NextHops::default();
            first_probes(&mut hops);
            assert_eq!(hops.permit(KEY, at(1), || known), Permission::Go);
            assert!(!hops.is_any_unresolved());
        }
        let mut hops = NextHops::default();
        first_probes(&mut hops);
        hops.free(KEY);
        let go = hops.permit(KEY, at(0), || unreachable!("free"));
        assert_eq!(go, Permission::Go);
    }

    #[test]
    fn a_known_neighbour_is_asked_for_once() {
        let mut hops = NextHops::default();
        let go = hops.permit(KEY, at(0), || Neighbour::Known);
        assert_eq!(go, Permission::Go);
        for _ in 0..1000 {
            let go = hops.permit(KEY, at(0), || unreachable!("known"));
            assert_eq!(go, Permission::Go);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut hops = NextHops::default();
        for last in 0..1000_u32 {
            let key = (2, IpAddr::V4(last.into()));
            for _ in 0..2 {
                hops.permit(key, at(0), || Neighbour::Unresolved);
            }
        }
        assert_eq!(hops.hops.len(), WATCHED);
    }
}
