//! Whether open ports are asked what they serve, what else is concluded, and what does not go together with it.

use halfopen::plan::Mistake;
use halfopen::scan::{Options, Ping, Services, Systems};

use crate::cli::args::Args;
use crate::cli::settings::Identification;

/// What is found out about open ports and their hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parts {
    pub services: Services,
    /// A folder of rules beside our own.
    pub recog_dir: Option<String>,
    pub systems: Systems,
    pub vulnerabilities: Vulnerabilities,
}

/// Whether known vulnerabilities are looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Vulnerabilities {
    No,
    /// In this database, else in the usual one.
    In(Option<String>),
}

/// Whether anything is to be found out. What --identify stands for is set by then.
pub fn is_asked(args: &Args) -> bool {
    args.services || args.os || args.vulns
}

/// What was asked for.
pub fn asked(args: &Args, options: &Options, mistakes: &mut Vec<Mistake>) -> Identification {
    if args.db.is_some() && !args.vulns {
        mistakes.push(Mistake::new(
            "--db is where known vulnerabilities are looked up; give --vulns or -A with it",
        ));
    }
    if !is_asked(args) {
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
    if args.vulns && !args.services {
        mistakes.push(Mistake::new(
            "known vulnerabilities are looked up by what services say; leave out --no-services, or give --no-vulns too",
        ));
    }
    if args.recog_dir.is_some() && !args.services {
        mistakes.push(Mistake::new(
            "--recog-dir is for what open ports say, and --no-services asks none",
        ));
    }
    Identification::Of(Parts {
        services: if args.services {
            Services::Told
        } else {
            Services::NotTold
        },
        recog_dir: args.recog_dir.clone(),
        systems: if args.os {
            Systems::Told
        } else {
            Systems::NotTold
        },
        vulnerabilities: if args.vulns {
            Vulnerabilities::In(args.db.clone())
        } else {
            Vulnerabilities::No
        },
    })
}
