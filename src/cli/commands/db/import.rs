//! `db import`: files into the database.

use std::path::{Path, PathBuf};

use halfopen::report::civil::rfc3339;
use halfopen::report::text::grouped;
use halfopen::store::feeds::{Feed, Told};
use halfopen::store::vulns::Importer;

use super::{failed, unusable};
use crate::cli::about::printed;
use crate::cli::exit::Exit;
use crate::cli::scanning::now;

/// Imports all files in one transaction, and tells what they brought.
pub fn all(feed: Feed, files: &[PathBuf], database: &Path) -> Result<Exit, Exit> {
    let mut importer = Importer::open(database).map_err(|error| unusable(&error))?;
    let now = rfc3339(now());
    let mut all = Told::default();
    for file in files {
        let told = importer
            .import(feed, file, &now)
            .map_err(|error| failed(&error))?;
        add(&mut all, told);
    }
    importer.commit().map_err(|error| unusable(&error))?;
    Ok(printed(&format!("{}\n", brought(feed, &all))))
}

/// Counts another file in.
pub fn add(all: &mut Told, told: Told) {
    all.documents += told.documents;
    all.statements += told.statements;
    all.left_out += told.left_out;
    all.dated = all.dated.take().max(told.dated);
}

/// What an import brought, in one line.
pub fn brought(feed: Feed, told: &Told) -> String {
    let plural = if told.statements == 1 { "" } else { "s" };
    let mut line = format!(
        "{}: {} record{plural}",
        feed.name(),
        grouped(told.statements)
    );
    if told.left_out > 0 {
        let why = match feed {
            Feed::Osv => "of other distributions, or of no CVE",
            Feed::Nvd | Feed::Cve | Feed::Kev | Feed::Epss => "of no CVE",
        };
        line.push_str(&format!(", {} left out ({why})", grouped(told.left_out)));
    }
    match &told.dated {
        Some(date) => line.push_str(&format!("; data of {date}")),
        None => line.push_str("; it does not say of which day its data is"),
    }
    line
}
