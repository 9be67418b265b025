//! The order of the walk, cut into blocks.
//!
//! ```text
//! index (plan) <-> position (shuffled) <-> place in this shard <-> rank in the present block
//! ```
//!
//! One bit per endpoint of the present block is all that is kept for it, so memory does not grow with the plan.

use crate::engine::interleave::Interleave;
use crate::plan::{Shard, Shuffle};

/// See the top of the file.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    shuffle: Shuffle,
    shard: Shard,
    /// Another order of the same endpoints.
    interleave: Option<Interleave>,
    /// Endpoints of this shard.
    len: u64,
    /// Endpoints of a block.
    block: u64,
    start: u64,
}

impl Order {
    pub fn new(shuffle: Shuffle, shard: Shard, block: u64) -> Self {
        Self {
            shuffle,
            shard,
            interleave: None,
            len: shard.len(shuffle.len()),
            block: block.max(1),
            start: 0,
        }
    }

    /// The same endpoints, host after host, where they are all in one block: shards, and blocks that an earlier run of the
    /// scan is through with, are parts of the usual order.
    pub fn interleaved(self, hosts: u64, ports: u64, seed: u64) -> Self {
        let whole = self.shard == Shard::WHOLE && self.len <= self.block;
        Self {
            interleave: whole.then(|| Interleave::new(hosts, ports, seed)),
            ..self
        }
    }

    /// Endpoints of this shard, in all blocks.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Endpoints of the present block.
    pub fn block_len(&self) -> u64 {
        (self.len - self.start).min(self.block)
    }

    /// Endpoints of the blocks after this one.
    pub fn left(&self) -> u64 {
        self.len - self.start - self.block_len()
    }

    /// Their indices in the plan, in no order.
    pub fn later(&self) -> impl Iterator<Item = u64> + '_ {
        let places = self.start + self.block_len()..self.len;
        places.map(|place| self.shuffle.index(self.shard.position(place)))
    }

    /// Whether this index of the plan is one of them.
    pub fn is_later(&self, index: u64) -> bool {
        let place = self.shard.rank(self.shuffle.position(index));
        self.left() > 0 && place.is_some_and(|place| place >= self.start + self.block_len())
    }

    /// Goes on to the next block; false when this was the last.
    pub fn next_block(&mut self) -> bool {
        let more = self.left() > 0;
        if more {
            self.start += self.block_len();
        }
        more
    }

    /// The plan's index of a rank of this block.
    pub fn index(&self, rank: u64) -> u64 {
        if let Some(order) = &self.interleave {
            return order.index(rank);
        }
        self.shuffle.index(self.shard.position(self.start + rank))
    }

    /// The rank of a plan's index; `None` if it belongs to another shard or block.
    pub fn rank(&self, index: u64) -> Option<u64> {
        if let Some(order) = &self.interleave {
            return (index < self.len).then(|| order.position(index));
        }
        let place = self.shard.rank(self.shuffle.position(index))?;
        let rank = place.checked_sub(self.start)?;
        (rank < self.block_len()).then_some(rank)
    }
}

/// Endpoints of a block where nothing else is asked for: 8 MiB of bits.
pub const BLOCK: u64 = 1 << 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_meet_every_endpoint_of_the_shard_once() {
        let n = BLOCK * 2 + 12_345;
        let shard = Shard::new(1, 3).expect("a shard");
        let mut order = Order::new(Shuffle::new(n, 7), shard, BLOCK);
        let mut met = 0;
        loop {
            for rank in (0..order.block_len()).step_by(10_007) {
                let index = order.index(rank);
                assert!(index < n);
                assert_eq!(order.rank(index), Some(rank));
            }
            met += order.block_len();
            if !order.next_block() {
                break;
            }
        }
        assert_eq!(met, shard.len(n));
    }

    #[test]
    fn what_comes_in_later_blocks_is_known_before_they_begin() {
        let mut order = Order::new(Shuffle::new(BLOCK + 5, 7), Shard::WHOLE, BLOCK);
        let later: Vec<u64> = order.later().collect();
        assert_eq!(later.len(), 5);
        for index in &later {
            assert!(order.is_later(*index) && order.rank(*index).is_none());
        }
        assert!(!order.is_later(order.index(0)));
        assert!(order.next_block());
        let here: Vec<u64> = (0..5).map(|rank| order.index(rank)).collect();
        assert_eq!(here, later);
        assert!(order.later().next().is_none());
        assert!(!order.is_later(here[0]));
    }
}
