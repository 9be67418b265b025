//! The scanners of the comparison: how each is asked for the same work, and how its answer is read.

use std::collections::BTreeSet;
use std::process::Command;

use super::Link;
use crate::lab::running::{Lab, Privilege};
use crate::lab::scan::{self, Endpoint, Mode};
use crate::lab::scenario::{Family, Topology, UsedBy};
use crate::lab::{Result, ports};

/// Options as their users give them; blind senders at the rates that served them best on this work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Halfopen(Mode),
    /// In SYN mode, past the kernel's routing.
    HalfopenFrames,
    Nmap(Mode),
    Masscan,
    Zmap,
    Rustscan,
}

impl Tool {
    /// Reads `halfopen-syn`, `nmap-connect`, `masscan`...
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "halfopen-syn" => Self::Halfopen(Mode::Syn),
            "halfopen-connect" => Self::Halfopen(Mode::Connect),
            "halfopen-frames" => Self::HalfopenFrames,
            "nmap-syn" => Self::Nmap(Mode::Syn),
            "nmap-connect" => Self::Nmap(Mode::Connect),
            "masscan" => Self::Masscan,
            "zmap" => Self::Zmap,
            "rustscan" => Self::Rustscan,
            _ => return Err(format!("`{name}` is no scanner of the comparison")),
        })
    }

    fn program(self, halfopen: &str) -> &str {
        match self {
            Self::Halfopen(_) | Self::HalfopenFrames => halfopen,
            Self::Nmap(_) => "nmap",
            Self::Masscan => "masscan",
            Self::Zmap => "zmap",
            Self::Rustscan => "rustscan",
        }
    }

    pub fn is_installed(self, halfopen: &str) -> bool {
        let mut command = Command::new(self.program(halfopen));
        command.arg("--version").output().is_ok()
    }

    /// Why a scanner cannot do this work at all.
    pub fn excuse(self, lab: &Lab) -> Option<&'static str> {
        let scenario = lab.scenario();
        match self {
            Self::Masscan | Self::Zmap if scenario.topology == Topology::Loopback => {
                Some("cannot scan loopback")
            }
            Self::Masscan | Self::Zmap | Self::Rustscan if scenario.family != Family::V4 => {
                Some("is asked for IPv4 only")
            }
            // Into a sink only the number of packets counts: it sends as many to one port.
            Self::Zmap
                if ports_of(lab) > 1 && !lab.truth().is_empty() && zmap_version() < MANY_PORTS =>
            {
                Some("takes one port only before version 4")
            }
            _ => None,
        }
    }

    /// Connect mode is what ordinary users have; the peers run as root.
    pub fn privilege(self) -> Privilege {
        match self {
            Self::Halfopen(mode) => mode.privilege(),
            _ => Privilege::Root,
        }
    }

    /// How it stands in the table.
    pub fn label(self, lab: &Lab) -> String {
        match self {
            Self::Halfopen(mode) => {
                let arguments = lab.scenario().scanner.arguments.join(" ");
                format!("halfopen -m {} {arguments}", mode.name())
                    .trim_end()
                    .to_owned()
            }
            Self::HalfopenFrames => "the same, --send-path frame".to_owned(),
            Self::Nmap(mode) => format!("nmap {} -n -Pn -T4", nmap_kind(mode)),
            Self::Masscan => format!("masscan --rate {} --wait 1", blind_rate(lab)),
            Self::Zmap => format!("zmap -r {} -c 1", blind_rate(lab)),
            Self::Rustscan => "rustscan".to_owned(),
        }
    }

    /// Program and arguments. `link` is the way to the first machine behind the scanner, where there is one.
    pub fn words(self, lab: &Lab, halfopen: &str, link: Option<&Link>) -> Result<Vec<String>> {
        let scenario = lab.scenario();
        let link = || link.ok_or("no link to send frames on".to_owned());
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let rate = blind_rate(lab);
        let mut words: Vec<String> = match self {
            Self::Halfopen(mode) => scan::halfopen_arguments(lab, mode, "open"),
            Self::HalfopenFrames => {
                let mut words = scan::halfopen_arguments(lab, Mode::Syn, "open");
                words.splice(0..0, owned(&["--send-path", "frame"]));
                words
            }
            Self::Nmap(mode) => {
                let mut words: Vec<String> = owned(&[
                    nmap_kind(mode),
                    "-n",
                    "-Pn",
                    "-T4",
                    "--open",
                    "-p",
                    &scenario.ports,
                    "-oG",
                    "-",
                ]);
                if scenario.family != Family::V4 {
                    words.push("-6".to_owned());
                }
                words.extend(scenario.targets());
                words
            }
            Self::Masscan => {
                let Link { ours, theirs } = link()?;
                let mut words: Vec<String> = owned(&[
                    "--adapter",
                    "lab0",
                    "--adapter-ip",
                    "10.66.0.1",
                    "--adapter-mac",
                    ours,
                    "--router-mac",
                    theirs,
                    "--rate",
                    rate,
                    "--wait",
                    "1",
                    "-p",
                    &scenario.ports,
                    "-oL",
                    "-",
                ]);
                words.extend(scenario.targets());
                words
            }
            Self::Zmap => {
                let count = ports_of(lab).to_string();
                let ports = match ports_of(lab) > 1 && zmap_version() < MANY_PORTS {
                    true => ["-p", "80", "-P", &count],
                    false => ["-p", &scenario.ports, "-P", "1"],
                };
                let mut words: Vec<String> = owned(&[
                    "-q",
                    "-i",
                    "lab0",
                    "-S",
                    "10.66.0.1",
                    "-G",
                    &link()?.theirs,
                    "-b",
                    "/dev/null",
                    "-r",
                    rate,
                    "-c",
                    "1",
                    "--disable-syslog",
                    "-O",
                    "csv",
                    "-f",
                    "saddr,sport",
                    "--output-filter=success=1 && repeat=0",
                    "-o",
                    "-",
                ]);
                words.extend(owned(&ports));
                words.extend(scenario.targets());
                words
            }
            Self::Rustscan => {
                let range = match scenario.ports.contains('-') {
                    true => "-r",
                    false => "-p",
                };
                let targets = scenario.targets().join(",");
                owned(&[
                    "--no-config",
                    "--no-banner",
                    "--scripts",
                    "none",
                    "-g",
                    range,
                    &scenario.ports,
                    "-a",
                    &targets,
                ])
            }
        };
        words.insert(0, self.program(halfopen).to_owned());
        Ok(words)
    }

    /// The open ports in what it printed.
    pub fn read(self, text: &str) -> Result<BTreeSet<Endpoint>> {
        Ok(match self {
            Self::Halfopen(_) | Self::HalfopenFrames => scan::read_json_lines(text)?.open,
            Self::Nmap(_) => scan::read_grepable(text),
            Self::Masscan => text.lines().filter_map(masscan_line).collect(),
            Self::Zmap => text.lines().filter_map(zmap_line).collect(),
            Self::Rustscan => text.lines().flat_map(rustscan_line).collect(),
        })
    }
}

