//! How long canaries are waited for.

use std::time::Duration;

/// How long a round is waited for: until `late`, or until `soon` where half of it have answered by then.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub soon: Duration,
    pub late: Duration,
}
