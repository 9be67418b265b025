//! From a piece of software to what the feeds say of it.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::enrich::vulns::id::CveId;
use crate::enrich::vulns::judge::{
    Entry, Package, Packaging, Subject, Upstream, Weight, ecosystems_with,
};
use crate::enrich::vulns::range::{Range, read};
use crate::enrich::vulns::{build, names};
use crate::model::Endpoint;
use crate::model::cpe::{Cpe, Value};
use crate::model::facts::{Exploited, Finding, Part, Software};
use crate::store::feeds::Feed;
use crate::store::vulns::DatabaseError;
use crate::store::vulns::write::{code, letter};

/// Looks up in one database.
pub struct LookUp<'d> {
    connection: &'d Connection,
    dates: &'d BTreeMap<String, Option<String>>,
}

/// The feeds in a database, and the days that they are of.
pub fn dates(connection: &Connection) -> Result<BTreeMap<String, Option<String>>, DatabaseError> {
    let mut statement = connection.prepare("SELECT name, dated FROM feed")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What software is called in the feeds.
struct Name {
    part: Part,
    vendor: String,
    product: String,
}

impl Name {
    /// Whether something can be concluded from it: a system is too much without its version, and a distribution with it.
    fn says_enough(&self, software: &Software) -> bool {
        let told = self.part == Part::Application || software.version.is_some();
        told && !names::is_distribution(&self.vendor, &self.product)
    }
}

/// What the feeds have of one vulnerability, gathered.
#[derive(Default)]
struct Gathered {
    upstream: Vec<Upstream>,
    packages: Vec<Package>,
}

impl<'d> LookUp<'d> {
    pub fn new(connection: &'d Connection, dates: &'d BTreeMap<String, Option<String>>) -> Self {
        Self { connection, dates }
    }

    /// What is known of this software, in the order of the numbers; `beside` are the systems that the same service told of.
    pub fn findings(
        &self,
        endpoint: Endpoint,
        software: &Software,
        beside: &[&Software],
    ) -> Result<Vec<Finding>, DatabaseError> {
        let Some(name) = name(software).filter(|name| name.says_enough(software)) else {
            return Ok(Vec::new());
        };
        let mut gathered: BTreeMap<i64, Gathered> = BTreeMap::new();
        self.add_upstream(&name, &mut gathered)?;
        let version = build::upstream(software);
        if name.part == Part::Application {
            for package in
                names::of_packages(&name.vendor, &name.product, version.unwrap_or_default())
            {
                self.add_packages(&package, &mut gathered)?;
            }
        }
        let build = build::of(software, beside);
        let packages = || gathered.values().flat_map(|gathered| &gathered.packages);
        let of_build = |package: &&Package| {
            build
                .as_ref()
                .is_none_or(|build| build.distribution.owns(&package.ecosystem))
        };
        let subject = Subject {
            software,
            version,
            ecosystems: version
                .map(|version| ecosystems_with(packages(), version))
                .unwrap_or_default(),
            packaging: if packages().any(|package| of_build(&package)) {
                Packaging::Compared
            } else if build.is_some() || names::is_packaged(&name.vendor, &name.product) {
                Packaging::NotCompared
            } else {
                Packaging::Nowhere
            },
            build,
            built_by: build::of_others(software, beside),
        };
        let mut findings = Vec::new();
        for (key, gathered) in gathered {
            let entry = self.entry(key, gathered)?;
            findings.extend(subject.finding(endpoint, &entry));
        }
        Ok(findings)
    }

    fn add_upstream(
        &self,
        name: &Name,
        gathered: &mut BTreeMap<i64, Gathered>,
    ) -> Result<(), DatabaseError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT vuln, feed, ranges FROM product JOIN affected ON affected.product = product.id \
             WHERE product.product = ?1 AND product.vendor = ?2 AND product.part = ?3",
        )?;
        let mut known = names::of_product(&name.vendor, &name.product);
        // Some records of the CVE List name a product and no vendor.
        known.push(("*", &name.product));
        for (vendor, product) in known {
            let mut rows = statement.query(params![product, vendor, letter(name.part)])?;
            while let Some(row) = rows.next()? {
                let feed: i64 = row.get(1)?;
                let feed = if feed == code(Feed::Nvd) {
                    "nvd"
                } else {
                    "cve"
                };
                let ranges: String = row.get(2)?;
                gathered
                    .entry(row.get(0)?)
                    .or_default()
                    .upstream
                    .push(Upstream {
                        source: self.source(feed),
                        product: format!("{vendor}:{product}"),
                        ranges: ranges_of(&ranges)?,
                    });
            }
        }
        Ok(())
    }

    fn add_packages(
        &self,
        package: &str,
        gathered: &mut BTreeMap<i64, Gathered>,
    ) -> Result<(), DatabaseError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT vuln, advisory.text, ecosystem.text, ranges, unimportant FROM name \
             JOIN package ON package.name = name.id JOIN name AS advisory ON advisory.id = package.advisory \
             JOIN name AS ecosystem ON ecosystem.id = package.ecosystem WHERE name.text = ?1",
        )?;
        let mut rows = statement.query([package])?;
        while let Some(row) = rows.next()? {
            let (ecosystem, ranges): (String, String) = (row.get(2)?, row.get(3)?);
            let distribution = ecosystem.split(':').next().unwrap_or_default();
            let unimportant: bool = row.get(4)?;
            gathered
                .entry(row.get(0)?)
                .or_default()
                .packages
                .push(Package {
                    source: self.source(&format!("osv {distribution}")),
                    advisory: row.get(1)?,
                    ranges: ranges_of(&ranges)?,
                    weight: if unimportant {
                        Weight::Unimportant
                    } else {
                        Weight::Ordinary
                    },
                    ecosystem,
                });
        }
        Ok(())
    }

    fn entry(&self, key: i64, gathered: Gathered) -> Result<Entry, DatabaseError> {
        let id = CveId::from_key(key).ok_or_else(|| DatabaseError::Damaged {
            what: format!("{key} is no vulnerability's number"),
        })?;
        let asked = |sql: &str| -> Result<Option<Option<f64>>, DatabaseError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            Ok(statement.query_row([key], |row| row.get(0)).optional()?)
        };
        Ok(Entry {
            id,
            upstream: gathered.upstream,
            packages: gathered.packages,
            exploited: match asked("SELECT 1.0 FROM exploited WHERE vuln = ?1")? {
                Some(_) => Exploited::Known,
                None => Exploited::NotOnRecord,
            },
            epss: asked("SELECT chance FROM epss WHERE vuln = ?1")?.flatten(),
            // NVD's own before the authority's.
            score: asked(
                "SELECT score FROM record WHERE vuln = ?1 AND score IS NOT NULL ORDER BY feed",
            )?
            .flatten(),
        })
    }

    /// A feed with the day of its data: `nvd 2026-11-20`.
    fn source(&self, feed: &str) -> String {
        match self.dates.get(feed).and_then(Option::as_deref) {
            Some(date) => format!("{feed} {date}"),
            None => feed.to_owned(),
        }
    }
}

fn name(software: &Software) -> Option<Name> {
    let cpe = software
        .cpe
        .as_deref()
        .and_then(|cpe| cpe.parse::<Cpe>().ok());
    if let Some(cpe) = cpe {
        return Some(Name {
            part: cpe.part,
            vendor: cpe.vendor.text()?.to_owned(),
            product: cpe.product.text()?.to_owned(),
        });
    }
    let told = |text: &str| Value::told(text).text().map(str::to_owned);
    Some(Name {
        part: software.part,
        vendor: told(software.vendor.as_deref()?)?,
        product: told(&software.product)?,
    })
}

fn ranges_of(text: &str) -> Result<Vec<Range>, DatabaseError> {
    read(text).map_err(|error| DatabaseError::Damaged {
        what: format!("{text:.60?} {error}"),
    })
}
