//! What a right scan may say of an endpoint.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::lab::ports;
use crate::lab::scan::Mode;

use super::Host;

/// Every state that there is, in the order in which reports list them.
pub const STATES: [&str; 5] = ["open", "closed", "filtered", "suspect", "error"];

/// One state or a choice, for one reason, a choice, or (none given) any.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    state: States,
    #[serde(default)]
    reason: Words,
}

/// In the file a word or a list of words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Words")]
struct States(Vec<String>);

/// What one mode is expected to say instead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct InMode {
    pub expect: Option<Expect>,
    pub expect_open: Option<Expect>,
}

/// What holds in either mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InEachMode<T> {
    pub syn: T,
    pub connect: T,
}

impl<T> InEachMode<T> {
    pub fn of(self, mode: Mode) -> T {
        match mode {
            Mode::Syn => self.syn,
            Mode::Connect => self.connect,
        }
    }
}

/// Some ports of a host, of which another thing is right than of its others: in both modes, listening or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    ports: Ports,
    expect: Expect,
}

/// In the file as `1-100,443`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Ports(BTreeSet<u16>);

impl Expect {
    pub fn allows_state(&self, state: &str) -> bool {
        self.state.0.iter().any(|word| word == state)
    }

    pub fn allows(&self, state: &str, reason: &str) -> bool {
        self.allows_state(state)
            && match &self.reason {
                Words::One(word) => word == reason,
                Words::Many(words) => words.is_empty() || words.iter().any(|word| word == reason),
            }
    }

    /// Whether nothing but this state is right.
    pub fn is_only(&self, state: &str) -> bool {
        self.allows_state(state) && self.state.0.len() == 1
    }

    /// For people: `closed or suspect (rst)`.
    pub fn text(&self) -> String {
        let states = self.state.0.join(" or ");
        match &self.reason {
            Words::One(word) => format!("{states} ({word})"),
            Words::Many(words) if words.is_empty() => states,
            Words::Many(words) => format!("{states} ({})", words.join(" or ")),
        }
    }
}

/// An open port that is found open.
impl Default for Expect {
    fn default() -> Self {
        Self {
            state: States(vec!["open".to_owned()]),
            reason: Words::One("syn-ack".to_owned()),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl TryFrom<Words> for States {
    type Error = String;

    fn try_from(words: Words) -> Result<Self, String> {
        let words = match words {
            Words::One(word) => vec![word],
            Words::Many(words) => words,
        };
        match words.iter().find(|word| !STATES.contains(&word.as_str())) {
            Some(word) => Err(format!("`{word}` is no state of an endpoint")),
            None if words.is_empty() => Err("no state at all".to_owned()),
            None => Ok(Self(words)),
        }
    }
}

impl TryFrom<String> for Ports {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        ports::parse(&text).map(Self)
    }
}

impl Part {
    /// The ports that it is about.
    pub fn ports(&self) -> &BTreeSet<u16> {
        &self.ports.0
    }
}

/// What one mode may say of a host's ports.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    open: &'a Expect,
    rest: &'a Expect,
    parts: &'a [Part],
}

impl<'a> Expected<'a> {
    pub fn of(host: &'a Host, mode: Mode) -> Self {
        let other = match mode {
            Mode::Syn => None,
            Mode::Connect => Some(&host.in_connect_mode),
        };
        let open = other.and_then(|mode| mode.expect_open.as_ref());
        let rest = other.and_then(|mode| mode.expect.as_ref());
        Self {
            open: open.unwrap_or(&host.expect_open),
            rest: rest.unwrap_or(&host.expect),
            parts: &host.part,
        }
    }

    /// Of a port that listens.
    pub fn of_open(&self, port: u16) -> &'a Expect {
        self.of_part(port).unwrap_or(self.open)
    }

    /// Of any other.
    pub fn of_rest(&self, port: u16) -> &'a Expect {
        self.of_part(port).unwrap_or(self.rest)
    }

    fn of_part(&self, port: u16) -> Option<&'a Expect> {
        let mut parts = self.parts.iter();
        parts
            .find(|part| part.ports().contains(&port))
            .map(|part| &part.expect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_allows_each_and_no_reason_means_any() {
        let expect: Expect = toml::from_str("state = ['closed', 'suspect']").unwrap();
        assert!(expect.allows("suspect", "zero-window") && expect.allows("closed", "rst"));
        assert!(!expect.allows_state("open") && !expect.is_only("closed"));
        let expect: Expect = toml::from_str("state = 'closed'\nreason = 'rst'").unwrap();
        assert!(expect.is_only("closed") && !expect.allows("closed", "no-answer"));
        assert_eq!(expect.text(), "closed (rst)");
    }
}
