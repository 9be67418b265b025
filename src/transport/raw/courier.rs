//! A second thread that sends: most of what a packet costs is the kernel's work below sendmmsg, and that can be done on two
//! cores at once (measured: twice the packets of one).
//!
//! Whole batches only. They exist where the loop is asked for more than it can send by itself; below that everything leaves
//! by the loop's own thread, in order and at its time. The loop sends itself whatever the courier has no hand free for.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::outbox::{BATCH, Exits, Outbox, Sent};
use super::refused::local_fault;
use super::sender::BACK_OFF;
use crate::model::{Departure, Observation, Probe};
use crate::transport::clock::Clock;
use crate::transport::departed::Departed;

/// Batches that may wait beside the one that is being sent: enough that the courier need not sleep between two.
const WAITING: usize = 1;

pub(super) struct Courier {
    shared: Arc<Shared>,
    /// Empty outboxes, to be given for full ones.
    spare: Vec<Parcel>,
    thread: Option<JoinHandle<()>>,
}

/// A batch and the probes that are in it, in the same order.
pub(super) struct Parcel {
    pub(super) outbox: Outbox,
    pub(super) probes: Vec<Probe>,
}

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    work: Condvar,
    sent: AtomicU64,
}

#[derive(Default)]
struct Desk {
    waiting: VecDeque<Parcel>,
    /// One is on its way and not back yet.
    out: bool,
    back: Vec<Parcel>,
    faults: Vec<Observation>,
    departed: Departed,
    closing: bool,
}

impl Courier {
    /// Starts the thread.
    ///
    /// # Errors
    /// The kernel's, when no thread can be made.
    pub(super) fn start(exits: Exits, clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("courier".into());
        let thread = thread.spawn(move || theirs.run(&exits, clock))?;
        Ok(Self {
            shared,
            spare: (0..=WAITING + 1).map(|_| Parcel::new()).collect(),
            thread: Some(thread),
        })
    }

    /// Takes a full outbox and leaves an empty one, if there is a hand free.
    pub(super) fn take(&mut self, outbox: &mut Outbox, probes: &[Probe]) -> Taken {
        let mut desk = self.shared.lock();
        self.spare.append(&mut desk.back);
        if desk.waiting.len() >= WAITING {
            return Taken::No;
        }
        let Some(mut parcel) = self.spare.pop() else {
            return Taken::No;
        };
        std::mem::swap(&mut parcel.outbox, outbox);
        parcel.probes.extend_from_slice(probes);
        desk.waiting.push_back(parcel);
        drop(desk);
        self.shared.work.notify_one();
        Taken::Yes
    }

    /// Whether everything that was given has left.
    pub(super) fn is_idle(&self) -> bool {
        let desk = self.shared.lock();
        !desk.out && desk.waiting.is_empty()
    }

    pub(super) fn take_faults(&self, out: &mut Vec<Observation>) {
        out.append(&mut self.shared.lock().faults);
    }

    pub(super) fn tell_departures(&self) {
        self.shared.lock().departed.tell();
    }

    pub(super) fn departures(&self, out: &mut Vec<Departure>) {
        self.shared.lock().departed.take(out);
    }

    pub(super) fn packets_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

/// Whether a batch was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    Yes,
    No,
}

impl Parcel {
    fn new() -> Self {
        Self {
            outbox: Outbox::new(),
            probes: Vec::with_capacity(BATCH),
        }
    }
}

impl Shared {
    fn run(&self, exits: &Exits, clock: Clock) {
        while let Some(mut parcel) = self.next() {
            let mut from = 0;
            let mut faults = Vec::new();
            while let Sent::NoRoom(at) = exits.send(
                &mut parcel.outbox,
                from,
                |taken| {
                    self.sent.fetch_add(taken as u64, Ordering::Relaxed);
                },
                |number, error| {
                    let probe = parcel.probes.get(number);
                    faults.extend(probe.map(|probe| local_fault(probe, clock.now(), error)));
                },
            ) {
                from = at;
                if self.pause(BACK_OFF) == Pause::Closing {
                    break;
                }
            }
            parcel.outbox.clear();
            let mut desk = self.lock();
            let left = parcel.probes.iter().map(|probe| probe.endpoint);
            desk.departed.note(left, || clock.now());
            parcel.probes.clear();
            desk.faults.append(&mut faults);
            desk.back.push(parcel);
            desk.out = false;
        }
    }

    /// The next batch; `None`: the end was asked for.
    fn next(&self) -> Option<Parcel> {
        let mut desk = self.lock();
        loop {
            if desk.closing {
                return None;
            }
            if let Some(parcel) = desk.waiting.pop_front() {
                desk.out = true;
                return Some(parcel);
            }
            desk = self.work.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sleeps while the kernel has no room, but not through the end.
    fn pause(&self, length: Duration) -> Pause {
        std::thread::sleep(length);
        if self.lock().closing {
            Pause::Closing
        } else {
            Pause::Over
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    Over,
    Closing,
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to send.
            let _ = thread.join();
        }
    }
}
