//! How many SYNs per second one host gets, whoever sends them: walks, canaries, confirmations, witnesses.
//!
//! Each host that was asked a moment ago has a bucket (the time at which it is full again, as in GCRA), and loses it when it
//! is full. A walk stops in front of a host whose bucket is empty: send times are kept by place in the walk, so nothing may be
//! passed over and come back to. What is asked beside the walks is held back until its host may be asked, and goes first then.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::pace::Ceiling;
use crate::model::{Probe, Time};

/// See the top of the file. Without a ceiling it keeps nothing and allows everything.
pub struct HostRate {
    ceiling: Option<Ceiling>,
    now: Time,
    /// When the bucket of a host is full again.
    full: HashMap<u64, Time>,
    /// The same in the order of sending, to forget them by.
    recent: VecDeque<(Time, u64)>,
    /// Probes whose hosts may not be asked yet, and when the first of them may be.
    held: VecDeque<Probe>,
    due: Time,
    /// Lanes that stand before such a host, and until when.
    waiting: HashMap<usize, Time>,
}

impl Default for HostRate {
    fn default() -> Self {
        Self {
            ceiling: None,
            now: Time::ZERO,
            full: HashMap::new(),
            recent: VecDeque::new(),
            held: VecDeque::new(),
            due: Time::NEVER,
            waiting: HashMap::new(),
        }
    }
}

impl HostRate {
    /// How much longer canaries may take to answer because their hosts may not be asked at once.
    pub fn canaries_wait(&self) -> Duration {
        match self.ceiling {
            Some(ceiling) => Bucket::of(ceiling.blind()).gap * CANARIES,
            None => Duration::ZERO,
        }
    }

    fn begin(&mut self, now: Time) {
        self.now = now;
        while let Some(&(full, host)) = self.recent.front()
            && full <= now
        {
            self.recent.pop_front();
            if self.full.get(&host).is_some_and(|full| *full <= now) {
                self.full.remove(&host);
            }
        }
    }

    /// When `host` may be asked, if that is not now.
    fn closed_until(&self, host: u64, bucket: Bucket) -> Option<Time> {
        if let Some(full) = self.full.get(&host) {
            let spare = full.since(self.now);
            if spare > bucket.depth() {
                // For a deep bucket a single token is not worth waking up for.
                let worth = bucket.gap * (bucket.tokens / 2).saturating_sub(1);
                return Some(self.now + (spare - bucket.depth()) + worth);
            }
        }
        self.recent
            .front()
            .filter(|_| self.recent.len() >= MOST_RECENT)
            .map(|&(full, _)| full)
    }

    fn sent(&mut self, host: u64, bucket: Bucket) {
        let full = self.full.entry(host).or_insert(self.now);
        *full = (*full).max(self.now) + bucket.gap;
        self.recent.push_back((*full, host));
    }
}

/// What one host may be sent.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Between two tokens.
    gap: Duration,
    tokens: u32,
}

impl Bucket {
    /// As deep as that of the scan's own pace: a millisecond's worth.
    fn of(rate: u32) -> Self {
        let rate = rate.max(1);
        Self {
            gap: Duration::from_nanos(1_000_000_000_u64.div_ceil(rate.into())),
            tokens: (rate / 1000).clamp(1, MOST_TOKENS),
        }
    }

    fn depth(self) -> Duration {
        self.gap * (self.tokens - 1)
    }
}

impl Engine {
    /// No host is sent more than this per second, if there is a ceiling. Where the user asked for it, hosts are walked one after the other, so that
    /// all of them can be asked at that rate at a time.
    pub fn with_host_ceiling(mut self, ceiling: Option<Ceiling>) -> Self {
        self.host_rate.ceiling = ceiling;
        if let Some(Ceiling::Asked(_)) = ceiling
            && self.plan.hosts() > 1
        {
            let (hosts, ports) = (self.plan.hosts(), self.ports());
            self.order = self.order.interleaved(hosts, ports, self.config.seed);
        }
        self
    }

