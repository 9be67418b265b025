//! What can be set and what is set, as TOML that can be read again.

use clap::{Arg, CommandFactory as _};

use super::option::{Default, Scope, adds_up, default, help, key, repeats, scope, variable};
use super::{Configured, Origin, Setting};
use crate::cli::args::Args;
use crate::cli::typed::{takes_value, value_name};

/// A commented file with every setting at its default: `--print-config`.
pub fn template() -> String {
    let command = Args::command();
    let mut text = INTRODUCTION.to_owned();
    let mut heading = None;
    for option in settable(&command) {
        if option.get_help_heading() != heading {
            heading = option.get_help_heading();
            let title = heading.unwrap_or("Other settings");
            text.push_str(&format!("\n# --- {title} ---\n"));
        }
        text.push('\n');
        for paragraph in help(option).split('\n').filter(|line| !line.is_empty()) {
            for line in wrapped(paragraph) {
                text.push_str(&format!("# {line}\n"));
            }
        }
        text.push_str(&format!("# Environment: {}\n", variable(option)));
        let (key, example) = (key(option), example(option));
        text.push_str(&format!("#{key} = {example}\n"));
    }
    text
}

/// Every setting, its value and where it was made: `--show-settings`.
pub fn in_force(configured: &Configured) -> String {
    let command = Args::command();
    let mut rows = Vec::new();
    for option in settable(&command) {
        let settings = configured.of(option.get_id().as_str());
        let key = key(option);
        match (settings, default(option)) {
            ([], Some(Default::Text(text))) => {
                rows.push((
                    format!("{key} = {}", typed(option, &text)),
                    "default".to_owned(),
                ));
            }
            ([], Some(Default::Rule(rule))) => {
                rows.push((format!("# {key}: not set"), format!("default: {rule}")));
            }
            ([], None) => rows.push((format!("# {key}: not set"), "default".to_owned())),
            (settings, _) => rows.push((
                format!("{key} = {}", together(option, settings)),
                origins(settings),
            )),
        }
    }
    let widest = rows.iter().map(|(value, _)| value.chars().count());
    let width = widest.max().unwrap_or(0).min(WIDEST_VALUE);
    rows.iter()
        .map(|(value, origin)| format!("{value:width$}  # {origin}\n"))
        .collect()
}

fn settable(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|option| scope(option) == Scope::File)
}

fn example(option: &Arg) -> String {
    match default(option) {
        Some(Default::Text(text)) => typed(option, &text),
        Some(Default::Rule(_)) | None if adds_up(option) || repeats(option) => {
            format!("[{}]", string(value_name(option)))
        }
        Some(Default::Rule(_)) | None => string(value_name(option)),
    }
}

fn together(option: &Arg, settings: &[Setting]) -> String {
    let texts = || settings.iter().flat_map(|setting| &setting.texts);
    if repeats(option) {
        let items: Vec<String> = texts().map(|text| string(text)).collect();
        return format!("[{}]", items.join(", "));
    }
    texts()
        .next()
        .map_or_else(String::new, |text| typed(option, text))
}

fn origins(settings: &[Setting]) -> String {
    let origins: Vec<String> = settings
        .iter()
        .map(|setting| match &setting.origin {
            Origin::CommandLine => "command line".to_owned(),
            elsewhere => elsewhere.to_string(),
        })
        .collect();
    origins.join(", ")
}

/// A value as TOML: flags bare, everything else as the text that it is.
fn typed(option: &Arg, text: &str) -> String {
    if takes_value(option) {
        string(text)
    } else {
        text.to_owned()
    }
}

/// A TOML string on one line, with nothing in it that a terminal obeys.
fn string(text: &str) -> String {
    let mut shown = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            ' '..='~' => shown.push(character),
            other => shown.push_str(&format!("\\U{:08x}", u32::from(other))),
        }
    }
    shown.push('"');
    shown
}

fn wrapped(paragraph: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && line.len() + word.len() >= WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

const INTRODUCTION: &str = "\
# Settings of Halfopen. A line that begins with # and a blank explains, one that begins with # and a name shows a
# setting at its default: take the # away and change it.
#
# Read from $XDG_CONFIG_HOME/halfopen/config.toml (or ~/.config/halfopen/config.toml) and /etc/halfopen/config.toml.
# The nearer wins: command line, environment, your file, the machine's file. Excludes of all of them count together.
# `halfopen --show-settings` says what is in force and where it comes from.
";

/// Columns of an explanation.
const WIDTH: usize = 100;
/// Where origins are still put in one column.
const WIDEST_VALUE: usize = 40;
