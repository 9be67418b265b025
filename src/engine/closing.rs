//! The end: verdicts for what never answered, figures, and the news on the way.

use std::time::Duration;

use crate::engine::lane::Phase;
use crate::engine::{COMMON, Cut, DRAIN, Ending, Engine, verdict};
use crate::model::{Event, HostNote, LocalFault, Note, Progress, Reason, Summary, Time, Verdict};

impl Engine {
    /// The figures so far. Packets, drops and elapsed time are the caller's to fill in: it owns the transport.
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary;
        summary.loss = self.measured_loss();
        summary.expected_missed = self.expected_missed();
        summary.complete = summary.untested == 0
            && summary.error == 0
            && summary.blocked == 0
            && summary.unheard == 0
            && !summary.interrupted
            && !self.asked_once()
            && summary.expected_missed < self.config.miss_budget;
        summary
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty()
            && let Ending::Reporting(rank) = self.ending
        {
            self.report_unanswered(rank);
        }
        self.pop_event()
    }

    /// Every endpoint has its verdict and every event was polled.
    pub fn is_done(&self) -> bool {
        self.ending == Ending::Done && self.events.is_empty()
    }

    /// Whether answers still count: what is being reported as silent has had its time.
    pub(super) fn still_hears(&self) -> bool {
        matches!(self.ending, Ending::No | Ending::Draining(_))
    }

    /// Sends nothing more, hears what is in flight for at most two seconds and ends. A second call ends at once.
    pub fn cut(&mut self, now: Time, cut: Cut) {
        match self.ending {
            Ending::No => {
                self.summary.interrupted = cut == Cut::Interrupt;
                let wait = self.lanes[COMMON].rtt.timeout().min(DRAIN);
                self.ending = Ending::Draining(now + wait);
            }
            Ending::Draining(_) => self.ending = Ending::Draining(now),
            Ending::Reporting(_) | Ending::Done => {}
        }
        self.step(now);
    }

    pub(super) fn step(&mut self, now: Time) {
        self.wakes.prune(&self.lanes);
        match self.ending {
            Ending::No => {
                let nobody_left = self.nobody_left();
                let over = self.wakes.is_empty() || nobody_left;
                if over && !nobody_left && self.go_on(now) {
                    return;
                }
                let told = over && self.all_told() && !self.witness.is_busy();
                if told && self.are_own_drops_known() {
                    self.tell_unheard_of();
                    self.ending = Ending::Reporting(0);
                }
            }
            Ending::Draining(until) => {
                if now >= until || self.ledger.answered.zeros() == 0 {
                    self.tell_the_rest();
                    self.tell_what_is_refused();
                    self.tell_unheard_of();
                    self.forget_hosts();
                    self.summary.untested =
                        self.ledger.answered.zeros() + self.deaf.waiting() + self.order.left();
                    self.ending = Ending::Done;
                }
            }
            Ending::Reporting(_) | Ending::Done => {}
        }
    }

    pub(super) fn conclude(&mut self, verdict: Verdict) {
        *self.summary.count_mut(verdict.state) += 1;
        self.keep_verdict(&verdict);
        self.events.push_back(Event::Verdict(verdict));
    }

    /// Reports a slice of the endpoints that never answered, so that events never pile up; then goes on to the next block.
    pub(super) fn report_unanswered(&mut self, from: u64) {
        let mut at = from;
        for _ in 0..REPORT_SLICE {
            let Some(rank) = self.ledger.answered.next_zero(at) else {
                return self.end_block();
            };
            at = rank + 1;
            let index = self.order.index(rank);
            let Some(endpoint) = self.plan.endpoint(index) else {
                continue;
            };
            let lane = self.lane_of(index / self.ports());
            let noted = if let Some(absence) = self.absent.get(&endpoint.address) {
                Some(absence.reason())
            } else {
                let untold = Reason::Local(LocalFault::NoGateway);
                let cut_off = || self.was_cut_off(lane, index).then_some(untold);
                self.ledger.evidence.reason(rank).or_else(cut_off)
            };
            let noted = noted.or_else(|| self.was_dropped(rank, index));
            let (state, reason) = verdict::unanswered(noted);
            if reason == Reason::Local(LocalFault::NoGateway) {
                self.say_cut_off();
            }
            if let Reason::Local(fault) = reason {
                self.tell_refused(fault, endpoint.address);
            }
            self.conclude(Verdict {
                endpoint,
                state,
                reason,
                rtt: None,
                ttl: None,
                attempts: self.lanes[lane].pass.number + 1,
                at: self.last_progress,
            });
        }
        self.ending = Ending::Reporting(at);
    }

    fn end_block(&mut self) {
        if self.ask_the_deaf(self.last_progress) {
            return;
        }
        self.close_block();
        self.forget_hosts();
        if self.order.left() == 0 {
            self.ending = Ending::Done;
            return;
        }
        self.order.next_block();
        self.ending = Ending::No;
        self.begin_block(self.last_progress);
    }

    /// A note about the host of this lane.
    pub(super) fn tell_of(&mut self, id: usize, note: Note) {
        let host = self.host_of(id);
        let address = host.and_then(|host| self.plan.host(host));
        self.events
            .push_back(Event::Host(HostNote { address, note }));
    }

    pub(super) fn report_progress(&mut self, now: Time) {
        if now.since(self.last_progress) < PROGRESS_EVERY {
            return;
        }
        self.last_progress = now;
        let common = &self.lanes[COMMON];
        let before = self.order.len() - self.order.left() - self.order.block_len();
        let walked = match common.phase {
            Phase::Walking if common.pass.number == 0 => before + common.pass.cursor,
            Phase::Walking | Phase::Settling(_) | Phase::Resting(..) | Phase::Done => {
                before + self.order.block_len()
            }
        };
        let pass_done = walked as f64 / self.order.len().max(1) as f64;
        let elapsed = now.since(self.started);
        let eta = (pass_done > 0.01 && pass_done < 1.0)
            .then(|| elapsed.mul_f64((1.0 - pass_done) / pass_done));
        // Behind a reader that does not come only the last of them counts.
        if matches!(self.events.back(), Some(Event::Progress(_))) {
            self.events.pop_back();
        }
        self.events.push_back(Event::Progress(Progress {
            endpoints: self.summary.endpoints,
            answered: self.summary.open + self.summary.closed + self.summary.suspect,
            open: self.summary.open,
            held: self.doubts.held() as u64,
            packets_sent: 0,
            pass: common.pass.number,
            pass_done,
            loss: self.measured_loss(),
            allowed: self.pace.rate() as u32,
            at: now,
            hosts_up: None,
            talks: None,
            eta,
        }));
    }
}

