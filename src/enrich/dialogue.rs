//! What a protocol must know to be recognised: what to say, and what the answer means.

use crate::model::Endpoint;
use crate::model::facts::Detail;

/// How one protocol is recognised. Pure: `hear` is given everything that the server has said so far and keeps nothing.
#[derive(Debug)]
pub struct Dialogue {
    /// The protocol, by its usual short name.
    pub protocol: &'static str,
    /// Where it usually is: there it is tried before all others.
    pub ports: &'static [u16],
    pub opening: Opening,
    /// What to do with what was said.
    pub hear: fn(&Said<'_>) -> Heard,
}

/// Who speaks first.
#[derive(Clone, Copy, Debug)]
pub enum Opening {
    Server,
    Client(fn(&Circumstances) -> Vec<u8>),
}

/// What an opening may depend on.
#[derive(Clone, Debug)]
pub struct Circumstances {
    pub endpoint: Endpoint,
    /// The name by which the host was given; its address where it was given by that.
    pub host: String,
    /// Where the protocol asks for something that is not to be guessed.
    pub random: u64,
}

/// Everything that the server has said on this connection.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// At most [`KEPT`] bytes.
    pub bytes: &'a [u8],
    /// How often we have answered behind the opening.
    pub answers: u8,
    pub end: End,
}

/// Whether more may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Open,
    /// Nothing came for a while, the time is up, or no more is kept.
    Quiet,
    Closed,
}

/// What a dialogue makes of it.
#[derive(Debug)]
pub enum Heard {
    /// Nothing can be concluded yet. Taken for [`Strange`](Self::Strange) once no more may come.
    More,
    /// Say this, and listen.
    Answer(Vec<u8>),
    Known(Box<Recognised>),
    /// It is another protocol.
    Strange,
}

/// What was recognised.
#[derive(Clone, Debug)]
pub struct Recognised {
    pub protocol: &'static str,
    pub details: Vec<Detail>,
    /// Texts for the rules, the most telling first.
    pub texts: Vec<Text>,
    /// What can tell more, on a connection of its own.
    pub further: Option<&'static Dialogue>,
}

/// A text from which rules conclude.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// What kind of text it is, by the name that rules match on: `ssh.banner`.
    pub kind: &'static str,
    pub text: Vec<u8>,
}

/// Bytes kept of what a server says on one connection.
pub const KEPT: usize = 4096;

/// Bytes of a text that a fact keeps.
pub const LONGEST_TEXT: usize = 256;

impl Recognised {
    pub fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            details: Vec::new(),
            texts: Vec::new(),
            further: None,
        }
    }

    /// Adds a fact; none without content.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let value = text(value.as_ref());
        if !value.is_empty() && self.details.len() < MOST_DETAILS {
            self.details.push(Detail {
                name: name.into(),
                value,
            });
        }
        self
    }

    /// The same where there is one.
    #[must_use]
    pub fn detail_of(self, name: &'static str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.detail(name, value),
            None => self,
        }
    }

    /// Adds a text for the rules.
    #[must_use]
    pub fn text(mut self, kind: &'static str, text: &[u8]) -> Self {
        let text = text.get(..LONGEST_RULED).unwrap_or(text).trim_ascii();
        if !text.is_empty() && self.texts.len() < MOST_TEXTS {
            self.texts.push(Text {
                kind,
                text: text.to_vec(),
            });
        }
        self
    }

    pub fn known(self) -> Heard {
        Heard::Known(Box::new(self))
    }
}

impl Circumstances {
    /// What stands behind `Host:`.
    pub fn host_and_port(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.endpoint.port {
            80 | 443 => host,
            port => format!("{host}:{port}"),
        }
    }
}

impl Said<'_> {
    /// Whether this is all that there will be.
    pub fn is_all(&self) -> bool {
        self.end != End::Open
    }

    /// The first line without its end, once it is whole or nothing more may come.
    pub fn first_line(&self) -> Option<&[u8]> {
        let line = self.bytes.split(|byte| *byte == b'\n').next()?;
        let whole = line.len() < self.bytes.len();
        (whole || self.is_all()).then(|| line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// More, as long as it may come.
    pub fn more_or_strange(&self) -> Heard {
        if self.is_all() {
            Heard::Strange
        } else {
            Heard::More
        }
    }
}

/// Text as a fact keeps it: bounded, and what is not UTF-8 replaced.
pub fn text(bytes: &[u8]) -> String {
    let bytes = bytes.trim_ascii();
    let cut = String::from_utf8_lossy(bytes.get(..LONGEST_TEXT).unwrap_or(bytes));
    let mut end = cut.len().min(LONGEST_TEXT);
    while !cut.is_char_boundary(end) {
        end -= 1;
    }
    cut.get(..end).unwrap_or_default().to_owned()
}

/// Whether what was said can still become `start`.
pub fn may_begin(bytes: &[u8], start: &[u8]) -> bool {
    let common = bytes.len().min(start.len());
    bytes.get(..common) == start.get(..common)
}

/// Bytes of a text that a rule looks at.
const LONGEST_RULED: usize = KEPT;
const MOST_DETAILS: usize = 24;
const MOST_TEXTS: usize = 16;
