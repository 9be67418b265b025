//! What an interview comes to: facts, by what the protocol itself named and by the rules.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use super::secured::Seen;
use super::{Interview, agenda};
use crate::enrich::dialogue::{Dialogue, Recognised};
use crate::enrich::rules::Rules;
use crate::enrich::tls::certificate::{self, Authorities};
use crate::model::facts::{Basis, Service, Software, Tls};

/// What facts are concluded with.
#[derive(Debug)]
pub struct Guide {
    pub rules: Arc<Rules>,
    pub authorities: Authorities,
    /// The moment of the scan, by which certificates are judged.
    pub now: SystemTime,
}

impl Interview {
    /// What is known now.
    pub fn conclude(self, guide: &Guide) -> Service {
        let Self {
            subject,
            known,
            hint,
            greeting,
            tls,
            ..
        } = self;
        let spoken = known.or(hint);
        let (protocol, basis) = match (&spoken, &tls) {
            (Some(recognised), _) => (Some(recognised.protocol.to_owned()), Basis::ByAnswer),
            (None, Some(_)) => (Some("tls".to_owned()), Basis::ByAnswer),
            (None, None) => (subject.registered, Basis::ByNumber),
        };
        let mut recognised = spoken.unwrap_or_else(|| Recognised::new(""));
        if basis == Basis::ByNumber && agenda::is_printed(subject.endpoint.port) {
            recognised = recognised.detail("not_asked", "printers print what is sent to this port");
        }
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
pub(super) fn joined(
    known: Option<Recognised>,
    more: Recognised,
) -> (Recognised, Option<&'static Dialogue>) {
    let mut joined = match known {
        None => more,
        Some(known) => Recognised {
            protocol: more.protocol,
            details: [known.details, more.details].concat(),
            texts: [more.texts, known.texts].concat(),
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
    wanted
        .iter()
        .any(|sentence| said.windows(sentence.len()).any(|part| part == *sentence))
}

fn session(seen: &Seen, guide: &Guide) -> Tls {
    Tls {
        begun: seen.begun,
        least: seen
            .least
            .and_then(|version| version.name())
            .map(Cow::Borrowed),
        most: seen
            .most
            .and_then(|version| version.name())
            .map(Cow::Borrowed),
        alpn: seen.alpn.clone(),
        certificate: certificate::read(&seen.certificates, &guide.authorities, guide.now),
    }
}

/// What rules conclude from the texts, each piece once.
fn software(recognised: &Recognised, rules: &Rules) -> Vec<Software> {
    let told = recognised
        .texts
        .iter()
        .flat_map(|text| rules.software(text.kind, &text.text));
    let mut pieces: Vec<Software> = Vec::new();
    for piece in told {
        let same = |other: &Software| {
            other.part == piece.part && other.product.eq_ignore_ascii_case(&piece.product)
        };
        match pieces.iter().position(same) {
            // The one that knows the version says more.
            Some(at) if pieces[at].version.is_none() && piece.version.is_some() => {
                pieces[at] = piece
            }
            Some(_) => {}
            None if pieces.len() < MOST_PIECES => pieces.push(piece),
            None => {}
        }
    }
    pieces.sort_by_key(|piece| piece.part);
    pieces
}

const MOST_PIECES: usize = 8;
