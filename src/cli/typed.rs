//! From argv to what clap's derive makes of it, with every mistake of form at once: clap alone stops at the first.
//!
//! The walk knows the options from clap's own definition, so there is nothing to keep in step. It hands clap a command
//! line in which every value is joined to its flag and every mistake is gone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command, Parser};
use halfopen::plan::{Mistake, nearest, quote};

use crate::cli::habits::{Habit, TakesValue};

/// What was typed, taken apart and not yet judged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Typed {
    /// The texts of each option by its clap id; [`ON`] or [`OFF`] for a flag.
    pub options: BTreeMap<String, Vec<String>>,
    pub targets: Vec<String>,
    pub mistakes: Vec<Mistake>,
}

/// The text of a flag that is set.
pub const ON: &str = "true";
/// The text of a flag that is turned off (`--no-json`), whatever a file or the environment says.
pub const OFF: &str = "false";

/// Reads the arguments without the program's name.
///
/// # Errors
/// All arguments that have no place on this command line. What could be understood comes with them, so that mistakes in
/// its values can be told in the same breath.
pub fn read<A: Parser + Default>(argv: impl IntoIterator<Item = OsString>) -> (A, Vec<Mistake>) {
    walked(&A::command(), argv).parsed()
}

/// Takes the arguments apart, without the program's name, by this definition of the options.
pub fn walked(command: &Command, argv: impl IntoIterator<Item = OsString>) -> Typed {
    let mut walk = Walk {
        command,
        typed: Typed::default(),
    };
    walk.all(argv);
    walk.typed
}

impl Typed {
    /// What clap's derive makes of it, and all mistakes.
    pub fn parsed<A: Parser + Default>(self) -> (A, Vec<Mistake>) {
        let command = A::command();
        let mut clean = vec![command.get_name().to_owned()];
        for option in command.get_arguments() {
            for text in self
                .options
                .get(option.get_id().as_str())
                .into_iter()
                .flatten()
            {
                let flag = spelled(option);
                if takes_value(option) {
                    clean.push(format!("{flag}={text}"));
                } else if text == ON {
                    clean.push(flag);
                }
            }
        }
        // A `--` of our own, so that nothing in the targets is taken for a flag by clap.
        clean.push("--".to_owned());
        clean.extend(self.targets);
        let mut mistakes = self.mistakes;
        let args = A::try_parse_from(clean).unwrap_or_else(|clap| {
            // The walk should have found it. If it did not, clap's own first line is better than nothing.
            let text = clap.render().to_string();
            let line = text
                .lines()
                .next()
                .unwrap_or("the arguments are not understood");
            mistakes.push(Mistake::new(line.trim_start_matches("error: ")));
            A::default()
        });
        (args, mistakes)
    }
}

/// Whether an option has a text of its own; the others are flags.
pub fn takes_value(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
}

/// `--ports`, or `-h` where there is no long name.
fn spelled(option: &Arg) -> String {
    match (option.get_long(), option.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => String::new(),
    }
}

struct Walk<'a> {
    command: &'a Command,
    typed: Typed,
}

