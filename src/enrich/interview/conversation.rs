//! One connection of an interview, plain or inside TLS: what was said on it, and what is to be sent.

use std::time::Duration;

use crate::enrich::dialogue::Heard;
use crate::enrich::tls::session::{Broken, Session};
use crate::model::Time;

/// What is between us and the protocol.
#[derive(Debug)]
pub(super) enum Layer {
    Plain,
    Tls(Box<Session>),
}

/// A connection under way.
#[derive(Debug)]
pub(super) struct Conversation {
    pub layer: Layer,
    /// What the server said, as much of it as is kept.
    pub said: Vec<u8>,
    /// How often we have answered it.
    pub answers: u8,
    /// What we said at first.
    opened: Vec<u8>,
    /// To be listened to until then, unless more comes.
    pub until: Time,
    /// The connection ends then.
    pub ends: Time,
    /// What came first on the wire, whatever the layer: at most [`MOST_RAW`] bytes.
    pub raw: Vec<u8>,
    /// Bytes that are kept of what is said.
    kept: usize,
    outgoing: Vec<u8>,
    /// Bytes that came, handshakes and all.
    received: usize,
}

/// What came of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Took {
    More,
    /// The session was established by them.
    Established,
    /// The layer is over.
    Broken(Broken),
    /// So much came that nothing more is listened to.
    TooMuch,
}

impl Conversation {
    pub fn new(layer: Layer, now: Time, kept: usize) -> Self {
        let mut conversation = Self {
            layer,
            said: Vec::new(),
            answers: 0,
            opened: Vec::new(),
            until: now,
            ends: now + LONGEST,
            raw: Vec::new(),
            kept,
            outgoing: Vec::new(),
            received: 0,
        };
        conversation.flush();
        conversation
    }

    /// Whether the protocol can be spoken: at once, or behind a handshake.
    pub fn is_open(&self) -> bool {
        match &self.layer {
            Layer::Plain => true,
            Layer::Tls(session) => session.is_established(),
        }
    }

    /// Whether nothing was said by us, and nothing is between us and the protocol.
    pub fn is_untouched(&self) -> bool {
        matches!(self.layer, Layer::Plain) && self.opened.is_empty() && self.answers == 0
    }

    pub fn say(&mut self, bytes: &[u8]) {
        if self.opened.is_empty() && self.said.is_empty() {
            self.opened = bytes.to_vec();
        }
        match &mut self.layer {
            Layer::Plain => self.outgoing.extend_from_slice(bytes),
            Layer::Tls(session) => session.say(bytes),
        }
        self.flush();
    }

    /// Puts TLS between us and the protocol, where nothing was said yet.
    pub fn wrap(&mut self, session: Session) {
        self.layer = Layer::Tls(Box::new(session));
        self.flush();
    }

    /// What is to be sent, once.
    pub fn outgoing(&mut self) -> Option<Vec<u8>> {
        (!self.outgoing.is_empty()).then(|| std::mem::take(&mut self.outgoing))
    }

    /// What a dialogue made of it; a server that says what we said speaks no protocol, however well we do.
    pub fn unless_echo(&self, heard: Heard) -> Heard {
        if self.is_echo() {
            Heard::Strange
        } else {
            heard
        }
    }

    /// What the server said of its own.
    pub fn told(&self) -> Vec<u8> {
        if self.is_echo() {
            Vec::new()
        } else {
            self.said.clone()
        }
    }

    fn is_echo(&self) -> bool {
        !self.opened.is_empty() && self.said.starts_with(&self.opened)
    }

    pub fn listen(&mut self, now: Time, wait: Duration) {
        self.until = (now + wait).min(self.ends);
    }

    /// Takes what came.
    pub fn take(&mut self, bytes: &[u8]) -> Took {
        self.received = self.received.saturating_add(bytes.len());
        let first = bytes.len().min(MOST_RAW.saturating_sub(self.raw.len()));
        self.raw.extend(bytes.iter().take(first));
        let mut said = Vec::new();
        let took = match &mut self.layer {
            Layer::Plain => {
                said.extend_from_slice(bytes);
                Took::More
            }
            Layer::Tls(session) => {
                let before = session.is_established();
                let heard = session.hear(bytes, &mut said);
                match heard {
                    Err(broken) => Took::Broken(broken),
                    Ok(()) if !before && session.is_established() => Took::Established,
                    Ok(()) => Took::More,
                }
            }
        };
        self.flush();
        let room = self.kept.saturating_sub(self.said.len());
        let kept = said.len().min(room);
        self.said.extend(said.into_iter().take(kept));
        if took == Took::More && (self.said.len() >= self.kept || self.received > MOST_RECEIVED) {
            return Took::TooMuch;
        }
        took
    }

    fn flush(&mut self) {
        if let Layer::Tls(session) = &mut self.layer {
            self.outgoing.extend(session.outgoing());
        }
    }
}

/// The longest that one connection is listened to.
const LONGEST: Duration = Duration::from_secs(6);

/// Bytes of one connection that are read, handshakes and all.
const MOST_RECEIVED: usize = 128 * 1024;

/// Enough to tell what speaks there.
const MOST_RAW: usize = 512;
