//! What crosses between the caller's thread and the workers: jobs one way, observations the other. Both bounded.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};

use crate::model::{Departure, Endpoint, Observation, Time};
use crate::transport::clock::Clock;
use crate::transport::departed::Departed;

/// A probe as a worker keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Job {
    pub endpoint: Endpoint,
    pub attempt: u16,
    pub patience: Duration,
    /// How often it met ourselves instead of the target.
    pub doubts: u8,
    /// When it was first refused a source port.
    pub parked: Option<Time>,
    /// When it was taken.
    pub given: Time,
}

/// Jobs that wait for a worker at the most, however quick it is.
const MOST_WAITING: usize = 1024;
/// Nor more than it starts in so long: what is asked leaves when the engine thinks that it does, or not long after.
const WAIT: Duration = Duration::from_millis(5);
const LEAST_WAITING: usize = 64;

/// One worker's jobs.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<InboxState>,
    wake: OwnedFd,
    /// Jobs taken and not yet answered.
    load: AtomicUsize,
    /// Those of them that are not started.
    waiting: AtomicUsize,
    /// Jobs that the worker can have under way at a time.
    share: AtomicUsize,
    /// Jobs that may wait, by how quick the worker is.
    depth: AtomicUsize,
    /// When the job was taken that is to be started next, in nanoseconds of the clock; [`NONE`] where there is none. Written
    /// under the lock.
    oldest: AtomicU64,
    /// How long the one had waited that waited longest of those that were started, in nanoseconds, since that was asked for.
    waited: AtomicU64,
    /// Jobs that wait for a source port: others need not wait for those.
    parked: AtomicUsize,
}

const NONE: u64 = u64::MAX;

