//! What the program says about itself instead of scanning: help, version, settings file, man page, completions.

use std::io::{self, Write as _};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use halfopen::plan::{Mistake, nearest, quote};
use halfopen::report::fields::FIELDS;

use crate::cli::args::Args;
use crate::cli::commands;
use crate::cli::config::show;
use crate::cli::exit::Exit;
use crate::cli::saying::{refuse, say};
use crate::cli::settings::words;

/// Prints what was asked for instead of a scan, if something was.
pub fn asked_for(args: &Args) -> Option<Exit> {
    let text = if args.help {
        whole().render_long_help().to_string()
    } else if args.brief {
        whole().render_help().to_string()
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

/// The whole help of a command.
pub fn help<A: CommandFactory>() -> String {
    A::command().render_long_help().to_string()
}

/// The one definition of the options, with the commands below it.
fn whole() -> Command {
    Args::command()
        .subcommand_help_heading("Commands (a host of that name goes after --)")
        .subcommands(commands::definitions())
}

/// The same for completions, with the words that options take. For a command line these are no business of clap's: what
/// it says of a wrong one is not what we say.
fn with_words() -> Command {
    WORDS.iter().fold(whole(), |command, (id, words)| {
        command.mut_arg(id, |option| option.value_parser(words.to_vec()))
    })
}

/// What packagers put in its place: a man page, or completions for a shell.
fn generated(kind: &str) -> Result<String, Mistake> {
    let shell = match kind {
        "man" => return Ok(manual()),
        "complete-bash" => Shell::Bash,
        "complete-zsh" => Shell::Zsh,
        "complete-fish" => Shell::Fish,
        other => {
            let right = match nearest(other, KINDS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("write {}", KINDS.join(", ")),
            };
            return Err(Mistake::new(format!(
                "cannot generate {}; {right}",
                quote(other)
            )));
        }
    };
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut with_words(), "halfopen", &mut bytes);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The manual, with a part for each command.
fn manual() -> String {
    let page = Man::new(Args::command()).section("1");
    let mut text = Vec::new();
    // A vector takes everything.
    let _ = page
        .render_title(&mut text)
        .and_then(|()| page.render_name_section(&mut text))
        .and_then(|()| page.render_synopsis_section(&mut text))
        .and_then(|()| page.render_description_section(&mut text))
        .and_then(|()| page.render_options_section(&mut text));
    for command in commands::definitions() {
        let title = format!(".SH \"HALFOPEN {}\"\n", command.get_name().to_uppercase());
        let page = Man::new(command.disable_version_flag(true));
        let mut part = Vec::new();
        let _ = page
            .render_description_section(&mut part)
            .and_then(|()| page.render_options_section(&mut part));
        let part = String::from_utf8_lossy(&part).replace(".SH DESCRIPTION\n", &title);
        text.extend(part.replace(".SH OPTIONS\n", ".SS Options\n").into_bytes());
    }
    let _ = page.render_extra_section(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

const WORDS: [(&str, &[&str]); 4] = [
    ("mode", &words::MODES),
    ("confirm", &words::CONFIRMATIONS),
    ("send_path", &words::SEND_PATHS),
    ("generate", &KINDS),
];
const KINDS: [&str; 4] = ["man", "complete-bash", "complete-zsh", "complete-fish"];
