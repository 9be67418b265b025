//! The part of an interview that asks a protocol to go over to TLS, for the sake of the certificate.

use super::agenda::Round;
use super::conversation::Conversation;
use super::secured::Seen;
use super::{Action, Interview};
use crate::enrich::dialogue::End;
use crate::enrich::protocols::upgrade::{self, Heard, Step, Upgrade};
use crate::enrich::tls::hello::Version;
use crate::enrich::tls::session::Offer;
use crate::model::Time;
use crate::model::facts::Begun;

impl Interview {
    /// Plans it for what was recognised, where it has a way and nothing was said of TLS yet.
    pub(super) fn plan_upgrade(&mut self, protocol: &str) {
        let is_plain = self.tls.is_none() && self.within.is_none() && self.client.is_some();
        let planned = self
            .agenda
            .iter()
            .any(|round| matches!(round, Round::Upgrade(_)));
        if let Some(upgrade) = upgrade::of(protocol).filter(|_| is_plain && !planned) {
            self.agenda.push_back(Round::Upgrade(upgrade));
        }
    }

    /// What was recognised by its greeting alone goes over to TLS on the same connection: databases count those that end
    /// before anybody has logged in, and shut out whoever makes too many.
    pub(super) fn upgrade_or_go_on(&mut self, conversation: Conversation, now: Time) -> Action {
        let Some(Round::Upgrade(upgrade)) = self.agenda.front().copied() else {
            return self.go_on();
        };
        self.agenda.pop_front();
        self.current = Round::Upgrade(upgrade);
        self.conversation = Some(conversation);
        self.judge_upgrade(upgrade, End::Open, now)
    }

    /// What the server said to it.
    pub(super) fn judge_upgrade(&mut self, upgrade: &Upgrade, end: End, now: Time) -> Action {
        let Some(conversation) = &mut self.conversation else {
            return self.go_on();
        };
        let step = (upgrade.hear)(&Heard {
            bytes: &conversation.said,
            spoken: conversation.answers,
        });
        match step {
            Step::Say(bytes) if end == End::Open && conversation.answers < MOST_WORDS => {
                conversation.answers += 1;
                conversation.say(&bytes);
            }
            Step::More if end == End::Open => {}
            Step::Begin(bytes) if end == End::Open => {
                conversation.say(&bytes);
                match self.session(Offer::Nothing) {
                    Some(session) => {
                        if let Some(conversation) = &mut self.conversation {
                            conversation.wrap(session);
                        }
                    }
                    None => return self.go_on(),
                }
            }
            _ => return self.go_on(),
        }
        let wait = self.wait(super::LIKELY_ANSWER);
        if let Some(conversation) = &mut self.conversation {
            conversation.listen(now, wait);
        }
        self.act()
    }

    /// The session is there. What else the server would accept is not known.
    pub(super) fn upgraded(&mut self, version: Option<Version>, certificates: Vec<Vec<u8>>) {
        self.tls = Some(Seen {
            begun: Begun::OnRequest,
            most: version,
            certificates,
            ..Seen::default()
        });
    }
}

/// No protocol takes more.
const MOST_WORDS: u8 = 3;
