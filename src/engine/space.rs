//! Which endpoints a lane walks over, and in which order.

use crate::engine::ledger::Ledger;
use crate::engine::order::Order;
use crate::engine::pass::Scope;
use crate::plan::Shuffle;

/// The endpoints of a lane. A *key* counts through them; keys never change while the lane lives.
#[derive(Clone, Copy, Debug)]
pub enum Space {
    /// The whole block, in its order: the key is the rank.
    Block,
    /// One host's ports, in an order of their own.
    Host { first: u64, order: Shuffle },
}

/// One endpoint on a lane's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub key: u64,
    pub rank: u64,
    pub index: u64,
}

impl Space {
    /// The endpoints of the host whose first endpoint has the plan's index `first`.
    pub fn host(first: u64, ports: u64, seed: u64) -> Self {
        Self::Host {
            first,
            order: Shuffle::new(ports, seed ^ first.rotate_left(17)),
        }
    }

    /// The first endpoint at or after `key` that has not answered and is in `scope`.
    pub fn next(&self, key: u64, scope: Scope, order: &Order, ledger: &Ledger) -> Option<Step> {
        let mut key = key;
        loop {
            let step = match self {
                Self::Block => {
                    let rank = ledger.answered.next_zero(key)?;
                    Step {
                        key: rank,
                        rank,
                        index: order.index(rank),
                    }
                }
                Self::Host { first, order: own } => {
                    if key >= own.len() {
                        return None;
                    }
                    let index = first + own.index(key);
                    match order.rank(index).filter(|&rank| !ledger.answered.has(rank)) {
                        Some(rank) => Step { key, rank, index },
                        None => {
                            key += 1;
                            continue;
                        }
                    }
                }
            };
            if scope == Scope::All || ledger.evidence.reason(step.rank).is_some() {
                return Some(step);
            }
            key = step.key + 1;
        }
    }

    /// The key of an endpoint of this lane.
    pub fn key(&self, rank: u64, index: u64) -> u64 {
        match self {
            Self::Block => rank,
            Self::Host { first, order } => order.position(index.saturating_sub(*first)),
        }
    }
}
