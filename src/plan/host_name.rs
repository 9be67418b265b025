//! What may be looked up as a host name.

use super::mistake::{Mistake, escape, quote};

/// A syntactically valid host name, in lower case, as it will be given to the resolver.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HostName(String);

impl HostName {
    /// Reads a host name: labels of 1 to 63 letters, digits, hyphens and underscores (which real names have, whatever
    /// RFC 952 says), no hyphen at either end of a label, 253 characters at most (RFC 1035), perhaps a final dot.
    ///
    /// # Errors
    /// When it is anything else, and says why.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        match flaw(text) {
            None => Ok(Self(text.to_ascii_lowercase())),
            Some(why) => Err(Mistake::new(format!(
                "{} is not a valid host name ({why})",
                quote(text)
            ))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn flaw(text: &str) -> Option<String> {
    for (at, character) in text.chars().enumerate() {
        let at = at + 1;
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => {}
            ' ' => {
                return Some(format!(
                    "character {at} is a blank; separate targets as arguments"
                ));
            }
            ',' | ';' => {
                return Some(format!(
                    "character {at} is {character:?}; separate targets with blanks"
                ));
            }
            '*' => {
                return Some(format!(
                    "character {at} is '*'; write 10.0.0.0/24 or 10.0.0.0-255"
                ));
            }
            _ if character.is_control() => {
                return Some(format!("character {at} is a control character"));
            }
            _ if !character.is_ascii() => {
                return Some(format!(
                    "character {at} is not ASCII: {}; write the xn-- form",
                    escape(&character.to_string(), 16)
                ));
            }
            _ => return Some(format!("character {at} is {character:?}")),
        }
    }
    let absolute = text.strip_suffix('.').unwrap_or(text);
    if absolute.len() > 253 {
        return Some(format!(
            "{} characters, at most 253 are allowed",
            absolute.len()
        ));
    }
    for label in absolute.split('.') {
        if label.is_empty() {
            return Some("a label is empty".to_string());
        }
        if label.len() > 63 {
            return Some(format!(
                "a label has {} characters, at most 63 are allowed",
                label.len()
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some("a label begins or ends with a hyphen".to_string());
        }
    }
    let last = absolute.rsplit('.').next().unwrap_or_default();
    // The C library would read such a name as an address in one of its older notations.
    last.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| "it ends in a number, like an address".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_hosts_are_accepted() {
        for name in [
            "localhost",
            "db",
            "a-b.c_d.example",
            "example.com.",
            "4-5.example",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(HostName::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(
            HostName::parse("DB.Example").unwrap().as_str(),
            "db.example"
        );
        let longest = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61),
        ]
        .join(".");
        assert_eq!(longest.len(), 253);
        assert!(HostName::parse(&longest).is_ok());
        assert!(HostName::parse(&format!("{longest}e")).is_err());
    }
}
