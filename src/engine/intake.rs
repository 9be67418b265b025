//! What an observation changes: bits, samples, notes and the lane it belongs to.

use std::time::Duration;

use crate::engine::completeness::Loss;
use crate::engine::space::Step;
use crate::engine::trials::{Came, Counted};
use crate::engine::verdict::{self, Outcome};
use crate::engine::{CANARY, COMMON, Engine, Extra, HASTY, MAX_ABSENT, MAX_STALE};
use crate::model::{
    Address, Event, HostNote, LocalFault, Note, Observation, Reason, Seen, Source, State, Verdict,
};

impl Engine {
    /// Takes what was seen of an endpoint that has not answered yet.
    pub(super) fn take(&mut self, id: usize, host: u64, step: Step, observation: &Observation) {
        match verdict::judge(&observation.seen) {
            Outcome::Final(state, reason) => {
                self.answered(id, host, step, observation, state, reason);
            }
            Outcome::Icmp(reason) => {
                let fresh = self.ledger.evidence.reason(step.rank).is_none();
                self.ledger.evidence.icmp(step.rank, reason);
                self.noted(id, step.rank, fresh);
            }
            Outcome::Local(fault) => self.local(id, step.rank, fault, observation),
            // Somebody is there who has answered; the neighbour is only late, and this probe never left.
            Outcome::Absent if self.has_answered(host) => {
                self.local(id, step.rank, LocalFault::NotSent, observation);
            }
            Outcome::Absent => {
                self.absent(observation.endpoint.address);
                if self.is_common_deserted() && !self.lanes[COMMON].is_walking() {
                    self.wakes.push(COMMON, observation.at, &mut self.lanes);
                }
            }
            Outcome::AskAfresh => {
                if self.stale_asked.len() < MAX_STALE && self.stale_asked.insert(step.index) {
                    self.extra.push_back((step, Extra::Stale));
                }
            }
            Outcome::Nothing => {}
        }
    }

    /// Our own side failed.
    fn local(&mut self, id: usize, rank: u64, fault: LocalFault, observation: &Observation) {
        self.tell_local(fault, observation.endpoint.address);
        let fresh = self.ledger.evidence.reason(rank).is_none();
        self.ledger.evidence.local(rank, fault);
        self.noted(id, rank, fresh);
    }

    /// A connect has ended.
    pub(super) fn attempt_ended(
        &mut self,
        id: usize,
        rank: u64,
        attempt: u16,
        syns: u8,
        observation: &Observation,
    ) {
        let settled = self.ledger.settled.has(rank);
        let lane = &mut self.lanes[id];
        lane.outstanding = lane.outstanding.saturating_sub(1);
        if attempt & HASTY != 0 {
            lane.hasty = lane.hasty.saturating_sub(1);
        }
        if observation.seen == Seen::Silence && syns > 1 {
            // Its repeats did leave.
            self.forget_local(id, rank);
        }
        let lane = &mut self.lanes[id];
        let fewest = match observation.seen {
            Seen::Silence if settled => &mut lane.fewest_silent,
            Seen::Icmp { .. } => &mut lane.fewest_refused,
            _ => return,
        };
        *fewest = Some(fewest.map_or(syns, |known| known.min(syns)).max(1));
    }

    /// Something is noted of an endpoint that has not answered.
    fn noted(&mut self, id: usize, rank: u64, fresh: bool) {
        let lane = &mut self.lanes[id];
        lane.noted += u64::from(fresh);
        lane.settled += u64::from(self.ledger.settled.set(rank));
    }

    fn answered(
        &mut self,
        id: usize,
        host: u64,
        step: Step,
        observation: &Observation,
        state: State,
        reason: Reason,
    ) {
        let key = self.lanes[id].space.key(step.rank, step.index);
        let (came, rtt) = if self.lanes[id].pass.has_repeated(key) {
            (Came::Unknown, None)
        } else {
            self.attribute(id, key, observation)
        };
        let attempt = came.attempt();
        self.ledger.answered.set(step.rank);
        let noted = self.ledger.evidence.reason(step.rank).is_some();
        self.ledger.evidence.forget(step.rank);
        let settled = self.ledger.settled.has(step.rank);
        self.ledger.settled.clear(step.rank);
        self.absent.remove(&observation.endpoint.address);
        self.pace.answered();
        let lane = &mut self.lanes[id];
        lane.remaining -= 1;
        lane.heard += 1;
        lane.noted -= u64::from(noted);
        lane.settled -= u64::from(settled);
        lane.pass.gained += 1;
        lane.control.answered(step.index, state);
        // What drew an ICMP error before was not lost then.
        if !noted {
            let counted = match state {
                State::Open => Counted::Open,
                _ => Counted::All,
            };
            lane.trials.answered(came, counted);
        }
        let mut sample = Loss::default();
        match attempt.and_then(|attempt| lane.counted(attempt)) {
            Some(0) => sample.answered_first(),
            Some(_) => sample.answered_later(),
            None => {}
        }
        if lane.control.heeds_resets() || state == State::Open {
            self.loss.add(&sample);
        }
        if let Some(rtt) = rtt {
            lane.rtt.sample(rtt);
        }
        if state == State::Open {
            lane.open += 1;
        }
        let attempts = attempt.unwrap_or(lane.pass.number) + 1;
        self.remember_host(host, step.index, &sample, rtt, state);
        let ttl = match observation.seen {
            Seen::SynAck(answer) => answer.ttl,
            Seen::Rst { ttl } => (ttl > 0).then_some(ttl),
            _ => None,
        };
        self.conclude(Verdict {
            endpoint: observation.endpoint,
            state,
            reason,
            rtt,
            ttl,
            attempts,
            at: observation.at,
        });
    }

    /// Which attempt was answered (0 for the first), where that can be told, and the round-trip time where that is certain.
    fn attribute(
        &self,
        id: usize,
        key: u64,
        observation: &Observation,
    ) -> (Came, Option<Duration>) {
        match observation.source {
            Source::Attempt { attempt, syns, rtt } => {
                let attempt = attempt & !(HASTY | CANARY);
                let repeats = u16::from(syns.saturating_sub(1));
                let told =
                    repeats == 0 || self.lanes[id].answers_repeat(repeats, key, observation.at);
                let came = if told {
                    Came::To(
                        self.lanes[id]
                            .connects_before(attempt)
                            .saturating_add(repeats),
                    )
                } else {
                    Came::Unknown
                };
                (came, rtt)
            }
            Source::Flow(flow) => self.lanes[id].attribute(flow, key, observation.at),
            Source::Host => (Came::Unknown, None),
        }
    }

    fn tell_local(&mut self, fault: LocalFault, address: Address) {
        if fault == LocalFault::Firewall && self.ledger.evidence.local_count() == 0 {
            self.events.push_back(Event::Host(HostNote {
                address: Some(address),
                note: Note::LocalFirewall,
            }));
        }
    }

    fn absent(&mut self, address: Address) {
        if self.absent.len() < MAX_ABSENT && self.absent.insert(address) {
            self.events.push_back(Event::Host(HostNote {
                address: Some(address),
                note: Note::NoNeighbour,
            }));
        }
    }
}
