//! What was typed. Every option is defined here, once; what its text means is decided in `settings`.
//!
//! Values stay text, so that all mistakes of a command line can be reported together. `typed` takes the arguments apart
//! before clap sees them, for the same reason.

use clap::{ArgAction, Parser};

/// A TCP port scanner whose open-port list is the same in every mode.
///
/// Without targets, on a terminal, it asks for them. Results go to standard output, everything else to standard error.
#[derive(Parser, Clone, Default, PartialEq, Eq, Debug)]
#[command(
    name = "halfopen",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    override_usage = "halfopen [OPTIONS] [TARGET]...",
    after_help = "Exit status: 0 complete, 2 usage, 3 interrupted, 4 environment, 5 output failed, 6 not proven complete",
    max_term_width = 100
)]
pub struct Args {
    /// Hosts, addresses, networks: 10.0.0.5 db.example 10.0.0.0/24 10.0.0.1-50 10.0.0-3.1-254 2001:db8::/120 fe80::1%eth0
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,

    /// Read targets from this file too, any number in a line, # begins a comment; - is standard input (repeatable)
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, help_heading = "What to scan")]
    pub input_file: Vec<String>,

    /// Leave these out, whatever else is given (targets, commas or blanks between them; repeatable)
    #[arg(long, value_name = "TARGETS", action = ArgAction::Append, help_heading = "What to scan")]
    pub exclude: Vec<String>,

    /// Leave out what this file lists (repeatable); /etc/halfopen/exclude.d/*.conf and the same below ~/.config always hold
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "What to scan")]
    pub exclude_file: Vec<String>,

    /// Ports: 22,80,8000-8100, a service name, top:N, well-known (1-1023), registered (1-49151), common, all; default
    /// top:1000, the likeliest 1,000
    #[arg(short, long, value_name = "PORTS", help_heading = "What to scan")]
    pub ports: Option<String>,

    /// Leave these ports out, whatever else is given (repeatable)
    #[arg(long, value_name = "PORTS", action = ArgAction::Append, help_heading = "What to scan")]
    pub exclude_ports: Vec<String>,

    /// Scan only part I of N parts of the same targets and ports, such as 1/4; the N parts together are the whole. auto or auto/N: the part that Slurm, Kubernetes, AWS Batch or Nomad gives this task
    #[arg(long, value_name = "I/N", help_heading = "What to scan")]
    pub shard: Option<String>,

    /// Order of the walk, a whole number; default random, or with --shard what follows from targets and ports
    #[arg(long, value_name = "NUMBER", help_heading = "What to scan")]
    pub seed: Option<String>,

    /// Allow targets as large as the Internet; needs excludes too
    #[arg(long, help_heading = "What to scan")]
    pub allow_internet: bool,

    /// auto, syn (half-open, needs CAP_NET_RAW) or connect (needs no privilege); default auto
    #[arg(short, long, value_name = "MODE", help_heading = "How to scan")]
    pub mode: Option<String>,

    /// Threads that connect, 1 to 1024; default one per core
    #[arg(short, long, value_name = "N", help_heading = "How to scan")]
    pub threads: Option<String>,

    /// At most so many packets per second, 1 to 10,000,000; k and M are understood; default what the path allows
    #[arg(long, value_name = "RATE", help_heading = "How to scan")]
    pub rate: Option<String>,

    /// At most so many attempts at one port, 1 to 100; default 20
    #[arg(long, value_name = "N", help_heading = "How to scan")]
    pub max_attempts: Option<String>,

    /// Go on until fewer open ports than this are expected to be missed, 0.000001 to 1; default 0.01
    #[arg(long, value_name = "PORTS", help_heading = "How to scan")]
    pub miss_budget: Option<String>,

    /// How long to listen for the answer of a silent port, such as 500ms or 3s; default 3s
    #[arg(long, value_name = "TIME", help_heading = "How to scan")]
    pub patience: Option<String>,

    /// End after this time with what is known (exit status 6), such as 90s or 2h
    #[arg(long, value_name = "TIME", help_heading = "How to scan")]
    pub max_time: Option<String>,

    /// auto, or never: complete no connection, and leave what is odd about an answer unproven; default auto
    #[arg(long, value_name = "WHEN", help_heading = "How to scan")]
    pub confirm: Option<String>,

    /// Send through this network interface
    #[arg(short = 'e', long, value_name = "NAME", help_heading = "How to scan")]
    pub interface: Option<String>,

    /// Send from this address of this machine
    #[arg(long, value_name = "ADDRESS", help_heading = "How to scan")]
    pub source: Option<String>,

    /// ip, or frame: faster, but past the local firewall and policy routing (force-frame: even where there are rules)
    #[arg(long, value_name = "PATH", help_heading = "How to scan")]
    pub send_path: Option<String>,

    /// Write results to this file too (repeatable), in the format of its extension: .txt .jsonl .xml (nmap's) .gnmap .csv
    /// .list (masscan's); or name the format before it: xml:- is standard output. Files list what --show lists
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, help_heading = "What to print")]
    pub output: Vec<String>,

    /// Where an output file exists, rename the old one to FILE~ instead of refusing to scan
    #[arg(long, help_heading = "What to print")]
    pub overwrite: bool,

    /// Fields of JSON lines and CSV, and their order, such as address,port,state; default all
    #[arg(long, value_name = "FIELDS", help_heading = "What to print")]
    pub fields: Option<String>,

    /// List the fields there are
    #[arg(long, help_heading = "What to print")]
    pub list_fields: bool,

    /// Write JSON lines instead of text
    #[arg(long, help_heading = "What to print")]
    pub json: bool,

    /// List ports of these states: open, closed, filtered, suspect, error, all; default open,suspect
    #[arg(long, value_name = "STATES", help_heading = "What to print")]
    pub show: Option<String>,

    /// Say nothing on standard error but mistakes
    #[arg(short, long, help_heading = "What to print")]
    pub quiet: bool,

    /// Say more on standard error
    #[arg(short, long, help_heading = "What to print")]
    pub verbose: bool,

    /// Print the version
    #[arg(short = 'V', long, help_heading = "What to print")]
    pub version: bool,

    /// Print this help
    #[arg(short, long, help_heading = "What to print")]
    pub help: bool,
}
