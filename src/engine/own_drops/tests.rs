use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::engine::Config;
use crate::engine::pace::Ceiling;
use crate::model::{Departure, Event, Source, State};
use crate::plan::Plan;

fn connecting(ports: &str, ceiling: Ceiling) -> Engine {
    let plan = Arc::new(Plan::parse("10.9.0.1", ports).expect("a plan"));
    let config = Config {
        seed: 1,
        ..Config::new(Asking::Handshake, ceiling)
    };
    Engine::new(plan, config, Time::ZERO)
}

fn silence(probe: &Probe, at: Time) -> Observation {
    Observation {
        endpoint: probe.endpoint,
        source: Source::Attempt {
            attempt: probe.attempt,
            syns: 1,
            took: None,
        },
        at,
        seen: Seen::Silence,
    }
}

/// How many ports are called filtered by the events that there are.
fn called_filtered(engine: &mut Engine) -> usize {
    let events = std::iter::from_fn(|| engine.poll_event());
    events
        .filter(
            |event| matches!(event, Event::Verdict(verdict) if verdict.state == State::Filtered),
        )
        .count()
}

/// A silent host, and a machine that drops 500 packets of others each time that it is asked once more.
fn filtered(paused: impl Fn(&mut Engine, Time)) -> usize {
    let mut engine = connecting("1-8", Ceiling::Asked(1_000_000));
    let (mut now, mut missing, mut filtered, mut times) = (Time::ZERO, 0, 0, 0);
    while !engine.is_done() {
        if engine.wants_undelivered(now) {
            let for_many = 0;
            let count = Some(Undelivered { missing, for_many });
            engine.tell_undelivered(count, 256, now);
        }
        let mut probes = Vec::new();
        engine.poll_transmit(now, 256, &mut probes);
        engine.taken(probes.len());
        missing += i64::from(missing == 0);
        if matches!(engine.own_drops.stage, Stage::Asking { .. }) && times < 9 {
            (times, missing) = (times + 1, missing + 500);
            paused(&mut engine, now);
        }
        for probe in probes {
            engine.handle(silence(&probe, now));
        }
        filtered += called_filtered(&mut engine);
        assert!(now < Time(200_000_000_000), "it does not end");
        now = engine.poll_timeout().max(now + Duration::from_micros(100));
        now = now.min(Time(200_000_000_000));
    }
    assert!(times > 0, "nothing was asked once more");
    filtered
}

#[test]
fn what_went_missing_while_the_scan_was_paused_counted_as_answers() {
    assert_eq!(filtered(Engine::spoil_undelivered), 8);
    assert_eq!(filtered(|_, _| {}), 0, "that is what it would look like");
}

/// A host whose SYN-ACKs this machine drops, and that repeats them; all of its ports are open. After each look at the clock this
/// machine stalls for as long as `stall` says. How many ports are called filtered.
fn filtered_by(ports: &str, ceiling: Ceiling, stall: impl Fn(Time) -> Duration) -> usize {
    let mut engine = connecting(ports, ceiling);
    let (mut now, mut filtered) = (Time::ZERO, 0);
    let mut dropped: Vec<Time> = Vec::new();
    let mut silent: BTreeMap<Time, Vec<Probe>> = BTreeMap::new();
    while !engine.is_done() {
        while let Some(due) = silent.first_entry().filter(|due| *due.key() <= now) {
            for probe in due.remove() {
                engine.handle(silence(&probe, now));
            }
        }
        if engine.wants_undelivered(now) {
            let missing = dropped.iter().filter(|at| **at <= now).count() as i64;
            let count = Undelivered {
                missing,
                for_many: 0,
            };
            engine.tell_undelivered(Some(count), 256, now);
        }
        let mut probes = Vec::new();
        engine.poll_transmit(now, 256, &mut probes);
        probes.truncate(engine.may_leave(now).max(usize::from(!probes.is_empty())));
        engine.taken(probes.len());
        for probe in probes {
            let How::Handshake { patience } = probe.how else {
                continue;
            };
            let endpoint = probe.endpoint;
            engine.left(&Departure { endpoint, at: now });
            dropped.extend([0, 1, 3, 7, 15, 31].map(|after| now + Duration::from_secs(after)));
            silent.entry(now + patience).or_default().push(probe);
        }
        filtered += called_filtered(&mut engine);
        let due = silent.keys().next().copied().unwrap_or(Time::NEVER);
        let next = engine.poll_timeout().min(due);
        now = next.max(now + Duration::from_micros(100));
        now = now + stall(now);
        assert!(now < Time(1_000_000_000_000), "it does not end");
    }
    filtered
}

#[test]
fn at_a_rate_of_few_packets_a_second_dropped_answers_were_filtered_ports() {
    for (ports, rate) in [
        ("1-8", 1),
        ("1-8", 2),
        ("1-8", 3),
        ("1-8", 20),
        ("1-64", 40),
    ] {
        let filtered = filtered_by(ports, Ceiling::Asked(rate), |_| Duration::ZERO);
        assert_eq!(filtered, 0, "{rate} per second");
    }
}

#[test]
fn on_a_machine_that_stalls_dropped_answers_were_filtered_ports() {
    let ceiling = Ceiling::Asked(10_000);
    for (every, length) in [
        (2_600, 600),
        (1_700, 300),
        (7_300, 1_500),
        (1, 35),
        (1, 150),
    ] {
        let stalled = std::cell::Cell::new(0);
        let stall = |now: Time| {
            let turn = now.0 / (every * 1_000_000);
            match stalled.replace(turn) < turn {
                true => Duration::from_millis(length),
                false => Duration::ZERO,
            }
        };
        let filtered = filtered_by("1-8", ceiling, stall);
        assert_eq!(filtered, 0, "{length} ms every {every}");
    }
}