fn nmap_kind(mode: Mode) -> &'static str {
    match mode {
        Mode::Syn => "-sS",
        Mode::Connect => "-sT",
    }
}

/// Into a sink as fast as it goes; else 100,000/s, beyond which the blind senders lose answers in their own capture.
fn blind_rate(lab: &Lab) -> &'static str {
    let scenario = lab.scenario();
    match (scenario.used_by, lab.truth().is_empty()) {
        (UsedBy::Bench, true) => "10000000",
        _ => "100000",
    }
}

fn ports_of(lab: &Lab) -> usize {
    ports::parse(&lab.scenario().ports).map_or(0, |ports| ports.len())
}

/// The first number of `zmap 2.1.1`; 0 where it does not tell.
fn zmap_version() -> u32 {
    let said = Command::new("zmap").arg("--version").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = said.ok().as_deref().and_then(|text| {
        text.trim()
            .strip_prefix("zmap ")?
            .split('.')
            .next()?
            .parse()
            .ok()
    });
    version.unwrap_or(0)
}

/// The version of zmap that takes more than one port.
const MANY_PORTS: u32 = 4;

/// `open tcp 80 10.66.0.2 1700000000`
fn masscan_line(line: &str) -> Option<Endpoint> {
    let mut words = line.split_whitespace();
    match (words.next()?, words.next()?) {
        ("open", "tcp") => {
            let port = words.next()?.parse().ok()?;
            Some((words.next()?.to_owned(), port))
        }
        _ => None,
    }
}

/// `10.66.0.2,80`, below a line of names
fn zmap_line(line: &str) -> Option<Endpoint> {
    let (address, port) = line.trim().split_once(',')?;
    Some((address.to_owned(), port.parse().ok()?))
}

/// `10.66.0.2 -> [22,80]`
fn rustscan_line(line: &str) -> Vec<Endpoint> {
    let Some((address, list)) = line.split_once(" -> [") else {
        return Vec::new();
    };
    let list = ports::parse(list.trim().trim_end_matches(']')).unwrap_or_default();
    list.into_iter()
        .map(|port| (address.trim().to_owned(), port))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_is_read() {
        let expected: BTreeSet<Endpoint> =
            [22, 80].map(|port| ("10.66.0.2".to_owned(), port)).into();
        for (tool, text) in [
            (
                Tool::Masscan,
                "#masscan\nopen tcp 22 10.66.0.2 1700000000\nopen tcp 80 10.66.0.2 1700000001\n# end\n",
            ),
            (Tool::Zmap, "saddr,sport\n10.66.0.2,22\n10.66.0.2,80\n"),
            (Tool::Rustscan, "10.66.0.2 -> [22,80]\n"),
            (
                Tool::Nmap(Mode::Syn),
                "Host: 10.66.0.2 ()\tPorts: 22/open/tcp//ssh///, 80/open/tcp//http///\n",
            ),
        ] {
            assert_eq!(tool.read(text).unwrap(), expected, "{tool:?}");
        }
        assert!(Tool::named("strobe").is_err());
    }
}
