//! What an earlier scan says of each endpoint: what it lists, and what it means by not listing it.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::model::{Address, Endpoint, State, Summary};
use crate::plan::{Mistake, PortSet, TargetSet, quote};
use crate::results::left::Left;
use crate::results::nmap_xml;
use crate::results::scan_file::{Covered, HostSeen, Item, ScanFile};
use crate::results::served::Served;
use crate::results::zones::Zones;

/// The states that an endpoint may have had: often one, more where a scan only counts what it does not list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct States(u8);

/// Everything that one file says.
#[derive(Clone, Debug)]
pub struct Known {
    pub covers: Covers,
    /// Hosts of which anything is told.
    pub hosts: BTreeMap<Address, HostKnown>,
    /// What the endpoints of all other hosts that were covered may have been.
    pub others: States,
    pub author: Author,
    pub ended: Ended,
    /// What it covers and says itself that it did not test.
    left: Left,
    listed: u64,
}

/// How the scan ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Whole,
    /// Before everything was tested. So many endpoints were not, where the file has that figure.
    CutShort {
        untested: Option<u64>,
    },
}

/// Whose words a file is written in: two programs name the same software differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Author {
    Halfopen,
    Another,
}

/// Which endpoints a file speaks of.
#[derive(Clone, Debug)]
pub enum Covers {
    /// The endpoints of one of our scans.
    Scan(Box<Covered>),
    /// These ports of each host that is listed, and of those `targets` that are not it knows that they are down.
    Hosts {
        ports: PortSet,
        targets: Option<TargetSet>,
    },
    /// What is listed and nothing else.
    Listed,
}

/// What is told of a host.
#[derive(Clone, Default, Debug)]
pub struct HostKnown {
    /// Listed ports.
    pub ports: BTreeMap<u16, States>,
    /// What ports serve, where a server told.
    pub served: BTreeMap<u16, Served>,
    /// What the ports may have been that were covered and are not listed.
    pub rest: States,
    pub down: Down,
}

/// Whether a host was left alone because it did not answer a ping.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Down {
    #[default]
    No,
    Yes,
}

impl States {
    pub const NONE: Self = Self(0);
    pub const OPEN: Self = Self(1);
    pub const CLOSED: Self = Self(2);
    pub const FILTERED: Self = Self(4);
    pub const SUSPECT: Self = Self(8);
    /// It may not have been tested.
    pub const UNKNOWN: Self = Self(16);

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// All of them are among `other`. Nothing at all is not known to be anything.
    pub fn within(self, other: Self) -> bool {
        self != Self::NONE && self.without(other) == Self::NONE
    }

    /// Whether anything is known.
    pub fn is_known(self) -> bool {
        self.within(
            Self::OPEN
                .and(Self::CLOSED)
                .and(Self::FILTERED)
                .and(Self::SUSPECT),
        )
    }

    /// No state is possible in both, so there was a change for certain.
    pub fn contradicts(self, other: Self) -> bool {
        self.is_known() && other.is_known() && self.0 & other.0 == 0
    }

    /// `open`, `closed|filtered`.
    pub fn name(self) -> String {
        let names = [
            (Self::OPEN, "open"),
            (Self::CLOSED, "closed"),
            (Self::FILTERED, "filtered"),
            (Self::SUSPECT, "suspect"),
        ];
        // Where suspect is possible only because the tool does not know the word, it is not said.
        let told = if Self::OPEN.within(self) {
            self.without(Self::SUSPECT)
        } else {
            self
        };
        let held: Vec<&str> = names
            .iter()
            .filter(|(state, _)| state.within(told))
            .map(|(_, name)| *name)
            .collect();
        if held.is_empty() {
            return "unknown".to_owned();
        }
        held.join("|")
    }
}

impl Default for States {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<State> for States {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::OPEN,
            State::Closed => Self::CLOSED,
            State::Filtered => Self::FILTERED,
            State::Suspect => Self::SUSPECT,
            // Our own side failed: nothing was learned of the endpoint.
            State::Error => Self::UNKNOWN,
        }
    }
}

impl Known {
    /// Reads our JSON lines, or XML as nmap and masscan write it; which it is shows in the first byte.
    ///
    /// # Errors
    /// The file cannot be read, is neither, is broken, or lists more than can be compared.
    pub fn read(mut input: impl BufRead, name: &str, zones: &mut Zones) -> Result<Self, Mistake> {
        match first_byte(&mut input, name)? {
            Some(b'{') => Self::of_scan(ScanFile::open(input, name, zones)?, name, zones),
            Some(b'<') => nmap_xml::read(input, name, zones),
            _ => Err(Mistake::new(format!(
                "{} is neither JSON lines of halfopen nor XML of nmap or masscan",
                quote(name)
            ))),
        }
    }

