//! What stands before a host and lets only some packets through: limiters, a router's table of flows, a guard that shuts.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{Endpoint, Time};

/// A token bucket: so many packets per second, so many at once.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limit {
    pub per_second: f64,
    pub burst: f64,
}

/// What is let through. The default lets everything through.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Gates {
    /// SYNs that are let in; the others vanish.
    pub syns: Option<Limit>,
    /// Resets that the host sends; the others are never sent.
    pub resets: Option<Limit>,
    /// A router's table: so many flows, and how long one that is not reset keeps its place.
    pub flows: Option<(usize, Duration)>,
    /// After so many SYNs nothing is let in any more.
    pub shuts_after: Option<u64>,
}

/// The state of the gates before one host, or in a router before all of them.
#[derive(Debug)]
pub struct Gate {
    gates: Gates,
    syns: Bucket,
    resets: Bucket,
    flows: HashMap<Flow, Time>,
    passed: u64,
}

/// The target's endpoint and the source port.
pub type Flow = (Endpoint, u16);

#[derive(Debug, Default)]
struct Bucket {
    spent: f64,
    at: Time,
}

impl Gate {
    pub fn new(gates: Gates) -> Self {
        Self {
            gates,
            syns: Bucket::default(),
            resets: Bucket::default(),
            flows: HashMap::new(),
            passed: 0,
        }
    }

    /// Whether a SYN of this flow comes through.
    pub fn lets_in(&mut self, now: Time, flow: Flow) -> bool {
        self.passed += 1;
        if self
            .gates
            .shuts_after
            .is_some_and(|most| self.passed > most)
        {
            return false;
        }
        if let Some((most, hold)) = self.gates.flows {
            let known = self.flows.get(&flow).is_some_and(|until| *until > now);
            if !known {
                if self.flows.len() >= most {
                    self.flows.retain(|_, until| *until > now);
                }
                if self.flows.len() >= most {
                    return false;
                }
            }
            self.flows.insert(flow, now + hold);
        }
        self.gates
            .syns
            .is_none_or(|limit| self.syns.take(now, limit))
    }

    /// Whether the host may send a reset.
    pub fn lets_reset_out(&mut self, now: Time) -> bool {
        self.gates
            .resets
            .is_none_or(|limit| self.resets.take(now, limit))
    }

    /// A reset has ended this flow, from either side.
    pub fn ended(&mut self, flow: Flow) {
        self.flows.remove(&flow);
    }
}

impl Bucket {
    fn take(&mut self, now: Time, limit: Limit) -> bool {
        let gained = now.since(self.at).as_secs_f64() * limit.per_second;
        self.spent = (self.spent - gained).max(0.0);
        self.at = now;
        let room = self.spent + 1.0 <= limit.burst;
        if room {
            self.spent += 1.0;
        }
        room
    }
}
