//! The loop that joins engine, transport and sink: the one choke point in front of every send.

mod ceiling;
mod defaults;
mod events;
mod open;
mod self_test;

pub use crate::engine::confirm::Confirm;
pub use crate::scan::events::Events;
pub use crate::scan::open::{Mode, OpenError, Options, Scan};
pub use crate::scan::self_test::{SelfTest, self_test};
pub use crate::transport::raw::SendPath;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::engine::{Cut, Engine};
use crate::model::{Event, Probe, Summary, Time};
use crate::plan::Plan;
use crate::transport::Transport;

/// Where events go.
pub trait Sink {
    /// False when it is full just now: the scan stops sending and goes on receiving.
    fn ready(&mut self) -> bool;

    /// Takes all events out of the vector.
    fn take(&mut self, events: &mut Vec<Event>);
}

/// A function that takes every event is a sink that is always ready.
impl<F: FnMut(Event)> Sink for F {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        events.drain(..).for_each(self);
    }
}

/// Asks a running scan to end; may be shared with a signal handler's thread.
///
/// The first [`ask`](Stop::ask) stops sending, hears what is in flight for at most two seconds and ends; the second ends at
/// once.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Asks it, once more each time.
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was asked.
    pub fn asked(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `engine` on `transport` until it is done, and returns the figures.
///
/// Nothing outside `plan` leaves: a probe for any other endpoint would be an error of the engine and is counted as stray.
pub fn run(
    plan: &Plan,
    mut engine: Engine,
    transport: &mut dyn Transport,
    sink: &mut dyn Sink,
    stop: &Stop,
    max_time: Option<Duration>,
) -> Summary {
    let started = transport.now();
    let deadline = max_time.map_or(Time::NEVER, |limit| started + limit);
    let mut asked = 0;
    let mut late = false;
    let mut dropped = 0;
    let mut pending: Vec<Probe> = Vec::new();
    let mut observed = Vec::new();
    let mut events = Vec::new();
    while !engine.is_done() {
        let now = transport.now();
        while asked < stop.asked().min(2) {
            asked += 1;
            pending.clear();
            engine.cut(now, Cut::Interrupt);
        }
        if now >= deadline && !late {
            late = true;
            pending.clear();
            engine.cut(now, Cut::MaxTime);
        }
        transport.recv(now, &mut observed);
        let counters = transport.counters();
        let drops = counters.capture_drops + counters.queue_drops;
        if drops > dropped {
            dropped = drops;
            engine.answers_dropped();
        }
        engine.set_lag(Duration::from_nanos(counters.delivery_lag));
        for observation in observed.drain(..) {
            engine.handle(observation);
        }
        let ready = sink.ready();
        if ready {
            while let Some(event) = engine.poll_event() {
                events.push(with_packets(event, counters.packets_sent));
                if events.len() >= EVENT_BATCH {
                    break;
                }
            }
            if !events.is_empty() {
                sink.take(&mut events);
            }
        }
        if pending.is_empty() {
            let room = if ready { transport.room() } else { 0 };
            engine.poll_transmit(now, room, &mut pending);
            pending.retain(|probe| plan.index(&probe.endpoint) == Some(probe.index));
        }
        let sent = if pending.is_empty() {
            0
        } else {
            transport.send(&pending)
        };
        pending.drain(..sent);
        if sent > 0 || engine.is_done() {
            continue;
        }
        let wake = match (pending.is_empty(), ready) {
            (true, true) => engine.poll_timeout(),
            // Somebody is full: look again soon.
            _ => now + NAP,
        };
        // No room shows as a walk whose next probe is due already.
        let wake = if wake <= now && transport.room() == 0 {
            now + NAP
        } else {
            wake
        };
        transport.recv(wake.min(now + LONGEST_SLEEP), &mut observed);
        for observation in observed.drain(..) {
            engine.handle(observation);
        }
    }
    let mut summary = engine.summary();
    let counters = transport.counters();
    summary.packets_sent = counters.packets_sent;
    summary.capture_drops = counters.capture_drops + counters.queue_drops;
    summary.strays += counters.strays;
    summary.elapsed = transport.now().since(started);
    events.push(Event::Summary(summary));
    while !sink.ready() {
        transport.recv(transport.now() + NAP, &mut observed);
        observed.clear();
    }
    sink.take(&mut events);
    summary
}

fn with_packets(event: Event, packets_sent: u64) -> Event {
    match event {
        Event::Progress(mut progress) => {
            progress.packets_sent = packets_sent;
            Event::Progress(progress)
        }
        other => other,
    }
}

const EVENT_BATCH: usize = 4096;
const NAP: Duration = Duration::from_millis(1);
/// A signal or a deadline is noticed within this.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
