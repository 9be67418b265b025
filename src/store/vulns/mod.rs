//! The database of known vulnerabilities: an SQLite file that feeds are imported into, and that a scan looks software up
//! in.

mod look_up;
mod schema;
mod status;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::enrich::vulns::judge;
use crate::enrich::vulns::known::Vulnerabilities;
use crate::model::Endpoint;
use crate::model::facts::{Finding, Part, Service, Software};
use crate::store::feeds::FeedError;
use crate::store::place::shown;

pub use status::{FeedStatus, Status};
pub use write::{Importer, Validators};

/// A database that is open for looking things up.
///
/// It holds SQLite's shared lock from [`open`](Database::open) on, so that what is found is of one state, and nothing has
/// to be opened later, when privileges are gone: an import waits as long.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// Feeds by name, with the day that their data is of.
    dates: BTreeMap<String, Option<String>>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("there is no vulnerability database at {}", shown(path))]
    Missing { path: PathBuf },
    #[error("cannot open the vulnerability database {}: {source}", shown(path))]
    Open {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is no vulnerability database of this program", shown(path))]
    Foreign { path: PathBuf },
    #[error(
        "{} was made by another version of this program ({found}, not {wanted}): import the feeds into a new one",
        shown(path)
    )]
    Version {
        path: PathBuf,
        found: i64,
        wanted: i64,
    },
    #[error(
        "the vulnerability database is in use: try again when the scan or import that uses it has ended"
    )]
    Busy,
    #[error("the vulnerability database cannot be used: {0}")]
    Sqlite(rusqlite::Error),
    #[error("the vulnerability database is damaged: {what}")]
    Damaged { what: String },
}

/// Why an import failed. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Busy
            }
            _ => Self::Sqlite(error),
        }
    }
}

impl Database {
    /// Opens a database for reading.
    ///
    /// # Errors
    /// [`DatabaseError::Missing`] where there is none; otherwise why it cannot be used.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        readable(path)?;
        // Where it may, SQLite undoes what a killed import left half done; read-only it could only refuse.
        let connection = connected(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::check(&connection, path)?;
        connection.pragma_update(None, "query_only", true)?;
        // Until now SQLite has no lock: the first read takes it, and keeps it to the end.
        connection.execute_batch("BEGIN")?;
        let dates = look_up::dates(&connection)?;
        Ok(Self { connection, dates })
    }

    /// What is known of the vulnerabilities of what a port serves, what matters most first: exploited ones, then by EPSS,
    /// then by score; what the distribution fixed comes last. Each vulnerability once for each piece of software.
    ///
    /// Software whose version nobody told gives only what is known to be exploited.
    ///
    /// # Errors
    /// When the file cannot be read, or holds what no import wrote.
    pub fn findings(&self, service: &Service) -> Result<Vec<Finding>, DatabaseError> {
        let mut findings = Vec::new();
        let mut seen: Vec<&Software> = Vec::new();
        let systems = service.software.iter();
        let systems: Vec<&Software> = systems.filter(|it| it.part == Part::System).collect();
        for software in &service.software {
            let same = |other: &&Software| {
                (&other.cpe, &other.product, &other.version, &other.revision)
                    == (
                        &software.cpe,
                        &software.product,
                        &software.version,
                        &software.revision,
                    )
            };
            if !seen.iter().any(same) {
                seen.push(software);
                findings.append(&mut self.of_software(service.endpoint, software, &systems)?);
            }
        }
        judge::sort(&mut findings);
        Ok(findings)
    }

    /// What is in it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn status(&self) -> Result<Status, DatabaseError> {
        status::of(&self.connection)
    }

    /// What was remembered of a download.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn validators(&self, url: &str) -> Result<Validators, DatabaseError> {
        let remembered = self
            .connection
            .query_row(
                "SELECT etag, modified FROM download WHERE url = ?1",
                [url],
                |row| {
                    Ok(Validators {
                        etag: row.get(0)?,
                        modified: row.get(1)?,
                    })
                },
            )
            .optional()?;
        Ok(remembered.unwrap_or_default())
    }

    fn of_software(
        &self,
        endpoint: Endpoint,
        software: &Software,
        beside: &[&Software],
    ) -> Result<Vec<Finding>, DatabaseError> {
        look_up::LookUp::new(&self.connection, &self.dates).findings(endpoint, software, beside)
    }
}

impl Vulnerabilities for Database {
    fn known(&self, service: &Service) -> Result<Vec<Finding>, String> {
        self.findings(service).map_err(|error| error.to_string())
    }
}

fn readable(path: &Path) -> Result<(), DatabaseError> {
    let path = path.to_owned();
    match std::fs::File::open(&path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(DatabaseError::Missing { path })
        }
        Err(source) => Err(DatabaseError::Open { path, source }),
    }
}

fn connected(path: &Path, flags: OpenFlags) -> Result<Connection, DatabaseError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// How long another's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
