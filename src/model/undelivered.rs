//! What a machine took in and handed to nobody.

/// Packets, counted from any beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Undelivered {
    /// Neither delivered to a protocol of this machine, nor forwarded, nor refused for what they were.
    pub missing: i64,
    /// Taken in for many hosts at once (multicast, broadcast), whatever became of them.
    pub for_many: i64,
}

impl Undelivered {
    /// How many more there are than `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            missing: self.missing.saturating_sub(before.missing),
            for_many: self.for_many.saturating_sub(before.for_many),
        }
    }

    /// How many are missing.
    pub fn all(self) -> u64 {
        u64::try_from(self.missing).unwrap_or(0)
    }

    /// How many at the least were for this machine alone.
    pub fn for_one(self) -> u64 {
        u64::try_from(self.missing.saturating_sub(self.for_many)).unwrap_or(0)
    }
}
