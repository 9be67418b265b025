//! What an answer was to, and how answers are counted.

/// Which answers are counted: SYN-ACKs alone where the host limits its resets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    All,
    Open,
}

/// What the answer to an attempt was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// To this attempt (0 for the first).
    To(u16),
    /// To this attempt; one before it did not ask this endpoint.
    Skipping { to: u16, skipped: u16 },
    /// By the server's own repeat, when this attempt was the latest: all up to it were lost.
    Repeated(u16),
    /// To something beside the attempts, when this was the latest: all up to it were lost.
    Beside(u16),
    /// To what was asked once more because nothing was heard of its host, when this was the latest: all up to it were lost.
    Sought(u16),
    /// Nobody can tell.
    Unknown,
}

impl Came {
    /// The attempt, where an attempt was answered.
    pub fn attempt(self) -> Option<u16> {
        match self {
            Self::To(attempt) | Self::Skipping { to: attempt, .. } => Some(attempt),
            Self::Sought(latest) => Some(latest + 1),
            Self::Repeated(_) | Self::Beside(_) | Self::Unknown => None,
        }
    }
}

/// Of all answers, and of SYN-ACKs alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub all: u64,
    pub open: u64,
}

impl Count {
    pub fn take(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        self.all += other.all;
        self.open += other.open;
    }

    pub fn add(&mut self, counted: Counted) {
        self.all += 1;
        self.open += u64::from(counted == Counted::Open);
    }
}
