//! The parts that were surveyed, handed on as the events of one scan.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead};
use std::time::Duration;

use crate::model::facts::System;
use crate::model::{
    Address, Counted, Endpoint, Event, HostLoss, HostNote, Note, Reason, State, Time, Verdict,
};
use crate::plan::{Mistake, PortSet};
use crate::results::facts::unite;
use crate::results::join::{Joined, Survey};
use crate::results::scan_file::{HostSeen, Item, ScanFile};
use crate::results::zones::Zones;

/// Why a replay broke off.
#[derive(Debug)]
pub enum Broken {
    Input(Mistake),
    Output(io::Error),
}

/// Reads every part once more and gives `take` its events, with times that count from the start of the whole. `open` opens
/// a file by the name that it was surveyed under.
///
/// # Errors
/// A file cannot be read or has changed, or what `take` said.
pub fn replay<R: BufRead>(
    parts: &[Survey],
    joined: &Joined,
    zones: &mut Zones,
    open: impl Fn(&str) -> Result<R, Mistake>,
    take: &mut dyn FnMut(&Event) -> io::Result<()>,
) -> Result<(), Broken> {
    let mut systems: BTreeMap<Address, System> = BTreeMap::new();
    for (part, offset) in parts.iter().zip(&joined.offsets) {
        let file = open(&part.name)
            .and_then(|input| ScanFile::open(input, &part.name, zones))
            .map_err(Broken::Input)?;
        replay_part(file, *offset, joined, zones, &mut systems, take)?;
    }
    for (address, count) in &joined.silent {
        take(&Event::Counted(Counted {
            address: *address,
            state: State::Filtered,
            reason: Reason::NoAnswer,
            count: *count,
        }))
        .map_err(Broken::Output)?;
    }
    for system in systems.into_values() {
        take(&Event::System(Box::new(system))).map_err(Broken::Output)?;
    }
    Ok(())
}

fn replay_part(
    mut file: ScanFile<impl BufRead>,
    offset: Duration,
    joined: &Joined,
    zones: &Zones,
    systems: &mut BTreeMap<Address, System>,
    take: &mut dyn FnMut(&Event) -> io::Result<()>,
) -> Result<(), Broken> {
    let mut part = Part {
        joined,
        listed: BTreeMap::new(),
    };
    while let Some(item) = file.next_item(zones).map_err(Broken::Input)? {
        match item {
            Item::Port(port) => {
                let mut verdict = port.verdict;
                let address = verdict.endpoint.address;
                *part
                    .listed
                    .entry((address, verdict.state.name(), verdict.reason.name()))
                    .or_default() += 1;
                (verdict.state, verdict.reason) =
                    part.judged(&address, verdict.state, verdict.reason);
                verdict.at = verdict.at + offset;
                take(&Event::Verdict(verdict)).map_err(Broken::Output)?;
            }
            Item::Host(host) => part.host(&host, take).map_err(Broken::Output)?,
            Item::Untested(untested) => {
                take(&Event::Untested(untested)).map_err(Broken::Output)?;
            }
            // The whole has no open port at a host that answers everything, and nobody would have talked with it.
            Item::Service(service) if joined.liars.contains(&service.endpoint.address) => {}
            Item::Finding(finding) if joined.liars.contains(&finding.endpoint.address) => {}
            Item::Service(service) => {
                take(&Event::Service(service)).map_err(Broken::Output)?;
            }
            Item::Finding(finding) => {
                take(&Event::Finding(finding)).map_err(Broken::Output)?;
            }
            Item::System(system) => match systems.entry(system.address) {
                Entry::Vacant(place) => drop(place.insert(*system)),
                Entry::Occupied(mut known) => unite(known.get_mut(), *system),
            },
            Item::End(figures) => {
                for note in figures.notes {
                    let note = Event::Host(HostNote {
                        address: None,
                        note,
                    });
                    take(&note).map_err(Broken::Output)?;
                }
            }
        }
    }
    Ok(())
}

struct Part<'a> {
    joined: &'a Joined,
    /// How many ports were listed, by host, state and reason.
    listed: BTreeMap<(Address, &'static str, &'static str), u64>,
}

impl Part<'_> {
    /// Counts what was not listed, and passes on what was said of the host.
    fn host(
        &self,
        host: &HostSeen,
        take: &mut dyn FnMut(&Event) -> io::Result<()>,
    ) -> io::Result<()> {
        let lies = self.joined.liars.contains(&host.address);
        let notes = host.notes.iter().copied();
        for note in notes.chain(lies.then_some(Note::AnswersEverything)) {
            take(&Event::Host(HostNote {
                address: Some(host.address),
                note,
            }))?;
        }
        if let Some(loss) = host.loss {
            take(&Event::Loss(sampled(host, loss)))?;
        }
        for group in &host.counts {
            let key = (host.address, group.state.name(), group.reason.name());
            let listed = self.listed.get(&key).copied().unwrap_or(0);
            let count = group.count.saturating_sub(listed);
            if let Some(ports) = host.untested_of(group, count) {
                for port in ports.iter() {
                    take(&Event::Verdict(untested(group, port)))?;
                }
            } else if count > 0 {
                let (state, reason) = self.judged(&host.address, group.state, group.reason);
                take(&Event::Counted(Counted {
                    address: host.address,
                    state,
                    reason,
                    count,
                }))?;
            }
        }
        Ok(())
    }

    fn judged(&self, address: &Address, state: State, reason: Reason) -> (State, Reason) {
        if state == State::Open && self.joined.liars.contains(address) {
            (State::Suspect, Reason::AnswersEverything)
        } else {
            (state, reason)
        }
    }
}

impl HostSeen {
    /// The ports of this group, of which so many were not listed, where the file names them. Where a host's ports were not
    /// tested for different reasons it does not say which is which.
    fn untested_of(&self, group: &Counted, unlisted: u64) -> Option<&PortSet> {
        let ports = self.untested.as_ref()?;
        let is_all = group.count == unlisted && group.count == u64::from(ports.len());
        (group.state == State::Error && is_all).then_some(ports)
    }
}

/// The answers on which a loss was measured, as far as the line has them: one sample for each port that answered.
fn sampled(host: &HostSeen, loss: f64) -> HostLoss {
    let answers = host
        .counts
        .iter()
        .filter(|group| matches!(group.state, State::Open | State::Closed | State::Suspect));
    let samples = answers.fold(0_u64, |sum, group| sum.saturating_add(group.count));
    let samples = samples.clamp(1, MOST_SAMPLES);
    let later = loss * samples as f64;
    // Where it was measured on other answers than these it is no whole number of them.
    let fine = if (later - later.round()).abs() < 1e-6 {
        1
    } else {
        FINE
    };
    let all = samples * fine;
    let later = ((loss * all as f64).round() as u64).min(all);
    HostLoss {
        address: host.address,
        first: all - later,
        later,
    }
}

/// What is known of a port that no line tells of.
fn untested(group: &Counted, port: u16) -> Verdict {
    Verdict {
        endpoint: Endpoint {
            address: group.address,
            port,
        },
        state: group.state,
        reason: group.reason,
        rtt: None,
        ttl: None,
        attempts: 0,
        at: Time::ZERO,
    }
}

/// Ports of a host.
const MOST_SAMPLES: u64 = 65_535;
/// Parts of a sample.
const FINE: u64 = 1_000_000;
