//! The command line: from argv to a scan, from a scan to an exit status.

mod args;
mod exit;
mod habits;
mod machine;
mod progress;
mod prompt;
mod quantity;
mod resolve;
mod settings;
mod signals;
mod sink;
mod typed;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::CommandFactory as _;
use halfopen::model::Summary;
use halfopen::plan::{Cause, Loudness, Mistake, Note, Plan, escape};
use halfopen::report::escape::terminal;
use halfopen::report::jsonl::JsonLines;
use halfopen::report::names::Names;
use halfopen::report::text::{Live, Text, grouped};
use halfopen::report::{Header, Report};
use halfopen::scan::{Mode, OpenError, Scan, Stop};
use halfopen::transport::privilege::{self, Privilege};

use args::Args;
use exit::Exit;
use machine::Machine;
use progress::{Drawn, Line};
use resolve::Resolved;
use settings::{Format, Noise, Settings};
use signals::Caught;
use sink::{Outcome, Queue, Work};

/// Runs the program with these arguments, the program's own name first.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    match prepared(argv).and_then(scanned) {
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
    let (mut args, mut mistakes) = typed::read(argv.into_iter().skip(1));
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

fn scanned(job: Job) -> Result<Exit, Exit> {
    let Job {
        settings,
        plan,
        machine,
        resolved,
    } = job;
    let mode_asked = settings.options.mode;
    let shard = settings.options.shard;
    let seed = settings.options.seed;
    let started = now();
    let signals = Caught::new().ok();
    let names = Names {
        services: machine::services(),
        zones: machine.zones(),
        hosts: resolved
            .iter()
            .flat_map(|host| host.addresses.iter().map(|at| (*at, host.name.clone())))
            .collect(),
    };
    let scan = Scan::open(plan, settings.options.clone())
        .map_err(|error| refuse_to_open(&error, &names))?;

    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: name(scan.mode()).to_owned(),
        reason_for_mode: scan.reason_for_mode().to_owned(),
        hosts: scan.plan().hosts(),
        only_host: (scan.plan().hosts() == 1)
            .then(|| scan.plan().host(0))
            .flatten(),
        ports: scan.plan().ports().len().into(),
        endpoints: shard.len(scan.plan().len()),
        seed,
        shard: (shard.index() + 1, shard.count()),
        started,
    };
    if settings.noise > Noise::MistakesOnly {
        introduce(&header, &resolved, &names);
        tell(&settings.notes, settings.noise);
        if let Some(what) = scan.passed_by() {
            say(&format!("note: {}", terminal(what)));
        }
        if mode_asked == Mode::Auto && scan.mode() == Mode::Connect {
            say(&fallen_back(&header.reason_for_mode));
        }
    }

    let stop = Stop::default();
    let mut queue = Queue::new(Work {
        report: report(&settings, names),
        header,
        line: Line::new(if settings.noise > Noise::MistakesOnly {
            Drawn::OnTerminal
        } else {
            Drawn::Never
        }),
        stop: stop.clone(),
        signals,
    });
    match scan.run(&mut queue, &stop) {
        Ok(summary) => {
            let outcome = queue.end(Some(summary));
            Ok(exit_of(&summary, &outcome))
        }
        Err(error) => {
            queue.end(None);
            Err(refuse_to_open(&error, &Names::default()))
        }
    }
}

fn report(settings: &Settings, names: Names) -> Box<dyn Report + Send> {
    match settings.format {
        Format::JsonLines => Box::new(JsonLines::new(settings.show, names)),
        Format::Text => {
            let (live, width) = if io::stdout().is_terminal() {
                let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
                let columns = size.map_or(0, |size| usize::from(size.ws_col));
                (Live::AsFound, columns)
            } else {
                (Live::AtTheEnd, 0)
            };
            let width = if width == 0 { WIDTH } else { width };
            Box::new(Text::new(settings.show, names, live, width))
        }
    }
}

