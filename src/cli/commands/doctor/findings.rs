//! What was found, as both the text and the JSON object show it. Fields may be added, never renamed or removed.

use serde::Serialize;

/// One examination.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Findings {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub version: &'static str,
    /// The mode that would run: `syn` or `connect`; null where none can be opened.
    pub mode: Option<&'static str>,
    /// Why that one, or why none.
    pub reason_for_mode: String,
    /// Whether the mode that would run is the one asked for, and works.
    pub ready: bool,
    pub privilege: Privilege,
    pub descriptors: Descriptors,
    pub interfaces: Vec<Interface>,
    pub send_paths: SendPaths,
    pub self_tests: Vec<Tested>,
}

/// What this process may.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Privilege {
    /// One sentence.
    pub about: String,
    /// Whether CAP_NET_RAW is effective.
    pub raw: bool,
    pub permitted: Vec<String>,
    pub effective: Vec<String>,
    /// The command that makes SYN mode work for everybody.
    pub setcap: String,
}

/// Open files that this process may have; null: no limit.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Descriptors {
    pub soft: Option<u64>,
    pub hard: Option<u64>,
    /// Connects that can be under way at a time, once a scan has raised the soft limit to the hard one.
    pub connects: usize,
}

/// A network interface.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    pub up: bool,
    /// `ethernet` or `other` (loopback, tunnels).
    pub framing: &'static str,
    pub mtu: u32,
    /// With the length of the prefix.
    pub addresses: Vec<String>,
}

/// The ways by which crafted SYNs can leave.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct SendPaths {
    pub ip: SendPath,
    pub frame: SendPath,
}

/// One of them.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct SendPath {
    pub possible: bool,
    /// One sentence.
    pub about: String,
}

/// A self-test.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Tested {
    pub mode: &'static str,
    pub address: String,
    pub outcome: Outcome,
    /// Microseconds, where it could be measured.
    pub rtt_us: Option<u64>,
    /// Why it does not work, or why there was nothing to test.
    pub why: Option<String>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Works,
    /// The mode is not to be had.
    Refused,
    /// It ran and did not hear what it should.
    Deaf,
    /// This machine does not have the address.
    NoAddress,
}
