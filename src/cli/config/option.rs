//! What clap's definition says about an option as a setting.

use clap::{Arg, ArgAction};

use crate::cli::typed::takes_value;

/// Where an option may be set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// It is about one run, or asks for something else than a scan.
    CommandLine,
    /// It makes sense for a container or a job, not for every scan from now on.
    Environment,
    File,
}

/// Where this option may be set.
pub fn scope(option: &Arg) -> Scope {
    let id = option.get_id().as_str();
    if option.is_positional() || COMMAND_LINE.contains(&id) {
        Scope::CommandLine
    } else if ENVIRONMENT.contains(&id) {
        Scope::Environment
    } else {
        Scope::File
    }
}

/// Whether a scan that does not heed it sends more than it is to.
pub fn holds_back(option: &Arg) -> bool {
    HOLDING_BACK.contains(&option.get_id().as_str())
}

/// Excludes of all places count: a nearer one must not uncover what another wants left alone.
pub fn adds_up(option: &Arg) -> bool {
    option.get_id().as_str().starts_with("exclude")
}

/// Whether it may be given more than once.
pub fn repeats(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

/// The name in files: the long flag.
pub fn key(option: &Arg) -> &str {
    option.get_long().unwrap_or_default()
}

/// The name in the environment.
pub fn variable(option: &Arg) -> String {
    let name = key(option).replace('-', "_").to_ascii_uppercase();
    format!("{PREFIX}{name}")
}

/// What the whole help says, in one paragraph per paragraph, without styles.
pub fn help(option: &Arg) -> String {
    let help = option.get_long_help().or_else(|| option.get_help());
    help.map(ToString::to_string).unwrap_or_default()
}

/// The default as the help says it behind `; default `. A test holds the help to what `settings` does.
pub fn default(option: &Arg) -> Option<Default> {
    if !takes_value(option) {
        return Some(Default::Text("false".to_owned()));
    }
    let help = help(option);
    let (_, behind) = help.rsplit_once("; default ")?;
    let said = behind.lines().next().unwrap_or("").trim_end_matches('.');
    Some(if said.contains(' ') {
        Default::Rule(said.to_owned())
    } else {
        Default::Text(said.to_owned())
    })
}

/// What holds where an option is not set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Default {
    /// The same as this text.
    Text(String),
    /// What no text says: `what the path allows`.
    Rule(String),
}

/// What every variable begins with.
pub const PREFIX: &str = "HALFOPEN_";

const COMMAND_LINE: [&str; 10] = [
    "brief",
    "dry_run",
    "generate",
    "help",
    "list",
    "list_fields",
    "ping_only",
    "print_config",
    "show_settings",
    "version",
];
const HOLDING_BACK: [&str; 3] = ["dry_run", "list", "ping_only"];
const ENVIRONMENT: [&str; 6] = [
    "config",
    "input_file",
    "no_config",
    "output",
    "resume",
    "shard",
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Args;

    #[test]
    fn options_that_are_singled_out_exist() {
        let command = Args::command();
        for id in COMMAND_LINE.iter().chain(&ENVIRONMENT).chain(&HOLDING_BACK) {
            assert!(
                command.get_arguments().any(|option| option.get_id() == id),
                "{id}"
            );
        }
    }
}
