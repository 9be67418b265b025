//! Drives a connect transport the way the scan loop does, without an engine.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use halfopen::model::{Address, Endpoint, How, Observation, Probe, Seen, Source};
use halfopen::transport::Transport;
use halfopen::transport::clock::Clock;
use halfopen::transport::connect::{ConnectConfig, ConnectTransport};

pub fn config(threads: usize) -> ConnectConfig {
    ConnectConfig {
        threads: NonZeroUsize::new(threads).expect("positive"),
        source: None,
        interface: None,
        window: None,
        clock: Clock::start(),
    }
}

pub fn started(config: ConnectConfig) -> ConnectTransport {
    let mut transport = ConnectTransport::open(config).expect("open");
    assert_eq!(transport.room(), 0, "no room before the threads exist");
    transport.start().expect("start");
    transport
}

pub fn endpoint(ip: &str, port: u16) -> Endpoint {
    let ip: IpAddr = ip.parse().expect("address");
    Endpoint {
        address: Address::new(ip),
        port,
    }
}

pub fn probe(endpoint: Endpoint, patience: Duration) -> Probe {
    Probe {
        index: 0,
        endpoint,
        attempt: 0,
        how: How::Handshake { patience },
    }
}

/// Sends all probes as room allows and waits for the observation of each; fails when one stays out for ten seconds beyond
/// the last.
pub fn all(transport: &mut ConnectTransport, mut probes: &[Probe]) -> Vec<Observation> {
    let expected = probes.len();
    let mut seen = Vec::with_capacity(expected);
    let mut idle_since = transport.now();
    while seen.len() < expected {
        let offered = probes.get(..transport.room()).unwrap_or(probes);
        let taken = transport.send(offered);
        probes = &probes[taken..];
        let before = seen.len();
        let until = transport.now() + Duration::from_millis(50);
        transport.recv(until, &mut seen);
        // That a neighbour was given up is no attempt's end.
        seen.retain(|one| one.source != Source::Host);
        let now = transport.now();
        if taken > 0 || seen.len() > before {
            idle_since = now;
        }
        assert!(
            now.since(idle_since) < Duration::from_secs(10),
            "{} of {expected} observations",
            seen.len()
        );
    }
    let until = transport.now();
    transport.recv(until, &mut seen);
    assert_eq!(seen.len(), expected, "one observation for each probe");
    seen
}

/// One probe, one observation.
pub fn one(transport: &mut ConnectTransport, to: Endpoint, patience: Duration) -> Observation {
    let seen = all(transport, &[probe(to, patience)]);
    assert_eq!(seen[0].endpoint, to);
    seen[0]
}

pub fn is_open(observation: &Observation) -> bool {
    matches!(observation.seen, Seen::SynAck(answer) if answer.window > 0)
}

pub fn syns(observation: &Observation) -> (u8, Option<Duration>) {
    match observation.source {
        Source::Attempt { syns, .. } => (syns, observation.source.rtt()),
        Source::Flow(_) | Source::Host => panic!("no attempt ended"),
    }
}
