//! The only stage that touches sockets, clocks and network threads.

pub mod clock;
pub mod connect;
pub mod conntrack;
mod departed;
pub mod echo;
mod ephemeral;
pub mod fetch;
pub mod joined;
mod lag;
mod next_hops;
mod own_error;
pub mod own_listener;
pub mod privilege;
pub mod raw;
pub mod route;
mod shapes;
#[allow(unsafe_code)]
mod sys;
pub mod talk;
pub mod tracked;
mod undelivered;

pub mod sim;

pub use shapes::Shapes;

use std::time::Duration;

use crate::model::{Departure, Observation, Probe, Time, Undelivered};

/// Sends probes and hands back validated observations.
///
/// The caller's contract: ask [`room`](Transport::room), [`send`](Transport::send) at most that many, offer again what was
/// not taken, and call [`recv`](Transport::recv) often. A transport never blocks except in `recv`, and there only until the
/// time it was given. A failure of one probe is an [`Observation`] (`Seen::Local`), never an error of the scan.
pub trait Transport {
    /// The transport's clock.
    fn now(&self) -> Time;

    /// How many probes fit now: descriptors, queue, send buffer, a neighbour that is still unresolved.
    fn room(&self) -> usize;

    /// How many may be out at a time that nobody has answered yet: `None` where that is not bounded.
    fn capacity(&self) -> Option<usize> {
        None
    }

    /// Takes a prefix of `probes` and returns its length. Never blocks.
    fn send(&mut self, probes: &[Probe]) -> usize;

    /// Appends what arrived to `out`; sleeps at most until `until` when there is nothing, not at all when that is past.
    fn recv(&mut self, until: Time, out: &mut Vec<Observation>);

    /// From now on [`departures`](Transport::departures) has something to tell. Without a ceiling nobody wants to know.
    fn tell_departures(&mut self);

    /// Appends what has left since the last call: each probe that was taken, once, also where it will never leave. What a
    /// kernel connect repeats by itself is not told.
    fn departures(&mut self, out: &mut Vec<Departure>);

    /// What the transport counted so far.
    fn counters(&self) -> Counters;

    /// How many packets this machine has taken in and handed to nobody: its packet filter dropped them, or `rp_filter`.
    /// `None` where that is not told, as by what makes no kernel connects.
    fn undelivered(&mut self) -> Option<Undelivered> {
        None
    }
}

/// Totals since the transport was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// SYNs that left, the kernel's own repeats included where it tells.
    pub packets_sent: u64,
    /// Packets that the capture ring had no room for.
    pub capture_drops: u64,
    /// Observations that found the queue to the engine full.
    pub queue_drops: u64,
    /// Packets to our source ports that matched no probe.
    pub strays: u64,
    /// How often this machine's table of connections was found to have no room for more.
    pub tracking_waits: u64,
    /// How late observations reach the engine after their kernel stamp (worst of the last blocks).
    pub delivery_lag: Duration,
    /// How late probes leave after they were taken: the worst of late, and what waits at present.
    pub held_up: Duration,
}
