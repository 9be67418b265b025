//! OSV records of distributions: source packages, and the versions that introduced and fixed a vulnerability.

use std::io::Read;

use serde::Deserialize;

use crate::enrich::vulns::build::Distribution;
use crate::enrich::vulns::id::CveId;
use crate::enrich::vulns::judge::Weight;
use crate::enrich::vulns::range::{Bound, Range};
use crate::store::feeds::{Advisory, Broken, More, Packaged, Statement, Take, day, stream};

#[derive(Deserialize)]
struct Osv {
    id: String,
    #[serde(default)]
    modified: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    upstream: Vec<String>,
    #[serde(default)]
    related: Vec<String>,
    #[serde(default)]
    affected: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(default)]
    package: Option<Name>,
    #[serde(default)]
    ranges: Vec<Events>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    ecosystem_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Name {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Events {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

#[derive(Deserialize)]
struct Specific {
    #[serde(default)]
    urgency: Option<String>,
}

pub fn read(input: &mut dyn Read, take: &mut Take<'_>) -> Result<More, Broken> {
    let mut more = More::default();
    stream::records(input, &mut |record: Osv| {
        let modified = record.modified.as_deref().and_then(day);
        more.dated = more.dated.take().max(modified);
        let ids = record.ids();
        let packages: Vec<Packaged> = record
            .affected
            .iter()
            .filter_map(Affected::packaged)
            .collect();
        if ids.is_empty() || packages.is_empty() && !record.affected.is_empty() {
            more.left_out += 1;
            return Ok(());
        }
        take(Statement::Advisory(Advisory {
            name: record.id,
            ids,
            packages: match record.withdrawn {
                Some(_) => Vec::new(),
                None => packages,
            },
        }))
    })?;
    Ok(more)
}

impl Osv {
    /// The CVEs that it is about. `related` held them before `upstream` was there.
    fn ids(&self) -> Vec<CveId> {
        let named = |names: &[String]| -> Vec<CveId> {
            names.iter().filter_map(|name| name.parse().ok()).collect()
        };
        let mut ids = named(&self.aliases);
        ids.extend(named(&self.upstream));
        ids.extend(CveId::within(&self.id));
        if ids.is_empty() {
            ids = named(&self.related);
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Affected {
    /// What is kept of it: nothing where its versions are in no order that is known here.
    fn packaged(&self) -> Option<Packaged> {
        let package = self.package.as_ref()?;
        let known = [Distribution::Debian, Distribution::Ubuntu];
        // Without a release an ecosystem says nothing about a build.
        if !known
            .iter()
            .any(|distribution| distribution.owns(&package.ecosystem))
            || !package.ecosystem.contains(':')
        {
            return None;
        }
        let mut ranges: Vec<Range> = self
            .ranges
            .iter()
            .filter(|events| events.kind == "ECOSYSTEM")
            .flat_map(|events| spans(&events.events))
            .collect();
        if ranges.is_empty() {
            ranges = self.versions.iter().map(Range::exactly).collect();
        }
        let urgency = self
            .ecosystem_specific
            .as_ref()
            .and_then(|specific| specific.urgency.as_deref());
        (!ranges.is_empty()).then(|| Packaged {
            package: package.name.clone(),
            ecosystem: package.ecosystem.clone(),
            ranges,
            weight: match urgency {
                Some("unimportant") => Weight::Unimportant,
                _ => Weight::Ordinary,
            },
        })
    }
}

/// The stretches that events make: each begins where it was introduced, and ends where it was fixed.
fn spans(events: &[Event]) -> Vec<Range> {
    let (mut spans, mut from) = (Vec::new(), None);
    for event in events {
        if let Some(introduced) = &event.introduced {
            // Twice without an end between them: one stretch.
            from = from.or_else(|| Some(Bound::including(introduced)));
        }
        let fixed = event.fixed.as_deref().map(Bound::excluding);
        let end = fixed.or_else(|| event.last_affected.as_deref().map(Bound::including));
        if let Some(end) = end {
            spans.push(Range::between(from.take(), Some(end)));
        }
    }
    if from.is_some() {
        spans.push(Range::between(from, None));
    }
    spans
}
