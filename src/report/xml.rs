//! nmap's XML format (`nmap.dtd`, version 1.05), for the programs that read it.
//!
//! Ports stand below their host, so the hosts are written at the end, and by [`interim`](Report::interim) until then. What
//! is kept for that is what was found: lines for open ports (and those of other states that are shown, as long as they
//! are few), counts for all else, and hosts that only kept silent not at all. The words are nmap's: a `suspect` port is
//! `unfiltered`, an `error` is `unknown`. Every element is a line of its own and shorter than [`LONGEST_LINE`] after the
//! header, and no two hyphens stand side by side in it.

mod facts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;

use crate::model::{Address, Alive, Event, Note, Reason, State, Summary};
use crate::report::civil::{rfc3339, unix_seconds};
use crate::report::escape::xml;
use crate::report::fields::{PORT, PROTOCOL, PortRecord, SERVICE, TTL, Value};
use crate::report::identified::Identified;
use crate::report::names::Names;
use crate::report::tally::{Host, Keep, Tally};
use crate::report::text::figures;
use crate::report::{Header, Report, Scope, Show, nmap_words};

/// No line after the header has more bytes.
pub const LONGEST_LINE: usize = 4_000;

/// The XML report.
#[derive(Debug)]
pub struct Xml {
    tally: Tally,
    identified: Identified,
    names: Names,
    header: Option<Header>,
}

impl Xml {
    /// A report that lists open ports, and those of other states in `show` as long as they are few.
    pub fn new(show: Show, names: Names) -> Self {
        Self {
            tally: Tally::new(Keep::Lines(show)),
            identified: Identified::default(),
            names,
            header: None,
        }
    }

    fn host(&self, address: &Address, host: &Host) -> String {
        let mut text = format!("<host{}>\n", self.comment(address, &host.notes));
        let _ = writeln!(text, "{}", status(host));
        text.push_str(&self.who(address));
        text.push_str("<ports>\n");
        extra_ports(host, &mut text);
        for line in host.sorted_lines() {
            let serves = self.identified.service(address, line.port);
            port(
                &line.record(address, &self.names).serving(serves),
                &mut text,
            );
        }
        text.push_str("</ports>\n");
        if let Some(system) = self.identified.systems.get(address) {
            facts::system(system, &mut text);
        }
        text.push_str("</host>\n");
        text
    }

    /// A host of which no more was asked than whether it is there.
    fn alive(&self, alive: &Alive) -> String {
        let reason = nmap_words::sign(alive.sign, &alive.address);
        format!(
            "<host{}>\n<status state=\"up\" reason=\"{reason}\" reason_ttl=\"0\"/>\n{}</host>\n",
            self.comment(&alive.address, &[]),
            self.who(&alive.address)
        )
    }

    /// Its address, and its name where it was given by one.
    fn who(&self, address: &Address) -> String {
        let mut text = String::new();
        let kind = match address.ip {
            IpAddr::V4(_) => "ipv4",
            IpAddr::V6(_) => "ipv6",
        };
        let _ = writeln!(
            text,
            "<address addr=\"{}\" addrtype=\"{kind}\"/>",
            address.ip
        );
        let system = self.identified.systems.get(address);
        if let Some(hardware) = system.and_then(|system| system.hardware.as_ref()) {
            facts::hardware(hardware, &mut text);
        }
        if let Some(name) = self.names.host(address) {
            let name = clipped(name);
            let _ = writeln!(
                text,
                "<hostnames>\n<hostname name=\"{name}\" type=\"user\"/>\n</hostnames>"
            );
        }
        text
    }

    /// What nmap has no place for: the zone of a link-local address, which is not part of `addr`, and our notes.
    fn comment(&self, address: &Address, notes: &[Note]) -> String {
        let mut parts = Vec::new();
        if address.zone != 0 {
            let zone = self.names.zones.get(&address.zone);
            let zone = zone.map_or_else(|| address.zone.to_string(), |zone| clipped(zone));
            parts.push(format!("zone {zone}"));
        }
        parts.extend(notes.iter().map(|note| note.name().to_owned()));
        if parts.is_empty() {
            return String::new();
        }
        format!(" comment=\"{}\"", parts.join("; "))
    }

    fn whole(&self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        let Some(header) = &self.header else {
            return Ok(());
        };
        let unheard = Host::default();
        let mut up = 0;
        if header.scope == Scope::Hosts {
            for alive in self.tally.sorted_alive() {
                up += 1;
                out.write_all(self.alive(&alive).as_bytes())?;
            }
        } else if let Some(only) = header.only_host {
            let host = self.tally.hosts.get(&only).unwrap_or(&unheard);
            up += u64::from(host.answered());
            out.write_all(self.host(&only, host).as_bytes())?;
        } else {
            for (address, host) in &self.tally.hosts {
                up += u64::from(host.answered());
                if host.worth_telling() {
                    out.write_all(self.host(address, host).as_bytes())?;
                }
            }
        }
        out.write_all(statistics(header, summary, up).as_bytes())
    }
}

