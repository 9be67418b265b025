//! How many attempts can be under way at a time: what the descriptor limit leaves.

use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors left for the rest of the program: outputs, resolver, a terminal.
const SPARE: u64 = 30;

/// The window where there is no limit at all: more sockets would only fill the kernel's memory.
const MOST: u64 = 60_000;

/// How many descriptors this process may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// In force now; `None`: no limit.
    pub soft: Option<u64>,
    /// As far as a scan raises the soft one; `None`: no limit.
    pub hard: Option<u64>,
    /// Connects that can be under way at a time after that.
    pub connects: NonZeroUsize,
}

/// Looks, and raises nothing.
pub fn limits() -> Limits {
    let limit = getrlimit(Resource::Nofile);
    Limits {
        soft: limit.current,
        hard: limit.maximum,
        connects: size(limit.maximum, open()),
    }
}

/// Raises the soft limit to the hard one and returns the number of attempts that fit, at least one.
pub(super) fn window() -> NonZeroUsize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(_) => limit.current,
    };
    size(limit, open())
}

/// Descriptors that are open now.
fn open() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(16, |list| list.count() as u64)
}

/// A limit so low that the spare takes half of what is free gives up the spare by halves: slow, but right.
fn size(limit: Option<u64>, open: u64) -> NonZeroUsize {
    let free = limit.unwrap_or(MOST).min(MOST).saturating_sub(open);
    let window = free.saturating_sub(SPARE).max(free / 2).max(1);
    usize::try_from(window)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(NonZeroUsize::MIN)
}

/// Splits the window; as many shares as threads, or fewer where it is smaller than that.
pub(super) fn share_out(window: NonZeroUsize, threads: NonZeroUsize) -> Vec<usize> {
    let shares = window.min(threads).get();
    (0..shares)
        .map(|share| window.get() / shares + usize::from(share < window.get() % shares))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_leaves_a_spare_and_is_never_nothing() {
        let window = |limit, open| size(limit, open).get();
        assert_eq!(window(Some(20_000), 12), 19_958);
        assert_eq!(window(Some(64), 10), 27);
        assert_eq!(window(Some(16), 10), 3);
        assert_eq!(window(Some(4), 10), 1);
        assert_eq!(window(None, 10), 59_960);
    }

    #[test]
    fn the_window_is_shared_out_whole_and_no_worker_gets_nothing() {
        let shares = |window, threads| {
            let nonzero = |n| NonZeroUsize::new(n).expect("positive");
            share_out(nonzero(window), nonzero(threads))
        };
        assert_eq!(shares(10, 3), [4, 3, 3]);
        assert_eq!(shares(2, 3), [1, 1]);
        assert_eq!(shares(1, 1), [1]);
    }
}