    /// Nothing is known yet.
    pub fn new(covers: Covers, author: Author) -> Self {
        Self {
            covers,
            author,
            hosts: BTreeMap::new(),
            others: States::UNKNOWN,
            ended: Ended::Whole,
            left: Left::default(),
            listed: 0,
        }
    }

    /// What is told of this endpoint; `None` where the file does not speak of it.
    pub fn states(&self, endpoint: &Endpoint) -> Option<States> {
        let host = self.hosts.get(&endpoint.address);
        let listed = host
            .and_then(|host| host.ports.get(&endpoint.port))
            .copied();
        match &self.covers {
            Covers::Scan(_) if listed.is_none() && self.left.has(endpoint) => None,
            Covers::Scan(covered) if covered.has(endpoint) => {
                Some(listed.unwrap_or_else(|| host.map_or(self.others, |host| host.rest)))
            }
            Covers::Hosts { ports, .. } if ports.contains(endpoint.port) => {
                listed.or_else(|| host.map(|host| host.rest))
            }
            // What is listed was covered, whatever a file says of itself; of our own nothing else is listed.
            Covers::Scan(_) | Covers::Hosts { .. } | Covers::Listed => listed,
        }
    }

    /// The ports of this host that it speaks of, listed or not; `None` where it speaks of listed ones alone.
    pub fn ports(&self, address: &Address) -> Option<&PortSet> {
        match &self.covers {
            Covers::Scan(covered) => {
                let planned = covered.plan.targets().contains(address);
                planned.then(|| covered.plan.ports())
            }
            Covers::Hosts { ports, .. } => self.hosts.contains_key(address).then_some(ports),
            Covers::Listed => None,
        }
    }

    /// What is told of a host as a whole.
    pub fn record(&self, address: &Address) -> Option<&HostKnown> {
        let unlisted = || match &self.covers {
            Covers::Hosts {
                targets: Some(targets),
                ..
            } if targets.contains(address) => Some(&UNLISTED),
            _ => None,
        };
        self.hosts.get(address).or_else(unlisted)
    }

    /// The ports that were asked of every host; `None` where it speaks of listed ones alone.
    pub fn all_ports(&self) -> Option<&PortSet> {
        match &self.covers {
            Covers::Scan(covered) => Some(covered.plan.ports()),
            Covers::Hosts { ports, .. } => Some(ports),
            Covers::Listed => None,
        }
    }

    /// The hosts that were asked, where the file names them all.
    pub fn targets(&self) -> Option<&TargetSet> {
        match &self.covers {
            Covers::Scan(covered) => Some(covered.plan.targets()),
            Covers::Hosts { targets, .. } => targets.as_ref(),
            Covers::Listed => None,
        }
    }

    /// Whether it speaks of other ports of each host: it is a part of a scan, or was cut short and names what is left.
    pub fn is_part(&self) -> bool {
        matches!(&self.covers, Covers::Scan(covered) if !covered.is_whole())
            || !self.left.is_empty()
    }

    /// How many endpoints it covers, tested or not.
    pub fn endpoints(&self) -> u64 {
        match &self.covers {
            Covers::Scan(covered) => covered.present(),
            Covers::Hosts { ports, .. } => {
                let up = self.hosts.values().filter(|host| host.down == Down::No);
                (up.count() as u64).saturating_mul(ports.len().into())
            }
            Covers::Listed => self
                .hosts
                .values()
                .map(|host| host.ports.len() as u64)
                .sum(),
        }
    }

    /// The record of a host, as long as there are not too many.
    pub(super) fn host(&mut self, address: Address) -> Result<&mut HostKnown, String> {
        if !self.hosts.contains_key(&address) && self.hosts.len() >= MOST_HOSTS {
            return Err(format!("more than {MOST_HOSTS} hosts; compare it in parts"));
        }
        Ok(self.hosts.entry(address).or_default())
    }

    pub(super) fn list(
        &mut self,
        address: Address,
        port: u16,
        states: States,
    ) -> Result<(), String> {
        self.count_listed(1)?;
        self.host(address)?.ports.insert(port, states);
        Ok(())
    }

    pub(super) fn serve(
        &mut self,
        address: Address,
        port: u16,
        served: Served,
    ) -> Result<(), String> {
        self.count_listed(1)?;
        self.host(address)?.served.insert(port, served);
        Ok(())
    }

