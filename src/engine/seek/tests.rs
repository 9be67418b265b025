use std::sync::Arc;

use super::*;
use crate::engine::Config;
use crate::engine::confirm::Confirm;
use crate::engine::pace::Ceiling;
use crate::model::Departure;
use crate::plan::{Plan, Shard};

const PORTS: u64 = 100;
const SYN: Asking = Asking::Syn { flows: 20 };

/// A scan of two hosts.
pub(in crate::engine) fn engine(ports: &str, asking: Asking) -> Engine {
    let plan = Arc::new(Plan::parse("10.9.0.1-2", ports).expect("a plan"));
    let ceiling = Ceiling::Careful {
        blind: 20_000,
        most: 10_000_000,
    };
    let config = Config {
        seed: 1,
        confirm: Confirm::Never,
        ..Config::new(asking, ceiling)
    };
    Engine::new(plan, config, Time::ZERO)
}

/// The answer to a probe, at once.
pub(in crate::engine) fn reset(probe: &Probe, at: Time) -> Observation {
    let source = match probe.how {
        How::Syn { flow } => Source::Flow(flow),
        How::Handshake { .. } => Source::Attempt {
            attempt: probe.attempt,
            syns: 1,
            took: Some(Duration::ZERO),
        },
    };
    Observation {
        endpoint: probe.endpoint,
        source,
        at,
        seen: Seen::Rst { ttl: 0 },
    }
}

/// When what was sought was asked. Ports of the first host answer at once; of the second as many as `of_second`.
fn asked(asking: Asking, of_second: u64) -> Vec<(Time, u64)> {
    let mut engine = engine("1-100", asking);
    let mut sought = Vec::new();
    for step in 0..4_000 {
        let now = Time::ZERO + Duration::from_millis(1) * step;
        let mut probes = Vec::new();
        engine.poll_transmit(now, 256, &mut probes);
        for probe in probes {
            if probe.attempt & SEEK != 0 {
                sought.push((now, probe.index));
            } else if probe.index < PORTS + of_second {
                engine.handle(reset(&probe, now));
            }
        }
        while engine.poll_event().is_some() {}
    }
    sought
}

#[test]
fn what_kept_silent_is_asked_once_more_spread_over_the_time_that_it_is_listened_to() {
    for asking in [Asking::Syn { flows: 20 }, Asking::Handshake] {
        let sought = asked(asking, 0);
        let mut indices: Vec<u64> = sought.iter().map(|&(_, index)| index).collect();
        assert_ne!(indices, (PORTS..PORTS * 2).collect::<Vec<_>>());
        indices.sort_unstable();
        assert_eq!(indices, (PORTS..PORTS * 2).collect::<Vec<_>>());
        let (first, last) = (sought[0].0, sought[sought.len() - 1].0);
        assert!(
            first >= Time::ZERO + Duration::from_millis(300),
            "{first:?}"
        );
        assert!(
            last <= Time::ZERO + Duration::from_millis(2_750),
            "{last:?}"
        );
        let busiest = sought
            .windows(11)
            .map(|ten| ten[10].0.since(ten[0].0))
            .min();
        assert!(busiest >= Some(Duration::from_millis(200)), "{busiest:?}");
    }
}

#[test]
fn nothing_is_sought_of_hosts_that_have_answered() {
    for asking in [Asking::Syn { flows: 20 }, Asking::Handshake] {
        for of_second in [1, PORTS] {
            assert_eq!(asked(asking, of_second), []);
        }
    }
}

/// The connects that had been made before lived on, and were waited for.
#[test]
fn a_scan_whose_last_answer_came_to_what_was_sought_ends_then() {
    let mut engine = engine("80", Asking::Handshake);
    for step in 0.. {
        let now = Time::ZERO + Duration::from_millis(1) * step;
        let mut probes = Vec::new();
        engine.poll_transmit(now, 256, &mut probes);
        for probe in probes {
            if probe.index == 0 || probe.attempt & SEEK != 0 {
                engine.handle(reset(&probe, now));
            }
        }
        while engine.poll_event().is_some() {}
        if engine.is_done() {
            break;
        }
        assert!(step < 2_900, "it waits for what was asked before");
    }
}

/// A scan of many hosts, by SYNs, none of whom is there.
fn unheard(targets: &str, ports: &str, shard: Shard) -> Engine {
    let plan = Arc::new(Plan::parse(targets, ports).expect("a plan"));
    let config = Config {
        seed: 1,
        shard,
        confirm: Confirm::Never,
        ..Config::new(SYN, Ceiling::Asked(1_000_000))
    };
    Engine::new(plan, config, Time::ZERO)
}

/// Of those that belong to this shard there was one in a million, and all others were looked at.
#[test]
fn a_small_shard_of_a_huge_plan_looked_for_its_endpoints_among_all() {
    let shard = Shard::new(7, 1_000_000).expect("a shard");
    let mut engine = unheard("10.0.0.0/8", "1-60", shard);
    let (mut sought, mut vain) = (Vec::new(), 0);
    let mut now = Time::ZERO;
    while now < Time(5_000_000_000) {
        let mut probes = Vec::new();
        engine.poll_transmit(now, 256, &mut probes);
        engine.taken(probes.len());
        let seeking = matches!(engine.seek, Seek::Begun(_)) && !engine.seek.is_over();
        vain += u32::from(seeking && probes.is_empty() && engine.poll_timeout() <= now);
        assert!(vain < 100, "it looks without asking");
        for probe in probes {
            let endpoint = probe.endpoint;
            engine.left(&Departure { endpoint, at: now });
            sought.extend((probe.attempt & SEEK != 0).then_some(probe.index));
        }
        while engine.poll_event().is_some() {}
        now = engine.poll_timeout().max(now + Duration::from_micros(50));
    }
    assert_eq!(sought.len() as u64, engine.order.len());
    sought.sort_unstable();
    sought.dedup();
    assert_eq!(sought.len() as u64, engine.order.len());
}

/// What a late wake did not hand out was never handed out, and the tail was not asked.
#[test]
fn a_caller_that_wakes_late_left_the_last_ones_unasked() {
    for late in [0, 300, 1_000, 4_000] {
        let mut engine = unheard("10.9.0.1-10.9.0.100", "1-20", Shard::WHOLE);
        let mut sought = Vec::new();
        let mut now = Time::ZERO;
        while !engine.is_done() && now < Time(20_000_000_000) {
            let mut probes = Vec::new();
            engine.poll_transmit(now, 256, &mut probes);
            engine.taken(probes.len());
            for probe in probes {
                let endpoint = probe.endpoint;
                engine.left(&Departure { endpoint, at: now });
                sought.extend((probe.attempt & SEEK != 0).then_some((now, probe.index)));
            }
            while engine.poll_event().is_some() {}
            let wake = engine.poll_timeout().max(now + Duration::from_micros(50));
            now = wake + Duration::from_micros(late);
        }
        let mut indices: Vec<u64> = sought.iter().map(|&(_, index)| index).collect();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 2_000, "{late} us late");
        // A limiter would let in the same few of what leaves together.
        let busiest = sought.windows(101).map(|some| some[100].0.since(some[0].0));
        let busiest = busiest.min();
        assert!(busiest >= Some(Duration::from_millis(90)), "{busiest:?}");
    }
}
