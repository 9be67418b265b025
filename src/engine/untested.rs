//! What a scan that was cut short did not test, by name.

use std::iter::Peekable;
use std::ops::RangeInclusive;
use std::vec::IntoIter;

use crate::engine::Engine;
use crate::model::Untested;

impl Engine {
    /// The endpoints that were not tested, in the order of the plan. So many are named as memory and two seconds of patience
    /// allow; [`summary`](Self::summary) counts all of them.
    pub fn untested(&self) -> impl Iterator<Item = Untested> + '_ {
        let mut left = self.untested_indices().into_iter().peekable();
        let mut group = self.next_host(&mut left);
        std::iter::from_fn(move || {
            let mut whole = group.take()?;
            while let Some(host) = self.next_host(&mut left) {
                if let Err(other) = whole.join(host) {
                    group = Some(other);
                    break;
                }
            }
            Some(whole)
        })
    }

    /// What is left of one host.
    fn next_host(&self, left: &mut Peekable<IntoIter<u64>>) -> Option<Untested> {
        let first = *left.peek()?;
        let host = first / self.ports();
        let address = self.plan.endpoint(first)?.address;
        let mut ports = Vec::new();
        while let Some(index) = left.next_if(|index| index / self.ports() == host) {
            if let Some(endpoint) = self.plan.endpoint(index) {
                add(&mut ports, endpoint.port);
            }
        }
        Some(Untested {
            first: address,
            last: address,
            ports,
        })
    }

    /// In ascending order. Where they are many they are scattered over the whole plan, and its beginning has to do.
    fn untested_indices(&self) -> Vec<u64> {
        if self.summary.untested > MOST_NAMED {
            let looked_at = 0..self.plan.len().min(MOST_LOOKED_AT);
            let untested = looked_at.filter(|index| self.is_untested(*index));
            return untested.take(MOST_NAMED as usize).collect();
        }
        let mut all = Vec::new();
        if self.summary.untested == 0 {
            return all;
        }
        for rank in 0..self.order.block_len() {
            if self.is_left(rank) {
                all.push(self.order.index(rank));
            }
        }
        all.extend(self.order.later());
        all.sort_unstable();
        all
    }

    fn is_untested(&self, index: u64) -> bool {
        match self.order.rank(index) {
            Some(rank) => self.is_left(rank),
            None => self.order.is_later(index),
        }
    }

    /// Whether this rank of the present block has no verdict.
    fn is_left(&self, rank: u64) -> bool {
        !self.ledger.answered.has(rank) || self.deaf.is_waiting(rank)
    }
}

/// Ports come in ascending order.
fn add(ports: &mut Vec<RangeInclusive<u16>>, port: u16) {
    match ports.last_mut() {
        Some(last) if u32::from(*last.end()) + 1 == u32::from(port) => *last = *last.start()..=port,
        _ => ports.push(port..=port),
    }
}

/// 8 MiB of indices.
const MOST_NAMED: u64 = 1 << 20;
/// Each costs two walks through the shuffle.
const MOST_LOOKED_AT: u64 = 1 << 21;
