//! What was typed. Every option is defined here, once; what its text means is decided in `settings`.
//!
//! Values stay text, so that all mistakes of a command line can be reported together. `typed` takes the arguments apart
//! before clap sees them, for the same reason, and `config` fills in what is set elsewhere.
//!
//! The first line of each comment is the help of `-h` and of completions: it fits one line. What is behind the blank line
//! is for `--help`, the man page and `--print-config`, which take the default from behind `; default `. Options without
//! which most people live are hidden from `-h`.

use clap::{ArgAction, Parser, ValueHint};

/// A TCP port scanner whose open-port list is the same in every mode.
///
/// Without targets, on a terminal, it asks for them. Results go to standard output, everything else to standard error.
#[derive(Parser, Clone, Default, PartialEq, Eq, Debug)]
#[command(
    name = "halfopen",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    disable_help_subcommand = true,
    override_usage = "halfopen [OPTIONS] [TARGET]...",
    after_help = "halfopen --help has all options, with details.",
    after_long_help = "Every flag --NAME can be turned off with --no-NAME. Most options can be set in the environment \
        (HALFOPEN_MAX_ATTEMPTS=5) and in a file (halfopen --print-config); the nearer wins, and all excludes count.\n\n\
        Exit status: 0 complete, 2 usage, 3 interrupted, 4 environment, 5 output failed, 6 not proven complete",
    max_term_width = 100
)]
pub struct Args {
    /// Such as 10.0.0.5 db.example 10.0.0.0/24 10.0.0.1-50 ::1
    ///
    /// Also IPv6 with zones (fe80::1%eth0) and networks (2001:db8::/120), and a range in each number of an IPv4 address (10.0.0-3.1-254).
    /// Behind `--` everything is a target, also the name of a command.
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,

    /// Read targets from this file too; - is standard input
    ///
    /// Any number in a line, # begins a comment; repeatable.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, action = ArgAction::Append, help_heading = "What to scan")]
    pub input_file: Vec<String>,

    /// Leave these targets out, whatever else is given
    ///
    /// Commas or blanks between them; repeatable.
    #[arg(long, value_name = "TARGETS", action = ArgAction::Append, help_heading = "What to scan")]
    pub exclude: Vec<String>,

    /// Leave out what this file lists
    ///
    /// Repeatable. What /etc/halfopen/exclude.d/*.conf and the same below ~/.config list is always left out.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, action = ArgAction::Append, help_heading = "What to scan", hide_short_help = true)]
    pub exclude_file: Vec<String>,

    /// Ports: 22,80,8000-8100, http, top:N, well-known, all
    ///
    /// Numbers, ranges and service names, or a set: top:N (the N likeliest), well-known (1-1023), registered (1-49151),
    /// common (20-23, 25, 53, 80, 110, 443), all; default top:1000
    #[arg(short, long, value_name = "PORTS", help_heading = "What to scan")]
    pub ports: Option<String>,

    /// Leave these ports out, whatever else is given
    ///
    /// Written as for --ports; repeatable.
    #[arg(long, value_name = "PORTS", action = ArgAction::Append, help_heading = "What to scan", hide_short_help = true)]
    pub exclude_ports: Vec<String>,

