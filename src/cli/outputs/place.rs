//! Where the bytes of one output go.
//!
//! A file is written in place. Behind what is final stands what makes the file whole if nothing more comes; the next
//! [`commit`](Place::commit) takes its place. A pipe, a terminal and standard output cannot be rewound and get only what is
//! final.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt as _;

use crate::cli::outputs::document::Document;
use crate::cli::outputs::lines::Lines;

/// A file, as far as an output needs one.
pub trait Storage {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;

    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Waits until what was written is safe: a disk may say only then that it is full.
    fn settle(&mut self) -> io::Result<()>;
}

/// The place of one output.
pub enum Place {
    Stream(BufWriter<Box<dyn Write + Send>>),
    /// A file whose lines each stand for themselves.
    Lines(Lines<File>),
    /// A file that is only readable as a whole.
    Document(Document<File>),
}

/// Whether an output can take back what it wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rewinds {
    Yes,
    No,
}

impl Place {
    pub fn stream(out: impl Write + Send + 'static) -> Self {
        Self::Stream(BufWriter::with_capacity(BUFFER, Box::new(out)))
    }

    pub fn rewinds(&self) -> Rewinds {
        match self {
            Self::Stream(_) => Rewinds::No,
            Self::Lines(_) | Self::Document(_) => Rewinds::Yes,
        }
    }

    /// How many bytes the next [`commit`](Self::commit) may have to write again.
    pub fn repeated(&self) -> u64 {
        match self {
            Self::Stream(_) => 0,
            Self::Lines(lines) => lines.repeated(),
            Self::Document(document) => document.repeated(),
        }
    }

    /// Passes on what has gathered, between two records, if it is much.
    pub fn relieve(&mut self) -> io::Result<()> {
        match self {
            // Its buffer passes itself on.
            Self::Stream(_) | Self::Document(_) => Ok(()),
            Self::Lines(lines) => lines.relieve(),
        }
    }

    /// Brings the file up to date: what is final, then `closing`, which the next commit overwrites. A stream takes no
    /// closing.
    pub fn commit(&mut self, closing: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(out) => out.flush(),
            Self::Lines(lines) => lines.commit(closing),
            Self::Document(document) => document.commit(closing),
        }
    }

    /// The last commit was the last: what the disk has to say now is said.
    pub fn settle(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(out) => out.flush(),
            Self::Lines(lines) => lines.settle(),
            Self::Document(document) => document.settle(),
        }
    }

    /// Leaves the file as whole as it can be left after a failure. Nothing is tried again.
    pub fn give_up(self) {
        match self {
            // What is still in the buffer must not be tried again when it is dropped.
            Self::Stream(out) => drop(out.into_parts()),
            Self::Lines(lines) => lines.give_up(),
            Self::Document(document) => document.give_up(),
        }
    }
}

/// What is written here is final.
impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(out) => out.write(bytes),
            Self::Lines(lines) => lines.write(bytes),
            Self::Document(document) => document.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for File {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn settle(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// So much is gathered before it is written.
pub const BUFFER: usize = 1 << 16;

/// The smallest page that Linux has; larger ones are multiples of it.
pub const PAGE: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::outputs::lines::Blanks;

    #[test]
    fn what_is_final_stays_and_the_closing_is_overwritten() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let now = || std::fs::read_to_string(file.path()).expect("text");
        let mut place = Place::Lines(Lines::new(
            file.reopen().expect("the file"),
            Blanks::MeanNothing,
        ));
        place.write_all(b"head\n").expect("a buffer");
        place.commit(b"so far: nothing\n").expect("a write");
        assert_eq!(now(), "head\nso far: nothing\n");
        place.write_all(b"one\n").expect("a buffer");
        place.commit(b"end\n").expect("a write");
        assert_eq!(now(), "head\none\nend\n");
        place.commit(b"").expect("a write");
        assert_eq!(now(), "head\none\n");
        let long = vec![b'x'; BUFFER];
        place.write_all(&long).expect("a buffer");
        place.relieve().expect("a write");
        assert_eq!(now().len(), 9 + BUFFER);
    }
}
