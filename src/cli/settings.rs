//! What was decided: text becomes values; what is not given is as [`Options::default`] has it.
//!
//! Pure: what was typed and what is known of the machine come in, settings or all mistakes come out.

pub mod identification;
mod pinging;
pub mod words;

pub use pinging::too_many_to_ping;

use std::net::IpAddr;
use std::time::Duration;

use halfopen::model::State;
use halfopen::plan::{Mistake, Note, PortSet, TargetSet};
use halfopen::report::Show;
use halfopen::scan::{Confirm, Mode, Options, Ping, SendPath};

use crate::cli::args::Args;
use crate::cli::input::{self, Input};
use crate::cli::machine::Machine;
use crate::cli::quantity;

/// Everything that a scan needs, but its targets.
#[derive(Clone, Debug)]
pub struct Settings {
    pub ports: PortSet,
    pub options: Options,
    pub order: Order,
    pub show: Show,
    pub noise: Noise,
    /// How often the state of the scan is said on standard error.
    pub stats_every: Option<Duration>,
    pub task: Task,
    pub identify: Identification,
    /// What is worth saying about how the input was read.
    pub notes: Vec<Note>,
}

/// Whether open ports are asked what they serve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identification {
    No,
    Of(identification::Parts),
}

/// Where the order of the walk comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The seed of the options: given, or random.
    Seeded,
    /// The plan itself, because all parts of a scan must walk in the same order, and nobody has told them which.
    OfThePlan,
}

/// What is done with the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    Scan,
    /// Its endpoints are printed.
    List,
    /// It is described.
    DryRun,
}

/// How much is said on standard error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Noise {
    MistakesOnly,
    Normal,
    Verbose,
}

/// The ports where none are given.
pub const DEFAULT_PORTS: &str = "top:1000";

/// Decides, on targets and excludes that were read already.
///
/// # Errors
/// Every mistake in every value, targets included.
pub fn decide(args: &Args, machine: &Machine, input: &Input) -> Result<Settings, Vec<Mistake>> {
    let mut mistakes = input::mistakes(&input.targets);
    let mut notes = input.notes.clone();
    let ports = ports(args, &mut notes, &mut mistakes);

    // Each value is read on its own, so that one mistake does not hide the next.
    let mut read = Reader {
        mistakes: &mut mistakes,
    };
    let mut options = Options::default();
    options.mode = read.value(args.mode.as_deref(), options.mode, words::mode);
    options.seed = read.value(args.seed.as_deref(), machine.random.into(), quantity::seed);
    options.shard = read.value(args.shard.as_deref(), options.shard, |text| {
        words::shard(text, &machine.task)
    });
    options.rate = read.value(args.rate.as_deref(), options.rate, |text| {
        quantity::rate(text).map(Some)
    });
    options.host_rate = read.value(args.host_rate.as_deref(), options.host_rate, |text| {
        quantity::rate(text).map(Some)
    });
    options.patience = read.value(args.patience.as_deref(), options.patience, |text| {
        quantity::time(text, "a usable patience", Duration::from_millis(1)..=HOUR)
    });
    options.max_attempts = read.value(args.max_attempts.as_deref(), options.max_attempts, |text| {
        quantity::whole(text, "attempts", 1..=100)
    });
    options.miss_budget = read.value(args.miss_budget.as_deref(), options.miss_budget, |text| {
        quantity::fraction(text, "a usable miss budget", 0.000_001..=1.0)
    });
    options.max_time = read.value(args.max_time.as_deref(), options.max_time, |text| {
        quantity::time(text, "a usable time limit", Duration::from_millis(1)..=YEAR).map(Some)
    });
    options.ping = if args.ping_only {
        Ping::Only
    } else if args.ping {
        Ping::First
    } else {
        Ping::Never
    };
    options.confirm = read.value(args.confirm.as_deref(), options.confirm, words::confirm);
    options.threads = read.value(args.threads.as_deref(), machine.cores, words::threads);
    options.send_path = read.value(
        args.send_path.as_deref(),
        options.send_path,
        words::send_path,
    );
    options.interface = read.value(args.interface.as_deref(), options.interface, |text| {
        words::interface(text, &machine.surroundings).map(Some)
    });
    options.source = read.value(args.source.as_deref(), options.source, |text| {
        words::source(text, &machine.addresses).map(Some)
    });
    if options.mode == Mode::Connect && options.send_path != SendPath::Ip {
        read.mistakes.push(Mistake::new(
            "--send-path frame is for crafted SYNs; with -m connect the kernel sends",
        ));
    }
    if options.mode == Mode::Connect && options.confirm == Confirm::Never {
        read.mistakes.push(Mistake::new(
            "--confirm never completes no connection; -m connect completes one with every open port",
        ));
    }
    let show = read.value(
        args.show.as_deref(),
        Show::of(&[State::Open, State::Suspect]),
        words::show,
    );

    let stats_every = read.value(args.stats_every.as_deref(), None, |text| {
        quantity::time(text, "a usable interval", Duration::from_millis(100)..=DAY).map(Some)
    });
    if args.quiet && args.verbose {
        mistakes.push(Mistake::new(
            "-q says less and -v says more; choose one of them",
        ));
    }
    let task = task(args, &mut mistakes);
    mistakes.extend(pinging::mistake(&options, task));
    let identify = identification::asked(args, &options, &mut mistakes);
    if identify != Identification::No && options.confirm == Confirm::Never {
        mistakes.push(Mistake::new(
            "--confirm never completes no connection; what open ports serve is asked by one to each",
        ));
    }

    match ports {
        Some(ports) if mistakes.is_empty() => Ok(Settings {
            ports,
            options,
            order: if args.shard.is_some() && args.seed.is_none() {
                Order::OfThePlan
            } else {
                Order::Seeded
            },
            show,
            noise: match (args.quiet, args.verbose) {
                (true, _) => Noise::MistakesOnly,
                (false, false) => Noise::Normal,
                (false, true) => Noise::Verbose,
            },
            stats_every,
            task,
            identify,
            notes,
        }),
        _ => Err(mistakes),
    }
}

