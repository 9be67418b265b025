//! What the engine does on a control's advice: canaries, going back, giving up.

use std::time::Duration;

use crate::engine::canary::{Canary, To};
use crate::engine::control::{Advice, Path, Repeats, Whose};
use crate::engine::hosts::is_silent;
use crate::engine::lane::{Company, Crowd, Lane, Phase};
use crate::engine::late::LATE;
use crate::engine::pass::{Kind, Scope};
use crate::engine::rtt::Rtt;
use crate::engine::sending::canary_of_flow;
use crate::engine::space::Step;
use crate::engine::witness::Among;
use crate::engine::{Asking, CANARY, COMMON, Engine, Extra};
use crate::model::{LocalFault, Note, Observation, Seen, Source, Time};

impl Engine {
    /// Lets a lane's control look at what got through. The common lane of many hosts has no path of its own to look at, nor
    /// has any other where the network before them all is what limits them (see `network`), unless it was found to fail alone.
    pub(super) fn look(&mut self, id: usize, now: Time) {
        if !self.is_watched(id) {
            return;
        }
        let path = self.path(id);
        let advice = self.lanes[id].control.look(now, &path);
        self.follow(id, advice, path.whose);
    }

    /// A pass has been sent: canaries behind it tell whether its end was heard.
    pub(super) fn prove_end(&mut self, id: usize, now: Time) {
        if self.is_watched(id) {
            let path = self.path(id);
            let advice = self.lanes[id].control.prove_end(now, &path);
            self.follow(id, advice, path.whose);
        }
    }

    /// Whether the host of a lane still answers: only its canaries can tell.
    pub(super) fn prove_host(&mut self, id: usize, now: Time) {
        let path = self.path(id);
        let advice = self.lanes[id].control.prove(now, &path);
        self.follow(id, advice, path.whose);
    }

    /// What was handed out at `given` has left by `at`. Where our own side was held up meanwhile, canaries left later than the
    /// engine thinks.
    pub fn held_up(&mut self, given: Time, at: Time) {
        if self
            .extra
            .iter()
            .any(|(_, why)| matches!(why, Extra::Canary(_)))
        {
            return;
        }
        let late = at.since(given);
        let whose = self.whose_network();
        self.network.control.left(late, whose);
        if !self.is_shared() {
            let whose = self.whose(COMMON);
            self.lanes[COMMON].control.left(late, whose);
        }
    }

    /// An endpoint that had answered before has answered again.
    pub(super) fn canary_answered(&mut self, id: usize, step: Step, observation: &Observation) {
        let heard = matches!(observation.seen, Seen::SynAck(_) | Seen::Rst { .. });
        if heard {
            self.lanes[id].canary_heard(&observation.source, step.index, observation.at);
        }
        let extra = match observation.source {
            Source::Flow(flow) => flow >= self.first_extra_flow(),
            Source::Attempt { attempt, .. } => attempt & CANARY != 0,
            Source::Host => false,
        };
        if matches!(observation.seen, Seen::Local(_)) {
            if let Some(to) = self.canary_of(&observation.source) {
                self.network.control.canaries.refused(step.index, to);
                self.lanes[id].control.canaries.refused(step.index, to);
            } else if !extra {
                self.lanes[id].canary_refused(step.index, observation.at);
            }
        }
        if heard && let Some(to) = self.canary_of(&observation.source) {
            let rtt = observation.source.rtt();
            let at = observation.at - rtt.unwrap_or_default();
            let of_network = self.network.control.canary_answered(step.index, to, at);
            let of_lane = self.lanes[id].control.canary_answered(step.index, to, at);
            match of_lane {
                Some(asked) => self.canary_in_time(id, (step.index, asked), observation),
                // Nobody knows yet how long answers take, and this one took longer than was thought.
                None if of_network.is_none() && !self.lanes[id].knows_time(step.index, to, at) => {
                    self.canary_late(id, (step.index, to), observation.at);
                }
                None => {}
            }
        }
    }