/// How the program ends, the worst first: a list that could not be written helps nobody, however complete it is.
fn exit_of(summary: &Summary, outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::ReaderGone => return Exit::Complete,
        Outcome::Failed(error) => {
            say(&format!("error: cannot write to standard output: {error}"));
            return Exit::Output;
        }
        Outcome::Broken => {
            say("error: the report broke off; what was printed may not be whole");
            return Exit::Output;
        }
        Outcome::Written => {}
    }
    if summary.interrupted {
        Exit::Interrupted
    } else if summary.complete && summary.error == 0 && summary.untested == 0 {
        Exit::Complete
    } else {
        Exit::Unproven
    }
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

/// Says all that is wrong, one line each. Names that do not resolve are the environment's fault, all else the user's.
fn refuse(mistakes: &[Mistake]) -> Exit {
    for mistake in mistakes {
        say(&format!("error: {mistake}"));
    }
    if mistakes
        .iter()
        .all(|mistake| mistake.cause() == Cause::Environment)
    {
        Exit::Environment
    } else {
        Exit::Usage
    }
}

fn refuse_to_open(error: &OpenError, names: &Names) -> Exit {
    let message = match error {
        // The zone by its name, as it was typed.
        OpenError::NoRoute { address, source } => {
            format!("no route to {}: {source}", names.address(address))
        }
        OpenError::NoPrivilege { .. } | OpenError::PassesBy { .. } | OpenError::Io { .. } => {
            error.to_string()
        }
    };
    let message = escape(&message, 100);
    match error {
        OpenError::NoPrivilege { .. } => say(&format!(
            "error: {message}; enable it with `{}`, or use -m connect, which needs no privilege",
            setcap()
        )),
        OpenError::PassesBy { .. } => say(&format!(
            "error: {message}; --send-path ip keeps to these rules, --send-path force-frame does not"
        )),
        OpenError::NoRoute { .. } | OpenError::Io { .. } => say(&format!("error: {message}")),
    }
    Exit::Environment
}

/// Why the scan is no SYN scan, and what to do about it where a privilege is what lacks.
fn fallen_back(reason: &str) -> String {
    let note = format!("note: connect mode, because {}", terminal(reason));
    match privilege::discover() {
        Privilege::Raw | Privilege::Unknown => note,
        Privilege::Ineffective | Privilege::TakenAway | Privilege::Unprivileged => {
            format!("{note}; for SYN mode: {}", setcap())
        }
    }
}

/// What makes SYN mode work for ordinary users, ready to be pasted.
fn setcap() -> String {
    let path = std::env::current_exe().map_or_else(
        |_| "halfopen".to_owned(),
        |path| escape(&path.to_string_lossy(), 180),
    );
    if path.contains([' ', '\'', '"', '\\', '$', '`']) {
        format!("sudo setcap cap_net_raw+ep '{path}'")
    } else {
        format!("sudo setcap cap_net_raw+ep {path}")
    }
}

fn introduce(header: &Header, resolved: &[Resolved], names: &Names) {
    let mut line = format!(
        "Halfopen {}: {} {}, {} {}, {} mode",
        header.version,
        grouped(header.hosts),
        if header.hosts == 1 { "host" } else { "hosts" },
        grouped(header.ports),
        if header.ports == 1 { "port" } else { "ports" },
        header.mode,
    );
    if header.shard.1 > 1 {
        line.push_str(&format!(
            ", part {}/{}: {} endpoints",
            header.shard.0,
            header.shard.1,
            grouped(header.endpoints)
        ));
    }
    for host in resolved {
        let addresses: Vec<String> = host.addresses.iter().map(|at| names.address(at)).collect();
        line.push_str(&format!("; {} = {}", host.name, addresses.join(", ")));
    }
    say(&terminal(&line));
}

fn tell(notes: &[Note], noise: Noise) {
    for note in notes {
        if note.loudness() == Loudness::Always || noise == Noise::Verbose {
            say(&format!("note: {note}"));
        }
    }
}

/// Standard error may be closed; nothing is left to be said then.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Auto => "auto",
        Mode::Syn => "syn",
        Mode::Connect => "connect",
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the wall clock is read once, for the reader of the report; no decision hangs on it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Columns where there is no terminal to ask.
const WIDTH: usize = 80;