#[derive(Debug, Default)]
struct InboxState {
    jobs: VecDeque<Job>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Mode {
    #[default]
    Awake,
    Asleep,
    Stopped,
}

/// What the worker finds when it asks for jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Work,
    Stop,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            state: Mutex::default(),
            wake: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            load: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            share: AtomicUsize::new(0),
            depth: AtomicUsize::new(MOST_WAITING),
            oldest: AtomicU64::new(NONE),
            waited: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
        })
    }

    /// How many jobs fit.
    pub(super) fn room(&self) -> usize {
        let free = self
            .share()
            .saturating_sub(self.load.load(Ordering::Relaxed));
        let parked = self.parked.load(Ordering::Relaxed);
        let waiting = self.waiting.load(Ordering::Relaxed);
        let depth = self.depth.load(Ordering::Relaxed);
        free.min(depth.saturating_sub(waiting))
            .min(MOST_WAITING.saturating_sub(parked))
    }

    /// How long the next job has waited that is not started.
    pub(super) fn late(&self, now: Time) -> Duration {
        now.since(Time(self.oldest.load(Ordering::Relaxed)))
    }

    /// Jobs that can be under way at a time.
    pub(super) fn share(&self) -> usize {
        self.share.load(Ordering::Relaxed)
    }

    /// Caller's side: adds jobs and wakes the worker if it sleeps.
    pub(super) fn put(&self, jobs: impl ExactSizeIterator<Item = Job>) {
        let added = jobs.len();
        self.load.fetch_add(added, Ordering::Relaxed);
        self.waiting.fetch_add(added, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.jobs.extend(jobs);
        if self.oldest.load(Ordering::Relaxed) == NONE {
            self.note_oldest(&state.jobs);
        }
        if state.mode == Mode::Asleep {
            state.mode = Mode::Awake;
            drop(state);
            self.ring();
        }
    }

    /// Caller's side: ends the worker.
    pub(super) fn stop(&self) {
        lock(&self.state).mode = Mode::Stopped;
        self.ring();
    }

    /// Worker's side: moves all jobs to `jobs`, if that is empty.
    pub(super) fn take(&self, jobs: &mut VecDeque<Job>) -> Order {
        let mut state = lock(&self.state);
        if state.mode == Mode::Stopped {
            return Order::Stop;
        }
        state.mode = Mode::Awake;
        if jobs.is_empty() {
            std::mem::swap(&mut state.jobs, jobs);
        }
        Order::Work
    }

    /// Worker's side: announces that it goes to sleep; the next job then writes to [`Inbox::bell`]. Whether it may.
    pub(super) fn may_sleep(&self) -> bool {
        let mut state = lock(&self.state);
        if state.mode == Mode::Stopped || !state.jobs.is_empty() {
            return false;
        }
        state.mode = Mode::Asleep;
        true
    }

    /// The descriptor that becomes readable when the worker has to wake up.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// How long the one had waited that waited longest of those that were started since this was asked; `None` where none was.
    pub(super) fn waited(&self) -> Option<Duration> {
        let waited = self.waited.swap(0, Ordering::Relaxed);
        (waited > 0).then(|| Duration::from_nanos(waited))
    }

    /// Worker's side: this many jobs were started, which took so long, and of which one had waited so long. Whether there is
    /// much room for others.
    pub(super) fn started(&self, count: usize, took: Duration, waited: Duration) -> bool {
        self.waited
            .fetch_max(waited.as_nanos() as u64, Ordering::Relaxed);
        let share = WAIT.as_secs_f64() / took.as_secs_f64().max(1e-9);
        let depth = (count as f64 * share) as usize;
        let depth = depth.clamp(LEAST_WAITING, MOST_WAITING);
        self.depth.store(depth, Ordering::Relaxed);
        let waiting = self.waiting.fetch_sub(count, Ordering::Relaxed);
        waiting.saturating_sub(count) < depth / 2
    }

    /// Worker's side: what was started has been looked at, and these it has yet to start.
    pub(super) fn left(&self, backlog: &VecDeque<Job>) {
        let state = lock(&self.state);
        let next = if backlog.is_empty() {
            &state.jobs
        } else {
            backlog
        };
        self.note_oldest(next);
    }

    fn note_oldest(&self, jobs: &VecDeque<Job>) {
        let given = jobs.front().map_or(NONE, |job| job.given.0);
        self.oldest.store(given, Ordering::Relaxed);
    }

    /// Worker's side: a job that was started waits for a source port.
    pub(super) fn parks(&self) {
        self.parked.fetch_add(1, Ordering::Relaxed);
    }

    /// Worker's side: it waits for us again.
    pub(super) fn unparks(&self) {
        self.parked.fetch_sub(1, Ordering::Relaxed);
        self.waits_again();
    }

    /// Worker's side: a job waits again.
    pub(super) fn waits_again(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Worker's side: this many jobs are answered.
    pub(super) fn answered(&self, count: usize) {
        self.load.fetch_sub(count, Ordering::Relaxed);
    }

    /// Worker's side: the window grew or shrank.
    pub(super) fn set_share(&self, share: usize) {
        self.share.store(share, Ordering::Relaxed);
    }

    fn ring(&self) {
        // The only failure is a counter near overflow, and then the bell rings already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// What all workers saw, for the caller.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<OutboxState>,
    news: Condvar,
    room_wanted: AtomicBool,
    departures_wanted: AtomicBool,
    departures: Mutex<Vec<Departure>>,
    /// SYNs that left, as far as attempts have ended.
    packets: AtomicUsize,
    /// Sockets that workers hold and wait for.
    under_way: AtomicUsize,
    /// When any worker last got a socket, in nanoseconds of the clock.
    last_start: AtomicU64,
}

#[derive(Debug, Default)]
struct OutboxState {
    observations: Vec<Observation>,
    room_made: bool,
    reader_waits: bool,
}

impl Outbox {
    /// Worker's side: hands over observations, for which `packets` SYNs left.
    pub(super) fn put(&self, observations: &mut Vec<Observation>, packets: usize) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.observations.append(observations);
        self.tell(state);
    }

    /// Worker's side: jobs were started, so more fit.
    pub(super) fn make_room(&self) {
        if self.room_wanted.swap(false, Ordering::Relaxed) {
            let mut state = lock(&self.state);
            state.room_made = true;
            self.tell(state);
        }
    }

    /// Caller's side: from now on workers tell what has left.
    pub(super) fn tell_departures(&self) {
        // Workers see it with the next jobs at the latest: those cross under a lock.
        self.departures_wanted.store(true, Ordering::Relaxed);
    }

    /// Worker's side: has it note what leaves, if anybody wants to know.
    pub(super) fn ask_for_departures(&self, departed: &mut Departed) {
        if self.departures_wanted.load(Ordering::Relaxed) {
            departed.tell();
        }
    }

    /// Worker's side: hands over what has left.
    pub(super) fn put_departures(&self, departed: &mut Departed) {
        if !departed.is_empty() {
            departed.take(&mut lock(&self.departures));
        }
    }

    /// Caller's side: moves what has left to `out`.
    pub(super) fn departures(&self, out: &mut Vec<Departure>) {
        out.append(&mut lock(&self.departures));
    }

    /// Worker's side: it waits for one socket more.
    pub(super) fn holds_one_more(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// Worker's side: it waits for one socket less.
    pub(super) fn holds_one_less(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Worker's side: it got a socket.
    pub(super) fn got_a_socket(&self, now: Time) {
        self.last_start.fetch_max(now.0, Ordering::Relaxed);
    }

    /// Since when no worker has got a socket or waits for one; `None` while one does. A worker that finds nothing may have
    /// lost a race to the others: only when all of them stand still is the shortage not of our own making.
    pub(super) fn stands_still_since(&self) -> Option<Time> {
        let idle = self.under_way.load(Ordering::Relaxed) == 0;
        idle.then(|| Time(self.last_start.load(Ordering::Relaxed)))
    }

    /// Caller's side: asks to be woken by [`Outbox::make_room`].
    pub(super) fn want_room(&self) {
        self.room_wanted.store(true, Ordering::Relaxed);
    }

    /// Caller's side: moves what is there to `out` and returns how much; sleeps until `until` while there is nothing.
    pub(super) fn take(&self, clock: Clock, until: Time, out: &mut Vec<Observation>) -> usize {
        let mut state = lock(&self.state);
        loop {
            let count = state.observations.len();
            if count > 0 {
                out.append(&mut state.observations);
                return count;
            }
            let left = until.since(clock.now());
            if std::mem::take(&mut state.room_made) || left.is_zero() {
                return 0;
            }
            state.reader_waits = true;
            // A wait without end is cut into hours: the condition variable adds it to the clock.
            let left = left.min(Duration::from_secs(3600));
            state = self
                .news
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.reader_waits = false;
        }
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed) as u64
    }

    fn tell(&self, state: MutexGuard<'_, OutboxState>) {
        let waits = state.reader_waits;
        drop(state);
        if waits {
            self.news.notify_one();
        }
    }
}

/// A worker that panicked leaves whole values behind: each critical section is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn jobs(count: usize, given: Time) -> impl ExactSizeIterator<Item = Job> {
        (0..count).map(move |port| Job {
            endpoint: Endpoint {
                address: Address::new([127, 0, 0, 1].into()),
                port: port as u16,
            },
            attempt: 0,
            patience: Duration::from_secs(3),
            doubts: 0,
            parked: None,
            given,
        })
    }

    /// On a slow machine 1,024 connects took 30 ms, and what waited behind them was taken for lost.
    #[test]
    fn no_more_waits_than_a_slow_worker_starts_in_a_moment() {
        let inbox = Inbox::new().expect("a bell");
        inbox.set_share(10_000);
        assert_eq!(inbox.room(), MOST_WAITING);
        inbox.put(jobs(100, Time(1)));
        for (took, depth) in [(2_000, 160), (50_000, 64), (500, 640), (10, MOST_WAITING)] {
            inbox.put(jobs(64, Time(1)));
            assert_eq!(
                inbox.started(64, Duration::from_micros(took), Duration::ZERO),
                100 < depth / 2
            );
            assert_eq!(inbox.room(), depth.saturating_sub(100));
        }
    }

    #[test]
    fn what_waits_longest_tells_how_late_a_worker_is() {
        let inbox = Inbox::new().expect("a bell");
        let mut backlog = VecDeque::new();
        assert_eq!(inbox.late(Time(9)), Duration::ZERO);
        inbox.put(jobs(2, Time(3)));
        inbox.put(jobs(1, Time(5)));
        assert_eq!(inbox.late(Time(9)), Duration::from_nanos(6));
        inbox.take(&mut backlog);
        // They are started, and looked at as well before they are left.
        backlog.drain(..2);
        assert_eq!(inbox.late(Time(9)), Duration::from_nanos(6));
        inbox.left(&backlog);
        assert_eq!(inbox.late(Time(9)), Duration::from_nanos(4));
        inbox.put(jobs(1, Time(8)));
        backlog.clear();
        inbox.left(&backlog);
        assert_eq!(inbox.late(Time(9)), Duration::from_nanos(1));
        inbox.take(&mut backlog);
        backlog.clear();
        inbox.left(&backlog);
        assert_eq!(inbox.late(Time(9)), Duration::ZERO);
    }
}
