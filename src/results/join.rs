//! The parts of a scan, checked against each other: one scan, every part once, none missing.
//!
//! Two readings: [`survey`] learns what each file holds before anything is written, [`super::replay`] hands it on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::time::Duration;

use crate::engine::confirm::{LIE_PORTS, NEARLY_ALL};
use crate::model::{Address, Reason, State, Summary};
use crate::plan::{Mistake, quote};
use crate::report::names::Names;
use crate::report::{Header, Scope, Show};
use crate::results::scan_file::{Head, Item, ScanFile};
use crate::results::zones::Zones;

/// What one file holds.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What the file is called in messages.
    pub name: String,
    pub head: Head,
    /// The figures; of a file that was cut off, what its lines come to.
    pub summary: Summary,
    pub end: End,
    /// Whether it tells what ports serve.
    pub tells: Tells,
    names: Names,
    hosts: BTreeMap<Address, Claims>,
}

/// Whether a file has its last line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Written,
    CutOff,
}

/// What is told of ports beyond their states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tells {
    States,
    Services,
}

/// Whether parts may be missing or not complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gaps {
    Refused,
    Allowed,
}

/// The whole, before its ports are read.
#[derive(Clone, Debug)]
pub struct Joined {
    pub header: Header,
    pub show: Show,
    pub names: Names,
    pub summary: Summary,
    /// Hosts that answer everything, which no part alone was large enough to see.
    pub liars: BTreeSet<Address>,
    /// Ports of hosts that were heard of in some part, but were silent in a part that has no line about them.
    pub silent: BTreeMap<Address, u64>,
    /// How much later than the first each part began, in the order in which they were given.
    pub offsets: Vec<Duration>,
}

/// What was heard of a host: its ports that were tested, and those that took a connection.
#[derive(Clone, Copy, Default, Debug)]
struct Claims {
    tested: u64,
    open: u64,
    suspect: u64,
}

/// Reads a file through.
///
/// # Errors
/// The file cannot be read, or is none that a scan wrote.
pub fn survey(input: impl BufRead, name: &str, zones: &mut Zones) -> Result<Survey, Mistake> {
    let mut file = ScanFile::open(input, name, zones)?;
    let mut survey = Survey {
        name: name.to_owned(),
        head: file.head().clone(),
        summary: Summary::default(),
        end: End::CutOff,
        tells: Tells::States,
        names: Names::default(),
        hosts: BTreeMap::new(),
    };
    let endpoints = survey.head.covered.endpoints();
    let mut listed = Summary {
        endpoints,
        untested: endpoints,
        ..Summary::default()
    };
    while let Some(item) = file.next_item(zones)? {
        match item {
            Item::Port(port) => {
                let verdict = port.verdict;
                *listed.count_mut(verdict.state) += 1;
                listed.untested = listed.untested.saturating_sub(1);
                let address = verdict.endpoint.address;
                if let Some(service) = port.service {
                    survey.names.services.insert(verdict.endpoint.port, service);
                }
                if let Some(name) = port.host_name {
                    survey.names.hosts.insert(address, name);
                }
            }
            Item::Host(host) => {
                if let Some(name) = host.name {
                    survey.names.hosts.insert(host.address, name);
                }
                let claims = survey.hosts.entry(host.address).or_default();
                for group in host.counts {
                    claims.tested = claims.tested.saturating_add(group.count);
                    match (group.state, group.reason) {
                        (State::Open, _) => claims.open += group.count,
                        (State::Suspect, Reason::AnswersEverything) => {
                            claims.suspect += group.count
                        }
                        _ => {}
                    }
                }
            }
            Item::Untested(_) => {}
            Item::Service(_) | Item::System(_) | Item::Finding(_) => {
                survey.tells = Tells::Services;
            }
            Item::End(figures) => {
                survey.summary = figures.summary;
                survey.end = End::Written;
            }
        }
    }
    if survey.end == End::CutOff {
        survey.summary = listed;
    }
    Ok(survey)
}