const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Events that are made at a time.
pub(super) const REPORT_SLICE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::*;
    use crate::engine::pace::Ceiling;
    use crate::engine::{Asking, Config};
    use crate::model::{Departure, Endpoint, How, Observation, Probe, Seen, Source};
    use crate::plan::Plan;

    /// It had a second verdict when it had been told already, and else none, because nobody weighs claims any more.
    #[test]
    fn what_answers_while_silence_is_being_reported_has_one_verdict() {
        let plan = Arc::new(Plan::parse("10.9.0.2", "1-10000").expect("a plan"));
        let asking = Asking::Syn { flows: 20 };
        let config = Config::new(asking, Ceiling::Asked(1_000_000));
        let mut engine = Engine::new(plan, config, Time::ZERO);
        let (mut now, mut told) = (Time::ZERO, Vec::<Endpoint>::new());
        let mut late = Vec::new();
        while !engine.is_done() {
            let mut probes = Vec::new();
            engine.poll_transmit(now, 256, &mut probes);
            engine.taken(probes.len());
            for Probe {
                endpoint,
                attempt,
                how,
                ..
            } in probes
            {
                engine.left(&Departure { endpoint, at: now });
                if let How::Handshake { .. } = how {
                    engine.handle(Observation {
                        endpoint,
                        source: Source::Attempt {
                            attempt,
                            syns: 1,
                            took: None,
                        },
                        at: now,
                        seen: Seen::Silence,
                    });
                }
            }
            while let Some(event) = engine.poll_event() {
                if let Event::Verdict(verdict) = event {
                    told.push(verdict.endpoint);
                }
                if told.len() == 5_000 && late.is_empty() {
                    // One that was told, and one that was not.
                    let all = (1..=10_000).map(|port| Endpoint { port, ..told[0] });
                    late = vec![told[0]];
                    late.extend(all.filter(|one| !told.contains(one)).take(1));
                    for endpoint in &late {
                        engine.handle(Observation {
                            endpoint: *endpoint,
                            source: Source::Flow(0),
                            at: now,
                            seen: Seen::Rst { ttl: 64 },
                        });
                    }
                }
            }
            assert!(now < Time(60_000_000_000), "it does not end");
            now = engine.poll_timeout().max(now + Duration::from_micros(100));
            now = now.min(Time(60_000_000_000));
        }
        assert_eq!(late.len(), 2);
        let once: HashSet<&Endpoint> = told.iter().collect();
        assert_eq!((told.len(), once.len()), (10_000, 10_000));
    }
}
