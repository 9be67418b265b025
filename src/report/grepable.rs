//! nmap's grepable format: one `Host:` line with the ports of each host.
//!
//! `Ports:` entries are `port/state/protocol//service//software/`. Names are single words here: every character of them that is
//! neither a letter, a digit nor one of `. _ : % -` is an escape, so nothing in a name can be taken for a separator.

use std::io;

use crate::model::{Address, Event, State, Summary};
use crate::report::civil::rfc3339;
use crate::report::escape::{terminal, word};
use crate::report::fields::{PORT, PROTOCOL, PortRecord, SERVICE};
use crate::report::identified::Identified;
use crate::report::names::Names;
use crate::report::tally::{Host, Keep, Tally};
use crate::report::text::figures;
use crate::report::{Header, Report, Scope, Show, nmap_words};

/// The grepable report.
#[derive(Debug)]
pub struct Grepable {
    tally: Tally,
    identified: Identified,
    names: Names,
    header: Option<Header>,
}

impl Grepable {
    /// A report that lists open ports, and those of other states in `show` as long as they are few.
    pub fn new(show: Show, names: Names) -> Self {
        Self {
            tally: Tally::new(Keep::Lines(show)),
            identified: Identified::default(),
            names,
            header: None,
        }
    }

    /// `Host: 10.9.0.2 (db.example)`
    fn who(&self, address: &Address) -> String {
        let name = self.names.host(address).map(word).unwrap_or_default();
        format!("Host: {} ({name})", word(&self.names.address(address)))
    }

    fn host(&self, address: &Address, host: &Host, out: &mut dyn io::Write) -> io::Result<()> {
        let who = self.who(address);
        let status = if host.answered() { "Up" } else { "Unknown" };
        let mut line = format!("{who}\tStatus: {status}\n{who}");
        let ports: Vec<String> = host
            .sorted_lines()
            .iter()
            .map(|listed| {
                let serves = self.identified.service(address, listed.port);
                entry(&listed.record(address, &self.names).serving(serves))
            })
            .collect();
        if !ports.is_empty() {
            line.push_str(&format!("\tPorts: {}", ports.join(", ")));
        }
        for state in State::ALL {
            let groups = host.unlisted();
            let count: u64 = groups
                .iter()
                .filter(|group| group.state == state)
                .map(|group| group.count)
                .sum();
            if count > 0 {
                let state = nmap_words::state(state);
                line.push_str(&format!("\tIgnored State: {state} ({count})"));
            }
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    }

    fn whole(&self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        let Some(header) = &self.header else {
            return Ok(());
        };
        let unheard = Host::default();
        if header.scope == Scope::Hosts {
            for alive in self.tally.sorted_alive() {
                writeln!(out, "{}\tStatus: Up", self.who(&alive.address))?;
            }
        } else if let Some(only) = header.only_host {
            let host = self.tally.hosts.get(&only).unwrap_or(&unheard);
            self.host(&only, host, out)?;
        } else {
            for (address, host) in &self.tally.hosts {
                if host.worth_telling() {
                    self.host(address, host, out)?;
                }
            }
        }
        for group in self.tally.unasked.groups() {
            let targets = self.names.range(&group.first, &group.last);
            let ports = group.port_list();
            writeln!(out, "# Not tested: {} Ports: {ports}", terminal(&targets))?;
        }
        writeln!(out, "# Halfopen: {}", terminal(&figures(header, summary)))
    }
}

impl Report for Grepable {
    fn start(&mut self, header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
        self.header = Some(header.clone());
        writeln!(
            out,
            "# Halfopen {} scan initiated {} as: {}",
            word(&header.version),
            rfc3339(header.started),
            terminal(&header.command)
        )
    }

    fn event(&mut self, event: &Event, _out: &mut dyn io::Write) -> io::Result<()> {
        self.tally.take(event);
        self.identified.take(event);
        Ok(())
    }

    fn interim(&mut self, so_far: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        self.whole(so_far, out)
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        self.whole(summary, out)
    }
}

/// `22/open/tcp//ssh//OpenSSH\x209.2p1/`
fn entry(record: &PortRecord<'_>) -> String {
    let software = record.serves.and_then(|serves| serves.application());
    let software = software
        .map(|software| software.title())
        .unwrap_or_default();
    format!(
        "{}/{}/{}//{}//{}/",
        (PORT.take)(record),
        nmap_words::state(record.state),
        (PROTOCOL.take)(record),
        word(&(SERVICE.take)(record).to_string()),
        word(&software)
    )
}
