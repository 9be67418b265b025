//! What is in a database.

use rusqlite::Connection;

use crate::store::feeds::Feed;
use crate::store::vulns::DatabaseError;
use crate::store::vulns::write::code;

/// The state of a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// By name.
    pub feeds: Vec<FeedStatus>,
    /// Vulnerabilities that NVD or the CVE List have a record of.
    pub vulnerabilities: u64,
    /// Those of them without a product: neither names one that could be looked up.
    pub without_product: u64,
    /// Bytes on the disk.
    pub size: u64,
}

/// One feed in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedStatus {
    /// `nvd`, `osv Debian`
    pub name: String,
    /// The day that its data is of, where the feed says it.
    pub dated: Option<String>,
    /// When it was imported last, RFC 3339.
    pub imported: String,
    /// Records; of `osv` statements about packages.
    pub records: u64,
}

pub fn of(connection: &Connection) -> Result<Status, DatabaseError> {
    let count = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<u64, DatabaseError> {
        let count: i64 = connection.query_row(sql, values, |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let mut feeds = Vec::new();
    let mut statement =
        connection.prepare("SELECT name, dated, imported FROM feed ORDER BY name")?;
    let rows = statement.query_map([], |row| {
        Ok(FeedStatus {
            name: row.get(0)?,
            dated: row.get(1)?,
            imported: row.get(2)?,
            records: 0,
        })
    })?;
    for feed in rows {
        let mut feed = feed?;
        let of_feed = |feed| {
            count(
                "SELECT count(*) FROM record WHERE feed = ?1",
                &[&code(feed)],
            )
        };
        feed.records = match feed.name.as_str() {
            "nvd" => of_feed(Feed::Nvd)?,
            "cve" => of_feed(Feed::Cve)?,
            "kev" => count("SELECT count(*) FROM exploited", &[])?,
            "epss" => count("SELECT count(*) FROM epss", &[])?,
            other => {
                let distribution = other.strip_prefix("osv ").unwrap_or(other);
                count(
                    "SELECT count(*) FROM package WHERE ecosystem IN (SELECT id FROM name WHERE text LIKE ?1)",
                    &[&format!("{distribution}:%")],
                )?
            }
        };
        feeds.push(feed);
    }
    Ok(Status {
        feeds,
        vulnerabilities: count("SELECT count(DISTINCT vuln) FROM record", &[])?,
        without_product: count(
            "SELECT count(DISTINCT vuln) FROM record WHERE vuln NOT IN (SELECT vuln FROM affected)",
            &[],
        )?,
        size: count(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            &[],
        )?,
    })
}
