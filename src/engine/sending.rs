//! Which probes leave now: the walk of a lane, endpoints to ask afresh, canaries.

use std::time::Duration;

use crate::engine::pass::Scope;
use crate::engine::space::Step;
use crate::engine::{Asking, COMMON, Engine, HASTY};
use crate::model::{How, Probe, Time};

/// Whether a kernel connect is repeated where one has already been heard to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    Unsettled,
    All,
}

impl Engine {
    /// Sends from one lane until `left` or its own pace is used up; how many it sent.
    pub(super) fn walk(
        &mut self,
        id: usize,
        now: Time,
        left: usize,
        out: &mut Vec<Probe>,
    ) -> usize {
        let allowed = self.lanes[id].control.available(now).min(left);
        let attempt = self.lanes[id].pass.number;
        let patience = self.config.patience;
        let again = {
            let (lane, outlook) = self.outlook(id);
            let enough = !lane.misses_too_much(&outlook) && !lane.few_are_missing(&outlook);
            // A whole patience is never repeated for its own sake, only when the stop rule or a note asks for more.
            if enough && lane.pass.scope == Scope::All {
                Again::Unsettled
            } else {
                Again::All
            }
        };
        let mut sent = 0;
        let mut first = true;
        while sent < allowed {
            let lane = &mut self.lanes[id];
            let Some(step) =
                lane.space
                    .next(lane.pass.cursor, lane.pass.scope, &self.order, &self.ledger)
            else {
                lane.walked(now, self.config.asking);
                break;
            };
            if first {
                lane.pass.checkpoint(step.key, now);
                first = false;
            }
            lane.pass.cursor = step.key + 1;
            let host = step.index / self.ports();
            if id == COMMON && self.lane_of(host) != COMMON {
                continue;
            }
            let how = match self.config.asking {
                Asking::Syn { .. } => How::Syn {
                    flow: self.lanes[id].pass.flow,
                },
                Asking::Handshake => {
                    if again == Again::Unsettled && self.ledger.settled.has(step.rank) {
                        continue;
                    }
                    let life = self.life(id, host);
                    if life == patience && self.ledger.settled.set(step.rank) {
                        self.lanes[id].settled += 1;
                    }
                    How::Handshake { patience: life }
                }
            };
            if self.push(id, step, attempt, how, out) {
                self.lanes[id].pass.asked += 1;
                sent += 1;
            }
        }
        self.lanes[id].control.sent(sent);
        sent
    }

    /// How long the next connect to this host lives.
    fn life(&self, id: usize, host: u64) -> Duration {
        let lane = &self.lanes[id];
        let rtt = self.hosts.get(&host).map_or(lane.rtt, |host| host.rtt);
        lane.life(&rtt, self.config.patience)
    }

    /// Appends one probe; false where nobody is there to be asked.
    fn push(
        &mut self,
        id: usize,
        step: Step,
        attempt: u16,
        how: How,
        out: &mut Vec<Probe>,
    ) -> bool {
        let Some(endpoint) = self.plan.endpoint(step.index) else {
            return false;
        };
        if self.absent.contains(&endpoint.address) {
            return false;
        }
        // A crafted SYN that is refused says so at once; that of a connect shows only in its repeats.
        if self.config.asking != Asking::Handshake {
            self.forget_local(id, step.rank);
        }
        let mut attempt = attempt;
        if let How::Handshake { patience } = how {
            self.lanes[id].outstanding += 1;
            if patience < self.config.patience {
                self.lanes[id].hasty += 1;
                attempt |= HASTY;
            }
        }
        out.push(Probe {
            index: step.index,
            endpoint,
            attempt,
            how,
        });
        true
    }

    pub(super) fn forget_local(&mut self, id: usize, rank: u64) {
        if self.ledger.evidence.is_local(rank) {
            self.ledger.evidence.forget(rank);
            self.lanes[id].noted -= 1;
        }
    }

    pub(super) fn ask_stale(&mut self, left: &mut usize, out: &mut Vec<Probe>) {
        let Asking::Syn { flows } = self.config.asking else {
            return;
        };
        while *left > 0
            && let Some(step) = self.checks.pop_front()
        {
            let id = self.lane_of(step.index / self.ports());
            let attempt = self.lanes[id].pass.number + 1;
            *left -= usize::from(self.push(id, step, attempt, How::Syn { flow: flows - 1 }, out));
        }
        while *left > 0
            && let Some(step) = self.stale.pop_front()
        {
            if self.ledger.answered.has(step.rank) && !self.is_canary(step.index) {
                continue;
            }
            let id = self.lane_of(step.index / self.ports());
            let attempt = self.lanes[id].pass.number + 1;
            *left -= usize::from(self.push(id, step, attempt, How::Syn { flow: flows - 1 }, out));
        }
    }

    pub(super) fn send_canaries(&mut self, id: usize) {
        let indices = self.lanes[id].known_open.clone();
        self.lanes[id].control.canaries_sent(indices.len() as u32);
        for index in indices {
            if let Some(rank) = self.order.rank(index) {
                self.stale.push_back(Step {
                    key: rank,
                    rank,
                    index,
                });
            }
        }
    }

    fn is_canary(&self, index: u64) -> bool {
        let id = self.lane_of(index / self.ports());
        self.lanes[id].known_open.contains(&index)
    }
}
