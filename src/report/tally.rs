//! What was found, host by host, in as little memory as its readers allow.
//!
//! Ports that must be listed are kept (16 bytes each), everything else is a count per host, state and reason. Hosts that
//! only kept silent are as many as the plan is big, so at most [`SILENT_HOSTS`] of them have a record of their own; the
//! rest is one count.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::model::{
    Address, Alive, Counted, Endpoint, Event, HostNote, Note, Reason, State, Verdict,
    loss_per_round_trip,
};
use crate::report::Show;
use crate::report::fields::PortRecord;
use crate::report::names::Names;
use crate::report::unasked::Unasked;

/// How many hosts that never answered are remembered one by one.
pub const SILENT_HOSTS: usize = 65_536;

/// How many ports of one state and reason are listed for one host, where a list is not the very thing that was asked
/// for. A longer group is a count, in text; JSON lines have every port.
pub const LISTED: u64 = 32;

/// How many ports that were not tested are remembered by their number, over all hosts. What is beyond is a count, and
/// the lines of `--show error` have it.
pub const UNTESTED: usize = 1 << 20;

/// Everything that was found so far.
#[derive(Debug)]
pub struct Tally {
    /// In the order in which reports write them.
    pub hosts: BTreeMap<Address, Host>,
    /// Notes about the scan as a whole.
    pub notes: Vec<Note>,
    /// Hosts, where hosts are what was asked for, in the order in which they were found. Only those that must be listed.
    pub alive: Vec<Alive>,
    keep: Keep,
    silent: usize,
    /// Ports that were not tested before the scan ended.
    pub unasked: Unasked,
    /// Ports that could not be tested, as many as are remembered.
    untested: usize,
}

/// What a tally keeps besides counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing: the lines are written as they come.
    Counts,
    /// The ports that must be listed at the end.
    Lines(Show),
}

/// What was found at one host.
#[derive(Clone, Default, Debug)]
pub struct Host {
    /// Listed ports, in the order in which they were found.
    pub lines: Vec<Line>,
    pub groups: Vec<Group>,
    pub notes: Vec<Note>,
    /// Ports that could not be tested by their reason, in the order in which they came, as far as they are remembered.
    pub untested: Vec<(Reason, Vec<u16>)>,
    /// Answers to a first attempt, and those to a later one, where that is told.
    answers: (u64, u64),
}

/// One listed port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    pub port: u16,
    pub state: State,
    pub reason: Reason,
    ttl: Option<u8>,
    rtt_us: Option<u32>,
}

/// Ports from the first to the last, as one types them: `22`, `8000-8100`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub first: u16,
    pub last: u16,
}

/// The ports of a host that share a state and a reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    pub state: State,
    pub reason: Reason,
    pub count: u64,
    /// Whether all of them are among the lines.
    pub listed: Listed,
}

/// Whether a group is among the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listed {
    All,
    None,
}

impl Tally {
    pub fn new(keep: Keep) -> Self {
        Self {
            hosts: BTreeMap::new(),
            notes: Vec::new(),
            alive: Vec::new(),
            keep,
            silent: 0,
            unasked: Unasked::default(),
            untested: 0,
        }
    }

    /// Counts one event.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Verdict(verdict) => self.verdict(verdict),
            Event::Counted(counted) => self.counted(counted),
            Event::Host(HostNote { address, note }) => self.note(*address, *note),
            Event::Alive(alive) => {
                if let Keep::Lines(_) = self.keep {
                    self.alive.push(*alive);
                }
            }
            Event::Loss(loss) => {
                // Only answers are samples, so the host answered, and its last verdict may be on its way.
                let host = self.hosts.entry(loss.address).or_default();
                host.answers.0 += loss.first;
                host.answers.1 += loss.later;
            }
            Event::Untested(untested) => self.unasked.take(untested),
            Event::Service(_)
            | Event::System(_)
            | Event::Finding(_)
            | Event::Progress(_)
            | Event::Summary(_) => {}
        }
    }

    /// Whether there may be hosts that never answered beyond those that are remembered.
    pub fn is_full(&self) -> bool {
        self.silent >= SILENT_HOSTS
    }

    /// The hosts that were found, in ascending order.
    pub fn sorted_alive(&self) -> Vec<Alive> {
        let mut alive = self.alive.clone();
        alive.sort_unstable_by_key(|alive| alive.address);
        alive
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let keep = self.keep;
        let nameable = verdict.state == State::Error && self.untested < UNTESTED;
        if let Some(host) = self.host(verdict.endpoint.address, verdict.state) {
            host.take(verdict, keep);
            if nameable {
                host.not_tested(verdict.reason, verdict.endpoint.port);
                self.untested += 1;
            }
        }
    }

    fn counted(&mut self, counted: &Counted) {
        if let Some(host) = self.host(counted.address, counted.state) {
            let group = host.group(counted.state, counted.reason, Listed::None);
            group.count += counted.count;
        }
    }

    /// The record of a host of which this state was just heard.
    fn host(&mut self, address: Address, state: State) -> Option<&mut Host> {
        match state {
            State::Open | State::Closed | State::Suspect => {
                Some(self.hosts.entry(address).or_default())
            }
            State::Filtered | State::Error => self.silent_host(address),
        }
    }

    fn note(&mut self, address: Option<Address>, note: Note) {
        let notes = match address {
            None => Some(&mut self.notes),
            Some(address) => self.silent_host(address).map(|host| &mut host.notes),
        };
        if let Some(notes) = notes
            && !notes.contains(&note)
        {
            notes.push(note);
        }
    }

    /// The record of a host of which no answer is at hand, as long as there is room for it.
    fn silent_host(&mut self, address: Address) -> Option<&mut Host> {
        if !self.hosts.contains_key(&address) {
            if self.silent >= SILENT_HOSTS {
                return None;
            }
            self.silent += 1;
        }
        Some(self.hosts.entry(address).or_default())
    }
}

