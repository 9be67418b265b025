//! The part of an interview that TLS makes: a session that is established changes what is asked from then on, and single
//! versions are asked for by hellos of our own.

use std::collections::VecDeque;

use super::agenda::{self, Round};
use super::conversation::{Conversation, Layer};
use super::{Action, Interview};
use crate::enrich::dialogue::End;
use crate::enrich::tls::hello::{self, Answer, Version};
use crate::enrich::tls::session::{Broken, Offer};
use crate::model::Time;
use crate::model::facts::Begun;

/// What was seen of TLS.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    pub begun: Begun,
    pub least: Option<Version>,
    pub most: Option<Version>,
    pub alpn: Option<String>,
    pub certificates: Vec<Vec<u8>>,
}

impl Interview {
    /// A session of TLS was established: the first one changes what is asked from now on.
    pub(super) fn established(&mut self, now: Time) -> Action {
        let Some(Conversation {
            layer: Layer::Tls(session),
            said,
            ..
        }) = &self.conversation
        else {
            return self.go_on();
        };
        if let Round::Upgrade(_) = self.current {
            self.upgraded(session.version(), session.certificates());
            return self.go_on();
        }
        let said = !said.is_empty();
        let Round::Tls(offer) = self.current else {
            let action = self.open(now);
            return if said {
                self.judge(End::Open, now)
            } else {
                action
            };
        };
        let (version, protocol) = (session.version(), session.protocol());
        let seen = self.tls.get_or_insert_default();
        seen.accepted(version);
        seen.certificates = session.certificates();
        let http2 = protocol.as_deref() == Some("h2");
        seen.alpn = protocol;
        self.within = Some(if http2 { Offer::Http1 } else { offer });
        self.asked.clear();
        self.hint = None;
        self.agenda = agenda::inner(self.subject.endpoint.port);
        self.agenda.push_back(Round::Version(Version::TLS_1_0));
        if http2 {
            return self.go_on();
        }
        let Some(first) = self.agenda.pop_front() else {
            return self.go_on();
        };
        self.current = first;
        let action = self.open(now);
        if said {
            self.judge(End::Open, now)
        } else {
            action
        }
    }

    /// No session came about.
    pub(super) fn not_established(&mut self, broken: Broken) -> Action {
        let raw = self
            .conversation
            .take()
            .map(|conversation| conversation.raw)
            .unwrap_or_default();
        let Round::Tls(offer) = self.current else {
            return self.go_on();
        };
        match (broken, hello::read(&raw)) {
            (Broken::NoProtocol, _) if offer != Offer::Nothing => {
                self.agenda.push_front(Round::Tls(Offer::Nothing));
            }
            (Broken::NoProtocol | Broken::Refused, _)
            | (Broken::Other, Answer::Refused | Answer::Accepted { .. }) => {
                // It speaks TLS, only none that the library speaks.
                self.tls.get_or_insert_default();
                self.agenda = VecDeque::from([
                    Round::Version(Version::TLS_1_2),
                    Round::Version(Version::TLS_1_0),
                ]);
            }
            (Broken::Other, _) => self.look_for_hints(&raw),
        }
        self.go_on()
    }

    pub(super) fn told_version(&mut self, asked: Version, end: End) -> Action {
        let said = self
            .conversation
            .as_ref()
            .map(|conversation| conversation.said.as_slice());
        let answer = hello::read(said.unwrap_or_default());
        let seen = self.tls.get_or_insert_default();
        let without_certificate = seen.certificates.is_empty();
        match answer {
            Answer::Accepted {
                end: hello::End::MoreMayCome,
                ..
            } if without_certificate && end == End::Open => {
                return self.act();
            }
            Answer::More if end == End::Open => return self.act(),
            Answer::Accepted {
                version,
                certificates,
                ..
            } => {
                seen.accepted(Some(version));
                if without_certificate {
                    seen.certificates = certificates;
                }
                if asked == Version::TLS_1_0 && version == Version::TLS_1_0 {
                    self.agenda.push_front(Round::Version(Version::SSL_3_0));
                }
            }
            Answer::Refused | Answer::Other | Answer::More => {
                let newer = match asked {
                    Version::TLS_1_0 => Some(Version::TLS_1_1),
                    Version::TLS_1_1 => Some(Version::TLS_1_2),
                    _ => None,
                };
                let known = |version: Version| seen.least.is_some_and(|least| least <= version);
                if let Some(newer) = newer.filter(|newer| !known(*newer)) {
                    self.agenda.push_front(Round::Version(newer));
                }
            }
        }
        self.go_on()
    }
}

impl Seen {
    fn accepted(&mut self, version: Option<Version>) {
        self.least = self.least.into_iter().chain(version).min();
        self.most = self.most.into_iter().chain(version).max();
    }
}
