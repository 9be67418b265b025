//! The lines of what was found out about services and hosts.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What an open port serves.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ServiceLine {
    pub address: String,
    pub port: u16,
    pub protocol: Option<String>,
    pub basis: String,
    pub tls: Option<TlsLine>,
    pub software: Vec<SoftwareLine>,
    pub details: BTreeMap<String, String>,
    pub greeting: String,
}

/// A TLS session.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct TlsLine {
    /// Not written by versions that only knew `at once`.
    #[serde(default)]
    pub begun: Option<String>,
    pub least: Option<String>,
    pub most: Option<String>,
    pub alpn: Option<String>,
    pub certificate: Option<CertificateLine>,
}

/// A server's certificate.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct CertificateLine {
    pub subject: String,
    pub issuer: String,
    pub names: Vec<String>,
    pub not_before: String,
    pub not_after: String,
    pub validity: String,
    pub trust: String,
    pub sha256: String,
}

/// A piece of software, a system or a device; of a candidate for a host's system also how much speaks for it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct SoftwareLine {
    pub part: String,
    pub vendor: Option<String>,
    pub product: String,
    pub version: Option<String>,
    pub revision: Option<String>,
    pub cpe: Option<String>,
    pub evidence: EvidenceLine,
    #[serde(default)]
    pub weight: f64,
    #[serde(default)]
    pub further: Vec<EvidenceLine>,
}

/// What something was concluded from.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct EvidenceLine {
    pub rule: String,
    pub text: String,
}

/// What a host seems to run.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct SystemLine {
    pub address: String,
    pub candidates: Vec<SoftwareLine>,
    pub signatures: Vec<String>,
    pub hardware: Option<DeviceLine>,
}

/// The network interface of a host.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct DeviceLine {
    pub mac: String,
    pub registered: String,
    pub organisation: Option<String>,
    pub dated: Option<String>,
}

/// A vulnerability that a service may have.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct FindingLine {
    pub address: String,
    pub port: u16,
    pub id: String,
    pub judgement: String,
    pub software: String,
    pub rule: String,
    pub evidence: EvidenceLine,
    pub exploited: String,
    pub epss: Option<f64>,
    pub score: Option<f64>,
    pub source: String,
}
