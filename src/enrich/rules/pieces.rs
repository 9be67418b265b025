//! From Recog's named values (`service.product`, `os.version`, `hw.cpe23`) to pieces of software, system and device.

use crate::model::cpe::Cpe;
use crate::model::facts::{Evidence, Part, Software};

use super::rule::Values;

/// The pieces, in the order of their parts.
pub(super) fn software(values: &Values<'_>, evidence: &Evidence) -> Vec<Software> {
    GROUPS
        .iter()
        .filter_map(|(prefix, part)| piece(values, prefix, *part, evidence))
        .collect()
}

fn piece(values: &Values<'_>, prefix: &str, part: Part, evidence: &Evidence) -> Option<Software> {
    let value = |name: &str| values.get(format!("{prefix}.{name}").as_str()).cloned();
    let vendor = value("vendor");
    // A rule that gives no more than a maker still gives that; `service.device` and the like alone name nothing.
    let product = value("product")
        .or_else(|| value("family"))
        .or_else(|| vendor.clone())?;
    let revision = value("revision").or_else(|| match prefix {
        // What Recog calls the words behind OpenSSH's version.
        "service" => values.get("openssh.comment").cloned(),
        _ => None,
    });
    Some(Software {
        part,
        vendor,
        product,
        version: value("version"),
        revision,
        cpe: value("cpe23").and_then(|text| text.parse::<Cpe>().ok().map(|cpe| cpe.to_string())),
        evidence: evidence.clone(),
    })
}

/// What values are named after, and what they tell of.
const GROUPS: [(&str, Part); 4] = [
    ("service", Part::Application),
    ("service.component", Part::Application),
    ("os", Part::System),
    ("hw", Part::Hardware),
];
