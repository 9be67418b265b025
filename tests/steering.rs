//! A scan that is steered while it runs: pauses change nothing but the time, and a rate that is asked for is kept.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Endpoint, Event, Probe, State, Summary, Time};
use halfopen::plan::Plan;
use halfopen::scan::{self, Control, Sink};
use halfopen::transport::Transport;
use halfopen::transport::sim::{Behaviour, Gates, Host, Network, PathLoss, SimTransport};

const SYN: Asking = Asking::Syn { flows: 20 };

/// What somebody at the keyboard does, by the transport's clock.
#[derive(Clone, Copy, Debug)]
enum Hand {
    Pauses { from: Time, until: Time },
    Limits { at: Time, rate: u32 },
}

/// A simulated network with somebody at the keyboard.
struct Steered {
    inner: SimTransport,
    control: Control,
    hands: Vec<Hand>,
    sent: Vec<(Time, usize)>,
    /// When it was seen to be paused for the first time in the present pause.
    paused: Cell<Option<Time>>,
}

impl Transport for Steered {
    passes_on! { room recv departures counters }

    fn now(&self) -> Time {
        let now = self.inner.now();
        let mut paused = false;
        for hand in &self.hands {
            match *hand {
                Hand::Pauses { from, until } => paused |= (from..until).contains(&now),
                Hand::Limits { at, rate } if now >= at => self.control.limit(rate),
                Hand::Limits { .. } => {}
            }
        }
        if paused {
            self.control.pause();
            self.paused.set(self.paused.get().or(Some(now)));
        } else {
            self.control.resume();
            self.paused.set(None);
        }
        now
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let sent = self.inner.send(probes);
        let now = self.inner.now();
        if let Some(since) = self.paused.get() {
            assert!(now == since, "{sent} sent in a pause");
        }
        self.sent.push((now, sent));
        sent
    }
}

#[derive(Default)]
struct Keep(Vec<(Endpoint, State, Time)>);

impl Sink for Keep {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            if let Event::Verdict(verdict) = event {
                self.0.push((verdict.endpoint, verdict.state, verdict.at));
            }
        }
    }
}

struct Run {
    states: BTreeMap<Endpoint, State>,
    times: BTreeMap<Endpoint, Time>,
    sent: Vec<(Time, usize)>,
    summary: Summary,
}

fn at(millis: u64) -> Time {
    Time(millis * 1_000_000)
}

fn host(last: u8, rest: Behaviour) -> (Address, Host) {
    let open = (1..=20).map(|port| (port, Behaviour::Open));
    let slow = (21..=30).map(|port| (port, Behaviour::Slow(Duration::from_millis(1_800))));
    let address = Address::new([10, 9, 0, last].into());
    let host = Host {
        rtt: Duration::from_millis(350),
        jitter: Duration::from_millis(20),
        loss: PathLoss::Independent(0.02),
        rest,
        ports: open.chain(slow).collect(),
        gates: Gates::default(),
    };
    (address, host)
}

fn run(asking: Asking, ceiling: Ceiling, hands: &[Hand]) -> Run {
    seeded(7, asking, ceiling, hands)
}

fn seeded(seed: u64, asking: Asking, ceiling: Ceiling, hands: &[Hand]) -> Run {
    let network = Network {
        hosts: HashMap::from([host(1, Behaviour::Closed), host(2, Behaviour::Silent)]),
        ..Network::default()
    };
    let plan = Arc::new(Plan::parse("10.9.0.1-3", "1-300").expect("a plan"));
    let flows = if asking == SYN { 20 } else { 1 };
    let control = Control::default();
    let mut transport = Steered {
        inner: SimTransport::new(network, seed, flows, 4096),
        control: control.clone(),
        hands: hands.to_vec(),
        sent: Vec::new(),
        paused: Cell::new(None),
    };
    let config = Config {
        seed: 3,
        ..Config::new(asking, ceiling)
    };
    let engine = Engine::new(plan.clone(), config, Time::ZERO);
    let mut keep = Keep::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut keep, &control, None);
    assert_eq!(keep.0.len(), 900, "one verdict for each endpoint");
    Run {
        states: keep.0.iter().map(|told| (told.0, told.1)).collect(),
        times: keep.0.iter().map(|told| (told.0, told.2)).collect(),
        sent: transport.sent,
        summary,
    }
}

const CAREFUL: Ceiling = Ceiling::Careful {
    blind: 2_000,
    most: 10_000_000,
};

