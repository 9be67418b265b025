//! What one open endpoint serves, found out over as few connections as it takes.
//!
//! A state machine without a socket or a clock: the caller tells what [happened](Happened) and does what it is
//! [told](Action), until it is told that this is all. Bounded whatever the server does: each connection ends after six
//! seconds, at most [`MOST_CONNECTIONS`] are made one after the other, and 4 KiB are kept of what was said on each. The
//! caller ends the whole by [`Happened::OutOfTime`].

mod agenda;
mod conclusion;
mod conversation;
mod hints;
mod secured;
mod upgraded;

pub use conclusion::Guide;

use std::collections::VecDeque;
use std::time::Duration;

use self::agenda::{Likely, Patience, Round};
use self::conversation::{Conversation, Layer, Took};
use self::hints::greeted;
use self::secured::Seen;
use crate::enrich::dialogue::{
    Circumstances, Dialogue, End, Heard, KEPT, Opening, Recognised, Said,
};
use crate::enrich::tls::hello;
use crate::enrich::tls::session::{Broken, Client, Offer, Session};
use crate::model::{Endpoint, Time};

/// What is known before anything was asked.
#[derive(Clone, Debug)]
pub struct Subject {
    pub endpoint: Endpoint,
    /// The name by which the host was given, or its address.
    pub host: String,
    /// Round-trip time, where the scan measured it.
    pub rtt: Option<Duration>,
    /// The service registered for the port.
    pub registered: Option<String>,
    /// Not to be guessed by the server.
    pub random: u64,
}

/// What happened since the last action.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// Nothing yet: the first call.
    Start,
    Connected,
    /// The connection could not be made.
    Refused,
    Sent,
    Received(&'a [u8]),
    /// The time to listen is over.
    Silence,
    Closed,
    /// No more time for this endpoint.
    OutOfTime,
}

/// What is to be done next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Drop the connection, where there is one, and make a fresh one.
    Connect,
    Send(Vec<u8>),
    /// Wait for bytes, until then at the most.
    Listen(Time),
    /// This is all.
    Done,
}

/// The interview of one endpoint.
#[derive(Debug)]
pub struct Interview {
    subject: Subject,
    circumstances: Circumstances,
    client: Option<Client>,
    agenda: VecDeque<Round>,
    current: Round,
    conversation: Option<Conversation>,
    /// Dialogues that were tried in the present layer.
    asked: Vec<&'static Dialogue>,
    /// Everything further is spoken inside TLS.
    within: Option<Offer>,
    known: Option<Recognised>,
    /// What an answer to something else looked like.
    hint: Option<Recognised>,
    greeting: Vec<u8>,
    tls: Option<Seen>,
    connections: u32,
    refused: u32,
}

/// Connections to one endpoint, one after the other.
pub const MOST_CONNECTIONS: u32 = 40;

