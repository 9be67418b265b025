//! Threads that wait for a processor send late, and several probes at a time. Rates that were asked for are kept all the same,
//! where probes leave.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Departure, Event, Observation, Probe, State, Summary, Time};
use halfopen::plan::Plan;
use halfopen::scan::{self, Control};
use halfopen::transport::Transport;
use halfopen::transport::sim::{Behaviour, Gates, Host, Network, PathLoss, SimTransport};

const SYN: Asking = Asking::Syn { flows: 20 };

/// How late threads wake up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lateness {
    /// By up to a tenth of a millisecond, as on any machine.
    Usual,
    /// One time in twenty by so much that others run meanwhile.
    Long,
}

/// A simulated network, asked by a few threads that are not always on time.
struct Late {
    inner: SimTransport,
    lateness: Lateness,
    threads: Vec<VecDeque<Probe>>,
    /// When each of them wakes up.
    wakes: Vec<Time>,
    turn: usize,
    dice: u64,
    sent: Vec<(Address, Time)>,
    told: Vec<Departure>,
}

impl Late {
    fn new(inner: SimTransport, threads: usize, lateness: Lateness) -> Self {
        Self {
            inner,
            lateness,
            threads: vec![VecDeque::new(); threads],
            wakes: vec![Time::ZERO; threads],
            turn: 0,
            dice: 1,
            sent: Vec::new(),
            told: Vec::new(),
        }
    }

    fn lateness(&mut self) -> Duration {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let drawn = self.dice >> 33;
        match drawn % 20 {
            0 if self.lateness == Lateness::Long => Duration::from_millis(drawn % 83),
            _ => Duration::from_micros(drawn % 97),
        }
    }

    /// Lets the threads send that have woken up.
    fn run(&mut self) {
        let now = self.inner.now();
        for thread in 0..self.threads.len() {
            if self.wakes[thread] > now {
                continue;
            }
            for probe in std::mem::take(&mut self.threads[thread]) {
                assert_eq!(self.inner.send(&[probe]), 1);
                self.sent.push((probe.endpoint.address, self.inner.now()));
            }
        }
    }

    /// When the next thread that has something to send wakes up.
    fn next(&self) -> Time {
        let busy = (0..self.threads.len()).filter(|thread| !self.threads[*thread].is_empty());
        busy.map(|thread| self.wakes[thread])
            .min()
            .unwrap_or(Time::NEVER)
    }
}

impl Transport for Late {
    passes_on! { now counters }

    fn room(&self) -> usize {
        1024
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        for part in probes.chunks(8) {
            let thread = self.turn % self.threads.len();
            self.turn += 1;
            if self.threads[thread].is_empty() {
                let wakes = self.inner.now() + self.lateness();
                self.wakes[thread] = self.wakes[thread].max(wakes);
            }
            self.threads[thread].extend(part);
        }
        probes.len()
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        let heard = out.len();
        // The caller wakes up late as well.
        let until = match until > self.inner.now() {
            true => until + self.lateness(),
            false => until,
        };
        loop {
            self.run();
            let next = self.next();
            self.inner.recv(until.min(next), out);
            if out.len() > heard || next > until {
                break;
            }
        }
        self.run();
        self.inner.departures(&mut self.told);
    }

    fn tell_departures(&mut self) {
        self.inner.tell_departures();
    }

    fn departures(&mut self, out: &mut Vec<Departure>) {
        out.append(&mut self.told);
    }
}

fn address(last: u8) -> Address {
    Address::new([10, 9, 0, last].into())
}

/// Scans ports 1 to `ports` of so many hosts by four threads; what left when, and how the scan ended.
fn scan(
    asking: Asking,
    lateness: Lateness,
    (hosts, ports): (u8, u16),
    rate: Ceiling,
    host_rate: Option<Ceiling>,
) -> (Vec<(Address, Time)>, usize, Summary) {
    let host = Host {
        rtt: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: PathLoss::Independent(0.0),
        rest: Behaviour::Closed,
        ports: (1..=5).map(|port| (port, Behaviour::Open)).collect(),
        gates: Gates::default(),
    };
    let network = Network {
        hosts: (1..=hosts)
            .map(|last| (address(last), host.clone()))
            .collect(),
        ..Network::default()
    };
    let plan =
        Arc::new(Plan::parse(&format!("10.9.0.1-{hosts}"), &format!("1-{ports}")).expect("a plan"));
    let mut transport = Late::new(SimTransport::new(network, 7, 20, 60_000), 4, lateness);
    let config = Config {
        seed: 3,
        ..Config::new(asking, rate)
    };
    let engine = Engine::new(plan.clone(), config, Time::ZERO).with_host_ceiling(host_rate);
    let mut open = 0;
    let mut sink = |event| {
        if let Event::Verdict(verdict) = event {
            open += usize::from(verdict.state == State::Open);
        }
    };
    let control = Control::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut sink, &control, None);
    (transport.sent, open, summary)
}

