//! The tables. Vulnerabilities are the integers that [`CveId::key`](crate::enrich::vulns::id::CveId::key) makes of their
//! numbers; ranges are the text that `enrich/vulns/range.rs` describes.

use std::path::Path;

use rusqlite::Connection;

use crate::store::vulns::DatabaseError;

/// Makes the tables where the file is empty, and checks whose file it is where it is not.
pub fn prepare(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| foreign(error, path))?;
    if tables > 0 || number(connection, "application_id")? != 0 {
        return check(connection, path);
    }
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Checks that the file is such a database, of this version.
pub fn check(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let application = number(connection, "application_id").map_err(|error| match error {
        DatabaseError::Sqlite(error) => foreign(error, path),
        other => other,
    })?;
    if application != APPLICATION {
        return Err(DatabaseError::Foreign {
            path: path.to_owned(),
        });
    }
    match number(connection, "user_version")? {
        VERSION => Ok(()),
        found => Err(DatabaseError::Version {
            path: path.to_owned(),
            found,
            wanted: VERSION,
        }),
    }
}

/// An error of SQLite; a file that is no database at all is somebody else's.
pub fn foreign(error: rusqlite::Error, path: &Path) -> DatabaseError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => DatabaseError::Foreign {
            path: path.to_owned(),
        },
        _ => error.into(),
    }
}

fn number(connection: &Connection, pragma: &str) -> Result<i64, DatabaseError> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}

/// `Half`, in the file's header.
const APPLICATION: i64 = 0x4861_6c66;
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE feed (
    name TEXT PRIMARY KEY,
    dated TEXT,
    imported TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE record (
    vuln INTEGER NOT NULL,
    feed INTEGER NOT NULL,
    score REAL,
    PRIMARY KEY (vuln, feed)
) WITHOUT ROWID;
CREATE TABLE product (
    id INTEGER PRIMARY KEY,
    product TEXT NOT NULL,
    vendor TEXT NOT NULL,
    part TEXT NOT NULL,
    UNIQUE (product, vendor, part)
);
CREATE TABLE affected (
    product INTEGER NOT NULL,
    vuln INTEGER NOT NULL,
    feed INTEGER NOT NULL,
    ranges TEXT NOT NULL,
    PRIMARY KEY (product, vuln, feed)
) WITHOUT ROWID;
CREATE INDEX affected_vuln ON affected (vuln, feed);
CREATE TABLE name (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);
CREATE TABLE package (
    name INTEGER NOT NULL,
    vuln INTEGER NOT NULL,
    advisory INTEGER NOT NULL,
    ecosystem INTEGER NOT NULL,
    ranges TEXT NOT NULL,
    unimportant INTEGER NOT NULL,
    PRIMARY KEY (name, vuln, advisory, ecosystem)
) WITHOUT ROWID;
CREATE INDEX package_advisory ON package (advisory);
CREATE TABLE exploited (vuln INTEGER PRIMARY KEY);
CREATE TABLE epss (vuln INTEGER PRIMARY KEY, chance REAL NOT NULL);
CREATE TABLE download (
    url TEXT PRIMARY KEY,
    etag TEXT,
    modified TEXT
) WITHOUT ROWID;
";
