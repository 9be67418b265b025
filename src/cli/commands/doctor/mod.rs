//! `halfopen doctor`: what works on this machine, tried and not guessed.

mod examine;
mod findings;
mod text;

use std::ffi::OsString;

use clap::Parser;
use halfopen::plan::Mistake;
use halfopen::scan::Mode;

use crate::cli::about::{help, printed};
use crate::cli::exit::Exit;
use crate::cli::saying::{refuse, say};
use crate::cli::settings::words;
use crate::cli::typed;

/// Tell which mode would run here and why, and try it
///
/// Tells which mode would run, privileges and how to get them, limits, interfaces and ways to send, and scans a listener
/// of its own on 127.0.0.1 and ::1 in both modes. Nothing leaves the machine. Exit status: 0 the mode works, 4 it does
/// not.
#[derive(Parser, Clone, Default, Debug)]
#[command(
    name = "halfopen doctor",
    disable_help_flag = true,
    override_usage = "halfopen doctor [OPTIONS]",
    max_term_width = 100
)]
pub struct Doctor {
    /// The mode that must work: auto, syn or connect; default auto
    #[arg(short, long, value_name = "MODE")]
    mode: Option<String>,

    /// Write one JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Print this help
    #[arg(short, long)]
    help: bool,
}

/// Runs the command.
pub fn run(argv: Vec<OsString>) -> Exit {
    let (doctor, mut mistakes): (Doctor, _) = typed::read(argv);
    if doctor.help {
        return printed(&help::<Doctor>());
    }
    let asked = doctor.mode.as_deref().map_or(Ok(Mode::Auto), words::mode);
    let asked = asked.unwrap_or_else(|mistake: Mistake| {
        mistakes.push(mistake);
        Mode::Auto
    });
    if !mistakes.is_empty() {
        return refuse(&mistakes);
    }
    let findings = examine::this_machine(asked);
    let told = if doctor.json {
        match serde_json::to_string(&findings) {
            Ok(line) => printed(&format!("{line}\n")),
            Err(error) => {
                say(&format!("error: cannot write what was found: {error}"));
                Exit::Output
            }
        }
    } else {
        printed(&text::of(&findings))
    };
    match (told, findings.ready) {
        (Exit::Complete, true) => Exit::Complete,
        (Exit::Complete, false) => Exit::Environment,
        (failed, _) => failed,
    }
}
