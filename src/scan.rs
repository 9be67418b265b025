//! The loop that joins engine, transport and sink: the one choke point in front of every send.

mod ceiling;
mod control;
mod defaults;
mod events;
mod identify;
mod open;
mod pauses;
mod ping;
mod resume;
mod self_test;

pub use crate::engine::confirm::Confirm;
pub use crate::scan::control::{Control, Stop};
pub use crate::scan::events::Events;
pub use crate::scan::identify::{Identify, Services, Systems};
pub use crate::scan::open::{Cost, Forecast, Limit, Mode, OpenError, Options, Scan, Warning, Way};
pub use crate::scan::ping::Ping;
pub use crate::scan::self_test::{SelfTest, self_test};
pub use crate::transport::raw::SendPath;

use std::time::Duration;

use crate::engine::{Cut, Engine};
use crate::model::{Departure, Event, HostNote, Kept, Note, Observation, Probe, Summary, Time};
use crate::plan::Plan;
use crate::scan::pauses::{Flow, Pauses};
use crate::transport::Transport;

/// Where events go.
pub trait Sink {
    /// False when it is full just now: the scan stops sending and goes on receiving.
    fn ready(&mut self) -> bool;

    /// Takes all events out of the vector.
    fn take(&mut self, events: &mut Vec<Event>);

    /// Takes what the next run needs if this one is [to be resumed](Scan::resuming), all of it, without waiting. Nobody
    /// need keep it.
    fn keep(&mut self, kept: &mut Vec<Kept>) {
        kept.clear();
    }
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

/// Runs `engine` on `transport` until it is done, and returns the figures.
///
/// Nothing outside `plan` leaves: a probe for any other endpoint would be an error of the engine and is counted as stray.
pub fn run(
    plan: &Plan,
    mut engine: Engine,
    transport: &mut dyn Transport,
    sink: &mut dyn Sink,
    control: &Control,
    max_time: Option<Duration>,
) -> Summary {
    let started = transport.now();
    let deadline = max_time.map_or(Time::NEVER, |limit| started + limit);
    let stop = control.stop();
    let mut asked = 0;
    let mut late = false;
    let mut limit = None;
    let mut dropped = 0;
    let mut held_up = false;
    let mut given = started;
    let mut pauses = Pauses::default();
    let mut pending: Vec<Probe> = Vec::new();
    let mut departures = Departures::NotTold;
    let mut observed = Vec::new();
    let mut events = Vec::new();
    let mut kept = Vec::new();
    while !engine.is_done() {
        let clock = transport.now();
        let ending = stop.asked() > 0 || clock >= deadline;
        // The engine takes what it handed out as sent, so that leaves before a pause begins.
        let flow = if control.is_paused() && pending.is_empty() && !ending {
            Flow::Paused
        } else {
            Flow::Goes
        };
        let now = pauses.tell(clock, flow);
        while asked < stop.asked().min(2) {
            asked += 1;
            pending.clear();
            engine.cut(now, Cut::Interrupt);
        }
        if clock >= deadline && !late {
            late = true;
            pending.clear();
            engine.cut(now, Cut::MaxTime);
        }
        if let Some(rate) = control.limited_to()
            && limit != Some(rate)
        {
            limit = Some(rate);
            engine.set_rate(rate);
        }
        departures.tell(&mut engine, &pauses, transport);
        transport.recv(clock, &mut observed);
        let counters = transport.counters();
        let drops = counters.capture_drops + counters.queue_drops;
        if drops > dropped {
            dropped = drops;
            engine.answers_dropped();
        }
        if counters.tracking_waits > 0 && !held_up {
            held_up = true;
            events.push(Event::Host(HostNote {
                address: None,
                note: Note::TrackingFull,
            }));
        }
        engine.set_lag(counters.delivery_lag);
        engine.set_held_up(counters.held_up);
        hear(&mut engine, &pauses, &mut observed);
        keep(&mut engine, &mut kept, sink);
        let ready = sink.ready();
        if ready {
            while let Some(event) = engine.poll_event() {
                events.push(told(event, &pauses, counters.packets_sent));
                if events.len() >= EVENT_BATCH {
                    break;
                }
            }
            if !events.is_empty() {
                sink.take(&mut events);
            }
        }
        // Nothing is sent before somebody takes what was found.
        if flow == Flow::Paused || !ready && engine.asks_silent_again() {
            engine.spoil_undelivered(now);
        }
        if flow == Flow::Paused {
            transport.recv(clock + LONGEST_SLEEP, &mut observed);
            hear(&mut engine, &pauses, &mut observed);
            continue;
        }
        if engine.wants_undelivered(now) {
            let window = transport.capacity().unwrap_or(usize::MAX);
            engine.tell_undelivered(transport.undelivered(), window, now);
        }
        if pending.is_empty() {
            let room = if ready { transport.room() } else { 0 };
            engine.poll_transmit(now, room, &mut pending);
            given = now;
            pending.retain(|probe| plan.index(&probe.endpoint) == Some(probe.index));
        }
        let leaving = pending.len().min(engine.may_leave(now));
        let sent = match pending.get(..leaving) {
            Some([]) | None => 0,
            Some(leaving) => transport.send(leaving),
        };
        engine.taken(sent);
        pending.drain(..sent);
        if sent > 0 && pending.is_empty() {
            engine.held_up(given, pauses.engine(transport.now()));
        }
        if sent > 0 || engine.is_done() {
            continue;
        }
        let wake = match (pending.is_empty(), ready) {
            (true, true) => pauses.transport(engine.poll_timeout()),
            (false, true) if leaving == 0 => pauses.transport(engine.leaves_at()),
            // Somebody is full: look again soon.
            _ => clock + NAP,
        };
        // No room shows as a walk whose next probe is due already.
        let wake = if wake <= clock && transport.room() == 0 {
            clock + NAP
        } else {
            wake
        };
        transport.recv(wake.min(clock + LONGEST_SLEEP), &mut observed);
        hear(&mut engine, &pauses, &mut observed);
    }
    keep(&mut engine, &mut kept, sink);
    let mut summary = engine.summary();
    let counters = transport.counters();
    summary.packets_sent = counters.packets_sent;
    summary.capture_drops = counters.capture_drops + counters.queue_drops;
    summary.strays += counters.strays;
    summary.elapsed = transport.now().since(started);
    for untested in engine.untested() {
        events.push(Event::Untested(untested));
        if events.len() >= EVENT_BATCH {
            hand_over(&mut events, transport, sink);
        }
    }
    events.push(Event::Summary(summary));
    hand_over(&mut events, transport, sink);
    summary
}

/// Whether the transport tells what has left.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Departures {
    NotTold,
    /// Into this list, which is empty in between.
    Told(Vec<Departure>),
}

