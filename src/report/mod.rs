//! Bytes out: what a scan found, as text, JSON lines, CSV, nmap's XML and grepable formats and masscan's list, over one
//! list of fields ([`fields`]).
//!
//! A report is fed the scan's events in any order and writes to any `Write`. It holds only what it must still print:
//! lines that are listed, and counts for everything else ([`tally`]), so memory does not grow with the number of probes.
//! Nothing here reads a clock, a file or the terminal: times, widths and names come in as arguments.

pub mod civil;
pub mod csv;
pub mod escape;
pub mod fields;
pub mod grepable;
pub mod identified;
pub mod jsonl;
pub mod list;
pub mod names;
pub mod table;
pub mod tally;
pub mod text;
pub mod unasked;
pub mod xml;

mod nmap_words;

use std::io;
use std::time::SystemTime;

use crate::model::{Address, Event, Reason, State, Summary, Verdict};

/// What is known before the first packet; the same for every format.
#[derive(Clone, PartialEq, Debug)]
pub struct Header {
    /// The version of the program.
    pub version: String,
    /// The mode that runs: `syn` or `connect`.
    pub mode: String,
    /// Why that mode runs.
    pub reason_for_mode: String,
    /// What is asked for.
    pub scope: Scope,
    /// Hosts in the plan.
    pub hosts: u64,
    /// The host, where the plan has only one: it gets its block even when nothing is open.
    pub only_host: Option<Address>,
    /// Ports per host.
    pub ports: u64,
    /// Endpoints of this scan (of its shard, where it is one).
    pub endpoints: u64,
    /// The seed of the order of the walk.
    pub seed: u64,
    /// Which part of the plan this scan walks, from 1, and of how many.
    pub shard: (u64, u64),
    /// Parts that are missing in what was joined from several outputs: `(3, 4)` is the third of four.
    pub missing_shards: Vec<(u64, u64)>,
    /// The addresses as disjoint ranges, in ascending order: `10.0.0.0-10.0.0.255`, `fe80::1-fe80::9%eth0`.
    pub target_list: Vec<String>,
    /// The ports as ranges: `22,80,8000-8100`.
    pub port_list: String,
    /// The command line, as it was typed.
    pub command: String,
    /// When the scan began; `time` in every record counts from here.
    pub started: SystemTime,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The ports of every host.
    Ports,
    /// Those of hosts that answer a ping.
    Answering,
    /// Only which hosts are there.
    Hosts,
}

impl Scope {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Answering => "answering",
            Self::Hosts => "hosts",
        }
    }
}

/// One output format.
pub trait Report {
    /// Writes what comes before the first result.
    ///
    /// # Errors
    /// What the output said.
    fn start(&mut self, header: &Header, out: &mut dyn io::Write) -> io::Result<()>;

    /// Takes one event; may write, or keep what must be sorted first.
    ///
    /// # Errors
    /// What the output said.
    fn event(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()>;

    /// Writes what would make the output whole if nothing more came, with the figures so far. Called any number of times
    /// between `start` and `finish`, where an output can be rewound: what is written next takes its place. Formats of lines
    /// that stand for themselves need nothing.
    ///
    /// # Errors
    /// What the output said.
    fn interim(&mut self, _so_far: &Summary, _out: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }

    /// Writes what could not be written earlier, and the figures at the end. Called once.
    ///
    /// # Errors
    /// What the output said.
    fn finish(&mut self, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()>;
}

/// Which states are listed port by port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Show {
    states: u8,
}

impl Show {
    /// These states and no other.
    pub fn of(states: &[State]) -> Self {
        Self {
            states: states.iter().fold(0, |all, state| all | bit(*state)),
        }
    }

    /// Whether this port is listed: those of a host that answers everything only where every state is, because one line
    /// about the host says it all.
    pub fn lists(self, verdict: &Verdict) -> bool {
        self.lists_every(verdict.state, verdict.reason)
    }

    /// Whether every port of this state and reason is listed.
    pub fn lists_every(self, state: State, reason: Reason) -> bool {
        let of_a_liar = reason == Reason::AnswersEverything;
        self.has(state) && (!of_a_liar || State::ALL.into_iter().all(|state| self.has(state)))
    }

    /// The states that are listed, in the order of reports.
    pub fn states(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.has(*state))
    }

    /// Whether this state is listed.
    pub fn has(self, state: State) -> bool {
        self.states & bit(state) != 0
    }
}

fn bit(state: State) -> u8 {
    match state {
        State::Open => 1,
        State::Closed => 2,
        State::Filtered => 4,
        State::Suspect => 8,
        State::Error => 16,
    }
}