impl Walk<'_> {
    fn all(&mut self, argv: impl IntoIterator<Item = OsString>) {
        let mut texts = Vec::new();
        for (at, argument) in argv.into_iter().enumerate() {
            match argument.into_string() {
                Ok(text) => texts.push(text),
                Err(_) => self.mistake(format!("argument {} is not UTF-8", at + 1)),
            }
        }
        let mut rest = texts.into_iter().peekable();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                rest.for_each(|word| self.word(word));
                break;
            }
            if argument == "-" || !argument.starts_with('-') {
                self.word(argument);
            } else if self.is_habit(&argument) {
                for habit in Habit::all(&argument) {
                    self.typed.mistakes.push(habit.mistake());
                    let value = argument.split_once('=').map(|(_, value)| value.to_owned());
                    self.meant(habit.takes_value(), value, &mut rest);
                }
            } else if let Some(long) = argument.strip_prefix("--") {
                self.long(long, &mut rest);
            } else {
                self.short(&argument, &mut rest);
            }
        }
    }

    /// What is no flag: a target, or a file.
    fn word(&mut self, word: String) {
        if self.command.get_positionals().next().is_some() {
            self.typed.targets.push(word);
        } else {
            self.mistake(format!(
                "{} is a word too many; {} takes nothing but flags",
                quote(&word),
                self.command.get_name()
            ));
        }
    }

    fn long(&mut self, text: &str, rest: &mut Rest) {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let options = || self.command.get_arguments();
        let named = |name: &str| options().find(|option| option.get_long() == Some(name));
        let turned_off = || {
            let flag = name.strip_prefix("no-").and_then(named)?;
            (!takes_value(flag) && value.is_none()).then_some(flag)
        };
        if let Some(option) = named(name) {
            self.option(option, name, value, rest);
        } else if let Some(flag) = turned_off() {
            self.give(flag, vec![OFF.to_owned()]);
        } else {
            let near = nearest(name, options().filter_map(Arg::get_long));
            let hint = match near {
                Some(known) => format!("did you mean --{known}?"),
                None => self.help(),
            };
            let flag = format!("--{name}");
            self.mistake(format!("unknown flag {}; {hint}", quote(&flag)));
            if value.is_none() {
                let meant = near.and_then(named).is_some_and(takes_value);
                let is_target = |word: &String| word.contains(['.', ':', '/']);
                if meant && rest.peek().is_some_and(|next| !is_target(next)) {
                    self.pass_over(TakesValue::Yes, rest);
                } else {
                    self.pass_over(TakesValue::Number, rest);
                }
            }
        }
    }

    /// `-p80`, `-p 80`, `-p=80`, `-qv`.
    fn short(&mut self, argument: &str, rest: &mut Rest) {
        let letters = argument.get(1..).unwrap_or("");
        for (at, letter) in letters.char_indices() {
            let known = self
                .command
                .get_arguments()
                .find(|option| option.get_short() == Some(letter));
            let Some(option) = known else {
                let hint = self.help();
                self.mistake(format!("unknown flag {}; {hint}", quote(argument)));
                self.pass_over(TakesValue::Number, rest);
                return;
            };
            let name = option.get_long().unwrap_or_default();
            if !takes_value(option) {
                self.option(option, name, None, rest);
                continue;
            }
            let behind = letters.get(at + letter.len_utf8()..).unwrap_or("");
            let value = match behind.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if behind.is_empty() => None,
                None => Some(behind.to_owned()),
            };
            self.option(option, name, value, rest);
            return;
        }
    }

    fn option(&mut self, option: &Arg, name: &str, value: Option<String>, rest: &mut Rest) {
        if !takes_value(option) {
            if value.is_some() {
                self.mistake(format!("--{name} takes no value"));
            } else {
                self.give(option, vec![ON.to_owned()]);
            }
            return;
        }
        // What follows is the value, unless it is plainly the next flag: `-p -80` means ports, `-p --json` does not.
        let value = value.or_else(|| rest.next_if(|next| !self.is_flag(next)));
        let Some(value) = value else {
            let what = value_name(option);
            self.mistake(format!("--{name} needs a value: --{name} {what}"));
            return;
        };
        let mut texts = self.texts(option);
        if !texts.is_empty() && matches!(option.get_action(), ArgAction::Set) {
            let hint = if name == "ports" {
                "; write one list, such as -p 22,80"
            } else {
                "; give it once"
            };
            let mistake = Mistake::new(format!("--{name} given twice{hint}"));
            if !self.typed.mistakes.contains(&mistake) {
                self.typed.mistakes.push(mistake);
            }
            return;
        }
        texts.push(value);
        self.give(option, texts);
    }

    /// What another scanner's flag names counts as named here too, so that nobody is told of a lack of targets.
    fn meant(&mut self, has_one: TakesValue, value: Option<String>, rest: &mut Rest) {
        match has_one {
            TakesValue::Targets => {
                let value = value.or_else(|| rest.next_if(|next| !self.is_flag(next)));
                let targets = value.iter().flat_map(|value| value.split(','));
                self.typed.targets.extend(targets.map(str::to_owned));
            }
            TakesValue::File => {
                let value = value.or_else(|| rest.next_if(|next| !self.is_flag(next)));
                let files = self.typed.options.entry("input_file".to_owned());
                let there = value.filter(|path| Path::new(path).is_file());
                files.or_default().extend(there);
            }
            _ if value.is_some() => {}
            other => self.pass_over(other, rest),
        }
    }

    /// Leaves out the value of a flag that is a mistake: one slip is told once.
    fn pass_over(&self, has_one: TakesValue, rest: &mut Rest) {
        rest.next_if(|next| match has_one {
            TakesValue::Yes => !self.is_flag(next),
            // No target is written like that.
            TakesValue::Number => next
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'-')),
            TakesValue::No | TakesValue::Targets | TakesValue::File => false,
        });
    }

    fn texts(&self, option: &Arg) -> Vec<String> {
        let id = option.get_id().as_str();
        self.typed.options.get(id).cloned().unwrap_or_default()
    }

    fn give(&mut self, option: &Arg, texts: Vec<String>) {
        let id = option.get_id().to_string();
        self.typed.options.insert(id, texts);
    }

    fn mistake(&mut self, message: String) {
        self.typed.mistakes.push(Mistake::new(message));
    }

    fn help(&self) -> String {
        format!("{} --help lists the flags", self.command.get_name())
    }

    /// Whether it is a flag of another scanner; nobody takes a command for one.
    fn is_habit(&self, argument: &str) -> bool {
        self.command.get_name() == SCAN && Habit::is_one(argument)
    }

    /// Whether an argument can only be a flag, not a value that begins with a hyphen (such as the ports `-80` or `-`).
    fn is_flag(&self, argument: &str) -> bool {
        if argument.starts_with("--") || self.is_habit(argument) {
            return true;
        }
        let Some(letter) = argument
            .strip_prefix('-')
            .and_then(|rest| rest.chars().next())
        else {
            return false;
        };
        self.command
            .get_arguments()
            .any(|option| option.get_short() == Some(letter))
    }
}

type Rest = std::iter::Peekable<std::vec::IntoIter<String>>;

/// What stands for the value of an option in help and messages.
pub fn value_name(option: &Arg) -> &str {
    option
        .get_value_names()
        .and_then(|names| names.first())
        .map_or("VALUE", |name| name.as_str())
}

/// The name of the command that scans, as its definition has it.
const SCAN: &str = "halfopen";

#[cfg(test)]
mod tests;
