//! Flags that people know from other scanners, and what to write here instead.

mod table;

use halfopen::plan::Mistake;

use self::table::HABITS;

/// A flag of another scanner, as it was typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Habit {
    typed: String,
    value: TakesValue,
    known: &'static Known,
}

/// Whether the argument after the flag belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakesValue {
    Yes,
    No,
    /// Targets, with commas between them.
    Targets,
    /// A file of targets.
    File,
    /// Where it is a number: one scanner's flag has a value and another's has not.
    Number,
}

/// Flags that mean the same.
#[derive(PartialEq, Eq, Debug)]
pub struct Known {
    tool: &'static str,
    flags: &'static [&'static str],
    value: TakesValue,
    instead: &'static str,
}

impl Habit {
    /// The habits that this argument comes from; nmap's `-sCV` are two.
    pub fn all(argument: &str) -> Vec<Self> {
        let flag = argument.split_once('=').map_or(argument, |(flag, _)| flag);
        if let Some(habit) = Self::named(flag).or_else(|| Self::with_number(flag)) {
            return vec![habit];
        }
        let letters = argument.strip_prefix("-s").unwrap_or_default();
        let all: Option<Vec<Self>> = letters
            .chars()
            .map(|letter| Self::named(&format!("-s{letter}")))
            .collect();
        all.unwrap_or_default()
    }

    pub fn is_one(argument: &str) -> bool {
        !Self::all(argument).is_empty()
    }

    pub fn takes_value(&self) -> TakesValue {
        self.value
    }

    /// One line for the user.
    pub fn mistake(&self) -> Mistake {
        let Known { tool, instead, .. } = self.known;
        Mistake::new(format!("{tool}'s {} {instead}", self.typed))
    }

    fn named(flag: &str) -> Option<Self> {
        let known = HABITS.iter().find(|known| known.flags.contains(&flag))?;
        Some(Self {
            typed: flag.to_owned(),
            value: known.value,
            known,
        })
    }

    /// `-T4`, `-PS22,80`: a letter or two, with a number behind it. What has its value there takes no other.
    fn with_number(flag: &str) -> Option<Self> {
        let digits = flag.find(|character: char| character.is_ascii_digit())?;
        let (name, _) = flag.split_at_checked(digits).filter(|_| digits <= 3)?;
        Some(Self {
            typed: flag.chars().take(LONGEST_SHOWN).collect(),
            value: TakesValue::No,
            known: Self::named(name)?.known,
        })
    }
}

/// Characters of a flag with its number that are shown.
const LONGEST_SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Args;

    #[test]
    fn no_habit_hides_an_option_of_ours_or_another_habit() {
        let command = Args::command();
        let mut seen = Vec::new();
        for flag in HABITS.iter().flat_map(|known| known.flags) {
            assert!(!seen.contains(flag), "{flag}");
            seen.push(*flag);
            let ours = command.get_arguments().any(|option| {
                let long = option.get_long().map(|long| format!("--{long}"));
                let short = option.get_short().map(|short| format!("-{short}"));
                [long, short].contains(&Some((*flag).to_owned()))
            });
            assert!(!ours, "{flag}");
        }
    }

    #[test]
    fn flags_with_numbers_and_several_letters_are_known() {
        let told = |argument: &str| -> Vec<String> {
            let habits = Habit::all(argument);
            habits
                .iter()
                .map(|habit| habit.mistake().to_string())
                .collect()
        };
        assert!(told("-T4")[0].starts_with("nmap's -T4 is not needed here"));
        assert!(told("-PS22,80")[0].starts_with("nmap's -PS22,80 is `--ping` here"));
        assert_eq!(told("-sCV").len(), 2);
        assert_eq!(told("-sSUV").len(), 3);
        for ours in ["-p80", "-80", "-s", "-sQ", "-", "-t100", "--rate=5", "-oé4"] {
            assert!(told(ours).is_empty(), "{ours}");
        }
    }
}
