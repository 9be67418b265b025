//! Gateways that do not answer. Nothing behind them can be tested for the time being, and nobody knows what is there.
//!
//! The transport tells it of single endpoints ([`LocalFault::NoGateway`]). Which others go by the same gateway is known from
//! [`Ways`](super::ways::Ways), so the walk leaves them out for a moment instead of asking the transport for each: a million
//! addresses behind a dead gateway cost neither packets nor a rate. What was left out is noted, as everything is that our own
//! side could not ask, and asked in a later pass; passes are made for two seconds longer than the patience, so that a gateway
//! that comes back within it loses nothing. The first pass that nothing was left out of stands for the first of all: attempts
//! before it were none.

use std::time::Duration;

use crate::engine::Engine;
use crate::model::{Event, HostNote, LocalFault, Note, Observation, Seen, Time};

/// See the top of the file.
#[derive(Default)]
pub struct CutOff {
    /// By the number of the gateway: when it was last found not to answer.
    gateways: Vec<Option<Time>>,
    said: Said,
}

/// Whether it was told that something was not tested for want of a gateway. That is told once, however much it is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Said {
    #[default]
    No,
    Yes,
}

impl CutOff {
    fn found(&mut self, gateway: usize, at: Time) {
        if self.gateways.len() <= gateway {
            self.gateways.resize(gateway + 1, None);
        }
        let found = &mut self.gateways[gateway];
        *found = (*found).max(Some(at));
    }

    fn last_found(&self, gateway: usize) -> Option<Time> {
        self.gateways.get(gateway).copied().flatten()
    }

    fn is_any(&self) -> bool {
        !self.gateways.is_empty()
    }
}

impl Engine {
    /// Notes the gateway that did not answer, if this tells of one.
    pub(super) fn heed_gateway(&mut self, observation: &Observation) {
        if observation.seen == Seen::Local(LocalFault::NoGateway)
            && let Some(gateway) = self.ways.gateway(&observation.endpoint.address)
        {
            self.cut_off.found(gateway, observation.at);
        }
    }

    /// Whether the endpoint of this index is not to be asked now, because its gateway did not answer a moment ago.
    pub(super) fn is_cut_off(&self, index: u64, now: Time) -> bool {
        let found = self.gateway_found_dead(index);
        found.is_some_and(|at| now < at + TRIED_AGAIN)
    }

    /// Whether the gateway of this endpoint has failed to answer in this scan: then the attempts before are not known to have
    /// been any.
    pub(super) fn was_cut_off(&self, id: usize, index: u64) -> bool {
        self.lanes[id].cut_off && self.gateway_found_dead(index).is_some()
    }

    /// Says once that something was not tested for want of a gateway.
    pub(super) fn say_cut_off(&mut self) {
        if self.cut_off.said == Said::No {
            self.cut_off.said = Said::Yes;
            self.events.push_back(Event::Host(HostNote {
                address: None,
                note: Note::NoGateway,
            }));
        }
    }

    /// When the gateway of this endpoint was last found not to answer, if it ever was.
    pub(super) fn gateway_found_dead(&self, index: u64) -> Option<Time> {
        if !self.cut_off.is_any() {
            return None;
        }
        let endpoint = self.plan.endpoint(index)?;
        self.cut_off
            .last_found(self.ways.gateway(&endpoint.address)?)
    }
}

