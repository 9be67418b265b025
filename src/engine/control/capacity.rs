//! What a limiter lets in at most, if there is one.
//!
//! When all canaries of a silent host fail for the first time, either a limiter has let in what it could (a bucket of tokens,
//! a table of flows), or the path was dead for a moment. Whatever the limiter is, it was never as rested as when the scan
//! began: sent as fast once more, after a shorter rest, no more can come through than came through then. So that is tried: the
//! path goes at its full rate again, and canaries leave behind more than the limiter had let in the first time. If they
//! answer, there is no limiter, and the path loses in bursts. If not, there may be one, or another burst.
//!
//! An answer proves something only where it took no longer to send so many than it had the first time. What is tried at full
//! rate behind a limiter is sent in vain, so only small bounds are tried, and not often.

use std::time::Duration;

/// See the top of the file.
#[derive(Clone, Copy, Default, Debug)]
pub struct Capacity {
    bound: Option<Bound>,
    tries: u32,
    trial: Trial,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Trial {
    #[default]
    None,
    UnderWay,
}

/// What is thought to be at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suspicion {
    Limiter,
    Bursts,
}

/// Canaries behind so many probes, sent in this time, have failed.
#[derive(Clone, Copy, Debug)]
struct Bound {
    probes: u64,
    within: Duration,
}

impl Capacity {
    /// All canaries behind the first `probes` of a period have failed, which took `within` to send. Only the first time of a
    /// scan is heeded: the path was at rest before.
    pub fn failed(&mut self, (probes, within): (u64, Duration)) {
        self.bound.get_or_insert(Bound { probes, within });
        self.end_trial();
    }

    /// The path was not at rest before what is sent from now on, so that nothing of it is a bound: others have used it, or some
    /// canaries have failed and others have answered or were too few, which may be mere chance.
    pub fn void(&mut self) {
        self.failed((u64::MAX, Duration::ZERO));
    }

    /// What comes through now tells nothing of a limiter any more.
    pub fn end_trial(&mut self) {
        self.trial = Trial::None;
    }

    /// Whether it is being tried.
    pub fn is_tried(&self) -> bool {
        self.trial == Trial::UnderWay
    }

    /// The path carries again. Behind how many probes, sent at full rate, canaries would tell whether there is a limiter;
    /// `None` where it is not to be tried.
    pub fn try_again(&mut self, suspicion: Suspicion) -> Option<u64> {
        let bound = self.bound?;
        let most = match suspicion {
            Suspicion::Limiter => MOST_TRIES,
            Suspicion::Bursts => MOST_TRIES * 2,
        };
        if self.tries >= most || bound.probes > MOST_PROBES {
            return None;
        }
        self.tries += 1;
        self.trial = Trial::UnderWay;
        Some(bound.probes + MARGIN)
    }

    /// As many canaries as were expected to have answered behind the first `probes` since then, which took `within` to send.
    /// Whether no limiter does that.
    pub fn carried(&mut self, (probes, within): (u64, Duration)) -> bool {
        let more = |bound: Bound| probes > bound.probes && within <= bound.within;
        let refuted = self.trial == Trial::UnderWay && self.bound.is_some_and(more);
        if refuted {
            self.end_trial();
        }
        refuted
    }
}

/// Each costs as long a rest as a path takes on which canaries have failed.
const MOST_TRIES: u32 = 3;
/// Fewer than the flows that the smallest of routers has room for: it takes seconds until they are forgotten.
const MOST_PROBES: u64 = 2000;
const MARGIN: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(10);

    fn failed_first() -> Capacity {
        let mut capacity = Capacity::default();
        capacity.failed((128, FIRST));
        capacity
    }

    #[test]
    fn more_in_less_time_than_the_first_time_is_no_limiter() {
        let mut capacity = failed_first();
        assert!(!capacity.carried((500, FIRST)), "not tried yet");
        assert_eq!(capacity.try_again(Suspicion::Limiter), Some(128 + MARGIN));
        assert!(!capacity.carried((100, FIRST)));
        assert!(!capacity.carried((200, FIRST * 2)));
        assert!(capacity.carried((200, FIRST)));
    }

    #[test]
    fn what_came_through_after_a_shorter_rest_is_no_bound() {
        let mut capacity = failed_first();
        capacity.try_again(Suspicion::Limiter);
        capacity.failed((10, FIRST));
        assert_eq!(capacity.try_again(Suspicion::Limiter), Some(128 + MARGIN));
        assert!(!capacity.carried((100, FIRST)));
    }

    #[test]
    fn a_limiter_is_not_tried_for_ever_nor_with_many_probes() {
        let mut capacity = failed_first();
        let mut tries = |suspicion| {
            let tried = (0..10).filter(|_| capacity.try_again(suspicion).is_some());
            tried.count() as u32
        };
        assert_eq!(tries(Suspicion::Limiter), MOST_TRIES);
        assert_eq!(tries(Suspicion::Bursts), MOST_TRIES);
        let mut partly = Capacity::default();
        partly.void();
        partly.failed((10, FIRST));
        assert_eq!(partly.try_again(Suspicion::Limiter), None);
        let mut large = Capacity::default();
        large.failed((MOST_PROBES + 1, FIRST));
        assert_eq!(large.try_again(Suspicion::Limiter), None);
    }
}
