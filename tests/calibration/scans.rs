//! One cell of the calibration table: many seeded scans of the same simulated path, and what they found, missed, printed
//! and sent. The real scan loop and the real engine run; only the network is simulated.
//!
//! What is scanned: one host, 1,000 ports, 100 of them open (every tenth), the others reset or say nothing. The path takes
//! 5 ms there and back, and up to 1 ms more; nothing is known of it, so SYNs leave at 20,000 per second until answers
//! lift that. Losses hit SYNs, answers and resets alike, each way by itself:
//!
//! - *independent*: each packet is lost with the stated probability.
//! - *bursts* (Gilbert and Elliott's two states in continuous time): each way is dead or alive by itself, dead for the
//!   stated share of the time in exponential spells of the stated mean, and a dead way loses everything. Bursts of 200 ms
//!   are longer than a whole pass over 1,000 ports; bursts of 10 ms are shorter.
//!
//! A scan in which nothing at all answered says nothing about misses (design section 5: such hosts stand outside the
//! figure), so it counts as mute and its misses are left out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Event, State, Summary, Time};
use halfopen::plan::{AddressRange, Plan, PortSet, TargetSet};
use halfopen::scan::{self, Control, Sink};
use halfopen::transport::sim::{Behaviour, Gates, Host, Network, PathLoss, SimTransport};

pub const PORTS: u16 = 1000;
pub const OPEN: u64 = 100;

/// How packets are lost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Independent,
    /// Mean length of a burst in milliseconds.
    Bursts(u64),
}

/// What the ports do that are not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    Resets,
    Silent,
}

/// How ports are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Syn,
    Connect,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub mode: Mode,
    pub kind: Kind,
    pub rest: Rest,
    /// Share lost each way.
    pub loss: f64,
    pub budget: f64,
    /// The seed of the first scan; the others count on. What is tuned on some seeds is judged on others.
    pub first_seed: u64,
}

/// What the scans of one cell came to.
#[derive(Clone, Copy, Default, Debug)]
pub struct Outcome {
    pub scans: u64,
    /// Scans in which nothing answered.
    pub mute: u64,
    pub missed: u64,
    /// Sum of the squares of what each scan missed, for the interval where misses come in clusters.
    pub squares: u64,
    /// Sum of the printed figures.
    pub expected: f64,
    pub probes: u64,
    /// Sum of the times that the scans took, in seconds.
    pub seconds: f64,
    /// Scans that said they were complete.
    pub complete: u64,
}

impl Outcome {
    fn add(&mut self, other: &Self) {
        self.scans += other.scans;
        self.mute += other.mute;
        self.missed += other.missed;
        self.squares += other.squares;
        self.expected += other.expected;
        self.probes += other.probes;
        self.seconds += other.seconds;
        self.complete += other.complete;
    }

    pub fn probes_per_scan(&self) -> f64 {
        self.probes as f64 / self.scans.max(1) as f64
    }
}

impl Cell {
    /// Runs `scans` scans with as many seeds in a row, on all cores.
    pub fn run(&self, scans: u64) -> Outcome {
        let next = AtomicU64::new(0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let work = || {
            let mut sum = Outcome::default();
            loop {
                let scan = next.fetch_add(1, Ordering::Relaxed);
                if scan >= scans {
                    return sum;
                }
                sum.add(&self.scan(self.first_seed + scan));
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let mut sum = Outcome::default();
            for thread in threads {
                sum.add(&thread.join().expect("a scan does not panic"));
            }
            sum
        })
    }

    /// One scan.
    pub fn scan(&self, seed: u64) -> Outcome {
        let address = Address::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)));
        let plan = Arc::new(Plan::new(
            TargetSet::new(&[AddressRange::single(address)], &[]).expect("one address"),
            PortSet::parse(&format!("1-{PORTS}"))
                .expect("a range of ports")
                .set,
        ));
        let (asking, flows) = match self.mode {
            Mode::Syn => (Asking::Syn { flows: FLOWS }, FLOWS),
            Mode::Connect => (Asking::Handshake, 1),
        };
        let ceiling = Ceiling::Careful {
            blind: 20_000,
            most: 10_000_000,
        };
        let config = Config {
            seed,
            miss_budget: self.budget,
            ..Config::new(asking, ceiling)
        };
        let network = Network {
            hosts: HashMap::from([(address, self.host())]),
            ..Network::default()
        };
        // Seeds of the network and of the order of the walk need not be the same, and are not.
        let mut transport = SimTransport::new(network, seed ^ 0x5eed_0000, flows, 4096);
        let engine = Engine::new(plan.clone(), config, Time::ZERO);
        let mut found = Found::default();
        let control = Control::default();
        let summary = scan::run(&plan, engine, &mut transport, &mut found, &control, None);
        found.outcome(&summary)
    }

    fn host(&self) -> Host {
        Host {
            rtt: Duration::from_millis(5),
            jitter: Duration::from_millis(1),
            loss: match self.kind {
                _ if self.loss == 0.0 => PathLoss::None,
                Kind::Independent => PathLoss::Independent(self.loss),
                Kind::Bursts(mean) => PathLoss::Bursts(self.loss, Duration::from_millis(mean)),
            },
            rest: match self.rest {
                Rest::Resets => Behaviour::Closed,
                Rest::Silent => Behaviour::Silent,
            },
            ports: (1..=PORTS)
                .filter(|port| port % 10 == 0)
                .map(|port| (port, Behaviour::Open))
                .collect(),
            gates: Gates::default(),
        }
    }
}

/// Counts what a scan reports.
#[derive(Default)]
struct Found {
    open: u64,
    invented: u64,
    answered: u64,
}

impl Sink for Found {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            let Event::Verdict(verdict) = event else {
                continue;
            };
            match verdict.state {
                State::Open if verdict.endpoint.port % 10 == 0 => self.open += 1,
                State::Open => self.invented += 1,
                _ => {}
            }
            self.answered += u64::from(matches!(verdict.state, State::Open | State::Closed));
        }
    }
}

impl Found {
    fn outcome(&self, summary: &Summary) -> Outcome {
        assert_eq!(self.invented, 0, "an open port was invented");
        let mute = self.answered == 0;
        let missed = if mute { 0 } else { OPEN - self.open };
        Outcome {
            scans: 1,
            mute: u64::from(mute),
            missed,
            squares: missed * missed,
            expected: if mute { 0.0 } else { summary.expected_missed },
            probes: summary.packets_sent,
            seconds: summary.elapsed.as_secs_f64(),
            complete: u64::from(summary.complete),
        }
    }
}

const FLOWS: u8 = 20;
