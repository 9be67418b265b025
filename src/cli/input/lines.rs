//! A file of targets line by line, whatever is in it: one line is in memory at a time, and it has a longest length.

use std::io::{self, BufRead, ErrorKind};

use crate::cli::saying::reason;

/// The longest line in bytes, without its end.
pub const LONGEST: usize = 4096;

/// Reads lines. Comments (from `#` to the end of the line) are left out, before anybody asks what bytes they are of.
pub struct Lines<R> {
    reader: R,
    number: u64,
    line: Vec<u8>,
}

/// Why a file cannot be read further.
#[derive(Debug)]
pub enum Flaw {
    Io(io::Error),
    TooLong,
    Binary,
    Utf16,
    NotUtf8,
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The number of the line that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its comment and without its end; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a text of lines. Nothing more should be read from it then.
    pub fn next(&mut self) -> Result<Option<&str>, Flaw> {
        self.line.clear();
        if !self.fill().map_err(Flaw::Io)? {
            return Ok(None);
        }
        self.number += 1;
        let mut bytes = self.line.as_slice();
        if self.number == 1 {
            if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                return Err(Flaw::Utf16);
            }
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.contains(&0) {
            return Err(Flaw::Binary);
        }
        if bytes.len() > LONGEST {
            return Err(Flaw::TooLong);
        }
        let text = bytes.split(|&byte| byte == b'#').next().unwrap_or(bytes);
        std::str::from_utf8(text)
            .map(Some)
            .map_err(|_| Flaw::NotUtf8)
    }

    /// Appends bytes up to the end of the line, but no more than are needed to see that it is too long. Whether there
    /// were any.
    fn fill(&mut self) -> io::Result<bool> {
        // The mark of the byte order at the start, and both bytes of the end, do not count.
        const ROOM: usize = LONGEST + 3 + 2;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(!self.line.is_empty());
            }
            let end = available.iter().position(|&byte| byte == b'\n');
            let wanted = end.map_or(available.len(), |at| at + 1);
            let taken = wanted.min(ROOM + 1 - self.line.len());
            self.line.extend_from_slice(&available[..taken]);
            self.reader.consume(taken);
            if self.line.ends_with(b"\n") || self.line.len() > ROOM {
                return Ok(true);
            }
        }
    }
}

/// Printed after the path, and after the line where there is one.
impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&reason(error)),
            Self::TooLong => write!(f, "the line is longer than {LONGEST} bytes"),
            Self::Binary => f.write_str("binary data (a NUL byte), not text"),
            Self::Utf16 => f.write_str("UTF-16 text; save it as UTF-8"),
            Self::NotUtf8 => f.write_str("bytes that are not UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    /// All lines, or how far it came and what was wrong.
    fn read(bytes: impl Read) -> Result<Vec<String>, (u64, String)> {
        let mut lines = Lines::new(BufReader::with_capacity(7, bytes));
        let mut read = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(line)) => read.push(line.to_owned()),
                Ok(None) => return Ok(read),
                Err(flaw) => return Err((lines.number(), flaw.to_string())),
            }
        }
    }

    #[test]
    fn marks_ends_comments_and_blank_lines() {
        assert_eq!(
            read(&b"\xef\xbb\xbf10.0.0.1\r\n\n# all\r\n10.0.0.2 # M\xfcller\n10.0.0.3"[..]),
            Ok(["10.0.0.1", "", "", "10.0.0.2 ", "10.0.0.3"]
                .map(str::to_owned)
                .to_vec())
        );
        assert_eq!(read(&b""[..]), Ok(Vec::new()));
        assert_eq!(read(&b"\n"[..]), Ok(vec![String::new()]));
    }

    #[test]
    fn what_is_no_text_is_named_with_its_line() {
        for (bytes, line, why) in [
            (&b"\xff\xfe1\x000\x00"[..], 1, "UTF-16"),
            (b"\xfe\xff\x001", 1, "UTF-16"),
            (b"a\nb\0c\n", 2, "binary"),
            (b"a\n\nb\xff\n", 3, "not UTF-8"),
        ] {
            let (at, said) = read(bytes).expect_err("it is no text");
            assert_eq!(at, line);
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_line_has_a_longest_length() {
        let exact = "a".repeat(LONGEST);
        for end in ["", "\n", "\r\n"] {
            for mark in ["", "\u{feff}"] {
                let text = format!("{mark}{exact}{end}");
                assert_eq!(read(text.as_bytes()), Ok(vec![exact.clone()]), "{end:?}");
                let (at, said) = read(format!("\n{exact}a{end}").as_bytes()).expect_err("too long");
                assert_eq!((at, said.contains("longer than 4096")), (2, true), "{said}");
            }
        }
    }

    /// The rest of a line without end is not read at all.
    #[test]
    fn a_line_of_a_gibibyte_costs_no_more_than_its_start() {
        struct Counted(u64);
        impl Read for Counted {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'1');
                self.0 += buffer.len() as u64;
                Ok(buffer.len())
            }
        }
        let mut lines = Lines::new(BufReader::new(Counted(0)));
        assert!(matches!(lines.next(), Err(Flaw::TooLong)));
        assert!(lines.line.capacity() < 4 * LONGEST);
        assert!(lines.reader.get_ref().0 < 1 << 16);
    }
}
