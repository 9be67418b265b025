//! The command line: from argv to a scan, from a scan to an exit status.

mod args;
mod commands;
mod exit;
mod habits;
mod input;
mod machine;
mod outputs;
mod progress;
mod prompt;
mod quantity;
mod resolve;
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

use clap::CommandFactory as _;
use halfopen::plan::{Mistake, Plan};
use halfopen::report::fields::FIELDS;
use halfopen::report::text::Live;

use args::Args;
use exit::Exit;
use input::folders::Folders;
use machine::Machine;
use outputs::asked::Typed;
use resolve::Resolved;
use saying::{answer, refuse};
use settings::{Order, Settings};

/// Runs the program with these arguments, the program's own name first.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().skip(1).collect();
    if let Some(command) = argv.first().and_then(|word| commands::named(word)) {
        return command(argv.into_iter().skip(1).collect()).into();
    }
    match prepared(argv).and_then(scanning::scanned) {
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
}

/// Everything before the first socket is opened.
fn prepared(argv: Vec<OsString>) -> Result<Job, Exit> {
    let command = as_typed(&argv);
    let (mut args, mut mistakes): (Args, _) = typed::read(argv);
    if args.help || args.version || args.list_fields {
        return Err(about_itself(&args));
    }
    let machine = Machine::this();
    let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
    let targets_named = !args.targets.is_empty() || !args.input_file.is_empty();
    if mistakes.is_empty() && !targets_named && interactive {
        ask(&mut args, &machine)?;
    }
    let folders = Folders::new(&|name| std::env::var_os(name));
    let mut input = input::read(&args, &machine, &folders);
    let settings = settings::decide(&args, &machine, &input).map_err(|more| mistakes.extend(more));
    let outputs = outputs::asked::decide(
        Typed {
            output: &args.output,
            json: args.json,
            overwrite: args.overwrite,
            fields: args.fields.as_deref(),
        },
        Live::AsFound,
    )
    .map_err(|more| mistakes.extend(more));
    let (Ok(mut settings), Ok(outputs), []) = (settings, outputs, &mistakes[..]) else {
        return Err(refuse(&mistakes));
    };
    let resolved = resolve::all(&mut input.targets, &resolve::by_system);
    let parsed = input.targets.finish();
    let parsed = parsed.map_err(|mistakes| refuse(&mistakes))?;
    settings.notes.extend(parsed.notes);
    let mismatch = settings::source_mismatch(&parsed.set, settings.options.source);
    if let Some(mismatch) = mismatch {
        return Err(refuse(&[mismatch]));
    }
    let plan = Plan::new(parsed.set, settings.ports.clone());
    if settings.order == Order::OfThePlan {
        settings.options.seed = plan.job_seed();
    }
    Ok(Job {
        plan,
        settings,
        outputs,
        command,
        machine,
        resolved,
    })
}

/// The command line as its reader would type it again, but for quotes.
fn as_typed(argv: &[OsString]) -> String {
    let words = argv.iter().map(|word| word.to_string_lossy());
    std::iter::once("halfopen".into())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn about_itself(args: &Args) -> Exit {
    let command = Args::command();
    let text = if args.help {
        let more = command.get_after_help().map(ToString::to_string);
        let help = format!("{}\n\n{}", commands::listed(), more.unwrap_or_default());
        command.after_help(help).render_help().to_string()
    } else if args.version {
        command.render_version()
    } else {
        listed_fields()
    };
    answer(&text)
}

fn listed_fields() -> String {
    FIELDS
        .iter()
        .map(|field| format!("{:<10}{}\n", field.name, field.about))
        .collect()
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
