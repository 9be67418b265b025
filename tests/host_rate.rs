//! A ceiling for each host: kept in every window, whoever sends, and reached by all hosts at a time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Endpoint, Event, Probe, State, Summary, Time};
use halfopen::plan::{Plan, Shard};
use halfopen::scan::{self, Control, Sink};
use halfopen::transport::Transport;
use halfopen::transport::sim::{Behaviour, Gates, Host, Network, PathLoss, SimTransport};

const SYN: Asking = Asking::Syn { flows: 20 };
const PORTS: u64 = 100;

/// A simulated network, with a note of when each host was asked.
struct Noted {
    inner: SimTransport,
    sent: HashMap<Address, Vec<Time>>,
}

impl Transport for Noted {
    passes_on! { now room recv departures counters }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let sent = self.inner.send(probes);
        let now = self.inner.now();
        for probe in &probes[..sent] {
            self.sent
                .entry(probe.endpoint.address)
                .or_default()
                .push(now);
        }
        sent
    }
}

#[derive(Default)]
struct Opens(BTreeSet<Endpoint>);

impl Sink for Opens {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            if let Event::Verdict(verdict) = event
                && verdict.state == State::Open
            {
                self.0.insert(verdict.endpoint);
            }
        }
    }
}

/// One scan of a number of hosts with ports 1 to 100 each.
struct Case {
    asking: Asking,
    hosts: u8,
    loss: PathLoss,
    rest: Behaviour,
    open: u16,
    shard: Shard,
    ceiling: Ceiling,
}

impl Case {
    fn of(asking: Asking, hosts: u8) -> Self {
        Self {
            asking,
            hosts,
            loss: PathLoss::Independent(0.0),
            rest: Behaviour::Closed,
            open: 5,
            shard: Shard::WHOLE,
            ceiling: Ceiling::Asked(100),
        }
    }

    fn run(&self) -> Run {
        let address = |last| Address::new([10, 9, 0, last].into());
        let host = Host {
            rtt: Duration::from_millis(20),
            jitter: Duration::from_millis(2),
            loss: self.loss,
            rest: self.rest,
            ports: (1..=self.open)
                .map(|port| (port, Behaviour::Open))
                .collect(),
            gates: Gates::default(),
        };
        let network = Network {
            hosts: (1..=self.hosts)
                .map(|last| (address(last), host.clone()))
                .collect(),
            ..Network::default()
        };
        let plan = Arc::new(
            Plan::parse(&format!("10.9.0.1-{}", self.hosts), &format!("1-{PORTS}"))
                .expect("a plan"),
        );
        let mut transport = Noted {
            inner: SimTransport::new(network, 7, 20, 4096),
            sent: HashMap::new(),
        };
        let config = Config {
            seed: 3,
            shard: self.shard,
            connect_ceiling: Ceiling::Asked(20_000),
            ..Config::new(self.asking, Ceiling::Asked(200_000))
        };
        let engine =
            Engine::new(plan.clone(), config, Time::ZERO).with_host_ceiling(Some(self.ceiling));
        let mut opens = Opens::default();
        let control = Control::default();
        let summary = scan::run(&plan, engine, &mut transport, &mut opens, &control, None);
        Run {
            sent: transport.sent,
            opens: opens.0.len(),
            summary,
        }
    }
}

struct Run {
    sent: HashMap<Address, Vec<Time>>,
    opens: usize,
    summary: Summary,
}

impl Run {
    /// The most that one host was sent within 100 ms.
    fn busiest(&self) -> usize {
        let window = Duration::from_millis(100);
        let of_host = |times: &Vec<Time>| {
            let within = |(at, start): (usize, &Time)| {
                times[at..].partition_point(|time| time.since(*start) < window)
            };
            times.iter().enumerate().map(within).max().unwrap_or(0)
        };
        self.sent.values().map(of_host).max().unwrap_or(0)
    }
}

fn kept(name: &str, run: &Run, opens: usize, most: usize, longest: f64) {
    let (busiest, took) = (run.busiest(), run.summary.elapsed.as_secs_f64());
    println!(
        "{name}: at most {busiest} in 100 ms to one host, {} of {opens} open, {took:.2} s, {:?}",
        run.opens, run.summary
    );
    assert!(busiest <= most, "{name}: {busiest} in 100 ms");
    assert_eq!(run.opens, opens, "{name}");
    assert!(run.summary.complete, "{name}");
    assert!(took <= longest, "{name}: {took} s");
}

#[test]
fn hosts_that_answer_are_asked_at_their_ceiling_all_at_a_time() {
    for asking in [SYN, Asking::Handshake] {
        let run = Case::of(asking, 64).run();
        // A hundred ports at 100 a second.
        kept("answers", &run, 64 * 5, 11, 1.5);
    }
}

#[test]
fn a_single_host_has_the_same_ceiling() {
    for asking in [SYN, Asking::Handshake] {
        kept("one", &Case::of(asking, 1).run(), 5, 11, 1.6);
    }
}

#[test]
fn loss_and_silence_do_not_lift_a_host_above_its_ceiling() {
    for asking in [SYN, Asking::Handshake] {
        for rest in [Behaviour::Closed, Behaviour::Silent] {
            let run = Case {
                loss: PathLoss::Independent(0.1),
                rest,
                ..Case::of(asking, 64)
            };
            kept("lossy", &run.run(), 64 * 5, 11, 30.0);
        }
    }
}

#[test]
fn confirmations_are_held_back_as_well() {
    // So many open ports are odd: each is confirmed by a connect.
    let run = Case {
        open: 40,
        ..Case::of(SYN, 16)
    };
    kept("confirmed", &run.run(), 16 * 40, 11, 3.5);
}

#[test]
fn a_shard_keeps_the_ceiling_too() {
    let opens: usize = (0..3)
        .map(|part| {
            let run = Case {
                shard: Shard::new(part, 3).expect("a shard"),
                ..Case::of(SYN, 16)
            }
            .run();
            assert!(run.busiest() <= 11, "{}", run.busiest());
            assert!(run.summary.complete);
            run.opens
        })
        .sum();
    assert_eq!(opens, 16 * 5);
}

#[test]
fn a_slow_ceiling_is_kept_to_the_end() {
    for asking in [SYN, Asking::Handshake] {
        let run = Case {
            ceiling: Ceiling::Asked(5),
            rest: Behaviour::Silent,
            ..Case::of(asking, 4)
        };
        kept("slow", &run.run(), 4 * 5, 1, 200.0);
    }
}

#[test]
fn hosts_that_answer_nothing_stay_at_the_blind_ceiling() {
    let run = Case {
        rest: Behaviour::Silent,
        open: 0,
        ceiling: Ceiling::Careful {
            blind: 100,
            most: 1_000,
        },
        ..Case::of(SYN, 8)
    };
    kept("blind", &run.run(), 0, 11, 30.0);
}
