//! A comparison, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::escape::{PlainJson, terminal};
use crate::report::names::Names;
use crate::report::text::{grouped, number};
use crate::results::diff::{Diff, Fate, HostDiff};

/// Writes the hosts with their changes, and a line that says how far the comparison reached.
///
/// # Errors
/// What the output said.
pub fn text(diff: &Diff, names: &Names, out: &mut dyn Write) -> io::Result<()> {
    for host in &diff.hosts {
        let address = names.address(&host.address);
        writeln!(out, "{}{}", terminal(&address), sentence(host.fate))?;
        for change in &host.changes {
            writeln!(
                out,
                "  {:>5}  {} -> {}",
                change.port,
                change.old.name(),
                change.new.name()
            )?;
        }
        for other in &host.replaced {
            writeln!(
                out,
                "  {:>5}  open, {} -> {}",
                other.port, other.old, other.new
            )?;
        }
        if let Some(group) = &host.unlisted {
            let ports = group.ports.len();
            writeln!(
                out,
                "  {}: {} -> {}",
                number(ports.into(), "port"),
                group.old.name(),
                group.new.name()
            )?;
        }
    }
    if !diff.hosts.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{}", figures(diff))
}

/// Writes a JSON object per line: `host` where one is new or vanished, `change` per listed port, `software` per
/// port that is open in both and serves something else, `unlisted` for ports that
/// both scans only count, and a `summary`.
///
/// # Errors
/// What the output said.
pub fn json(diff: &Diff, names: &Names, out: &mut dyn Write) -> io::Result<()> {
    for host in &diff.hosts {
        let address = names.address(&host.address);
        for line in lines(host, &address) {
            write_line(&line, out)?;
        }
    }
    let summary = Line::Summary {
        same: diff.is_same(),
        changes: diff.changes(),
        hosts: diff.hosts.len(),
        compared: diff.reach.compared,
        compared_at_least: diff.reach.at_least,
        endpoints_old: diff.reach.of_old,
        endpoints_new: diff.reach.of_new,
        only_old: diff.reach.only_old,
        only_new: diff.reach.only_new,
    };
    write_line(&summary, out)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'a> {
    Host {
        address: &'a str,
        change: &'static str,
    },
    Change {
        address: &'a str,
        port: u16,
        protocol: &'static str,
        old: String,
        new: String,
    },
    Software {
        address: &'a str,
        port: u16,
        protocol: &'static str,
        old: &'a str,
        new: &'a str,
    },
    Unlisted {
        address: &'a str,
        ports: String,
        count: u32,
        protocol: &'static str,
        old: String,
        new: String,
    },
    Summary {
        same: bool,
        changes: u64,
        hosts: usize,
        compared: Option<u64>,
        compared_at_least: u64,
        endpoints_old: u64,
        endpoints_new: u64,
        only_old: u64,
        only_new: u64,
    },
}

fn lines<'a>(host: &'a HostDiff, address: &'a str) -> impl Iterator<Item = Line<'a>> {
    let change = match host.fate {
        Fate::New => Some("new"),
        Fate::Vanished => Some("vanished"),
        Fate::Stays => None,
    };
    let of_host = change.map(|change| Line::Host { address, change });
    let of_ports = host.changes.iter().map(move |change| Line::Change {
        address,
        port: change.port,
        protocol: "tcp",
        old: change.old.name(),
        new: change.new.name(),
    });
    let of_software = host.replaced.iter().map(move |other| Line::Software {
        address,
        port: other.port,
        protocol: "tcp",
        old: &other.old,
        new: &other.new,
    });
    let of_group = host.unlisted.as_ref().map(|group| Line::Unlisted {
        address,
        ports: group.ports.to_string(),
        count: group.ports.len(),
        protocol: "tcp",
        old: group.old.name(),
        new: group.new.name(),
    });
    of_host
        .into_iter()
        .chain(of_ports)
        .chain(of_software)
        .chain(of_group)
}

/// The line reaches the output whole.
fn write_line(line: &Line<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(128);
    line.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes, PlainJson,
    ))?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

fn sentence(fate: Fate) -> &'static str {
    match fate {
        Fate::New => " answers now, and did not",
        Fate::Vanished => " does not answer any more",
        Fate::Stays => "",
    }
}

/// `2 changes at 1 host; 600 endpoints compared, 400 of OLD were not; 3 open ports only OLD covers`
fn figures(diff: &Diff) -> String {
    let reach = &diff.reach;
    let mut line = if diff.is_same() {
        "no change".to_owned()
    } else {
        format!(
            "{} at {}",
            number(diff.changes(), "change"),
            number(diff.hosts.len() as u64, "host")
        )
    };
    match reach.compared {
        Some(0) if reach.by_ping > 0 => {
            let hosts = number(reach.by_ping, "host");
            line.push_str(&format!("; {hosts} compared by their pings alone"));
        }
        Some(compared) => {
            line.push_str(&format!("; {} compared", number(compared, "endpoint")));
            let left = |of: u64, which: &str| {
                let left = of.saturating_sub(compared);
                (left > 0).then(|| format!("{} of {which}", grouped(left)))
            };
            let left = [left(reach.of_old, "OLD"), left(reach.of_new, "NEW")];
            let left: Vec<String> = left.into_iter().flatten().collect();
            if !left.is_empty() {
                line.push_str(&format!(", {} were not", left.join(" and ")));
            }
        }
        None => {
            let endpoints = number(reach.at_least, "endpoint");
            line.push_str(&format!("; at least {endpoints} compared"));
        }
    }
    for (count, which) in [(reach.only_old, "OLD"), (reach.only_new, "NEW")] {
        if count > 0 {
            let ports = number(count, "open port");
            line.push_str(&format!("; {ports} only {which} covers"));
        }
    }
    line
}
