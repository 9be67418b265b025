//! Commands beside the scan: words that mean something in the first place of a command line. A host of that name goes
//! after `--`.

mod db;
mod diff;
mod doctor;
mod merge;

use std::ffi::{OsStr, OsString};

use clap::{Command, CommandFactory as _};

use crate::cli::exit::Exit;

/// Runs a command with what follows its name.
pub type Run = fn(Vec<OsString>) -> Exit;

/// Makes clap's definition of a command's options.
type Definition = fn() -> Command;

/// The command of this name.
pub fn named(word: &OsStr) -> Option<Run> {
    COMMANDS
        .iter()
        .find(|(name, ..)| *name == word)
        .map(|(_, _, run)| *run)
}

/// What clap knows of them, for help, manual and completions.
pub fn definitions() -> impl Iterator<Item = Command> {
    COMMANDS
        .iter()
        .map(|(name, definition, _)| definition().name(*name))
}

/// Name, definition of its options (its about line is the first of its help), and what runs it.
const COMMANDS: [(&str, Definition, Run); 4] = [
    ("db", db::Db::command, db::run),
    ("diff", diff::Diff::command, diff::run),
    ("doctor", doctor::Doctor::command, doctor::run),
    ("merge", merge::Merge::command, merge::run),
];
