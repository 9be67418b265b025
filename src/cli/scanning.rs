//! From a prepared job to its exit status: opens the scan, runs it, and writes its report.

use std::time::SystemTime;

use halfopen::model::Summary;
use halfopen::report::escape::terminal;
use halfopen::report::names::Names;
use halfopen::report::{Header, Scope};
use halfopen::scan::{Control, Mode, Ping, Scan};

use crate::cli::Job;
use crate::cli::exit::Exit;
use crate::cli::identifying;
use crate::cli::live::watch::{Keys, Watch};
use crate::cli::machine;
use crate::cli::outputs::{End, Outputs};
use crate::cli::progress::{Drawn, Screen};
use crate::cli::resume;
use crate::cli::saying::{fallen_back, introduce, refuse, refuse_to_open, say, tell};
use crate::cli::settings::Noise;
use crate::cli::signals::Caught;
use crate::cli::sink::{Outcome, Queue, Work};

/// Runs a scan to its end.
pub fn scanned(job: Job) -> Result<Exit, Exit> {
    let Job {
        settings,
        outputs,
        command,
        plan,
        machine,
        resolved,
        keyboard,
        journal,
        ..
    } = job;
    let mode_asked = settings.options.mode;
    let shard = settings.options.shard;
    let seed = settings.options.seed;
    let started = now();
    let names = Names {
        services: machine::services(),
        zones: machine.zones(),
        hosts: resolved
            .iter()
            .flat_map(|host| host.addresses.iter().map(|at| (*at, host.name.clone())))
            .collect(),
    };
    let mut options = settings.options.clone();
    let prepared = identifying::prepared(&settings.identify, &names).map_err(|refused| {
        refuse(&[refused.mistake]);
        refused.exit
    })?;
    options.identify = prepared.identify;
    let scan = Scan::open(plan, options).map_err(|error| refuse_to_open(&error, &names))?;
    let mut told = None;
    let mut hint = None;
    let (scan, recorder) = match journal {
        None => (scan, None),
        Some(journal) => {
            let mode = Some(scan.mode().name());
            let head = resume::head(scan.plan(), &settings.options, &names, mode);
            told = journal.told(shard.len(scan.plan().len()));
            hint = Some(journal.hint());
            let begun = journal
                .agree(&head, &outputs)
                .and_then(|()| journal.begin(&head));
            let (recorder, past) = begun.map_err(|mistake| refuse(&[mistake]))?;
            (scan.resuming(past), Some(recorder))
        }
    };
    let control = Control::default();
    let (drawn, keyboard) = match settings.noise {
        Noise::MistakesOnly => (Drawn::Never, None),
        Noise::Normal | Noise::Verbose => (Drawn::OnTerminal, keyboard),
    };
    let keys = match keyboard {
        Some(_) => Keys::Read,
        None => Keys::NotRead,
    };
    let every = settings.stats_every;
    let watch = Watch::new(drawn, keys, every, control.clone(), names.clone());
    // While privileges are held, and before signals are caught: a pipe may have to wait for its reader.
    let outputs = Outputs::open(&outputs, settings.show, &names, Screen::new(&watch.line))
        .map_err(|mistake| refuse(&[mistake]))?;
    let signals = Caught::new().ok();

    let (ports, endpoints, port_list) = match settings.options.ping {
        Ping::Only => (0, 0, String::new()),
        Ping::First | Ping::Never => {
            let ports = scan.plan().ports();
            let endpoints = shard.len(scan.plan().len());
            (ports.len().into(), endpoints, ports.to_string())
        }
    };
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: scan.mode().name().to_owned(),
        reason_for_mode: scan.reason_for_mode().to_owned(),
        scope: match settings.options.ping {
            Ping::Only => Scope::Hosts,
            Ping::First => Scope::Answering,
            Ping::Never => Scope::Ports,
        },
        hosts: scan.plan().hosts(),
        only_host: (scan.plan().hosts() == 1)
            .then(|| scan.plan().host(0))
            .flatten(),
        ports,
        endpoints,
        seed,
        shard: (shard.index() + 1, shard.count()),
        missing_shards: Vec::new(),
        target_list: scan
            .plan()
            .targets()
            .ranges()
            .map(|range| names.range(&range.first(), &range.last()))
            .collect(),
        port_list,
        command,
        started,
    };
    if settings.noise > Noise::MistakesOnly {
        introduce(&header, &resolved, &names);
        told.iter().for_each(|told| say(told));
        tell(&settings.notes, settings.noise);
        if let Some(note) = &prepared.note {
            say(&format!("note: {note}"));
        }
        if let Some(what) = scan.passed_by() {
            say(&format!("note: {}", terminal(what)));
        }
        if let Some(why) = scan.without_echo() {
            say(&format!(
                "note: no echo requests from here ({}); hosts are looked for by TCP and on the link",
                terminal(why)
            ));
        }
        if mode_asked == Mode::Auto && scan.mode() == Mode::Connect {
            say(&fallen_back(&header.reason_for_mode));
        }
    }

    let mut queue = Queue::new(
        Work {
            outputs,
            header,
            watch,
            control: control.clone(),
            signals,
            keyboard,
        },
        recorder,
    );
    match scan.run(&mut queue, &control) {
        Ok(summary) => {
            let outcome = queue.end(Some(summary));
            if summary.untested > 0 && settings.noise > Noise::MistakesOnly {
                let none = "note: no journal was kept to go on from; --resume FILE keeps one";
                say(hint.as_deref().unwrap_or(none));
            }
            Ok(exit_of(&summary, outcome))
        }
        Err(error) => {
            queue.end(None);
            Err(refuse_to_open(&error, &Names::default()))
        }
    }
}

/// How the program ends, the worst first: a list that could not be written helps nobody, however complete it is.
fn exit_of(summary: &Summary, outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Ended(End::ReaderGone) => return Exit::Complete,
        Outcome::Ended(End::Failed) => return Exit::Output,
        Outcome::Broken => {
            say("error: the report broke off; what was printed may not be whole");
            return Exit::Output;
        }
        Outcome::Ended(End::Written) => {}
    }
    if summary.interrupted {
        Exit::Interrupted
    } else if summary.complete && summary.error == 0 && summary.untested == 0 {
        Exit::Complete
    } else {
        Exit::Unproven
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the wall clock is read once, for the reader of the report; no decision hangs on it"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}
