//! Hosts that answered: each gets a lane of its own, so that one that is far, lossy or limited holds up nobody.

use std::time::Duration;

use crate::engine::canary::Found;
use crate::engine::clumps::Clumps;
use crate::engine::completeness::Loss;
use crate::engine::control::Control;
use crate::engine::lane::{Company, Crowd, Lane, Phase, Watched};
use crate::engine::late::Late;
use crate::engine::ledger::{Ledger, Settled};
use crate::engine::network::Network;
use crate::engine::rtt::Rtt;
use crate::engine::seek::Seek;
use crate::engine::space::Space;
use crate::engine::{Asking, COMMON, Engine};
use crate::model::{Event, HostLoss, State, Time};

/// What is remembered of a host while some of its endpoints have not answered.
#[derive(Clone, Debug, Default)]
pub struct Host {
    pub lane: Option<usize>,
    pub rtt: Rtt,
    answered: u64,
    /// Those among them that an earlier run has heard.
    earlier: u64,
    found: Found,
    open_count: u64,
    late: Late,
    loss: Loss,
    open_loss: Loss,
    company: Company,
}

impl Host {
    /// Endpoints of this host that have answered.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// How many of its endpoints are open.
    pub fn open_count(&self) -> u64 {
        self.open_count
    }
}

impl Engine {
    /// Notes an answer of a host. Where there is one host, the common lane is its lane, and nothing is noted here.
    pub(super) fn remember_host(
        &mut self,
        host: u64,
        canary: Option<u64>,
        sample: &Loss,
        (rtt, late): (Option<Duration>, Option<Duration>),
        state: State,
    ) {
        if self.plan.hosts() == 1 {
            return;
        }
        let ports = self.ports();
        self.heard_hosts += u64::from(!self.hosts.contains_key(&host));
        let known = self.hosts.entry(host).or_default();
        known.answered += 1;
        known.loss.add(sample);
        if let Some(rtt) = rtt {
            known.rtt.sample(rtt);
        }
        if state == State::Open {
            known.open_count += 1;
            known.open_loss.add(sample);
        }
        if let Some(delay) = late {
            known.late.add(delay);
        }
        if let Some(index) = canary.filter(|_| known.lane.is_none()) {
            known.found.learn(index, state);
        }
        if known.answered >= ports && known.lane.is_none() {
            self.forget_host(host);
        }
    }

    /// The lane that walks over this host.
    pub(super) fn lane_of(&self, host: u64) -> usize {
        self.hosts
            .get(&host)
            .and_then(|host| host.lane)
            .unwrap_or(COMMON)
    }

    /// Canaries of this host alone have failed.
    pub(super) fn set_apart(&mut self, host: u64) {
        if let Some(known) = self.hosts.get_mut(&host) {
            known.company = Company::Apart;
            if let Some(id) = known.lane
                && self.lanes[id].company == Company::All
            {
                self.lanes[id].company = Company::Apart;
            }
        }
    }

    /// The host of a lane, if it is known by anything that answered.
    pub(super) fn host_of(&self, id: usize) -> Option<u64> {
        let index = self.lanes[id].control.canaries.any()?;
        Some(index / self.ports())
    }

    /// What this lane's host told of the loss was wrong.
    pub(super) fn forget_loss(&mut self, id: usize) {
        let host = self.host_of(id);
        match host.and_then(|host| self.hosts.get_mut(&host)) {
            Some(known) => {
                self.loss.take_away(&std::mem::take(&mut known.loss));
                known.open_loss = Loss::default();
            }
            None => self.loss = Loss::default(),
        }
    }

    /// What the resets of this lane's host told of the loss was wrong.
    pub(super) fn forget_resets(&mut self, id: usize) {
        match self.host_of(id).and_then(|host| self.hosts.get(&host)) {
            Some(known) => {
                self.loss.take_away(&known.loss);
                self.loss.add(&known.open_loss);
            }
            None => self.loss = Loss::default(),
        }
    }

