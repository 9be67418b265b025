//! A machine that tracks connections: its table never overflows, and the list is the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Endpoint, Event, How, Note, Probe, State, Summary, Time};
use halfopen::plan::Plan;
use halfopen::scan::{self, Control};
use halfopen::transport::Transport;
use halfopen::transport::conntrack::Table;
use halfopen::transport::sim::{Behaviour, Host, Network, PathLoss, SimTransport};
use halfopen::transport::tracked::Tracked;

/// The table of connections of a simulated machine: an entry for each flow, for two minutes after its last packet.
#[derive(Default)]
struct Connections {
    flows: HashMap<(Endpoint, u64), Time>,
    connects: u64,
    now: Time,
    /// Entries of others.
    others: u64,
    most_held: u64,
}

impl Connections {
    fn held(&mut self) -> u64 {
        let now = self.now;
        self.flows
            .retain(|_, last| now < *last + Duration::from_secs(120));
        let held = self.flows.len() as u64 + self.others;
        self.most_held = self.most_held.max(held);
        held
    }
}

struct Machine {
    inner: SimTransport,
    table: Rc<RefCell<Connections>>,
}

impl Transport for Machine {
    passes_on! { room recv departures counters }

    fn now(&self) -> Time {
        let now = self.inner.now();
        self.table.borrow_mut().now = now;
        now
    }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let taken = self.inner.send(probes);
        let mut table = self.table.borrow_mut();
        let now = self.inner.now();
        for probe in &probes[..taken] {
            let flow = match probe.how {
                How::Syn { flow } => u64::from(flow),
                How::Handshake { .. } => {
                    table.connects += 1;
                    1_000 + table.connects
                }
            };
            table.flows.insert((probe.endpoint, flow), now);
        }
        table.held();
        taken
    }
}

/// What the kernel says of its table.
#[derive(Clone, Copy)]
enum Told {
    /// There is none.
    NoTable,
    /// There is room for so many, others have so many, and ours are counted.
    Tracks(u64, u64),
    /// There is one, and nothing is ever entered.
    TracksNothing,
}

struct Run {
    states: BTreeMap<Endpoint, State>,
    notes: Vec<Note>,
    summary: Summary,
    most_held: u64,
}

fn run(asking: Asking, ports: &str, told: Told) -> Run {
    let hosts = (1..=2).map(|last| {
        let open = (1..=300).filter(|port| port % 10 == 3);
        let host = Host {
            rtt: Duration::from_millis(2),
            jitter: Duration::ZERO,
            loss: PathLoss::None,
            rest: match last {
                1 => Behaviour::Closed,
                _ => Behaviour::Silent,
            },
            ports: open.map(|port| (port, Behaviour::Open)).collect(),
            gates: Default::default(),
        };
        (Address::new([10, 9, 0, last].into()), host)
    });
    let network = Network {
        hosts: hosts.collect(),
        ..Network::default()
    };
    let plan = Arc::new(Plan::parse("10.9.0.1-2", ports).expect("a plan"));
    let flows = match asking {
        Asking::Syn { flows } => flows,
        Asking::Handshake => 1,
    };
    let table = Rc::new(RefCell::new(Connections::default()));
    if let Told::Tracks(_, others) = told {
        table.borrow_mut().others = others;
    }
    let machine = Machine {
        inner: SimTransport::new(network, 7, flows, 4096),
        table: table.clone(),
    };
    let look = || match told {
        Told::NoTable => None,
        Told::Tracks(most, _) => Some(Table {
            most,
            taken: table.borrow_mut().held(),
        }),
        Told::TracksNothing => Some(Table {
            most: 1_000,
            taken: 44,
        }),
    };
    let mut transport = Tracked::new(Box::new(machine), look);
    let ceiling = Ceiling::Careful {
        blind: 20_000,
        most: 10_000_000,
    };
    let config = Config {
        seed: 3,
        ..Config::new(asking, ceiling)
    };
    let engine = Engine::new(plan.clone(), config, Time::ZERO);
    let (mut states, mut notes) = (BTreeMap::new(), Vec::new());
    let mut sink = |event: Event| match event {
        Event::Verdict(verdict) => {
            let before = states.insert(verdict.endpoint, verdict.state);
            assert_eq!(before, None, "{:?} was told twice", verdict.endpoint);
        }
        Event::Host(note) => notes.push(note.note),
        _ => {}
    };
    let control = Control::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut sink, &control, None);
    let most_held = table.borrow().most_held;
    Run {
        states,
        notes,
        summary,
        most_held,
    }
}

const MODES: [Asking; 2] = [Asking::Syn { flows: 20 }, Asking::Handshake];

#[test]
fn a_scan_waits_for_the_table_of_connections_and_its_list_is_the_same() {
    for asking in MODES {
        let free = run(asking, "1-300", Told::NoTable);
        assert_eq!(free.summary.open, 60);
        assert!(free.notes.is_empty(), "{:?}", free.notes);
        // Room for 800 more, half of which the scan may take.
        let bound = run(asking, "1-300", Told::Tracks(1_000, 200));
        assert_eq!(bound.states, free.states, "{asking:?}");
        assert!(bound.summary.complete, "{:?}", bound.summary);
        assert_eq!(bound.notes, [Note::TrackingFull], "{asking:?}");
        // It would have held more, and what drips beyond the half never fills it.
        assert!(free.most_held > 600, "{asking:?}: {}", free.most_held);
        assert!(bound.most_held < 850, "{asking:?}: {}", bound.most_held);
    }
}

#[test]
fn a_table_in_which_nothing_is_entered_is_never_waited_for() {
    for asking in MODES {
        let free = run(asking, "1-300", Told::NoTable);
        let idle = run(asking, "1-300", Told::TracksNothing);
        assert_eq!(idle.states, free.states, "{asking:?}");
        assert!(idle.notes.is_empty(), "{:?}", idle.notes);
        let longer = idle.summary.elapsed.saturating_sub(free.summary.elapsed);
        assert!(longer < Duration::from_millis(50), "{asking:?}: {longer:?}");
    }
}

#[test]
fn a_table_that_others_keep_full_slows_a_scan_and_does_not_stop_it() {
    for asking in MODES {
        let full = run(asking, "1-10", Told::Tracks(1_000, 1_000));
        assert_eq!(full.summary.open, 2, "{asking:?}");
        assert_eq!(full.states.len(), 20);
        assert_eq!(full.notes, [Note::TrackingFull]);
    }
}
