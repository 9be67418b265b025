//! The command line: from argv to a scan, from a scan to an exit status.

mod about;
mod args;
mod commands;
mod config;
mod database;
mod dry_run;
mod exit;
mod generate;
mod habits;
mod identifying;
mod input;
mod listing;
mod live;
mod machine;
mod outputs;
mod progress;
mod prompt;
mod quantity;
mod resolve;
mod resume;
mod saying;
mod scanning;
mod schedulers;
mod settings;
mod signals;
mod sink;
mod typed;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use halfopen::plan::{Mistake, Plan};
use halfopen::report::names::Names;
use halfopen::report::text::Live;

use args::Args;
use config::places::Places;
use exit::Exit;
use input::Input;
use input::folders::Folders;
use live::keys::Keyboard;
use machine::Machine;
use outputs::asked::{Columns, Typed};
use resolve::Resolved;
use resume::Journal;
use saying::refuse;
use settings::{Order, Settings, Task, identification};

/// Runs the program with these arguments, the program's own name first.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().skip(1).collect();
    if let Some(run) = argv.first().and_then(|word| commands::named(word)) {
        return run(argv.into_iter().skip(1).collect()).into();
    }
    let done = prepared(argv).and_then(|job| match job.settings.task {
        Task::Scan => scanning::scanned(job),
        Task::List => listing::listed(&job),
        Task::DryRun => dry_run::described(job),
    });
    match done {
        Ok(exit) | Err(exit) => exit.into(),
    }
}

/// What a scan starts from.
struct Job {
    settings: Settings,
    outputs: outputs::asked::Plan,
    /// As it was typed.
    command: String,
    plan: Plan,
    machine: Machine,
    resolved: Vec<Resolved>,
    /// How many addresses the excludes took out, where that is told.
    left_out: u64,
    /// Unless standard input was read for targets.
    keyboard: Option<Keyboard>,
    /// Where one is kept.
    journal: Option<Journal>,
}

impl Job {
    /// Whether what is printed instead of a scan is JSON.
    fn prints_json(&self) -> bool {
        let json = |asked: &outputs::asked::Asked| {
            asked.to == outputs::asked::Destination::Stdout
                && asked.format == outputs::asked::Format::JsonLines
        };
        self.outputs.outputs.iter().any(json)
    }
}

