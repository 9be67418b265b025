//! The head of a journal: which scan it is of.

use serde::{Deserialize, Serialize};

/// The version that wrote it, and every setting that decides what the list is, by the name of its option, in the form in
/// which it can be typed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    pub version: String,
    /// RFC 3339.
    pub started: String,
    pub settings: Vec<(String, String)>,
    /// Ceilings that the user set, in the same form: they decide nothing, but hold until something else is said.
    #[serde(default)]
    pub ceilings: Vec<(String, String)>,
}

/// A setting that is another one in two scans.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub setting: String,
    /// The first part of it that differs, in the one and in the other; empty where there is nothing.
    pub ours: String,
    pub theirs: String,
}

impl Head {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub fn write(&self) -> Vec<u8> {
        // Strings alone: nothing in it can fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What this setting, or this ceiling, was.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter().chain(&self.ceilings);
        let found = settings.find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// The first setting of `other` that is another one here.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        other.settings.iter().find_map(|(name, theirs)| {
            let ours = self.setting(name).unwrap_or_default();
            (ours != theirs).then(|| {
                let (ours, theirs) = parting(ours, theirs);
                Difference {
                    setting: name.clone(),
                    ours: ours.to_owned(),
                    theirs: theirs.to_owned(),
                }
            })
        })
    }
}

/// The first items of two lists that differ.
fn parting<'a>(ours: &'a str, theirs: &'a str) -> (&'a str, &'a str) {
    let (mut ours, mut theirs) = (ours.split(','), theirs.split(','));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return ("", ""),
            (ours, theirs) if ours == theirs => {}
            (ours, theirs) => return (ours.unwrap_or_default(), theirs.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(ports: &str) -> Head {
        Head {
            version: "1".to_owned(),
            started: String::new(),
            ceilings: Vec::new(),
            settings: vec![
                ("seed".to_owned(), "7".to_owned()),
                ("ports".to_owned(), ports.to_owned()),
            ],
        }
    }

    #[test]
    fn what_differs_is_named_where_it_begins_to() {
        assert_eq!(head("1,2").difference(&head("1,2")), None);
        let found = head("1,2,80-90").difference(&head("1,2,80")).unwrap();
        assert_eq!((&*found.ours, &*found.theirs), ("80-90", "80"));
        let found = head("1,2").difference(&head("1")).unwrap();
        assert_eq!(
            (&*found.setting, &*found.ours, &*found.theirs),
            ("ports", "2", "")
        );
        assert_eq!(Head::read(&head("1").write()), Some(head("1")));
    }
}
