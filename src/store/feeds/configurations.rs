//! Configurations of NVD, which records of the CVE List may have as well (`cpeApplicability`): trees of CPEs with ranges
//! of versions.

use serde::Deserialize;

use crate::enrich::vulns::range::{Bound, Condition, Range};
use crate::model::cpe::{Cpe, Value};
use crate::model::facts::Part;
use crate::store::feeds::Product;

#[derive(Deserialize, Debug)]
pub struct Configuration {
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    nodes: Vec<Node>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    cpe_match: Vec<Match>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerable: bool,
    criteria: String,
    version_start_including: Option<String>,
    version_start_excluding: Option<String>,
    version_end_including: Option<String>,
    version_end_excluding: Option<String>,
}

/// Products with their ranges, each product once.
#[derive(Debug, Default)]
pub struct Products(Vec<Product>);

impl Products {
    /// Adds what configurations name as vulnerable.
    pub fn add_configurations(&mut self, configurations: &[Configuration]) {
        for configuration in configurations {
            let is_and = |operator: &Option<String>| operator.as_deref() == Some("AND");
            let together = is_and(&configuration.operator) && configuration.nodes.len() > 1;
            for node in &configuration.nodes {
                let condition = if together || (is_and(&node.operator) && node.cpe_match.len() > 1)
                {
                    Condition::WithOthers
                } else {
                    Condition::Alone
                };
                for one in node.cpe_match.iter().filter(|one| one.vulnerable) {
                    self.add_match(one, condition);
                }
            }
        }
    }

    /// Adds a range of a product.
    pub fn add(&mut self, part: Part, vendor: &str, product: &str, range: Range) {
        let same = |known: &&mut Product| {
            known.part == part && known.vendor == vendor && known.product == product
        };
        // The products of a record mostly come in runs.
        match self.0.iter_mut().rev().find(same) {
            Some(known) => {
                if known.ranges.last() != Some(&range) {
                    known.ranges.push(range);
                }
            }
            None => self.0.push(Product {
                part,
                vendor: vendor.to_owned(),
                product: product.to_owned(),
                ranges: vec![range],
            }),
        }
    }

    /// All of them.
    pub fn all(self) -> Vec<Product> {
        self.0
    }

    fn add_match(&mut self, one: &Match, condition: Condition) {
        // A name that is none (there are some) is no product that could be found.
        let Ok(cpe) = one.criteria.parse::<Cpe>() else {
            return;
        };
        let (Some(vendor), Some(product)) = (cpe.vendor.text(), cpe.product.text()) else {
            return;
        };
        let special = [&cpe.edition, &cpe.sw_edition, &cpe.target_sw]
            .iter()
            .any(|value| value.text().is_some());
        let condition = if special {
            Condition::WithOthers
        } else {
            condition
        };
        let range = Range {
            condition,
            ..range(&cpe, one)
        };
        self.add(cpe.part, vendor, product, range);
    }
}

fn range(cpe: &Cpe, one: &Match) -> Range {
    let bound = |including: &Option<String>, excluding: &Option<String>| {
        let including = including.as_deref().map(Bound::including);
        including.or_else(|| excluding.as_deref().map(Bound::excluding))
    };
    match &cpe.version {
        Value::Any => Range::between(
            bound(&one.version_start_including, &one.version_start_excluding),
            bound(&one.version_end_including, &one.version_end_excluding),
        ),
        Value::Text(version) => match cpe.update.text() {
            Some(update) => Range::exactly(format!("{version}{}{update}", joint(update))),
            None => Range::exactly(version),
        },
        Value::NotApplicable | Value::Pattern(_) => Range::untold(),
    }
}

/// `9.2` and `p1` are one word; digits would run together.
fn joint(update: &str) -> &'static str {
    if update.starts_with(|c: char| c.is_ascii_digit()) {
        "-"
    } else {
        ""
    }
}
