//! `halfopen merge`: the outputs of all parts of a scan become the output of the whole.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader};

use clap::{ArgAction, Parser};
use halfopen::plan::{Mistake, quote};
use halfopen::report::text::Live;
use halfopen::results::join::{Gaps, Joined, Survey, Tells, join, survey};
use halfopen::results::replay::{Broken, replay};
use halfopen::results::zones::Zones;

use crate::cli::about::{help, printed};
use crate::cli::exit::Exit;
use crate::cli::live::watch::Keys;
use crate::cli::outputs::asked::{self, Columns, Plan, Typed};
use crate::cli::outputs::{End, Failure, Outputs};
use crate::cli::progress::{Drawn, Line, Screen};
use crate::cli::saying::{reason, refuse, say};
use crate::cli::typed;

/// Join the JSON lines of all parts of a scan (--shard)
///
/// Gives the JSON lines of the whole, as if it had been scanned at once. Every part must be there once, complete, and of
/// the same scan; nothing is written otherwise.
#[derive(Parser, Clone, Default, PartialEq, Eq, Debug)]
#[command(
    name = "halfopen merge",
    disable_version_flag = true,
    disable_help_flag = true,
    override_usage = "halfopen merge [OPTIONS] FILE...",
    after_help = "Exit status: 0 complete, 2 the files are not the parts of one scan, 4 a file changed while it was read, 5 output \
                  failed, 6 not proven complete",
    max_term_width = 100
)]
pub struct Merge {
    /// What halfopen --json wrote for each part
    #[arg(value_name = "FILE")]
    files: Vec<String>,

    /// Write JSON lines instead of text
    #[arg(long)]
    json: bool,

    /// Write the result to this file too, in the format that its name ends in, as for a scan (repeatable)
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append)]
    output: Vec<String>,

    /// Where an output file exists, rename the old one to FILE~ instead of refusing
    #[arg(long)]
    overwrite: bool,

    /// Merge what is there, though parts are missing or not complete (exit status 6)
    #[arg(long)]
    allow_gaps: bool,

    /// Print this help
    #[arg(short, long, action = ArgAction::SetTrue)]
    help: bool,
}

pub fn run(argv: Vec<OsString>) -> Exit {
    match merged(argv) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn merged(argv: Vec<OsString>) -> Result<Exit, Exit> {
    let (args, mut mistakes) = typed::read::<Merge>(argv);
    if args.help {
        return Ok(printed(&help::<Merge>()));
    }
    let typed = Typed {
        output: &args.output,
        json: args.json,
        overwrite: args.overwrite,
        fields: None,
        columns: Columns::Scanned,
    };
    // Whoever merges has waited for all of it; nothing is news.
    let outputs = asked::decide(typed, Live::AtTheEnd).map_err(|more| mistakes.extend(more));
    let (Ok(mut outputs), []) = (outputs, &mistakes[..]) else {
        return Err(refuse(&mistakes));
    };
    let gaps = if args.allow_gaps {
        Gaps::Allowed
    } else {
        Gaps::Refused
    };
    let mut zones = Zones::default();
    let parts = all_surveyed(&args.files, &mut zones).map_err(|all| refuse_some(&all))?;
    if parts.iter().any(|part| part.tells == Tells::Services) {
        outputs.fields = Columns::Identified.fields();
    }
    let joined = join(&parts, gaps, &zones).map_err(|all| refuse_some(&all))?;
    written(&outputs, &parts, &joined, &mut zones)
}

/// Reads every file through, and tells all that is wrong with any of them.
fn all_surveyed(paths: &[String], zones: &mut Zones) -> Result<Vec<Survey>, Vec<Mistake>> {
    let (mut parts, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        match opened(path).and_then(|file| survey(file, path, zones)) {
            Ok(part) => parts.push(part),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        Ok(parts)
    } else {
        Err(mistakes)
    }
}

fn opened(path: &str) -> Result<BufReader<File>, Mistake> {
    match File::open(path) {
        // Every file is read twice, which a pipe does not survive.
        Ok(file) if file.metadata().is_ok_and(|about| about.is_file()) => Ok(BufReader::new(file)),
        Ok(_) => Err(Mistake::new(format!(
            "{} is not a regular file",
            quote(path)
        ))),
        Err(error) => Err(Mistake::new(format!(
            "cannot open {}: {}",
            quote(path),
            reason(&error)
        ))),
    }
}

fn written(
    plan: &Plan,
    parts: &[Survey],
    joined: &Joined,
    zones: &mut Zones,
) -> Result<Exit, Exit> {
    let screen = Screen::new(&Line::new(Drawn::Never, Keys::NotRead));
    let mut outputs = Outputs::open(plan, joined.show, &joined.names, screen)
        .map_err(|mistake| refuse(&[mistake]))?;
    let told = |failures: Vec<Failure>| {
        for failure in failures {
            say(&format!("error: {failure}"));
        }
    };
    told(outputs.start(&joined.header));
    let replayed = replay(parts, joined, zones, opened, &mut |event| {
        told(outputs.event(event));
        if outputs.is_anybody_left() {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    });
    if let Err(Broken::Input(mistake)) = replayed {
        told(outputs.finish(None));
        say(&format!("error: {mistake}; it changed while it was read"));
        return Err(Exit::Environment);
    }
    told(outputs.finish(Some(&joined.summary)));
    Ok(match outputs.end() {
        End::Failed => Exit::Output,
        End::ReaderGone => Exit::Complete,
        End::Written if joined.summary.complete => Exit::Complete,
        End::Written => Exit::Unproven,
    })
}

/// Ten thousand parts can be wrong in ten thousand ways.
fn refuse_some(mistakes: &[Mistake]) -> Exit {
    let exit = refuse(mistakes.get(..MOST_TOLD).unwrap_or(mistakes));
    if mistakes.len() > MOST_TOLD {
        say(&format!(
            "error: and {} more mistakes",
            mistakes.len() - MOST_TOLD
        ));
    }
    exit
}

const MOST_TOLD: usize = 16;
