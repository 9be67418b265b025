//! What is said about bad input: one line for each mistake, and notes about input that was taken in a way worth
//! saying.
//!
//! Both come from text that a user, a file or a resolver supplied, so both are made safe here and nowhere else: a
//! message is one line, has no control byte in it, and stays short enough to be read.

use std::fmt;

/// The longest message in bytes. With `error: ` before it and a newline after it a line stays below 400.
pub const MESSAGE_BYTES: usize = 390;

/// How many characters of offending text are shown.
pub const QUOTED_CHARACTERS: usize = 32;

/// How many characters of a path are shown.
const PATH_CHARACTERS: usize = 120;

/// One thing that is wrong with the input: what, where, and what would be right. Printed after `error: `.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Mistake {
    message: String,
    cause: Cause,
}

/// Who can put a mistake right; the command line derives its exit status from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// What was typed.
    Input,
    /// The machine or the network: a name that does not resolve.
    Environment,
}

/// Something about accepted input that the user may not expect.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Note {
    message: String,
    loudness: Loudness,
}

/// Who wants to read a note.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Loudness {
    /// Everybody: the input means something else than it may seem to.
    Always,
    /// Those who asked for details (`-v`).
    Verbose,
}

impl Mistake {
    /// Makes a mistake of the input from a whole sentence. Text from outside belongs through [`quote`] first; whatever
    /// control byte is left is escaped, and the sentence is cut at [`MESSAGE_BYTES`].
    pub fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: one_line(message.as_ref()),
            cause: Cause::Input,
        }
    }

    /// Makes a mistake in the usual form: the quoted text, what is wrong with it, what would be right.
    ///
    /// ```
    /// use halfopen::plan::Mistake;
    ///
    /// let mistake = Mistake::about("fast", "is not a rate", "write 1 to 10,000,000 packets per second");
    /// assert_eq!(mistake.to_string(), r#""fast" is not a rate; write 1 to 10,000,000 packets per second"#);
    /// ```
    pub fn about(text: &str, wrong: &str, right: &str) -> Self {
        Self::new(format!("{} {wrong}; {right}", quote(text)))
    }

    /// A name that the resolver has no address for; `why` is for example `no such name` or `timed out`.
    pub fn cannot_resolve(name: &str, why: &str) -> Self {
        Self {
            cause: Cause::Environment,
            ..Self::new(format!("cannot resolve {}: {why}", quote(name)))
        }
    }

    /// An exclude that cannot be understood ends the scan before it starts: to go on would be to probe what the user
    /// wanted left alone.
    pub fn refusing(text: &str, because: &Self) -> Self {
        Self {
            cause: because.cause,
            ..Self::new(format!(
                "refusing to scan, because {} might be scanned by mistake: {}",
                quote(text),
                because.message
            ))
        }
    }

    /// The same mistake with the place where it stands: a line of a file.
    ///
    /// ```
    /// use halfopen::plan::Mistake;
    ///
    /// let mistake = Mistake::new("port 0 cannot be scanned").at("hosts.txt", 3);
    /// assert_eq!(mistake.to_string(), r#""hosts.txt" line 3: port 0 cannot be scanned"#);
    /// ```
    pub fn at(&self, path: &str, line: u64) -> Self {
        Self {
            cause: self.cause,
            ..Self::new(format!(
                "{} line {line}: {}",
                quote_path(path),
                self.message
            ))
        }
    }

    /// The same mistake with the place where it was made in front: a file and line, a variable of the environment.
    pub fn found_in(&self, place: &str) -> Self {
        Self {
            cause: self.cause,
            ..Self::new(format!("{place}: {}", self.message))
        }
    }

    /// Who can put it right.
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

/// Everything that is wrong with a text, as one error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes(pub Vec<Mistake>);

