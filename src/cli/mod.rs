//! The command line: from argv to a scan, from a scan to an exit status.

mod args;
mod exit;
mod habits;
mod machine;
mod progress;
mod prompt;
mod quantity;
mod resolve;
mod saying;
mod scanning;
mod settings;
mod signals;
mod sink;
mod typed;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use halfopen::plan::{Mistake, Plan};

use args::Args;
use exit::Exit;
use machine::Machine;
use resolve::Resolved;
use saying::{refuse, say};
use settings::Settings;

/// Runs the program with these arguments, the program's own name first.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    match prepared(argv).and_then(scanning::scanned) {
        Ok(exit) | Err(exit) => exit.into(),
    }
}

/// What a scan starts from.
struct Job {
    settings: Settings,
    plan: Plan,
    machine: Machine,
    resolved: Vec<Resolved>,
}

/// Everything before the first socket is opened.
fn prepared(argv: impl IntoIterator<Item = OsString>) -> Result<Job, Exit> {
    let (mut args, mut mistakes): (Args, _) = typed::read(argv.into_iter().skip(1));
    if args.help || args.version {
        return Err(about_itself(&args));
    }
    let machine = Machine::this();
    let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
    if mistakes.is_empty() && args.targets.is_empty() && interactive {
        ask(&mut args, &machine)?;
    }
    let mut settings = match settings::decide(&args, &machine) {
        Ok(settings) if mistakes.is_empty() => settings,
        Ok(_) => return Err(refuse(&mistakes)),
        Err(more) => {
            mistakes.extend(more);
            return Err(refuse(&mistakes));
        }
    };
    let resolved = resolve::all(&mut settings.targets, &resolve::by_system);
    let parsed = settings
        .targets
        .clone()
        .finish()
        .map_err(|mistakes| refuse(&mistakes))?;
    settings.notes.extend(parsed.notes);
    let mismatch = settings::source_mismatch(&parsed.set, settings.options.source);
    if let Some(mismatch) = mismatch {
        return Err(refuse(&[mismatch]));
    }
    Ok(Job {
        plan: Plan::new(parsed.set, settings.ports.clone()),
        settings,
        machine,
        resolved,
    })
}

fn about_itself(args: &Args) -> Exit {
    let mut command = Args::command();
    let text = if args.help {
        command.render_help().to_string()
    } else {
        command.render_version()
    };
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write to standard output: {error}"));
            Exit::Output
        }
        _ => Exit::Complete,
    }
}

fn ask(args: &mut Args, machine: &Machine) -> Result<(), Exit> {
    let checks = prompt::Checks {
        targets: &|targets| settings::target_mistakes(targets, machine),
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
