//! Connects that are to confirm odd SYN-ACKs: how many are made, and when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Event, How, Observation, Probe, State, Summary, Time};
use halfopen::plan::Plan;
use halfopen::scan::{self, Control, Sink};
use halfopen::transport::Transport;
use halfopen::transport::sim::{Behaviour, Gates, Host, Network, PathLoss, SimTransport};

/// A simulated network. Whatever SYNs are told, connects to the ports from `false_from` on hear nothing.
struct Proxied {
    inner: SimTransport,
    false_from: u16,
    /// When connects to each port left that live as long as the patience.
    connects: BTreeMap<u16, Vec<Time>>,
}

/// Connects to a port with a false claim go to one so much higher, which is silent.
const SILENT: u16 = 10_000;

impl Transport for Proxied {
    passes_on! { now room departures counters }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let mut probes = probes.to_vec();
        for probe in &mut probes {
            if probe.how != (How::Handshake { patience: PATIENCE }) {
                continue;
            }
            let port = &mut probe.endpoint.port;
            self.connects
                .entry(*port)
                .or_default()
                .push(self.inner.now());
            if *port >= self.false_from {
                *port += SILENT;
            }
        }
        let sent = self.inner.send(&probes);
        assert_eq!(
            sent,
            probes.len(),
            "the simulation takes whatever it has room for"
        );
        sent
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        self.inner.recv(until, out);
        for observation in out {
            if observation.endpoint.port > SILENT {
                observation.endpoint.port -= SILENT;
            }
        }
    }
}

#[derive(Default)]
struct Keep(BTreeMap<u16, State>);

impl Sink for Keep {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            if let Event::Verdict(verdict) = event {
                self.0.insert(verdict.endpoint.port, verdict.state);
            }
        }
    }
}

struct Run {
    states: BTreeMap<u16, State>,
    connects: BTreeMap<u16, Vec<Time>>,
    summary: Summary,
}

impl Run {
    fn suspects(&self) -> usize {
        let states = self.states.values();
        states.filter(|&&state| state == State::Suspect).count()
    }
}

/// Scans 900 ports, of which `open` send SYN-ACKs and the others resets.
fn run(seed: u64, loss: PathLoss, open: u16, false_from: u16) -> Run {
    let address = Address::new([10, 9, 0, 2].into());
    let answering = (1..=open).map(|port| (port, Behaviour::Open));
    let silent = (1..=open).map(|port| (port + SILENT, Behaviour::Silent));
    let host = Host {
        rtt: Duration::from_millis(5),
        jitter: Duration::from_millis(1),
        loss,
        rest: Behaviour::Closed,
        ports: answering.chain(silent).collect(),
        gates: Gates::default(),
    };
    let network = Network {
        hosts: HashMap::from([(address, host)]),
        ..Network::default()
    };
    let plan = Arc::new(Plan::parse("10.9.0.2", "1-900").expect("a plan"));
    let ceiling = Ceiling::Careful {
        blind: 20_000,
        most: 10_000_000,
    };
    let config = Config {
        seed,
        patience: PATIENCE,
        ..Config::new(Asking::Syn { flows: 20 }, ceiling)
    };
    let mut transport = Proxied {
        inner: SimTransport::new(network, seed ^ 0x5eed_0000, 20, 4096),
        false_from,
        connects: BTreeMap::new(),
    };
    let engine = Engine::new(plan.clone(), config, Time::ZERO);
    let mut keep = Keep::default();
    let control = Control::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut keep, &control, None);
    Run {
        states: keep.0,
        connects: transport.connects,
        summary,
    }
}

const PATIENCE: Duration = Duration::from_secs(3);
const NONE: u16 = u16::MAX;

#[test]
fn where_nothing_is_lost_three_connects_that_hear_nothing_are_enough_and_none_waits() {
    let run = run(1, PathLoss::None, 300, 101);
    assert_eq!(run.suspects(), 200);
    assert_eq!(run.summary.open, 100);
    assert!(run.summary.expected_missed < 1e-6, "{:?}", run.summary);
    for port in 101..=300 {
        assert_eq!(run.connects[&port].len(), 3, "port {port}");
    }
    let least = PATIENCE * 3;
    let took = run.summary.elapsed;
    assert!(took < least + Duration::from_millis(300), "{took:?}");
}

#[test]
fn three_connects_were_too_few_where_half_of_all_syns_are_lost() {
    for seed in 1..=40 {
        let run = run(seed, PathLoss::Independent(0.3), 300, NONE);
        assert_eq!((run.suspects(), run.summary.open), (0, 300), "seed {seed}");
    }
}

#[test]
fn where_packets_are_lost_connects_that_are_repeated_do_not_all_leave_at_once() {
    let run = run(1, PathLoss::Independent(0.1), 300, 101);
    let repeated = |times: &Vec<Time>| times.get(1).copied();
    let mut second: Vec<Time> = (101..=300)
        .filter_map(|port| run.connects.get(&port).and_then(repeated))
        .collect();
    second.sort_unstable();
    assert!(second.len() > 150, "{}", second.len());
    let span = second[second.len() - 1].since(second[0]);
    assert!(span > Duration::from_millis(300), "{span:?}");
    let (moment, few) = (Duration::from_millis(20), second.len() / 5);
    for some in second.windows(few) {
        assert!(some[few - 1].since(some[0]) > moment, "{some:?}");
    }
}
