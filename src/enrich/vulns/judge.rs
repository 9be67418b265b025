//! What an entry of the feeds is worth for a piece of software that answered.
//!
//! Upstream's ranges say whether the version that was told is meant; the distribution whose build it is says whether it
//! mended that version. Where both were told the distribution has the last word. Nothing is ever called more than
//! `likely`: what was told is a text.

use std::cmp::Ordering;

use crate::enrich::vulns::build::{Build, is_release};
use crate::enrich::vulns::id::CveId;
use crate::enrich::vulns::range::{Condition, Edge, Extent, Range};
use crate::enrich::vulns::{dpkg, order};
use crate::model::Endpoint;
use crate::model::facts::{Exploited, Finding, Judgement, Software};

/// A piece of software, and what decides how far its version can be trusted.
#[derive(Clone, PartialEq, Debug)]
pub struct Subject<'a> {
    pub software: &'a Software,
    /// Upstream's version.
    pub version: Option<&'a str>,
    /// The distribution that built it, if that was told.
    pub build: Option<Build>,
    /// Whose build it is otherwise, if that was told: nothing can be compared with what they mended.
    pub built_by: Option<&'a str>,
    /// The ecosystems (`Debian:12`) that this upstream version was seen in.
    pub ecosystems: Vec<String>,
    pub packaging: Packaging,
}

/// Whether a distribution may have mended a version without changing its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Packaging {
    /// No distribution is known to build it.
    Nowhere,
    /// Distributions build it, and the database has nothing of theirs.
    NotCompared,
    /// The database has what they mended.
    Compared,
}

/// What the feeds say of one vulnerability and this software.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub id: CveId,
    pub upstream: Vec<Upstream>,
    pub packages: Vec<Package>,
    pub exploited: Exploited,
    pub epss: Option<f64>,
    pub score: Option<f64>,
}

/// Versions as upstream numbers them.
#[derive(Clone, PartialEq, Debug)]
pub struct Upstream {
    /// Feed and date: `nvd 2026-11-20`.
    pub source: String,
    /// `openbsd:openssh`; a vendor that the feed does not name is `*`.
    pub product: String,
    pub ranges: Vec<Range>,
}

/// Versions of a distribution's package.
#[derive(Clone, PartialEq, Debug)]
pub struct Package {
    pub source: String,
    /// `DEBIAN-CVE-2024-6387`, `DSA-5724-1`
    pub advisory: String,
    /// `Debian:12`
    pub ecosystem: String,
    pub ranges: Vec<Range>,
    pub weight: Weight,
}

/// How the distribution looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Weight {
    Ordinary,
    /// The distribution calls it unimportant: not reachable in its build, or no flaw in its eyes.
    Unimportant,
}

/// A judgement with its reason.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Judged {
    judgement: Judgement,
    rule: String,
    source: String,
}