/// Joins what was surveyed.
///
/// # Errors
/// Every reason why these files are not one scan.
pub fn join(parts: &[Survey], gaps: Gaps, zones: &Zones) -> Result<Joined, Vec<Mistake>> {
    let Some(first) = parts.first() else {
        return Err(vec![Mistake::new(
            "no files given; name the JSON lines of every part",
        )]);
    };
    let mut mistakes: Vec<Mistake> = parts
        .iter()
        .filter_map(|part| stranger(first, part))
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    mistakes.extend(twice(parts));
    let missing = missing(parts);
    if gaps == Gaps::Refused {
        mistakes.extend(parts.iter().filter_map(incomplete));
        mistakes.extend(told_missing(&missing, first));
    }
    if missing.len() > MOST_MISSING {
        mistakes.push(Mistake::new(format!(
            "more than {MOST_MISSING} parts are missing"
        )));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(joined(parts, first, &missing, zones))
}

fn joined(parts: &[Survey], first: &Survey, missing: &[u64], zones: &Zones) -> Joined {
    let plan = &first.head.covered.plan;
    let started = parts
        .iter()
        .map(|part| part.head.started)
        .min()
        .unwrap_or(first.head.started);
    let offsets: Vec<Duration> = parts
        .iter()
        .map(|part| {
            part.head
                .started
                .duration_since(started)
                .unwrap_or_default()
        })
        .collect();
    let mut names = Names {
        zones: zones.names(),
        ..Names::default()
    };
    let mut hosts: BTreeMap<Address, Claims> = BTreeMap::new();
    for part in parts {
        names.services.extend(part.names.services.clone());
        names.hosts.extend(part.names.hosts.clone());
        for (address, claims) in &part.hosts {
            let all = hosts.entry(*address).or_default();
            all.tested += claims.tested;
            all.open += claims.open;
            all.suspect += claims.suspect;
        }
    }
    let mut summary = figures(parts, &offsets, plan.len());
    let ports = u64::from(plan.ports().len());
    let silent = if summary.untested == 0 {
        hosts
            .iter()
            .map(|(address, claims)| (*address, ports.saturating_sub(claims.tested)))
            .filter(|(_, silent)| *silent > 0)
            .collect()
    } else {
        // Which ports were not tested is not known, so neither is which were silent.
        BTreeMap::new()
    };
    for (address, claims) in &mut hosts {
        claims.tested += silent.get(address).copied().unwrap_or(0);
    }
    hosts.retain(|_, claims| claims.is_lie());
    // What took connections on nearly every port proves no listener, however few of them each part had seen.
    let lies = hosts.values().map(|claims| claims.open).sum();
    summary.suspect = summary.suspect.saturating_add(lies);
    summary.open = summary.open.saturating_sub(lies);

    let count = first.head.covered.shard.count();
    let target_list = plan.targets().ranges();
    let (mode, reason_for_mode) = mode(parts, first);
    Joined {
        header: Header {
            version: first.head.version.clone(),
            mode,
            reason_for_mode,
            scope: Scope::Ports,
            hosts: plan.hosts(),
            only_host: (plan.hosts() == 1).then(|| plan.host(0)).flatten(),
            ports: plan.ports().len().into(),
            endpoints: plan.len(),
            seed: first.head.seed,
            shard: (1, 1),
            missing_shards: missing.iter().map(|index| (index + 1, count)).collect(),
            target_list: target_list
                .map(|range| names.range(&range.first(), &range.last()))
                .collect(),
            port_list: plan.ports().to_string(),
            command: "halfopen merge".to_owned(),
            started,
        },
        show: first.head.show,
        names,
        summary,
        liars: hosts.into_keys().collect(),
        silent,
        offsets,
    }
}

/// The sums; loss is weighed by the packets that it was measured on.
fn figures(parts: &[Survey], offsets: &[Duration], endpoints: u64) -> Summary {
    let mut all = Summary {
        complete: true,
        endpoints,
        ..Summary::default()
    };
    let (mut lost, mut measured) = (0.0, 0.0);
    let mut tested = 0_u64;
    for (part, offset) in parts.iter().zip(offsets) {
        let of = &part.summary;
        for state in State::ALL {
            let sum = all.count_mut(state);
            *sum = sum.saturating_add(of.count(state));
        }
        all.complete &= of.complete;
        all.interrupted |= of.interrupted;
        all.packets_sent = all.packets_sent.saturating_add(of.packets_sent);
        all.expected_missed += of.expected_missed;
        all.capture_drops = all.capture_drops.saturating_add(of.capture_drops);
        all.strays = all.strays.saturating_add(of.strays);
        all.elapsed = all.elapsed.max(offset.saturating_add(of.elapsed));
        tested = tested.saturating_add(of.endpoints.saturating_sub(of.untested));
        if let Some(loss) = of.loss {
            lost += loss * of.packets_sent as f64;
            measured += of.packets_sent as f64;
        }
    }
    all.loss = (measured > 0.0).then(|| lost / measured);
    all.untested = endpoints.saturating_sub(tested);
    all.complete &= all.untested == 0;
    all
}

fn mode(parts: &[Survey], first: &Survey) -> (String, String) {
    let mut modes: BTreeMap<&str, usize> = BTreeMap::new();
    for part in parts {
        *modes.entry(&part.head.mode).or_default() += 1;
    }
    if modes.len() == 1 {
        return (first.head.mode.clone(), first.head.reason_for_mode.clone());
    }
    let told: Vec<String> = modes
        .iter()
        .map(|(mode, count)| format!("{count} in {mode} mode"))
        .collect();
    ("mixed".to_owned(), format!("parts: {}", told.join(", ")))
}

/// Why a file is of another scan than the first.
fn stranger(first: &Survey, part: &Survey) -> Option<Mistake> {
    let (one, other) = (&first.head, &part.head);
    let (known, its) = (&one.covered, &other.covered);
    let what = if !its.missing.is_empty() {
        return Some(Mistake::new(format!(
            "{} is itself merged from parts of which some were missing; merge the parts",
            quote(&part.name)
        )));
    } else if one.version != other.version {
        format!("version {} and not {}", other.version, one.version)
    } else if known.plan.targets() != its.plan.targets() {
        let mut pairs = known
            .plan
            .targets()
            .ranges()
            .zip(its.plan.targets().ranges());
        match pairs.find(|(one, other)| one != other) {
            Some((one, other)) => format!("targets with {other} and not {one}"),
            None => "other targets".to_owned(),
        }
    } else if known.plan.ports() != its.plan.ports() {
        "other ports".to_owned()
    } else if known.shard.count() != its.shard.count() {
        format!(
            "{} parts and not {}",
            its.shard.count(),
            known.shard.count()
        )
    } else if one.seed != other.seed {
        format!("seed {} and not {}", other.seed, one.seed)
    } else if one.show != other.show {
        "other states shown (--show)".to_owned()
    } else {
        return None;
    };
    Some(Mistake::new(format!(
        "{} is of another scan than {}: {what}",
        quote(&part.name),
        quote(&first.name)
    )))
}

fn twice(parts: &[Survey]) -> Vec<Mistake> {
    let mut seen: BTreeMap<u64, &str> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for part in parts {
        let shard = part.head.covered.shard;
        if let Some(before) = seen.insert(shard.index(), &part.name) {
            mistakes.push(Mistake::new(format!(
                "part {}/{} is in both {} and {}",
                shard.index() + 1,
                shard.count(),
                quote(before),
                quote(&part.name)
            )));
        }
    }
    mistakes
}

fn incomplete(part: &Survey) -> Option<Mistake> {
    let of = &part.summary;
    let what = if part.end == End::CutOff {
        "has no summary: the scan was killed, or is still running".to_owned()
    } else if of.complete {
        return None;
    } else if of.interrupted {
        format!("was interrupted, {} endpoints were not tested", of.untested)
    } else if of.untested + of.error > 0 {
        format!(
            "is not complete: {} endpoints not tested, {} errors",
            of.untested, of.error
        )
    } else {
        "is not proven complete".to_owned()
    };
    Some(Mistake::new(format!(
        "{} {what}; scan this part again, or take it as it is with --allow-gaps",
        quote(&part.name)
    )))
}

/// The parts, from 0, that no file has; one more than are of use to anybody at the most.
fn missing(parts: &[Survey]) -> Vec<u64> {
    let there: BTreeSet<u64> = parts
        .iter()
        .map(|part| part.head.covered.shard.index())
        .collect();
    let count = parts
        .first()
        .map_or(0, |part| part.head.covered.shard.count());
    (0..count)
        .filter(|index| !there.contains(index))
        .take(MOST_MISSING + 1)
        .collect()
}

fn told_missing(missing: &[u64], first: &Survey) -> Option<Mistake> {
    let count = first.head.covered.shard.count();
    let parts: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|index| format!("{}/{count}", index + 1))
        .collect();
    let more = missing.len().saturating_sub(NAMED);
    let what = match (parts.as_slice(), more) {
        ([], _) => return None,
        ([one], 0) => format!("part {one} is missing"),
        (_, 0) => format!("parts {} are missing", parts.join(", ")),
        (_, more) => format!("parts {} and {more} more are missing", parts.join(", ")),
    };
    Some(Mistake::new(format!(
        "{what}; --allow-gaps merges what is there"
    )))
}

impl Claims {
    /// The rule of the engine, over all parts.
    fn is_lie(&self) -> bool {
        let opened = self.open.saturating_add(self.suspect);
        self.open > 0
            && self.tested >= LIE_PORTS
            && opened as f64 >= self.tested as f64 * NEARLY_ALL
    }
}

const MOST_MISSING: usize = 10_000;
const NAMED: usize = 8;
