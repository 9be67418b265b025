//! What an interview comes to: facts, by what the protocol itself named and by the rules.

use std::time::SystemTime;

use super::Interview;
use super::secured::Seen;
use crate::enrich::cpe::{Cpe, Value};
use crate::enrich::dialogue::{Dialogue, Recognised};
use crate::enrich::rules::Rules;
use crate::enrich::tls::certificate::{self, Authorities};
use crate::model::facts::{Basis, Part, Service, Software, Tls};

/// What facts are concluded with.
#[derive(Debug)]
pub struct Guide {
    pub rules: Rules,
    pub authorities: Authorities,
    /// The moment of the scan, by which certificates are judged.
    pub now: SystemTime,
}

impl Interview {
    /// What is known now.
    pub fn conclude(self, guide: &Guide) -> Service {
        let Self { subject, known, hint, greeting, tls, .. } = self;
        let spoken = known.or(hint);
        let (protocol, basis) = match (&spoken, &tls) {
            (Some(recognised), _) => (Some(recognised.protocol.to_owned()), Basis::ByAnswer),
            (None, Some(_)) => (Some("tls".to_owned()), Basis::ByAnswer),
            (None, None) => (subject.registered, Basis::ByNumber),
        };
        let recognised = spoken.unwrap_or_else(|| Recognised::new(""));
        Service {
            endpoint: subject.endpoint,
            protocol,
            basis,
            tls: tls.map(|seen| session(&seen, guide)),
            software: software(&recognised, &guide.rules),
            details: recognised.details,
            greeting,
        }
    }
}

/// What is known, with what was asked for to know it better, and what else can be asked.
pub(super) fn joined(known: Option<Recognised>, more: Recognised) -> (Recognised, Option<&'static Dialogue>) {
    let mut joined = match known {
        None => more,
        Some(known) => Recognised {
            protocol: more.protocol,
            details: [known.details, more.details].concat(),
            software: [more.software, known.software].concat(),
            texts: [known.texts, more.texts].concat(),
            further: more.further,
        },
    };
    let further = joined.further.take();
    (joined, further)
}

/// Whether a web server says that it is spoken to without the TLS that it wants.
pub(super) fn speaks_of_tls(said: &[u8]) -> bool {
    let wanted: [&[u8]; 4] = [
        b"HTTP request was sent to HTTPS",
        b"speaking plain HTTP to an SSL-enabled",
        b"sent an HTTP request to an HTTPS server",
        b"This combination of host and port requires TLS",
    ];
    wanted.iter().any(|sentence| said.windows(sentence.len()).any(|part| part == *sentence))
}

fn session(seen: &Seen, guide: &Guide) -> Tls {
    Tls {
        least: seen.least.and_then(|version| version.name()),
        most: seen.most.and_then(|version| version.name()),
        alpn: seen.alpn.clone(),
        certificate: certificate::read(&seen.certificates, &guide.authorities, guide.now),
    }
}

/// What rules conclude from the texts, and what the protocol named itself, each piece once.
fn software(recognised: &Recognised, rules: &Rules) -> Vec<Software> {
    let told = recognised.texts.iter().flat_map(|text| rules.software(text.kind, &text.text));
    let named = recognised.software.iter().cloned().map(with_cpe);
    let mut pieces: Vec<Software> = Vec::new();
    for piece in told.chain(named) {
        let same = |other: &Software| other.part == piece.part && other.product.eq_ignore_ascii_case(&piece.product);
        match pieces.iter().position(same) {
            // The one that knows the version says more.
            Some(at) if pieces[at].version.is_none() && piece.version.is_some() => pieces[at] = piece,
            Some(_) => {}
            None if pieces.len() < MOST_PIECES => pieces.push(piece),
            None => {}
        }
    }
    pieces.sort_by_key(|piece| piece.part);
    pieces
}

/// A name by CPE, where the protocol named all that it takes.
fn with_cpe(piece: Software) -> Software {
    let Some(vendor) = piece.vendor.as_deref().filter(|_| piece.part == Part::Application && piece.cpe.is_none()) else {
        return piece;
    };
    let product = match piece.product.as_str() {
        "RabbitMQ" => "rabbitmq",
        "NATS Server" => "nats-server",
        "Docker Engine" => "docker",
        other => other,
    };
    let mut cpe = Cpe::new(Part::Application, Value::told(vendor), Value::told(product));
    if let Some(version) = &piece.version {
        cpe.version = Value::told(version);
    }
    Software { cpe: Some(cpe.to_string()), ..piece }
}

const MOST_PIECES: usize = 8;
