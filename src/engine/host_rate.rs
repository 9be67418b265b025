//! How many SYNs per second one host gets, whoever sends them: walks, canaries, confirmations, witnesses.
//!
//! Each host that was asked a moment ago has a bucket (see [`meter`](crate::model::meter)), and loses it when it is clear
//! again. A rate that was asked for is kept where probes leave; a built-in one where they are handed out. A walk stops in front
//! of a host whose bucket is empty: send times are kept by place in the walk, so nothing may be passed over and come back to.
//! What is asked beside the walks is held back until its host may be asked, and goes first then.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::pace::Ceiling;
use crate::model::meter::{Meter, Spacing};
use crate::model::{Probe, Time};

/// See the top of the file. Without a ceiling it keeps nothing and allows everything.
pub struct HostRate {
    ceiling: Option<Ceiling>,
    now: Time,
    meters: HashMap<u64, Meter>,
    /// When the bucket of a host is clear again, in the order of sending: to forget them by.
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
            meters: HashMap::new(),
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
            Some(ceiling) => Spacing::whole(ceiling.blind()).gap() * CANARIES,
            None => Duration::ZERO,
        }
    }

    /// What one host is sent per second while it has answered nothing, if there is a ceiling.
    pub fn blind(&self) -> Option<u32> {
        self.ceiling.map(Ceiling::blind)
    }

    fn begin(&mut self, now: Time) {
        self.now = now;
        while let Some(&(clear, host)) = self.recent.front()
            && clear <= now
        {
            self.recent.pop_front();
            if self
                .meters
                .get(&host)
                .is_some_and(|meter| meter.is_clear(now))
            {
                self.meters.remove(&host);
            }
        }
    }

    /// When `host` may be asked, if that is not now.
    fn closed_until(&self, host: u64, spacing: Spacing) -> Option<Time> {
        if let Some(meter) = self.meters.get(&host)
            && meter.room(spacing, self.now) == 0
        {
            return Some(meter.ready_at(spacing, self.now, usize::MAX));
        }
        self.recent
            .front()
            .filter(|_| self.recent.len() >= MOST_RECENT)
            .map(|&(clear, _)| clear)
    }

    fn asked(&mut self, host: u64, spacing: Spacing) {
        self.meters.entry(host).or_default().give(1);
        if !matches!(self.ceiling, Some(Ceiling::Asked(_))) {
            self.left(host, spacing, self.now);
        }
    }

    fn left(&mut self, host: u64, spacing: Spacing, at: Time) {
        let meter = self.meters.entry(host).or_default();
        meter.left(spacing, at);
        self.recent.push_back((meter.clear_at(), host));
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
        match self.host_closed_until(index) {
            Some(until) => {
                self.host_rate.waiting.insert(id, until);
                false
            }
            None => true,
        }
    }

    /// When the host of this endpoint may be asked, if that is not now.
    fn host_closed_until(&self, index: u64) -> Option<Time> {
        self.host_rate.ceiling?;
        let host = index / self.ports();
        self.host_rate.closed_until(host, self.spacing(host)?)
    }

    /// The host of this endpoint is being asked.
    pub(super) fn host_asked(&mut self, index: u64) {
        if self.host_rate.ceiling.is_none() {
            return;
        }
        let host = index / self.ports();
        if let Some(spacing) = self.spacing(host) {
            self.host_rate.asked(host, spacing);
        }
    }

    /// A probe to the host of this endpoint had left by this time.
    pub(super) fn host_left(&mut self, index: u64, at: Time) {
        let host = index / self.ports();
        if let Some(Ceiling::Asked(rate)) = self.host_rate.ceiling {
            self.host_rate.left(host, Spacing::exact(rate), at);
        }
    }

    /// Whether somebody asked for a rate to be kept for each host.
    pub(super) fn is_host_rate_asked(&self) -> bool {
        matches!(self.host_rate.ceiling, Some(Ceiling::Asked(_)))
    }

    /// Whether the host of an endpoint may be asked now that is passed over otherwise.
    pub(super) fn may_be_sought(&self, index: u64) -> bool {
        self.host_closed_until(index).is_none()
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
        self.ask_silent_again(left, out);
        self.hold_back(start, out);
    }

    /// Whether something beside the walks is under way.
    pub(super) fn is_busy_aside(&self) -> bool {
        self.doubts.is_busy() || self.witness.is_busy() || self.own_drops.is_busy()
    }

    /// When something beside the walks can be asked.
    pub(super) fn beside_at(&self) -> Time {
        let asks = self.doubts.can_ask() || self.witness.can_ask() || self.own_drops.can_ask();
        let asks = asks || !self.extra.is_empty();
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
        self.host_rate.closed_until(host, self.spacing(host)?)
    }

    /// The bucket of a host: a smaller one while it has answered nothing. Of a scan of one host the pace sees to that.
    fn spacing(&self, host: u64) -> Option<Spacing> {
        Some(match self.host_rate.ceiling? {
            Ceiling::Asked(rate) => Spacing::exact(rate),
            Ceiling::Careful { blind, most } => {
                let heard = self.plan.hosts() == 1 || self.hosts.contains_key(&host);
                Spacing::whole(if heard { most } else { blind })
            }
        })
    }
}

/// Most canaries of one host that are waited for together.
const CANARIES: u32 = 16;
/// Hosts that may have been asked a moment ago: 1.5 MiB, and a scan sends no more than so many times the ceiling per second.
const MOST_RECENT: usize = 1 << 16;
