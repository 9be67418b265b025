//! One scan's JSON lines, read and checked line by line.

use std::io::BufRead;
use std::time::{Duration, SystemTime};

use serde_json::error::Category;

use crate::model::facts::{Finding, Service, System};
use crate::model::{
    Address, Counted, Endpoint, Note, Reason, State, Summary, Time, Untested, Verdict,
};
use crate::plan::{Mistake, Plan, PortSet, Shard, Shuffle, TargetSet, quote};
use crate::report::Show;
use crate::report::civil::parse_rfc3339;
use crate::results::facts;
use crate::results::lines::Lines;
use crate::results::record::{
    FindingLine, HostLine, PortLine, Record, ScanLine, ServiceLine, SummaryLine, SystemLine,
    UntestedLine,
};
use crate::results::zones::Zones;

/// What the first line says.
#[derive(Clone, Debug)]
pub struct Head {
    pub version: String,
    pub mode: String,
    pub reason_for_mode: String,
    pub seed: u64,
    pub started: SystemTime,
    pub show: Show,
    pub covered: Covered,
}

/// The endpoints that a file speaks of: a part of a plan.
#[derive(Clone, Debug)]
pub struct Covered {
    pub plan: Plan,
    pub shard: Shard,
    /// Parts that are missing, though they lie in `shard`.
    pub missing: Vec<Shard>,
    shuffle: Shuffle,
}

/// What follows the first line.
#[derive(Clone, Debug)]
pub enum Item {
    Port(Listed),
    Host(HostSeen),
    /// What was not tested before the scan ended.
    Untested(Untested),
    Service(Box<Service>),
    System(Box<System>),
    Finding(Box<Finding>),
    /// Always the last.
    End(Figures),
}

/// A port that is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub verdict: Verdict,
    pub service: Option<String>,
    pub host_name: Option<String>,
}

/// What a host's ports came to, listed or not.
#[derive(Clone, Debug)]
pub struct HostSeen {
    pub address: Address,
    pub name: Option<String>,
    pub notes: Vec<Note>,
    pub counts: Vec<Counted>,
    /// 0 to 1 per round trip, where it was measured.
    pub loss: Option<f64>,
    /// Ports that could not be tested, where they are known.
    pub untested: Option<PortSet>,
}

/// The last line.
#[derive(Clone, Debug)]
pub struct Figures {
    pub summary: Summary,
    pub notes: Vec<Note>,
}

/// Reads a file from its first line to its last.
#[derive(Debug)]
pub struct ScanFile<R> {
    lines: Lines<R>,
    head: Head,
    ended: bool,
}

impl<R: BufRead> ScanFile<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// The file cannot be read, or does not begin as a scan's JSON lines do.
    pub fn open(input: R, name: &str, zones: &mut Zones) -> Result<Self, Mistake> {
        let mut lines = Lines::new(input, name);
        let Some(line) = lines.next_line()? else {
            return Err(lines.about("is empty, or ends within its first line"));
        };
        let head = match serde_json::from_slice(line) {
            Ok(Record::Scan(scan)) => head(&scan, zones).map_err(|what| lines.wrong(&what))?,
            Ok(_) => return Err(lines.wrong("a scan's JSON lines begin with a line of type scan")),
            Err(_) if line.first() == Some(&b'<') => {
                return Err(lines.about("is XML; this takes JSON lines (-o FILE.jsonl)"));
            }
            Err(error) => return Err(lines.wrong(&not_ours(&error))),
        };
        Ok(Self {
            lines,
            head,
            ended: false,
        })
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next item, `None` at the end of the file. A file that was cut off ends without [`Item::End`].
    ///
    /// # Errors
    /// The file cannot be read, or the line is none that this scan can have written.
    pub fn next_item(&mut self, zones: &Zones) -> Result<Option<Item>, Mistake> {
        let Some(line) = self.lines.next_line()? else {
            return Ok(None);
        };
        let item = match serde_json::from_slice(line).map_err(|error| not_ours(&error)) {
            _ if self.ended => Err("nothing follows a summary".to_owned()),
            Ok(Record::Service(line)) => self.head.service(*line, zones),
            Ok(Record::System(line)) => self.head.system(*line, zones),
            Ok(Record::Finding(line)) => self.head.finding(*line, zones),
            Ok(Record::Port(port)) => self.head.port(port, zones).map(Item::Port),
            Ok(Record::Host(host)) => self.head.host(host, zones).map(Item::Host),
            Ok(Record::Untested(line)) => self.head.missing(&line, zones).map(Item::Untested),
            Ok(Record::Summary(summary)) => {
                self.ended = true;
                self.head.figures(&summary).map(Item::End)
            }
            Ok(Record::Scan(_)) => {
                Err("a second scan begins; give each scan a file of its own".to_owned())
            }
            Err(what) => Err(what),
        };
        item.map(Some).map_err(|what| self.lines.wrong(&what))
    }
}

