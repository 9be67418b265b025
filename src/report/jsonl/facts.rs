//! Objects of the types `service`, `system` and `finding`.
//!
//! ```text
//! {"type":"service","address":..,"port":443,"protocol":"http","basis":"by answer","tls":{..},"software":[..],"details":{..},"greeting":..}
//! {"type":"system","address":..,"candidates":[..],"signatures":[..],"hardware":{..}}
//! {"type":"finding","address":..,"port":22,"id":"CVE-..","judgement":"likely","software":..,"rule":..,"evidence":{..},"exploited":..,"epss":..,"score":..,"source":..}
//! ```
//!
//! `basis` is `by answer` or `by number`; `tls` is null where it is not spoken; bytes of `greeting` that are no UTF-8 are
//! written `\xNN`; `weight` and `epss` are 0 to 1, `score` is 0 to 10.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::object;
use crate::model::facts::{
    Candidate, Certificate, Evidence, Finding, Hardware, Registered, Service, Software, System, Tls,
};
use crate::report::civil::rfc3339;
use crate::report::escape::terminal_bytes;
use crate::report::names::Names;

pub(super) fn service(service: &Service, names: &Names, out: &mut dyn io::Write) -> io::Result<()> {
    let software: Vec<Piece<'_>> = service.software.iter().map(Piece::from).collect();
    let mut details = BTreeMap::new();
    for detail in &service.details {
        details
            .entry(&*detail.name)
            .or_insert(detail.value.as_str());
    }
    object(out, "service", |map| {
        map.serialize_entry("address", &names.address(&service.endpoint.address))?;
        map.serialize_entry("port", &service.endpoint.port)?;
        map.serialize_entry("protocol", &service.protocol)?;
        map.serialize_entry("basis", service.basis.name())?;
        map.serialize_entry("tls", &service.tls.as_ref().map(Session::from))?;
        map.serialize_entry("software", &software)?;
        map.serialize_entry("details", &details)?;
        map.serialize_entry("greeting", &terminal_bytes(&service.greeting))
    })
}

pub(super) fn system(system: &System, names: &Names, out: &mut dyn io::Write) -> io::Result<()> {
    let candidates: Vec<Likely<'_>> = system.candidates.iter().map(Likely::from).collect();
    object(out, "system", |map| {
        map.serialize_entry("address", &names.address(&system.address))?;
        map.serialize_entry("candidates", &candidates)?;
        map.serialize_entry("signatures", &system.signatures)?;
        map.serialize_entry("hardware", &system.hardware.as_ref().map(Device::from))
    })
}

pub(super) fn finding(finding: &Finding, names: &Names, out: &mut dyn io::Write) -> io::Result<()> {
    object(out, "finding", |map| {
        map.serialize_entry("address", &names.address(&finding.endpoint.address))?;
        map.serialize_entry("port", &finding.endpoint.port)?;
        map.serialize_entry("id", &finding.id)?;
        map.serialize_entry("judgement", finding.judgement.name())?;
        map.serialize_entry("software", &finding.software)?;
        map.serialize_entry("rule", &finding.rule)?;
        map.serialize_entry("evidence", &Proof::from(&finding.evidence))?;
        map.serialize_entry("exploited", finding.exploited.name())?;
        map.serialize_entry("epss", &finding.epss)?;
        map.serialize_entry("score", &finding.score)?;
        map.serialize_entry("source", &finding.source)
    })
}

#[derive(Serialize)]
struct Proof<'a> {
    rule: &'a str,
    text: &'a str,
}

impl<'a> From<&'a Evidence> for Proof<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        Self {
            rule: &evidence.rule,
            text: &evidence.text,
        }
    }
}

#[derive(Serialize)]
struct Piece<'a> {
    part: &'static str,
    vendor: Option<&'a str>,
    product: &'a str,
    version: Option<&'a str>,
    revision: Option<&'a str>,
    cpe: Option<&'a str>,
    evidence: Proof<'a>,
}

impl<'a> From<&'a Software> for Piece<'a> {
    fn from(piece: &'a Software) -> Self {
        Self {
            part: piece.part.name(),
            vendor: piece.vendor.as_deref(),
            product: &piece.product,
            version: piece.version.as_deref(),
            revision: piece.revision.as_deref(),
            cpe: piece.cpe.as_deref(),
            evidence: Proof::from(&piece.evidence),
        }
    }
}

#[derive(Serialize)]
struct Session<'a> {
    begun: &'static str,
    least: Option<&'a str>,
    most: Option<&'a str>,
    alpn: Option<&'a str>,
    certificate: Option<Shown<'a>>,
}

impl<'a> From<&'a Tls> for Session<'a> {
    fn from(tls: &'a Tls) -> Self {
        Self {
            begun: tls.begun.name(),
            least: tls.least.as_deref(),
            most: tls.most.as_deref(),
            alpn: tls.alpn.as_deref(),
            certificate: tls.certificate.as_ref().map(Shown::from),
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    subject: &'a str,
    issuer: &'a str,
    names: &'a [String],
    not_before: String,
    not_after: String,
    validity: &'static str,
    trust: &'static str,
    sha256: String,
}

impl<'a> From<&'a Certificate> for Shown<'a> {
    fn from(certificate: &'a Certificate) -> Self {
        Self {
            subject: &certificate.subject,
            issuer: &certificate.issuer,
            names: &certificate.names,
            not_before: rfc3339(certificate.not_before),
            not_after: rfc3339(certificate.not_after),
            validity: certificate.validity.name(),
            trust: certificate.trust.name(),
            sha256: certificate
                .sha256
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Likely<'a> {
    #[serde(flatten)]
    system: Piece<'a>,
    weight: f64,
    further: Vec<Proof<'a>>,
}

impl<'a> From<&'a Candidate> for Likely<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        Self {
            system: Piece::from(&candidate.system),
            weight: candidate.weight,
            further: candidate.further.iter().map(Proof::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct Device<'a> {
    mac: String,
    registered: &'static str,
    organisation: Option<&'a str>,
    dated: Option<&'a str>,
}

impl<'a> From<&'a Hardware> for Device<'a> {
    fn from(hardware: &'a Hardware) -> Self {
        let (registered, organisation, dated) = match &hardware.registered {
            Registered::To {
                organisation,
                dated,
            } => (
                "to an organisation",
                Some(organisation.as_str()),
                Some(dated.as_str()),
            ),
            Registered::Locally => ("locally", None, None),
            Registered::Unknown { dated } => ("unknown", None, Some(dated.as_str())),
        };
        Self {
            mac: hardware.mac_text(),
            registered,
            organisation,
            dated,
        }
    }
}
