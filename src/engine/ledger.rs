//! What is kept of the endpoints of the present block.

use crate::engine::bitmap::Bitmap;
use crate::engine::evidence::Evidence;

/// Bits by rank, and notes where there are any.
pub struct Ledger {
    pub answered: Bitmap,
    /// By kernel connect: silent endpoints that were or are being listened to for the whole patience, and those of which
    /// something is noted.
    pub settled: Bitmap,
    pub evidence: Evidence,
}

impl Ledger {
    /// `settled` is kept only where connects need it.
    pub fn new(len: u64, settled: Settled) -> Self {
        let settled = match settled {
            Settled::Kept => len,
            Settled::NotKept => 0,
        };
        Self {
            answered: Bitmap::new(len),
            settled: Bitmap::new(settled),
            evidence: Evidence::default(),
        }
    }
}

/// Whether [`Ledger::settled`] is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    Kept,
    NotKept,
}
