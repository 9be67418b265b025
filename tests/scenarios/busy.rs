//! The same scans on a machine that is busy with something else: each thread of the scanner loses its core now and then, for
//! some milliseconds, and only then goes on with what it was about to do.
//!
//! ```text
//! the loop:      asks the engine ... | probes leave; hears ... | the engine hears
//! the receiver:  a packet comes  ... | it is handed on
//! two workers:   take a connect  ... | it begins, or ends     (half-open scans have none)
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::{Asking, Engine};
use halfopen::model::{Endpoint, How, Observation, Probe, Source, Time};
use halfopen::scan::{self, Control};
use halfopen::transport::Transport;
use halfopen::transport::sim::SimTransport;

use crate::lab::ports::Dice;
use crate::scenarios::{Keep, Run, Scenario, config, open, scenario, states, untested};

/// A simulated network, reached from a busy machine.
struct Busy {
    inner: SimTransport,
    cores: Cores,
    /// When a thread is on a core again.
    receiver: Time,
    workers: [Worker; 2],
    /// Who makes which connect.
    makers: HashMap<(Endpoint, u16), usize>,
    /// What has come, by when it is handed on.
    held: BinaryHeap<Reverse<(Time, u64)>>,
    seen: HashMap<u64, Observation>,
    count: u64,
}

#[derive(Default)]
struct Worker {
    jobs: VecDeque<Probe>,
    /// When it begins the next.
    next: Time,
}

/// How busy the machine is: at one in so many steps a thread loses its core, for this long at the most.
#[derive(Clone, Copy)]
struct Load {
    one_in: u64,
    longest: Duration,
}

/// Builds on all cores.
const HEAVY: Load = Load {
    one_in: 40,
    longest: Duration::from_millis(50),
};
/// A machine that stands still now and then.
const STOPPING: Load = Load {
    one_in: 100,
    longest: Duration::from_secs(1),
};

/// Who is on a core, as the dice decide.
struct Cores(Dice, Load);

impl Cores {
    /// How long a thread is off its core this time: mostly not at all.
    fn away(&mut self) -> Duration {
        let Load { one_in, longest } = self.1;
        if !self.0.roll().is_multiple_of(one_in) {
            return Duration::ZERO;
        }
        Duration::from_micros(self.0.roll() % longest.as_micros() as u64)
    }
}

/// What a worker needs for one connect.
const CONNECT: Duration = Duration::from_micros(6);
/// Connects that wait for one worker at the most.
const WAITING: usize = 1024;

impl Busy {
    fn new(inner: SimTransport, seed: u64, load: Load) -> Self {
        Self {
            inner,
            cores: Cores(Dice(seed), load),
            receiver: Time::ZERO,
            workers: Default::default(),
            makers: HashMap::new(),
            held: BinaryHeap::new(),
            seen: HashMap::new(),
            count: 0,
        }
    }

    /// The network and the other threads go on until then.
    fn pass(&mut self, until: Time) {
        loop {
            let waits = |worker: &usize| !self.workers[*worker].jobs.is_empty();
            let next = (0..2).filter(waits).min_by_key(|&at| self.workers[at].next);
            match next {
                Some(at) if self.workers[at].next <= until => self.begin_one(at),
                _ => break,
            }
        }
        self.hear(until);
    }

    fn hear(&mut self, until: Time) {
        let mut out = Vec::new();
        loop {
            self.inner.recv(until, &mut out);
            for observation in out.drain(..) {
                let at = self.handed_on(&observation);
                self.count += 1;
                self.held.push(Reverse((at, self.count)));
                self.seen.insert(self.count, observation);
            }
            if self.inner.now() >= until {
                return;
            }
        }
    }

    fn begin_one(&mut self, at: usize) {
        self.hear(self.workers[at].next);
        let Some(probe) = self.workers[at].jobs.pop_front() else {
            return;
        };
        self.inner.send(&[probe]);
        let away = self.cores.away() / 2;
        self.workers[at].next = self.inner.now() + CONNECT + away;
    }

    /// When whoever has seen this hands it on.
    fn handed_on(&mut self, observation: &Observation) -> Time {
        if let Source::Attempt { attempt, .. } = observation.source {
            let maker = self.makers.remove(&(observation.endpoint, attempt));
            return maker.map_or(observation.at, |at| {
                observation.at.max(self.workers[at].next)
            });
        }
        if observation.at >= self.receiver {
            self.receiver = observation.at + self.cores.away();
        }
        self.receiver
    }
}