impl Departures {
    /// Tells the engine, in its own time, what has left, if it keeps a rate.
    fn tell(&mut self, engine: &mut Engine, pauses: &Pauses, transport: &mut dyn Transport) {
        match self {
            Self::NotTold if engine.keeps_a_rate() => {
                transport.tell_departures();
                *self = Self::Told(Vec::new());
            }
            Self::NotTold => {}
            Self::Told(left) => {
                transport.departures(left);
                for mut departure in left.drain(..) {
                    departure.at = pauses.engine(departure.at);
                    engine.left(&departure);
                }
            }
        }
    }
}

/// Waits for a sink that is full. Whatever is heard meanwhile comes too late.
fn hand_over(events: &mut Vec<Event>, transport: &mut dyn Transport, sink: &mut dyn Sink) {
    let mut late = Vec::new();
    while !sink.ready() {
        transport.recv(transport.now() + NAP, &mut late);
        late.clear();
    }
    sink.take(events);
}

/// Tells the engine what was observed, in its own time.
fn hear(engine: &mut Engine, pauses: &Pauses, observed: &mut Vec<Observation>) {
    for mut observation in observed.drain(..) {
        observation.at = pauses.engine(observation.at);
        engine.handle(observation);
    }
}

/// Hands on what the next run needs, however busy whoever reads the report is.
fn keep(engine: &mut Engine, kept: &mut Vec<Kept>, sink: &mut dyn Sink) {
    engine.poll_kept(kept);
    if !kept.is_empty() {
        sink.keep(kept);
    }
}

/// What the engine tells, in the transport's time and with its figures.
fn told(event: Event, pauses: &Pauses, packets_sent: u64) -> Event {
    match event {
        Event::Verdict(mut verdict) => {
            verdict.at = pauses.transport(verdict.at);
            Event::Verdict(verdict)
        }
        Event::Progress(mut progress) => {
            progress.at = pauses.transport(progress.at);
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