fn busiest(times: &[Time]) -> usize {
    let window = Duration::from_millis(100);
    let within = |(at, start): (usize, &Time)| {
        times[at..].partition_point(|time| time.since(*start) < window)
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

#[test]
fn threads_that_had_slept_sent_what_they_were_given_into_what_was_on_time() {
    for asking in [SYN, Asking::Handshake] {
        for (rate, ports) in [(100, 200), (2_000, 4_000), (20_000, 40_000)] {
            let (sent, open, summary) = scan(
                asking,
                Lateness::Long,
                (1, ports),
                Ceiling::Asked(rate),
                None,
            );
            let mut times: Vec<Time> = sent.iter().map(|(_, at)| *at).collect();
            times.sort_unstable();
            let busiest = busiest(&times);
            let took = summary.elapsed;
            println!(
                "{asking:?} {rate}/s: {busiest} within 100 ms, {} in {took:?}",
                sent.len()
            );
            let most = (rate / 10 + (rate / 1000).max(1)) as usize;
            assert!(
                busiest <= most,
                "{asking:?}: {busiest} within 100 ms at {rate}/s"
            );
            assert_eq!((open, summary.complete), (5, true));
        }
    }
}

#[test]
fn no_host_was_spared_what_late_threads_sent_it() {
    for asking in [SYN, Asking::Handshake] {
        for (rate, ports) in [(20, 30), (100, 200), (2_000, 2_000)] {
            let ceiling = Ceiling::Asked(1_000_000);
            let host = Some(Ceiling::Asked(rate));
            let (sent, open, summary) = scan(asking, Lateness::Long, (8, ports), ceiling, host);
            let mut hosts: BTreeMap<Address, Vec<Time>> = BTreeMap::new();
            for (address, at) in sent {
                hosts.entry(address).or_default().push(at);
            }
            hosts.values_mut().for_each(|times| times.sort_unstable());
            let busiest = hosts
                .values()
                .map(|times| busiest(times))
                .max()
                .unwrap_or(0);
            println!(
                "{asking:?} {rate}/s: {busiest} to one host within 100 ms, {:?}",
                summary.elapsed
            );
            let most = (rate / 10 + (rate / 1000).max(1)) as usize;
            assert!(
                busiest <= most,
                "{asking:?}: {busiest} within 100 ms at {rate}/s"
            );
            assert_eq!((open, summary.complete), (40, true));
        }
    }
}

/// Of the rate that was asked for, while there was something to send.
fn reached(times: &[Time], rate: u32) -> f64 {
    let span = times[times.len() - 1].since(times[0]).as_secs_f64();
    (times.len() - 1) as f64 / span / f64::from(rate)
}

#[test]
fn a_machine_with_time_for_it_reaches_the_rates() {
    for asking in [SYN, Asking::Handshake] {
        for (rate, ports) in [(10, 30), (100, 200), (1_000, 2_000), (20_000, 20_000)] {
            let ceiling = Ceiling::Asked(rate);
            let (sent, ..) = scan(asking, Lateness::Usual, (1, ports), ceiling, None);
            // The last few ask again what is known to be open.
            let times: Vec<Time> = sent.iter().map(|(_, at)| *at).take(ports.into()).collect();
            let reached = reached(&times, rate);
            println!("{asking:?} {rate}/s: {reached:.3}");
            assert!(reached > 0.98, "{asking:?}: {reached} of {rate}/s");
        }
        for (rate, ports) in [(100, 200), (1_000, 2_000)] {
            let host = Some(Ceiling::Asked(rate));
            let most = Ceiling::Asked(1_000_000);
            let (sent, ..) = scan(asking, Lateness::Usual, (8, ports), most, host);
            for last in 1..=8 {
                let times = sent.iter().filter(|(host, _)| *host == address(last));
                let times: Vec<Time> = times.map(|(_, at)| *at).take(ports.into()).collect();
                let reached = reached(&times, rate);
                assert!(reached > 0.98, "{asking:?}: {reached} of {rate}/s to one");
            }
        }
    }
}
