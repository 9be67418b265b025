//! The pattern of a rule: checked when its file is read, compiled when it is needed.
//!
//! Recog's patterns are written for Ruby, where `^` and `$` stand at the ends of every line. Without Unicode mode a
//! class such as `\d` is the ASCII one and `.` is any byte, as servers send them; a pattern that needs Unicode gets it.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;

/// How a pattern is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Flags {
    pub case: Case,
    pub dot: Dot,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Case {
    Minded,
    Ignored,
}

/// What a dot matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dot {
    NoNewline,
    Anything,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alphabet {
    Bytes,
    Unicode,
}

/// A pattern that can be compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    flags: Flags,
    alphabet: Alphabet,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Checks the syntax.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(super) fn new(source: &str, flags: Flags) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("a pattern of more than {LONGEST} bytes"));
        }
        let alphabet = [Alphabet::Bytes, Alphabet::Unicode]
            .into_iter()
            .find(|alphabet| parser(flags, *alphabet).build().parse(source).is_ok());
        match alphabet {
            Some(alphabet) => Ok(Self {
                source: source.to_owned(),
                flags,
                alphabet,
                compiled: OnceLock::new(),
            }),
            None => {
                let error = parser(flags, Alphabet::Unicode).build().parse(source);
                Err(format!(
                    "the pattern {:?}: {}",
                    source,
                    error.err().map_or_else(String::new, |error| match error {
                        regex_syntax::Error::Parse(error) => error.kind().to_string(),
                        regex_syntax::Error::Translate(error) => error.kind().to_string(),
                        error => error.to_string(),
                    },)
                ))
            }
        }
    }

    /// The expression; `None` where it is so big that it is left out.
    pub(super) fn regex(&self) -> Option<&Regex> {
        let compile = || {
            RegexBuilder::new(&self.source)
                .multi_line(true)
                .case_insensitive(self.flags.case == Case::Ignored)
                .dot_matches_new_line(self.flags.dot == Dot::Anything)
                .unicode(self.alphabet == Alphabet::Unicode)
                .size_limit(LARGEST)
                .dfa_size_limit(LARGEST)
                .nest_limit(DEEPEST)
                .build()
                .ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

fn parser(flags: Flags, alphabet: Alphabet) -> ParserBuilder {
    let mut builder = ParserBuilder::new();
    builder
        .multi_line(true)
        .case_insensitive(flags.case == Case::Ignored)
        .dot_matches_new_line(flags.dot == Dot::Anything)
        .unicode(alphabet == Alphabet::Unicode)
        .utf8(false)
        .nest_limit(DEEPEST);
    builder
}

/// Recog's longest has 1.5 KiB.
const LONGEST: usize = 16 << 10;

/// Bytes of a compiled pattern, and of what it remembers while it searches.
const LARGEST: usize = 2 << 20;

/// Groups in groups.
const DEEPEST: u32 = 100;
