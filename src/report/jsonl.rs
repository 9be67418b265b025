//! JSON lines: one object per line, ports as they are found, hosts and figures at the end.
//!
//! Fields may be added to these objects, never renamed or removed. `started` is RFC 3339 in UTC, `time` is seconds since
//! then, `rtt_us` microseconds, `loss` 0 to 1 per round trip and null when it is not known.
//!
//! The first line says what the scan covered (`target_list` and `port_list`, without the excludes; of a shard, the positions
//! that are its own under `seed`) and which states it lists (`show`); each host line has the `reasons` of all its ports, and as
//! `error_ports` those that could not be tested (not where they are more than a million: `--show error` lists them all). So a
//! reader knows what is meant by a port that is not listed: [`crate::results`] reads these files back. What was not tested
//! before the scan ended stands in lines of its own, as `targets` and `ports` that can be typed again.

mod facts;

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::Serializer;

use crate::model::{Address, Event, Note, State, Summary};
use crate::report::civil::rfc3339;
use crate::report::escape::PlainJson;
use crate::report::fields::{FIELDS, Field, PortRecord, SERVICE_FIELDS, Value};
use crate::report::names::Names;
use crate::report::tally::{Group, Host, Keep, Range, Tally};
use crate::report::{Header, Report, Scope, Show};

/// The JSON-lines report.
#[derive(Debug)]
pub struct JsonLines {
    tally: Tally,
    names: Names,
    show: Show,
    fields: Vec<Field>,
    only_host: Option<Address>,
    scope: Scope,
    /// Whether this is one part of several.
    part: bool,
}

impl JsonLines {
    /// A report with a line for every port whose state is in `show`.
    pub fn new(show: Show, names: Names) -> Self {
        Self {
            tally: Tally::new(Keep::Counts),
            names,
            show,
            fields: FIELDS.to_vec(),
            only_host: None,
            scope: Scope::Ports,
            part: false,
        }
    }

    /// The same report with no more than these fields of each port, in this order.
    ///
    /// What is only known once a port was talked with has lines of its own ([`SERVICE_FIELDS`] are left out).
    pub fn with_fields(self, mut fields: Vec<Field>) -> Self {
        fields.retain(|field| SERVICE_FIELDS.iter().all(|late| late.name != field.name));
        Self { fields, ..self }
    }

    fn host(
        &self,
        address: &Address,
        host: &Host,
        loss: Option<f64>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let notes: Vec<&str> = host.notes.iter().map(|note| note.name()).collect();
        object(out, "host", |map| {
            map.serialize_entry("address", &self.names.address(address))?;
            map.serialize_entry("name", &self.names.host(address))?;
            map.serialize_entry("notes", &notes)?;
            for state in State::ALL {
                map.serialize_entry(state.name(), &host.count(state))?;
            }
            let mut reasons: Vec<Counted> = host.groups.iter().map(Counted::from).collect();
            reasons.sort_unstable_by_key(|group| (group.state, group.reason));
            map.serialize_entry("reasons", &reasons)?;
            map.serialize_entry("loss", &loss)?;
            match host.untested_ports().filter(|ports| !ports.is_empty()) {
                Some(ports) => map.serialize_entry("error_ports", &joined(&ports)),
                None => Ok(()),
            }
        })
    }
}

/// `22,80,8000-8100`
fn joined(ranges: &[Range]) -> String {
    let ranges: Vec<String> = ranges.iter().map(Range::to_string).collect();
    ranges.join(",")
}

/// How many ports of a host share a state and a reason, listed or not.
#[derive(Serialize)]
struct Counted {
    #[serde(serialize_with = "name_of")]
    state: State,
    reason: &'static str,
    count: u64,
}

impl From<&Group> for Counted {
    fn from(group: &Group) -> Self {
        Self {
            state: group.state,
            reason: group.reason.name(),
            count: group.count,
        }
    }
}

fn name_of<S: serde::Serializer>(state: &State, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(state.name())
}

/// `3/4`
fn shard((index, count): &(u64, u64)) -> String {
    format!("{index}/{count}")
}

impl Report for JsonLines {
    fn start(&mut self, header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
        // Where hosts are what was asked for, each had its line when it was found.
        self.only_host = header.only_host.filter(|_| header.scope != Scope::Hosts);
        self.scope = header.scope;
        self.part = header.shard.1 > 1;
        object(out, "scan", |map| {
            map.serialize_entry("version", &header.version)?;
            map.serialize_entry("mode", &header.mode)?;
            map.serialize_entry("reason_for_mode", &header.reason_for_mode)?;
            if header.scope != Scope::Ports {
                map.serialize_entry("scope", header.scope.name())?;
            }
            map.serialize_entry("targets", &header.hosts)?;
            map.serialize_entry("ports", &header.ports)?;
            map.serialize_entry("endpoints", &header.endpoints)?;
            map.serialize_entry("seed", &header.seed)?;
            map.serialize_entry("shard", &shard(&header.shard))?;
            if !header.missing_shards.is_empty() {
                let missing: Vec<String> = header.missing_shards.iter().map(shard).collect();
                map.serialize_entry("missing_shards", &missing)?;
            }
            map.serialize_entry("target_list", &header.target_list)?;
            map.serialize_entry("port_list", &header.port_list)?;
            let show: Vec<&str> = self.show.states().map(State::name).collect();
            map.serialize_entry("show", &show)?;
            map.serialize_entry("started", &rfc3339(header.started))
        })
    }

