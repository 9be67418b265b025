//! What the program says about itself instead of scanning: help, version, man page, completions, settings.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use halfopen::report::fields::FIELDS;

use crate::cli::args::Args;
use crate::cli::config::show;
use crate::cli::exit::Exit;
use crate::cli::saying::say;

/// The text that was asked for instead of a scan, if one was.
pub fn asked_for(args: &Args) -> Option<String> {
    let mut command = Args::command();
    if args.help {
        Some(command.render_long_help().to_string())
    } else if args.brief {
        Some(command.render_help().to_string())
    } else if args.version {
        Some(command.render_version())
    } else if args.print_config {
        Some(show::template())
    } else if args.list_fields {
        Some(listed_fields())
    } else {
        None
    }
}

/// Writes a text to standard output, and is done.
pub fn printed(text: &str) -> Exit {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write to standard output: {error}"));
            Exit::Output
        }
        _ => Exit::Complete,
    }
}

fn listed_fields() -> String {
    FIELDS
        .iter()
        .map(|field| format!("{:<10}{}\n", field.name, field.about))
        .collect()
}
