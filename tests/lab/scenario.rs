//! A scenario: a network, its hosts, and what a right scan says of them. Read from TOML; unknown keys are refused.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{fs, io};

use serde::Deserialize;

use super::{Result, ports};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    /// One sentence for people.
    pub about: String,
    pub topology: Topology,
    #[serde(default)]
    pub family: Family,
    /// What is scanned, as given to `-p`.
    pub ports: String,
    /// Decides which ports listen.
    #[serde(default = "one")]
    pub seed: u64,
    /// One scan must have ended by then.
    #[serde(default = "minute")]
    pub within_seconds: u64,
    /// Whether the kernel tests run it; the demo's network is for people.
    #[serde(default)]
    pub used_by: UsedBy,
    #[serde(default)]
    pub path: Path,
    #[serde(default)]
    pub scanner: Scanner,
    pub host: Vec<Host>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    Loopback,
    Pair,
    Lan,
    Routed,
    Asymmetric,
    Tun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    #[default]
    V4,
    V6,
    /// fe80::/64 with the zone of the scanner's interface.
    LinkLocal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsedBy {
    #[default]
    Tests,
    People,
}

/// What the path does to packets: the router in `routed`, the scripted stack in `tun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Path {
    /// Of 100 packets, each way.
    pub loss_percent: u8,
    /// `tun`: every answer comes this late.
    pub delay_ms: u64,
    /// `tun`: SYN-ACKs come this much later still.
    pub open_delay_ms: u64,
    /// `tun`: every answer comes once more this often.
    pub duplicates: u8,
}

/// How the scanner is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Scanner {
    /// Hard and soft limit of descriptors.
    pub descriptors: Option<u32>,
    /// So many scans at the same time.
    pub at_once: u8,
    /// So many times one after the other.
    pub repeat: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Host {
    #[serde(default)]
    pub at: Place,
    /// So many of the scanned ports listen, drawn by the seed.
    #[serde(default)]
    pub open: u16,
    /// These ports listen as well.
    #[serde(default)]
    pub listen: BTreeSet<u16>,
    #[serde(default)]
    pub server: Behaviour,
    /// What its firewall does with every other port.
    #[serde(default)]
    pub rest: Rest,
    /// What a right scan says of every other port.
    pub expect: Expect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    #[default]
    Target,
    /// The scanning machine itself, by its own address.
    Scanner,
    /// An address of the link that nobody has.
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Accepts and closes (FIN).
    #[default]
    Close,
    /// Accepts and resets at once.
    Reset,
    /// Accepts and keeps the connection.
    Hold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// No firewall: the kernel (or the scripted stack) answers with RST.
    #[default]
    Closed,
    Drop,
    TcpReset,
    PortUnreachable,
    AdminProhibited,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub state: String,
    pub reason: String,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            descriptors: None,
            at_once: 1,
            repeat: 1,
        }
    }
}

impl Scenario {
    /// Reads one scenario from its text.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let wrong = |what: String| format!("scenario {name}: {what}");
        let mut scenario: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        scenario.name = name.to_owned();
        let scanned = ports::parse(&scenario.ports).map_err(wrong)?;
        let (path, scanner) = (scenario.path, scenario.scanner);
        let refused = [
            (scenario.host.is_empty(), "no host"),
            (scenario.host.len() > 20, "more than 20 hosts"),
            (
                scenario.host.len() > 1 && !matches!(scenario.topology, Topology::Lan),
                "several hosts need the topology lan",
            ),
            (
                scenario
                    .host
                    .iter()
                    .any(|host| !host.listen.is_subset(&scanned)),
                "a listening port outside the scanned ones",
            ),
            (path.loss_percent > 90, "loss above 90 %"),
            (
                path.loss_percent > 0
                    && !matches!(scenario.topology, Topology::Routed | Topology::Tun),
                "loss needs a router or a TUN network",
            ),
            (
                (path.delay_ms, path.open_delay_ms, path.duplicates) != (0, 0, 0)
                    && scenario.topology != Topology::Tun,
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
                !(1..=300).contains(&scenario.within_seconds),
                "within-seconds outside 1 to 300",
            ),
            (
                scenario.topology == Topology::Loopback
                    && scenario.host.iter().any(|host| host.at != Place::Scanner),
                "loopback hosts are at the scanner",
            ),
        ];
        match refused.iter().find(|(is_so, _)| *is_so) {
            Some((_, what)) => Err(wrong((*what).to_owned())),
            None => Ok(scenario),
        }
    }

    /// The scenario of that name.
    pub fn load(name: &str) -> Result<Self> {
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(format!("`{name}` is no scenario's name"));
        }
        let file = folder().join(format!("{name}.toml"));
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Self::read(name, &text)
    }

    /// Every scenario, sorted by name.
    pub fn load_all() -> Result<Vec<Self>> {
        let names = names().map_err(|error| format!("{}: {error}", folder().display()))?;
        names.iter().map(|name| Self::load(name)).collect()
    }

    pub fn scanned(&self) -> BTreeSet<u16> {
        ports::parse(&self.ports).unwrap_or_default()
    }

    /// The listening ports of a host.
    pub fn open_ports(&self, host: &Host) -> BTreeSet<u16> {
        let mut open = ports::draw(&self.scanned(), host.open.into(), self.seed);
        open.extend(&host.listen);
        open
    }

    /// The address of the `index`th host, without a zone.
    pub fn address(&self, index: usize) -> String {
        let last = 2 + index;
        match (
            self.topology,
            self.host.get(index).map(|host| host.at),
            self.family,
        ) {
            (Topology::Loopback, _, Family::V4) => "127.0.0.1".to_owned(),
            (Topology::Loopback, _, _) => "::1".to_owned(),
            (_, Some(Place::Scanner), Family::V4) => "10.66.0.1".to_owned(),
            (_, Some(Place::Scanner), Family::V6) => "fd66::1".to_owned(),
            (_, Some(Place::Scanner), Family::LinkLocal) => "fe80::1".to_owned(),
            (Topology::Routed, _, Family::V4) => format!("10.66.1.{last}"),
            (Topology::Routed, _, _) => format!("fd66:0:0:1::{last}"),
            (_, _, Family::V4) => format!("10.66.0.{last}"),
            (_, _, Family::V6) => format!("fd66::{last}"),
            (_, _, Family::LinkLocal) => format!("fe80::{last}"),
        }
    }

    /// The targets as typed, with a zone where one is needed.
    pub fn targets(&self) -> Vec<String> {
        let zone = match self.family {
            Family::LinkLocal => "%lab0",
            Family::V4 | Family::V6 => "",
        };
        (0..self.host.len())
            .map(|index| self.address(index) + zone)
            .collect()
    }
}

/// Names of all scenario files, sorted.
pub fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && let Some(stem) = path.file_stem()
        {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/scenarios")
}

fn one() -> u64 {
    1
}

fn minute() -> u64 {
    60
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
            ("'pair'", "'loopback'", "at the scanner"),
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
