//! What a text says about who wrote it, by rules that are data: Rapid7 Recog's XML schema, our own files of it in
//! `data/rules` and, where the user has it, Recog's whole release.
//!
//! A file has the rules for one kind of text (`ssh.banner`, `http_header.server`); the first rule of a file that matches
//! speaks for the file. Patterns are compiled when a text of their kind is looked at for the first time.

mod builtin;
mod pattern;
mod pieces;
mod rule;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;

use crate::model::facts::{Part, Software};

pub use xml::Mistake;

/// A file of rules, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// What mistakes in it are reported under.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// All rules, by the kind of text that they look at.
#[derive(Debug, Default)]
pub struct Rules {
    kinds: BTreeMap<String, Vec<xml::Parsed>>,
}

impl Rules {
    /// The rules that the program carries.
    pub fn builtin() -> Self {
        let mut rules = Self::default();
        for (name, text) in builtin::FILES {
            // They are read by a test: none is left out in a program that passed it.
            if let Ok(parsed) = xml::parse(name, text.as_bytes()) {
                rules.add(parsed);
            }
        }
        rules
    }

    /// The rules that the program carries, and those of `files` (Recog's `xml` folder, or the user's own). Where both
    /// know a text, the file with the greater `preference` goes first (ours have 0.95, Recog's less), and the other adds
    /// what it did not say.
    ///
    /// # Errors
    /// The first [`Mistake`] in one of the files, with its place.
    pub fn with_files(files: &[File]) -> Result<Self, Mistake> {
        let mut rules = Self::builtin();
        for file in files {
            rules.add(xml::parse(&file.name, &file.bytes)?);
        }
        Ok(rules)
    }

    /// What a text of this kind tells: the software, then the system and the device that it runs on, each only where a
    /// rule says so. `text` is without the line's end.
    pub fn software(&self, kind: &str, text: &[u8]) -> Vec<Software> {
        let mut told: Vec<Software> = Vec::new();
        for file in self.kinds.get(kind).into_iter().flatten() {
            let Some(pieces) = file.rules.iter().find_map(|rule| rule.apply(kind, text)) else {
                continue;
            };
            let known: Vec<Part> = told.iter().map(|piece| piece.part).collect();
            told.extend(
                pieces
                    .into_iter()
                    .filter(|piece| !known.contains(&piece.part)),
            );
        }
        // Stable: a component stays behind the software that it is part of.
        told.sort_by_key(|piece| piece.part);
        told
    }

    /// The kinds of text that some rule looks at.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    fn add(&mut self, parsed: xml::Parsed) {
        let files = self.kinds.entry(parsed.kind.clone()).or_default();
        let at = files.partition_point(|other| other.preference >= parsed.preference);
        files.insert(at, parsed);
    }
}
