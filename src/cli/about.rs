//! What the program says about itself instead of scanning: help, version, settings file, man page, completions.

use std::io::{self, Write as _};

use clap::{Command, CommandFactory};
use halfopen::report::fields::{FIELDS, SERVICE_FIELDS};

use crate::cli::args::Args;
use crate::cli::commands;
use crate::cli::config::show;
use crate::cli::exit::Exit;
use crate::cli::generate::generated;
use crate::cli::saying::{refuse, written};

/// Prints what was asked for instead of a scan, if something was.
pub fn asked_for(args: &Args) -> Option<Exit> {
    let text = if args.help {
        ended(whole().render_long_help().to_string())
    } else if args.brief {
        ended(whole().render_help().to_string())
    } else if args.version {
        whole().render_version()
    } else if args.print_config {
        show::template()
    } else if args.list_fields {
        listed_fields()
    } else {
        match generated(args.generate.as_deref()?) {
            Ok(text) => text,
            Err(mistake) => return Some(refuse(&[mistake])),
        }
    };
    Some(printed(&text))
}

/// Writes a text to standard output, and is done.
pub fn printed(text: &str) -> Exit {
    written(
        io::stdout()
            .write_all(text.as_bytes())
            .and_then(|()| io::stdout().flush()),
    )
}

fn listed_fields() -> String {
    FIELDS
        .iter()
        .chain(&SERVICE_FIELDS)
        .map(|field| format!("{:<17}{}\n", field.name, field.about))
        .collect()
}

/// The whole help of a command.
pub fn help<A: CommandFactory>() -> String {
    ended(A::command().render_long_help().to_string())
}

/// With the end of line that clap leaves out where nothing comes after the options.
fn ended(text: String) -> String {
    format!("{}\n", text.trim_end())
}

/// The one definition of the options, with the commands below it.
fn whole() -> Command {
    Args::command()
        .subcommand_help_heading("Commands (a host of that name goes after --)")
        .subcommands(commands::definitions())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen has 24 lines of 80 columns; two more are gone with a look.
    #[test]
    fn the_short_help_has_one_short_line_for_each_option() {
        let help = ended(whole().term_width(80).render_help().to_string());
        assert!(help.lines().count() <= LINES, "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            // A line that was wrapped begins far in.
            assert!(!line.starts_with("          "), "{line}");
        }
    }

    #[test]
    fn the_whole_help_has_every_option_and_every_command() {
        let help = ended(whole().render_long_help().to_string());
        for option in whole().get_arguments() {
            let long = option.get_long().unwrap_or_default();
            assert!(help.contains(&format!("--{long}")), "{long}");
        }
        for command in commands::definitions() {
            assert!(help.contains(&format!("  {}", command.get_name())));
        }
    }

    const LINES: usize = 40;
}
