//! Flags that people know from nmap, and what to write here instead.

use halfopen::plan::Mistake;

/// A flag of another scanner.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    typed: &'static str,
    value: TakesValue,
    instead: &'static str,
}

/// Whether the argument after the flag belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakesValue {
    Yes,
    No,
}

impl Habit {
    /// The habit that this argument comes from, if it is one.
    pub fn of(argument: &str) -> Option<Self> {
        let flag = argument.split_once('=').map_or(argument, |(flag, _)| flag);
        HABITS.iter().find(|habit| habit.typed == flag).copied()
    }

    pub fn takes_value(&self) -> TakesValue {
        self.value
    }

    /// One line for the user.
    pub fn mistake(&self) -> Mistake {
        Mistake::new(format!("nmap's {} {}", self.typed, self.instead))
    }
}

const fn habit(typed: &'static str, instead: &'static str) -> Habit {
    Habit {
        typed,
        value: TakesValue::No,
        instead,
    }
}

const fn with_value(typed: &'static str, instead: &'static str) -> Habit {
    Habit {
        typed,
        value: TakesValue::Yes,
        instead,
    }
}

const PACE: &str =
    "is not needed here: the pace follows what the path lets through (`--rate` is a ceiling)";

const HABITS: [Habit; 34] = [
    habit("-sS", "is `-m syn` here"),
    habit("-sT", "is `-m connect` here"),
    habit("-sU", "does not exist here: Halfopen scans TCP"),
    habit("-sV", "is `--services` here"),
    habit("-sL", "is `--list` here"),
    habit("-sn", "is `--ping-only` here"),
    habit(
        "-Pn",
        "is the default here: only `--ping` leaves out hosts that do not answer",
    ),
    habit("-n", "is not needed here: addresses are never looked up"),
    habit("-6", "is not needed here: IPv6 targets are recognised"),
    habit("-r", "does not exist here; `--seed` fixes the order"),
    habit("-F", "is `-p top:100` here"),
    habit("-O", "is `--os` here"),
    habit(
        "-sC",
        "does not exist here: Halfopen runs no scripts against what it finds",
    ),
    with_value(
        "--script",
        "does not exist here: Halfopen runs no scripts against what it finds",
    ),
    with_value("-iL", "is `-i FILE` here"),
    with_value("-T", PACE),
    habit("-T0", PACE),
    habit("-T1", PACE),
    habit("-T2", PACE),
    habit("-T3", PACE),
    habit("-T4", PACE),
    habit("-T5", PACE),
    habit(
        "--open",
        "is the default here (`--show open` leaves out even suspects)",
    ),
    habit(
        "--reason",
        "is the default here: every listed port has its reason",
    ),
    with_value(
        "-oX",
        "is `-o FILE.xml` here (`-o xml:-` for standard output)",
    ),
    with_value(
        "-oG",
        "is `-o FILE.gnmap` here (`-o gnmap:-` for standard output)",
    ),
    with_value("-oN", "is `-o FILE.txt` here"),
    with_value("-oA", "is `-o NAME.txt -o NAME.xml -o NAME.gnmap` here"),
    with_value("-S", "is `--source ADDRESS` here"),
    with_value("--top-ports", "is `-p top:N` here"),
    with_value(
        "--min-rate",
        "does not exist here: Halfopen is as fast as the path allows (`--rate` is a ceiling)",
    ),
    with_value("--max-rate", "is `--rate` here"),
    with_value("--max-retries", "is `--max-attempts` here"),
    with_value(
        "--host-timeout",
        "does not exist here; `--max-time` limits the whole scan",
    ),
];
