//! `db status`: what is in the database.

use std::path::Path;

use halfopen::plan::escape;
use halfopen::report::text::grouped;
use halfopen::store::vulns::{Database, DatabaseError, Status};
use serde_json::json;

use super::unusable;
use super::words::Format;
use crate::cli::about::printed;
use crate::cli::exit::Exit;

/// Prints it.
pub fn tell(path: &Path, format: Format) -> Result<Exit, Exit> {
    let status = Database::open(path).and_then(|database| database.status());
    let status = status.map_err(|error| match error {
        DatabaseError::Missing { .. } => {
            super::tell(&format!("{error}; halfopen db update makes one"));
            Exit::Environment
        }
        error => unusable(&error),
    })?;
    Ok(printed(&match format {
        Format::Text => text(path, &status),
        Format::Json => format!("{}\n", object(path, &status)),
    }))
}

fn text(path: &Path, status: &Status) -> String {
    let mut text = format!(
        "{}, {:.1} MB\n",
        escape(&path.to_string_lossy(), 200),
        // Shown with one digit; nothing is decided by it.
        status.size as f64 / 1e6
    );
    text.push_str(&format!(
        "  {:<12}  {:<10}  {:<20}  {:>11}\n",
        "FEED", "DATA OF", "IMPORTED", "RECORDS"
    ));
    for feed in &status.feeds {
        text.push_str(&format!(
            "  {:<12}  {:<10}  {:<20}  {:>11}\n",
            escape(&feed.name, 40),
            escape(feed.dated.as_deref().unwrap_or("-"), 10),
            escape(&feed.imported, 20),
            grouped(feed.records)
        ));
    }
    text.push_str(&format!(
        "{} vulnerabilities, {} of them without a product that could be looked up\n",
        grouped(status.vulnerabilities),
        grouped(status.without_product)
    ));
    text
}

fn object(path: &Path, status: &Status) -> serde_json::Value {
    let feeds: Vec<_> = status
        .feeds
        .iter()
        .map(|feed| {
            json!({"name": feed.name, "dated": feed.dated, "imported": feed.imported, "records": feed.records})
        })
        .collect();
    json!({
        "type": "database",
        "file": path.to_string_lossy(),
        "bytes": status.size,
        "feeds": feeds,
        "vulnerabilities": status.vulnerabilities,
        "without_product": status.without_product,
    })
}
