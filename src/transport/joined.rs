//! The half-open transport with a small connect pool beside it: SYN probes leave raw, Handshake probes by kernel connect.
//!
//! The pool starts when it is first needed, which most scans need it for is one connect. It needs no privilege, so it may
//! start long after privileges were dropped.

use std::collections::VecDeque;
use std::time::Duration;

use super::connect::{ConnectConfig, ConnectTransport, without_attempt};
use super::departed::Departed;
use super::raw::RawTransport;
use super::route::Router;
use super::{Counters, Shapes, Transport, undelivered};
use crate::model::{
    Departure, How, LocalFault, Observation, Probe, Seen, Source, Time, Undelivered,
};

/// See the top of the file.
pub struct Joined<R> {
    raw: RawTransport<R>,
    config: ConnectConfig,
    /// Where the pool adds what stacks look like.
    shapes: Option<Shapes>,
    pool: Option<ConnectTransport>,
    /// Handshake probes for which the pool has no room yet.
    waiting: VecDeque<Probe>,
    /// Observations of probes that could not be made.
    refused: Vec<Observation>,
    /// They have left as far as they ever will.
    departed: Departed,
    /// Probes in the pool.
    under_way: usize,
}

impl<R: Router> Joined<R> {
    /// `raw` is open and will be started by the caller; `config` says how to connect.
    pub fn new(raw: RawTransport<R>, config: ConnectConfig) -> Self {
        Self {
            raw,
            config,
            shapes: None,
            pool: None,
            waiting: VecDeque::new(),
            refused: Vec::new(),
            departed: Departed::default(),
            under_way: 0,
        }
    }

    /// Has what the stacks of the hosts look like added to `shapes` when the kernel connects, too; of the raw transport the
    /// caller sees to it before it is started.
    pub fn with_shapes(self, shapes: Option<Shapes>) -> Self {
        Self { shapes, ..self }
    }

    /// Hands to the pool what fits, and starts it before the first.
    fn feed(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if self.pool.is_none() {
            self.pool = started(&self.config, self.shapes.as_ref());
            if let (Some(pool), true) = (&mut self.pool, self.departed.is_told()) {
                pool.tell_departures();
            }
        }
        let Some(pool) = &mut self.pool else {
            let at = self.raw.now();
            let not_sent = Seen::Local(LocalFault::NotSent);
            let endpoints = self.waiting.iter().map(|probe| probe.endpoint);
            self.departed.note(endpoints, || at);
            let lost = self
                .waiting
                .drain(..)
                .map(|probe| without_attempt(&probe, at, not_sent));
            self.refused.extend(lost);
            return;
        };
        let taken = pool.send(self.waiting.make_contiguous());
        self.waiting.drain(..taken);
        self.under_way += taken;
    }

    fn hear_pool(&mut self, until: Time, out: &mut Vec<Observation>) {
        out.append(&mut self.refused);
        if let Some(pool) = &mut self.pool
            && self.under_way > 0
        {
            let before = out.len();
            pool.recv(until, out);
            let ended = ended(out.get(before..).unwrap_or_default());
            self.under_way = self.under_way.saturating_sub(ended);
        }
    }
}

impl<R: Router> Transport for Joined<R> {
    fn now(&self) -> Time {
        self.raw.now()
    }

    fn room(&self) -> usize {
        // A scan that has gone over to connects is held up by the pool, not by the raw sockets.
        let left = MOST_WAITING.saturating_sub(self.waiting.len());
        self.raw.room().min(left)
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let mut taken = 0;
        while let Some(first) = probes.get(taken) {
            let rest = probes.get(taken..).unwrap_or_default();
            let alike = |probe: &&Probe| is_handshake(probe) == is_handshake(first);
            let run = rest.iter().take_while(alike).count();
            let run = rest.get(..run).unwrap_or_default();
            if is_handshake(first) {
                self.waiting.extend(run);
                taken += run.len();
                continue;
            }
            let sent = self.raw.send(run);
            taken += sent;
            if sent < run.len() {
                break;
            }
        }
        self.feed();
        taken
    }

    /// Two sources of answers, one sleeper: while connects are under way it sleeps in slices and looks at both.
    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        loop {
            let heard = out.len();
            self.feed();
            let now = self.raw.now();
            self.hear_pool(now, out);
            if self.under_way == 0 && self.waiting.is_empty() || out.len() > heard {
                let until = if out.len() > heard { now } else { until };
                return self.raw.recv(until, out);
            }
            self.raw.recv(until.min(now + SLICE), out);
            if out.len() > heard || until <= self.raw.now() {
                return self.hear_pool(now, out);
            }
        }
    }

    fn tell_departures(&mut self) {
        self.departed.tell();
        self.raw.tell_departures();
        if let Some(pool) = &mut self.pool {
            pool.tell_departures();
        }
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        self.departed.take(out);
        self.raw.departures(out);
        if let Some(pool) = &mut self.pool {
            pool.departures(out);
        }
    }

    fn counters(&self) -> Counters {
        let mut counters = self.raw.counters();
        if let Some(pool) = &self.pool {
            let pool = pool.counters();
            counters.packets_sent += pool.packets_sent;
            counters.held_up = pool.held_up;
        }
        counters
    }

    fn undelivered(&mut self) -> Option<Undelivered> {
        undelivered::count()
    }
}

fn started(config: &ConnectConfig, shapes: Option<&Shapes>) -> Option<ConnectTransport> {
    let mut pool = ConnectTransport::open(config.clone()).ok()?;
    if let Some(shapes) = shapes {
        pool.set_shapes(shapes);
    }
    pool.start().ok()?;
    Some(pool)
}

fn is_handshake(probe: &Probe) -> bool {
    matches!(probe.how, How::Handshake { .. })
}

/// How many attempts these observations end: what tells of a host as a whole, such as a neighbour that was given up, ends none.
fn ended(observed: &[Observation]) -> usize {
    let attempts = observed
        .iter()
        .filter(|observation| matches!(observation.source, Source::Attempt { .. }));
    attempts.count()
}

/// Handshake probes that may wait for the pool.
const MOST_WAITING: usize = 2_048;
const SLICE: Duration = Duration::from_micros(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Endpoint};

    #[test]
    fn a_neighbour_that_is_given_up_ends_no_connect_so_the_pool_is_heard_to_its_end() {
        let told = |source| Observation {
            endpoint: Endpoint {
                address: Address::new([10, 0, 0, 9].into()),
                port: 80,
            },
            source,
            at: Time::ZERO,
            seen: Seen::NoNeighbour,
        };
        let attempt = Source::Attempt {
            attempt: 0,
            syns: 1,
            took: None,
        };
        let observed = [Source::Host, attempt, Source::Host, attempt, Source::Host].map(told);
        assert_eq!(ended(&observed), 2);
    }
}
