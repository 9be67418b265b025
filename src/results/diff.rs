//! What changed between two scans, of those endpoints that both speak of.

use std::collections::BTreeSet;

use crate::model::{Address, Endpoint};
use crate::plan::PortSet;
use crate::results::count::Count;
use crate::results::known::{Down, HostKnown, Known, States};
use crate::results::served::Replaced;

/// All changes of a host, and how far the comparison reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diff {
    /// Hosts with changes, in the order of addresses.
    pub hosts: Vec<HostDiff>,
    pub reach: Reach,
}

/// What changed at one host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostDiff {
    pub address: Address,
    pub fate: Fate,
    /// By port.
    pub changes: Vec<Change>,
    /// Of ports that are open in both, by port.
    pub replaced: Vec<Replaced>,
    /// Of ports that neither scan lists.
    pub unlisted: Option<Unlisted>,
}

/// What became of a host as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It answers now, and did not.
    New,
    /// It answered, and is silent now.
    Vanished,
    /// It is there in both.
    Stays,
}

/// A port that one of the scans lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    pub port: u16,
    pub old: States,
    pub new: States,
}

/// Ports that both scans only count, in states that exclude each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unlisted {
    pub ports: PortSet,
    pub old: States,
    pub new: States,
}

/// How far the comparison reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// Endpoints of which both scans tell something; `None` where they are too many to be counted, or too scattered.
    pub compared: Option<u64>,
    /// As many as were counted.
    pub at_least: u64,
    /// Endpoints that the old scan covers, tested or not.
    pub of_old: u64,
    /// The same of the new one.
    pub of_new: u64,
    /// Hosts of which no port was compared, because one of the scans knows that they did not answer a ping.
    pub by_ping: u64,
    /// Ports that the old scan lists as open and the new one says nothing of.
    pub only_old: u64,
    /// The same the other way round.
    pub only_new: u64,
}

/// Compares.
pub fn diff(old: &Known, new: &Known) -> Diff {
    let addresses: BTreeSet<Address> = old.hosts.keys().chain(new.hosts.keys()).copied().collect();
    let mut count = Count::new(old, new);
    let mut all = Diff {
        hosts: Vec::new(),
        reach: Reach::new(old, new),
    };
    for address in addresses {
        let pair = Pair { old, new, address };
        let host = pair.compare(&mut count, &mut all.reach);
        all.hosts.extend(host);
    }
    count.unrecorded(&mut all.reach);
    all.reach.at_least = count.compared;
    all.reach.compared = count.result();
    all
}

impl Reach {
    fn new(old: &Known, new: &Known) -> Self {
        Self {
            compared: None,
            at_least: 0,
            of_old: old.endpoints(),
            of_new: new.endpoints(),
            by_ping: 0,
            only_old: 0,
            only_new: 0,
        }
    }

    /// Whether it came to nothing: there is no endpoint and no host of which both scans tell.
    pub fn is_empty(&self) -> bool {
        self.compared == Some(0) && self.by_ping == 0
    }
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_same(&self) -> bool {
        self.hosts.is_empty()
    }

    /// How many endpoints changed; a host that came or went without a port of its own counts as one.
    pub fn changes(&self) -> u64 {
        self.hosts
            .iter()
            .map(|host| {
                let unlisted = host.unlisted.as_ref().map_or(0, |group| group.ports.len());
                let told = host.changes.len() + host.replaced.len();
                (told as u64 + u64::from(unlisted)).max(1)
            })
            .sum()
    }
}

/// One host in both scans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    old: &'a Known,
    new: &'a Known,
    pub(super) address: Address,
}

