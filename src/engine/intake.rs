//! What an observation changes: bits, samples, notes and the lane it belongs to.

use std::time::Duration;

use crate::engine::claim::{Held, Oddness, Proof};
use crate::engine::completeness::Loss;
use crate::engine::confirm::Confirm;
use crate::engine::evidence::Evidence;
use crate::engine::lane::Phase;
use crate::engine::space::Step;
use crate::engine::trials::{Came, Counted};
use crate::engine::tries::Tries;
use crate::engine::verdict::{self, Absence, Outcome};
use crate::engine::{
    Asking, CANARY, COMMON, CONFIRM, Engine, Extra, HASTY, MAX_ABSENT, MAX_STALE, WITNESS,
};
use crate::model::{
    Address, Event, HostNote, LocalFault, Note, Observation, Reason, Seen, Source, State, Time,
    Verdict,
};

impl Engine {
    /// Where in this block the observed endpoint stands.
    pub(super) fn place(&self, observation: &Observation) -> Option<Step> {
        let index = self.plan.index(&observation.endpoint)?;
        let rank = self.order.rank(index)?;
        Some(Step {
            key: rank,
            rank,
            index,
        })
    }

    /// Takes what was seen of an endpoint that has not answered yet.
    pub(super) fn take(&mut self, id: usize, host: u64, step: Step, observation: &Observation) {
        match verdict::judge(&observation.seen) {
            Outcome::Final(state, reason) => {
                self.answered(id, host, step, observation, state, reason);
            }
            Outcome::Icmp(reason) => {
                self.note(id, step.rank, |evidence, rank| evidence.icmp(rank, reason));
            }
            Outcome::Local(fault) => self.local(id, step.rank, fault, observation),
            // Somebody is there who has answered; the neighbour is only late, and this probe never left.
            Outcome::Absent(absence) if self.has_answered(host) => {
                let fault = match absence {
                    Absence::NoNeighbour => LocalFault::NotSent,
                    Absence::NoCarrier => LocalFault::InterfaceDown,
                };
                self.local(id, step.rank, fault, observation);
            }
            Outcome::Absent(absence) => {
                self.absent(observation.endpoint.address, absence);
                if self.is_common_deserted() && !self.lanes[COMMON].is_walking() {
                    self.wakes.push(COMMON, observation.at, &mut self.lanes);
                }
            }
            Outcome::AskAfresh => {
                if self.stale_asked.len() < MAX_STALE && self.stale_asked.insert(step.index) {
                    self.extra.push_back((step, Extra::Stale));
                }
            }
            Outcome::Confirm => {
                if self.config.confirm == Confirm::Auto {
                    self.doubts.hint(step.index);
                }
            }
            Outcome::Nothing => {}
        }
    }

    /// Our own side failed.
    fn local(&mut self, id: usize, rank: u64, fault: LocalFault, observation: &Observation) {
        self.tell_local(rank, fault, observation.endpoint.address);
        self.note_local(id, rank, fault);
    }

    /// Our own side did not ask the endpoint of this rank.
    pub(super) fn note_local(&mut self, id: usize, rank: u64, fault: LocalFault) {
        self.note(id, rank, |evidence, rank| evidence.local(rank, fault));
        self.lanes[id].pass.cut_off |= fault == LocalFault::NoGateway;
    }

    /// A connect beside the walk has ended.
    pub(super) fn aside_ended(
        &mut self,
        id: usize,
        step: Step,
        attempt: u16,
        observation: &Observation,
    ) {
        if attempt & CONFIRM != 0 {
            self.confirmed(id, step, observation);
        } else {
            self.witnessed(id, step, attempt, observation);
        }
        self.wake_if_over(id, observation.at);
    }

