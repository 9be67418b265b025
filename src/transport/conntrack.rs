//! How many more connections this machine's own connection tracking can remember.

/// The table of tracked connections, where the kernel has one and lets it be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// Entries that it may hold (nf_conntrack_max).
    pub most: u64,
    /// Entries that it holds now (nf_conntrack_count).
    pub taken: u64,
}

impl Table {
    /// Reads it; `None` where nothing is tracked, or where there is no /proc.
    pub fn read() -> Option<Self> {
        Some(Self {
            most: number("/proc/sys/net/netfilter/nf_conntrack_max")?,
            taken: number("/proc/sys/net/netfilter/nf_conntrack_count")?,
        })
    }

    /// Entries that are left.
    pub fn room(self) -> u64 {
        self.most.saturating_sub(self.taken)
    }
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
