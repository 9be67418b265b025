//! Open ports by host, as far as they are known: what the key `f` shows.

use std::collections::{BTreeMap, BTreeSet};

use halfopen::model::{Address, State, Verdict};
use halfopen::report::escape::terminal;
use halfopen::report::names::Names;
use halfopen::report::table::wrap;
use halfopen::report::text::grouped;

/// Open ports, as many as can be read and kept.
#[derive(Debug, Default)]
pub struct Found {
    hosts: BTreeMap<Address, BTreeSet<u16>>,
    kept: usize,
    /// Those that there was no room for.
    beyond: u64,
}

impl Found {
    pub fn take(&mut self, verdict: &Verdict) {
        if verdict.state != State::Open {
            return;
        }
        if self.kept >= MOST {
            self.beyond += 1;
            return;
        }
        let ports = self.hosts.entry(verdict.endpoint.address).or_default();
        self.kept += usize::from(ports.insert(verdict.endpoint.port));
    }

    /// One entry per host, in lines of at most `width` columns.
    pub fn text(&self, names: &Names, width: usize) -> String {
        if self.hosts.is_empty() {
            return "nothing open so far\n".to_owned();
        }
        let mut text = String::new();
        for (address, ports) in self.hosts.iter().take(SHOWN) {
            let mut items: Vec<String> = ports.iter().map(u16::to_string).collect();
            if let Some(first) = items.first_mut() {
                first.insert_str(0, &format!("{}: ", terminal(&names.address(address))));
            }
            text.push_str(&wrap(&items, 0, width));
        }
        let more = self.hosts.len().saturating_sub(SHOWN);
        if more > 0 {
            text.push_str(&format!("and {} more hosts\n", grouped(more as u64)));
        }
        if self.beyond > 0 {
            text.push_str(&format!("and {} more ports\n", grouped(self.beyond)));
        }
        text
    }
}

/// Ports that are kept: the report at the end has all of them.
const MOST: usize = 65_536;
/// Hosts that are shown.
const SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use halfopen::model::{Endpoint, Reason, Time};

    use super::*;

    fn open(last: u8, port: u16, state: State) -> Verdict {
        Verdict {
            endpoint: Endpoint {
                address: Address::new([10, 0, 0, last].into()),
                port,
            },
            state,
            reason: Reason::SynAck,
            rtt: None,
            ttl: None,
            attempts: 1,
            at: Time::ZERO,
        }
    }

    #[test]
    fn open_ports_are_shown_by_host_and_in_order() {
        let mut found = Found::default();
        assert_eq!(found.text(&Names::default(), 80), "nothing open so far\n");
        for (last, port, state) in [
            (2, 443, State::Open),
            (1, 80, State::Open),
            (2, 22, State::Open),
            (3, 22, State::Suspect),
        ] {
            found.take(&open(last, port, state));
        }
        let text = found.text(&Names::default(), 80);
        assert_eq!(text, "10.0.0.1: 80\n10.0.0.2: 22, 443\n");
    }

    #[test]
    fn a_crowd_is_counted_and_not_kept() {
        let mut found = Found::default();
        for last in 0..=1 {
            for port in 1..=u16::MAX {
                found.take(&open(last, port, State::Open));
            }
        }
        assert!(
            found
                .text(&Names::default(), 80)
                .ends_with("and 65,534 more ports\n")
        );
        assert_eq!(found.kept, MOST);
    }
}
