use std::sync::Arc;

use super::*;
use crate::engine::Config;
use crate::engine::pace::Ceiling;
use crate::model::{Event, Source, State};
use crate::plan::Plan;

/// A silent host, and a machine that drops 500 packets of others each time that it is asked once more.
fn filtered(paused: impl Fn(&mut Engine)) -> usize {
    let plan = Arc::new(Plan::parse("10.9.0.1", "1-8").expect("a plan"));
    let config = Config {
        seed: 1,
        ..Config::new(Asking::Handshake, Ceiling::Asked(1_000_000))
    };
    let mut engine = Engine::new(plan, config, Time::ZERO);
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
            paused(&mut engine);
        }
        for probe in probes {
            engine.handle(Observation {
                endpoint: probe.endpoint,
                source: Source::Attempt {
                    attempt: probe.attempt,
                    syns: 1,
                    took: None,
                },
                at: now,
                seen: Seen::Silence,
            });
        }
        while let Some(event) = engine.poll_event() {
            filtered += usize::from(
                matches!(event, Event::Verdict(verdict) if verdict.state == State::Filtered),
            );
        }
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
    assert_eq!(filtered(|_| {}), 0, "that is what it would look like");
}
