//! Text for people: ports as they are found (on a terminal), one block per host at the end, one line of figures.

mod facts;
mod hosts;
mod ports;
mod untested;

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use self::hosts::answered;
use self::untested::{could_not_test, not_tested, unasked};
use crate::model::{Address, Event, Note, State, Summary, Verdict};
use crate::report::escape::terminal;
use crate::report::identified::Identified;
use crate::report::names::Names;
use crate::report::table::wrap;
use crate::report::tally::{Host, Keep, Line, Tally};
use crate::report::{Header, Report, Scope, Show};

/// The text report.
#[derive(Debug)]
pub struct Text {
    tally: Tally,
    identified: Identified,
    show: Show,
    names: Names,
    live: Live,
    width: usize,
    header: Option<Header>,
}

/// Whether open ports are also printed at the moment they are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Live {
    /// Somebody is watching.
    AsFound,
    /// Only the sorted list at the end.
    AtTheEnd,
}

impl Text {
    /// A report that lists the states in `show` and keeps its tables within `width` columns.
    pub fn new(show: Show, names: Names, live: Live, width: usize) -> Self {
        Self {
            tally: Tally::new(Keep::Lines(show)),
            identified: Identified::default(),
            show,
            names,
            live,
            width,
            header: None,
        }
    }

    /// `open 10.9.0.2:22 ssh syn-ack 0.21 ms`
    fn found(&self, verdict: &Verdict) -> String {
        let mut line = format!(
            "{} {}",
            verdict.state.name(),
            terminal(&self.names.endpoint(&verdict.endpoint))
        );
        if let Some(service) = self.names.service(verdict.endpoint.port) {
            line.push(' ');
            line.push_str(&terminal(service));
        }
        line.push(' ');
        line.push_str(verdict.reason.name());
        if let Some(rtt) = verdict.rtt {
            line.push(' ');
            line.push_str(&milliseconds(rtt));
        }
        line.push('\n');
        line
    }

    fn block(&self, address: &Address, host: &Host) -> String {
        let mut block = terminal(&self.names.address(address)).into_owned();
        if let Some(name) = self.names.host(address) {
            let _ = write!(block, " ({})", terminal(name));
        }
        block.push('\n');
        for note in &host.notes {
            let _ = writeln!(block, "{BLANKS}Note: {}", sentence(*note));
        }

        let lines = host.sorted_lines();
        let (suspects, others): (Vec<Line>, Vec<Line>) = lines
            .iter()
            .filter(|line| self.show.has(line.state))
            .partition(|line| line.state == State::Suspect);
        block.push_str(&self.table(address, &others));

        // Of a group that is too long to list only the number is told.
        let counts: Vec<String> = host
            .unlisted()
            .iter()
            .filter(|group| group.state != State::Error)
            .map(|group| {
                format!(
                    "{} {} ({})",
                    grouped(group.count),
                    group.state.name(),
                    group.reason.name()
                )
            })
            .collect();
        if !counts.is_empty() {
            let mut items = counts;
            if let Some(first) = items.first_mut() {
                first.insert_str(0, "Not listed: ");
            }
            block.push_str(&wrap(&items, BLANKS.len(), self.width));
        }
        block.push_str(&not_tested(host, BLANKS, self.width));

        if !suspects.is_empty() {
            let _ = writeln!(
                block,
                "{BLANKS}Suspect: something answered, but no listener is proven"
            );
            block.push_str(&self.table(address, &suspects));
        }

        block.push_str(&self.found_out(address));
        let open: Vec<String> = lines
            .iter()
            .filter(|line| line.state == State::Open)
            .map(|line| line.port.to_string())
            .collect();
        let _ = writeln!(block, "{BLANKS}Open ports are: [{}]", open.join(", "));
        block
    }

    /// One line is all that a host is worth of which nothing but lies is known.
    fn lie(&self, address: &Address, host: &Host) -> String {
        format!(
            "{}: {} suspect, {}",
            terminal(&self.names.address(address)),
            number(host.count(State::Suspect), "port"),
            sentence(Note::AnswersEverything)
        )
    }

