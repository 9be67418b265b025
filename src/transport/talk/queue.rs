//! Who is talked with next: in order, but with no host by more than a few at a time, and calling none more often than was
//! asked for. A call takes its place until it has left (see [`meter`](crate::model::meter)): a thread that was late with it is
//! waited for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{GLANCE, PER_HOST, Steer};
use crate::enrich::interview::Subject;
use crate::model::meter::{Meter, Spacing};
use crate::model::{Address, Time};
use crate::transport::clock::Clock;

/// The endpoints that are left.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

/// One that is to be talked with now.
#[derive(Debug)]
pub(super) struct Taken {
    pub subject: Subject,
    pub address: Address,
    /// When the time for its host is over.
    pub ends: Time,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Subject>,
    /// Of connections to one host.
    spacing: Option<Spacing>,
    hosts: BTreeMap<Address, Host>,
}

#[derive(Debug)]
struct Host {
    talks: usize,
    began: Time,
    /// Of the connections to it, where they are to keep a distance.
    meter: Meter,
    connections: u32,
}

impl Queue {
    /// With at most so many connections per second to one host.
    pub fn new(subjects: Vec<Subject>, host_rate: Option<u32>) -> Self {
        let state = State {
            waiting: subjects.into(),
            spacing: host_rate.map(Spacing::exact),
            hosts: BTreeMap::new(),
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// The next one whose host has room; waits for it. `None` when nobody is left or all is to end.
    pub fn take(&self, clock: Clock, steer: &(dyn Fn() -> Steer + Sync)) -> Option<Taken> {
        let mut state = self.lock();
        loop {
            let flow = steer();
            if flow == Steer::Stop || state.waiting.is_empty() {
                return None;
            }
            if let (Steer::Go, Some(taken)) = (flow, state.take(clock.now())) {
                return Some(taken);
            }
            let waited = self.changed.wait_timeout(state, GLANCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the next connection to this host may begin, or all is to end; how long it took. Who is let go ahead says
    /// when it has [`called`](Self::called).
    pub fn wait_for_slot(
        &self,
        address: Address,
        clock: Clock,
        steer: &(dyn Fn() -> Steer + Sync),
    ) -> Duration {
        let from = clock.now();
        let mut state = self.lock();
        loop {
            let now = clock.now();
            let Some(until) = state.closed_until(address, now) else {
                return now.since(from);
            };
            if steer() == Steer::Stop {
                return now.since(from);
            }
            let waited = self
                .changed
                .wait_timeout(state, until.since(now).min(GLANCE));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The connection to this host that was let go ahead has been asked for.
    pub fn called(&self, address: Address, clock: Clock) {
        self.lock().called(address, clock.now());
    }

    pub fn done(&self, address: Address) {
        if let Some(host) = self.lock().hosts.get_mut(&address) {
            host.talks = host.talks.saturating_sub(1);
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A talk that broke has left nothing half done here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, now: Time) -> Option<Taken> {
        let free = |subject: &Subject| {
            let host = self.hosts.get(&subject.endpoint.address);
            host.is_none_or(|host| host.talks < PER_HOST_AT_A_TIME)
        };
        let at = self.waiting.iter().position(free)?;
        let subject = self.waiting.remove(at)?;
        let address = subject.endpoint.address;
        let spacing = self.spacing;
        let host = self.hosts.entry(address).or_insert_with(|| Host {
            talks: 0,
            began: now,
            // The scan may have asked it a moment ago.
            meter: spacing.map_or(Meter::default(), |spacing| Meter::full(spacing, now)),
            connections: 0,
        });
        host.talks += 1;
        let every = spacing.map_or(Duration::ZERO, Spacing::gap);
        Some(Taken {
            subject,
            address,
            ends: host.began + PER_HOST + every * host.connections,
        })
    }

    /// When the next connection to this host may begin, if that is not now; now it counts.
    fn closed_until(&mut self, address: Address, now: Time) -> Option<Time> {
        let spacing = self.spacing?;
        let host = self.hosts.get_mut(&address)?;
        if host.meter.room(spacing, now) == 0 {
            return Some(host.meter.ready_at(spacing, now, 1));
        }
        host.meter.give(1);
        host.connections = host.connections.saturating_add(1);
        None
    }

    fn called(&mut self, address: Address, now: Time) {
        if let (Some(spacing), Some(host)) = (self.spacing, self.hosts.get_mut(&address)) {
            host.meter.left(spacing, now);
        }
    }
}

/// Talks with one host at a time.
const PER_HOST_AT_A_TIME: usize = 4;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::model::Endpoint;

    #[test]
    fn no_host_is_talked_with_by_more_than_a_few() {
        let subject = |host: u8, port| Subject {
            endpoint: Endpoint {
                address: Address::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host))),
                port,
            },
            host: String::new(),
            rtt: None,
            registered: None,
            random: 0,
        };
        let subjects = (1..=6)
            .map(|port| subject(1, port))
            .chain([subject(2, 9)])
            .collect();
        let queue = Queue::new(subjects, None);
        let clock = Clock::start();
        let go = || Steer::Go;
        let taken: Vec<u16> = (0..5)
            .filter_map(|_| queue.take(clock, &go))
            .map(|taken| taken.subject.endpoint.port)
            .collect();
        assert_eq!(taken, [1, 2, 3, 4, 9]);
        assert!(queue.lock().take(clock.now()).is_none());
        queue.done(subject(1, 0).endpoint.address);
        assert_eq!(
            queue
                .take(clock, &go)
                .map(|taken| taken.subject.endpoint.port),
            Some(5)
        );
        assert!(queue.take(clock, &|| Steer::Stop).is_none());
    }

    /// However many talks there are with a host, it is called no more often than was asked for.
    #[test]
    fn connections_to_one_host_keep_their_distance() {
        let host = |last| Address::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        let subjects = [1, 1, 2].map(|last| Subject {
            endpoint: Endpoint {
                address: host(last),
                port: 1,
            },
            host: String::new(),
            rtt: None,
            registered: None,
            random: 0,
        });
        let queue = Queue::new(subjects.to_vec(), Some(10));
        let mut state = queue.lock();
        let now = Time(5);
        while state.take(now).is_some() {}
        let tenth = Duration::from_millis(100);
        // Whoever waits may be that late.
        let almost = tenth - Duration::from_micros(500);
        // The scan has asked both a moment ago.
        let first = now + tenth;
        assert_eq!(state.closed_until(host(1), now), Some(first));
        assert_eq!(state.closed_until(host(1), first), None);
        // It is late: it has not left when the next one would be due.
        let late = first + tenth;
        assert_eq!(state.closed_until(host(1), late), Some(late + almost));
        assert_eq!(state.closed_until(host(2), late), None);
        state.called(host(1), late);
        assert_eq!(state.closed_until(host(1), late), Some(late + almost));
        assert_eq!(state.closed_until(host(1), late + tenth), None);
        state.called(host(1), late + tenth);
        // What was not used is not kept.
        let later = late + 10 * tenth;
        assert_eq!(state.closed_until(host(1), later), None);
        state.called(host(1), later);
        assert_eq!(state.closed_until(host(1), later), Some(later + almost));
    }
}
