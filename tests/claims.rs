//! What the engine keeps until it is asked for: claims of hosts until enough of them was probed, and events.

use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Address, Event, State, Time};
use halfopen::plan::Plan;
use halfopen::transport::Transport as _;
use halfopen::transport::sim::{Behaviour, Host, Network, PathLoss, SimTransport};

/// A /20 whose addresses have five open ports of 25, and a scan of it.
fn slash_20() -> (Engine, SimTransport) {
    let hosts = (0..4096_u16).map(|number| {
        let [high, low] = number.to_be_bytes();
        let host = Host {
            rtt: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: PathLoss::None,
            rest: Behaviour::Closed,
            ports: (1..=5).map(|port| (port, Behaviour::Open)).collect(),
            gates: Default::default(),
        };
        (Address::new([10, 9, high, low].into()), host)
    });
    let network = Network {
        hosts: hosts.collect(),
        ..Network::default()
    };
    let plan = Arc::new(Plan::parse("10.9.0.0/20", "1-25").expect("a plan"));
    let ceiling = Ceiling::Careful {
        blind: 1_000_000,
        most: 1_000_000,
    };
    let config = Config {
        seed: 3,
        ..Config::new(Asking::Syn { flows: 20 }, ceiling)
    };
    let engine = Engine::new(plan, config, Time::ZERO);
    (engine, SimTransport::new(network, 7, 20, 1024))
}

/// One turn of a scan.
fn turn(engine: &mut Engine, transport: &mut SimTransport) {
    let (mut probes, mut observed) = (Vec::new(), Vec::new());
    engine.poll_transmit(transport.now(), transport.room(), &mut probes);
    transport.send(&probes);
    transport.recv(engine.poll_timeout(), &mut observed);
    observed
        .drain(..)
        .for_each(|observation| engine.handle(observation));
}

#[test]
fn what_was_held_of_many_hosts_was_told_in_one_pile() {
    let (mut engine, mut transport) = slash_20();
    let (mut open, mut most) = (0, 0);
    while !engine.is_done() {
        let mut pile = 0;
        while let Some(event) = engine.poll_event() {
            pile += 1;
            if matches!(event, Event::Verdict(verdict) if verdict.state == State::Open) {
                open += 1;
            }
        }
        most = most.max(pile);
        turn(&mut engine, &mut transport);
    }
    assert_eq!(open, 4096 * 5);
    // Two slices of 4,096 events, and not all that was held.
    assert!(most <= 8192, "{most}");
}

#[test]
fn progress_piled_up_behind_a_reader_that_did_not_come() {
    let (mut engine, _) = slash_20();
    for tenth in 0..1_000 {
        // A reader that does not come leaves no room for probes.
        let now = Time::ZERO + Duration::from_millis(tenth * 100);
        engine.poll_transmit(now, 0, &mut Vec::new());
    }
    assert_eq!(std::iter::from_fn(|| engine.poll_event()).count(), 1);
}