    /// What is said of the hosts that have no block.
    fn rest(&self, header: &Header, summary: &Summary) -> String {
        let mut text = String::new();
        let answered: Vec<&Host> = self
            .tally
            .hosts
            .values()
            .filter(|host| host.answered())
            .collect();
        let without_block = answered.iter().filter(|host| !worth_a_block(host)).count();
        let silent_blocks = self.tally.hosts.values().filter(|host| partly_tested(host));
        if without_block > 0 {
            let _ = writeln!(
                text,
                "{} answered, with nothing to list",
                number(without_block as u64, "host")
            );
        }
        let failed = self.failed();
        if !failed.is_empty() {
            text.push_str(&could_not_test(&failed, self.width));
        }
        let told = answered.len() + failed.len() + silent_blocks.count();
        let silent = scanned(header, summary).saturating_sub(told as u64);
        if silent > 0 {
            let unnamed = summary.error > 0 && self.tally.is_full();
            let doubt = if summary.untested > 0 || summary.interrupted || unnamed {
                " or could not be tested"
            } else {
                ""
            };
            let _ = writeln!(text, "{} did not answer{doubt}", number(silent, "host"));
        }
        text
    }

    /// The blocks of all hosts, the notes and the figures.
    fn whole(&self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        let Some(header) = &self.header else {
            return Ok(());
        };
        if header.scope == Scope::Hosts {
            return self.hosts_alone(header, summary, out);
        }
        if let Some(only) = header.only_host {
            let unheard = Host::default();
            let host = self.tally.hosts.get(&only).unwrap_or(&unheard);
            writeln!(out, "{}", self.block(&only, host))?;
        } else {
            for (address, host) in &self.tally.hosts {
                if only_lies(host) {
                    writeln!(out, "{}", self.lie(address, host))?;
                } else if worth_a_block(host) {
                    writeln!(out, "{}", self.block(address, host))?;
                }
            }
            out.write_all(self.rest(header, summary).as_bytes())?;
        }
        let missing = unasked(
            &self.tally.unasked,
            header.ports,
            summary.untested,
            &self.names,
            self.width,
        );
        out.write_all(missing.as_bytes())?;
        if let Some(pinged) = &summary.pinged {
            let scanned = match pinged.up {
                0 => "nothing was scanned",
                _ => "only those were scanned",
            };
            writeln!(out, "{}; {scanned}", answered(pinged))?;
        }
        for note in &self.tally.notes {
            writeln!(out, "Note: {}", sentence(*note))?;
        }
        writeln!(out, "{}", figures(header, summary))
    }

    /// The hosts of which nothing is known because our own side failed, with the first reason.
    fn failed(&self) -> Vec<String> {
        let failed = self.tally.hosts.iter().filter_map(|(address, host)| {
            let error = host.groups.iter().find(|group| group.state == State::Error);
            let reason = error.filter(|_| !worth_a_block(host))?.reason;
            Some((address, reason))
        });
        failed
            .map(|(address, reason)| {
                let address = self.names.address(address);
                format!("{} ({})", terminal(&address), reason.name())
            })
            .collect()
    }
}

impl Report for Text {
    fn start(&mut self, header: &Header, _out: &mut dyn io::Write) -> io::Result<()> {
        self.header = Some(header.clone());
        Ok(())
    }

    fn event(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        self.tally.take(event);
        self.identified.take(event);
        match event {
            Event::Verdict(verdict)
                if self.live == Live::AsFound
                    && self.show.lists(verdict)
                    && matches!(verdict.state, State::Open | State::Suspect) =>
            {
                out.write_all(self.found(verdict).as_bytes())
            }
            Event::Service(service) if self.live == Live::AsFound => {
                let endpoint = self.names.endpoint(&service.endpoint);
                out.write_all(facts::found(service, &endpoint, self.width).as_bytes())
            }
            Event::Alive(alive) if self.live == Live::AsFound => {
                writeln!(out, "up {}", self.host_line(alive))
            }
            _ => Ok(()),
        }
    }

    fn interim(&mut self, so_far: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        self.whole(so_far, out)
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        // The live list ends here; the sorted one begins.
        if self.live == Live::AsFound
            && (summary.open + summary.suspect > 0 || !self.tally.alive.is_empty())
        {
            out.write_all(b"\n")?;
        }
        self.whole(summary, out)
    }
}

