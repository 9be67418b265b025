//! Imports: everything of one command in one transaction, or nothing.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use crate::enrich::vulns::judge::Weight;
use crate::enrich::vulns::range::written;
use crate::model::facts::Part;
use crate::store::feeds::{self, Advisory, Enough, Feed, Record, Statement, Told};
use crate::store::vulns::{DatabaseError, ImportError, connected, schema};

/// A database that is being written to. Dropped before [`commit`](Importer::commit), it is as it was.
#[derive(Debug)]
pub struct Importer {
    connection: Connection,
    path: PathBuf,
    /// A file that was not there before, and must not be there if this fails.
    created: Option<PathBuf>,
    products: HashMap<(Part, String, String), i64>,
    names: HashMap<String, i64>,
    replaced: BTreeSet<Feed>,
}

/// What a server said of a file, to ask whether it changed since.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Validators {
    pub etag: Option<String>,
    pub modified: Option<String>,
}

impl Importer {
    /// Opens a database for writing; makes it, and the folder that it lies in, where there is none.
    ///
    /// # Errors
    /// When that is not possible, it is another program's file, or somebody uses it.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let existed = path.exists();
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).map_err(|source| DatabaseError::Open {
                path: path.to_owned(),
                source,
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connected(path, flags)?;
        let importer = Self {
            connection,
            path: path.to_owned(),
            created: (!existed).then(|| path.to_owned()),
            products: HashMap::new(),
            names: HashMap::new(),
            replaced: BTreeSet::new(),
        };
        let cache = importer
            .connection
            .pragma_update(None, "cache_size", -CACHE_KIB);
        cache.map_err(|error| schema::foreign(error, path))?;
        importer
            .connection
            .set_prepared_statement_cache_capacity(64);
        importer.begin()?;
        Ok(importer)
    }

    /// Imports a file, a folder or an archive.
    ///
    /// # Errors
    /// [`ImportError`]; nothing that came before in this transaction may be kept then.
    pub fn import(&mut self, feed: Feed, path: &Path, now: &str) -> Result<Told, ImportError> {
        let mut failed = None;
        let mut distributions = BTreeSet::new();
        let read =
            feeds::read(feed, path, &mut |statement| {
                if let Statement::Advisory(advisory) = &statement {
                    let names = advisory.packages.iter();
                    distributions.extend(names.filter_map(|package| {
                        package.ecosystem.split(':').next().map(str::to_owned)
                    }));
                }
                self.take(feed, &statement).map_err(|error| {
                    failed = Some(error);
                    Enough
                })
            });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let told = read?;
        if feed == Feed::Kev || feed == Feed::Epss {
            // These are whole each time, so that a file without a single entry empties them.
            self.replace(feed)?;
        }
        let names = match feed {
            Feed::Osv => distributions
                .into_iter()
                .map(|name| format!("osv {name}"))
                .collect(),
            other => vec![other.name().to_owned()],
        };
        for name in names {
            self.date(feed, &name, told.dated.as_deref(), now)?;
        }
        Ok(told)
    }

    /// Remembers what a server said of a file that was imported.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember(&self, url: &str, validators: &Validators) -> Result<(), DatabaseError> {
        self.connection.execute(
            "INSERT OR REPLACE INTO download (url, etag, modified) VALUES (?1, ?2, ?3)",
            params![url, validators.etag, validators.modified],
        )?;
        Ok(())
    }

    /// Makes all of it last.
    ///
    /// # Errors
    /// When the file cannot be written, or is in use.
    pub fn commit(mut self) -> Result<(), DatabaseError> {
        self.connection.execute_batch("COMMIT")?;
        self.created = None;
        Ok(())
    }

    fn begin(&self) -> Result<(), DatabaseError> {
        self.connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::ReadOnly) => DatabaseError::Open {
                    path: self.path.clone(),
                    source: std::io::ErrorKind::PermissionDenied.into(),
                },
                _ => schema::foreign(error, &self.path),
            })?;
        schema::prepare(&self.connection, &self.path)
    }

    fn take(&mut self, feed: Feed, statement: &Statement) -> Result<(), DatabaseError> {
        match statement {
            Statement::Record(record) => self.record(feed, record),
            Statement::Advisory(advisory) => self.advisory(advisory),
            Statement::Exploited { id } => {
                self.replace(Feed::Kev)?;
                self.run(
                    "INSERT OR REPLACE INTO exploited (vuln) VALUES (?1)",
                    params![id.key()],
                )
            }
            Statement::Epss { id, chance } => {
                self.replace(Feed::Epss)?;
                self.run(
                    "INSERT OR REPLACE INTO epss (vuln, chance) VALUES (?1, ?2)",
                    params![id.key(), chance],
                )
            }
        }
    }

    fn record(&mut self, feed: Feed, record: &Record) -> Result<(), DatabaseError> {
        let (vuln, code) = (record.id.key(), code(feed));
        self.run(
            "DELETE FROM affected WHERE vuln = ?1 AND feed = ?2",
            params![vuln, code],
        )?;
        self.run(
            "INSERT OR REPLACE INTO record (vuln, feed, score) VALUES (?1, ?2, ?3)",
            params![vuln, code, record.score],
        )?;
        for product in &record.products {
            let id = self.product(product.part, &product.vendor, &product.product)?;
            self.run(
                "INSERT OR REPLACE INTO affected (product, vuln, feed, ranges) VALUES (?1, ?2, ?3, ?4)",
                params![id, vuln, code, written(&product.ranges)],
            )?;
        }
        Ok(())
    }

    fn advisory(&mut self, advisory: &Advisory) -> Result<(), DatabaseError> {
        let name = self.name(&advisory.name)?;
        self.run("DELETE FROM package WHERE advisory = ?1", params![name])?;
        for packaged in &advisory.packages {
            let package = self.name(&packaged.package)?;
            let ecosystem = self.name(&packaged.ecosystem)?;
            let ranges = written(&packaged.ranges);
            for id in &advisory.ids {
                self.run(
                    "INSERT OR REPLACE INTO package (name, vuln, advisory, ecosystem, ranges, unimportant) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        package,
                        id.key(),
                        name,
                        ecosystem,
                        ranges,
                        packaged.weight == Weight::Unimportant
                    ],
                )?;
            }
        }
        Ok(())
    }

    /// Empties what each import replaces as a whole; once, so that one import can have several files.
    fn replace(&mut self, feed: Feed) -> Result<(), DatabaseError> {
        if !self.replaced.insert(feed) {
            return Ok(());
        }
        match feed {
            Feed::Kev => self.run("DELETE FROM exploited", []),
            Feed::Epss => self.run("DELETE FROM epss", []),
            Feed::Nvd | Feed::Cve | Feed::Osv => Ok(()),
        }
    }

    fn date(
        &self,
        feed: Feed,
        name: &str,
        dated: Option<&str>,
        now: &str,
    ) -> Result<(), DatabaseError> {
        // What replaces has its own date; what adds to older data is as new as its newest part.
        let replaces = feed == Feed::Kev || feed == Feed::Epss;
        self.run(
            "INSERT INTO feed (name, dated, imported) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET \
             dated = CASE WHEN ?4 THEN excluded.dated ELSE max(coalesce(dated, excluded.dated), \
             coalesce(excluded.dated, dated)) END, imported = excluded.imported",
            params![name, dated, now, replaces],
        )
    }

    fn product(&mut self, part: Part, vendor: &str, product: &str) -> Result<i64, DatabaseError> {
        let key = (part, vendor.to_owned(), product.to_owned());
        if let Some(id) = self.products.get(&key) {
            return Ok(*id);
        }
        let values = params![product, vendor, letter(part)];
        self.run(
            "INSERT OR IGNORE INTO product (product, vendor, part) VALUES (?1, ?2, ?3)",
            values,
        )?;
        let id = self
            .connection
            .prepare_cached(
                "SELECT id FROM product WHERE product = ?1 AND vendor = ?2 AND part = ?3",
            )?
            .query_row(values, |row| row.get(0))?;
        if self.products.len() >= REMEMBERED {
            self.products.clear();
        }
        self.products.insert(key, id);
        Ok(id)
    }

    fn name(&mut self, text: &str) -> Result<i64, DatabaseError> {
        if let Some(id) = self.names.get(text) {
            return Ok(*id);
        }
        self.run("INSERT OR IGNORE INTO name (text) VALUES (?1)", [text])?;
        let id = self
            .connection
            .prepare_cached("SELECT id FROM name WHERE text = ?1")?
            .query_row([text], |row| row.get(0))?;
        if self.names.len() >= REMEMBERED {
            self.names.clear();
        }
        self.names.insert(text.to_owned(), id);
        Ok(id)
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), DatabaseError> {
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

impl Drop for Importer {
    fn drop(&mut self) {
        if self.connection.is_autocommit() {
            return;
        }
        // Nobody is left to be told; SQLite undoes it at the next opening too.
        let _ = self.connection.execute_batch("ROLLBACK");
        if let Some(path) = &self.created {
            let _ = fs::remove_file(path);
        }
    }
}

/// How the tables name the feeds that records come from.
pub fn code(feed: Feed) -> i64 {
    match feed {
        Feed::Nvd => 1,
        Feed::Cve => 2,
        Feed::Osv => 3,
        Feed::Kev => 4,
        Feed::Epss => 5,
    }
}

/// How the tables name parts.
pub fn letter(part: Part) -> &'static str {
    match part {
        Part::Application => "a",
        Part::System => "o",
        Part::Hardware => "h",
    }
}

/// Of the database, in memory.
const CACHE_KIB: i64 = 32 * 1024;
/// Products and names whose integers are at hand.
const REMEMBERED: usize = 20_000;
