//! A scenario: a network, its hosts, and what a right scan says of them. Read from TOML; unknown keys are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{fs, io};

use serde::Deserialize;

use super::scan::Mode;
use super::{Result, ports};

mod check;
mod expect;
mod scanner;
mod wide;

pub use expect::{Expect, Expected, InEachMode, InMode, Part, STATES};
pub use scanner::{Scanner, Stop};
pub use wide::Wide;

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
    /// What the scanner still lacks for this one: the tests name it and do not count it.
    pub pending: Option<String>,
    #[serde(default)]
    pub path: Path,
    #[serde(default)]
    pub scanner: Scanner,
    /// The router of `routed`.
    #[serde(default)]
    pub router: Machine,
    pub host: Vec<Host>,
    /// What happens while a scan runs.
    #[serde(default)]
    pub event: Vec<Event>,
    /// How a right scan ends.
    #[serde(default)]
    pub end: End,
    /// Where a right scan in connect mode ends otherwise.
    #[serde(default)]
    pub in_connect_mode: ByConnect,
    /// So many connections the first host's kernel takes from a scan in SYN mode, and more from one in connect mode.
    pub handshakes_in_syn_mode: Option<u64>,
    /// So many packets the queue of the scanner's device refuses during a scan in either mode, or it has not tested what
    /// it is for.
    pub least_queue_drops: Option<u64>,
    /// So many neighbours the scanner's kernel is asking for at a time at the most, in either mode, and some at any rate:
    /// with none nothing was tested.
    pub most_unresolved_neighbours: Option<usize>,
    /// Notes that a right scan makes in its JSON lines, of hosts or of the whole, in SYN mode.
    #[serde(default)]
    pub notes: BTreeSet<String>,
    /// Notes that it may make in either mode. No other is right.
    #[serde(default)]
    pub notes_by_chance: BTreeSet<String>,
    /// So many endpoints of a state a right scan finds at least, in either mode, where chance says how many.
    #[serde(default)]
    pub least: BTreeMap<String, u64>,
    /// So many packets find no room in the capture of a scan in SYN mode, or it has not tested what it is for.
    #[serde(default)]
    pub least_capture_drops: u64,
    /// The most memory that a scan may have had resident at a time.
    pub most_memory_mb: Option<InEachMode<u64>>,
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
    /// Too heavy for the tests.
    Bench,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Exit 0 and `complete`.
    #[default]
    Complete,
    /// Exit 6 and not `complete`.
    Unproven,
    /// One of the two, as long as the list is right.
    Either,
}

/// What is special about the end of a scan in connect mode: only where this machine itself drops the answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ByConnect {
    pub end: Option<End>,
    /// Notes that it makes.
    pub notes: BTreeSet<String>,
}

/// Where an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Site {
    Scanner,
    Router,
    /// The first host.
    Host,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Event {
    pub at: Site,
    /// Since the start of the scan.
    pub after_ms: u64,
    /// One line as in `setup`.
    pub run: String,
}

