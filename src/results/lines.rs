//! Lines of a file that may hold anything, one at a time and none longer than memory allows.

use std::io::{self, BufRead, Read as _};

use crate::plan::{Mistake, quote};

/// The longest line that is read, in bytes: the first line of a scan names its ranges, and an exclude list makes many.
pub const LONGEST_LINE: u64 = 64 << 20;

/// Reads lines. `name` is what the file is called in messages.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    name: String,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Lines of `input`.
    pub fn new(input: R, name: &str) -> Self {
        Self {
            input,
            name: name.to_owned(),
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line without its end, `None` at the end of the file. What stands behind the last line's end is a line that
    /// somebody was still writing: it is passed over.
    ///
    /// # Errors
    /// What the file system said, or a line that is too long.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Mistake> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.input)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.line);
        match read {
            Err(error) => Err(self.unreadable(&error)),
            Ok(_) if self.line.last() == Some(&b'\n') => {
                self.line.pop();
                Ok(Some(&self.line))
            }
            Ok(read) if read as u64 == LONGEST_LINE => {
                Err(self.wrong(&format!("longer than {} MiB", LONGEST_LINE >> 20)))
            }
            Ok(_) => Ok(None),
        }
    }

    /// A mistake in the line that was read last.
    pub fn wrong(&self, what: &str) -> Mistake {
        Mistake::new(format!(
            "{}: line {}: {what}",
            quote(&self.name),
            self.number
        ))
    }

    /// A mistake about the file as a whole.
    pub fn about(&self, what: &str) -> Mistake {
        Mistake::new(format!("{}: {what}", quote(&self.name)))
    }

    fn unreadable(&self, error: &io::Error) -> Mistake {
        self.about(&format!("cannot be read: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    #[test]
    fn a_line_that_was_cut_off_is_no_line() {
        let mut lines = Lines::new(Cursor::new("one\n\ntwo"), "x");
        assert_eq!(lines.next_line().unwrap(), Some(&b"one"[..]));
        assert_eq!(lines.next_line().unwrap(), Some(&b""[..]));
        assert_eq!(lines.next_line().unwrap(), None);
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let mut lines = Lines::new(BufReader::new(io::repeat(b'x')), "a\u{1b}b");
        let told = lines.next_line().expect_err("too long").to_string();
        assert_eq!(told, r#""a\x1bb": line 1: longer than 64 MiB"#);
    }
}
