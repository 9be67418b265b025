//! `halfopen db`: the database of known vulnerabilities, filled and looked at.

mod import;
mod status;
mod update;
mod words;

use std::ffi::OsString;

use clap::{ArgAction, Parser, ValueHint};
use halfopen::plan::Mistake;
use halfopen::store::vulns::{DatabaseError, ImportError};

use crate::cli::about::{help, printed};
use crate::cli::database;
use crate::cli::exit::Exit;
use crate::cli::saying::refuse;
use crate::cli::typed;
use words::Asked;

/// Fill and show the database of known vulnerabilities
///
/// import FEED FILE... reads files that you have: nvd (NVD JSON 2.0), cve (CVE List v5), osv (Debian and Ubuntu), kev (CISA's
/// catalogue of exploited ones), epss (scores, CSV). Each may be a folder or a ZIP archive of such files, and packed by
/// gzip. update [FEED]... downloads what changed and imports it; without a feed nvd, osv, kev and epss. status tells what
/// is in it. A feed is imported whole or not at all.
#[derive(Parser, Clone, Default, PartialEq, Eq, Debug)]
#[command(
    name = "halfopen db",
    disable_version_flag = true,
    disable_help_flag = true,
    override_usage = "halfopen db [OPTIONS] import FEED FILE...\n       halfopen db [OPTIONS] update [FEED]...\n       \
                      halfopen db [OPTIONS] status",
    after_help = "Exit status: 0 done, 2 usage, or a file that is no whole one of its feed, 4 a download failed or there is no database, 5 the \
                  database cannot be written",
    max_term_width = 100
)]
pub struct Db {
    /// import, update or status, and what belongs to it
    #[arg(value_name = "ACTION", value_hint = ValueHint::FilePath)]
    words: Vec<String>,

    /// The database; default vulnerabilities.db in $XDG_DATA_HOME/halfopen or ~/.local/share/halfopen
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    db: Option<String>,

    /// Download from this address instead of the publishers', where the files have the same names
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    from: Option<String>,

    /// With status: write one JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Print this help
    #[arg(short, long, action = ArgAction::SetTrue)]
    help: bool,
}

pub fn run(argv: Vec<OsString>) -> Exit {
    let (args, mut mistakes) = typed::read::<Db>(argv);
    if args.help {
        return printed(&help::<Db>());
    }
    let asked = words::asked(&args).map_err(|mut more| mistakes.append(&mut more));
    let path = database::place(args.db.as_deref(), &|name| std::env::var_os(name))
        .map_err(|mistake| mistakes.push(mistake));
    let (Ok(asked), Ok(path), []) = (asked, path, &mistakes[..]) else {
        return refuse(&mistakes);
    };
    let done = match asked {
        Asked::Import { feed, files } => import::all(feed, &files, &path),
        Asked::Update { feeds, from } => update::all(&feeds, from.as_ref(), &path),
        Asked::Status(format) => status::tell(&path, format),
    };
    done.unwrap_or_else(|exit| exit)
}

/// Says why an import failed. Whose fault it is decides the exit status.
fn failed(error: &ImportError) -> Exit {
    match error {
        ImportError::Database(error) => unusable(error),
        ImportError::Feed(error) => tell(&format!("{error}; the database is as it was")),
    }
}

fn unusable(error: &DatabaseError) -> Exit {
    let usage = tell(&error.to_string());
    match error {
        DatabaseError::Missing { .. } | DatabaseError::Busy => Exit::Environment,
        DatabaseError::Foreign { .. } | DatabaseError::Version { .. } => usage,
        DatabaseError::Open { .. } | DatabaseError::Sqlite(_) | DatabaseError::Damaged { .. } => {
            Exit::Output
        }
    }
}

/// Says an error in one line of bounded length: parts of it come from files and servers.
fn tell(message: &str) -> Exit {
    refuse(&[Mistake::new(message)])
}
