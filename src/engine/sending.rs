//! Which probes leave now: the walk of a lane, endpoints to ask afresh, canaries.

use std::time::Duration;

use crate::engine::canary::{TURNS, To};
use crate::engine::control::Repeats;
use crate::engine::cut_off::LEFT_OUT;
use crate::engine::echo::DEPARTURE_SHOWS;
use crate::engine::pace::Ceiling;
use crate::engine::pass::{Again, Lives};
use crate::engine::space::Step;
use crate::engine::{Asking, CANARY, COMMON, Config, EXTRA_FLOWS, Engine, Extra, HASTY, echo};
use crate::model::{How, LocalFault, Probe, Time};

impl Config {
    /// How long a kernel connect lives that is to tell of silence: never so short that nobody would know whether it asked.
    pub(super) fn listening(&self) -> Duration {
        self.patience.max(DEPARTURE_SHOWS)
    }
}

impl Engine {
    /// From now on at most `rate` probes per second leave, whatever answers, in place of every ceiling before.
    pub fn set_rate(&mut self, rate: u32) {
        let ceiling = Ceiling::Asked(rate);
        self.config.ceiling = ceiling;
        self.config.connect_ceiling = ceiling;
        self.pace.set_ceiling(ceiling);
    }

    /// Sends from one lane until `left` or its own pace is used up; how many it sent, canaries among them: a batch that is a few
    /// more than whole leaves no work for a second sender.
    pub(super) fn walk(
        &mut self,
        id: usize,
        now: Time,
        left: usize,
        out: &mut Vec<Probe>,
    ) -> usize {
        let room = self.network_room(now).min(left);
        let allowed = self.lanes[id].control.available(now).min(room);
        let attempt = self.lanes[id].pass.number;
        let listening = self.config.listening();
        let again = self.lanes[id].pass.again;
        let (mut sent, mut left_out) = (0, 0);
        let mut first = true;
        let mut repeats = Repeats::Never;
        let start = out.len();
        'walk: while sent < allowed && out.len() - start < left {
            if let Some(canary) = self.lanes[id].pass.next_canary() {
                if !self.host_may_be_asked(id, canary) {
                    break;
                }
                self.ask_canary(id, canary, now, out);
                continue;
            }
            let lane = &mut self.lanes[id];
            let Some(step) =
                lane.space
                    .next(lane.pass.cursor, lane.pass.scope, &self.order, &self.ledger)
            else {
                while let Some(canary) = self.lanes[id].pass.last_canary() {
                    if !self.host_may_be_asked(id, canary) {
                        break 'walk;
                    }
                    self.ask_canary(id, canary, now, out);
                }
                self.lanes[id].walked(now, self.config.asking);
                self.prove_end(id, now);
                self.walk_ended(now);
                if id == COMMON && (attempt == 0 || self.lanes[COMMON].finds_way()) {
                    self.seek_from(now);
                }
                break;
            };
            let host = step.index / self.ports();
            let elsewhere = id == COMMON && self.lane_of(host) != COMMON;
            if !elsewhere && !self.host_may_be_asked(id, step.index) {
                break;
            }
            let lane = &mut self.lanes[id];
            if first {
                lane.pass.checkpoint(step.key, now);
                first = false;
            }
            lane.pass.cursor = step.key + 1;
            if elsewhere {
                continue;
            }
            if self.is_cut_off(step.index, now) {
                self.note_local(id, step.rank, LocalFault::NoGateway);
                left_out += 1;
                if left_out == LEFT_OUT {
                    break;
                }
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
                    if echo::repeats(life).next().is_some() {
                        repeats = self.repeats(id);
                    }
                    let lane = &mut self.lanes[id];
                    if life < listening {
                        lane.pass.lives = Lives::Shorter;
                    } else {
                        lane.pass.echoes.connect(now);
                        lane.settled += u64::from(self.ledger.settled.set(step.rank));
                    }
                    How::Handshake { patience: life }
                }
            };
            if self.push(id, step, attempt, how, out) {
                self.host_asked(step.index);
                self.lanes[id].pass.ask();
                sent += 1;
            }
        }
        self.lanes[id].control.sent(sent, now, repeats);
        // No control of a network looks at what a kernel repeats.
        self.network.control.sent(sent, now, Repeats::Never);
        if !self.is_shared() && self.lanes[id].pass.number == 0 && self.lanes[id].spread.is_zero() {
            self.spread_walk(now);
        }
        out.len() - start
    }

    /// Asks an endpoint again that is known to be open, as part of the present pass. It tells nothing of the lane's pace: its
    /// answers are no news.
    fn ask_canary(&mut self, id: usize, index: u64, now: Time, out: &mut Vec<Probe>) {
        self.host_asked(index);
        let pass = &mut self.lanes[id].pass;
        pass.canary_asked(now);
        let (flow, trial) = (pass.flow, pass.trial);
        self.push_canary(id, index, trial, flow, out);
    }

    /// Asks endpoints again that are known to be open, beside the SYNs that the kernel repeats now.
    pub(super) fn ask_echoes(&mut self, id: usize, now: Time, out: &mut Vec<Probe>) {
        let start = out.len();
        self.push_echoes(id, now, out);
        self.hold_back(start, out);
    }

    fn push_echoes(&mut self, id: usize, now: Time, out: &mut Vec<Probe>) {
        while self.lanes[id].echo_due(&self.config) <= now {
            // No more than the silent endpoints that they stand for.
            let mut known = self.lanes[id].control.known();
            known.truncate(self.lanes[id].remaining as usize);
            let pass = &mut self.lanes[id].pass;
            let Some((repeat, index)) = pass.echoes.take(now, self.config.listening(), &known)
            else {
                return;
            };
            if let Some(index) = index {
                pass.echoes.asked(index, repeat, now);
                let (flow, trial) = (pass.flow, pass.trial + repeat);
                self.push_canary(id, index, trial, flow, out);
            }
        }
    }

    fn push_canary(&mut self, id: usize, index: u64, trial: u16, flow: u8, out: &mut Vec<Probe>) {
        let Some(rank) = self.order.rank(index) else {
            return;
        };
        let step = Step {
            key: rank,
            rank,
            index,
        };
        let how = match self.config.asking {
            Asking::Syn { .. } => How::Syn { flow },
            Asking::Handshake => How::Handshake {
                patience: self.lanes[id].canary_life().min(self.config.patience),
            },
        };
        let attempt = self.lanes[id].pass.number;
        if self.push(id, step, attempt, how, out) {
            self.lanes[id].trials.canary_sent(trial);
        }
    }

    /// How long the next connect to this host lives.
    fn life(&self, id: usize, host: u64) -> Duration {
        let lane = &self.lanes[id];
        let rtt = self.hosts.get(&host).map_or(lane.rtt, |host| host.rtt);
        lane.life(&rtt, self.config.listening())
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
        if self.absent.contains_key(&endpoint.address) {
            return false;
        }
        // A crafted SYN that is refused says so at once; that of a connect shows only in its repeats.
        if self.config.asking != Asking::Handshake {
            self.forget_local(id, step.rank, attempt);
        }
        let mut attempt = attempt;
        if let How::Handshake { patience } = how {
            self.lanes[id].outstanding += 1;
            if patience < self.config.listening() {
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

    /// This attempt did leave.
    pub(super) fn forget_local(&mut self, id: usize, rank: u64, attempt: u16) {
        if self.ledger.evidence.is_local(rank) {
            match attempt & !HASTY {
                // What was noted then is of an earlier run.
                0 => self.ledger.evidence.forget(rank),
                _ => self.ledger.evidence.left_later(rank),
            }
            self.lanes[id].noted -= 1;
        }
    }

    /// Canaries that have not left before they are due to have answered tell nothing: our own side had no room for them.
    pub(super) fn withdraw_unsent(&mut self, now: Time) {
        let is_over = |due: Option<Time>| due.is_some_and(|due| due <= now);
        for _ in 0..self.extra.len() {
            let Some((step, why)) = self.extra.pop_front() else {
                return;
            };
            let id = self.lane_of(step.index / self.ports());
            let control = &mut self.lanes[id].control;
            let network = &mut self.network.control;
            let late = is_over(control.canaries.due()) || is_over(network.canaries.due());
            match why {
                Extra::Canary(turn) if late => {
                    control.canaries.refused(step.index, To::Turn(turn));
                    network.canaries.refused(step.index, To::Turn(turn));
                }
                _ => self.extra.push_back((step, why)),
            }
        }
    }

    /// Asks endpoints beside the lanes' walks, spread over what was appended since `start`: canaries at the head of a batch
    /// would find room in a limiter that its tail does not.
    pub(super) fn ask_extra(&mut self, start: usize, room: usize, out: &mut Vec<Probe>) {
        let walked = out.len() - start;
        let mut extra = Vec::new();
        while extra.len() < room
            && let Some((step, why)) = self.extra.pop_front()
        {
            if why == Extra::Stale && self.ledger.answered.has(step.rank) {
                continue;
            }
            if self.config.asking == Asking::Handshake && !matches!(why, Extra::Canary(_)) {
                continue;
            }
            let id = self.lane_of(step.index / self.ports());
            let attempt = self.lanes[id].pass.number + 1;
            let mut life = self.path(id).canary;
            if self.is_shared() {
                life = life.max(self.network_path().canary);
            }
            let (attempt, how) = match self.config.asking {
                Asking::Syn { flows } => (
                    attempt,
                    How::Syn {
                        flow: extra_flow(flows, why),
                    },
                ),
                Asking::Handshake => (attempt | CANARY, How::Handshake { patience: life }),
            };
            self.push(id, step, attempt, how, &mut extra);
        }
        self.hold_back(0, &mut extra);
        let count = extra.len();
        for (at, probe) in extra.into_iter().enumerate() {
            out.insert(start + (at + 1) * walked / count + at, probe);
        }
    }
}

/// Endpoints are asked afresh from the last flow; canaries take those before it in turn.
fn extra_flow(flows: u8, why: Extra) -> u8 {
    match why {
        Extra::Canary(turn) if flows > EXTRA_FLOWS * 2 => flows - 2 - turn,
        _ => fresh_flow(flows),
    }
}

/// The last flow, from which no walk asks.
pub(super) fn fresh_flow(flows: u8) -> u8 {
    flows - 1
}

/// Which canaries are asked from this one of the flows, if any are.
pub(super) fn canary_of_flow(flows: u8, flow: u8) -> Option<To> {
    let asks = |turn: &u8| flow == extra_flow(flows, Extra::Canary(*turn));
    let mut turns = (0..TURNS as u8).filter(asks);
    let first = turns.next()?;
    Some(turns.next().map_or(To::Turn(first), |_| To::Any))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    use crate::engine::seek::tests::reset;
    use crate::plan::Plan;

    #[test]
    fn a_short_patience_ended_connects_before_their_kernel_could_tell_that_they_had_not_left() {
        let plan = Arc::new(Plan::parse("10.9.0.1", "1-50").expect("a plan"));
        let ceiling = Ceiling::Asked(1_000_000);
        let config = Config {
            seed: 1,
            patience: Duration::from_millis(500),
            ..Config::new(Asking::Handshake, ceiling)
        };
        let mut engine = Engine::new(plan, config, Time::ZERO);
        let mut probes = Vec::new();
        engine.poll_transmit(Time(1_000_000), 100, &mut probes);
        assert!(!probes.is_empty());
        let first_repeat = Duration::from_secs(1);
        for probe in probes {
            let How::Handshake { patience } = probe.how else {
                panic!("{probe:?}");
            };
            assert!(patience > first_repeat, "{probe:?}");
        }
    }

    /// A second sender takes whole batches, and found none where canaries are asked beside the walk.
    #[test]
    fn canaries_made_a_batch_a_few_more_than_whole() {
        let plan = Arc::new(Plan::parse("10.9.0.1", "1-20000").expect("a plan"));
        let (blind, most) = (10_000_000, 10_000_000);
        let ceiling = Ceiling::Careful { blind, most };
        let config = Config {
            seed: 1,
            ..Config::new(Asking::Syn { flows: 20 }, ceiling)
        };
        let mut engine = Engine::new(plan, config, Time::ZERO);
        let (mut whole, mut canaries) = (0, 0);
        for step in 1..4_000 {
            let now = Time::ZERO + Duration::from_micros(100) * step;
            let mut probes = Vec::new();
            engine.poll_transmit(now, 256, &mut probes);
            assert!(probes.len() <= 256, "{} in one batch", probes.len());
            for probe in probes.iter().filter(|_| probes.len() == 256) {
                whole += 1;
                let rank = engine.order.rank(probe.index).expect("a rank");
                canaries += u64::from(probe.attempt > 0 && engine.ledger.answered.has(rank));
            }
            let lost = |probe: &&Probe| probe.attempt == 0 && probe.endpoint.port.is_multiple_of(2);
            for probe in probes.iter().filter(|probe| !lost(probe)) {
                engine.handle(reset(probe, now));
            }
        }
        assert!(whole > 20_000, "{whole} in whole batches");
        assert!(canaries > 20, "{canaries} canaries in whole batches");
    }
}
