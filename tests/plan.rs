//! The plan: order, numbering, and what each kind of bad input is answered with.

use std::net::Ipv4Addr;

use halfopen::plan::Surroundings;

mod any_text;
mod bad_ports;
mod bad_targets;
mod endpoints;
mod order;

fn machine() -> Surroundings {
    Surroundings {
        interfaces: vec![("lo".into(), 1), ("eth0".into(), 2), ("br-lan".into(), 7)],
        broadcast: vec![Ipv4Addr::new(10, 9, 0, 255)],
    }
}

fn lines<T: ToString>(said: &[T]) -> Vec<String> {
    said.iter().map(ToString::to_string).collect()
}
