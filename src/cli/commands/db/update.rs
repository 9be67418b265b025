//! `db update`: what the publishers have, if it changed, into the database.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use halfopen::report::civil::rfc3339;
use halfopen::store::feeds::{Feed, Told};
use halfopen::store::vulns::{Database, DatabaseError, Importer, Validators};
use halfopen::transport::fetch::{FetchError, Fetched, Fetcher, Stamp, forget};

use super::import::{add, brought};
use super::words::Base;
use super::{failed, tell, unusable};
use crate::cli::about::printed;
use crate::cli::exit::Exit;
use crate::cli::saying::say;
use crate::cli::scanning::now;

/// A file of a publisher.
struct File {
    /// Below its publisher's address, and below any other.
    name: String,
    publisher: &'static str,
}

/// A file that is on this machine now.
struct Download {
    url: String,
    path: PathBuf,
    stamp: Stamp,
}

/// Updates these feeds, each in a transaction of its own. One that fails does not keep the others from being updated.
pub fn all(feeds: &[Feed], from: Option<&Base>, database: &Path) -> Result<Exit, Exit> {
    let folder = database.with_added_extension("downloads");
    let made = fs::create_dir_all(&folder);
    made.map_err(|source| {
        unusable(&DatabaseError::Open {
            path: folder.clone(),
            source,
        })
    })?;
    let fetcher = Fetcher::new();
    let mut worst = Exit::Complete;
    for feed in feeds {
        let exit = one(*feed, from, database, &folder, &fetcher).unwrap_or_else(|exit| exit);
        worst = worst.max(exit);
        if exit == Exit::Output {
            break;
        }
    }
    // It is empty unless a download is to be gone on with.
    let _ = fs::remove_dir(&folder);
    Ok(worst)
}

fn one(
    feed: Feed,
    from: Option<&Base>,
    database: &Path,
    folder: &Path,
    fetcher: &Fetcher,
) -> Result<Exit, Exit> {
    let now = rfc3339(now());
    let mut downloads = Vec::new();
    let files = files(feed, &now);
    if io::stderr().is_terminal() {
        // It may take minutes.
        say(&format!(
            "{}: asking for {} files",
            feed.name(),
            files.len()
        ));
    }
    for file in files {
        let url = match from {
            Some(base) => base.file(&file.name),
            None => format!("{}/{}", file.publisher, file.name),
        };
        let path = folder.join(format!("{}-{}", feed.name(), file.name.replace('/', "-")));
        let known = known(database, &url).map_err(|error| unusable(&error))?;
        match fetcher.fetch(&url, &known, &path) {
            Ok(Fetched::Unchanged) => {}
            Ok(Fetched::Whole { stamp, .. }) => downloads.push(Download { url, path, stamp }),
            Err(error) => {
                tell(&format!(
                    "{error}; of {} the database is as it was",
                    feed.name()
                ));
                return Err(match error {
                    FetchError::Write { .. } => Exit::Output,
                    FetchError::Network { .. }
                    | FetchError::Refused { .. }
                    | FetchError::TooLarge { .. } => Exit::Environment,
                });
            }
        }
    }
    if downloads.is_empty() {
        return Ok(printed(&format!("{}: nothing new\n", feed.name())));
    }
    let imported = imported(feed, &downloads, database, &now);
    // Imported they are not needed any more, and what cannot be imported is not to be gone on with.
    for download in &downloads {
        forget(&download.path);
    }
    imported.map(|told| printed(&format!("{}\n", brought(feed, &told))))
}

fn imported(feed: Feed, downloads: &[Download], database: &Path, now: &str) -> Result<Told, Exit> {
    let mut importer = Importer::open(database).map_err(|error| unusable(&error))?;
    let mut all = Told::default();
    for download in downloads {
        let told = importer
            .import(feed, &download.path, now)
            .map_err(|error| failed(&error))?;
        add(&mut all, told);
        let validators = Validators {
            etag: download.stamp.etag.clone(),
            modified: download.stamp.modified.clone(),
        };
        importer
            .remember(&download.url, &validators)
            .map_err(|error| unusable(&error))?;
    }
    importer.commit().map_err(|error| unusable(&error))?;
    Ok(all)
}

/// What the server said of the file that is in the database.
fn known(database: &Path, url: &str) -> Result<Stamp, DatabaseError> {
    match Database::open(database).and_then(|database| database.validators(url)) {
        Ok(Validators { etag, modified }) => Ok(Stamp { etag, modified }),
        Err(DatabaseError::Missing { .. }) => Ok(Stamp::default()),
        Err(error) => Err(error),
    }
}

/// What a feed consists of, at this moment.
fn files(feed: Feed, now: &str) -> Vec<File> {
    let file = |publisher, name: String| File { name, publisher };
    match feed {
        Feed::Nvd => {
            // There is a file for each year, all before 2003 in the first, and one with the last eight days.
            let year = now.get(..4).and_then(|year| year.parse().ok());
            let years = 2002..=year.unwrap_or(2002_u16);
            let years = years.map(|year| year.to_string());
            years
                .chain(["modified".to_owned()])
                .map(|part| file(NVD, format!("nvdcve-2.0-{part}.json.gz")))
                .collect()
        }
        Feed::Cve => vec![file(CVE, "main.zip".to_owned())],
        Feed::Osv => ["Debian", "Ubuntu"]
            .map(|distribution| file(OSV, format!("{distribution}/all.zip")))
            .into(),
        Feed::Kev => vec![file(KEV, "known_exploited_vulnerabilities.json".to_owned())],
        Feed::Epss => vec![file(EPSS, "epss_scores-current.csv.gz".to_owned())],
    }
}

const NVD: &str = "https://nvd.nist.gov/feeds/json/cve/2.0";
const CVE: &str = "https://github.com/CVEProject/cvelistV5/archive/refs/heads";
const OSV: &str = "https://osv-vulnerabilities.storage.googleapis.com";
const KEV: &str = "https://www.cisa.gov/sites/default/files/feeds";
const EPSS: &str = "https://epss.empiricalsecurity.com";