    fn event(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        self.tally.take(event);
        match event {
            Event::Verdict(verdict) if self.show.lists(verdict) => {
                let record = PortRecord::new(verdict, &self.names);
                object(out, "port", |map| {
                    self.fields.iter().try_for_each(|field| {
                        map.serialize_entry(field.name, &(field.take)(&record))
                    })
                })
            }
            Event::Alive(alive) => object(out, "host", |map| {
                map.serialize_entry("address", &self.names.address(&alive.address))?;
                map.serialize_entry("name", &self.names.host(&alive.address))?;
                map.serialize_entry("reason", alive.sign.name())?;
                map.serialize_entry("rtt_us", &alive.rtt.map(|rtt| rtt.as_micros() as u64))?;
                map.serialize_entry("time", &Value::Seconds(alive.at.as_secs_f64()))
            }),
            Event::Service(service) => facts::service(service, &self.names, out),
            Event::System(system) => facts::system(system, &self.names, out),
            Event::Finding(finding) => facts::finding(finding, &self.names, out),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        if let Some(only) = self.only_host {
            self.tally.hosts.entry(only).or_default();
        }
        // Where there is one host, the loss of the scan is its own.
        let of_all = summary.loss.filter(|_| self.only_host.is_some());
        for (address, host) in &self.tally.hosts {
            // A host of which there is nothing but silence has no line, or a /16 would have 65,536 of them.
            // The host may have answered another part, and the whole must know why these ports are filtered.
            let told = host.worth_telling() || (self.part && host.heard_of());
            if self.scope != Scope::Hosts && (told || self.only_host.is_some()) {
                self.host(address, host, host.loss().or(of_all), out)?;
            }
        }
        let notes: Vec<&str> = self
            .tally
            .notes
            .iter()
            .map(|note: &Note| note.name())
            .collect();
        for group in self.tally.unasked.groups() {
            object(out, "untested", |map| {
                let targets = self.names.range(&group.first, &group.last);
                map.serialize_entry("targets", &targets)?;
                map.serialize_entry("ports", &group.port_list())?;
                map.serialize_entry("endpoints", &group.endpoints())
            })?;
        }
        object(out, "summary", |map| {
            map.serialize_entry("complete", &summary.complete)?;
            map.serialize_entry("interrupted", &summary.interrupted)?;
            map.serialize_entry("endpoints", &summary.endpoints)?;
            map.serialize_entry("open", &summary.open)?;
            map.serialize_entry("closed", &summary.closed)?;
            map.serialize_entry("filtered", &summary.filtered)?;
            map.serialize_entry("suspect", &summary.suspect)?;
            map.serialize_entry("error", &summary.error)?;
            map.serialize_entry("packets_sent", &summary.packets_sent)?;
            map.serialize_entry("loss", &summary.loss)?;
            map.serialize_entry("expected_missed", &summary.expected_missed)?;
            map.serialize_entry("capture_drops", &summary.capture_drops)?;
            map.serialize_entry("strays", &summary.strays)?;
            map.serialize_entry("untested", &summary.untested)?;
            if let Some(pinged) = summary.pinged {
                map.serialize_entry("hosts_up", &pinged.up)?;
                map.serialize_entry("hosts_down", &(pinged.asked - pinged.up))?;
            }
            map.serialize_entry("notes", &notes)?;
            map.serialize_entry("seconds", &summary.elapsed.as_secs_f64())
        })
    }
}

/// An object under way.
pub type Map<'a> = serde_json::ser::Compound<'a, Vec<u8>, PlainJson>;

/// Writes one object of this type, in the order in which `fill` names its fields, and ends the line. The line reaches the
/// output whole.
///
/// # Errors
/// What the output said.
pub fn object(
    out: &mut dyn io::Write,
    kind: &str,
    fill: impl FnOnce(&mut Map<'_>) -> serde_json::Result<()>,
) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(Vec::with_capacity(256), PlainJson);
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("type", kind)?;
    fill(&mut map)?;
    map.end()?;
    let mut line = serializer.into_inner();
    line.push(b'\n');
    out.write_all(&line)
}
