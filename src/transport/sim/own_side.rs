//! The scanner's own packet filter, as far as it drops what comes in.

use std::time::Duration;

use crate::model::{Address, Time, Undelivered};
use crate::transport::sim::dice::Dice;

/// What is dropped between the capture and the sockets.
#[derive(Clone, Debug, Default)]
pub struct OwnSide {
    /// All that comes from these.
    pub drops: Vec<Address>,
    /// And what has nothing to do with the scan: clumps per second, each of one packet to so many.
    pub noise: Option<(f64, u64)>,
}

/// The same, with what it has dropped.
pub(super) struct Filter {
    own: OwnSide,
    dropped: i64,
    next: Time,
    dice: Dice,
}

impl Filter {
    pub(super) fn new(own: OwnSide, seed: u64) -> Self {
        Self {
            own,
            dropped: 0,
            next: Time::ZERO,
            dice: Dice::new(seed),
        }
    }

    /// Whether a packet from there reaches a socket.
    pub(super) fn passes(&mut self, from: &Address) -> bool {
        let dropped = self.own.drops.contains(from);
        self.dropped += i64::from(dropped);
        !dropped
    }

    /// Packets that were taken in and handed to nobody.
    pub(super) fn undelivered(&mut self, now: Time) -> Undelivered {
        if let Some((rate, most)) = self.own.noise {
            while self.next <= now {
                let gap = -(1.0 - self.dice.share()).ln() / rate;
                self.next = self.next + Duration::from_secs_f64(gap);
                self.dropped += 1 + (self.dice.next() % most) as i64;
            }
        }
        Undelivered {
            missing: self.dropped,
            for_many: 0,
        }
    }
}