impl Covered {
    fn new(plan: Plan, seed: u64, shard: Shard, missing: Vec<Shard>) -> Self {
        Self {
            shuffle: Shuffle::new(plan.len(), seed),
            plan,
            shard,
            missing,
        }
    }

    /// Whether the file speaks of this endpoint, listed or not.
    pub fn has(&self, endpoint: &Endpoint) -> bool {
        let Some(index) = self.plan.index(endpoint) else {
            return false;
        };
        if self.is_whole() {
            return true;
        }
        let position = self.shuffle.position(index);
        self.shard.rank(position).is_some()
            && self
                .missing
                .iter()
                .all(|part| part.rank(position).is_none())
    }

    /// Whether it is the plan and nothing less.
    pub fn is_whole(&self) -> bool {
        self.shard.count() == 1 && self.missing.is_empty()
    }

    /// How many endpoints lie in `shard`, the missing parts included.
    pub fn endpoints(&self) -> u64 {
        self.shard.len(self.plan.len())
    }

    /// How many endpoints it has: those of `shard` without the missing parts.
    pub fn present(&self) -> u64 {
        let missing = self.missing.iter().map(|part| part.len(self.plan.len()));
        let missing = missing.fold(0, u64::saturating_add);
        self.endpoints().saturating_sub(missing)
    }
}

impl Head {
    fn port(&self, line: PortLine, zones: &Zones) -> Result<Listed, String> {
        let endpoint = self.endpoint(&line.address, line.port, zones)?;
        let state = state(&line.state)?;
        let verdict = Verdict {
            endpoint,
            state,
            reason: reason(&line.reason)?,
            rtt: line.rtt_us.map(Duration::from_micros),
            ttl: line.ttl,
            attempts: line.attempts,
            at: Time(nanoseconds(line.time)?),
        };
        if !self.show.has(state) {
            return Err(format!(
                "lists a port that is {}, which it does not show",
                line.state
            ));
        }
        Ok(Listed {
            verdict,
            service: line.service,
            host_name: line.name,
        })
    }

    fn host(&self, line: HostLine, zones: &Zones) -> Result<HostSeen, String> {
        let address = self.address(&line.address, zones)?;
        let ports = u64::from(self.covered.plan.ports().len());
        let mut counts = Vec::new();
        let mut sum = 0_u64;
        for group in &line.reasons {
            sum = sum.saturating_add(group.count);
            counts.push(Counted {
                address,
                state: state(&group.state)?,
                reason: reason(&group.reason)?,
                count: group.count,
            });
        }
        if sum > ports {
            return Err(format!(
                "counts {sum} ports of a host, and {ports} were scanned"
            ));
        }
        let untested = match &line.error_ports {
            None => None,
            Some(text) => {
                let parsed = PortSet::parse(text).map_err(|_| "error_ports are no ports")?;
                Some(parsed.set)
            }
        };
        Ok(HostSeen {
            address,
            name: line.name,
            notes: notes(&line.notes)?,
            counts,
            loss: fraction(line.loss),
            untested,
        })
    }

    fn missing(&self, line: &UntestedLine, zones: &Zones) -> Result<Untested, String> {
        // An interface may have a hyphen in its name.
        let range = line.targets.split_once('-').and_then(|(first, last)| {
            let ip = first.parse().ok()?;
            let last = zones.known(last)?;
            Some((Address::new(ip).with_zone(last.zone), last))
        });
        let (first, last) = match range {
            Some(range) => range,
            None => {
                let only = self.address(&line.targets, zones)?;
                (only, only)
            }
        };
        let targets = self.covered.plan.targets();
        let ports = PortSet::parse(&line.ports)
            .map_err(|_| format!("{} is no list of ports", quote(&line.ports)))?;
        let untested = Untested {
            first,
            last,
            ports: ports.set.ranges().collect(),
        };
        match (targets.rank(&first), targets.rank(&last)) {
            // Nothing that lies between is no target.
            (Some(from), Some(to)) if to.checked_sub(from) == Some(untested.hosts() - 1) => {
                Ok(untested)
            }
            _ => Err(format!(
                "{} are no targets of this scan",
                quote(&line.targets)
            )),
        }
    }

    fn service(&self, line: ServiceLine, zones: &Zones) -> Result<Item, String> {
        let endpoint = self.endpoint(&line.address, line.port, zones)?;
        Ok(Item::Service(Box::new(facts::service(line, endpoint)?)))
    }

    fn system(&self, line: SystemLine, zones: &Zones) -> Result<Item, String> {
        let address = self.address(&line.address, zones)?;
        Ok(Item::System(Box::new(facts::system(line, address)?)))
    }

    fn finding(&self, line: FindingLine, zones: &Zones) -> Result<Item, String> {
        let endpoint = self.endpoint(&line.address, line.port, zones)?;
        Ok(Item::Finding(Box::new(facts::finding(line, endpoint)?)))
    }