impl Interview {
    /// Without a `client` no session of TLS is tried.
    pub fn new(subject: Subject, client: Option<Client>) -> Self {
        let agenda = agenda::plain(subject.endpoint.port);
        let circumstances = Circumstances {
            endpoint: subject.endpoint,
            host: subject.host.clone(),
            random: subject.random,
        };
        Self {
            subject,
            circumstances,
            client,
            agenda,
            current: Round::Greeting(Patience::Short),
            conversation: None,
            asked: Vec::new(),
            within: None,
            known: None,
            hint: None,
            greeting: Vec::new(),
            tls: None,
            connections: 0,
            refused: 0,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        self.subject.endpoint
    }

    /// What to do next.
    pub fn next(&mut self, happened: Happened<'_>, now: Time) -> Action {
        match happened {
            Happened::Start => self.go_on(),
            Happened::Connected => self.connected(now),
            Happened::Refused => {
                self.refused += 1;
                self.conversation = None;
                if self.refused >= MOST_REFUSED {
                    Action::Done
                } else {
                    Action::Connect
                }
            }
            Happened::Sent => self.act(),
            Happened::Received(bytes) => self.received(bytes, now),
            Happened::Silence => self.ended(End::Quiet, now),
            Happened::Closed => self.ended(End::Closed, now),
            Happened::OutOfTime => {
                self.ended(End::Quiet, now);
                Action::Done
            }
        }
    }

    /// The next round, on a fresh connection.
    fn go_on(&mut self) -> Action {
        self.conversation = None;
        match self.agenda.pop_front() {
            Some(round) if self.connections < MOST_CONNECTIONS => {
                self.current = round;
                self.connections += 1;
                Action::Connect
            }
            _ => Action::Done,
        }
    }

    fn connected(&mut self, now: Time) -> Action {
        self.refused = 0;
        let offer = match self.current {
            Round::Version(_) | Round::Upgrade(_) => None,
            Round::Tls(offer) => Some(offer),
            Round::Greeting(_) | Round::Ask(..) => self.within,
        };
        let kept = match self.current {
            Round::Version(_) => KEPT_OF_HELLO,
            _ => KEPT,
        };
        let layer = match offer.map(|offer| self.session(offer)) {
            None => Layer::Plain,
            Some(Some(session)) => Layer::Tls(Box::new(session)),
            Some(None) => return self.go_on(),
        };
        self.conversation = Some(Conversation::new(layer, now, kept));
        self.open(now)
    }

    fn session(&self, offer: Offer) -> Option<Session> {
        self.client.as_ref()?.session(&self.subject.host, offer)
    }

    /// Begins the current round on the conversation, as soon as its layer is there.
    fn open(&mut self, now: Time) -> Action {
        let (answer, idle) = (self.wait(ANSWER), self.wait(LIKELY_ANSWER));
        let greeting = (self.wait(SHORT_GREETING), self.wait(LONG_GREETING));
        let Some(conversation) = &mut self.conversation else {
            return self.go_on();
        };
        if !conversation.is_open() {
            conversation.listen(now, idle);
            return self.act();
        }
        match self.current {
            Round::Greeting(Patience::Short) => conversation.listen(now, greeting.0),
            Round::Greeting(Patience::Long) => conversation.listen(now, greeting.1),
            Round::Ask(dialogue, likely) => {
                self.asked.push(dialogue);
                match (dialogue.opening, likely) {
                    (Opening::Client(opening), _) => {
                        conversation.say(&opening(&self.circumstances))
                    }
                    (Opening::Server, _) => {}
                }
                let wait = match (dialogue.opening, likely) {
                    (Opening::Server, _) => greeting.1,
                    (Opening::Client(_), Likely::ByNumber) => idle,
                    (Opening::Client(_), Likely::OneOfMany) => answer,
                };
                conversation.listen(now, wait);
            }
            Round::Version(version) => {
                let name = self.subject.host.as_str();
                let name = Some(name).filter(|name| name.parse::<std::net::IpAddr>().is_err());
                let random = spread(self.subject.random);
                conversation.say(&hello::client(version, name, random));
                conversation.listen(now, idle);
            }
            Round::Upgrade(upgrade) => return self.judge_upgrade(upgrade, End::Open, now),
            // The session was established, and what is spoken inside comes next.
            Round::Tls(_) => {}
        }
        self.act()
    }

    fn act(&mut self) -> Action {
        match &mut self.conversation {
            None => self.go_on(),
            Some(conversation) => match conversation.outgoing() {
                Some(bytes) => Action::Send(bytes),
                None => Action::Listen(conversation.until),
            },
        }
    }

    fn received(&mut self, bytes: &[u8], now: Time) -> Action {
        let Some(conversation) = &mut self.conversation else {
            return self.go_on();
        };
        match conversation.take(bytes) {
            Took::Established => self.established(now),
            Took::Broken(broken) if !conversation.is_open() => self.not_established(broken),
            Took::Broken(_) => self.judge(End::Closed, now),
            Took::TooMuch => self.ended(End::Quiet, now),
            Took::More if conversation.is_open() => self.judge(End::Open, now),
            Took::More => self.act(),
        }
    }

    fn ended(&mut self, end: End, now: Time) -> Action {
        match &self.conversation {
            None => self.go_on(),
            Some(conversation) if conversation.is_open() => self.judge(end, now),
            Some(_) => self.not_established(Broken::Other),
        }
    }

    /// What the server said so far, by the current round.
    fn judge(&mut self, end: End, now: Time) -> Action {
        let Some(conversation) = &self.conversation else {
            return self.go_on();
        };
        let said = Said {
            bytes: &conversation.said,
            answers: conversation.answers,
            end,
        };
        let heard = match self.current {
            Round::Greeting(_) => {
                let (known, heard) = greeted(&said);
                if let Some(dialogue) = known {
                    self.current = Round::Ask(dialogue, Likely::OneOfMany);
                    self.asked.push(dialogue);
                }
                heard
            }
            Round::Ask(dialogue, _) => (dialogue.hear)(&said),
            Round::Version(version) => return self.told_version(version, end),
            Round::Upgrade(upgrade) => return self.judge_upgrade(upgrade, end, now),
            Round::Tls(_) => Heard::More,
        };
        let heard = conversation.unless_echo(heard);
        let (answer, idle) = (self.wait(LIKELY_ANSWER), self.wait(IDLE));
        match (heard, &mut self.conversation, end) {
            (Heard::Known(recognised), ..) => self.recognised(*recognised, end, now),
            (Heard::Answer(bytes), Some(conversation), End::Open)
                if conversation.answers < MOST_ANSWERS =>
            {
                conversation.answers += 1;
                conversation.say(&bytes);
                conversation.listen(now, answer);
                self.act()
            }
            (Heard::More, Some(conversation), End::Open) => {
                if !conversation.said.is_empty() {
                    conversation.listen(now, idle);
                }
                self.act()
            }
            _ => self.strange(end, now),
        }
    }

    fn recognised(&mut self, recognised: Recognised, end: End, now: Time) -> Action {
        let conversation = self.conversation.take();
        let said = conversation
            .as_ref()
            .map(|conversation| conversation.said.clone())
            .unwrap_or_default();
        self.keep_greeting(&said);
        let plain = self.within.is_none() && self.tls.is_none();
        if plain && recognised.protocol == "http" && conclusion::speaks_of_tls(&said) {
            self.hint = Some(recognised);
            self.agenda = VecDeque::from([Round::Tls(Offer::All)]);
            return self.go_on();
        }
        let (recognised, further) = conclusion::joined(self.known.take(), recognised);
        let protocol = recognised.protocol;
        self.known = Some(recognised);
        self.agenda
            .retain(|round| matches!(round, Round::Version(_) | Round::Upgrade(_)));
        self.agenda
            .extend(further.map(|dialogue| Round::Ask(dialogue, Likely::ByNumber)));
        self.agenda.rotate_right(usize::from(further.is_some()));
        self.plan_upgrade(protocol);
        match conversation.filter(|conversation| end == End::Open && conversation.is_untouched()) {
            Some(conversation) => self.upgrade_or_go_on(conversation, now),
            None => self.go_on(),
        }
    }

    /// The round is over without a result.
    fn strange(&mut self, end: End, now: Time) -> Action {
        let said = self
            .conversation
            .as_ref()
            .map(Conversation::told)
            .unwrap_or_default();
        let next = self.agenda.front().copied();
        let silent =
            said.is_empty() && end == End::Quiet && matches!(self.current, Round::Greeting(_));
        if let (true, Some(round)) = (silent, next.filter(|round| round.can_follow_silence())) {
            return self.follow(round, now);
        }
        self.keep_greeting(&said);
        if self.known.is_none() {
            self.look_for_hints(&said);
        }
        self.go_on()
    }

    /// The next round on the connection on which nothing was said.
    fn follow(&mut self, round: Round, now: Time) -> Action {
        self.agenda.pop_front();
        self.current = round;
        if let Round::Tls(offer) = round {
            match (self.session(offer), &mut self.conversation) {
                (Some(session), Some(conversation)) => conversation.wrap(session),
                _ => return self.go_on(),
            }
        }
        self.open(now)
    }

    fn keep_greeting(&mut self, said: &[u8]) {
        if self.greeting.is_empty() {
            self.greeting = said.iter().take(LONGEST_GREETING).copied().collect();
        }
    }

    /// On a far path everything takes longer.
    fn wait(&self, base: Duration) -> Duration {
        base + 3 * self.subject.rtt.unwrap_or(UNKNOWN_RTT).min(LONGEST_RTT)
    }
}

/// Bytes that look random, from a number that is.
fn spread(random: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = random;
    for chunk in bytes.chunks_exact_mut(8) {
        // The step of splitmix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        chunk.copy_from_slice(
            &(state ^ (state >> 29))
                .wrapping_mul(0xbf58_476d_1ce4_e5b9)
                .to_be_bytes(),
        );
    }
    bytes
}

const ANSWER: Duration = Duration::from_millis(800);
const LIKELY_ANSWER: Duration = Duration::from_millis(2500);
/// Behind the last bytes.
const IDLE: Duration = Duration::from_millis(700);
const SHORT_GREETING: Duration = Duration::from_millis(500);
/// Servers that look up our name first take that long.
const LONG_GREETING: Duration = Duration::from_secs(5);
const UNKNOWN_RTT: Duration = Duration::from_millis(100);
const LONGEST_RTT: Duration = Duration::from_secs(1);
const MOST_REFUSED: u32 = 2;
const MOST_ANSWERS: u8 = 16;
/// A chain of certificates is in it.
const KEPT_OF_HELLO: usize = 16 * 1024;
const LONGEST_GREETING: usize = 256;

#[cfg(test)]
mod tests;