impl Pair<'_> {
    fn compare(&self, count: &mut Count<'_>, reach: &mut Reach) -> Option<HostDiff> {
        let (before, after) = (self.record(self.old), self.record(self.new));
        if is_down(before) || is_down(after) {
            let both = covers_host(self.old, &self.address) && covers_host(self.new, &self.address);
            reach.by_ping += u64::from(both);
        }
        if let Some(fate) = self.fate_by_ping(before, after) {
            return Some(HostDiff {
                address: self.address,
                fate,
                changes: Vec::new(),
                replaced: Vec::new(),
                unlisted: None,
            });
        }
        if is_down(before) || is_down(after) {
            return None;
        }
        let empty = HostKnown::default();
        let ports: BTreeSet<u16> = before
            .unwrap_or(&empty)
            .ports
            .keys()
            .chain(after.unwrap_or(&empty).ports.keys())
            .copied()
            .collect();
        let mut changes = Vec::new();
        let mut life = Life::default();
        for port in &ports {
            match self.states(*port) {
                (Some(old), Some(new)) => {
                    life.take(old, new);
                    if old.contradicts(new) {
                        let port = *port;
                        changes.push(Change { port, old, new });
                    }
                }
                (Some(old), None) => reach.only_old += u64::from(is_open(old)),
                (None, Some(new)) => reach.only_new += u64::from(is_open(new)),
                (None, None) => {}
            }
        }
        count.host(self, &ports);
        let unlisted = self.unlisted(&ports, &mut life);
        let replaced = self.replaced(before.unwrap_or(&empty), after.unwrap_or(&empty));
        let is_same = changes.is_empty() && replaced.is_empty() && unlisted.is_none();
        (!is_same).then(|| HostDiff {
            address: self.address,
            fate: life.fate(),
            changes,
            replaced,
            unlisted,
        })
    }

    /// The ports that are open in both and serve something else now, in the words of one program.
    fn replaced(&self, before: &HostKnown, after: &HostKnown) -> Vec<Replaced> {
        if self.old.author != self.new.author {
            return Vec::new();
        }
        let open = |port: u16| {
            let (old, new) = self.states(port);
            old.is_some_and(is_open) && new.is_some_and(is_open)
        };
        before
            .served
            .iter()
            .filter_map(|(port, old)| Some((*port, old, after.served.get(port)?)))
            .filter(|(port, old, new)| old.contradicts(new) && open(*port))
            .map(|(port, old, new)| Replaced {
                port,
                old: old.title(),
                new: new.title(),
            })
            .collect()
    }

    /// The ports that neither lists. They all were the same as far as anybody knows, so they are looked at one by one only
    /// when they changed, or when the fate of the host may hang on them.
    fn unlisted(&self, listed: &BTreeSet<u16>, life: &mut Life) -> Option<Unlisted> {
        let (ours, theirs) = (
            self.old.ports(&self.address)?,
            self.new.ports(&self.address)?,
        );
        let mut common = ours
            .iter()
            .filter(|port| theirs.contains(*port) && !listed.contains(port))
            .filter_map(|port| match self.states(port) {
                (Some(old), Some(new)) => Some((port, old, new)),
                _ => None,
            });
        let (first, old, new) = common.next()?;
        life.take(old, new);
        if !old.contradicts(new) {
            return None;
        }
        let rest = common.map(|(port, _, _)| port);
        let ports = PortSet::new(std::iter::once(first).chain(rest))?;
        Some(Unlisted { ports, old, new })
    }

    /// A host that was left alone because no ping came back has no ports to be compared.
    fn fate_by_ping(&self, before: Option<&HostKnown>, after: Option<&HostKnown>) -> Option<Fate> {
        match (is_down(before), is_down(after)) {
            (false, true) if before.is_some_and(HostKnown::answered) => Some(Fate::Vanished),
            (true, false) if after.is_some_and(HostKnown::answered) => Some(Fate::New),
            _ => None,
        }
    }

    fn states(&self, port: u16) -> (Option<States>, Option<States>) {
        let endpoint = Endpoint {
            address: self.address,
            port,
        };
        (self.old.states(&endpoint), self.new.states(&endpoint))
    }

    fn record<'a>(&self, known: &'a Known) -> Option<&'a HostKnown> {
        known.record(&self.address)
    }
}

/// Whether a host gave any answer of its own, then and now, on the ports that are compared.
#[derive(Clone, Copy, Default, Debug)]
struct Life {
    answered_then: Heard,
    answers_now: Heard,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Heard {
    #[default]
    Nothing,
    Perhaps,
    Answer,
}

impl Life {
    fn take(&mut self, old: States, new: States) {
        self.answered_then = self.answered_then.with(old);
        self.answers_now = self.answers_now.with(new);
    }

    fn fate(self) -> Fate {
        match (self.answered_then, self.answers_now) {
            (Heard::Answer, Heard::Nothing) => Fate::Vanished,
            (Heard::Nothing, Heard::Answer) => Fate::New,
            _ => Fate::Stays,
        }
    }
}

impl Heard {
    fn with(self, states: States) -> Self {
        if self == Self::Answer || states.within(ANSWERS) {
            Self::Answer
        } else if states == States::FILTERED {
            self
        } else {
            Self::Perhaps
        }
    }
}

impl HostKnown {
    fn answered(&self) -> bool {
        self.rest.within(ANSWERS) || self.ports.values().any(|states| states.within(ANSWERS))
    }
}

fn is_down(host: Option<&HostKnown>) -> bool {
    host.is_some_and(|host| host.down == Down::Yes)
}

fn is_open(states: States) -> bool {
    states.within(States::OPEN.and(States::SUSPECT))
}

/// Whether a scan tells of this host, be it that it was down.
fn covers_host(known: &Known, address: &Address) -> bool {
    known.record(address).is_some()
        || known
            .targets()
            .is_some_and(|targets| targets.contains(address))
}

const ANSWERS: States = States::OPEN.and(States::CLOSED).and(States::SUSPECT);
