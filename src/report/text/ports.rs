//! The table of a host's ports, with what was found out about each of them and about the host.

use std::fmt::Write as _;

use super::{BLANKS, Text, facts, milliseconds};
use crate::model::{Address, Endpoint, State};
use crate::report::escape::terminal;
use crate::report::table::{Align, Column, set};
use crate::report::tally::Line;

impl Text {
    pub(super) fn table(&self, address: &Address, lines: &[Line]) -> String {
        if lines.is_empty() {
            return String::new();
        }
        // A column of nothing but "open" tells nothing.
        let only_open = lines.iter().all(|line| line.state == State::Open);
        let rows: Vec<Vec<String>> = lines
            .iter()
            .map(|line| {
                let endpoint = Endpoint {
                    address: *address,
                    port: line.port,
                };
                let state = if only_open { "" } else { line.state.name() };
                vec![
                    endpoint.port.to_string(),
                    state.to_owned(),
                    self.service(&endpoint),
                    line.reason.name().to_owned(),
                    line.rtt().map_or_else(String::new, milliseconds),
                ]
            })
            .collect();
        let table = set(&COLUMNS, &rows, BLANKS.len(), self.width);
        let mut listed = lines.iter();
        let mut text = String::new();
        for (at, row) in table.lines().enumerate() {
            text.push_str(row);
            text.push('\n');
            let line = if at == 0 { None } else { listed.next() };
            let service = line.and_then(|line| self.identified.service(address, line.port));
            if let Some(service) = service {
                text.push_str(&facts::below(service, INDENT, self.width));
            }
        }
        text
    }

    /// As the server answered, else as registered.
    fn service(&self, endpoint: &Endpoint) -> String {
        match self.identified.services.get(endpoint) {
            Some(service) => facts::named(service, self.width.saturating_sub(BESIDE).max(20)),
            None => {
                let name = self.names.service(endpoint.port);
                name.map_or_else(String::new, |name| terminal(name).into_owned())
            }
        }
    }

    /// What the host seems to run, and what may be wrong with it.
    pub(super) fn found_out(&self, address: &Address) -> String {
        let mut text = String::new();
        if let Some(system) = self.identified.systems.get(address) {
            text.push_str(&facts::system(system, BLANKS.len(), self.width));
        }
        for (at, finding) in self.identified.findings_of(address).enumerate() {
            if at == 0 {
                let _ = writeln!(text, "{BLANKS}Published vulnerabilities of these versions:");
            }
            text.push_str(&facts::finding(finding, INDENT, self.width));
        }
        text
    }
}

/// What is told of one port stands so far in.
const INDENT: usize = 6;

/// Columns beside that of the service: port, state, reason and round-trip time as they usually are.
const BESIDE: usize = 36;

const COLUMNS: [Column; 5] = [
    column("PORT", Align::Right, 0),
    column("STATE", Align::Left, 0),
    column("SERVICE", Align::Left, 1),
    column("REASON", Align::Left, 2),
    column("RTT", Align::Right, 3),
];

const fn column(heading: &'static str, align: Align, dispensable: u8) -> Column {
    Column {
        heading,
        align,
        dispensable,
    }
}