    /// Looks at a lane at once whose pass this answer may have ended.
    pub(super) fn wake_if_over(&mut self, id: usize, at: Time) {
        let lane = &self.lanes[id];
        let quiet = matches!(lane.phase, Phase::Settling(_)) && lane.hasty == 0;
        if lane.remaining == 0 || quiet && self.config.asking == Asking::Handshake {
            self.wakes.push(id, at, &mut self.lanes);
        }
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
            self.forget_local(id, rank, attempt);
        }
        let lane = &mut self.lanes[id];
        let fewest = match observation.seen {
            Seen::Silence if settled => &mut lane.fewest_silent,
            Seen::Icmp { .. } => &mut lane.fewest_refused,
            _ => return,
        };
        *fewest = Some(fewest.map_or(syns, |known| known.min(syns)).max(1));
    }

    /// Notes something of an endpoint that has not answered.
    fn note(&mut self, id: usize, rank: u64, what: impl FnOnce(&mut Evidence, u64)) {
        let fresh = self.ledger.evidence.reason(rank).is_none();
        what(&mut self.ledger.evidence, rank);
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
        let (came, rtt) = match self.came_to_seeking(id, step.index, observation) {
            Some(sought) => sought,
            None => self.attribute(id, key, observation),
        };
        let late = self.lanes[id]
            .lateness(&observation.source, key, observation.at, (came, rtt))
            .filter(|_| state == State::Open);
        // What was asked more than once in one pass was answered once of these times: that is no sample of what one loses.
        let single = !self.lanes[id].pass.has_repeated(key);
        let rtt = rtt.filter(|_| single);
        // But what a network's limiter kept back was not asked before.
        let limited = self.network.is_limiting() || self.is_held(id);
        let told = single || limited;
        let attempt = came.attempt().filter(|_| told);
        self.ledger.answered.set(step.rank);
        let noted = self.ledger.evidence.reason(step.rank).is_some();
        let evidence = &self.ledger.evidence;
        let refused = evidence.is_local(step.rank) || evidence.has_left_later(step.rank);
        self.ledger.evidence.forget(step.rank);
        let settled = self.ledger.settled.has(step.rank);
        self.ledger.settled.clear(step.rank);
        self.absent.remove(&observation.endpoint.address);
        self.pace.answered();
        // Only what answered the way in which canaries are asked is one.
        let canary = match (observation.source, self.config.asking) {
            (Source::Flow(_), Asking::Syn { .. }) => Some(step.index),
            (Source::Attempt { attempt, .. }, Asking::Handshake) => {
                (attempt & (CONFIRM | WITNESS) == 0).then_some(step.index)
            }
            _ => None,
        };
        let slowest = self.network_path().canary;
        let asked = rtt.map(|rtt| observation.at - rtt);
        self.network.answered(canary, state, (asked, rtt), slowest);
        // Nor is a server that answers later than a canary is waited for, or nobody knows when. What answered a repeat, or
        // repeats its answer, did so at once, or it would not be known to have.
        let slowest = self.path(id).canary;
        let prompt = match (rtt, attempt) {
            (Some(rtt), _) => rtt <= slowest,
            (None, Some(attempt)) => attempt > 0,
            (None, None) => matches!(came, Came::Repeated(_)),
        };
        let canary = canary.filter(|_| prompt);
        let had_no_way = self.was_cut_off(id, step.index);
        let lane = &mut self.lanes[id];
        lane.remaining -= 1;
        lane.heard += 1;
        if lane.heard == 1 {
            lane.control.hasten();
            lane.spread = Duration::ZERO;
        }
        lane.noted -= u64::from(noted);
        lane.settled -= u64::from(settled);
        lane.pass.gained += 1;
        lane.pass.sought += u64::from(matches!(came, Came::Sought(_)));
        lane.control.answered(canary, state, asked);
        // What drew an ICMP error before was not lost then.
        if !noted {
            let counted = match state {
                State::Open => Counted::Open,
                _ => Counted::All,
            };
            lane.trials.answered(came, counted);
            lane.clumps.answered(key, came);
        }
        let mut sample = Loss::default();
        match attempt {
            // Before this pass there was no way to it.
            Some(_) if had_no_way => sample.answered_first(),
            Some(0) => sample.answered_first(),
            // Our own side had refused it: nothing was lost on the path.
            Some(_) if refused => {}
            Some(_) => sample.answered_later(),
            None => {}
        }
        let counts = lane.control.heeds_resets() || state == State::Open;
        if counts && !limited {
            self.loss.add(&sample);
        }
        if let Some(rtt) = rtt {
            lane.rtt.sample(rtt);
        }
        if state == State::Open {
            lane.open += 1;
        }
        if let Some((delay, attempt)) = late {
            lane.late.add(delay);
            if let Some(attempt) = attempt {
                lane.trials.answered_late(attempt);
            }
        }
        let attempts = attempt.unwrap_or(lane.pass.number) + 1;
        self.remember_host(
            host,
            canary,
            &sample,
            (rtt, late.map(|(delay, _)| delay)),
            state,
        );
        if let Came::Sought(_) = came {
            self.found(observation.at);
        }
        let ttl = match observation.seen {
            Seen::SynAck(answer) | Seen::Detour(answer) => answer.ttl,
            Seen::Rst { ttl } => (ttl > 0).then_some(ttl),
            _ => None,
        };
        let half_open = matches!(observation.source, Source::Flow(_));
        // A kernel connect has watched a shut window to the end; a SYN has only seen how it began.
        if state == State::Open || state == State::Suspect && half_open {
            let held = Held {
                index: step.index,
                rtt,
                ttl,
                attempts,
                at: observation.at,
                oddness: Held::oddness_of(&observation.seen),
                proof: if half_open {
                    Proof::Claimed
                } else {
                    Proof::Proven
                },
                tries: Tries::default(),
            };
            if held.oddness == Oddness::None && half_open && self.config.confirm == Confirm::Auto {
                let way = self.way(step.index);
                self.witness.clean_syn_ack(way, step.index);
            }
            return self.open_heard(host, held);
        }
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
            Source::Attempt { attempt, .. } if attempt & (CONFIRM | WITNESS) != 0 => {
                (Came::Beside(self.lanes[id].pass.trial), None)
            }
            Source::Attempt {
                attempt,
                syns,
                took,
            } => {
                let attempt = attempt & !(HASTY | CANARY);
                let repeats = u16::from(syns.saturating_sub(1));
                let lane = &self.lanes[id];
                let came = lane
                    .answered_syn(repeats, took)
                    // Of what was asked more than once in one pass nobody knows which asking this answers.
                    .filter(|_| repeats == 0 || !lane.pass.has_repeated(key))
                    .map_or(Came::Unknown, |syn| lane.came_to(attempt, syn));
                (came, observation.source.rtt())
            }
            // A late answer to what was sent before the capture was found deaf.
            Source::Flow(_) if self.config.asking == Asking::Handshake => (Came::Unknown, None),
            Source::Flow(flow) => self.lanes[id].attribute(flow, key, observation.at),
            Source::Host => (Came::Unknown, None),
        }
    }

    fn tell_local(&mut self, rank: u64, fault: LocalFault, address: Address) {
        // A connect cannot tell a firewall from a queue of this machine that is full time after time, so it is not said of what
        // leaves in the end.
        match self.config.asking {
            Asking::Handshake if fault == LocalFault::Firewall => {
                self.refused = Some((rank, address))
            }
            Asking::Handshake => {}
            _ => self.tell_refused(fault, address),
        }
    }

    /// The scan ends before it is known whether what was refused leaves in the end.
    pub(super) fn tell_what_is_refused(&mut self) {
        if let Some((rank, address)) = self.refused
            && let Some(Reason::Local(fault)) = self.ledger.evidence.reason(rank)
        {
            self.tell_refused(fault, address);
        }
    }

    /// This machine's own firewall has refused something, or seems to.
    pub(super) fn tell_refused(&mut self, fault: LocalFault, address: Address) {
        if fault == LocalFault::Firewall && !std::mem::replace(&mut self.told_of_firewall, true) {
            self.events.push_back(Event::Host(HostNote {
                address: Some(address),
                note: Note::LocalFirewall,
            }));
        }
    }

    fn absent(&mut self, address: Address, absence: Absence) {
        if self.absent.len() >= MAX_ABSENT || self.absent.contains_key(&address) {
            return;
        }
        self.absent.insert(address, absence);
        if absence == Absence::NoNeighbour {
            self.events.push_back(Event::Host(HostNote {
                address: Some(address),
                note: Note::NoNeighbour,
            }));
        }
    }
}
