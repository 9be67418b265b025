//! What the lines of services, systems and findings mean; and what several parts of a scan say of one host.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::model::Address;
use crate::model::Endpoint;
use crate::model::facts::{
    Basis, Begun, Candidate, Certificate, Detail, Evidence, Exploited, Finding, Hardware,
    Judgement, Part, Registered, Service, Software, System, Tls, Trust, Validity,
};
use crate::plan::quote;
use crate::report::civil::parse_rfc3339;
use crate::report::escape::undone;
use crate::results::record::{
    CertificateLine, DeviceLine, EvidenceLine, FindingLine, ServiceLine, SoftwareLine, SystemLine,
    TlsLine,
};

/// What a line says that this endpoint serves.
///
/// # Errors
/// What no scan can have written.
pub fn service(line: ServiceLine, endpoint: Endpoint) -> Result<Service, String> {
    let software: Result<Vec<Software>, String> = line.software.into_iter().map(software).collect();
    let details = line.details.into_iter().map(|(name, value)| Detail {
        name: name.into(),
        value,
    });
    Ok(Service {
        endpoint,
        protocol: line.protocol,
        basis: word(&line.basis, Basis::named)?,
        tls: line.tls.map(tls).transpose()?,
        software: software?,
        details: details.collect(),
        greeting: undone(&line.greeting),
    })
}

/// What a line says that this host seems to run.
///
/// # Errors
/// What no scan can have written.
pub fn system(line: SystemLine, address: Address) -> Result<System, String> {
    let candidates: Result<Vec<Candidate>, String> =
        line.candidates.into_iter().map(candidate).collect();
    Ok(System {
        address,
        candidates: candidates?,
        signatures: line.signatures,
        hardware: line.hardware.map(hardware).transpose()?,
    })
}

/// What a line says that the software of this endpoint may have.
///
/// # Errors
/// What no scan can have written.
pub fn finding(line: FindingLine, endpoint: Endpoint) -> Result<Finding, String> {
    Ok(Finding {
        endpoint,
        id: line.id,
        judgement: word(&line.judgement, Judgement::named)?,
        software: line.software,
        rule: line.rule,
        evidence: evidence(line.evidence),
        exploited: word(&line.exploited, Exploited::named)?,
        epss: within(line.epss, 1.0)?,
        score: within(line.score, 10.0)?,
        source: line.source,
    })
}

/// Adds what another part of the scan says of the same host: each candidate once, with the evidence of both.
pub fn unite(into: &mut System, other: System) {
    for candidate in other.candidates {
        let same = into.candidates.iter_mut().find(|known| {
            known.system.title() == candidate.system.title()
                && known.system.cpe == candidate.system.cpe
        });
        match same {
            Some(known) => agree(known, candidate),
            None => into.candidates.push(candidate),
        }
    }
    // Stable: what is equally likely stays in the order of the parts.
    into.candidates
        .sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let known: BTreeSet<String> = into.signatures.iter().cloned().collect();
    let more = other.signatures.into_iter();
    into.signatures
        .extend(more.filter(|signature| !known.contains(signature)));
    into.hardware = into.hardware.take().or(other.hardware);
}

fn agree(known: &mut Candidate, other: Candidate) {
    known.weight = known.weight.max(other.weight);
    for evidence in std::iter::once(other.system.evidence).chain(other.further) {
        if known.system.evidence != evidence && !known.further.contains(&evidence) {
            known.further.push(evidence);
        }
    }
}

fn candidate(mut line: SoftwareLine) -> Result<Candidate, String> {
    let weight = within(Some(line.weight), 1.0)?.unwrap_or_default();
    let further = std::mem::take(&mut line.further);
    Ok(Candidate {
        system: software(line)?,
        further: further.into_iter().map(evidence).collect(),
        weight,
    })
}

fn software(line: SoftwareLine) -> Result<Software, String> {
    Ok(Software {
        part: word(&line.part, Part::named)?,
        vendor: line.vendor,
        product: line.product,
        version: line.version,
        revision: line.revision,
        cpe: line.cpe,
        evidence: evidence(line.evidence),
    })
}

fn evidence(line: EvidenceLine) -> Evidence {
    Evidence {
        rule: line.rule,
        text: line.text,
    }
}

fn tls(line: TlsLine) -> Result<Tls, String> {
    let begun = line.begun.map(|text| word(&text, Begun::named));
    Ok(Tls {
        begun: begun.transpose()?.unwrap_or_default(),
        least: line.least.map(Into::into),
        most: line.most.map(Into::into),
        alpn: line.alpn,
        certificate: line.certificate.map(certificate).transpose()?,
    })
}

fn certificate(line: CertificateLine) -> Result<Certificate, String> {
    Ok(Certificate {
        not_before: moment(&line.not_before)?,
        not_after: moment(&line.not_after)?,
        validity: word(&line.validity, Validity::named)?,
        trust: word(&line.trust, Trust::named)?,
        sha256: hexadecimal(&line.sha256, "")
            .ok_or_else(|| format!("{} is no SHA-256", quote(&line.sha256)))?,
        subject: line.subject,
        issuer: line.issuer,
        names: line.names,
    })
}

fn hardware(line: DeviceLine) -> Result<Hardware, String> {
    let registered = match (&*line.registered, line.organisation, line.dated) {
        ("to an organisation", Some(organisation), Some(dated)) => Registered::To {
            organisation,
            dated,
        },
        ("locally", None, None) => Registered::Locally,
        ("unknown", None, Some(dated)) => Registered::Unknown { dated },
        _ => return Err("hardware that is registered in no known way".to_owned()),
    };
    let mac = hexadecimal(&line.mac, ":")
        .ok_or_else(|| format!("{} is no MAC address", quote(&line.mac)))?;
    Ok(Hardware { mac, registered })
}

fn moment(text: &str) -> Result<SystemTime, String> {
    parse_rfc3339(text).ok_or_else(|| format!("{} is no moment", quote(text)))
}

fn word<T>(text: &str, named: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    named(text).ok_or_else(|| format!("unknown word {}", quote(text)))
}

fn within(number: Option<f64>, most: f64) -> Result<Option<f64>, String> {
    match number {
        Some(number) if !(0.0..=most).contains(&number) => {
            Err(format!("{number} is not within 0 and {most}"))
        }
        number => Ok(number),
    }
}

/// `0a:1b`, two digits for each byte.
fn hexadecimal<const N: usize>(text: &str, between: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut rest = text;
    for (at, byte) in bytes.iter_mut().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(between)?;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
        rest = after;
    }
    rest.is_empty().then_some(bytes)
}