    /// Which canary beside the walks this may answer: what is asked afresh is none, and its server repeats itself as well.
    fn canary_of(&self, source: &Source) -> Option<To> {
        match (*source, self.config.asking) {
            (Source::Flow(flow), Asking::Syn { flows }) => canary_of_flow(flows, flow),
            (Source::Attempt { attempt, .. }, _) => (attempt & CANARY != 0).then_some(To::Any),
            (Source::Flow(_) | Source::Host, _) => None,
        }
    }

    /// A canary of this lane's present round, which left at `asked`, has answered.
    fn canary_in_time(
        &mut self,
        id: usize,
        (index, asked): (u64, Time),
        observation: &Observation,
    ) {
        let took = match observation.source {
            Source::Attempt { .. } => observation.source.rtt(),
            Source::Flow(_) | Source::Host => {
                let took = observation.at.since(asked);
                self.lanes[id].control.canaries.believe(asked, took)
            }
        };
        let whose = self.whose(id);
        if let (Source::Attempt { .. }, Some(took)) = (observation.source, took) {
            // A connect waits for whoever makes it.
            let left = observation.at - took;
            self.lanes[id].control.canary_left(asked, left, whose);
        }
        let stands = |lane: &Lane| lane.is_walking() && lane.control.ready_at() > observation.at;
        let stood = stands(&self.lanes[id]);
        self.lanes[id].control.canary_proves(asked, whose);
        // Who first answered a repeat did not tell how long that took.
        let lane = &mut self.lanes[id];
        let wanted = !lane.rtt.is_known() && lane.control.canaries.tell_time(index);
        match took.filter(|_| wanted) {
            Some(took) if took > LATE => self.answers_slowly(id, took, observation.at),
            Some(took) => lane.rtt.sample(took),
            None => {}
        }
        let lane = &self.lanes[id];
        let goes_on = stood && !stands(lane);
        let due = goes_on || lane.control.event_at() <= observation.at;
        if due && lane.wake > observation.at {
            self.wakes.push(id, observation.at, &mut self.lanes);
        }
    }

    pub(super) fn path(&self, id: usize) -> Path {
        let lane = &self.lanes[id];
        Path {
            timeout: lane.rtt.timeout(),
            canary: self.canary_wait(&lane.rtt),
            // SYNs leave at once, whatever waits for a worker beside them.
            held_up: match self.config.asking {
                Asking::Syn { .. } => Duration::ZERO,
                Asking::Handshake => self.held_up,
            },
            loss: lane.likely_loss,
            rate: self.pace.rate(),
            patience: self.config.patience,
            whose: self.whose(id),
            rest: match self.config.asking {
                Asking::Syn { .. } => CANARY_REST,
                Asking::Handshake => Duration::ZERO,
            },
            repeats: self.repeats(id),
        }
    }

    /// Whether a kernel repeats what a lane sends, as far as one host alone is looked at.
    pub(super) fn repeats(&self, id: usize) -> Repeats {
        match self.config.asking {
            Asking::Handshake if self.crowd(id) == Crowd::OneHost => Repeats::ByKernel {
                patience: self.config.listening(),
            },
            Asking::Handshake | Asking::Syn { .. } => Repeats::Never,
        }
    }

    /// A pass of one host whose end no canary has proven counts as long as nothing speaks of a limiter.
    pub(super) fn vouch(&mut self, id: usize) {
        let lane = &mut self.lanes[id];
        if self.plan.hosts() == 1 && lane.control.proof() < lane.last_end() {
            lane.trials.presume(lane.pass.trial);
        }
    }

    /// Whether a silent host is held to what a limiter lets in.
    pub(super) fn is_held(&self, id: usize) -> bool {
        self.whose(id) == Whose::SilentHost && self.lanes[id].control.is_limiting()
    }

    /// Whether answers tell what comes through, or canaries alone.
    fn whose(&self, id: usize) -> Whose {
        let lane = &self.lanes[id];
        let asked = match lane.pass.kind {
            Kind::First => lane.pass.asked,
            Kind::Fast | Kind::Patient => lane.heard + lane.remaining,
        };
        // The first that answer are few anywhere.
        let settled = lane.pass.kind != Kind::First
            || self.doubts.now >= lane.pass.began + lane.rtt.timeout() * 2;
        let silent = is_silent(lane.heard, lane.open, asked);
        let own = self.crowd(id) == Crowd::OneHost;
        if own && settled && silent && !lane.control.loses_in_bursts() {
            Whose::SilentHost
        } else {
            Whose::OneHost
        }
    }

