//! Networks that the lab cannot build are refused when their file is read.

use std::collections::BTreeSet;

use super::{Part, Place, Scenario, Site, Stop, SynAnswer, Topology};
use crate::lab::ports;

/// The first thing that is wrong with a scenario whose keys are all known.
pub fn fault(scenario: &Scenario) -> Option<String> {
    let scanned = match ports::parse(&scenario.ports) {
        Ok(scanned) => scanned,
        Err(fault) => return Some(fault),
    };
    let (path, scanner, hosts) = (scenario.path, &scenario.scanner, &scenario.host);
    let tun = scenario.topology == Topology::Tun;
    let routed = scenario.topology == Topology::Routed;
    let refused = [
        (hosts.is_empty(), "no host"),
        (hosts.len() > 20, "more than 20 hosts"),
        (
            hosts.len() > 1 && !matches!(scenario.topology, Topology::Lan | Topology::Tun),
            "several hosts need the topology lan or tun",
        ),
        (
            hosts.iter().any(|host| !host.listen.is_subset(&scanned)),
            "a listening port outside the scanned ones",
        ),
        (
            hosts.iter().any(|host| !are_parts(&host.part, &scanned)),
            "parts of a host that overlap or are not scanned",
        ),
        (path.loss_percent > 90, "loss above 90 %"),
        (
            path.loss_percent > 0 && !routed && !tun,
            "loss needs a router or a TUN network",
        ),
        (
            (path.delay_ms, path.open_delay_ms, path.duplicates) != (0, 0, 0) && !tun,
            "delay and duplicates need a TUN network",
        ),
        (
            path.delay_ms > 5_000 || path.open_delay_ms > 5_000,
            "delay above 5 s",
        ),
        (path.duplicates > 5, "more than 5 duplicates"),
        (
            !(1..=4).contains(&scanner.at_once),
            "at-once outside 1 to 4",
        ),
        (
            !(1..=50).contains(&scanner.repeat),
            "repeat outside 1 to 50",
        ),
        (
            scanner
                .stopped
                .is_some_and(|stop| stop.after_ms.max(stop.for_ms) > Stop::LONGEST_MS),
            "stopped after or for more than 5 s",
        ),
        (
            scanner.stopped.is_some() && scenario.most_memory_mb.is_some(),
            "what is stopped cannot be measured",
        ),
        (
            !(1..=300).contains(&scenario.within_seconds),
            "within-seconds outside 1 to 300",
        ),
        (
            scenario.topology == Topology::Loopback
                && hosts.iter().any(|host| host.at != Place::Scanner),
            "loopback hosts are at the scanner",
        ),
        (
            scenario.router != super::Machine::default() && !routed,
            "a router that is not in this topology",
        ),
        (
            hosts.iter().any(|host| host.answer != SynAnswer::SynAck) && !tun,
            "a scripted answer needs a TUN network",
        ),
        (
            tun && hosts
                .iter()
                .any(|host| !host.rules.is_empty() || !host.setup.is_empty()),
            "a host of the TUN network has no kernel to set up",
        ),
        (
            hosts.iter().any(|host| host.wide.is_some())
                && !matches!(scenario.topology, Topology::Pair | Topology::Tun),
            "a wide host needs the topology pair or tun",
        ),
        (
            hosts
                .iter()
                .any(|host| host.wide.is_some() && host.at == Place::Scanner),
            "the scanner is one address",
        ),
        (
            scenario.endpoints() > 1 << 22,
            "more than 4,194,304 endpoints",
        ),
        (
            scenario.event.iter().any(|event| event.after_ms > 60_000),
            "an event after more than 60 s",
        ),
        (
            scenario.event.iter().any(|event| event.at == Site::Router) && !routed,
            "an event at a router that is not there",
        ),
        (
            !scenario.event.is_empty() && scanner.at_once > 1,
            "events need one scan at a time",
        ),
    ];
    let fault = refused.iter().find(|(is_so, _)| *is_so);
    fault.map(|(_, what)| (*what).to_owned())
}

/// Whether no port is in two of them and none is outside `scanned`.
fn are_parts(parts: &[Part], scanned: &BTreeSet<u16>) -> bool {
    let mut left = scanned.clone();
    let mut ports = parts.iter().flat_map(Part::ports);
    ports.all(|port| left.remove(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "about = 'x'\ntopology = 'pair'\nports = '1-100'\n[[host]]\nopen = 5\nexpect = { state = 'closed', reason = 'rst' }\n";

    #[test]
    fn every_scenario_file_is_sound() {
        let all = Scenario::load_all().unwrap();
        assert!(all.len() >= 15, "{} scenarios", all.len());
        for scenario in &all {
            for host in &scenario.host {
                let wanted = usize::from(host.open) + host.listen.len();
                assert!(
                    scenario.open_ports(host).len() >= usize::from(host.open),
                    "{}",
                    scenario.name
                );
                assert!(
                    scenario.open_ports(host).len() <= wanted,
                    "{}",
                    scenario.name
                );
            }
        }
    }

    #[test]
    fn unknown_keys_and_impossible_networks_are_refused() {
        assert!(Scenario::read("small", SMALL).is_ok());
        for (from, to, complaint) in [
            ("about", "colour = 'red'\nabout", "unknown field"),
            ("'pair'", "'ring'", "unknown variant"),
            ("'1-100'", "'0-100'", "no port"),
            ("open = 5", "listen = [101]", "outside the scanned"),
            (
                "[[host]]",
                "[path]\nloss-percent = 5\n[[host]]",
                "needs a router",
            ),
            (
                "[[host]]",
                "[scanner]\nrepeat = 51\n[[host]]",
                "repeat outside",
            ),
            (
                "[[host]]",
                "[scanner]\nstopped = { after-ms = 1, for-ms = 5001 }\n[[host]]",
                "more than 5 s",
            ),
            (
                "open = 5",
                "open = 5\npart = [{ ports = '90-101', expect = { state = 'error' } }]",
                "not scanned",
            ),
            (
                "open = 5",
                "open = 5\npart = [{ ports = '1-5', expect = { state = 'error' } }, \
                 { ports = '5', expect = { state = 'open' } }]",
                "overlap",
            ),
            ("'pair'", "'loopback'", "at the scanner"),
            (
                "open = 5",
                "open = 5\nwide = '192.0.2.0/24'",
                "outside 10.0.0.0/8",
            ),
            ("open = 5", "open = 5\nwide = '10.1.0.0/8'", "/16 to /30"),
            ("open = 5", "open = 5\nanswer = 'lone-syn'", "needs a TUN"),
            (
                "[[host]]",
                "[[event]]\nat = 'router'\nafter-ms = 1\nrun = 'ip link'\n[[host]]",
                "not there",
            ),
            (
                "state = 'closed'",
                "state = 'ajar'",
                "no state of an endpoint",
            ),
        ] {
            let text = SMALL.replacen(from, to, 1);
            let error = Scenario::read("small", &text).expect_err(&text);
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        assert!(Scenario::load("../../secret").is_err());
        assert!(Scenario::load("").is_err());
    }
}
