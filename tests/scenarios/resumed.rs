//! Scans that end at any moment and go on: what two runs tell together is what one would have told, each endpoint once, and
//! nothing that was kept is asked again.

use std::collections::HashSet;
use std::sync::Arc;

use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Endpoint, Event, Kept, Probe, Reason, Time};
use halfopen::scan::{self, Control, Sink};
use halfopen::transport::Transport;
use halfopen::transport::sim::SimTransport;

use crate::scenarios::file::Scenario;
use crate::scenarios::{Keep, Run, config, open, scenario, states};

#[derive(Default)]
struct Journal {
    keep: Keep,
    kept: Vec<Kept>,
}

impl Sink for Journal {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        self.keep.take(events);
    }

    fn keep(&mut self, kept: &mut Vec<Kept>) {
        self.kept.append(kept);
    }
}

/// Notes what is asked.
struct Heard {
    inner: SimTransport,
    asked: HashSet<Endpoint>,
}

impl Transport for Heard {
    passes_on! { now room recv departures counters }

    fn send(&mut self, probes: &[Probe]) -> usize {
        let sent = self.inner.send(probes);
        self.asked
            .extend(probes[..sent].iter().map(|probe| probe.endpoint));
        sent
    }
}

/// One run that goes on from `past`: what it told, what it gave to be kept, whom it asked.
fn run(
    scenario: &Scenario,
    asking: Asking,
    seed: u64,
    past: &[Kept],
) -> (Run, Vec<Kept>, HashSet<Endpoint>) {
    // Among so many scans one would miss a port by chance, as the usual budget allows.
    let config = Config {
        miss_budget: 1e-4,
        ..config(scenario, asking, seed)
    };
    run_with(scenario, config, past)
}

fn run_with(
    scenario: &Scenario,
    config: Config,
    past: &[Kept],
) -> (Run, Vec<Kept>, HashSet<Endpoint>) {
    let (asking, seed) = (config.asking, config.seed);
    let plan = Arc::new(scenario.plan());
    let (flows, descriptors) = match asking {
        Asking::Syn { flows } => (flows, 4096),
        Asking::Handshake => (1, scenario.descriptors),
    };
    let mut transport = Heard {
        inner: SimTransport::new(scenario.network(), seed, flows, descriptors),
        asked: HashSet::new(),
    };
    let mut engine = Engine::new(plan.clone(), config, Time::ZERO);
    let mut journal = Journal::default();
    let mut events = Vec::new();
    for kept in past {
        engine.restore(kept, Time::ZERO);
        events.extend(std::iter::from_fn(|| engine.poll_event()));
    }
    engine.restored(Time::ZERO);
    journal.take(&mut events);
    let control = Control::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut journal, &control, None);
    let run = Run {
        losses: Vec::new(),
        verdicts: journal.keep.verdicts,
        notes: journal.keep.notes,
        summary,
    };
    (run, journal.kept, transport.asked)
}

/// What must not be asked again: all that has a verdict, and claims that only wait for their host.
fn settled(scenario: &Scenario, past: &[Kept]) -> HashSet<Endpoint> {
    let plan = scenario.plan();
    let told = past.iter().filter_map(|kept| match kept {
        Kept::Told(told) if !matches!(told.reason, Reason::Local(_)) => Some(told.index),
        _ => None,
    });
    told.filter_map(|index| plan.endpoint(index)).collect()
}

fn check(name: &str, asking: Asking) {
    let scenario = scenario(name);
    let (whole, kept, _) = run(&scenario, asking, 1, &[]);
    assert_eq!(open(&whole), scenario.truth(), "{name}: the whole");
    for (part, seed) in [(0, 2), (1, 3), (5, 4), (9, 5), (10, 6)] {
        let here = format!("{name}, {asking:?}, {part} of 10 kept");
        let past = &kept[..kept.len() * part / 10];
        let (again, more, asked) = run(&scenario, asking, seed, past);
        assert_eq!(open(&again), open(&whole), "{here}");
        assert_eq!(states(&again), states(&whole), "{here}");
        assert_eq!(
            again.verdicts.len() as u64,
            again.summary.endpoints,
            "{here}"
        );
        let settled = settled(&scenario, past);
        let twice: Vec<_> = asked.intersection(&settled).collect();
        assert!(twice.is_empty(), "{here}: asked again: {twice:?}");
        assert!(
            again.summary.complete || again.summary.unheard > 0,
            "{here}: {:?}",
            again.summary
        );
        if part == 10 {
            assert_eq!(again.summary.packets_sent, 0, "{here}");
            assert!(again.summary.complete, "{here}");
        }
        // A third run has nothing left to ask, unless the second could not prove its end.
        let all: Vec<Kept> = past.iter().chain(&more).copied().collect();
        let (third, _, _) = run(&scenario, asking, 7, &all);
        assert_eq!(states(&third), states(&whole), "{here}, once more");
        if again.summary.complete {
            assert_eq!(third.summary.packets_sent, 0, "{here}, once more");
        }
    }
}

#[test]
fn a_scan_that_goes_on_tells_what_one_run_would_have_told() {
    for name in [
        "clean",
        "lossy_20_percent",
        "lossy_and_silent",
        "silent_but_a_few",
        "icmp_throughout",
        "three_hosts",
        "few_descriptors",
        "accepts_and_resets",
        "many_open",
        "answers_everything",
        "fewer_than_1000_open",
        "syn_proxy",
        "tarpit",
        "a_liar_among_others",
    ] {
        check(name, Asking::Syn { flows: 20 });
        check(name, Asking::Handshake);
    }
}

/// What no second attempt had shown was complete when the journal of the finished scan was read once more.
#[test]
fn a_scan_of_one_attempt_is_not_complete_when_it_is_resumed() {
    let scenario = scenario("lossy_20_percent");
    let once = |seed| Config {
        max_attempts: 1,
        miss_budget: 1.0,
        ..config(&scenario, Asking::Syn { flows: 20 }, seed)
    };
    let (whole, kept, _) = run_with(&scenario, once(1), &[]);
    assert!(!whole.summary.complete, "{:?}", whole.summary);
    for part in [5, 10] {
        let past = &kept[..kept.len() * part / 10];
        let (again, ..) = run_with(&scenario, once(2), past);
        assert!(!again.summary.complete, "{part}: {:?}", again.summary);
    }
}

/// The host was there for the first run and is gone for the second: its silence proves nothing.
#[test]
fn a_host_that_is_gone_when_the_scan_goes_on_is_not_taken_for_filtered() {
    let asking = Asking::Syn { flows: 20 };
    let (there, gone) = (scenario("silent_but_a_few"), scenario("dead_host"));
    let (whole, kept, _) = run(&there, asking, 1, &[]);
    // Port 1000, the last one that both scenarios scan.
    let shared = |kept: &Kept| matches!(kept, Kept::Told(told) if told.index == 999);
    let answers: Vec<Kept> = kept.into_iter().filter(shared).collect();
    assert_eq!(answers.len(), 1);
    let (again, more, _) = run(&gone, asking, 2, &answers);
    assert!(whole.summary.complete && !again.summary.complete);
    assert_eq!(again.summary.unheard, 1);
    assert!(again.notes.contains("unheard-since-resume"));
    // Nor is it done with: a third run may hear it again.
    assert!(!more.iter().any(|kept| matches!(kept, Kept::Through(_))));
}
