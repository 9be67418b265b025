//! How a scan is steered while it runs, from other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// Asks a running scan to end; may be shared with a signal handler's thread.
///
/// The first [`ask`](Stop::ask) stops sending, hears what is in flight for at most two seconds and ends; the second ends at
/// once.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Asks it, once more each time.
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was asked.
    pub fn asked(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Steers a running scan: ends it, pauses it, sets its pace. Copies steer the same scan; what they ask for is noticed within
/// a tenth of a second.
///
/// ```
/// use halfopen::scan::Control;
///
/// let control = Control::default();
/// let other = control.clone(); // for another thread
/// other.pause();
/// assert!(control.is_paused());
/// other.resume();
/// other.limit(500);
/// assert_eq!(control.limited_to(), Some(500));
/// control.stop().ask();
/// ```
#[derive(Clone, Default, Debug)]
pub struct Control {
    stop: Stop,
    wishes: Arc<Wishes>,
}

#[derive(Default, Debug)]
struct Wishes {
    paused: AtomicBool,
    /// 0: not asked for.
    rate: AtomicU32,
}

impl Control {
    /// The part that ends the scan.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The same wishes, but ended by another.
    pub(super) fn with_stop(&self, stop: Stop) -> Self {
        Self {
            stop,
            wishes: Arc::clone(&self.wishes),
        }
    }

    /// Nothing new is sent until [`resume`](Self::resume); answers go on being heard, and no endpoint is judged for a silence
    /// that the pause explains. Kernel connects under way go on, with the kernel's own repeats. A scan that is asked to
    /// [stop](Self::stop) ends all the same.
    pub fn pause(&self) {
        self.wishes.paused.store(true, Ordering::Relaxed);
    }

    /// Ends a pause; nothing happens where there is none.
    pub fn resume(&self) {
        self.wishes.paused.store(false, Ordering::Relaxed);
    }

    pub fn is_paused(&self) -> bool {
        self.wishes.paused.load(Ordering::Relaxed)
    }

    /// From now on at most this many probes per second (1 at the least), whatever answers; it takes the place of every
    /// ceiling that the scan began with, and may be higher.
    pub fn limit(&self, rate: u32) {
        self.wishes.rate.store(rate.max(1), Ordering::Relaxed);
    }

    /// What it was last [limited](Self::limit) to.
    pub fn limited_to(&self) -> Option<u32> {
        Some(self.wishes.rate.load(Ordering::Relaxed)).filter(|rate| *rate > 0)
    }
}
