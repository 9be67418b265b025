//! masscan's list format: `open tcp 80 10.0.0.1 1709164800`, one line for each port as it is found.
//!
//! The first word is our state, so that only what is proven reads `open`. The last line is `# end`: a file without it
//! holds what was found until the scan was cut off. Where hosts are what was asked for, a line is
//! `up icmp 0 10.0.0.1 1709164800`: who answered, by which protocol, and no port.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{Address, Event, Sign, Summary, Time};
use crate::report::civil::unix_seconds;
use crate::report::escape::word;
use crate::report::fields::{ADDRESS, PORT, PROTOCOL, PortRecord, STATE};
use crate::report::names::Names;
use crate::report::{Header, Report, Show};

/// The list report.
#[derive(Debug)]
pub struct List {
    names: Names,
    show: Show,
    started: SystemTime,
}

impl List {
    /// A report with a line for every port whose state is in `show`.
    pub fn new(show: Show, names: Names) -> Self {
        Self {
            names,
            show,
            started: UNIX_EPOCH,
        }
    }

    /// The moment on the reader's clock, in seconds since 1970.
    fn moment(&self, at: Time) -> u64 {
        let moment = self
            .started
            .checked_add(Duration::from_nanos(at.0))
            .unwrap_or(self.started);
        unix_seconds(moment)
    }
}

impl Report for List {
    fn start(&mut self, header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
        self.started = header.started;
        writeln!(out, "#halfopen {}", word(&header.version))
    }

    fn event(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        match event {
            Event::Verdict(verdict) if self.show.lists(verdict) => {
                let record = PortRecord::new(verdict, &self.names);
                let words: Vec<String> = [STATE, PROTOCOL, PORT, ADDRESS]
                    .iter()
                    .map(|field| word(&(field.take)(&record).to_string()).into_owned())
                    .collect();
                let line = format!("{} {}\n", words.join(" "), self.moment(verdict.at));
                out.write_all(line.as_bytes())
            }
            Event::Alive(alive) => {
                let address = self.names.address(&alive.address);
                let line = format!(
                    "up {} 0 {} {}\n",
                    protocol(alive.sign, &alive.address),
                    word(&address),
                    self.moment(alive.at)
                );
                out.write_all(line.as_bytes())
            }
            Event::Untested(untested) => {
                let targets = self.names.range(&untested.first, &untested.last);
                let ports = untested.port_list();
                writeln!(out, "# not tested {} {ports}", word(&targets))
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, _summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(b"# end\n")
    }
}

/// What the sign of life came by.
fn protocol(sign: Sign, address: &Address) -> &'static str {
    match sign {
        Sign::EchoReply | Sign::Unreachable => "icmp",
        Sign::SynAck | Sign::Rst => "tcp",
        Sign::Neighbour if address.ip.is_ipv4() => "arp",
        Sign::Neighbour => "ndp",
    }
}
