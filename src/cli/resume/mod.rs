//! `--resume FILE`: the journal of a scan. Where the file is not there yet, it is begun; where it is, the scan goes on.
//!
//! Nothing that is no journal of this very scan is ever written to.

mod recorder;
mod settings;

pub use recorder::{Recorded, Recorder};
pub use settings::{fill, head};

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use halfopen::model::Kept;
use halfopen::plan::{Mistake, escape, quote, quote_path};
use halfopen::report::text::{grouped, number};
use halfopen::results::journal::{self, Entries, Fault, Head, Held, Survey};

use crate::cli::args::Args;
use crate::cli::outputs::asked::{Destination, Plan};

/// A journal that was asked for, looked through and not yet touched.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Nothing where the file is not there, or never came to hold anything.
    held: Option<Survey>,
    /// Locked, where there is one.
    file: Option<File>,
}

/// What the scan goes on from, as the library wants it.
pub type Past = Box<dyn Iterator<Item = io::Result<Kept>> + Send>;

impl Journal {
    /// Looks at the journal that was asked for, if one was.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn asked_for(args: &Args) -> Result<Option<Self>, Mistake> {
        let Some(path) = &args.resume else {
            return Ok(None);
        };
        for (flag, given) in [
            ("--list", args.list),
            ("--dry-run", args.dry_run),
            ("--ping-only", args.ping_only),
        ] {
            if given {
                return Err(Mistake::new(format!(
                    "{flag} scans no ports, so there is nothing to --resume; leave one of them out"
                )));
            }
        }
        Self::look(Path::new(path)).map(Some)
    }

    fn look(path: &Path) -> Result<Self, Mistake> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::missing(path),
            Err(error) => return Err(unusable(path, &error)),
        };
        let found = file.metadata().map_err(|error| unusable(path, &error))?;
        if !found.is_file() {
            return Err(wrong(path, "is no file", "name a file"));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(wrong(
                    path,
                    "is in use by a scan that is running",
                    "wait for its end, or name another file",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(path, &error)),
        }
        let held = match journal::survey(BufReader::new(&file), found.len()) {
            Ok(survey) => Some(survey),
            Err(Fault::Empty) if found.len() == 0 => None,
            // It may be of another scan, and hold all of it.
            Err(Fault::Empty) => {
                return Err(wrong(
                    path,
                    "ends before it says of which scan it is",
                    "it is left as it is; name another file",
                ));
            }
            Err(Fault::Read(error)) => return Err(unusable(path, &error)),
            Err(fault @ Fault::Damaged(_)) => {
                return Err(wrong(
                    path,
                    &format!("is {fault}"),
                    "nothing behind that can be believed; scan anew with another file",
                ));
            }
            Err(fault) => {
                return Err(wrong(
                    path,
                    &format!("is {fault}"),
                    "it is left as it is; name another file",
                ));
            }
        };
        if let Some(Survey { head, .. }) = &held
            && head.version != VERSION
        {
            let what = format!(
                "was written by version {} of halfopen, and this is {VERSION}",
                quote(&head.version)
            );
            return Err(wrong(
                path,
                &what,
                "go on with that one, or name another file",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            held,
            file: Some(file),
        })
    }

    fn missing(path: &Path) -> Result<Self, Mistake> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            let what = format!(
                "cannot be written, because there is no folder {}",
                shown(folder)
            );
            return Err(wrong(path, &what, "create it first"));
        }
        Ok(Self {
            path: path.to_owned(),
            held: None,
            file: None,
        })
    }

    /// The scan that it is of; nothing where there is none yet.
    pub fn head(&self) -> Option<&Head> {
        self.held.as_ref().map(|held| &held.head)
    }

    /// The order of the walk that it has, where it has one.
    pub fn seed(&self, seed: &mut u64) {
        let own = self.head().and_then(|head| head.setting("seed"));
        if let Some(own) = own.and_then(|own| own.parse().ok()) {
            *seed = own;
        }
    }

    /// Whether it is of a scan with these settings, and no output of it.
    ///
    /// # Errors
    /// What differs.
    pub fn agree(&self, head: &Head, outputs: &Plan) -> Result<(), Mistake> {
        for asked in &outputs.outputs {
            let path = match &asked.to {
                Destination::File(path) => path,
                Destination::Stdout => Path::new("/dev/stdout"),
            };
            if is_same(path, &self.path) {
                return Err(Mistake::new(format!(
                    "--resume and --output name one file, {}; give each a file of its own",
                    shown(&self.path)
                )));
            }
        }
        let Some(difference) = self.head().and_then(|own| own.difference(head)) else {
            return Ok(());
        };
        let said = |text: &str| match text {
            "" => "nothing".to_owned(),
            text => quote(text),
        };
        Err(wrong(
            &self.path,
            &format!(
                "is of another scan ({}: {} there, {} here)",
                difference.setting,
                said(&difference.ours),
                said(&difference.theirs)
            ),
            "give the same settings, or another file",
        ))
    }

    /// Begins the file, or cuts off what was never written whole; and what the scan goes on from.
    ///
    /// # Errors
    /// What the system said.
    pub fn begin(self, head: &Head) -> Result<(Recorder, Past), Mistake> {
        let path = self.path.clone();
        self.begun(head).map_err(|error| unusable(&path, &error))
    }

    fn begun(self, head: &Head) -> io::Result<(Recorder, Past)> {
        let name = shown(&self.path);
        let Some(survey) = self.held else {
            let mut file = match self.file {
                Some(file) => file,
                None => new(&self.path)?,
            };
            let bytes = journal::begin(&head.write());
            file.set_len(0)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            let recorder = Recorder::new(file, bytes.len() as u64, name);
            return Ok((recorder, Box::new(std::iter::empty())));
        };
        let Some(mut file) = self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        file.set_len(survey.end)?;
        file.seek(SeekFrom::End(0))?;
        // Another descriptor: the two read and write at places of their own.
        let past = BufReader::new(File::open(&self.path)?);
        let (_, entries) = Entries::open(past, survey.end).map_err(io::Error::other)?;
        Ok((Recorder::new(file, survey.end, name), Box::new(entries)))
    }

    /// One line on how much is held of so many endpoints; nothing where the scan begins.
    pub fn told(&self, endpoints: u64) -> Option<String> {
        let Held {
            answered,
            open,
            through,
        } = self.held.as_ref()?.held;
        let path = shown(&self.path);
        if through >= endpoints {
            return Some(format!(
                "resumed from {path}: it holds the whole scan, nothing is left to be asked"
            ));
        }
        let mut line = format!(
            "resumed from {path}: {} of {} are known, {} of them open",
            grouped(answered),
            number(endpoints, "endpoint"),
            grouped(open)
        );
        if through > 0 {
            line.push_str(&format!(
                "; the first {} are done with, silent ones too",
                grouped(through)
            ));
        }
        Some(line)
    }

    /// How to go on, for whoever has ended the scan.
    pub fn hint(&self) -> String {
        format!(
            "note: to go on, run the same again, or halfopen --resume {}",
            shown(&self.path)
        )
    }
}

fn new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    file.try_lock()?;
    Ok(file)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        std::fs::canonicalize(path).ok().or_else(|| {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
        })
    };
    one == other || whole(one).is_some_and(|one| Some(one) == whole(other))
}

fn wrong(path: &Path, what: &str, right: &str) -> Mistake {
    Mistake::new(format!("--resume: {} {what}; {right}", shown(path)))
}

fn unusable(path: &Path, error: &io::Error) -> Mistake {
    let why = escape(&error.to_string(), 80);
    Mistake::new(format!("--resume: cannot use {}: {why}", shown(path)))
}

fn shown(path: &Path) -> String {
    quote_path(&path.to_string_lossy())
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