    fn count_listed(&mut self, more: u64) -> Result<(), String> {
        self.listed += more;
        if self.listed > MOST_LISTED {
            return Err(format!(
                "lists more than {MOST_LISTED} ports; compare it in parts"
            ));
        }
        Ok(())
    }

    fn of_scan(
        mut file: ScanFile<impl BufRead>,
        name: &str,
        zones: &Zones,
    ) -> Result<Self, Mistake> {
        let wrong = |what: String| Mistake::new(format!("{}: {what}", quote(name)));
        let head = file.head().clone();
        let mut known = Self::new(Covers::Scan(Box::new(head.covered)), Author::Halfopen);
        let mut seen: Vec<HostSeen> = Vec::new();
        let mut summary = None;
        while let Some(item) = file.next_item(zones)? {
            match item {
                Item::Port(port) => {
                    let at = port.verdict.endpoint;
                    known
                        .list(at.address, at.port, port.verdict.state.into())
                        .map_err(wrong)?;
                }
                Item::Host(host) => {
                    known.host(host.address).map_err(wrong)?;
                    seen.push(host);
                }
                Item::Untested(untested) => {
                    let ranges = untested.ports.len() as u64;
                    known.count_listed(ranges).map_err(wrong)?;
                    known.left.add(untested);
                }
                Item::Service(service) => {
                    if let Some(served) = Served::of(&service) {
                        let at = service.endpoint;
                        known.serve(at.address, at.port, served).map_err(wrong)?;
                    }
                }
                Item::System(_) | Item::Finding(_) => {}
                Item::End(figures) => summary = Some(figures.summary),
            }
        }
        known.others = meant_by_silence(summary, known.left.endpoints(), &seen);
        known.ended = ended(summary);
        for host in known.hosts.values_mut() {
            host.rest = known.others;
        }
        for host in seen {
            let mut rest = States::NONE;
            let mut counted = 0_u64;
            for group in &host.counts {
                counted = counted.saturating_add(group.count);
                if group.count > 0 && !head.show.lists_every(group.state, group.reason) {
                    rest = rest.and(group.state.into());
                }
            }
            // Some of its ports may have kept silent before it had a record, or were not tested.
            let ports = known.ports(&host.address).map_or(0, PortSet::len);
            let left = known.left.of_host(&host.address);
            if counted.saturating_add(left) < u64::from(ports) {
                rest = rest.and(known.others);
            }
            known.host(host.address).map_err(wrong)?.rest = rest;
        }
        Ok(known)
    }
}

/// By its figures; without any it was killed.
fn ended(summary: Option<Summary>) -> Ended {
    match summary {
        Some(summary) if !summary.interrupted && summary.untested == 0 && summary.error == 0 => {
            Ended::Whole
        }
        summary => Ended::CutShort {
            untested: summary.map(|summary| summary.untested.saturating_add(summary.error)),
        },
    }
}

/// What a host without a line was: silent, unless more was left untested than is named. Without figures the scan was cut
/// off.
fn meant_by_silence(summary: Option<Summary>, named: u64, seen: &[HostSeen]) -> States {
    let Some(summary) = summary.filter(|summary| summary.untested == named) else {
        return States::FILTERED.and(States::UNKNOWN);
    };
    let errors: u64 = seen
        .iter()
        .flat_map(|host| &host.counts)
        .filter(|group| group.state == State::Error)
        .map(|group| group.count)
        .sum();
    if errors < summary.error {
        return States::FILTERED.and(States::UNKNOWN);
    }
    States::FILTERED
}

/// The first byte that is no blank and no mark of the byte order.
fn first_byte(input: &mut impl BufRead, name: &str) -> Result<Option<u8>, Mistake> {
    loop {
        let buffer = input
            .fill_buf()
            .map_err(|error| Mistake::new(format!("{}: cannot be read: {error}", quote(name))))?;
        let Some(first) = buffer.first().copied() else {
            return Ok(None);
        };
        if !matches!(first, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf) {
            return Ok(Some(first));
        }
        input.consume(1);
    }
}

/// A target that nmap does not list did not answer its ping.
static UNLISTED: HostKnown = HostKnown {
    ports: BTreeMap::new(),
    served: BTreeMap::new(),
    rest: States::NONE,
    down: Down::Yes,
};

/// About 1 GiB of records at the worst.
const MOST_HOSTS: usize = 1 << 22;
const MOST_LISTED: u64 = 1 << 26;