    fn figures(&self, line: &SummaryLine) -> Result<Figures, String> {
        let counts = [
            line.open,
            line.closed,
            line.filtered,
            line.suspect,
            line.error,
            line.untested,
        ];
        let sum = counts.into_iter().fold(0, u64::saturating_add);
        let endpoints = self.covered.endpoints();
        if line.endpoints != endpoints || sum > endpoints {
            return Err(format!(
                "figures that do not add up to the {endpoints} endpoints of this scan"
            ));
        }
        Ok(Figures {
            summary: Summary {
                complete: line.complete,
                endpoints,
                open: line.open,
                closed: line.closed,
                filtered: line.filtered,
                suspect: line.suspect,
                error: line.error,
                packets_sent: line.packets_sent,
                loss: fraction(line.loss),
                expected_missed: line.expected_missed,
                capture_drops: line.capture_drops,
                strays: line.strays,
                untested: line.untested,
                // Not written apart: a scan with such a host is not complete.
                blocked: 0,
                unheard: 0,
                pinged: None,
                elapsed: Duration::from_nanos(nanoseconds(line.seconds)?),
                interrupted: line.interrupted,
            },
            notes: notes(&line.notes)?,
        })
    }

    /// An endpoint of this scan, or of this part of it.
    fn endpoint(&self, address: &str, port: u16, zones: &Zones) -> Result<Endpoint, String> {
        let address = self.address(address, zones)?;
        let endpoint = Endpoint { address, port };
        let told = || format!("{endpoint} is not among the endpoints of this scan");
        let is_ours = self.covered.has(&endpoint);
        is_ours.then_some(endpoint).ok_or_else(told)
    }

    /// An address of this scan.
    fn address(&self, text: &str, zones: &Zones) -> Result<Address, String> {
        zones
            .known(text)
            .filter(|address| self.covered.plan.targets().contains(address))
            .ok_or_else(|| format!("{} is no address of this scan", quote(text)))
    }
}

fn head(line: &ScanLine, zones: &mut Zones) -> Result<Head, String> {
    if line.scope.as_ref().is_some_and(|scope| scope != "ports") {
        return Err("a scan with --ping, of which nobody can tell what it tested".to_owned());
    }
    let mut ranges = Vec::with_capacity(line.target_list.len());
    for text in &line.target_list {
        let range = zones
            .range(text)
            .ok_or_else(|| format!("{} is no range of addresses", quote(text)))?;
        ranges.push(range);
    }
    let targets = TargetSet::new(&ranges, &[]).map_err(|_| "an empty or endless target_list")?;
    let ports = PortSet::parse(&line.port_list)
        .map_err(|_| format!("{} is no list of ports", quote(&line.port_list)))?;
    let shard = |text: &str| Shard::parse(text).map_err(|mistake| mistake.to_string());
    let missing: Result<Vec<Shard>, String> =
        line.missing_shards.iter().map(|text| shard(text)).collect();
    let covered = Covered::new(
        Plan::new(targets, ports.set),
        line.seed,
        shard(&line.shard)?,
        missing?,
    );
    if covered.endpoints() != line.endpoints {
        return Err(format!(
            "{} endpoints, but targets and ports are {}",
            line.endpoints,
            covered.endpoints()
        ));
    }
    let states: Result<Vec<State>, String> = line.show.iter().map(|text| state(text)).collect();
    Ok(Head {
        version: line.version.clone(),
        mode: line.mode.clone(),
        reason_for_mode: line.reason_for_mode.clone(),
        seed: line.seed,
        started: parse_rfc3339(&line.started)
            .ok_or_else(|| format!("{} is no moment", quote(&line.started)))?,
        show: Show::of(&states?),
        covered,
    })
}

fn fraction(loss: Option<f64>) -> Option<f64> {
    loss.filter(|loss| (0.0..=1.0).contains(loss))
}

fn state(text: &str) -> Result<State, String> {
    State::named(text).ok_or_else(|| format!("unknown state {}", quote(text)))
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::named(text).ok_or_else(|| format!("unknown reason {}", quote(text)))
}

fn notes(texts: &[String]) -> Result<Vec<Note>, String> {
    let note =
        |text: &String| Note::named(text).ok_or_else(|| format!("unknown note {}", quote(text)));
    texts.iter().map(note).collect()
}

fn nanoseconds(seconds: f64) -> Result<u64, String> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|time| u64::try_from(time.as_nanos()).ok())
        .ok_or_else(|| "a time that no scan can have taken".to_owned())
}

/// What is wrong with a line; its number is told by whoever has read it.
fn not_ours(error: &serde_json::Error) -> String {
    let why = match error.classify() {
        Category::Data => {
            let words = error.to_string();
            let place = words.find(" at line ").unwrap_or(words.len());
            words.get(..place).unwrap_or_default().to_owned()
        }
        Category::Syntax | Category::Eof | Category::Io => {
            format!("no JSON at column {}", error.column())
        }
    };
    format!("not a line that halfopen writes: {why}")
}