    /// Nothing more comes from this host in this block.
    fn forget_host(&mut self, host: u64) {
        let Some(known) = self.hosts.remove(&host) else {
            return;
        };
        let lane = &self.lanes[known.lane.unwrap_or(COMMON)];
        // Where resets are limited, they are missing for another reason than loss.
        let loss = if lane.control.heeds_resets() {
            known.loss
        } else {
            known.open_loss
        };
        let (first, later) = loss.counts();
        if let Some(endpoint) = self.plan.endpoint(host * self.ports())
            && loss.samples() > 0
            && (later > 0 || !self.asks_once() || known.answered >= self.ports())
        {
            self.events.push_back(Event::Loss(HostLoss {
                address: endpoint.address,
                first,
                later,
            }));
        }
    }

    /// The same for all hosts, in the order of addresses.
    pub(super) fn forget_hosts(&mut self) {
        let mut hosts: Vec<u64> = self.hosts.keys().copied().collect();
        hosts.sort_unstable();
        for host in hosts {
            self.forget_host(host);
        }
    }

    /// Whether anything came from this host; hosts of which everything has come are forgotten, but then nothing more comes.
    pub(super) fn has_answered(&self, host: u64) -> bool {
        let alone = self.plan.hosts() == 1 && self.lanes[COMMON].heard + self.past.answered() > 0;
        alone || self.hosts.contains_key(&host)
    }

    /// An earlier run has heard an endpoint of this host.
    pub(super) fn host_was_heard(&mut self, host: u64, state: State) {
        let ports = self.ports();
        self.heard_hosts += u64::from(!self.hosts.contains_key(&host));
        let known = self.hosts.entry(host).or_default();
        known.answered += 1;
        known.earlier += 1;
        known.open_count += u64::from(state == State::Open);
        if known.answered >= ports {
            self.hosts.remove(&host);
        }
    }

    /// Hosts that an earlier run has heard and this one has not, of which something was asked.
    pub(super) fn hosts_unheard(&self) -> Vec<u64> {
        let unheard = |host: &Host| {
            let asked = host.lane.is_some_and(|lane| self.lanes[lane].remaining > 0);
            host.earlier > 0 && host.answered == host.earlier && asked
        };
        let hosts = self.hosts.iter().filter(|(_, host)| unheard(host));
        hosts.map(|(host, _)| *host).collect()
    }

    /// Whether every host has either answered, and so has a lane of its own, or is not there.
    pub(super) fn is_common_deserted(&self) -> bool {
        !self.absent.is_empty()
            && self.absent.len() as u64 + self.heard_hosts >= self.plan.hosts()
            && self.lanes[COMMON].outstanding == 0
    }

    pub(super) fn nobody_left(&self) -> bool {
        !self.absent.is_empty()
            && self.absent.len() as u64 >= self.plan.hosts()
            && self.lanes.iter().all(|lane| lane.outstanding == 0)
    }

