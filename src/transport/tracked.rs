//! A transport on a machine that tracks connections: what it sends takes no more than half of the room that the table of
//! connections had when the scan began, because the kernel drops packets, of others too, when there is none.
//!
//! The kernel's own count decides, so a machine that has the table and tracks nothing is never waited for, and entries that
//! end early (a reset ends one within 10 s, silence within 120 s) make room early.

use std::time::Duration;

use super::conntrack::Table;
use super::{Counters, Transport};
use crate::model::{Departure, Observation, Probe, Time, Undelivered};

/// See the top of the file. `look` reads the table, at most ten times a second but for once after each time that the room
/// seemed to be used up.
pub struct Tracked<T: ?Sized, L> {
    look: L,
    bounds: Option<Bounds>,
    waits: u64,
    inner: Box<T>,
}

struct Bounds {
    /// Entries that the table may hold before the scan waits.
    most: u64,
    /// Entries that it held when it was last looked at, and one for each probe since.
    held: u64,
    /// Probes since then.
    sent: u64,
    looked: Time,
    /// While there is no room one probe leaves in this time, or a table that others keep full would stop the scan for ever.
    drip: Duration,
    dripped: Time,
}

impl Bounds {
    /// Entries that there is room for.
    fn left(&self) -> usize {
        let left = self.most.saturating_sub(self.held);
        usize::try_from(left).unwrap_or(usize::MAX)
    }
}

impl<T: Transport + ?Sized, L: FnMut() -> Option<Table>> Tracked<T, L> {
    /// Nothing is bounded where `look` finds no table.
    pub fn new(inner: Box<T>, mut look: L) -> Self {
        let now = inner.now();
        let bounds = look().map(|table| {
            let budget = table.room() / 2;
            Bounds {
                most: table.taken.saturating_add(budget),
                held: table.taken,
                sent: 0,
                looked: now,
                // Half of the budget in the time in which it is given back.
                drip: (KEPT * 2)
                    .checked_div(u32::try_from(budget).unwrap_or(u32::MAX))
                    .unwrap_or(LONGEST_DRIP)
                    .min(LONGEST_DRIP),
                dripped: now,
            }
        });
        Self {
            look,
            bounds,
            waits: 0,
            inner,
        }
    }

    fn look(&mut self) {
        let Some(bounds) = &mut self.bounds else {
            return;
        };
        let now = self.inner.now();
        let is_used_up = bounds.held >= bounds.most && bounds.sent > 0;
        if !is_used_up && now < bounds.looked + LOOK_EVERY {
            return;
        }
        let Some(table) = (self.look)() else {
            self.bounds = None;
            return;
        };
        bounds.held = table.taken;
        bounds.sent = 0;
        bounds.looked = now;
        self.waits += u64::from(bounds.held >= bounds.most);
    }
}

impl<T: Transport + ?Sized, L: FnMut() -> Option<Table>> Transport for Tracked<T, L> {
    fn now(&self) -> Time {
        self.inner.now()
    }

    fn room(&self) -> usize {
        let room = self.inner.room();
        let Some(bounds) = &self.bounds else {
            return room;
        };
        let left = bounds.left();
        if left == 0 && self.inner.now() >= bounds.dripped + bounds.drip {
            return room.min(1);
        }
        room.min(left)
    }

    fn capacity(&self) -> Option<usize> {
        let capacity = self.inner.capacity();
        let Some(bounds) = &self.bounds else {
            return capacity;
        };
        let left = bounds.left();
        Some(capacity.map_or(left, |most| most.min(left)))
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let taken = self.inner.send(probes);
        if let Some(bounds) = &mut self.bounds
            && taken > 0
        {
            if bounds.held >= bounds.most {
                bounds.dripped = self.inner.now();
            }
            bounds.held += taken as u64;
            bounds.sent += taken as u64;
        }
        taken
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        self.look();
        self.inner.recv(until, out);
    }

    fn tell_departures(&mut self) {
        self.inner.tell_departures();
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        self.inner.departures(out);
    }

    fn counters(&self) -> Counters {
        Counters {
            tracking_waits: self.waits,
            ..self.inner.counters()
        }
    }

    fn undelivered(&mut self) -> Option<Undelivered> {
        self.inner.undelivered()
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long an entry is kept that nobody answers (nf_conntrack_tcp_timeout_syn_sent).
const KEPT: Duration = Duration::from_secs(120);
const LONGEST_DRIP: Duration = Duration::from_secs(1);
