//! What is tried on an endpoint, and in which order.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::enrich::dialogue::{Dialogue, Opening};
use crate::enrich::protocols::upgrade::Upgrade;
use crate::enrich::protocols::{self, http, version};
use crate::enrich::tls::hello::Version;
use crate::enrich::tls::{PORTS, session::Offer};

/// One thing to try, on a connection of its own or on one where nothing was said yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Round {
    /// Listen to whatever speaks first.
    Greeting(Patience),
    Ask(&'static Dialogue, Likely),
    Tls(Offer),
    /// A hello for this version of TLS at the most.
    Version(Version),
    /// Ask the protocol to go over to TLS.
    Upgrade(&'static Upgrade),
}

/// How long a greeting is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Patience {
    Short,
    Long,
}

/// Whether the port's number speaks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Likely {
    ByNumber,
    OneOfMany,
}

impl Round {
    /// Whether it can follow on a connection on which the server kept silent and we did too.
    pub fn can_follow_silence(self) -> bool {
        match self {
            Self::Ask(dialogue, _) => matches!(dialogue.opening, Opening::Client(_)),
            Self::Tls(_) => true,
            Self::Greeting(_) | Self::Version(_) | Self::Upgrade(_) => false,
        }
    }

    pub fn asks(self, dialogue: &Dialogue) -> bool {
        matches!(self, Self::Ask(asked, _) if std::ptr::eq(asked, dialogue))
    }
}

/// On a port of which nothing is known but its number.
pub(super) fn plain(port: u16) -> VecDeque<Round> {
    if is_printed(port) {
        return VecDeque::from([Round::Greeting(Patience::Long)]);
    }
    let by_number = |dialogue| Round::Ask(dialogue, Likely::ByNumber);
    let mut agenda = VecDeque::new();
    let tls = Round::Tls(Offer::All);
    let begins_with_tls = PORTS.contains(&port);
    if begins_with_tls {
        agenda.push_back(tls);
    }
    agenda.extend(protocols::likely(port).map(by_number));
    agenda.push_back(Round::Greeting(Patience::Short));
    if !begins_with_tls {
        agenda.push_back(tls);
    }
    ask_further(&mut agenda, |_| true);
    agenda.push_back(Round::Greeting(Patience::Long));
    agenda
}

/// Whether a printer puts on paper whatever is sent to it there (raw printing: IANA's pdl-datastream, and one port more for
/// each further interface of a print server). Such a port is listened to, and nothing is said to it.
pub(super) fn is_printed(port: u16) -> bool {
    PRINTED.contains(&port)
}

/// Inside TLS.
pub(super) fn inner(port: u16) -> VecDeque<Round> {
    let mut agenda: VecDeque<Round> = protocols::likely(port)
        .map(|dialogue| Round::Ask(dialogue, Likely::ByNumber))
        .collect();
    agenda.push_back(Round::Greeting(Patience::Short));
    ask_further(&mut agenda, |dialogue| {
        ["http", "mqtt", "amqp", "ldap", "domain", "redis", "sip"].contains(&dialogue.protocol)
    });
    agenda
}

/// Adds what is not asked yet and waits for us to speak, HTTP first.
fn ask_further(agenda: &mut VecDeque<Round>, wanted: impl Fn(&Dialogue) -> bool) {
    let rest = std::iter::once(&http::DIALOGUE).chain(protocols::ALL);
    for dialogue in rest {
        let speaks = matches!(dialogue.opening, Opening::Client(_));
        let asked = agenda.iter().any(|round| round.asks(dialogue));
        if speaks && !asked && wanted(dialogue) && !std::ptr::eq(dialogue, &version::DIALOGUE) {
            agenda.push_back(Round::Ask(dialogue, Likely::OneOfMany));
        }
    }
}

const PRINTED: RangeInclusive<u16> = 9100..=9107;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(agenda: &VecDeque<Round>) -> Vec<&'static str> {
        agenda
            .iter()
            .map(|round| match round {
                Round::Greeting(_) => "greeting",
                Round::Ask(dialogue, _) => dialogue.protocol,
                Round::Tls(_) => "tls",
                Round::Version(_) => "version",
                Round::Upgrade(_) => "upgrade",
            })
            .collect()
    }

    #[test]
    fn the_number_decides_what_comes_first_and_everything_comes_once() {
        let first = |port, count: usize| names(&plain(port))[..count].to_vec();
        assert_eq!(first(22, 3), ["ssh", "greeting", "tls"]);
        assert_eq!(first(443, 2), ["tls", "http"]);
        assert_eq!(first(7777, 3), ["greeting", "tls", "http"]);
        assert_eq!(names(&inner(993))[0], "imap");
        for port in [22, 80, 443, 7777, 6379] {
            let mut all = names(&plain(port));
            all.retain(|name| *name != "greeting");
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{port}");
        }
    }
}
