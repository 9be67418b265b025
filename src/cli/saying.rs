//! What goes to standard error, in whole lines: mistakes, notes, and what is about to be done.

use std::io::{self, Write as _};

use halfopen::plan::{Cause, Loudness, Mistake, Note, escape};
use halfopen::report::escape::terminal;
use halfopen::report::names::Names;
use halfopen::report::text::number;
use halfopen::report::{Header, Scope};
use halfopen::scan::OpenError;
use halfopen::transport::privilege::{self, Privilege};

use crate::cli::exit::Exit;
use crate::cli::resolve::Resolved;
use crate::cli::settings::Noise;

/// Says all that is wrong, one line each. Names that do not resolve are the environment's fault, all else the user's.
pub fn refuse(mistakes: &[Mistake]) -> Exit {
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

pub fn refuse_to_open(error: &OpenError, names: &Names) -> Exit {
    let message = match error {
        // The zone by its name, as it was typed.
        OpenError::NoRoute { address, source } => {
            format!("no route to {}: {}", names.address(address), reason(source))
        }
        other => other.to_string(),
    };
    let message = escape(&message, 200);
    match error {
        OpenError::NoPrivilege { .. } => say(&format!(
            "error: {message}; {}, or use -m connect, which needs no privilege",
            enabling()
        )),
        OpenError::NeverWithoutRaw { .. } => say(&format!(
            "error: {message}; {}, or leave out --confirm never",
            enabling()
        )),
        OpenError::PassesBy { .. } => say(&format!(
            "error: {message}; --send-path ip keeps to these rules, --send-path force-frame does not"
        )),
        _ => say(&format!("error: {message}")),
    }
    Exit::Environment
}

/// Why the scan is no SYN scan, and what to do about it where a privilege is what lacks.
pub fn fallen_back(reason: &str) -> String {
    let note = format!("note: connect mode, because {}", terminal(reason));
    match privilege::discover() {
        Privilege::Raw | Privilege::Unknown => note,
        Privilege::TakenAway => format!("{note}; for SYN mode: {GIVE_BACK}"),
        Privilege::Ineffective | Privilege::Unprivileged => {
            format!("{note}; for SYN mode: {}", setcap())
        }
    }
}

/// What to do where SYN mode is not allowed.
fn enabling() -> String {
    match privilege::discover() {
        Privilege::TakenAway => GIVE_BACK.to_owned(),
        _ => format!("enable it with `{}`", setcap()),
    }
}

/// A program that has the capability by its file cannot even be started where nobody may have it.
const GIVE_BACK: &str = "start it with NET_RAW (docker: --cap-add NET_RAW)";

/// What makes SYN mode work for ordinary users, ready to be pasted.
pub fn setcap() -> String {
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

/// What a part is that has no endpoint.
pub const EMPTY_PART: &str = "to be scanned in this part: there are fewer endpoints than parts";

/// A file may hold thousands of names; the first line shows so many with their addresses.
const NAMED: usize = 8;

pub fn introduce(header: &Header, resolved: &[Resolved], names: &Names) {
    let ports = match header.scope {
        Scope::Ports | Scope::Answering => number(header.ports, "port"),
        Scope::Hosts => "looking for hosts only".to_owned(),
    };
    let mut line = format!(
        "Halfopen {}: {}, {ports}, {} mode",
        header.version,
        number(header.hosts, "host"),
        header.mode,
    );
    if header.shard.1 > 1 {
        line.push_str(&format!(
            ", part {}/{}: {}",
            header.shard.0,
            header.shard.1,
            number(header.endpoints, "endpoint")
        ));
    }
    for host in resolved.iter().take(NAMED) {
        let addresses: Vec<String> = host.addresses.iter().map(|at| names.address(at)).collect();
        line.push_str(&format!("; {} = {}", host.name, addresses.join(", ")));
    }
    if resolved.len() > NAMED {
        line.push_str(&format!("; {} more names", resolved.len() - NAMED));
    }
    say(&terminal(&line));
    if header.endpoints == 0 && header.scope != Scope::Hosts {
        say(&format!("note: nothing {EMPTY_PART}"));
    }
}

pub fn tell(notes: &[Note], noise: Noise) {
    for note in notes {
        if note.loudness() == Loudness::Always || noise == Noise::Verbose {
            say(&format!("note: {note}"));
        }
    }
}

/// How printing to standard output went. A reader that went away, as `head` does, has what it wanted.
pub fn written(result: io::Result<()>) -> Exit {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!(
                "error: cannot write to standard output: {}",
                reason(&error)
            ));
            Exit::Output
        }
        _ => Exit::Complete,
    }
}

/// What the system says, without the number that Rust adds to it.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((said, _)) => said.to_owned(),
        None => text,
    }
}

pub fn say(line: &str) {
    say_all(&format!("{line}\n"));
}

/// Standard error may be closed; nothing is left to be said then.
pub fn say_all(lines: &str) {
    let _ = io::stderr().write_all(lines.as_bytes());
}