/// How soon a gateway that did not answer is tried again.
const TRIED_AGAIN: Duration = Duration::from_millis(500);
/// Endpoints that one call leaves out, so that answers are heard in between.
pub(super) const LEFT_OUT: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::pace::Ceiling;
    use crate::engine::ways::Ways;
    use crate::engine::{Asking, Config, SEEK, WITNESS};
    use crate::model::{
        Address, Departure, Endpoint, How, Presence, Probe, Reason, Source, State, SynAck, Verdict,
    };
    use crate::plan::Plan;

    const SYN: Asking = Asking::Syn { flows: 20 };

    /// All of 10.9.0.0/16 lies behind one gateway.
    fn engine(targets: &str, ports: &str, asking: Asking) -> Engine {
        slow(targets, ports, asking, (1_000_000, 20))
    }

    /// The same at this rate, with so many attempts at most.
    fn slow(targets: &str, ports: &str, asking: Asking, (rate, attempts): (u32, u16)) -> Engine {
        let plan = Arc::new(Plan::parse(targets, ports).expect("a plan"));
        let config = Config {
            seed: 1,
            max_attempts: attempts,
            ..Config::new(asking, Ceiling::Asked(rate))
        };
        let address = |text: &str| Address::new(text.parse().expect("an address"));
        let gateway = address("10.8.0.254").ip;
        let ways = Ways::default().with_gateways([
            (address("10.8.0.0"), None),
            (address("10.9.0.0"), Some((2, gateway))),
        ]);
        Engine::new(plan, config, Time::ZERO).with_ways(ways)
    }

    fn seen(probe: &Probe, at: Time, seen: Seen) -> Observation {
        let source = match probe.how {
            How::Syn { flow } => Source::Flow(flow),
            How::Handshake { .. } => Source::Attempt {
                attempt: probe.attempt,
                syns: 0,
                took: None,
            },
        };
        Observation {
            endpoint: probe.endpoint,
            source,
            at,
            seen,
        }
    }

    fn dead(_: &Endpoint, _: Time) -> Option<Seen> {
        Some(Seen::Local(LocalFault::NoGateway))
    }

    /// Runs the scan against what answers a probe. How many were sent, the verdicts, the other notes, and when it ended.
    fn run(
        engine: &mut Engine,
        answer: impl Fn(&Endpoint, Time) -> Option<Seen>,
    ) -> (usize, Vec<Verdict>, Vec<HostNote>, Time) {
        run_probes(engine, |probe, now| answer(&probe.endpoint, now))
    }

    fn run_probes(
        engine: &mut Engine,
        answer: impl Fn(&Probe, Time) -> Option<Seen>,
    ) -> (usize, Vec<Verdict>, Vec<HostNote>, Time) {
        let (mut sent, mut verdicts, mut notes) = (0, Vec::new(), Vec::new());
        let mut now = Time::ZERO;
        while !engine.is_done() {
            let mut probes = Vec::new();
            engine.poll_transmit(now, 256, &mut probes);
            engine.taken(probes.len());
            sent += probes.len();
            for probe in &probes {
                let endpoint = probe.endpoint;
                engine.left(&Departure { endpoint, at: now });
                if let Some(answer) = answer(probe, now) {
                    engine.handle(seen(probe, now + Duration::from_micros(50), answer));
                } else if let How::Handshake { .. } = probe.how {
                    engine.handle(seen(probe, now + Duration::from_micros(50), Seen::Silence));
                }
            }
            while let Some(event) = engine.poll_event() {
                match event {
                    Event::Verdict(verdict) => verdicts.push(verdict),
                    Event::Host(note) => notes.push(note),
                    _ => {}
                }
            }
            assert!(now < Time(60_000_000_000), "it does not end");
            now = engine.poll_timeout().max(now + Duration::from_micros(100));
            now = now.min(Time(60_000_000_000));
        }
        (sent, verdicts, notes, now)
    }

    #[test]
    fn a_network_behind_a_dead_gateway_costs_few_probes_ends_soon_and_is_one_note() {
        for asking in [SYN, Asking::Handshake] {
            let mut engine = engine("10.9.0.0/16", "80", asking);
            let (sent, verdicts, notes, ended) = run(&mut engine, dead);
            assert!(sent <= 12 * 256, "{sent}");
            assert!(ended < Time(10_000_000_000), "{ended:?}");
            assert_eq!(verdicts.len(), 65_536);
            for verdict in verdicts {
                assert_eq!(verdict.state, State::Error);
                assert_eq!(verdict.reason, Reason::Local(LocalFault::NoGateway));
            }
            assert_eq!(notes.len(), 1);
            assert_eq!(notes[0].note, Note::NoGateway);
            assert!(!engine.summary().complete);
        }
    }

    #[test]
    fn a_gateway_that_comes_back_within_the_patience_loses_nothing_and_its_absence_is_no_loss() {
        let syn_ack = Seen::SynAck(SynAck {
            ttl: Some(64),
            window: 64_240,
            options: Presence::Present,
        });
        let late = |endpoint: &Endpoint, now: Time| {
            if now < Time(2_500_000_000) {
                return Some(Seen::Local(LocalFault::NoGateway));
            }
            match endpoint.port {
                22 | 80 => Some(syn_ack),
                port if port < 100 => Some(Seen::Rst { ttl: 64 }),
                _ => None,
            }
        };
        let mut engine = engine("10.9.0.1", "1-200", SYN);
        let (_, verdicts, notes, ended) = run(&mut engine, late);
        let count = |state| verdicts.iter().filter(|one| one.state == state).count();
        let counts = [State::Open, State::Closed, State::Filtered].map(count);
        assert_eq!(counts, [2, 97, 101]);
        assert!(notes.is_empty(), "{notes:?}");
        let summary = engine.summary();
        assert!(summary.complete, "{summary:?}");
        assert_eq!(summary.loss.unwrap_or(0.0), 0.0);
        // What is silent was listened to for the whole patience all the same.
        assert!(ended >= Time(5_500_000_000), "{ended:?}");
    }

    #[test]
    fn what_is_on_the_link_is_tested_while_a_gateway_is_dead() {
        let answer = |endpoint: &Endpoint, now: Time| match endpoint.address.to_string().as_str() {
            "10.8.0.7" => Some(Seen::Rst { ttl: 64 }),
            _ => dead(endpoint, now),
        };
        let mut engine = engine("10.8.0.7,10.9.0.1-10.9.0.9", "1-50", SYN);
        let (_, verdicts, ..) = run(&mut engine, answer);
        let count = |state| verdicts.iter().filter(|one| one.state == state).count();
        assert_eq!((count(State::Closed), count(State::Error)), (50, 450));
    }

    /// The common walk left out a part of the host, and the rest of it answered; the lane that the host got knew nothing of it.
    #[test]
    fn what_a_host_was_not_asked_for_want_of_a_gateway_was_loss_once_it_had_a_lane() {
        for back in [300_000_000, 1_200_000_000] {
            let answer = |endpoint: &Endpoint, now: Time| {
                let far = endpoint.address.to_string() == "10.9.0.1";
                match endpoint.port {
                    _ if far && now < Time(back) => dead(endpoint, now),
                    port if port <= 100 => Some(Seen::Rst { ttl: 64 }),
                    _ => None,
                }
            };
            let targets = "10.8.0.1-10.8.0.10,10.9.0.1";
            let mut engine = slow(targets, "1-200", SYN, (1_000, 20));
            let (_, verdicts, ..) = run(&mut engine, answer);
            let closed = verdicts.iter().filter(|one| one.state == State::Closed);
            assert_eq!(closed.count(), 1_100);
            assert_eq!(engine.summary().loss, Some(0.0), "back at {back}");
        }
    }

    #[test]
    fn a_pass_that_was_the_first_with_a_way_counted_as_its_own_repeat() {
        for back in [300_000_000, 700_000_000, 1_700_000_000] {
            let asked = std::cell::RefCell::new(std::collections::HashMap::new());
            let answer = |endpoint: &Endpoint, now: Time| {
                if now < Time(back) {
                    return dead(endpoint, now);
                }
                *asked.borrow_mut().entry(endpoint.port).or_insert(0) += 1;
                None
            };
            let mut engine = engine("10.9.0.1", "1-200", SYN);
            run(&mut engine, answer);
            let asked = asked.into_inner();
            assert_eq!(asked.len(), 200);
            let fewest = asked.values().min();
            assert!(fewest >= Some(&3), "back at {back}: {fewest:?}");
        }
    }

    /// How often each endpoint was asked by what has this mark, of a host on the link and of ten behind a gateway that comes back.
    fn marked(asking: Asking, mark: u16, back: u64) -> Vec<(u64, u32)> {
        let mut engine = engine("10.8.0.7,10.9.0.1-10.9.0.10", "1-20", asking);
        let asked = std::cell::RefCell::new(std::collections::BTreeMap::new());
        run_probes(&mut engine, |probe, now| {
            if probe.index >= 20 && now < Time(back) {
                return dead(&probe.endpoint, now);
            }
            let times = u32::from(probe.attempt & mark != 0);
            *asked.borrow_mut().entry(probe.index).or_insert(0) += times;
            None
        });
        asked.into_inner().into_iter().collect()
    }

    #[test]
    fn hosts_behind_a_gateway_that_came_back_were_not_sought() {
        for asking in [SYN, Asking::Handshake] {
            for back in [300_000_000, 1_200_000_000, 2_500_000_000] {
                let once: Vec<(u64, u32)> = (0..220).map(|index| (index, 1)).collect();
                assert_eq!(marked(asking, SEEK, back), once, "back at {back}");
            }
        }
    }

    #[test]
    fn no_witness_was_called_for_hosts_behind_a_gateway_that_came_back() {
        for back in [300_000_000, 2_500_000_000] {
            let mut tried = [0; 11];
            for (index, times) in marked(SYN, WITNESS, back) {
                assert!(times <= 1, "{index} was tried {times} times");
                tried[index as usize / 20] += times;
            }
            assert_eq!(tried[0], 8);
            assert_eq!(tried.iter().sum::<u32>(), 64, "back at {back}: {tried:?}");
        }
    }

    /// The kernel kept the one probe that was made, and the others were refused.
    #[test]
    fn what_was_asked_while_nobody_knew_of_the_dead_gateway_was_not_tested_either() {
        let kept = std::cell::Cell::new(0);
        let answer = |endpoint: &Endpoint, now: Time| {
            kept.set(kept.get() + 1);
            (kept.get() > 2).then(|| dead(endpoint, now)).flatten()
        };
        let mut engine = slow("10.9.0.1", "1-10", SYN, (1_000_000, 1));
        let (_, verdicts, ..) = run(&mut engine, answer);
        let errors = verdicts.iter().filter(|one| one.state == State::Error);
        assert_eq!(errors.count(), 10);
    }

    /// The canaries could not be sent any more when the path had been choked for the patience, those before had failed, and the
    /// walk waited for more.
    #[test]
    fn a_gateway_that_was_known_to_be_dead_only_after_the_patience_was_waited_for_for_ever() {
        let syn_ack = Seen::SynAck(SynAck {
            ttl: Some(64),
            window: 64_240,
            options: Presence::Present,
        });
        for known in (2..8).map(|seconds| Time(seconds * 1_000_000_000)) {
            let answer = |endpoint: &Endpoint, now: Time| match endpoint.port {
                _ if now >= known => dead(endpoint, now),
                _ if now >= Time(500_000_000) => None,
                port if port % 100 == 0 => Some(syn_ack),
                _ => Some(Seen::Rst { ttl: 64 }),
            };
            let mut engine = slow("10.9.0.1", "1-40000", SYN, (40_000, 20));
            let (_, verdicts, ..) = run(&mut engine, answer);
            let filtered = verdicts.iter().filter(|one| one.state == State::Filtered);
            assert_eq!(filtered.count(), 0, "known at {known:?}");
        }
    }
}
