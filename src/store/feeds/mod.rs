//! The feeds that vulnerability data comes in, in their own formats, read as streams: whatever a file's size, no more than
//! one record of it is in memory.
//!
//! | feed | format |
//! |---|---|
//! | `nvd` | NVD JSON 2.0, feed files and pages of the API |
//! | `cve` | CVE List v5: one record a file, folders and archives of them |
//! | `osv` | OSV: records of Debian and Ubuntu, folders and archives of them |
//! | `kev` | CISA's catalogue of exploited vulnerabilities, JSON |
//! | `epss` | EPSS scores, CSV |
//!
//! Each may be packed by gzip, and be many files in a folder or a ZIP archive.

mod configurations;
mod cve;
mod epss;
mod input;
mod kev;
mod nvd;
mod osv;
mod stream;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::enrich::vulns::id::CveId;
use crate::enrich::vulns::judge::Weight;
use crate::enrich::vulns::range::Range;
use crate::model::facts::Part;
use crate::store::place::shown;

/// A feed by its name on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Feed {
    Nvd,
    Cve,
    Osv,
    Kev,
    Epss,
}

impl Feed {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nvd, Self::Cve, Self::Osv, Self::Kev, Self::Epss];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nvd => "nvd",
            Self::Cve => "cve",
            Self::Osv => "osv",
            Self::Kev => "kev",
            Self::Epss => "epss",
        }
    }
}

/// One statement of a feed.
#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    /// What NVD or the CVE List say of a vulnerability.
    Record(Record),
    /// What a distribution says of its packages.
    Advisory(Advisory),
    /// It is being exploited, on record since this day.
    Exploited { id: CveId },
    /// The chance that it is exploited within 30 days, 0 to 1.
    Epss { id: CveId, chance: f64 },
}

/// A vulnerability and the products that it is in.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    pub id: CveId,
    /// CVSS base score, 0 to 10.
    pub score: Option<f64>,
    pub products: Vec<Product>,
}

/// A product and its versions.
#[derive(Clone, PartialEq, Debug)]
pub struct Product {
    pub part: Part,
    /// `*` where the feed does not tell it.
    pub vendor: String,
    pub product: String,
    pub ranges: Vec<Range>,
}

/// A distribution's advisory; the packages are empty where it was withdrawn.
#[derive(Clone, PartialEq, Debug)]
pub struct Advisory {
    pub name: String,
    pub ids: Vec<CveId>,
    pub packages: Vec<Packaged>,
}

/// A source package and its versions.
#[derive(Clone, PartialEq, Debug)]
pub struct Packaged {
    pub package: String,
    /// `Debian:12`
    pub ecosystem: String,
    pub ranges: Vec<Range>,
    pub weight: Weight,
}

/// What was read besides the statements.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    pub documents: u64,
    pub statements: u64,
    /// Records that say nothing that is kept: of other distributions, or of no CVE.
    pub left_out: u64,
    /// The day that the data is of (`2026-11-20`), the latest that was found.
    pub dated: Option<String>,
}

/// A feed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("cannot read {}: {source}", shown(path))]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// `place` is a file, a file in an archive; a line and column where there is one.
    #[error("{place}: {what}")]
    Malformed { place: String, what: String },
    #[error("{}: nothing of this feed is in it", shown(path))]
    Nothing { path: PathBuf },
    /// Whoever takes the statements has had enough.
    #[error("stopped")]
    Stopped,
}

/// Why one document cannot be read, without its place.
#[derive(Debug)]
enum Broken {
    Malformed {
        place: Option<(usize, usize)>,
        what: String,
    },
    Stopped,
}

/// Takes statements; `Err` ends the reading.
pub type Take<'t> = dyn FnMut(Statement) -> Result<(), Enough> + 't;

/// No more statements are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enough;

/// Reads a file, a folder or an archive of this feed.
///
/// # Errors
/// [`FeedError`] with the file and the place in it. What was taken before it is to be thrown away.
pub fn read(feed: Feed, path: &Path, take: &mut Take<'_>) -> Result<Told, FeedError> {
    let mut told = Told::default();
    input::documents(path, &|name| is_of(feed, name), &mut |input| {
        told.documents += 1;
        let mut take = |statement| {
            told.statements += 1;
            take(statement)
        };
        let more = document(feed, input, &mut take)?;
        told.left_out += more.left_out;
        told.dated = told.dated.take().max(more.dated);
        Ok(())
    })?;
    if told.documents == 0 {
        return Err(FeedError::Nothing {
            path: path.to_owned(),
        });
    }
    Ok(told)
}

/// What one document told beside its statements.
#[derive(Debug, Default)]
struct More {
    dated: Option<String>,
    left_out: u64,
}

fn document(feed: Feed, input: &mut dyn Read, take: &mut Take<'_>) -> Result<More, Broken> {
    match feed {
        Feed::Nvd => nvd::read(input, take),
        Feed::Cve => cve::read(input, take),
        Feed::Osv => osv::read(input, take),
        Feed::Kev => kev::read(input, take),
        Feed::Epss => epss::read(input, take),
    }
}

/// Whether a file in a folder or an archive is of this feed, by its name.
fn is_of(feed: Feed, name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    match feed {
        Feed::Nvd | Feed::Osv | Feed::Kev => name.ends_with(".json"),
        // The list has files of its own history between the records.
        Feed::Cve => name.starts_with("CVE-") && name.ends_with(".json"),
        Feed::Epss => name.ends_with(".csv"),
    }
}

/// The day of a moment in RFC 3339, if it is one.
fn day(moment: &str) -> Option<String> {
    let day = moment.get(..10)?;
    let fits = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    fits.then(|| day.to_owned())
}

#[cfg(test)]
mod tests;