/// What is special about one machine of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Machine {
    /// nftables rules, as `nft -f` reads them.
    pub rules: String,
    /// Lines of `ip ...`, `tc ...` and `sysctl PATH=VALUE` (a path below /proc/sys/net).
    pub setup: Vec<String>,
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

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Host {
    #[serde(default)]
    pub at: Place,
    /// All addresses of this network are this one host (by a route, no link has them).
    pub wide: Option<Wide>,
    /// So many of the scanned ports listen, drawn by the seed.
    #[serde(default)]
    pub open: u16,
    /// These ports listen as well.
    #[serde(default)]
    pub listen: BTreeSet<u16>,
    #[serde(default)]
    pub server: Behaviour,
    /// `tun`: how its open ports answer a SYN.
    #[serde(default)]
    pub answer: SynAnswer,
    /// What its firewall does with every other port.
    #[serde(default)]
    pub rest: Rest,
    /// More nftables rules, as `nft -f` reads them.
    #[serde(default)]
    pub rules: String,
    /// As in [`Machine`].
    #[serde(default)]
    pub setup: Vec<String>,
    /// What a right scan says of every other port.
    pub expect: Expect,
    /// What it says of the open ones.
    #[serde(default)]
    pub expect_open: Expect,
    /// Ports of which a right scan says something else.
    #[serde(default)]
    pub part: Vec<Part>,
    /// Where a right scan in connect mode differs: only where this machine itself drops the answers.
    #[serde(default)]
    pub in_connect_mode: InMode,
    /// So many milliseconds after the scan's start all its open ports are found: nobody else holds it up.
    pub open_within_ms: Option<u64>,
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

/// What a listening port of the scripted stack sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SynAnswer {
    /// A SYN-ACK as a real stack sends it.
    #[default]
    SynAck,
    /// Window 0, no options, and never a word again: a tarpit.
    ZeroWindow,
    /// Window 10, no options, and never a word again: LaBrea.
    SmallWindow,
    /// The SYN-ACK in two IP fragments, the first with 16 bytes of TCP (`v4` only).
    Fragmented,
    /// A SYN without ACK; our SYN-ACK is acknowledged: a simultaneous open (RFC 9293, section 3.5).
    Simultaneous,
    /// A SYN without ACK and nothing else.
    LoneSyn,
    /// A SYN-ACK, and a millisecond later a RST.
    SynAckThenRst,
    /// A RST, and a millisecond later a SYN-ACK.
    RstThenSynAck,
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

impl Scenario {
    /// How a right scan of this mode ends, and the notes that it makes.
    pub fn end_of(&self, mode: Mode) -> (End, &BTreeSet<String>) {
        let by_connect = &self.in_connect_mode;
        match mode {
            Mode::Syn => (self.end, &self.notes),
            Mode::Connect => (by_connect.end.unwrap_or(self.end), &by_connect.notes),
        }
    }

    /// Reads one scenario from its text.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let wrong = |what: String| format!("scenario {name}: {what}");
        let mut scenario: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        scenario.name = name.to_owned();
        match check::fault(&scenario) {
            Some(fault) => Err(wrong(fault)),
            None => Ok(scenario),
        }
    }

    /// Whether a scan leaves traces in the network (counters, quotas, flows), so that each needs a fresh one.
    pub fn is_worn_by_a_scan(&self) -> bool {
        let rules = self.host.iter().map(|host| &host.rules);
        let mut rules = rules.chain([&self.router.rules, &self.scanner.rules]);
        !self.event.is_empty() || rules.any(|rules| !rules.is_empty())
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

    /// All addresses of the `index`th host, without a zone.
    pub fn addresses(&self, index: usize) -> Vec<String> {
        match self.host.get(index).and_then(|host| host.wide.as_ref()) {
            Some(wide) => wide.addresses(),
            None => vec![self.address(index)],
        }
    }

    /// How many endpoints a scan has.
    pub fn endpoints(&self) -> usize {
        let wide = |host: &Host| host.wide.as_ref().map_or(1, Wide::size);
        self.host.iter().map(wide).sum::<usize>() * self.scanned().len()
    }

    /// What is open, as (address, port).
    pub fn truth(&self) -> BTreeSet<(String, u16)> {
        let mut truth = BTreeSet::new();
        for (index, host) in self.host.iter().enumerate() {
            let (mut open, expected) = (self.open_ports(host), Expected::of(host, Mode::Syn));
            open.retain(|port| expected.of_open(*port).allows_state("open"));
            for address in self.addresses(index) {
                truth.extend(open.iter().map(|port| (address.clone(), *port)));
            }
        }
        truth
    }

    /// The devices that the lab makes in the scanner's namespace.
    pub fn scanner_devices(&self) -> Vec<String> {
        let ports = (0..self.host.len()).map(|index| format!("lab0p{index}"));
        let links = ["lab0", "lab1"].map(str::to_owned).into_iter();
        links.chain(ports).collect()
    }

    /// The targets as typed, with a zone where one is needed.
    pub fn targets(&self) -> Vec<String> {
        let zone = match self.family {
            Family::LinkLocal => "%lab0",
            Family::V4 | Family::V6 => "",
        };
        let typed = |(index, host): (usize, &Host)| match &host.wide {
            Some(wide) => wide.text().to_owned(),
            None => self.address(index) + zone,
        };
        self.host.iter().enumerate().map(typed).collect()
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