    /// Gives every host that answered and still has silent endpoints a lane of its own. By kernel connect only when no
    /// connect is under way, so that each ends in the lane in which it began.
    pub(super) fn split(&mut self, now: Time) {
        let busy = self.config.asking == Asking::Handshake && self.lanes[COMMON].outstanding > 0;
        if self.plan.hosts() == 1 || busy {
            return;
        }
        // In the order of addresses, so that nothing depends on a map's order.
        let mut ready: Vec<u64> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.lane.is_none())
            .map(|(host, _)| *host)
            .collect();
        ready.sort_unstable();
        for host in ready {
            self.branch(host, now);
        }
        self.seek.lanes_made();
        // What is left in the common lane never answered: nothing is known of its paths.
        let common = &mut self.lanes[COMMON];
        common.heard = 0;
        common.open = 0;
        common.late = Late::default();
        common.trials = common.trials.of_host((0, 0), (0, 0));
        common.rtt = Rtt::default();
        common.control = Control::new(now);
    }

    fn branch(&mut self, host: u64, now: Time) {
        let ports = self.ports();
        let first = host * ports;
        let mut lane = self.lanes[COMMON].branch(Space::host(first, ports, self.config.seed), now);
        for index in first..first + ports {
            let Some(rank) = self
                .order
                .rank(index)
                .filter(|&rank| !self.ledger.answered.has(rank))
            else {
                continue;
            };
            lane.remaining += 1;
            lane.settled += u64::from(self.ledger.settled.has(rank));
            lane.noted += u64::from(self.ledger.evidence.reason(rank).is_some());
        }
        if self.was_cut_off(COMMON, first) {
            // Some of it was not asked: its own next pass stands for the first.
            lane.cut_off = true;
            lane.pass.cut_off = self.lanes[COMMON].pass.cut_off;
            lane.pass.tainted |= lane.pass.cut_off;
        }
        let Some(known) = self.hosts.get_mut(&host) else {
            return;
        };
        if lane.remaining == 0 {
            return self.forget_host(host);
        }
        lane.heard = known.answered - known.earlier;
        lane.open = known.open_count;
        lane.late = known.late;
        lane.control.canaries = known.found.take();
        lane.company = known.company;
        if self.config.asking == Asking::Handshake && is_silent(lane.heard, lane.open, ports) {
            lane.watched = Watched::NotYet;
        }
        if self.network.is_limiting() {
            lane.rest_behind_limiter();
        }
        let (first, later) = known.loss.counts();
        let (first_open, later_open) = known.open_loss.counts();
        lane.trials = lane
            .trials
            .of_host((first, first_open), (later, later_open));
        lane.rtt = known.rtt;
        lane.rtt.set_lag(self.lag);
        // Its answers have had the common lane's timeout, which may be shorter than its own.
        lane.phase = Phase::Settling(match self.config.asking {
            Asking::Syn { .. } => (lane.last_end() + lane.rtt.timeout()).max(now),
            Asking::Handshake => now,
        });
        lane.forget_proof();
        known.lane = Some(self.lanes.len());
        let common = &mut self.lanes[COMMON];
        common.remaining -= lane.remaining;
        common.settled -= lane.settled;
        common.noted -= lane.noted;
        let due = lane.due(&self.config);
        self.lanes.push(lane);
        let id = self.lanes.len() - 1;
        self.wakes.push(id, due, &mut self.lanes);
    }

    /// Whose endpoints a lane walks over.
    pub(super) fn crowd(&self, id: usize) -> Crowd {
        if id == COMMON && self.is_shared() {
            Crowd::ManyHosts
        } else {
            Crowd::OneHost
        }
    }

    /// Starts the walk over the present block.
    pub(super) fn begin_block(&mut self, now: Time) {
        let settled = match self.config.asking {
            Asking::Syn { .. } => Settled::NotKept,
            Asking::Handshake => Settled::Kept,
        };
        let len = self.order.block_len();
        self.ledger = Ledger::new(len, settled);
        self.hosts.clear();
        self.extra.clear();
        self.stale_asked.clear();
        self.network = Network::new(now);
        self.doubts.next_block();
        self.restart_lanes(len, now);
        self.set_aside(now);
        let repeats = self.config.asking == Asking::Handshake && !self.is_shared();
        let lane = &mut self.lanes[COMMON];
        // Where an earlier run has asked some of them, others lie together.
        if repeats && lane.remaining == len {
            lane.clumps = Clumps::over(len);
        }
    }

    /// Begins anew with one lane over `remaining` endpoints of the block.
    pub(super) fn restart_lanes(&mut self, remaining: u64, now: Time) {
        self.wakes.clear();
        self.heard_hosts = 0;
        self.seek = Seek::default();
        self.own_drops.begin_again();
        let rtt = self.lanes.first().map(|lane| lane.rtt).unwrap_or_default();
        self.lanes = vec![Lane::new(Space::Block, remaining, now)];
        if self.plan.hosts() == 1 {
            self.lanes[COMMON].rtt = rtt;
        }
        self.wakes.push(COMMON, now, &mut self.lanes);
        self.spread_walk(now);
    }
}

/// Whether a host of which so many of `asked` endpoints answered is silent but for its open ports.
pub(super) fn is_silent(heard: u64, open: u64, asked: u64) -> bool {
    let closed = heard - open.min(heard);
    closed * SILENT_SHARE <= open && heard * SILENT_SHARE <= asked
}

/// Where more than one in so many endpoints answers, those tell what comes through.
const SILENT_SHARE: u64 = 4;
