//! `halfopen diff`: what changed between two scans.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};

use clap::{ArgAction, Parser};
use halfopen::plan::{Mistake, quote};
use halfopen::report::names::Names;
use halfopen::report::text::{grouped, number};
use halfopen::results::changes;
use halfopen::results::diff::diff;
use halfopen::results::known::{Ended, Known};
use halfopen::results::zones::Zones;

use crate::cli::about::{help, printed};
use crate::cli::exit::Exit;
use crate::cli::saying::{self, reason, refuse, say};
use crate::cli::typed;

/// Say what changed between two scans
///
/// Takes JSON lines of halfopen and XML of nmap or masscan, in any combination. Only endpoints that both scans covered are
/// compared, and files without such an endpoint are refused. Of what is open in both, the software is compared too, where both
/// identified it and are of the same program. Reasons are not compared.
#[derive(Parser, Clone, Default, PartialEq, Eq, Debug)]
#[command(
    name = "halfopen diff",
    disable_version_flag = true,
    disable_help_flag = true,
    override_usage = "halfopen diff [OPTIONS] OLD NEW",
    after_help = "Exit status: 0 no change, 1 changes, 2 the files cannot be compared",
    max_term_width = 100
)]
pub struct Diff {
    /// The earlier scan and the later one; - is standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,

    /// Write JSON lines instead of text
    #[arg(long)]
    json: bool,

    /// Print this help
    #[arg(short, long, action = ArgAction::SetTrue)]
    help: bool,
}

pub fn run(argv: Vec<OsString>) -> Exit {
    let (args, mut mistakes) = typed::read::<Diff>(argv);
    if args.help {
        return printed(&help::<Diff>());
    }
    let [old, new] = args.files.as_slice() else {
        if mistakes.is_empty() {
            mistakes.push(Mistake::new(format!(
                "{} given; diff compares two: halfopen diff OLD NEW",
                number(args.files.len() as u64, "file")
            )));
        }
        return failed(&mistakes);
    };
    if old == "-" && new == "-" {
        mistakes.push(Mistake::new("- is given twice; standard input is one file"));
    }
    if !mistakes.is_empty() {
        return failed(&mistakes);
    }
    let mut zones = Zones::default();
    let paths = [old, new];
    let (old, new) = match (known(old, &mut zones), known(new, &mut zones)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let mistakes: Vec<Mistake> = old.err().into_iter().chain(new.err()).collect();
            return failed(&mistakes);
        }
    };
    let names = Names {
        zones: zones.names(),
        ..Names::default()
    };
    for (path, known) in paths.into_iter().zip([&old, &new]) {
        if let Some(note) = cut_short(path, known) {
            say(&note);
        }
    }
    let diff = diff(&old, &new);
    if diff.reach.is_empty() {
        return failed(&[Mistake::new(format!(
            "nothing to compare: there is no endpoint of which both {} and {} tell",
            quote(paths[0]),
            quote(paths[1])
        ))]);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if args.json {
        changes::json(&diff, &names, &mut out)
    } else {
        changes::text(&diff, &names, &mut out)
    };
    match saying::written(written.and_then(|()| out.flush())) {
        Exit::Complete if diff.is_same() => Exit::Complete,
        Exit::Complete => Exit::Different,
        _ => Exit::Usage,
    }
}

/// What such a scan does not list it may not have tested, so there is less to be compared than one would think.
fn cut_short(path: &str, known: &Known) -> Option<String> {
    let Ended::CutShort { untested } = known.ended else {
        return None;
    };
    let what = match untested {
        Some(untested) => format!(
            "{} of its {} were not tested",
            grouped(untested),
            number(known.endpoints(), "endpoint")
        ),
        None => "it does not say how it ended".to_owned(),
    };
    let path = quote(path);
    Some(format!(
        "note: {path} is of a scan that is not complete: {what}"
    ))
}

fn known(path: &str, zones: &mut Zones) -> Result<Known, Mistake> {
    let input: Box<dyn BufRead> = if path == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(|error| {
            Mistake::new(format!("cannot open {}: {}", quote(path), reason(&error)))
        })?;
        Box::new(BufReader::new(file))
    };
    Known::read(input, path, zones)
}

/// Whatever is wrong, scripts see one number for it, as with diff(1).
fn failed(mistakes: &[Mistake]) -> Exit {
    refuse(mistakes);
    Exit::Usage
}
