//! The scanner of a scenario.

use serde::Deserialize;

/// How the scanner is run, and what is special about its machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Scanner {
    /// Hard and soft limit of descriptors.
    pub descriptors: Option<u32>,
    /// So many scans at the same time.
    pub at_once: u8,
    /// So many times one after the other.
    pub repeat: u8,
    /// More options, in both modes.
    pub arguments: Vec<String>,
    /// And in SYN mode alone.
    pub arguments_in_syn_mode: Vec<String>,
    /// As in [`Machine`](super::Machine).
    pub rules: String,
    /// As in [`Machine`](super::Machine).
    pub setup: Vec<String>,
    /// It is stopped in the middle, as by Ctrl-Z in a shell, and goes on.
    pub stopped: Option<Stop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stop {
    /// Since it was started.
    pub after_ms: u64,
    pub for_ms: u64,
}

impl Stop {
    /// Neither waits longer.
    pub const LONGEST_MS: u64 = 5_000;
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            descriptors: None,
            at_once: 1,
            repeat: 1,
            arguments: Vec::new(),
            arguments_in_syn_mode: Vec::new(),
            rules: String::new(),
            setup: Vec::new(),
            stopped: None,
        }
    }
}
