//! What a scan does where nothing else is asked for.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::engine::confirm::Confirm;
use crate::engine::pace::Ceiling;
use crate::engine::{Asking, BLOCK, Config};
use crate::plan::Shard;
use crate::scan::{Mode, Options, Ping};
use crate::transport::raw::SendPath;

/// The best mode that is to be had, the whole plan in the order of seed 0, three seconds of patience, at most 20 attempts,
/// less than 0.01 open ports expected to be missed, no ceiling but those that the routes suggest, one connect worker
/// per core.
impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            seed: 0,
            shard: Shard::WHOLE,
            rate: None,
            host_rate: None,
            patience: Duration::from_secs(3),
            max_attempts: 20,
            miss_budget: 0.01,
            max_time: None,
            ping: Ping::Never,
            confirm: Confirm::Auto,
            threads: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            send_path: SendPath::Ip,
            interface: None,
            source: None,
            identify: None,
        }
    }
}

impl Config {
    /// The same for an engine that asks in this way, under one ceiling in both modes.
    pub fn new(asking: Asking, ceiling: Ceiling) -> Self {
        let options = Options::default();
        Self {
            asking,
            seed: options.seed,
            shard: options.shard,
            block: BLOCK,
            patience: options.patience,
            max_attempts: options.max_attempts,
            miss_budget: options.miss_budget,
            ceiling,
            connect_ceiling: ceiling,
            confirm: options.confirm,
        }
    }
}