impl Subject<'_> {
    /// What an entry means for this software; `None`: nothing.
    pub fn finding(&self, endpoint: Endpoint, entry: &Entry) -> Option<Finding> {
        let judged = self.judge(entry)?;
        let software = self.software;
        let name = || {
            let parts = [
                Some(&software.product),
                software.version.as_ref(),
                software.revision.as_ref(),
            ];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            parts.join(" ")
        };
        Some(Finding {
            endpoint,
            id: entry.id.to_string(),
            judgement: judged.judgement,
            software: software.cpe.clone().unwrap_or_else(name),
            rule: judged.rule.chars().take(LONGEST_RULE).collect(),
            evidence: software.evidence.clone(),
            exploited: entry.exploited,
            epss: entry.epss,
            score: entry.score,
            source: judged.source,
        })
    }

    fn judge(&self, entry: &Entry) -> Option<Judged> {
        let Some(version) = self.version else {
            return unversioned(entry);
        };
        let meant = meant(entry, version);
        let judged = match &self.build {
            Some(Build {
                version: Some(full),
                ..
            }) => self.compared(entry, version, full, &meant)?,
            _ => {
                let Meant::Yes(upstream, range) = &meant else {
                    return meant.untold();
                };
                self.uncompared(entry, version, upstream, range)
            }
        };
        Some(judged)
    }

    /// The build was told: what the distribution says of this very version decides.
    fn compared(
        &self,
        entry: &Entry,
        version: &str,
        full: &str,
        meant: &Meant<'_>,
    ) -> Option<Judged> {
        let rows = self.rows(entry);
        let Some(first) = rows.first() else {
            let Meant::Yes(upstream, range) = meant else {
                return meant.untold();
            };
            let distribution = self.build.as_ref()?.distribution.name();
            return Some(upstream.judged(
                Judgement::Possible,
                range,
                &match self.packaging {
                    Packaging::Compared => format!("{distribution} says nothing of it for {full}"),
                    Packaging::NotCompared | Packaging::Nowhere => {
                        format!("{distribution} may have mended it: no data of its own to compare")
                    }
                },
            ));
        };
        let sources = |row: &Package| match meant {
            Meant::Yes(upstream, _) => format!("{}, {}", row.source, upstream.source),
            _ => row.source.clone(),
        };
        let affected = |row: &&Package| {
            let inside = |range: &Range| range.contains(full, by_dpkg) == Some(true);
            row.ranges.iter().any(inside)
        };
        if let Some(mended) = rows.iter().find(|row| !affected(row)) {
            let fix = mended
                .fixes()
                .filter(|fix| by_dpkg(full, fix).is_ge())
                .max_by(|a, b| by_dpkg(a, b))?;
            // What was mended before this version existed is no news about it.
            let is_news = matches!(meant, Meant::Yes(..)) || is_of(fix, version);
            return is_news.then(|| Judged {
                judgement: Judgement::FixedByDistribution,
                rule: format!(
                    "{} fixed it in {fix} ({}); this is {full}",
                    mended.ecosystem, mended.advisory
                ),
                source: sources(mended),
            });
        }
        let fix = rows
            .iter()
            .find_map(|row| row.fixes().next().map(|fix| (row, fix)));
        let (row, mut rule) = match fix {
            Some((row, fix)) => (
                *row,
                format!(
                    "{} fixed it in {fix} ({}); this is {full}",
                    row.ecosystem, row.advisory
                ),
            ),
            None => (
                *first,
                format!(
                    "{} has no fix for {full} ({})",
                    first.ecosystem, first.advisory
                ),
            ),
        };
        let unimportant = rows.iter().all(|row| row.weight == Weight::Unimportant);
        if unimportant {
            rule.push_str(", and calls it unimportant");
        }
        if matches!(meant, Meant::No) {
            rule.push_str("; upstream's ranges are without this version");
        }
        let likely = !unimportant && !matches!(meant, Meant::No);
        Some(Judged {
            judgement: if likely {
                Judgement::Likely
            } else {
                Judgement::Possible
            },
            rule,
            source: sources(row),
        })
    }

    /// Upstream means this version, and nobody told whose build it is, or which.
    fn uncompared(
        &self,
        entry: &Entry,
        version: &str,
        upstream: &Upstream,
        range: &Range,
    ) -> Judged {
        let of_build = |package: &&Package| {
            let build = self.build.as_ref();
            build.is_none_or(|build| build.distribution.owns(&package.ecosystem))
        };
        let mended = entry.packages.iter().filter(of_build).find_map(|package| {
            let fix = package.fixes().find(|fix| is_of(fix, version))?;
            Some(format!("{} fixed it in {fix}", package.ecosystem))
        });
        if let (None, Some(builder)) = (&self.build, self.built_by) {
            let reason = format!("what {builder} mended is not on record");
            return upstream.judged(Judgement::Possible, range, &reason);
        }
        let told = match &self.build {
            Some(build) => format!("the revision of {} is not told", build.distribution.name()),
            None => "whose build this is, is not told".to_owned(),
        };
        let (judgement, reason) = match (mended, &self.build, self.packaging) {
            (Some(mended), ..) => (Judgement::Possible, format!("{mended}; {told}")),
            (None, None, Packaging::Nowhere) => (Judgement::Likely, String::new()),
            (None, None, Packaging::Compared) => (
                Judgement::Likely,
                "neither Debian nor Ubuntu is on record to have mended it, and no other is on record"
                    .to_owned(),
            ),
            (None, None, Packaging::NotCompared) => (
                Judgement::Possible,
                "a distribution may have mended it: no data of theirs to compare".to_owned(),
            ),
            (None, Some(_), _) => (Judgement::Possible, told),
        };
        upstream.judged(judgement, range, &reason)
    }

    /// What the build's own release says, by the record of the vulnerability itself where there is one: an advisory may
    /// be one of several.
    fn rows<'e>(&self, entry: &'e Entry) -> Vec<&'e Package> {
        let Some(build) = &self.build else {
            return Vec::new();
        };
        let of_release = |package: &&Package| {
            let ecosystem = &package.ecosystem;
            build.distribution.owns(ecosystem)
                && match &build.release {
                    Some(release) => is_release(ecosystem, release),
                    None => self.ecosystems.contains(ecosystem),
                }
        };
        let rows: Vec<&Package> = entry.packages.iter().filter(of_release).collect();
        let is_record = |row: &Package| CveId::within(&row.advisory).is_some();
        rows.iter()
            .filter(|row| {
                is_record(row)
                    || !rows
                        .iter()
                        .any(|other| is_record(other) && other.ecosystem == row.ecosystem)
            })
            .copied()
            .collect()
    }
}

