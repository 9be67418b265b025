//! Which probes leave as Ethernet frames, past the kernel's routing: those whose next hop's link address is known.
//!
//! The kernel's neighbour table comes first: it knows of proxies and static entries. One probe per look goes the ordinary way
//! even when the address is known there: it makes the kernel confirm the entry, so a neighbour that moved or died is noticed as
//! it would be without frames. A host on the link that has no entry is asked for by ourselves (see `inquiry`), and what it
//! answers is used for a few seconds, or until the kernel knows better; a gateway without one is left to the kernel.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{Address, Time};
use crate::transport::next_hops::HopKey;
use crate::transport::own_error::next_hop;
use crate::transport::route::{Reach, Route, Router};
use crate::transport::sys::batch::LinkPlace;
use crate::wire::neighbour::Hardware;

/// How long a link address is used before the kernel is asked again.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long one is that the neighbour told us itself: the kernel, which hears who announces to have moved, has no entry to
/// correct.
const LEARNT: Duration = Duration::from_secs(5);
/// How often the kernel is asked for an address that it does not know.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Next hops that are remembered; all others go the ordinary way, or are asked for again.
const MOST: usize = 65_536;

#[derive(Default)]
pub(super) struct Frames {
    hops: HashMap<HopKey, Hop>,
    /// The one that was used last: behind a router it is always the same.
    last: Option<(HopKey, Hop)>,
}

#[derive(Clone, Copy)]
struct Hop {
    hardware: Option<Hardware>,
    /// Where the neighbour told it to us: until when that counts.
    learnt: Time,
    asked_again: Time,
}

/// Whether there was room for what a neighbour told us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Learnt {
    Kept,
    NoRoom,
}

/// Whether a neighbour is to be asked for again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expired {
    No,
    Yes,
}

impl Frames {
    /// Where a probe goes as a frame; `None`: by the kernel's routing, which is always right. `interface` is the one to send
    /// by, if there is a wish.
    pub(super) fn place(
        &mut self,
        route: &Route,
        address: Address,
        interface: Option<u32>,
        now: Time,
        router: &mut impl Router,
    ) -> Option<LinkPlace> {
        // Frames to our own addresses reach nobody; and the interface asked for may be another than the route's.
        let elsewhere = interface.is_some_and(|asked| asked != route.interface);
        if route.reach == Reach::Local || elsewhere {
            return None;
        }
        let key = next_hop(route, address);
        let hardware = self.hardware(key, now, || router.hardware_address(key.0, key.1))?;
        Some(LinkPlace {
            interface: route.interface,
            hardware,
        })
    }

    /// A neighbour has told us its link address.
    pub(super) fn learn(&mut self, key: HopKey, hardware: Hardware, now: Time) -> Learnt {
        if self.hops.len() >= MOST && !self.hops.contains_key(&key) {
            return Learnt::NoRoom;
        }
        let hop = Hop {
            hardware: Some(hardware),
            learnt: now + LEARNT,
            asked_again: now + TRUSTED,
        };
        self.hops.insert(key, hop);
        self.last = Some((key, hop));
        Learnt::Kept
    }

    /// Forgets what a neighbour told us too long ago. Whether there was such.
    pub(super) fn expire(&mut self, key: HopKey, now: Time) -> Expired {
        let is_over = |hop: &Hop| hop.learnt != Time::ZERO && now >= hop.learnt;
        if !self.hops.get(&key).is_some_and(is_over) {
            return Expired::No;
        }
        self.hops.remove(&key);
        self.last = None;
        Expired::Yes
    }

