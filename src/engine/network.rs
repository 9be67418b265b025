//! What all hosts of a scan share: a router with a limit, a full table of flows, a thin link.
//!
//! Each host has a lane of its own, and so has its limiter. A limiter before all of them is met by all lanes at once, and no
//! lane can tell: it is too small, and whatever it does the others go on. So one control more looks at everything that the
//! scan of many hosts sends, with canaries of any host that has answered:
//!
//! - Canaries of *one* host fail and others answer: that is this host's affair, and its lane sees to it, also where the network
//!   is limited as well.
//! - Canaries of several hosts fail and none answers: the network is choked. Nobody sends anything but canaries until they
//!   answer again; then every lane asks again what it asked since the last proof, and all of them share one rate, which grows
//!   as that of a lane does (see `control`). The lanes' own controls rest as long: they would take the network's limit for
//!   that of their hosts.
//!
//! A pass ends only when canaries behind it have come through, and they must leave with it: of a limiter that has rested they
//! tell nothing. So all lanes wait while canaries are out, and canaries that had to rest themselves prove nothing: what they
//! were to prove is asked again.

use std::time::Duration;

use crate::engine::completeness::Loss;
use crate::engine::control::{Advice, Control, Path, Whose};
use crate::engine::lane::{Company, Lane, Next, Phase};
use crate::engine::rtt::Rtt;
use crate::engine::{Asking, COMMON, Engine};
use crate::model::{State, Time};

/// See the top of the file.
pub struct Network {
    pub control: Control,
    rtt: Rtt,
    /// When the first pass ended whose end lacks a proof.
    ended: Option<Time>,
}

impl Network {
    pub fn new(now: Time) -> Self {
        Self {
            control: Control::new(now),
            rtt: Rtt::default(),
            ended: None,
        }
    }

    /// Whether the lanes are held together, so that none of them can tell anything of its own host's limits.
    pub fn is_limiting(&self) -> bool {
        self.control.is_limiting()
    }

    /// How long canaries behind a pass that has ended wait for other lanes to end theirs.
    fn linger(&self) -> Duration {
        if self.is_limiting() {
            LINGER
        } else {
            self.rtt.timeout().max(LONG_LINGER)
        }
    }

    /// An endpoint has answered for the first time, when it was asked and how long that took if that is certain; `canary` is its
    /// index where it can be asked again.
    pub fn answered(
        &mut self,
        canary: Option<u64>,
        state: State,
        (asked, rtt): (Option<Time>, Option<Duration>),
        slowest: Duration,
    ) {
        if let Some(rtt) = rtt {
            self.rtt.sample(rtt);
        }
        let soon = rtt.is_some_and(|rtt| rtt <= slowest);
        self.control.hasten();
        self.control.answered(canary.filter(|_| soon), state, asked);
    }
}

impl Engine {
    /// Looks at what came through of all that was sent.
    pub(super) fn look_at_network(&mut self, now: Time) {
        if self.is_shared() {
            let path = self.network_path();
            let before = self.network.control.proof();
            let advice = self.network.control.look(now, &path);
            for host in std::mem::take(&mut self.network.control.apart) {
                self.set_apart(host);
            }
            self.follow_network(advice, now);
            if self.network.control.proof() != before {
                self.wake_waiting(now);
            }
        }
    }

    /// While nothing has answered, a walk is spread over the better part of the time that it is listened to anyway: a limiter
    /// would let in the same few of each walk otherwise, and nothing would tell of it.
    pub(super) fn spread_walk(&mut self, now: Time) {
        let lane = &mut self.lanes[COMMON];
        // Who answers has mostly done so when the head of the first walk is out. A half-open scan has more walks ahead.
        let head = match self.config.asking {
            Asking::Syn { .. } => u64::MAX,
            Asking::Handshake => HEAD,
        };
        let over = |span: Duration| lane.remaining as f64 / span.as_secs_f64().max(1e-3);
        let shared = self.plan.hosts() > 1;
        if shared {
            let span = SPREAD.min(self.config.patience / 4);
            self.network.control.spread(now, over(span));
        }
        // Of many hosts those are left in a later walk that never answered.
        let first = lane.pass.number == 0;
        if lane.heard == 0 && (!first || !shared && lane.pass.asked >= head) {
            let span = self.config.patience / SPREAD_OF_PATIENCE;
            let rate = over(span);
            lane.control.spread(now, rate);
            lane.spread = span;
        }
    }

    /// How many probes the network allows now.
    pub(super) fn network_room(&mut self, now: Time) -> usize {
        match self.is_shared() {
            false => usize::MAX,
            true if self.network.control.is_waiting() => 0,
            true => self.network.control.available(now),
        }
    }

    /// Until when no lane is looked at, because nothing may be sent: of thousands each would be, for each answer meanwhile.
    pub(super) fn network_waits(&self) -> Time {
        match self.is_shared() && self.network.control.is_waiting() {
            true => self.network_event(),
            false => Time::ZERO,
        }
    }

    /// When a lane is due as far as the network is concerned.
    pub(super) fn network_due(&self, id: usize, now: Time) -> Time {
        let lane = &self.lanes[id];
        match lane.phase {
            _ if !self.is_shared() => Time::ZERO,
            Phase::Walking if self.network.control.is_waiting() => self.network_event(),
            Phase::Walking => self.network.control.ready_at(),
            Phase::Settling(_) if lane.is_over(now, self.config.asking) && self.is_unproven(id) => {
                self.network_event()
            }
            _ => Time::ZERO,
        }
    }

