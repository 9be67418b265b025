//! What is known of what is behind a port: the software that answered, the system and the device it runs on, and the
//! published vulnerabilities that its version may have. Every statement carries what it was concluded from.
//!
//! All text in here came from a server, from a rule or from a feed: it is bounded where it is made, never escaped, and
//! each report escapes it by its own rules.

mod names;

use std::borrow::Cow;
use std::time::SystemTime;

use crate::model::{Address, Endpoint};

/// What one open port serves.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    pub endpoint: Endpoint,
    /// The application protocol, by its usual short name: `ssh`, `http`, `mysql`. `None` where nothing was recognised and
    /// nothing is registered.
    pub protocol: Option<String>,
    pub basis: Basis,
    /// What was negotiated, where the protocol is spoken inside TLS.
    pub tls: Option<Tls>,
    /// Most specific first.
    pub software: Vec<Software>,
    /// Further facts in the order in which they are told: `title`, `redirect`, `auth`...
    pub details: Vec<Detail>,
    /// The first bytes that the server said, at most 256 of them.
    pub greeting: Vec<u8>,
}

/// Where the name of a protocol came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Basis {
    /// The port's number alone; the server said nothing that was recognised.
    ByNumber,
    /// What the server said.
    ByAnswer,
}

/// A named fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detail {
    pub name: Cow<'static, str>,
    pub value: String,
}

/// A piece of software, a system or a device, as a rule concluded it from something that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Software {
    pub part: Part,
    pub vendor: Option<String>,
    /// Family or product: `OpenSSH`, `Linux`, `LaserJet`.
    pub product: String,
    pub version: Option<String>,
    /// A distribution's own revision of it, as told: `Debian-2+deb12u3`.
    pub revision: Option<String>,
    /// CPE 2.3 formatted string.
    pub cpe: Option<String>,
    pub evidence: Evidence,
}

/// What a piece is; the letters are those of a CPE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Part {
    /// `a`
    Application,
    /// `o`
    System,
    /// `h`
    Hardware,
}

/// What something was concluded from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The rule that concluded it: `ssh.openssh`, `tcp.signature`, `oui`.
    pub rule: String,
    /// What it looked at, at most 256 bytes: `OpenSSH_9.2p1 Debian-2+deb12u3`.
    pub text: String,
}

/// A TLS session, as the server was willing to have it. Nothing was verified before it was accepted.
#[derive(Clone, PartialEq, Debug)]
pub struct Tls {
    pub begun: Begun,
    /// Least and highest version that the server accepted: `TLS 1.0`, `TLS 1.3`.
    pub least: Option<Cow<'static, str>>,
    pub most: Option<Cow<'static, str>>,
    /// What was chosen of the application protocols that we offered.
    pub alpn: Option<String>,
    pub certificate: Option<Certificate>,
}

/// When TLS begins on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Begun {
    /// Before anything else is said.
    #[default]
    AtOnce,
    /// In the middle, where the client asks for it (STARTTLS). Which versions the server accepts at the least is not asked then.
    OnRequest,
}

/// The server's certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    /// DNS names and addresses of the subject's alternative names.
    pub names: Vec<String>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    pub validity: Validity,
    pub trust: Trust,
    /// SHA-256 of its DER form.
    pub sha256: [u8; 32],
}

/// Whether a certificate was valid when the scan saw it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Validity {
    Valid,
    Expired,
    NotYetValid,
}

/// Whether a certificate leads to an authority that this machine trusts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trust {
    Trusted,
    SelfSigned,
    UnknownIssuer,
    /// This machine has no list of authorities to judge by.
    NotJudged,
}

/// What a host seems to run, the likeliest first; none where nothing is known.
#[derive(Clone, PartialEq, Debug)]
pub struct System {
    pub address: Address,
    pub candidates: Vec<Candidate>,
    /// Signatures of its SYN-ACKs in p0f's notation, each once.
    pub signatures: Vec<String>,
    /// Its device, where it is on the link.
    pub hardware: Option<Hardware>,
}

/// One system that a host may run.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    pub system: Software,
    /// Everything else that speaks for it.
    pub further: Vec<Evidence>,
    /// 0 to 1, by how much the evidence can tell apart; candidates need not add up to 1.
    pub weight: f64,
}

/// The network interface of a host on the link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hardware {
    pub mac: [u8; 6],
    pub registered: Registered,
}

/// Whose a MAC address is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Registered {
    /// To this organisation, by the registry of this date (`2026-10-17`).
    To { organisation: String, dated: String },
    /// Somebody chose it on the spot (virtual machines, privacy addresses).
    Locally,
    /// The registry of this date does not know it.
    Unknown { dated: String },
}

/// A published vulnerability that a piece of software may have.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    pub endpoint: Endpoint,
    /// `CVE-2024-6387`
    pub id: String,
    pub judgement: Judgement,
    /// What was matched: the software's CPE, or its name and version.
    pub software: String,
    /// The range or entry of the feed that it fell into, in words.
    pub rule: String,
    /// What the software was concluded from.
    pub evidence: Evidence,
    /// It is in CISA's catalogue of exploited vulnerabilities.
    pub exploited: Exploited,
    /// Chance of exploitation within 30 days, 0 to 1, by EPSS.
    pub epss: Option<f64>,
    /// CVSS base score, 0 to 10.
    pub score: Option<f64>,
    /// The feed and its date: `nvd 2026-11-20`.
    pub source: String,
}

/// How sure a match is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Judgement {
    /// Version and product fall into a range, and nothing speaks against it.
    Likely,
    /// The product fits; the version is not known well enough, or a distribution may have mended it.
    Possible,
    /// The feed says nothing that could be compared.
    Unknown,
    /// The distribution's own revision contains the fix.
    FixedByDistribution,
}

/// Whether exploitation is on record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Exploited {
    Known,
    NotOnRecord,
}

impl Software {
    /// Product and version as they are read: `OpenSSH 9.2p1`; of a system its maker too, because `Linux 12` is none:
    /// `Debian Linux 12`.
    pub fn title(&self) -> String {
        let maker = self
            .vendor
            .as_deref()
            .filter(|vendor| self.part == Part::System && !self.product.starts_with(*vendor));
        let words = [maker, Some(&*self.product), self.version.as_deref()];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        words.join(" ")
    }
}

impl Service {
    /// Whether everything is spoken inside TLS.
    pub fn is_inside_tls(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.begun == Begun::AtOnce)
    }

    /// The application that the port is about, where one was recognised.
    pub fn application(&self) -> Option<&Software> {
        self.software
            .iter()
            .find(|piece| piece.part == Part::Application)
    }
}

impl Hardware {
    /// `52:54:00:12:34:56`
    pub fn mac_text(&self) -> String {
        let pairs: Vec<String> = self.mac.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(":")
    }
}
