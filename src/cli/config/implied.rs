//! Flags that stand for others. Within one place the order does not matter and what is set by its own name wins: `-A --no-vulns`
//! is `-A` without that part, `--os --no-services` asks no server anything.

use super::{Layer, is_on};
use crate::cli::typed::OFF;

/// Sets what the flags of one place stand for, where that place says nothing else of it.
pub(super) fn imply(layer: &mut Layer) {
    for (flag, parts) in IMPLIED {
        let Some(setting) = layer.get(flag).cloned() else {
            continue;
        };
        let is_off = setting.texts.iter().any(|text| text == OFF);
        // Whoever wants no vulnerabilities has said nothing of services; whoever wants nothing identified has of all.
        if is_on(layer, flag) || (is_off && flag == "identify") {
            for part in parts {
                layer
                    .entry((*part).to_owned())
                    .or_insert_with(|| setting.clone());
            }
        }
    }
}

/// What stands for more comes first.
const IMPLIED: [(&str, &[&str]); 3] = [
    ("identify", &["services", "os", "vulns"]),
    ("os", &["services"]),
    ("vulns", &["services"]),
];