    /// Whether the host of this endpoint may be asked now. Where not, the lane waits until it may be.
    pub(super) fn host_may_be_asked(&mut self, id: usize, index: u64) -> bool {
        if self.host_rate.ceiling.is_none() {
            return true;
        }
        let host = index / self.ports();
        let Some(bucket) = self.bucket(host) else {
            return true;
        };
        match self.host_rate.closed_until(host, bucket) {
            Some(until) => {
                self.host_rate.waiting.insert(id, until);
                false
            }
            None => true,
        }
    }

    /// The host of this endpoint is being asked.
    pub(super) fn host_asked(&mut self, index: u64) {
        if self.host_rate.ceiling.is_none() {
            return;
        }
        let host = index / self.ports();
        if let Some(bucket) = self.bucket(host) {
            self.host_rate.sent(host, bucket);
        }
    }

    /// When a lane is due as far as its hosts' ceilings are concerned.
    pub(super) fn host_due(&self, id: usize) -> Time {
        let waiting = self.host_rate.waiting.get(&id).copied();
        waiting
            .filter(|_| self.lanes[id].is_walking())
            .unwrap_or(Time::ZERO)
    }

    /// Sends what was held back and may go now, then what is to be confirmed.
    pub(super) fn ask_aside(&mut self, now: Time, left: &mut usize, out: &mut Vec<Probe>) {
        self.host_rate.begin(now);
        self.host_rate.waiting.clear();
        self.let_go(left, out);
        let start = out.len();
        self.ask_witnesses(now, left, out);
        self.ask_doubtful(left, out);
        self.hold_back(start, out);
    }

    /// When something beside the walks can be asked.
    pub(super) fn beside_at(&self) -> Time {
        let asks = self.doubts.can_ask() || self.witness.can_ask() || !self.extra.is_empty();
        let due = if asks { Time::ZERO } else { self.host_rate.due };
        due.max(self.pace.ready_at())
    }

    /// Keeps back those probes from `start` on whose hosts may not be asked yet; the others are leaving.
    pub(super) fn hold_back(&mut self, start: usize, out: &mut Vec<Probe>) {
        if self.host_rate.ceiling.is_none() {
            return;
        }
        for probe in out.split_off(start) {
            match self.closed_until(&probe) {
                Some(until) => {
                    self.host_rate.due = self.host_rate.due.min(until);
                    self.host_rate.held.push_back(probe);
                }
                None => {
                    self.host_asked(probe.index);
                    out.push(probe);
                }
            }
        }
    }

    fn let_go(&mut self, left: &mut usize, out: &mut Vec<Probe>) {
        if self.host_rate.due > self.host_rate.now {
            return;
        }
        self.host_rate.due = Time::NEVER;
        for probe in std::mem::take(&mut self.host_rate.held) {
            let until = match self.closed_until(&probe) {
                None if *left > 0 => {
                    self.host_asked(probe.index);
                    out.push(probe);
                    *left -= 1;
                    continue;
                }
                until => until.unwrap_or(self.host_rate.now),
            };
            self.host_rate.due = self.host_rate.due.min(until);
            self.host_rate.held.push_back(probe);
        }
    }

    fn closed_until(&self, probe: &Probe) -> Option<Time> {
        let host = probe.index / self.ports();
        self.host_rate.closed_until(host, self.bucket(host)?)
    }

    /// The bucket of a host: a smaller one while it has answered nothing. Of a scan of one host the pace sees to that.
    fn bucket(&self, host: u64) -> Option<Bucket> {
        let ceiling = self.host_rate.ceiling?;
        let heard = self.plan.hosts() == 1 || self.hosts.contains_key(&host);
        Some(Bucket::of(if heard {
            ceiling.most()
        } else {
            ceiling.blind()
        }))
    }
}

/// Most canaries of one host that are waited for together.
const CANARIES: u32 = 16;
const MOST_TOKENS: u32 = 1024;
/// Hosts that may have been asked a moment ago: 1.5 MiB, and a scan sends no more than so many times the ceiling per second.
const MOST_RECENT: usize = 1 << 16;