#[test]
fn a_pause_makes_no_endpoint_filtered() {
    for asking in [SYN, Asking::Handshake] {
        let without = run(asking, CAREFUL, &[]);
        assert_eq!(without.summary.open, 60);
        for from in [1, 100, 300, 400, 1_000, 2_500, 3_100] {
            for long in [200, 2_000, 600_000] {
                let pause = Hand::Pauses {
                    from: at(from),
                    until: at(from + long),
                };
                let with = run(asking, CAREFUL, &[pause]);
                assert_eq!(with.states, without.states, "{asking:?} {pause:?}");
                assert!(with.summary.complete, "{asking:?} {pause:?}");
            }
        }
    }
}

/// What answers after 1.8 s and more is asked by the first SYN of a connect alone: its repeats are answered too late. When all
/// three were taken for attempts, 46 of these 1,200 slow servers were missed by connect.
#[test]
fn servers_that_answer_late_are_not_forgotten_where_packets_are_lost() {
    const SCANS: u64 = 60;
    for asking in [SYN, Asking::Handshake] {
        let (mut missed, mut printed) = (0, 0.0);
        for seed in 1000..1000 + SCANS {
            let run = seeded(seed, asking, CAREFUL, &[]);
            missed += 60 - run.summary.open;
            printed += run.summary.expected_missed;
        }
        // The budget of so many scans is 0.6: three would be rarer than once in forty times.
        assert!(
            missed <= 2,
            "{asking:?}: {missed} missed, {printed} printed"
        );
        assert!(printed < 0.01 * SCANS as f64, "{asking:?}: {printed}");
    }
}

#[test]
fn many_pauses_in_a_row_change_nothing_either() {
    for asking in [SYN, Asking::Handshake] {
        let without = run(asking, CAREFUL, &[]);
        let pauses: Vec<Hand> = (0..40)
            .map(|turn| Hand::Pauses {
                from: at(50 + turn * 10_000),
                until: at(9_900 + turn * 10_000),
            })
            .collect();
        let with = run(asking, CAREFUL, &pauses);
        assert_eq!(with.states, without.states, "{asking:?}");
    }
}

#[test]
fn what_is_answered_before_and_after_a_pause_has_the_time_of_the_clock() {
    let pause = Hand::Pauses {
        from: at(400),
        until: at(100_400),
    };
    let with = run(SYN, Ceiling::Asked(500), &[pause]);
    let times: Vec<Time> = with.times.values().copied().collect();
    let early = times.iter().filter(|time| **time < at(5_000)).count();
    let late = times.iter().filter(|time| **time > at(100_400)).count();
    assert!(early > 20 && late > 500, "{early} {late}");
    assert_eq!(early + late, times.len());
    assert!(with.summary.elapsed > Duration::from_secs(100));
}

#[test]
fn a_rate_that_is_asked_for_while_it_runs_is_kept() {
    let hands = [
        Hand::Limits {
            at: at(100),
            rate: 50,
        },
        Hand::Limits {
            at: at(4_100),
            rate: 100_000,
        },
    ];
    let run = run(SYN, Ceiling::Asked(200), &hands);
    let sent = |from: u64, until: u64| -> usize {
        let during = run
            .sent
            .iter()
            .filter(|(when, _)| (at(from)..at(until)).contains(when));
        during.map(|(_, count)| count).sum()
    };
    // A pass of 900 endpoints.
    assert!((15..=25).contains(&sent(0, 100)), "{}", sent(0, 100));
    let slow = sent(200, 4_100);
    // Nothing leaves while canaries of the network are out: a tenth of a second each time, and longer where one does not answer.
    assert!((150..=200).contains(&slow), "{slow}");
    assert!(sent(4_100, 5_300) > 600, "{}", sent(4_100, 5_300));
}

#[test]
fn a_paused_scan_that_is_told_to_end_ends() {
    let pause = Hand::Pauses {
        from: at(100),
        until: Time::NEVER,
    };
    // Nobody resumes it: the time limit is what ends it.
    let network = Network {
        hosts: HashMap::from([host(1, Behaviour::Closed)]),
        ..Network::default()
    };
    let plan = Arc::new(Plan::parse("10.9.0.1", "1-300").expect("a plan"));
    let control = Control::default();
    let mut transport = Steered {
        inner: SimTransport::new(network, 7, 20, 4096),
        control: control.clone(),
        hands: vec![pause],
        sent: Vec::new(),
        paused: Cell::new(None),
    };
    let config = Config {
        seed: 3,
        ..Config::new(SYN, Ceiling::Asked(100))
    };
    let engine = Engine::new(plan.clone(), config, Time::ZERO);
    let limit = Some(Duration::from_secs(20));
    let mut keep = Keep::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut keep, &control, limit);
    assert!(!summary.complete);
    assert!(summary.untested > 250, "{}", summary.untested);
    assert!(summary.elapsed < Duration::from_secs(23));
}