/// One line each.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Note {
    /// A note for everybody; made safe like a [`Mistake`].
    pub fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: one_line(message.as_ref()),
            loudness: Loudness::Always,
        }
    }

    /// A note for those who asked for details.
    pub fn verbose(message: impl AsRef<str>) -> Self {
        Self {
            loudness: Loudness::Verbose,
            ..Self::new(message)
        }
    }

    /// Who wants to read it.
    pub fn loudness(&self) -> Loudness {
        self.loudness
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Shows text from outside so that no terminal obeys it: printable ASCII stays, control bytes become `\xNN`, quotes
/// and backslashes get a backslash, and every other character becomes `\u{..}` (a full-width 8 or a character that
/// turns the direction of writing would otherwise look like something else). At most `max` characters come out, then
/// `...`; an escape is never cut in half.
///
/// ```
/// use halfopen::plan::escape;
///
/// assert_eq!(escape("a\x1b[2Jb", 32), r"a\x1b[2Jb");
/// assert_eq!(escape("aaaaaaaa", 4), "aaaa...");
/// ```
pub fn escape(text: &str, max: usize) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        let piece = match character {
            '"' | '\\' => format!("\\{character}"),
            ' '..='~' => character.to_string(),
            '\0'..='\u{7f}' => format!("\\x{:02x}", u32::from(character)),
            other => format!("\\u{{{:x}}}", u32::from(other)),
        };
        // Every piece is ASCII, so bytes and characters are the same here.
        if shown.len() + piece.len() > max {
            shown.push_str("...");
            break;
        }
        shown.push_str(&piece);
    }
    shown
}

/// Text from outside as it appears in messages: escaped, shortened to [`QUOTED_CHARACTERS`], in double quotes.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text, QUOTED_CHARACTERS))
}

/// A path as it appears in messages: escaped and in double quotes, but long enough to be found again.
pub fn quote_path(path: &str) -> String {
    format!("\"{}\"", escape(path, PATH_CHARACTERS))
}

/// The last line of defence: no control character leaves, and the message ends on a character's boundary.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len().min(MESSAGE_BYTES));
    for character in message.chars() {
        let length = if character.is_control() {
            format!("\\x{:02x}", u32::from(character))
        } else {
            character.to_string()
        };
        if line.len() + length.len() > MESSAGE_BYTES - 3 {
            line.push_str("...");
            break;
        }
        line.push_str(&length);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_are_shown_and_never_passed_on() {
        assert_eq!(escape("a\x1b[2Jb\0\n\x7f", 32), r"a\x1b[2Jb\x00\x0a\x7f");
        assert_eq!(quote("say \"hi\" \\"), r#""say \"hi\" \\""#);
        assert_eq!(Mistake::new("a\nb\u{85}c").to_string(), r"a\x0ab\x85c");
        assert_eq!(Note::new("a\tb").to_string(), r"a\x09b");
    }

    #[test]
    fn characters_that_look_like_others_are_named() {
        assert_eq!(escape("８0", 32), r"\u{ff18}0");
        assert_eq!(escape("\u{202e}gpj", 32), r"\u{202e}gpj");
    }

    #[test]
    fn long_text_is_cut_between_escapes() {
        assert_eq!(escape(&"a".repeat(32), 32), "a".repeat(32));
        assert_eq!(
            escape(&"a".repeat(33), 32),
            format!("{}...", "a".repeat(32))
        );
        assert_eq!(escape("aa\x1b", 5), "aa...");
        assert_eq!(escape("aa\x1b", 6), r"aa\x1b");
    }

    #[test]
    fn a_message_is_cut_below_400_bytes() {
        let long = Mistake::new("é".repeat(1000)).to_string();
        assert!(long.len() <= MESSAGE_BYTES, "{}", long.len());
        assert!(long.ends_with("é..."));
    }

    #[test]
    fn a_place_keeps_the_cause() {
        let placed = Mistake::cannot_resolve("db", "timed out").found_in("a.toml:3");
        assert_eq!(placed.cause(), Cause::Environment);
        assert_eq!(
            placed.to_string(),
            r#"a.toml:3: cannot resolve "db": timed out"#
        );
    }

    #[test]
    fn a_refusal_keeps_the_cause() {
        let because = Mistake::cannot_resolve("db", "timed out");
        let refusal = Mistake::refusing("db", &because);
        assert_eq!(refusal.cause(), Cause::Environment);
        assert_eq!(
            refusal.to_string(),
            r#"refusing to scan, because "db" might be scanned by mistake: cannot resolve "db": timed out"#
        );
    }
}
