//! What identification needs from this machine, read while its privileges are held.

use std::path::Path;
use std::sync::{Arc, Mutex};

use halfopen::enrich::rules::Rules;
use halfopen::enrich::tls::certificate::Authorities;
use halfopen::enrich::vulns::known;
use halfopen::model::facts::{Finding, Service};
use halfopen::plan::{Mistake, quote};
use halfopen::report::names::Names;
use halfopen::scan::Identify;
use halfopen::store::vulns::{Database, DatabaseError};
use halfopen::store::{authorities, rule_files};

use crate::cli::database;
use crate::cli::exit::Exit;
use crate::cli::saying::say;
use crate::cli::settings::Identification;
use crate::cli::settings::identification::{Parts, Vulnerabilities};

/// What a scan identifies with.
#[derive(Default)]
pub struct Prepared {
    pub identify: Option<Identify>,
    /// What it has to do without.
    pub note: Option<String>,
}

/// Rules, authorities, names and the database, where they are asked for.
///
/// # Errors
/// Where the folder of rules cannot be read, or what is in it are no rules; where there is a database that cannot be used, or
/// none where it was said to be.
pub fn prepared(asked: &Identification, names: &Names) -> Result<Prepared, Refused> {
    let Identification::Of(parts) = asked else {
        return Ok(Prepared::default());
    };
    let mut prepared = Prepared::default();
    let mut identify = Identify::default();
    if let Some(folder) = &parts.recog_dir {
        identify.rules = Arc::new(rules(folder)?);
    }
    identify.authorities = Authorities::new(authorities::of_this_machine());
    identify.names = names.hosts.clone();
    identify.services = parts.services;
    identify.systems = parts.systems;
    match opened(parts)? {
        Opened::NotAsked => {}
        Opened::Database(database) => {
            identify.vulnerabilities = Some(Arc::new(Mutex::new(Aloud(database))));
        }
        Opened::Missing(note) => prepared.note = Some(note),
    }
    prepared.identify = Some(identify);
    Ok(prepared)
}

/// Why nothing can be identified with what there is.
pub struct Refused {
    pub mistake: Mistake,
    pub exit: Exit,
}

/// What was typed is wrong.
impl From<Mistake> for Refused {
    fn from(mistake: Mistake) -> Self {
        Self {
            mistake,
            exit: Exit::Usage,
        }
    }
}

enum Opened {
    NotAsked,
    Database(Database),
    /// There is none, as this says.
    Missing(String),
}

fn opened(parts: &Parts) -> Result<Opened, Refused> {
    let Vulnerabilities::In(typed) = &parts.vulnerabilities else {
        return Ok(Opened::NotAsked);
    };
    let without = |why: &dyn std::fmt::Display| {
        Ok(Opened::Missing(format!(
            "known vulnerabilities are not looked up: {why}; `halfopen db update` makes one"
        )))
    };
    let path = match database::place(typed.as_deref(), &|name| std::env::var_os(name)) {
        Ok(path) => path,
        Err(mistake) if typed.is_some() => return Err(mistake.into()),
        Err(mistake) => return without(&mistake),
    };
    match Database::open(&path) {
        Ok(database) => Ok(Opened::Database(database)),
        Err(error @ DatabaseError::Missing { .. }) if typed.is_none() => without(&error),
        // As another user with the variables of the first one: nobody can tell whether there is one.
        Err(error @ DatabaseError::Open { .. }) if typed.is_none() => Ok(Opened::Missing(format!(
            "known vulnerabilities are not looked up: {error}"
        ))),
        Err(error) => Err(Refused {
            // Nobody named the usual one, and nobody can know that it is in use: the machine is not as it should be.
            exit: match (&error, typed) {
                (DatabaseError::Busy, _) | (_, None) => Exit::Environment,
                (_, Some(_)) => Exit::Usage,
            },
            mistake: Mistake::new(error.to_string()),
        }),
    }
}

fn rules(folder: &str) -> Result<Rules, Mistake> {
    let files = rule_files::read(Path::new(folder)).map_err(|error| {
        Mistake::new(format!("cannot read rules from {}: {error}", quote(folder)))
    })?;
    Rules::with_files(&files).map_err(|error| {
        Mistake::new(format!(
            "rules in {} cannot be used: {}",
            quote(folder),
            quote(&error.to_string())
        ))
    })
}

/// A database whose failure is said. Who asks it asks no more then.
#[derive(Debug)]
struct Aloud(Database);

impl known::Vulnerabilities for Aloud {
    fn known(&self, service: &Service) -> Result<Vec<Finding>, String> {
        let known = self.0.known(service);
        if let Err(why) = &known {
            say(&format!(
                "error: {why}; the other ports' vulnerabilities are not looked up"
            ));
        }
        known
    }
}
