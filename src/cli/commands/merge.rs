//! `halfopen merge`: the outputs of all parts of a scan become the output of the whole.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};

use clap::{ArgAction, CommandFactory as _, Parser};
use halfopen::plan::{Mistake, quote};
use halfopen::report::Report;
use halfopen::report::jsonl::JsonLines;
use halfopen::report::text::{Live, Text};
use halfopen::results::join::{Gaps, Joined, Survey, join, survey};
use halfopen::results::replay::{Broken, replay};
use halfopen::results::zones::Zones;

use crate::cli::exit::Exit;
use crate::cli::saying::{answer, refuse, say};
use crate::cli::scanning::width;
use crate::cli::typed;

/// Join the JSON lines of all parts of a scan (--shard) into those of the whole.
///
/// Every part must be there once, complete, and of the same scan; nothing is written otherwise.
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
struct Args {
    /// What halfopen --json wrote for each part
    #[arg(value_name = "FILE")]
    files: Vec<String>,

    /// Write JSON lines instead of text
    #[arg(long)]
    json: bool,

    /// Write JSON lines to this file, which must not exist
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,

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
    let (args, mistakes) = typed::read::<Args>(argv);
    if args.help {
        return Ok(answer(&Args::command().render_help().to_string()));
    }
    if !mistakes.is_empty() {
        return Err(refuse(&mistakes));
    }
    let gaps = if args.allow_gaps {
        Gaps::Allowed
    } else {
        Gaps::Refused
    };
    let mut zones = Zones::default();
    let parts = all_surveyed(&args.files, &mut zones).map_err(|all| refuse_some(&all))?;
    let joined = join(&parts, gaps, &zones).map_err(|all| refuse_some(&all))?;
    match &args.output {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let report: Box<dyn Report> = if args.json {
                Box::new(JsonLines::new(joined.show, joined.names.clone()))
            } else {
                let names = joined.names.clone();
                Box::new(Text::new(joined.show, names, Live::AtTheEnd, width()))
            };
            written(
                report,
                &parts,
                &joined,
                &mut zones,
                &mut out,
                "standard output",
            )
        }
        Some(path) => {
            let file = File::create_new(path).map_err(|error| {
                refuse(&[Mistake::new(format!(
                    "cannot create {}: {error}",
                    quote(path)
                ))])
            })?;
            let mut out = BufWriter::new(file);
            let report = Box::new(JsonLines::new(joined.show, joined.names.clone()));
            written(report, &parts, &joined, &mut zones, &mut out, &quote(path))
        }
    }
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
            "cannot open {}: {error}",
            quote(path)
        ))),
    }
}

fn written(
    mut report: Box<dyn Report>,
    parts: &[Survey],
    joined: &Joined,
    zones: &mut Zones,
    out: &mut dyn Write,
    what: &str,
) -> Result<Exit, Exit> {
    let mut write = || -> Result<(), Broken> {
        report.start(&joined.header, out).map_err(Broken::Output)?;
        replay(parts, joined, zones, opened, &mut |event| {
            report.event(event, out)
        })?;
        report
            .finish(&joined.summary, out)
            .and_then(|()| out.flush())
            .map_err(Broken::Output)
    };
    match write() {
        Ok(()) if joined.summary.complete => Ok(Exit::Complete),
        Ok(()) => Ok(Exit::Unproven),
        // The reader went away, as `head` does.
        Err(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Exit::Complete)
        }
        Err(Broken::Output(error)) => {
            say(&format!("error: cannot write to {what}: {error}"));
            Err(Exit::Output)
        }
        Err(Broken::Input(mistake)) => {
            say(&format!("error: {mistake}; it changed while it was read"));
            Err(Exit::Environment)
        }
    }
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