    /// Scan only part I of N parts
    ///
    /// Such as 1/4. The N parts of the same targets and ports together are the whole. auto or auto/N: the part that Slurm,
    /// Kubernetes, AWS Batch or Nomad gives this task
    #[arg(
        long,
        value_name = "I/N",
        help_heading = "What to scan",
        hide_short_help = true
    )]
    pub shard: Option<String>,

    /// Order of the walk, a whole number
    ///
    /// The same seed asks in the same order; default random, or with --shard what follows from targets and ports
    #[arg(
        long,
        value_name = "NUMBER",
        help_heading = "What to scan",
        hide_short_help = true
    )]
    pub seed: Option<String>,

    /// Print what would be scanned and how long it may take
    ///
    /// With the ways that packets would take and what may get in their way; nothing is sent.
    #[arg(long, help_heading = "What to scan")]
    pub dry_run: bool,

    /// Print every address and port that would be scanned
    ///
    /// One a line, in ascending order; nothing is sent.
    #[arg(long, help_heading = "What to scan", hide_short_help = true)]
    pub list: bool,

    /// Scan only hosts that answer a ping
    ///
    /// That is: an echo request, a question on the link (ARP, NDP), or a probe to one of the TCP ports 22, 80, 443, 445 and
    /// 3389, which are asked for that whatever --ports says. Needs no privilege.
    #[arg(long, help_heading = "What to scan")]
    pub ping: bool,

    /// Print the hosts that answer a ping, and scan no ports
    ///
    /// In a form that can be read as targets again.
    #[arg(long, help_heading = "What to scan", hide_short_help = true)]
    pub ping_only: bool,

    /// Allow targets as large as the Internet
    ///
    /// Needs excludes too.
    #[arg(long, help_heading = "What to scan", hide_short_help = true)]
    pub allow_internet: bool,

    /// Find out what is behind open ports: --services --os --vulns
    ///
    /// What is not wanted of it is turned off: -A --no-vulns. At most 65,536 open ports are asked.
    #[arg(short = 'A', long, help_heading = "What to find out")]
    pub identify: bool,

    /// Talk with open ports: protocol, software, version, TLS
    ///
    /// By ordinary connections once the ports are scanned; nothing is changed at the servers, and nobody logs in.
    #[arg(long, help_heading = "What to find out", hide_short_help = true)]
    pub services: bool,

    /// Tell what hosts seem to run, and on what, with the evidence
    ///
    /// Candidates by what their SYN-ACKs look like and what their services say; of hosts on the link also whose the network
    /// interface is. Asks services too; with --no-services no server is asked anything.
    #[arg(long, help_heading = "What to find out", hide_short_help = true)]
    pub os: bool,

    /// Look up known vulnerabilities of what open ports serve
    ///
    /// In the database that `halfopen db update` or `halfopen db import` made. Nothing is tried at the servers: versions are
    /// compared, so it is said how likely each is. Includes --services.
    #[arg(long, help_heading = "What to find out", hide_short_help = true)]
    pub vulns: bool,

    /// The database of known vulnerabilities
    ///
    /// For --vulns; default vulnerabilities.db in $XDG_DATA_HOME/halfopen or ~/.local/share/halfopen
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "What to find out", hide_short_help = true)]
    pub db: Option<String>,

    /// Use the rules in this folder too (Rapid7 Recog's xml)
    ///
    /// Files in Recog's schema, named *.xml, beside the rules that Halfopen has.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, help_heading = "What to find out", hide_short_help = true)]
    pub recog_dir: Option<String>,

    /// auto, syn (needs CAP_NET_RAW) or connect (any user)
    ///
    /// syn scans half-open with crafted SYNs, connect makes full connects, auto takes the first that works. The list of open
    /// ports is the same; default auto
    #[arg(short, long, value_name = "MODE", help_heading = "How to scan")]
    pub mode: Option<String>,

    /// Threads that connect
    ///
    /// From 1 to 1024; default one per core
    #[arg(
        short,
        long,
        value_name = "N",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub threads: Option<String>,

    /// At most so many packets per second, such as 500 or 20k
    ///
    /// From 1 to 10,000,000; k and M are understood; default what the path allows
    #[arg(long, value_name = "RATE", help_heading = "How to scan")]
    pub rate: Option<String>,

    /// At most so many packets per second to any one host
    ///
    /// SYNs of the scan, of every kind, and the connections of --services afterwards; not counted is what the kernel repeats of
    /// its own connects. From 1 to 10,000,000; k and M are understood; default what the path allows
    #[arg(
        long,
        value_name = "RATE",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub host_rate: Option<String>,

    /// At most so many attempts at one port
    ///
    /// From 1 to 100, at a port that stays silent; default 20
    #[arg(
        long,
        value_name = "N",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub max_attempts: Option<String>,

    /// Go on until fewer open ports than this are missed
    ///
    /// The expected number of missed ports, by the loss that the scan measures, 0.000001 to 1; default 0.01
    #[arg(
        long,
        value_name = "PORTS",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub miss_budget: Option<String>,

    /// How long to listen for the answer of a silent port
    ///
    /// Such as 500ms or 3s; default 3s
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub patience: Option<String>,

    /// End after this time with what is known, as 90s or 2h
    ///
    /// The exit status is 6 then; default no limit
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub max_time: Option<String>,

    /// Keep what is found in this file, or go on from there
    ///
    /// A scan that was ended in any way, kill -9 included, goes on where it was: run the same command again, or --resume FILE
    /// alone, which keeps its targets, ports and rates. Nothing that the file holds is asked again, and the results are those of the whole.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "How to scan", hide_short_help = true)]
    pub resume: Option<String>,

    /// auto, or never: complete no connection
    ///
    /// auto confirms what is odd about an answer by a full connect, and asks a few ports so where the capture seems to hear
    /// nothing; never does neither, and needs SYN mode. Default auto
    #[arg(
        long,
        value_name = "WHEN",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub confirm: Option<String>,

    /// Send through this network interface
    ///
    /// By its name; default what the routes say
    #[arg(
        short = 'e',
        long,
        value_name = "NAME",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub interface: Option<String>,

    /// Send from this address of this machine
    ///
    /// IPv4 or IPv6; default what the routes say
    #[arg(
        long,
        value_name = "ADDRESS",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub source: Option<String>,

    /// ip, or frame: faster, past the local firewall
    ///
    /// frame also passes by policy routing, and is refused where this machine is seen to have rules for either (firewall rules
    /// need CAP_NET_ADMIN to be seen); force-frame goes past them; default ip
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "How to scan",
        hide_short_help = true
    )]
    pub send_path: Option<String>,

    /// Write results to this file too: .txt .jsonl .xml .csv ..
    ///
    /// In the format of its extension: .txt .jsonl .xml (nmap's) .gnmap .csv .list (masscan's); or name the format before
    /// it: xml:- is standard output. Files list what --show lists; repeatable.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, action = ArgAction::Append, help_heading = "What to print")]
    pub output: Vec<String>,

    /// Rename an output file that exists to FILE~
    ///
    /// Instead of refusing to scan.
    #[arg(long, help_heading = "What to print", hide_short_help = true)]
    pub overwrite: bool,

    /// Fields of JSON lines and CSV, and their order
    ///
    /// Such as address,port,state; default all of them
    #[arg(
        long,
        value_name = "FIELDS",
        help_heading = "What to print",
        hide_short_help = true
    )]
    pub fields: Option<String>,

    /// List the fields there are
    #[arg(long, help_heading = "What to print", hide_short_help = true)]
    pub list_fields: bool,

    /// Write JSON lines instead of text
    #[arg(long, help_heading = "What to print")]
    pub json: bool,

    /// List ports of these states, such as open,closed or all
    ///
    /// Of open, closed, filtered, suspect, error; default open,suspect
    #[arg(long, value_name = "STATES", help_heading = "What to print")]
    pub show: Option<String>,

    /// Say how far the scan is each time that this has passed
    ///
    /// On standard error, such as 10s. On a terminal there is a line for that, and keys: ? lists them.
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "What to print",
        hide_short_help = true
    )]
    pub stats_every: Option<String>,

    /// Say nothing on standard error but mistakes
    #[arg(short, long, help_heading = "What to print")]
    pub quiet: bool,

    /// Say more on standard error
    #[arg(short, long, help_heading = "What to print")]
    pub verbose: bool,

    /// Read settings from this file only
    ///
    /// And not from $XDG_CONFIG_HOME/halfopen/config.toml (or ~/.config/halfopen/config.toml) and
    /// /etc/halfopen/config.toml.
    #[arg(
        long,
        value_name = "FILE", value_hint = ValueHint::FilePath,
        help_heading = "Settings",
        hide_short_help = true
    )]
    pub config: Option<String>,

    /// Read settings from no file
    #[arg(long, help_heading = "Settings", hide_short_help = true)]
    pub no_config: bool,

    /// Print a settings file with every option at its default
    #[arg(long, help_heading = "Settings", hide_short_help = true)]
    pub print_config: bool,

    /// Print every setting and where it was made, and scan nothing
    #[arg(long, help_heading = "Settings", hide_short_help = true)]
    pub show_settings: bool,

    /// Print what packagers need
    ///
    /// One of man, complete-bash, complete-zsh, complete-fish.
    #[arg(
        long,
        value_name = "KIND",
        help_heading = "About Halfopen",
        hide_short_help = true
    )]
    pub generate: Option<String>,

    /// Print the version
    #[arg(short = 'V', long, help_heading = "About Halfopen")]
    pub version: bool,

    /// Print the most used options
    #[arg(short = 'h', help_heading = "About Halfopen")]
    pub brief: bool,

    /// Print all options, with details
    #[arg(long, help_heading = "About Halfopen")]
    pub help: bool,
}
