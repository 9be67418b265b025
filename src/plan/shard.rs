//! One scan on several machines: each takes every n-th position of the same order.

use super::mistake::{Mistake, quote};

/// One part of a scan: the positions p with p mod count = index. The shards 0..count of the same (n, key) partition
/// it, and because positions are shuffled each is a fair sample of the whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// The only shard of a scan that is not divided.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Shard `index` (from 0) of `count`; `None` unless `index < count`.
    pub fn new(index: u64, count: u64) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Reads `I/N` as the command line has it, where I counts from 1.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        text.split_once('/')
            .and_then(|(index, count)| {
                let digits = |part: &str| {
                    part.bytes()
                        .all(|byte| byte.is_ascii_digit())
                        .then(|| part.parse::<u64>().ok())
                };
                let index = digits(index)??.checked_sub(1)?;
                Self::new(index, digits(count)??)
            })
            .ok_or_else(|| {
                Mistake::new(format!(
                    "no such shard: {}; shards are written I/N with I from 1 to N, or auto",
                    quote(text)
                ))
            })
    }

    /// Which shard, from 0.
    pub fn index(self) -> u64 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> u64 {
        self.count
    }

    /// How many of the positions 0..n are this shard's. They are numbered by *rank*, 0 to this.
    pub fn len(self, n: u64) -> u64 {
        // Positions below n: index, index + count, ..; none when index >= n.
        n.saturating_sub(self.index).div_ceil(self.count)
    }

    /// The position of rank `rank`. It lies below n when `rank < len(n)`; it saturates where no such position exists.
    pub fn position(self, rank: u64) -> u64 {
        rank.saturating_mul(self.count).saturating_add(self.index)
    }

    /// The rank of `position`, `None` when another shard has it.
    pub fn rank(self, position: u64) -> Option<u64> {
        (position % self.count == self.index).then(|| position / self.count)
    }
}