impl Report for Xml {
    fn start(&mut self, header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
        self.header = Some(header.clone());
        let head = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <!DOCTYPE nmaprun>\n\
             <nmaprun scanner=\"halfopen\" args=\"{}\" start=\"{}\" startstr=\"{}\" version=\"{}\" \
             xmloutputversion=\"1.05\">\n\
             {}\
             <verbose level=\"0\"/>\n\
             <debugging level=\"0\"/>\n",
            xml(&header.command),
            unix_seconds(header.started),
            rfc3339(header.started),
            xml(&header.version),
            scan_info(header),
        );
        out.write_all(head.as_bytes())
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

/// Which ports were scanned, and how; nothing where none were.
fn scan_info(header: &Header) -> String {
    if header.scope == Scope::Hosts {
        return String::new();
    }
    let mode = if header.mode == "syn" {
        "syn"
    } else {
        "connect"
    };
    format!(
        "<scaninfo type=\"{mode}\" protocol=\"tcp\" numservices=\"{}\" services=\"{}\"/>\n",
        header.ports,
        xml(&header.port_list)
    )
}

/// A host that answered is up, one that has no neighbour is down, and of a silent one nothing is known.
fn status(host: &Host) -> String {
    let (state, reason) = if host.count(State::Open) > 0 {
        ("up", Reason::SynAck)
    } else if host.answered() {
        let heard = [State::Closed, State::Suspect];
        let group = host
            .groups
            .iter()
            .find(|group| heard.contains(&group.state));
        ("up", group.map_or(Reason::SynAck, |group| group.reason))
    } else if host.notes.contains(&Note::NoNeighbour) {
        ("down", Reason::NoNeighbour)
    } else {
        ("unknown", Reason::NoAnswer)
    };
    let reason = nmap_words::reason(reason);
    format!("<status state=\"{state}\" reason=\"{reason}\" reason_ttl=\"0\"/>")
}

/// Ports that are only counted, by state and reason.
fn extra_ports(host: &Host, text: &mut String) {
    let unlisted = host.unlisted();
    for state in State::ALL {
        // Two of our reasons may be one of nmap's.
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for group in unlisted.iter().filter(|group| group.state == state) {
            *reasons.entry(nmap_words::reason(group.reason)).or_default() += group.count;
        }
        if reasons.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "<extraports state=\"{}\" count=\"{}\">",
            nmap_words::state(state),
            reasons.values().sum::<u64>()
        );
        for (reason, count) in reasons {
            let _ = writeln!(
                text,
                "<extrareasons reason=\"{reason}\" count=\"{count}\" proto=\"tcp\"/>"
            );
        }
        text.push_str("</extraports>\n");
    }
}

fn port(record: &PortRecord<'_>, text: &mut String) {
    let ttl = match (TTL.take)(record) {
        Value::Nothing => "0".to_owned(),
        ttl => ttl.to_string(),
    };
    let _ = write!(
        text,
        "<port protocol=\"{}\" portid=\"{}\"><state state=\"{}\" reason=\"{}\" reason_ttl=\"{ttl}\"/>",
        (PROTOCOL.take)(record),
        (PORT.take)(record),
        nmap_words::state(record.state),
        nmap_words::reason(record.reason)
    );
    if let Some(serves) = record.serves {
        facts::service(serves, text);
    } else if let Value::Text(service) = (SERVICE.take)(record) {
        // By number alone: that is what nmap's confidence 3 of 10 says.
        let _ = write!(
            text,
            "<service name=\"{}\" method=\"table\" conf=\"3\"/>",
            clipped(&service)
        );
    }
    text.push_str("</port>\n");
}

fn statistics(header: &Header, summary: &Summary, up: u64) -> String {
    let moment = header
        .started
        .checked_add(summary.elapsed)
        .unwrap_or(header.started);
    let exit = if summary.complete {
        "exit=\"success\"".to_owned()
    } else if summary.interrupted {
        "exit=\"error\" errormsg=\"not complete: interrupted\"".to_owned()
    } else {
        "exit=\"error\" errormsg=\"not complete\"".to_owned()
    };
    format!(
        "<runstats>\n<finished time=\"{}\" timestr=\"{}\" summary=\"Halfopen: {}\" elapsed=\"{:.2}\" {exit}/>\n\
         <hosts up=\"{up}\" down=\"{}\" total=\"{}\"/>\n</runstats>\n</nmaprun>\n",
        unix_seconds(moment),
        rfc3339(moment),
        xml(&figures(header, summary)),
        summary.elapsed.as_secs_f64(),
        header.hosts.saturating_sub(up),
        header.hosts
    )
}

/// A name as an attribute, cut so that its line stays short: no real name is longer.
fn clipped(name: &str) -> String {
    let cut: String = name.chars().take(LONGEST_NAME).collect();
    xml(&cut)
}

/// The longest name by CPE that is written.
const LONGEST_SHORT: usize = 300;

/// One character becomes at most ten bytes.
const LONGEST_NAME: usize = 256;
