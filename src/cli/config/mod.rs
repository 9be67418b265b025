//! Settings from elsewhere than the command line: the environment, the user's file, the machine's file. The nearer wins.
//!
//! Nothing is listed here twice: what may be set, its name and whether it takes a text come from clap's definition, and
//! a setting is nothing but the text that could have been typed. So `settings` judges all of them alike, and a mistake is
//! traced to its place by leaving settings out until it is gone.

mod environment;
mod file;
mod implied;
mod option;
pub mod places;
pub mod show;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use clap::{Command, CommandFactory as _};
use halfopen::plan::{Mistake, Note, escape};

use crate::cli::args::Args;
use crate::cli::typed::{self, OFF, ON, Typed};
use places::Places;

/// What was typed together with what is set elsewhere.
pub struct Configured {
    targets: Vec<String>,
    mistakes: Vec<Mistake>,
    /// What is worth saying about what is set elsewhere.
    pub notes: Vec<Note>,
    /// By clap id: from where it comes and its texts. More than one where places add up.
    settings: BTreeMap<String, Vec<Setting>>,
}

/// The texts of one option from one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    pub texts: Vec<String>,
    pub origin: Origin,
}

/// Where a setting was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    CommandLine,
    /// A variable of the environment, by its name.
    Variable(String),
    /// A line of a file, from 1.
    Line {
        path: String,
        line: u64,
    },
}

/// What one place sets, by clap id.
type Layer = BTreeMap<String, Setting>;

/// Reads the arguments without the program's name, the environment and the files that these name.
///
/// Mistakes of form come with what could be understood, so that all can be told together.
pub fn read(argv: impl IntoIterator<Item = OsString>, places: &Places) -> Configured {
    let command = Args::command();
    let Typed {
        options,
        targets,
        mut mistakes,
    } = typed::walked(&command, argv);
    let typed: Layer = options
        .into_iter()
        .map(|(id, texts)| {
            let origin = Origin::CommandLine;
            (id, Setting { texts, origin })
        })
        .collect();
    let mut notes = Vec::new();
    let environment = environment::read(&command, &places.variables, &mut mistakes, &mut notes);
    let mut layers = vec![typed, environment];
    for file in chosen_files(&layers, places, &mut mistakes) {
        layers.push(file::read(&command, &file, &mut mistakes));
    }
    layers.iter_mut().for_each(implied::imply);
    Configured {
        targets,
        mistakes,
        notes,
        settings: merged(&command, layers),
    }
}

impl Configured {
    /// Whether this option, by its clap id, was set on the command line.
    pub fn was_typed(&self, option: &str) -> bool {
        let mut settings = self.settings.get(option).into_iter().flatten();
        settings.any(|setting| setting.origin == Origin::CommandLine)
    }

    /// The arguments as if everything had been typed, and the mistakes of form.
    pub fn args(&self) -> (Args, Vec<Mistake>) {
        self.without(None)
    }

    /// Puts its place in front of every mistake that goes away when a setting made elsewhere is left out. `judge` says
    /// which mistakes arguments hold.
    pub fn traced(
        &self,
        mistakes: Vec<Mistake>,
        judge: &dyn Fn(&Args) -> Vec<Mistake>,
    ) -> Vec<Mistake> {
        let mut traced: Vec<Mistake> = mistakes.clone();
        for (id, settings) in &self.settings {
            for (at, setting) in settings.iter().enumerate() {
                if setting.origin == Origin::CommandLine {
                    continue;
                }
                let left = judge(&self.without(Some((id, at))).0);
                for (mistake, shown) in mistakes.iter().zip(&mut traced) {
                    if mistake == shown && !left.contains(mistake) {
                        *shown = setting.origin.blamed(mistake);
                    }
                }
            }
        }
        traced
    }

    /// What is set for the option of this clap id.
    fn of(&self, id: &str) -> &[Setting] {
        self.settings.get(id).map_or(&[], Vec::as_slice)
    }

    fn without(&self, left_out: Option<(&str, usize)>) -> (Args, Vec<Mistake>) {
        let texts = |(id, settings): (&String, &Vec<Setting>)| {
            let texts = settings
                .iter()
                .enumerate()
                .filter(|(at, _)| left_out != Some((id, *at)))
                .flat_map(|(_, setting)| setting.texts.clone());
            (id.clone(), texts.collect())
        };
        Typed {
            options: self.settings.iter().map(texts).collect(),
            targets: self.targets.clone(),
            mistakes: self.mistakes.clone(),
        }
        .parsed()
    }
}

impl Origin {
    /// A mistake that was made here.
    fn blamed(&self, mistake: &Mistake) -> Mistake {
        match self {
            Self::CommandLine => mistake.clone(),
            Self::Variable(name) => mistake.found_in(name),
            Self::Line { path, line } => mistake.at(path, *line),
        }
    }
}

/// One line, ready to be shown.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Variable(name) => f.write_str(name),
            Self::Line { path, line } => write!(f, "{}:{line}", escape(path, SHOWN)),
        }
    }
}

/// The files that count: the one that is named, or those at their usual places.
fn chosen_files(
    layers: &[Layer],
    places: &Places,
    mistakes: &mut Vec<Mistake>,
) -> Vec<file::Source> {
    for layer in layers {
        let named = layer.get("config").and_then(|named| named.texts.first());
        match (named, is_on(layer, "no_config")) {
            (Some(_), true) => {
                mistakes.push(Mistake::new(
                    "--config and --no-config contradict each other",
                ));
                return Vec::new();
            }
            (Some(path), false) => return vec![file::Source::Named(path.into())],
            (None, true) => return Vec::new(),
            (None, false) => {}
        }
    }
    let usual = places.files.iter().cloned();
    usual.map(file::Source::Usual).collect()
}

/// Layers from the nearest to the farthest become one.
fn merged(command: &Command, layers: Vec<Layer>) -> BTreeMap<String, Vec<Setting>> {
    let mut settings: BTreeMap<String, Vec<Setting>> = BTreeMap::new();
    for layer in layers {
        let overruled: Vec<String> = RIVALS
            .iter()
            .flat_map(|(one, other)| [(one, other), (other, one)])
            .filter(|(nearer, _)| {
                let nearer = settings.get(**nearer).into_iter().flatten();
                nearer
                    .flat_map(|setting| &setting.texts)
                    .any(|text| text == ON)
            })
            .map(|(_, farther)| (*farther).to_owned())
            .collect();
        for (id, setting) in layer {
            let known = command
                .get_arguments()
                .find(|option| *option.get_id() == *id);
            let adds_up = known.is_some_and(option::adds_up);
            let is_new = !settings.contains_key(&id) && !overruled.contains(&id);
            if adds_up || is_new {
                settings.entry(id).or_default().push(setting);
            }
        }
    }
    settings
}

fn is_on(layer: &Layer, id: &str) -> bool {
    layer
        .get(id)
        .is_some_and(|setting| setting.texts.iter().any(|text| text == ON))
}

/// Characters of a path that are shown.
const SHOWN: usize = 200;

/// Flags that take back each other: the nearer one wins.
const RIVALS: [(&str, &str); 1] = [("quiet", "verbose")];

#[cfg(test)]
mod tests;
