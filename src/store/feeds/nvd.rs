//! NVD JSON 2.0: `{"timestamp":..., "vulnerabilities":[{"cve":{...}}]}`, in feed files and pages of the API alike.

use std::io::Read;

use serde::Deserialize;

use crate::store::feeds::configurations::{Configuration, Products};
use crate::store::feeds::{Broken, More, Record, Statement, Take, day, stream};

#[derive(Deserialize)]
struct Item {
    cve: Cve,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cve {
    id: String,
    #[serde(default)]
    vuln_status: Option<String>,
    #[serde(default)]
    metrics: Metrics,
    #[serde(default)]
    configurations: Vec<Configuration>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    #[serde(default)]
    cvss_metric_v40: Vec<Metric>,
    #[serde(default)]
    cvss_metric_v31: Vec<Metric>,
    #[serde(default)]
    cvss_metric_v30: Vec<Metric>,
    #[serde(default)]
    cvss_metric_v2: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    cvss_data: CvssData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CvssData {
    base_score: f64,
}

pub fn read(input: &mut dyn Read, take: &mut Take<'_>) -> Result<More, Broken> {
    let mut more = More::default();
    let timestamp = stream::elements(input, "timestamp", "vulnerabilities", &mut |item: Item| {
        let cve = item.cve;
        let Ok(id) = cve.id.parse() else {
            more.left_out += 1;
            return Ok(());
        };
        let mut products = Products::default();
        // A rejected number replaces what was said of it by nothing.
        if cve.vuln_status.as_deref() != Some("Rejected") {
            products.add_configurations(&cve.configurations);
        }
        take(Statement::Record(Record {
            id,
            score: cve.metrics.score(),
            products: products.all(),
        }))
    })?;
    more.dated = timestamp.as_deref().and_then(day);
    Ok(more)
}

impl Metrics {
    /// By the version of CVSS that most entries have first; NVD's own before others'.
    fn score(&self) -> Option<f64> {
        [
            &self.cvss_metric_v31,
            &self.cvss_metric_v30,
            &self.cvss_metric_v40,
            &self.cvss_metric_v2,
        ]
        .into_iter()
        .find_map(|metrics| {
            let primary = |metric: &&Metric| metric.kind.as_deref() == Some("Primary");
            metrics.iter().find(primary).or(metrics.first())
        })
        .map(|metric| metric.cvss_data.base_score)
        .filter(|score| (0.0..=10.0).contains(score))
    }
}