/// The line at the end: what was found, what it took, and how far it can be trusted.
pub(crate) fn figures(header: &Header, summary: &Summary) -> String {
    if header.scope == Scope::Hosts {
        return hosts::figures(header, summary);
    }
    let counts = [
        (summary.open, State::Open),
        (summary.closed, State::Closed),
        (summary.filtered, State::Filtered),
        (summary.suspect, State::Suspect),
        (summary.error, State::Error),
    ];
    let mut found: Vec<String> = counts
        .iter()
        .filter(|(count, state)| *count > 0 || *state == State::Open)
        .map(|(count, state)| format!("{} {}", grouped(*count), state.name()))
        .collect();
    if summary.untested > 0 {
        found.push(format!("{} not tested", grouped(summary.untested)));
    }
    let loss = summary.loss.map_or_else(
        || "loss not known".to_owned(),
        |loss| format!("loss {:.1} %", loss * 100.0),
    );
    format!(
        "{} in {} mode, {}: {}; {}, {loss}, expected missed {:.3}; {}",
        number(scanned(header, summary), "host"),
        header.mode,
        seconds(summary.elapsed),
        found.join(", "),
        number(summary.packets_sent, "packet"),
        summary.expected_missed,
        ending(summary),
    )
}

/// Hosts whose ports were asked.
fn scanned(header: &Header, summary: &Summary) -> u64 {
    summary.pinged.map_or(header.hosts, |pinged| pinged.up)
}

fn ending(summary: &Summary) -> &'static str {
    match (summary.complete, summary.interrupted) {
        (true, _) => "complete",
        (false, true) => "NOT complete: interrupted",
        (false, false) => "NOT complete",
    }
}

/// It answers everything, and nothing else is to be told of it.
fn only_lies(host: &Host) -> bool {
    host.notes == [Note::AnswersEverything]
        && host.lines.is_empty()
        && host.count(State::Open) + host.count(State::Error) == 0
}

/// A host that answered on one port and could not be asked on another is no host with nothing to tell.
fn worth_a_block(host: &Host) -> bool {
    !host.lines.is_empty()
        || host.count(State::Open) > 0
        || host.count(State::Suspect) > 0
        || (host.answered() && host.count(State::Error) > 0)
        || partly_tested(host)
}

/// Silent where it was asked, and not asked everywhere.
fn partly_tested(host: &Host) -> bool {
    !host.answered() && host.count(State::Filtered) > 0 && host.count(State::Error) > 0
}

fn sentence(note: Note) -> &'static str {
    match note {
        Note::NoNeighbour => "nobody on this network answers for the address (no-neighbour)",
        Note::LocalFirewall => "this machine's own firewall refused packets (local-firewall)",
        Note::ResetsLimited => {
            "it limits its resets, so many closed ports look silent (rst-limited)"
        }
        Note::BlockedMidway => {
            "it stopped answering during the scan; what was not tested is listed as error (blocked-midway)"
        }
        Note::AnswersEverything => {
            "takes connections on nearly every port, so none is proven to be a listener (answers-everything)"
        }
        Note::AnswersDropped => {
            "this machine drops answers (firewall, rp_filter): ordinary connections will not work from here, and only \
             SYN mode hears what they would meet (answers-dropped)"
        }
        Note::TrackingFull => {
            "this machine tracks connections, and half of the room in its table was used up, so the scan waited \
             (tracking-full)"
        }
        Note::NotAllIdentified => {
            "more ports are open than are asked what they serve: 65,536 were (not-all-identified)"
        }
        Note::NoGateway => {
            "a gateway of this machine does not answer (ARP, NDP), so what lies behind it was not tested (no-gateway)"
        }
        Note::DeafCapture => {
            "the capture does not hear the answers (address translation here?), so silent ports were asked by full \
             connects (deaf-capture)"
        }
        Note::UnheardSinceResume => {
            "it answered before the scan was resumed and not since, so its silent ports prove nothing \
             (unheard-since-resume)"
        }
    }
}

/// `1 port`, `2 ports`.
pub fn number(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count))
}

/// 65433 as `65,433`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

const BLANKS: &str = "  ";
