//! What `halfopen` does besides scanning, each by a word of its own. Only the first argument is looked at; a host of that
//! name goes after `--`.

mod diff;
mod merge;

use std::ffi::{OsStr, OsString};

use crate::cli::exit::Exit;

/// Runs a command with the arguments behind its name.
pub type Run = fn(Vec<OsString>) -> Exit;

/// Name, what it does, and how.
const COMMANDS: [(&str, &str, Run); 2] = [
    (
        "diff",
        "what changed between two scans (also of nmap and masscan)",
        diff::run,
    ),
    (
        "merge",
        "join the JSON lines of all parts of a scan",
        merge::run,
    ),
];

/// The command of this name.
pub fn named(word: &OsStr) -> Option<Run> {
    COMMANDS
        .iter()
        .find(|(name, _, _)| word == *name)
        .map(|(_, _, run)| *run)
}

/// The list of commands for the help.
pub fn listed() -> String {
    let mut text = "Commands (halfopen COMMAND --help):".to_owned();
    for (name, about, _) in COMMANDS {
        text.push_str(&format!("\n  {name:<7} {about}"));
    }
    text
}
