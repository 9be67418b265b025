//! The lines of our own output, as they are written; what they mean is decided in `scan_file`.

mod facts;

use serde::Deserialize;

pub use facts::{
    CertificateLine, DeviceLine, EvidenceLine, FindingLine, ServiceLine, SoftwareLine, SystemLine,
    TlsLine,
};

/// One line.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Record {
    Scan(ScanLine),
    Port(PortLine),
    Host(HostLine),
    Summary(SummaryLine),
    Untested(UntestedLine),
    Service(Box<ServiceLine>),
    System(Box<SystemLine>),
    Finding(Box<FindingLine>),
}

/// What was scanned, and how.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ScanLine {
    pub version: String,
    pub mode: String,
    pub reason_for_mode: String,
    /// Not written where every host was scanned.
    #[serde(default)]
    pub scope: Option<String>,
    pub endpoints: u64,
    pub seed: u64,
    pub shard: String,
    #[serde(default)]
    pub missing_shards: Vec<String>,
    pub target_list: Vec<String>,
    pub port_list: String,
    pub show: Vec<String>,
    pub started: String,
}

/// A port that was listed.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct PortLine {
    pub address: String,
    pub port: u16,
    pub state: String,
    pub reason: String,
    pub service: Option<String>,
    pub rtt_us: Option<u64>,
    pub ttl: Option<u8>,
    pub attempts: u16,
    pub time: f64,
    pub name: Option<String>,
}

/// What a host's ports came to.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct HostLine {
    pub address: String,
    pub name: Option<String>,
    pub notes: Vec<String>,
    pub reasons: Vec<ReasonCount>,
    #[serde(default)]
    pub loss: Option<f64>,
    /// Not written where every port was tested.
    #[serde(default)]
    pub error_ports: Option<String>,
}

/// What was not tested before the scan ended.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct UntestedLine {
    pub targets: String,
    pub ports: String,
}

/// Ports of a host that share a state and a reason.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReasonCount {
    pub state: String,
    pub reason: String,
    pub count: u64,
}

/// The figures at the end.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct SummaryLine {
    pub complete: bool,
    pub interrupted: bool,
    pub endpoints: u64,
    pub open: u64,
    pub closed: u64,
    pub filtered: u64,
    pub suspect: u64,
    pub error: u64,
    pub packets_sent: u64,
    pub loss: Option<f64>,
    pub expected_missed: f64,
    pub capture_drops: u64,
    pub strays: u64,
    pub untested: u64,
    pub notes: Vec<String>,
    pub seconds: f64,
}
