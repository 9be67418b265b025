//! What a scan says that a port serves, as far as two scans can be compared by it.

use crate::model::facts::{Basis, Service};
use crate::report::escape::terminal;

/// What a server itself told. Its texts are escaped for a terminal and cut, as both kinds of files can have them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Served {
    pub protocol: String,
    pub product: Option<String>,
    pub version: Option<String>,
    /// A distribution's own revision.
    pub revision: Option<String>,
}

/// A port that is open in both scans, and whose software has changed for certain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    pub port: u16,
    pub old: String,
    pub new: String,
}

impl Served {
    /// What this service is; `None` where only the port's number speaks for it.
    pub fn of(service: &Service) -> Option<Self> {
        let protocol = service.protocol.as_deref()?;
        let application = service.application();
        let piece = |text: Option<&str>| text.map(as_written);
        (service.basis == Basis::ByAnswer).then(|| Self {
            protocol: as_written(protocol),
            product: piece(application.map(|it| it.product.as_str())),
            version: piece(application.and_then(|it| it.version.as_deref())),
            revision: piece(application.and_then(|it| it.revision.as_deref())),
        })
    }

    /// Whether both cannot be the same software. What one of them does not tell may be as it was.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differ = |one: &Option<String>, other: &Option<String>| matches!((one, other), (Some(one), Some(other)) if one != other);
        self.protocol != other.protocol
            || differ(&self.product, &other.product)
            || (self.product.is_some()
                && other.product.is_some()
                && (differ(&self.version, &other.version)
                    || differ(&self.revision, &other.revision)))
    }

    /// `OpenSSH 9.2p1 Debian-2+deb12u3`, or `ssh` where no product is known.
    pub fn title(&self) -> String {
        let Some(product) = &self.product else {
            return self.protocol.clone();
        };
        let words = [Some(product), self.version.as_ref(), self.revision.as_ref()];
        let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        words.join(" ")
    }
}

/// A text as every format has it at the least.
pub(super) fn as_written(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST).collect();
    terminal(&cut).into_owned()
}

/// As much as an attribute of our XML has.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn served(words: [&str; 4]) -> Served {
        let told = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        Served {
            protocol: words[0].to_owned(),
            product: told(words[1]),
            version: told(words[2]),
            revision: told(words[3]),
        }
    }

    #[test]
    fn only_what_both_tell_can_have_changed() {
        let known = served(["ssh", "OpenSSH", "9.2p1", "Debian-2+deb12u3"]);
        for same in [
            ["ssh", "", "", ""],
            ["ssh", "OpenSSH", "", ""],
            ["ssh", "OpenSSH", "9.2p1", ""],
            ["ssh", "OpenSSH", "9.2p1", "Debian-2+deb12u3"],
        ] {
            assert!(!known.contradicts(&served(same)), "{same:?}");
            assert!(!served(same).contradicts(&known), "{same:?}");
        }
        for other in [
            ["http", "", "", ""],
            ["ssh", "Dropbear", "", ""],
            ["ssh", "OpenSSH", "9.6p1", ""],
            ["ssh", "OpenSSH", "9.2p1", "Debian-2+deb12u4"],
        ] {
            assert!(known.contradicts(&served(other)), "{other:?}");
            assert!(served(other).contradicts(&known), "{other:?}");
        }
    }
}