/// What is wrong with this port list.
pub fn port_mistakes(ports: &str) -> Vec<Mistake> {
    PortSet::parse(ports).err().unwrap_or_default()
}

fn task(args: &Args, mistakes: &mut Vec<Mistake>) -> Task {
    match (args.dry_run, args.list) {
        (true, true) => {
            mistakes.push(Mistake::new(
                "--dry-run describes the plan and --list prints it; choose one",
            ));
            Task::DryRun
        }
        (true, false) => Task::DryRun,
        (false, true) => Task::List,
        (false, false) => Task::Scan,
    }
}

fn ports(args: &Args, notes: &mut Vec<Note>, mistakes: &mut Vec<Mistake>) -> Option<PortSet> {
    let text = args.ports.as_deref().unwrap_or_else(|| {
        if args.ping_only {
            return DEFAULT_PORTS;
        }
        notes.push(Note::new(format!(
            "no ports given: scanning {DEFAULT_PORTS}, the likeliest 1,000; -p all scans every port"
        )));
        DEFAULT_PORTS
    });
    let mut ports = match PortSet::parse(text) {
        Ok(parsed) => {
            notes.extend(parsed.notes);
            Some(parsed.set)
        }
        Err(found) => {
            mistakes.extend(found);
            None
        }
    };
    for text in &args.exclude_ports {
        match PortSet::parse_excluded(text) {
            Ok(excluded) => {
                notes.extend(excluded.notes);
                if let Some(set) = ports.take() {
                    match set.without(&excluded.set) {
                        Ok(rest) => ports = Some(rest),
                        Err(mistake) => mistakes.push(mistake),
                    }
                }
            }
            Err(found) => mistakes.extend(found),
        }
    }
    ports
}

struct Reader<'a> {
    mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    /// The value of an option; what cannot be read is noted, and the default stands in so that reading goes on.
    fn value<T>(
        &mut self,
        typed: Option<&str>,
        default: T,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> T {
        match typed.map(read) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(mistake)) => {
                self.mistakes.push(mistake);
                default
            }
        }
    }
}

/// A source that some target cannot be reached from, because it is of the other IP version.
pub fn source_mismatch(targets: &TargetSet, source: Option<IpAddr>) -> Option<Mistake> {
    let source = source?;
    let other = targets
        .ranges()
        .find(|range| range.is_ipv4() != source.is_ipv4())?;
    let (own, others) = if source.is_ipv4() {
        ("IPv4", "IPv6")
    } else {
        ("IPv6", "IPv4")
    };
    Some(Mistake::new(format!(
        "--source {source} is {own} and {} is {others}; scan the two versions apart",
        other.first().ip
    )))
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests;