impl Host {
    /// How many endpoints of this host have that state.
    pub fn count(&self, state: State) -> u64 {
        self.groups
            .iter()
            .filter(|group| group.state == state)
            .map(|group| group.count)
            .sum()
    }

    /// The loss on the way to it and back, 0 to 1 per round trip, where it is known.
    pub fn loss(&self) -> Option<f64> {
        loss_per_round_trip(self.answers.0, self.answers.1)
    }

    /// Whether the host itself, and not only something on the way to it, was heard.
    pub fn answered(&self) -> bool {
        [State::Open, State::Closed, State::Suspect]
            .iter()
            .any(|state| self.count(*state) > 0)
    }

    /// Whether there is anything to tell of it but silence: what our own side could not ask is no silence.
    pub fn worth_telling(&self) -> bool {
        self.answered() || self.count(State::Error) > 0 || !self.notes.is_empty()
    }

    /// The ports that are listed, in ascending order.
    pub fn sorted_lines(&self) -> Vec<Line> {
        let mut lines = self.lines.clone();
        lines.sort_unstable_by_key(|line| line.port);
        lines
    }

    /// The groups of which only the number is told: by state, the largest first.
    pub fn unlisted(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self
            .groups
            .iter()
            .filter(|group| group.listed == Listed::None)
            .copied()
            .collect();
        groups.sort_by_key(|group| (group.state, std::cmp::Reverse(group.count)));
        groups
    }

    /// Whether anything at all was heard of it, be it an ICMP error of somebody on the way.
    pub fn heard_of(&self) -> bool {
        self.groups
            .iter()
            .any(|group| group.reason != Reason::NoAnswer)
    }

    /// The ports that could not be tested, whatever the reason; `None` where not all of them are remembered.
    pub fn untested_ports(&self) -> Option<Vec<Range>> {
        let mut ports: Vec<u16> = self
            .untested
            .iter()
            .flat_map(|(_, ports)| ports.iter().copied())
            .collect();
        let known = ports.len() as u64 == self.count(State::Error);
        known.then(|| ranges(&mut ports))
    }

    fn not_tested(&mut self, reason: Reason, port: u16) {
        match self.untested.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, ports)) => ports.push(port),
            None => self.untested.push((reason, vec![port])),
        }
    }

    fn take(&mut self, verdict: &Verdict, keep: Keep) {
        let listed = match keep {
            // The open ports are listed whatever else is shown: they are what the report ends in.
            Keep::Lines(_) if verdict.state == State::Open => Listed::All,
            Keep::Lines(show) if show.lists(verdict) => Listed::All,
            Keep::Lines(_) | Keep::Counts => Listed::None,
        };
        let group = self.group(verdict.state, verdict.reason, listed);
        group.count += 1;
        if group.listed == Listed::None {
            return;
        }
        if group.count > LISTED && verdict.state != State::Open {
            group.listed = Listed::None;
            self.lines
                .retain(|line| line.state != verdict.state || line.reason != verdict.reason);
            return;
        }
        self.lines.push(Line {
            port: verdict.endpoint.port,
            state: verdict.state,
            reason: verdict.reason,
            ttl: verdict.ttl,
            rtt_us: verdict
                .rtt
                .map(|rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)),
        });
    }

    /// The group of this state and reason.
    fn group(&mut self, state: State, reason: Reason, listed: Listed) -> &mut Group {
        let known = self
            .groups
            .iter()
            .position(|group| group.state == state && group.reason == reason);
        let at = known.unwrap_or(self.groups.len());
        if known.is_none() {
            self.groups.push(Group {
                state,
                reason,
                count: 0,
                listed,
            });
        }
        &mut self.groups[at]
    }
}

impl Line {
    /// What is kept of this port of `address`.
    pub fn record<'a>(&self, address: &Address, names: &'a Names) -> PortRecord<'a> {
        PortRecord {
            endpoint: Endpoint {
                address: *address,
                port: self.port,
            },
            state: self.state,
            reason: self.reason,
            rtt: self.rtt(),
            ttl: self.ttl,
            attempts: None,
            at: None,
            names,
            serves: None,
            system: None,
            findings: &[],
        }
    }

    /// Round-trip time, to the microsecond.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt_us.map(|us| Duration::from_micros(us.into()))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// These ports, in any order, as the fewest ranges.
pub fn ranges(ports: &mut [u16]) -> Vec<Range> {
    ports.sort_unstable();
    let joined = |left: &u16, right: &u16| right - left <= 1;
    ports
        .chunk_by(joined)
        .filter_map(|run| {
            Some(Range {
                first: *run.first()?,
                last: *run.last()?,
            })
        })
        .collect()
}