    /// How long a canary on a path with this round-trip time may take to answer.
    pub(super) fn canary_wait(&self, rtt: &Rtt) -> Duration {
        let wait = (rtt.timeout() * 2)
            .max(rtt.longest())
            .max(LEAST_CANARY)
            .min(self.config.patience * 2);
        wait + self.host_rate.canaries_wait()
    }

    fn is_watched(&self, id: usize) -> bool {
        let apart = self.lanes[id].company != Company::All;
        self.plan.hosts() == 1 || id != COMMON && (apart || !self.network.is_limiting())
    }

    fn follow(&mut self, id: usize, advice: Advice, whose: Whose) {
        let kept_back = matches!(advice, Advice::Choked | Advice::Resume(_));
        let limited = self.lanes[id].control.may_be_limited();
        if kept_back && limited && whose == Whose::SilentHost {
            // What a limiter kept back was not asked, and tells nothing of what the path loses.
            self.forget_loss(id);
            let lane = &mut self.lanes[id];
            lane.trials.void_before(lane.pass.trial);
            if id != COMMON && lane.pass.kind == Kind::Fast {
                // Nor did what was asked in company come through.
                self.unsettle(id, 0, u64::MAX);
            }
        }
        match advice {
            Advice::Nothing => {}
            Advice::Ask(canaries) => self.ask_again(&canaries),
            // Where next to nothing was ever heard, the capture may be deaf.
            Advice::Choked => {
                let pass = &self.lanes[id].pass;
                if pass.kind == Kind::First && pass.gained * NEXT_TO_NOTHING <= pass.asked {
                    self.choose_witnesses(Among::All);
                }
            }
            Advice::Resume(proof) => self.go_back(id, proof),
            Advice::GiveUp => self.give_up(id),
            Advice::ResetsLimited => {
                self.forget_resets(id);
                self.tell_of(id, Note::ResetsLimited);
            }
        }
    }

    /// Asks canaries beside the walks.
    pub(super) fn ask_again(&mut self, canaries: &[Canary]) {
        for canary in canaries {
            if let Some(rank) = self.order.rank(canary.index) {
                let step = Step {
                    key: rank,
                    rank,
                    index: canary.index,
                };
                self.extra.push_back((step, Extra::Canary(canary.turn)));
            }
        }
    }

    /// Asks again what was asked since `proof`.
    pub(super) fn go_back(&mut self, id: usize, proof: Time) {
        let lane = &mut self.lanes[id];
        let end = lane.pass.cursor;
        let first = lane.rewind(proof, self.config.asking);
        if self.config.asking != Asking::Handshake || lane.pass.kind == Kind::Fast {
            return;
        }
        // Connects that were being listened to while nothing came through were not listened to.
        self.unsettle(id, first, end);
    }

    /// The silence of these means nothing.
    fn unsettle(&mut self, id: usize, first: u64, end: u64) {
        for step in self.unanswered(id, first, end) {
            if self.ledger.settled.has(step.rank) {
                self.ledger.settled.clear(step.rank);
                self.lanes[id].settled -= 1;
            }
        }
    }

    /// The target answers nothing any more, and will not. What is silent was not tested unless the stop rule had been
    /// content with it: what was asked once may have been lost, or have left too late for the last that was answered, however
    /// early it was handed over; nobody can ask it again.
    pub(super) fn give_up(&mut self, id: usize) {
        let (lane, outlook) = self.outlook(id);
        if !lane.is_tested(&outlook) {
            for step in self.unanswered(id, 0, u64::MAX) {
                let fresh = self.ledger.evidence.reason(step.rank).is_none();
                self.ledger.evidence.local(step.rank, LocalFault::Blocked);
                self.lanes[id].noted += u64::from(fresh);
            }
        }
        self.tell_of(id, Note::BlockedMidway);
        self.summary.blocked += 1;
        self.lanes[id].phase = Phase::Done;
        self.never_again(id);
    }

