//! Settings from a TOML file: `max-attempts = 5`, one line per option, named as its long flag.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use halfopen::plan::{Mistake, nearest, quote, quote_path};
use toml::de::{DeTable, DeValue};

use super::option::{Scope, key, repeats, scope};
use super::places::{SYSTEM_FOLDER, is_ours};
use super::{Layer, OFF, ON, Origin, Setting};
use crate::cli::saying::reason;
use crate::cli::typed::{takes_value, value_name};

/// A file that is to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Asked for: it must be there.
    Named(PathBuf),
    /// At its usual place: it need not be there. Where it is, it must be readable: it may hold excludes.
    Usual(PathBuf),
}

/// Reads a file. What is wrong in it is told by path and line, all of it.
pub fn read(command: &Command, source: &Source, mistakes: &mut Vec<Mistake>) -> Layer {
    let (Source::Named(path) | Source::Usual(path)) = source;
    let name = path.to_string_lossy();
    let text = match text_of(path) {
        Ok(text) => text,
        Err(error) if matches!(source, Source::Usual(_)) && is_not_ours(&error, path) => {
            return Layer::new();
        }
        Err(error) => {
            mistakes.push(Mistake::new(format!(
                "cannot read the settings in {}: {}",
                quote_path(&name),
                reason(&error)
            )));
            return Layer::new();
        }
    };
    let mut reader = Reader {
        command,
        path: &name,
        text: &text,
        mistakes,
    };
    reader.all()
}

struct Reader<'a> {
    command: &'a Command,
    path: &'a str,
    text: &'a str,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn all(&mut self) -> Layer {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.mistake(at, &format!("this is not TOML: {}", error.message()));
        }
        // What is left of a broken file says little; its first mistakes are enough.
        if !errors.is_empty() {
            return Layer::new();
        }
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut layer = Layer::new();
        for (name, value) in entries {
            let at = name.span().start;
            let Some(option) = self.option(name.get_ref(), at) else {
                continue;
            };
            match texts(option, value.get_ref()) {
                Some(texts) => {
                    let origin = Origin::Line {
                        path: self.path.to_owned(),
                        line: self.line(at),
                    };
                    layer.insert(option.get_id().to_string(), Setting { texts, origin });
                }
                None => self.mistake(at, &wrong_type(option, value.get_ref())),
            }
        }
        layer
    }

    /// The option that a key sets.
    fn option(&mut self, name: &str, at: usize) -> Option<&'a Arg> {
        let command = self.command;
        let options = || command.get_arguments();
        let known = options().find(|option| option.get_long() == Some(name));
        let wrong = match known {
            Some(option) if scope(option) == Scope::File => return known,
            Some(_) => format!("{name} is not for files: give it on the command line"),
            // Targets have no flag.
            None if options().any(|option| option.get_id() == name) => {
                format!("{name} are not for files: give them on the command line")
            }
            None => {
                let keys = options().filter(|option| scope(option) == Scope::File);
                let hint = match nearest(name, keys.map(key)) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "halfopen --print-config lists the settings".to_owned(),
                };
                format!("unknown setting {}; {hint}", quote(name))
            }
        };
        self.mistake(at, &wrong);
        None
    }

    fn mistake(&mut self, at: usize, wrong: &str) {
        let line = self.line(at);
        self.mistakes.push(Mistake::new(wrong).at(self.path, line));
    }

    /// The number of the line, from 1, in which this byte stands.
    fn line(&self, at: usize) -> u64 {
        line_of(self.text.as_bytes(), at)
    }
}

/// The file, without the mark that some editors put in front.
fn text_of(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        io::Error::other(format!("line {line} is not UTF-8"))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

fn line_of(text: &[u8], at: usize) -> u64 {
    let before = text.get(..at).unwrap_or(text);
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Whether a file at a usual place is none that this user has: it does not exist, or lies in a home that is another
/// user's. One that the machine's administrator keeps from its users is a mistake of theirs.
fn is_not_ours(error: &io::Error, path: &Path) -> bool {
    match error.kind() {
        // A file where a folder should be is no folder with our file in it.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
        io::ErrorKind::PermissionDenied => !path.starts_with(SYSTEM_FOLDER) && !is_ours(path),
        _ => false,
    }
}

/// The texts that could have been typed instead of this value. `None`: it has the wrong type.
fn texts(option: &Arg, value: &DeValue<'_>) -> Option<Vec<String>> {
    if !takes_value(option) {
        let on = value.as_bool()?;
        return Some(vec![if on { ON } else { OFF }.to_owned()]);
    }
    match value {
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| text(item.get_ref())).collect();
            // Lists of ports and states are typed with commas.
            texts.map(|texts| {
                if repeats(option) {
                    texts
                } else {
                    vec![texts.join(",")]
                }
            })
        }
        single => text(single).map(|text| vec![text]),
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => (number.radix() == 10).then(|| number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn wrong_type(option: &Arg, value: &DeValue<'_>) -> String {
    let (key, found) = (key(option), value.type_str());
    let article = if found.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    if takes_value(option) {
        let name = value_name(option);
        format!("{key} takes a string or a number, not {article} {found}: {key} = \"{name}\"")
    } else {
        format!("{key} is true or false, not {article} {found}")
    }
}

/// Bytes of a file that is still read.
const LARGEST: u64 = 1 << 20;