    /// When the network is to be looked at whatever else happens.
    pub(super) fn network_event(&self) -> Time {
        let control = &self.network.control;
        match self.network.ended {
            _ if !self.is_shared() => Time::NEVER,
            Some(ended) if !control.is_pending() => {
                control.event_at().min(ended + self.network.linger())
            }
            _ => control.event_at(),
        }
    }

    /// The walk of a lane has reached its end.
    pub(super) fn walk_ended(&mut self, now: Time) {
        if self.is_shared() {
            self.network.ended.get_or_insert(now);
        }
    }

    /// Asks canaries behind passes that have ended, at once where no other lane goes on.
    pub(super) fn prove_ends(&mut self, now: Time) {
        let Some(ended) = self.network.ended else {
            return;
        };
        if self.network.control.is_pending() {
            return;
        }
        // A lane that is due walks as soon as there is room.
        let due = self.wakes.next().is_some_and(|(at, _)| at <= now);
        let goes_on = |lane: &Lane| lane.is_walking() && !lane.control.is_choked();
        if now < ended + self.network.linger() && (due || self.lanes.iter().any(goes_on)) {
            return;
        }
        self.network.ended = None;
        let path = self.network_path();
        let advice = self.network.control.prove_end(now, &path);
        self.follow_network(advice, now);
        if !self.network.control.is_pending() {
            self.wake_waiting(now);
        }
    }

    /// Whether a pass that is over must wait for a proof that its end came through.
    pub(super) fn is_unproven(&self, id: usize) -> bool {
        let waits = self.network.ended.is_some() || self.network.control.is_pending();
        self.is_shared() && waits && self.network.control.proof() < self.lanes[id].last_end()
    }

    /// A lane is done that nobody has watched, because a limiter before the network explained all that failed. The canaries of
    /// its last pass show that its host still answers then; where none has answered, those that are asked now must.
    pub(super) fn look_last(&mut self, id: usize, now: Time) {
        let lane = &self.lanes[id];
        if id == COMMON || lane.phase != Phase::Done || lane.remaining == 0 {
            return;
        }
        let (_, heard) = lane.pass.canaries();
        let unwatched = self.network.is_limiting() || lane.control.is_limited();
        if unwatched && heard == 0 && lane.company != Company::AskedLast {
            self.lanes[id].company = Company::AskedLast;
            self.prove_host(id, now);
        }
        let lane = &mut self.lanes[id];
        if lane.company != Company::All && lane.control.is_pending() {
            lane.phase = Phase::Resting(lane.control.event_at().max(now), Next::Decide);
        }
    }

    fn wake_waiting(&mut self, now: Time) {
        for id in 0..self.lanes.len() {
            let lane = &self.lanes[id];
            let waits = match lane.phase {
                Phase::Walking => true,
                Phase::Settling(_) => lane.is_over(now, self.config.asking),
                Phase::Resting(..) | Phase::Done => false,
            };
            if waits && lane.wake > now {
                self.wakes.push(id, now, &mut self.lanes);
            }
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.plan.hosts() > 1
    }

    pub(super) fn whose_network(&self) -> Whose {
        Whose::Network {
            ports: self.ports(),
        }
    }

    pub(super) fn network_path(&self) -> Path {
        let timeout = self.network.rtt.timeout();
        Path {
            timeout,
            canary: self.canary_wait(&self.network.rtt).max(LEAST_CANARY),
            whose: self.whose_network(),
            ..self.path(COMMON)
        }
    }

    fn follow_network(&mut self, advice: Advice, now: Time) {
        match advice {
            // Resets are limited by hosts.
            Advice::Nothing | Advice::ResetsLimited => {}
            Advice::Ask(canaries) => self.ask_again(&canaries),
            Advice::Choked => {
                // What a limiter kept back was not asked, and tells nothing of what the path loses.
                self.loss = Loss::default();
                for lane in &mut self.lanes {
                    lane.rest_behind_limiter();
                    lane.trials.void_before(lane.pass.trial);
                }
            }
            Advice::Resume(proof) => {
                for id in 0..self.lanes.len() {
                    self.lanes[id].rest_behind_limiter();
                    let lane = &self.lanes[id];
                    let under_way = matches!(lane.phase, Phase::Walking | Phase::Settling(_));
                    if under_way && lane.pass.last_sent().is_some_and(|sent| sent >= proof) {
                        self.go_back(id, proof);
                    }
                    if under_way {
                        self.wakes.push(id, now, &mut self.lanes);
                    }
                }
            }
            Advice::GiveUp => {
                for id in 0..self.lanes.len() {
                    match self.lanes[id].phase {
                        Phase::Done => self.never_again(id),
                        Phase::Walking | Phase::Settling(_) | Phase::Resting(..) => {
                            self.give_up(id);
                        }
                    }
                }
                self.network.control = Control::new(now);
            }
        }
    }
}

/// So many endpoints of one host are asked before its silence means something.
const HEAD: u64 = 256;
/// Of the patience, where one host alone is waited for.
const SPREAD_OF_PATIENCE: u32 = 5;
/// Where it is no more than a quarter of the patience.
const SPREAD: Duration = Duration::from_millis(800);
/// A busy machine of our own may be late by that much, and all hosts would wait for it.
const LEAST_CANARY: Duration = Duration::from_millis(100);
/// Before a limiter that fills up meanwhile.
const LINGER: Duration = Duration::from_millis(10);
/// Everybody waits for canaries, and each of thousands of hosts ends passes of its own.
const LONG_LINGER: Duration = Duration::from_millis(50);
