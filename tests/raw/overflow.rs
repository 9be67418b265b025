//! A capture ring that has no room loses answers; the scan knows it, asks again, and ends exact.

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
use halfopen::transport::raw::{RawConfig, RawTransport};
use halfopen::transport::route::NetlinkRouter;

use super::scene::{TARGET, Target, config};
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
            // Two blocks, and 65,535 answers as fast as two senders can make them.
            let config = RawConfig {
                ring: 2,
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