/// Puts what matters most first: exploited ones, then by the chance of exploitation, then by score. What a distribution
/// fixed comes last.
pub fn sort(findings: &mut [Finding]) {
    let fixed = |finding: &Finding| finding.judgement == Judgement::FixedByDistribution;
    let falling = |a: Option<f64>, b: Option<f64>| b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0));
    findings.sort_by(|a, b| {
        (fixed(a).cmp(&fixed(b)))
            .then_with(|| a.exploited.cmp(&b.exploited))
            .then_with(|| falling(a.epss, b.epss))
            .then_with(|| falling(a.score, b.score))
            .then_with(|| a.judgement.cmp(&b.judgement))
            .then_with(|| b.id.cmp(&a.id))
    });
}

/// The ecosystems whose packages have this upstream version, by what they fixed.
pub fn ecosystems_with<'p>(
    packages: impl IntoIterator<Item = &'p Package>,
    version: &str,
) -> Vec<String> {
    let mut found: Vec<String> = packages
        .into_iter()
        .filter(|package| package.fixes().any(|fix| is_of(fix, version)))
        .map(|package| package.ecosystem.clone())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether upstream means a version.
enum Meant<'e> {
    Yes(&'e Upstream, &'e Range),
    No,
    /// The product is named, and no version that could be compared.
    Untold(&'e Upstream),
    /// No feed of upstream versions knows the product and this vulnerability.
    Unheard,
}

impl Meant<'_> {
    fn untold(&self) -> Option<Judged> {
        match self {
            Self::Untold(upstream) => {
                Some(upstream.judged(Judgement::Unknown, &Range::untold(), ""))
            }
            Self::Yes(..) | Self::No | Self::Unheard => None,
        }
    }
}

fn meant<'e>(entry: &'e Entry, version: &str) -> Meant<'e> {
    let all = || {
        let upstream = entry.upstream.iter();
        upstream.flat_map(|upstream| upstream.ranges.iter().map(move |range| (upstream, range)))
    };
    let inside = |wanted: Condition| {
        all().find(|(_, range)| {
            range.condition == wanted && range.contains(version, order::compare) == Some(true)
        })
    };
    if let Some((upstream, range)) =
        inside(Condition::Alone).or_else(|| inside(Condition::WithOthers))
    {
        return Meant::Yes(upstream, range);
    }
    let comparable = |(_, range): &(_, &Range)| range.extent != Extent::Untold;
    match (all().any(|one| comparable(&one)), entry.upstream.first()) {
        (true, _) => Meant::No,
        (false, Some(upstream)) => Meant::Untold(upstream),
        (false, None) => Meant::Unheard,
    }
}

/// Without a version everything that was ever found in a product fits; only what is being exploited is told then.
fn unversioned(entry: &Entry) -> Option<Judged> {
    let upstream = entry.upstream.first()?;
    let range = upstream.ranges.first()?;
    (entry.exploited == Exploited::Known)
        .then(|| upstream.judged(Judgement::Possible, range, "the version is not told"))
}

impl Upstream {
    /// A judgement by upstream's range. Nothing is likely that takes more than this software, and nothing by an entry that
    /// bounds no version: it says nothing about this one, and old entries of that kind are never revised.
    fn judged(&self, judgement: Judgement, range: &Range, reason: &str) -> Judged {
        let weak = range.condition == Condition::WithOthers
            || range.is_unbounded()
            || self.product.starts_with("*:");
        let mut rule = format!("{} {}", self.product, range.words());
        if !reason.is_empty() {
            rule.push_str("; ");
            rule.push_str(reason);
        }
        Judged {
            judgement: if weak && judgement == Judgement::Likely {
                Judgement::Possible
            } else {
                judgement
            },
            rule,
            source: self.source.clone(),
        }
    }
}

impl Package {
    /// The versions that mended it.
    fn fixes(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().filter_map(|range| match &range.extent {
            Extent::Between { to: Some(to), .. } if to.edge == Edge::Excluding => {
                Some(to.version.as_str())
            }
            Extent::Between { .. } | Extent::Untold => None,
        })
    }
}

/// Whether a package's version is a build of this upstream version: `1:9.2p1-2`, `1.3.8+dfsg-4`.
fn is_of(package: &str, version: &str) -> bool {
    let upstream = dpkg::Version::new(package).upstream;
    upstream
        .strip_prefix(version)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '~']))
}

/// dpkg's order of a version that a server told and one of the feed: no server tells its epoch.
fn by_dpkg(told: &str, feed: &str) -> Ordering {
    let feed = dpkg::Version::new(feed);
    let told = dpkg::Version::new(told).with_epoch_of(&feed);
    // `introduced: 0` is before all, whatever the epoch.
    dpkg::compare(&told, &feed)
}

/// Characters of a reason; parts of it are whatever a feed says.
const LONGEST_RULE: usize = 400;

#[cfg(test)]
mod tests;
