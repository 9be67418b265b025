//! Whether open ports are asked what they serve, and what does not go together with it.

use halfopen::plan::Mistake;
use halfopen::scan::{Options, Ping};

use crate::cli::args::Args;
use crate::cli::settings::Identification;

/// What was asked for.
pub fn asked(args: &Args, options: &Options, mistakes: &mut Vec<Mistake>) -> Identification {
    if !args.identify && !args.services {
        if args.recog_dir.is_some() {
            mistakes.push(Mistake::new(
                "--recog-dir is for what open ports say; give --services or -A with it",
            ));
        }
        return Identification::No;
    }
    if options.ping == Ping::Only {
        mistakes.push(Mistake::new(
            "--ping-only scans no ports, so there is nothing to identify; --ping scans those of hosts that answer",
        ));
    }
    Identification::Yes {
        recog_dir: args.recog_dir.clone(),
    }
}