    /// The link address to which a probe for this next hop goes as a frame; `None`: it goes the ordinary way. `ask` looks
    /// into the kernel's table.
    fn hardware(
        &mut self,
        key: HopKey,
        now: Time,
        ask: impl FnOnce() -> Option<Hardware>,
    ) -> Option<Hardware> {
        let known = match self.last {
            Some((last, hop)) if last == key => Some(hop),
            _ => self.hops.get(&key).copied(),
        };
        match known {
            Some(hop) if now < hop.asked_again => {
                self.last = Some((key, hop));
                hop.hardware
            }
            None if self.hops.len() >= MOST => None,
            _ => {
                let learnt = known.filter(|hop| now < hop.learnt);
                let (hardware, until) = match (ask(), learnt) {
                    (None, Some(hop)) => (hop.hardware, hop.learnt),
                    (hardware, _) => (hardware, Time::ZERO),
                };
                let pause = if hardware.is_some() {
                    TRUSTED
                } else {
                    LOOK_AGAIN
                };
                let hop = Hop {
                    hardware,
                    learnt: until,
                    asked_again: now + pause,
                };
                self.hops.insert(key, hop);
                self.last = Some((key, hop));
                // The kernel does not know it: it would have to ask.
                hardware.filter(|_| until > now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const KEY: HopKey = (2, IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const MAC: Hardware = [2, 0, 0, 0, 0, 9];

    fn at(milliseconds: u64) -> Time {
        Time(milliseconds * 1_000_000)
    }

    #[test]
    fn one_probe_per_look_goes_the_ordinary_way_and_the_rest_as_frames() {
        let mut frames = Frames::default();
        let unasked = || unreachable!("asked a moment ago");
        assert_eq!(frames.hardware(KEY, at(0), || Some(MAC)), None);
        for now in [0, 1, 500, 999] {
            assert_eq!(frames.hardware(KEY, at(now), unasked), Some(MAC));
        }
        // It has moved.
        let moved = [2, 0, 0, 0, 0, 10];
        assert_eq!(frames.hardware(KEY, at(1000), || Some(moved)), None);
        assert_eq!(frames.hardware(KEY, at(1001), unasked), Some(moved));
        // It is gone.
        assert_eq!(frames.hardware(KEY, at(2000), || None), None);
        assert_eq!(frames.hardware(KEY, at(2001), unasked), None);
        assert_eq!(frames.hardware(KEY, at(2002), || Some(MAC)), None);
        assert_eq!(frames.hardware(KEY, at(2003), unasked), Some(MAC));
    }

    #[test]
    fn what_a_neighbour_told_us_is_used_at_once_and_not_for_ever() {
        let mut frames = Frames::default();
        // It was looked for in the kernel's table in vain.
        assert_eq!(frames.hardware(KEY, at(0), || None), None);
        assert_eq!(frames.learn(KEY, MAC, at(1)), Learnt::Kept);
        let unasked = || unreachable!("told a moment ago");
        assert_eq!(frames.hardware(KEY, at(1), unasked), Some(MAC));
        assert_eq!(frames.hardware(KEY, at(1_000), unasked), Some(MAC));
        assert_eq!(frames.hardware(KEY, at(1_001), || None), Some(MAC));
        assert_eq!(frames.hardware(KEY, at(1_002), unasked), Some(MAC));
        assert_eq!(frames.expire(KEY, at(5_000)), Expired::No);
        assert_eq!(frames.expire(KEY, at(5_001)), Expired::Yes);
        assert_eq!(frames.hardware(KEY, at(5_001), || None), None);
        assert_eq!(frames.expire(KEY, at(60_000)), Expired::No);
    }

    #[test]
    fn what_the_kernel_knows_of_a_neighbour_that_told_us_otherwise_is_right() {
        let mut frames = Frames::default();
        assert_eq!(frames.learn(KEY, MAC, at(0)), Learnt::Kept);
        let moved = [2, 0, 0, 0, 0, 10];
        assert_eq!(frames.hardware(KEY, at(1_000), || Some(moved)), None);
        let unasked = || unreachable!("asked a moment ago");
        assert_eq!(frames.hardware(KEY, at(1_001), unasked), Some(moved));
        // And it is gone.
        assert_eq!(frames.hardware(KEY, at(2_001), || None), None);
        assert_eq!(frames.expire(KEY, at(60_000)), Expired::No);
    }

    #[test]
    fn next_hops_are_told_apart() {
        let mut frames = Frames::default();
        let hop = |last: u8| (2, IpAddr::V4([10, 0, 0, last].into()));
        for last in 0..10 {
            frames.hardware(hop(last), at(0), || Some([last; 6]));
        }
        for last in 0..10 {
            let known = frames.hardware(hop(last), at(1), || unreachable!("known"));
            assert_eq!(known, Some([last; 6]));
        }
        // Another interface is another link.
        let elsewhere = (3, hop(1).1);
        assert_eq!(frames.hardware(elsewhere, at(1), || None), None);
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_goes_the_ordinary_way() {
        let mut frames = Frames::default();
        for number in 0..MOST as u32 + 100 {
            let key = (2, IpAddr::V4(number.into()));
            frames.hardware(key, at(0), || Some(MAC));
        }
        assert_eq!(frames.hops.len(), MOST);
        let late = (2, IpAddr::V4((MOST as u32 + 50).into()));
        assert_eq!(frames.learn(late, MAC, at(1)), Learnt::NoRoom);
        assert_eq!(frames.hardware(late, at(1), || unreachable!("full")), None);
        let early = (2, IpAddr::V4(7.into()));
        assert_eq!(
            frames.hardware(early, at(1), || unreachable!("known")),
            Some(MAC)
        );
    }
}
