//! Settings from variables of the environment: `HALFOPEN_MAX_ATTEMPTS=5`.

use std::ffi::OsString;

use clap::{Arg, Command};
use halfopen::plan::{Mistake, Note, nearest, quote};

use super::option::{PREFIX, Scope, holds_back, key, scope, variable};
use super::{Layer, OFF, ON, Origin, Setting};
use crate::cli::typed::takes_value;

/// Reads the variables that set options. An empty one counts as not set.
pub fn read(
    command: &Command,
    variables: &[(OsString, OsString)],
    mistakes: &mut Vec<Mistake>,
    notes: &mut Vec<Note>,
) -> Layer {
    let options = || {
        command
            .get_arguments()
            .filter(|option| scope(option) >= Scope::Environment)
    };
    let mut layer = Layer::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let Some(value) = value.to_str() else {
            mistakes.push(Mistake::new(format!("{name} is not UTF-8")));
            continue;
        };
        if value.is_empty() || is_of_a_service(name, value) {
            continue;
        }
        match options().find(|option| variable(option) == name) {
            Some(option) => match text(option, value) {
                Some(text) => {
                    let setting = Setting {
                        texts: vec![text],
                        origin: Origin::Variable(name.to_owned()),
                    };
                    layer.insert(option.get_id().to_string(), setting);
                }
                None => mistakes.push(
                    Mistake::about(value, "is neither true nor false", "this is a flag")
                        .found_in(name),
                ),
            },
            // What is nearly an option is a slip, and it might be an exclude; others may use the prefix.
            None => {
                if let Some(option) = holding_back(command, name)
                    && flag(value) != Some(OFF)
                {
                    mistakes.push(Mistake::new(format!(
                        "{name} cannot be set in the environment, and the scan would send; give --{}",
                        key(option)
                    )));
                    continue;
                }
                let like_a_key = name
                    .replace(PREFIX, "")
                    .to_ascii_lowercase()
                    .replace('_', "-");
                let near = nearest(&like_a_key, options().map(key));
                if let Some(near) = options().find(|option| Some(key(option)) == near) {
                    mistakes.push(Mistake::new(format!(
                        "unknown variable {}; did you mean {}?",
                        quote(name),
                        variable(near)
                    )));
                } else {
                    notes.push(Note::new(format!(
                        "{} in the environment sets nothing: there is no such option",
                        quote(name)
                    )));
                }
            }
        }
    }
    layer
}

fn holding_back<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut options = command.get_arguments();
    options.find(|option| holds_back(option) && variable(option) == name)
}

/// What the value of a variable means on the command line; `None`: nothing.
fn text(option: &Arg, value: &str) -> Option<String> {
    match takes_value(option) {
        true => Some(value.to_owned()),
        false => flag(value).map(str::to_owned),
    }
}

/// The same where it is a flag.
fn flag(value: &str) -> Option<&'static str> {
    let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(&["true", "1", "yes", "on"]) {
        Some(ON)
    } else if is(&["false", "0", "no", "off"]) {
        Some(OFF)
    } else {
        None
    }
}

/// In a cluster with a service named halfopen, containers are given HALFOPEN_PORT=tcp://10.0.0.1:80, HALFOPEN_SERVICE_HOST
/// and the like.
fn is_of_a_service(name: &str, value: &str) -> bool {
    let is_url = value.starts_with("tcp://") || value.starts_with("udp://");
    name.starts_with("HALFOPEN_PORT") && is_url
        || name.starts_with("HALFOPEN_SERVICE_HOST")
        || name.starts_with("HALFOPEN_SERVICE_PORT")
}