/// Everything before the first socket is opened.
fn prepared(argv: Vec<OsString>) -> Result<Job, Exit> {
    let command = as_typed(&argv);
    let configured = config::read(argv, &Places::of(std::env::vars_os()));
    let (mut args, mut mistakes) = configured.args();
    if let Some(exit) = about::asked_for(&args) {
        return Err(exit);
    }
    let machine = Machine::this();
    let journal = Journal::asked_for(&args).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    if let Some(head) = journal.as_ref().and_then(Journal::head)
        && args.targets.is_empty()
        && args.input_file.is_empty()
    {
        resume::fill(&mut args, head, &|option| configured.was_typed(option));
    }
    let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
    let targets_named = !args.targets.is_empty() || !args.input_file.is_empty();
    if args.show_settings && !targets_named {
        // The settings are judged as for a scan; this address belongs to nobody (RFC 5737), and nothing is sent.
        args.targets.push("192.0.2.1".to_owned());
    } else if mistakes.is_empty() && !targets_named && interactive {
        ask(&mut args, &machine)?;
    }
    let folders = Folders::new(&|name| std::env::var_os(name));
    let mut input = input::read(&args, &machine, &folders);
    let (mut settings, outputs) = match decided(&args, &machine, &input) {
        Ok(decided) if mistakes.is_empty() => decided,
        Ok(_) => return Err(refuse(&mistakes)),
        Err(more) => {
            mistakes.extend(configured.traced(more, &|without| {
                let without = Args {
                    targets: args.targets.clone(),
                    ..without.clone()
                };
                // Standard input cannot be read a second time.
                let again =
                    input::is_repeatable(&args).then(|| input::read(&without, &machine, &folders));
                let judged = decided(&without, &machine, again.as_ref().unwrap_or(&input));
                judged.err().unwrap_or_default()
            }));
            return Err(refuse(&mistakes));
        }
    };
    if args.show_settings {
        return Err(about::printed(&config::show::in_force(&configured)));
    }
    let resolved = resolve::all(&mut input.targets, &resolve::by_system);
    let parsed = input.targets.finish();
    let parsed = parsed.map_err(|mistakes| refuse(&mistakes))?;
    settings.notes.extend(parsed.notes);
    settings.notes.extend(configured.notes);
    let mismatch = settings::source_mismatch(&parsed.set, settings.options.source);
    if let Some(mismatch) = mismatch {
        return Err(refuse(&[mismatch]));
    }
    let crowd = settings::too_many_to_ping(&parsed.set, settings.options.ping);
    if let Some(crowd) = crowd {
        return Err(refuse(&[crowd]));
    }
    let plan = Plan::new(parsed.set, settings.ports.clone());
    if settings.order == Order::OfThePlan {
        settings.options.seed = plan.job_seed();
    }
    if let Some(journal) = &journal {
        if args.seed.is_none() {
            journal.seed(&mut settings.options.seed);
        }
        let names = Names {
            zones: machine.zones(),
            ..Names::default()
        };
        let head = resume::head(&plan, &settings.options, &names, None);
        let agreed = journal.agree(&head, &outputs);
        agreed.map_err(|mistake| refuse(&[mistake]))?;
    }
    Ok(Job {
        keyboard: if input::is_repeatable(&args) {
            Keyboard::of_terminal()
        } else {
            None
        },
        left_out: match settings.task {
            Task::DryRun => input.targets.left_out(),
            Task::Scan | Task::List => 0,
        },
        plan,
        settings,
        outputs,
        command,
        machine,
        resolved,
        journal,
    })
}

/// All values together, or all mistakes in them.
fn decided(
    args: &Args,
    machine: &Machine,
    input: &Input,
) -> Result<(Settings, outputs::asked::Plan), Vec<Mistake>> {
    let settings = settings::decide(args, machine, input);
    let typed = Typed {
        output: &args.output,
        json: args.json,
        overwrite: args.overwrite,
        fields: args.fields.as_deref(),
        columns: if identification::is_asked(args) {
            Columns::Identified
        } else {
            Columns::Scanned
        },
    };
    match (settings, outputs::asked::decide(typed, Live::AsFound)) {
        (Ok(settings), Ok(outputs)) => Ok((settings, outputs)),
        (settings, outputs) => {
            let mut mistakes = settings.err().unwrap_or_default();
            mistakes.extend(outputs.err().unwrap_or_default());
            Err(mistakes)
        }
    }
}

/// The command line as its reader would type it again, but for quotes.
fn as_typed(argv: &[OsString]) -> String {
    let words = argv.iter().map(|word| word.to_string_lossy());
    let words: Vec<_> = std::iter::once("halfopen".into()).chain(words).collect();
    words.join(" ")
}

fn ask(args: &mut Args, machine: &Machine) -> Result<(), Exit> {
    let checks = prompt::Checks {
        targets: &|targets| input::target_mistakes(targets, machine),
        ports: &settings::port_mistakes,
    };
    let mut input = io::stdin().lock();
    let mut output = io::stderr();
    let ended = |answer: io::Result<Option<_>>| answer.ok().flatten();
    args.targets = ended(prompt::targets(&mut input, &mut output, &checks))
        .ok_or_else(|| refuse(&[Mistake::new("no targets given")]))?;
    if args.ports.is_none() {
        let ports = prompt::ports(&mut input, &mut output, &checks)
            .ok()
            .flatten();
        args.ports = Some(ports.ok_or_else(|| refuse(&[Mistake::new("no ports given")]))?);
    }
    Ok(())
}