    fn unanswered(&self, id: usize, first: u64, end: u64) -> Vec<Step> {
        let lane = &self.lanes[id];
        let mut steps = Vec::new();
        let mut key = first;
        while key < end
            && let Some(step) = lane.space.next(key, Scope::All, &self.order, &self.ledger)
        {
            if step.key >= end {
                break;
            }
            steps.push(step);
            key = step.key + 1;
        }
        steps
    }

    fn first_extra_flow(&self) -> u8 {
        match self.config.asking {
            Asking::Syn { flows } => flows - super::extra_flows(flows),
            Asking::Handshake => 0,
        }
    }
}

/// One answer for so many asked is next to nothing.
const NEXT_TO_NOTHING: u64 = 20;
const LEAST_CANARY: Duration = Duration::from_millis(20);
/// The host's own kernel answers a repeat of the same SYN at most once in 500 ms; canaries leave from flows in turn.
const CANARY_REST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SEEK;
    use crate::engine::seek::tests::engine;
    use crate::model::{How, Presence, Probe, SynAck};

    const RTT: Duration = Duration::from_millis(5);

    /// The first host answers everything at once; the second has ten open ports, is otherwise silent, and its path is dead
    /// for half a second.
    fn answer(probe: &Probe, at: Time) -> Option<Observation> {
        if probe.attempt & SEEK != 0 {
            // Lost: its answer would tell how long answers take.
            return None;
        }
        let How::Syn { flow } = probe.how else {
            return None;
        };
        let port = probe.endpoint.port;
        let first = probe.index < 1000;
        if !first && (port > 10 || at < Time::ZERO + Duration::from_millis(500)) {
            return None;
        }
        let seen = if port <= 10 {
            Seen::SynAck(SynAck {
                ttl: None,
                window: 64_240,
                options: Presence::Present,
            })
        } else {
            Seen::Rst { ttl: 0 }
        };
        Some(Observation {
            endpoint: probe.endpoint,
            source: Source::Flow(flow),
            at: at + RTT,
            seen,
        })
    }

    /// Of the second host nobody knew yet how long it takes, because it had answered repeats only, and the first was
    /// finished and had no lane of its own.
    #[test]
    fn an_answer_to_the_networks_canary_did_not_make_a_lane_forget_its_own() {
        let mut engine = engine("1-1000", Asking::Syn { flows: 20 });
        let mut under_way: Vec<Observation> = Vec::new();
        let mut told = 0;
        for step in 0..8_000 {
            let now = Time::ZERO + Duration::from_micros(250) * step;
            let (here, later) = under_way.into_iter().partition(|answer| answer.at <= now);
            under_way = later;
            for answer in here as Vec<Observation> {
                let common = &engine.lanes[COMMON];
                let known = common.control.canaries.open();
                let canary = matches!(answer.source, Source::Flow(flow) if flow >= engine.first_extra_flow());
                let of_network = canary && engine.plan.index(&answer.endpoint) < Some(1000);
                let tells = of_network && !known.is_empty() && !common.rtt.is_known();
                engine.handle(answer);
                if tells {
                    told += 1;
                    assert_eq!(engine.lanes[COMMON].control.canaries.open(), known);
                }
            }
            let mut probes = Vec::new();
            engine.poll_transmit(now, 256, &mut probes);
            under_way.extend(probes.iter().filter_map(|probe| answer(probe, now)));
            while engine.poll_event().is_some() {}
        }
        assert!(told > 0, "no canary of the network was asked meanwhile");
    }

    #[test]
    fn canaries_of_crafted_syns_waited_longer_because_confirmations_waited_for_a_worker() {
        let late = Duration::from_millis(300);
        let flows = 20;
        for (asking, longer) in [
            (Asking::Syn { flows }, Duration::ZERO),
            (Asking::Handshake, late),
        ] {
            let mut engine = engine("1-1000", asking);
            engine.set_held_up(late);
            assert_eq!(engine.path(COMMON).held_up, longer, "{asking:?}");
        }
    }
}
