//! What all hosts of a scan share: a router with a limit, a full table of flows, a thin link.
//!
//! Each host has a lane of its own, and so has its limiter. A limiter before all of them is met by all lanes at once, and no
//! lane can tell: it is too small, and whatever it does the others go on. So one control more looks at everything that the
//! scan of many hosts sends, with canaries of any host that has answered:
//!
//! - Canaries of *one* host fail and others answer: that is this host's affair, and its lane sees to it.
//! - Canaries of several hosts fail and none answers: the network is choked. Nobody sends anything but canaries until they
//!   answer again; then every lane asks again what it asked since the last proof, and all of them share one rate, which grows
//!   as that of a lane does (see `control`). The lanes' own controls rest as long: they would take the network's limit for
//!   that of their hosts.
//!
//! A pass ends only when canaries behind it have come through.

use std::time::Duration;

use crate::engine::control::{Advice, Control, Path, Whose};
use crate::engine::lane::Phase;
use crate::engine::rtt::Rtt;
use crate::engine::{COMMON, Engine};
use crate::model::{State, Time};

/// See the top of the file.
pub struct Network {
    pub control: Control,
    rtt: Rtt,
}

impl Network {
    pub fn new(now: Time) -> Self {
        Self {
            control: Control::new(now),
            rtt: Rtt::default(),
        }
    }

    /// Whether the lanes are held together, so that none of them can tell anything of its own host's limits.
    pub fn is_limiting(&self) -> bool {
        self.control.is_limiting()
    }

    /// An endpoint has answered for the first time; `canary` is its index where it can be asked again.
    pub fn answered(
        &mut self,
        canary: Option<u64>,
        state: State,
        rtt: Option<Duration>,
        slowest: Duration,
    ) {
        if let Some(rtt) = rtt {
            self.rtt.sample(rtt);
        }
        let soon = rtt.is_some_and(|rtt| rtt <= slowest);
        self.control.answered(canary.filter(|_| soon), state);
    }
}

impl Engine {
    /// Looks at what came through of all that was sent.
    pub(super) fn look_at_network(&mut self, now: Time) {
        if self.is_shared() {
            let path = self.network_path();
            let advice = self.network.control.look(now, &path);
            self.follow_network(advice, now);
        }
    }

    /// How many probes the network allows now.
    pub(super) fn network_room(&mut self, now: Time) -> usize {
        if self.is_shared() {
            self.network.control.available(now)
        } else {
            usize::MAX
        }
    }

    /// When a lane is due as far as the network is concerned.
    pub(super) fn network_due(&self, id: usize) -> Time {
        match self.lanes[id].phase {
            _ if !self.is_shared() => Time::ZERO,
            Phase::Walking => self.network.control.ready_at(),
            Phase::Settling(_) if self.network.control.is_pending() => {
                self.network.control.event_at()
            }
            _ => Time::ZERO,
        }
    }

    /// When the network is to be looked at whatever else happens.
    pub(super) fn network_event(&self) -> Time {
        if self.is_shared() {
            self.network.control.event_at()
        } else {
            Time::NEVER
        }
    }

    /// The walk of a lane has reached its end: canaries behind it tell whether that was heard.
    pub(super) fn prove_to_network(&mut self, now: Time) {
        if self.is_shared() {
            let path = self.network_path();
            let advice = self.network.control.prove_end(now, &path);
            self.follow_network(advice, now);
        }
    }

    /// Whether a pass that is over must wait for a proof that its end came through.
    pub(super) fn lacks_proof(&mut self, id: usize, now: Time) -> bool {
        if !self.is_shared() || self.network.control.proof() >= self.lanes[id].last_end() {
            return false;
        }
        self.prove_to_network(now);
        self.network.control.is_pending()
    }

    pub(super) fn is_shared(&self) -> bool {
        self.plan.hosts() > 1
    }

    pub(super) fn network_path(&self) -> Path {
        let timeout = self.network.rtt.timeout();
        Path {
            timeout,
            canary: self.canary_wait(timeout),
            whose: Whose::Network {
                ports: self.ports(),
            },
            ..self.path(COMMON)
        }
    }

    fn follow_network(&mut self, advice: Advice, now: Time) {
        match advice {
            // Resets are limited by hosts.
            Advice::Nothing | Advice::ResetsLimited => {}
            Advice::Ask(canaries) => self.ask_again(&canaries),
            Advice::Choked => {
                for lane in &mut self.lanes {
                    lane.control.rest_behind_limiter();
                }
            }
            Advice::Resume(proof) => {
                for id in 0..self.lanes.len() {
                    self.lanes[id].control.rest_behind_limiter();
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
            Advice::GiveUp(proof) => {
                for id in 0..self.lanes.len() {
                    if self.lanes[id].phase != Phase::Done {
                        self.give_up(id, proof);
                    }
                }
                self.network.control = Control::new(now);
            }
        }
    }
}
