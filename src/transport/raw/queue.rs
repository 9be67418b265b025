//! From the receiver thread to the loop: bounded, and what finds it full is counted.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::model::Observation;

/// An observation, and what the loop's side still needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub observation: Observation,
    /// Index of the interface that it came in by.
    pub interface: u32,
    /// The address of ours that it came to.
    pub to: IpAddr,
}

/// More than a ring holds twice, so that a loop that is late loses nothing that the kernel had room for.
const CAPACITY: usize = 65_536;

#[derive(Default)]
pub(super) struct Queue {
    arrivals: Mutex<Vec<Arrival>>,
    filled: Condvar,
    overflow: AtomicU64,
    strays: AtomicU64,
}

impl Queue {
    /// Moves a batch in, as far as there is room.
    pub(super) fn push(&self, batch: &mut Vec<Arrival>) {
        if batch.is_empty() {
            return;
        }
        {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = batch.len().min(CAPACITY.saturating_sub(arrivals.len()));
            let lost = batch.len() - fits;
            self.overflow.fetch_add(lost as u64, Ordering::Relaxed);
            arrivals.extend(batch.drain(..fits));
        }
        batch.clear();
        self.filled.notify_one();
    }

    /// Moves everything out into `into`, which is empty; waits up to `patience` while there is nothing.
    pub(super) fn take(&self, patience: Duration, into: &mut Vec<Arrival>) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.is_empty() && !patience.is_zero() {
            // A futex wait with an absolute deadline: good to the timer slack of 50 us.
            (arrivals, _) = self
                .filled
                .wait_timeout_while(arrivals, patience, |arrivals| arrivals.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut *arrivals, into);
    }

    pub(super) fn add_strays(&self, count: u64) {
        self.strays.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    pub(super) fn overflow(&self) -> u64 {
        self.overflow.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Endpoint, Seen, Source, Time};

    fn arrival(port: u16) -> Arrival {
        Arrival {
            observation: Observation {
                endpoint: Endpoint {
                    address: Address::new([127, 0, 0, 1].into()),
                    port,
                },
                source: Source::Flow(0),
                at: Time::ZERO,
                seen: Seen::Rst { ttl: 64 },
            },
            interface: 1,
            to: [127, 0, 0, 1].into(),
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let queue = Queue::default();
        for _ in 0..2 {
            let mut batch = vec![arrival(1); CAPACITY / 2 + 5];
            queue.push(&mut batch);
            assert!(batch.is_empty());
        }
        assert_eq!(queue.overflow(), 10);
        let mut out = Vec::new();
        queue.take(Duration::ZERO, &mut out);
        assert_eq!(out.len(), CAPACITY);
    }

    #[test]
    fn a_push_ends_the_wait() {
        let queue = Queue::default();
        let mut out = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push(&mut vec![arrival(7)]));
            queue.take(Duration::from_secs(60), &mut out);
        });
        assert_eq!(out.len(), 1);
    }
}
