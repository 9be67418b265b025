//! CVE List v5: one record a file, with what its own authority says (`cna`) and what others added (`adp`, of which CISA's
//! gives product names).

use std::io::Read;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::enrich::vulns::range::{Bound, Range};
use crate::model::cpe::{Cpe, Value};
use crate::model::facts::Part;
use crate::store::feeds::configurations::{Configuration, Products};
use crate::store::feeds::{Broken, More, Record, Statement, Take, day, stream};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CveRecord {
    cve_metadata: Metadata,
    #[serde(default)]
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    date_updated: Option<String>,
}

#[derive(Deserialize, Default)]
struct Containers {
    #[serde(default)]
    cna: Container,
    #[serde(default)]
    adp: Vec<Container>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    affected: Vec<Affected>,
    #[serde(default)]
    cpe_applicability: Vec<Configuration>,
    /// Each a map from the version of CVSS to what it says, beside other things.
    #[serde(default)]
    metrics: Vec<serde_json::Map<String, Json>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Affected {
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    package_name: Option<String>,
    #[serde(default)]
    cpes: Vec<String>,
    #[serde(default)]
    platforms: Vec<String>,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: String,
    status: String,
    #[serde(default)]
    less_than: Option<String>,
    #[serde(default)]
    less_than_or_equal: Option<String>,
    #[serde(default)]
    version_type: Option<String>,
}

pub fn read(input: &mut dyn Read, take: &mut Take<'_>) -> Result<More, Broken> {
    let mut more = More::default();
    stream::records(input, &mut |record: CveRecord| {
        let Ok(id) = record.cve_metadata.cve_id.parse() else {
            more.left_out += 1;
            return Ok(());
        };
        let updated = record.cve_metadata.date_updated.as_deref().and_then(day);
        more.dated = more.dated.take().max(updated);
        let Containers { cna, adp } = &record.containers;
        let mut products = Products::default();
        let mut score = None;
        for container in std::iter::once(cna).chain(adp) {
            if record.cve_metadata.state != "REJECTED" {
                container.add_to(&mut products);
            }
            score = score.or_else(|| container.score());
        }
        take(Statement::Record(Record {
            id,
            score,
            products: products.all(),
        }))
    })?;
    Ok(more)
}

impl Container {
    fn add_to(&self, products: &mut Products) {
        products.add_configurations(&self.cpe_applicability);
        for affected in &self.affected {
            let names = affected.names();
            for range in affected.versions.iter().filter_map(Version::range) {
                for (part, vendor, product) in &names {
                    products.add(*part, vendor, product, range.clone());
                }
            }
        }
    }

    fn score(&self) -> Option<f64> {
        ["cvssV3_1", "cvssV3_0", "cvssV4_0", "cvssV2_0"]
            .iter()
            .find_map(|version| {
                let metric = self
                    .metrics
                    .iter()
                    .find_map(|metric| metric.get(*version))?;
                metric.get("baseScore")?.as_f64()
            })
            .filter(|score| (0.0..=10.0).contains(score))
    }
}

impl Affected {
    /// The names of the product: its CPEs, else the words of the authority made alike. A vendor that is not told is `*`.
    fn names(&self) -> Vec<(Part, String, String)> {
        let mut names: Vec<(Part, String, String)> = self
            .cpes
            .iter()
            .filter_map(|text| text.parse::<Cpe>().ok())
            .filter_map(|cpe| {
                let (vendor, product) = (cpe.vendor.text()?, cpe.product.text()?);
                Some((cpe.part, vendor.to_owned(), product.to_owned()))
            })
            .collect();
        names.dedup();
        if !names.is_empty() || !self.platforms.is_empty() && self.vendor.is_none() {
            return names;
        }
        let word = |text: &Option<String>| {
            let text = text.as_deref().filter(|text| !is_untold(text))?;
            match Value::told(text) {
                Value::Text(text) => Some(text),
                Value::Any | Value::NotApplicable | Value::Pattern(_) => None,
            }
        };
        let product = word(&self.product).or_else(|| word(&self.package_name));
        let vendor = word(&self.vendor).unwrap_or_else(|| "*".to_owned());
        product
            .map(|product| (Part::Application, vendor, product))
            .into_iter()
            .collect()
    }
}

impl Version {
    /// `None`: nothing that is affected, or numbers that no server tells (commits, another distribution's packages).
    fn range(&self) -> Option<Range> {
        let kind = self.version_type.as_deref().unwrap_or_default();
        if self.status != "affected" || matches!(kind, "git" | "rpm" | "deb") {
            return None;
        }
        let open = |text: &&str| !matches!(*text, "*" | "" | "0") && !is_untold(text);
        let from = Some(self.version.trim()).filter(open);
        let before = self.less_than.as_deref().map(str::trim);
        let up_to = self.less_than_or_equal.as_deref().map(str::trim);
        if before.or(up_to).is_none() {
            // Some write `< 2.4.50` or `2.0 through 2.4` as a version.
            return Some(match self.version.trim() {
                "*" | "all" => Range::between(None, None),
                version if is_version(version) => Range::exactly(version),
                version => match version.strip_prefix("<=").or(version.strip_prefix('<')) {
                    Some(end) if is_version(end.trim()) => {
                        let to = if version.starts_with("<=") {
                            Bound::including(end.trim())
                        } else {
                            Bound::excluding(end.trim())
                        };
                        Range::between(None, Some(to))
                    }
                    _ => Range::untold(),
                },
            });
        }
        let to = before.filter(open).map(Bound::excluding);
        let to = to.or_else(|| up_to.filter(open).map(Bound::including));
        Some(Range::between(from.map(Bound::including), to))
    }
}

/// One word that begins with a digit, or with `v` and one.
fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix('v').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | '*'))
}

fn is_untold(text: &str) -> bool {
    ["n/a", "unspecified", "unknown", "-"].contains(&text.to_ascii_lowercase().as_str())
}
