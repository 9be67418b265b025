//! A capture ring that has no room loses answers; the scan knows it, asks again, and ends exact. Nor is it full too early.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::confirm::Confirm;
use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Event, State};
use halfopen::plan::{Plan, PortSet, TargetSet};
use halfopen::scan::{Control, Sink, run};
use halfopen::transport::Transport as _;
use halfopen::transport::raw::{RawConfig, RawTransport, Senders};
use halfopen::transport::route::NetlinkRouter;

use super::scene::{TARGET, Target, config, probe};
use crate::lab::alone::inside;

#[derive(Default)]
struct Open(BTreeSet<u16>);

impl Sink for Open {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        self.0
            .extend(events.drain(..).filter_map(|event| match event {
                Event::Verdict(verdict) if verdict.state == State::Open => {
                    Some(verdict.endpoint.port)
                }
                _ => None,
            }));
    }
}

#[test]
fn what_an_overflowing_ring_lost_is_asked_again() {
    inside(
        "raw::overflow::what_an_overflowing_ring_lost_is_asked_again",
        || {
            let target = Target::new();
            let listening: BTreeSet<u16> = target.listen(100).into_iter().collect();
            // Eight blocks, and 65,535 answers as fast as two senders can make them.
            let config = RawConfig {
                ring: 8,
                ..config()
            };
            let mut transport = RawTransport::open(config, NetlinkRouter::open().unwrap()).unwrap();
            transport.start().unwrap();
            let plan = Arc::new(Plan::new(
                TargetSet::parse(&[TARGET], &[]).unwrap(),
                PortSet::parse("1-65535").unwrap().set,
            ));
            let engine = Engine::new(
                Arc::clone(&plan),
                Config {
                    seed: 7,
                    // The transport crafts SYNs and nothing else.
                    confirm: Confirm::Never,
                    ..Config::new(
                        Asking::Syn {
                            flows: RawConfig::FLOWS,
                        },
                        Ceiling::Asked(2_000_000),
                    )
                },
                transport.now(),
            );
            let mut open = Open::default();
            let limit = Some(Duration::from_secs(60));
            let summary = run(
                &plan,
                engine,
                &mut transport,
                &mut open,
                &Control::default(),
                limit,
            );
            println!("{summary:?}");
            assert!(
                summary.capture_drops > 0,
                "the ring never overflowed: {summary:?}"
            );
            assert_eq!(open.0, listening);
            assert_eq!(
                (summary.closed, summary.filtered),
                (65_535 - 100, 0),
                "{summary:?}"
            );
            assert!(summary.complete, "{summary:?}");
        },
    );
}

/// Blocks of the ring are handed over after a millisecond, full or not: 64 of them were gone after 64 ms.
#[test]
fn a_trickle_of_answers_overflowed_a_ring_that_was_nearly_empty() {
    inside(
        "raw::overflow::a_trickle_of_answers_overflowed_a_ring_that_was_nearly_empty",
        || {
            let _target = Target::new();
            let config = RawConfig {
                senders: Senders::One,
                ..config()
            };
            let mut transport = RawTransport::open(config, NetlinkRouter::open().unwrap()).unwrap();
            let (ip, ports) = (TARGET.parse().unwrap(), 1..=200);
            for port in ports.clone() {
                assert_eq!(transport.send(&[probe(ip, port, 0)]), 1);
                // Its answer lies in a block of its own, at the latest when this is over. Longer does not harm.
                std::thread::sleep(Duration::from_millis(3));
            }
            // Nobody has read so far.
            assert_eq!(transport.counters().capture_drops, 0);
            transport.start().unwrap();
            let (mut heard, mut observed) = (BTreeSet::new(), Vec::new());
            let deadline = transport.now() + Duration::from_secs(10);
            while heard.len() < 200 && transport.now() < deadline {
                transport.recv(deadline, &mut observed);
                heard.extend(observed.drain(..).map(|seen| seen.endpoint.port));
            }
            assert_eq!(heard, BTreeSet::from_iter(ports));
        },
    );
}
