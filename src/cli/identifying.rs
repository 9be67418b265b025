//! What identification needs from this machine, read while its privileges are held.

use std::path::Path;
use std::sync::Arc;

use halfopen::enrich::rules::Rules;
use halfopen::enrich::tls::certificate::Authorities;
use halfopen::plan::{Mistake, quote};
use halfopen::report::names::Names;
use halfopen::scan::Identify;
use halfopen::store::{authorities, rule_files};

use crate::cli::settings::Identification;

/// Rules, authorities and names, where they are asked for.
///
/// # Errors
/// Where the folder of rules cannot be read, or what is in it are no rules.
pub fn prepared(asked: &Identification, names: &Names) -> Result<Option<Identify>, Mistake> {
    let Identification::Yes { recog_dir } = asked else {
        return Ok(None);
    };
    let mut identify = Identify::default();
    if let Some(folder) = recog_dir {
        let files = rule_files::read(Path::new(folder)).map_err(|error| {
            Mistake::new(format!("cannot read rules from {}: {error}", quote(folder)))
        })?;
        let rules = Rules::with_files(&files).map_err(|error| {
            Mistake::new(format!(
                "rules in {} cannot be used: {}",
                quote(folder),
                quote(&error.to_string())
            ))
        })?;
        identify.rules = Arc::new(rules);
    }
    identify.authorities = Authorities::new(authorities::of_this_machine());
    identify.names = names.hosts.clone();
    Ok(Some(identify))
}
