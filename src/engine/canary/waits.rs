//! How long canaries are waited for.

use std::time::Duration;

/// How long a round is waited for: until `late`, or until `soon` where half of it have answered by then. `lag` is what our own
/// side is late by, as far as they reckon with it.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub soon: Duration,
    pub late: Duration,
    pub lag: Duration,
}
