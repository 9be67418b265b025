//! Targets and excludes from wherever they come: arguments, files, standard input, and the folders whose excludes always
//! hold. All of them end in one [`TargetList`], which also collects what is wrong with them.

pub mod folders;
mod lines;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use halfopen::plan::{Cause, Internet, Mistake, Note, Purpose, TargetList, quote_path};
use halfopen::report::text::number;

use crate::cli::args::Args;
use crate::cli::machine::Machine;
use crate::cli::saying::reason;
use folders::{Folders, Trouble};
use lines::{Flaw, Lines};

/// What was read, before any name is looked up.
pub struct Input {
    pub targets: TargetList,
    pub notes: Vec<Note>,
    /// Files that were to hold targets, and hold none.
    empty: Vec<String>,
}

/// The argument that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// After so many mistakes the rest of a file is not read: it is the wrong file.
const MOST_MISTAKES: u32 = 16;

/// Reads everything. Mistakes go to the list.
pub fn read(args: &Args, machine: &Machine, folders: &Folders) -> Input {
    let mut input = Input {
        targets: TargetList::new(machine.surroundings.clone(), Internet::Refused),
        notes: Vec::new(),
        empty: Vec::new(),
    };
    input.excludes(args, folders);
    // Somebody who means it has thought about what must be left alone.
    if args.allow_internet && input.targets.excludes() > 0 {
        input.targets.permit(Internet::Allowed);
    }
    input.all_targets(args);
    input
}

/// Whether reading again would give the same: standard input is gone after the first time.
pub fn is_repeatable(args: &Args) -> bool {
    standard_inputs(args).next().is_none()
}

/// What is wrong with these targets, before any name is looked up.
pub fn target_mistakes(targets: &[String], machine: &Machine) -> Vec<Mistake> {
    let mut list = TargetList::new(machine.surroundings.clone(), Internet::Refused);
    targets.iter().for_each(|target| list.add(target));
    mistakes(&list)
}

/// What is wrong with the text of a list. Names that nobody has looked up yet are not wrong.
pub fn mistakes(list: &TargetList) -> Vec<Mistake> {
    let mut mistakes = list.finish().err().unwrap_or_default();
    mistakes.retain(|mistake| mistake.cause() == Cause::Input);
    mistakes
}

fn standard_inputs(args: &Args) -> impl Iterator<Item = &String> {
    let files = args.input_file.iter().chain(&args.exclude_file);
    files
        .chain(&args.targets)
        .filter(|path| *path == STANDARD_INPUT)
}

impl Input {
    fn excludes(&mut self, args: &Args, folders: &Folders) {
        for exclude in &args.exclude {
            // One exclude may hold several; an empty one is a mistake that the list itself names.
            let mut several = targets_in(exclude).peekable();
            if several.peek().is_none() {
                self.targets.exclude("");
            }
            several.for_each(|text| self.targets.exclude(text));
        }
        let typed = self.targets.excludes();
        let (standing, troubles) = folders.files();
        for trouble in troubles {
            match trouble {
                Trouble::Unreadable(path, error) => {
                    self.unusable(&path.to_string_lossy(), Purpose::Exclude, &reason(&error));
                }
                Trouble::NotOurs(path, _) => self.notes.push(Note::new(format!(
                    "excludes in {} do not hold: this user may not look there",
                    quote_path(&path.to_string_lossy())
                ))),
            }
        }
        let files: Vec<String> = standing
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .chain(args.exclude_file.iter().cloned())
            .collect();
        for path in &standing {
            self.file(path, Purpose::Exclude);
        }
        for path in &args.exclude_file {
            self.named(path, Purpose::Exclude);
        }
        if let Some(first) = files.first() {
            let count = self.targets.excludes() - typed;
            self.notes.push(Note::new(format!(
                "{} read from {}{}",
                number(count, "exclude"),
                quote_path(first),
                match files.len() - 1 {
                    0 => String::new(),
                    1 => " and 1 more file".to_owned(),
                    more => format!(" and {more} more files"),
                }
            )));
        }
    }

    fn all_targets(&mut self, args: &Args) {
        if standard_inputs(args).count() > 1 {
            self.targets.complain(Mistake::new(
                "standard input (\"-\") is given twice; it can be read once",
            ));
        }
        for target in &args.targets {
            if target == STANDARD_INPUT {
                self.named(target, Purpose::Scan);
            } else {
                self.targets.add(target);
            }
        }
        for path in &args.input_file {
            self.named(path, Purpose::Scan);
        }
        for (at, path) in std::mem::take(&mut self.empty).iter().enumerate() {
            let said = format!("no targets in {}", quote_path(path));
            if at == 0 && self.targets.is_empty() {
                self.targets.add_mistaken(Mistake::new(said));
            } else {
                self.notes.push(Note::new(said));
            }
        }
    }

    /// Reads a file that was named on the command line.
    fn named(&mut self, path: &str, purpose: Purpose) {
        if path == STANDARD_INPUT {
            self.lines(io::stdin().lock(), "standard input", purpose);
        } else {
            self.file(Path::new(path), purpose);
        }
    }

    fn file(&mut self, path: &Path, purpose: Purpose) {
        let shown = path.to_string_lossy();
        match File::open(path) {
            Ok(file) => self.lines(BufReader::new(file), &shown, purpose),
            Err(error) => self.unusable(&shown, purpose, &reason(&error)),
        }
    }

    /// Reads lines of targets. Of one wrong file not more than a screenful is told.
    fn lines(&mut self, reader: impl BufRead, path: &str, purpose: Purpose) {
        let mut lines = Lines::new(reader);
        let mut targets = 0_u64;
        let mut wrong = 0;
        loop {
            let number = lines.number() + 1;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(Flaw::Io(error)) => return self.unusable(path, purpose, &reason(&error)),
                Err(flaw) => {
                    let why = format!("line {number}: {flaw}");
                    return self.unusable(path, purpose, &why);
                }
            };
            for text in targets_in(line) {
                targets += 1;
                let Err(mistake) = self.targets.take(text, purpose) else {
                    continue;
                };
                self.refuse(text, purpose, &mistake.at(path, number));
                wrong += 1;
                if wrong == MOST_MISTAKES {
                    return self.targets.complain(Mistake::new(format!(
                        "too many mistakes in {}; the rest of it was not read",
                        quote_path(path)
                    )));
                }
            }
        }
        if targets == 0 && purpose == Purpose::Scan {
            self.empty.push(path.to_owned());
        }
    }

    fn refuse(&mut self, text: &str, purpose: Purpose, mistake: &Mistake) {
        match purpose {
            Purpose::Scan => self.targets.add_mistaken(mistake.clone()),
            Purpose::Exclude => self.targets.complain(Mistake::refusing(text, mistake)),
        }
    }

    fn unusable(&mut self, path: &str, purpose: Purpose, why: &str) {
        let path = quote_path(path);
        match purpose {
            Purpose::Scan => self.targets.add_mistaken(Mistake::new(format!(
                "cannot read targets from {path}: {why}"
            ))),
            Purpose::Exclude => self.targets.complain(Mistake::new(format!(
                "refusing to scan without the excludes of {path}: {why}"
            ))),
        }
    }
}

/// What stands between blanks and commas.
fn targets_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| character == ',' || character.is_ascii_whitespace())
        .filter(|text| !text.is_empty())
}