impl Transport for Busy {
    passes_on! { now departures counters }

    fn room(&self) -> usize {
        let waiting: usize = self.workers.iter().map(|worker| worker.jobs.len()).sum();
        let room = WAITING * 2 - waiting;
        self.inner.room().saturating_sub(waiting).min(room)
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let back = self.inner.now() + self.cores.away();
        self.pass(back);
        let mut sent = 0;
        for probe in probes {
            match probe.how {
                How::Syn { .. } => sent += self.inner.send(&[*probe]),
                How::Handshake { .. } => {
                    if self.room() == 0 {
                        break;
                    }
                    let now = self.inner.now();
                    let first = &self.workers[0];
                    let at = usize::from(self.workers[1].jobs.len() < first.jobs.len());
                    self.makers.insert((probe.endpoint, probe.attempt), at);
                    let worker = &mut self.workers[at];
                    worker.next = worker.next.max(now);
                    worker.jobs.push_back(*probe);
                    sent += 1;
                }
            }
        }
        sent
    }

    fn recv(&mut self, until: Time, out: &mut Vec<Observation>) {
        loop {
            let now = self.inner.now();
            while let Some(&Reverse((at, number))) = self.held.peek()
                && at <= now
            {
                self.held.pop();
                out.extend(self.seen.remove(&number));
            }
            if !out.is_empty() || now >= until {
                return;
            }
            let next = self.held.peek().map_or(until, |Reverse((at, _))| *at);
            // Whatever comes meanwhile is handed on at its time.
            self.pass(next.min(until).min(now + LOOK));
        }
    }
}

/// How finely time passes while the loop sleeps.
const LOOK: Duration = Duration::from_micros(500);

fn busy(scenario: &Scenario, asking: Asking, seed: u64, load: Load) -> Run {
    let plan = Arc::new(scenario.plan());
    let (flows, descriptors) = match asking {
        Asking::Syn { flows } => (flows, 4096),
        Asking::Handshake => (1, scenario.descriptors),
    };
    let network = SimTransport::new(scenario.network(), seed, flows, descriptors);
    let mut transport = Busy::new(network, seed ^ 0xb5_0b5, load);
    let config = config(scenario, asking, seed);
    let engine = Engine::new(plan.clone(), config, Time::ZERO).with_ways(scenario.ways());
    let mut keep = Keep::default();
    let control = Control::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut keep, &control, None);
    Run {
        verdicts: keep.verdicts,
        losses: keep.losses,
        notes: keep.notes,
        summary,
    }
}

/// What a scan calls neither open nor untested, though it is open.
fn lacking(scenario: &Scenario, run: &Run) -> BTreeSet<String> {
    let mut told = open(run);
    told.extend(untested(run));
    scenario.truth().difference(&told).cloned().collect()
}

#[test]
fn connects_that_waited_for_a_worker_until_the_target_had_shut_are_not_called_filtered() {
    let scenario = scenario("shuts_midway");
    for seed in 0..10 {
        let run = busy(&scenario, Asking::Handshake, seed, HEAVY);
        let states = states(&run);
        assert_eq!(run.summary.filtered, 0, "seed {seed}: {states:?}");
        assert!(run.summary.error > 0, "seed {seed}: {states:?}");
    }
}

#[test]
fn a_pass_that_seemed_over_when_the_target_had_shut_in_it_leaves_nothing_filtered() {
    let scenario = scenario("shuts_midway");
    for seed in [12, 38, 53] {
        let run = busy(&scenario, Asking::Syn { flows: 20 }, seed, HEAVY);
        let states = states(&run);
        assert_eq!(run.summary.filtered, 0, "seed {seed}: {states:?}");
    }
}

#[test]
fn canaries_whose_answers_we_were_late_to_hear_of_leave_no_scan_of_a_limited_host_unproven() {
    let scenario = scenario("limited_silent");
    for seed in 0..10 {
        let run = busy(&scenario, Asking::Syn { flows: 20 }, seed, STOPPING);
        let lacking = lacking(&scenario, &run);
        assert!(lacking.is_empty(), "seed {seed}: {lacking:?}");
        assert!(run.summary.complete, "seed {seed}: {:?}", run.summary);
    }
}
