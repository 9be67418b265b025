//! The journal of a scan: what the next run needs to go on where this one ended, however it ended.
//!
//! A file is only ever appended to, in frames that carry their own checksum:
//!
//! ```text
//! "halfopen journal 1\n"
//! frame: head                 JSON: the version, and every setting that decides the list
//! frame: entries              what was found, in its order (`entry`)
//! frame: entries ..
//! ```
//!
//! A program that is killed leaves at most its last frame half written; that one was never whole and is cut off. What is
//! wrong anywhere else is damage, and nothing behind it is believed.

mod entry;
mod frame;
mod head;
mod survey;

pub use entry::write as encode;
pub use frame::{Fault, MOST_BYTES, begin, frame};
pub use head::{Difference, Head};
pub use survey::{Held, Survey, survey};

use std::io::{self, BufRead};

use crate::model::Kept;
use crate::results::journal::frame::Frames;

/// What a journal holds, in its order.
#[derive(Debug)]
pub struct Entries<R> {
    frames: Frames<R>,
    /// Of the present frame, and how much of it is read.
    payload: Vec<u8>,
    read: usize,
}

impl<R: BufRead> Entries<R> {
    /// Reads the head of a file of `length` bytes.
    ///
    /// # Errors
    /// What is wrong with the file; [`Fault::Empty`] where it never came to hold anything.
    pub fn open(input: R, length: u64) -> Result<(Head, Self), Fault> {
        let mut frames = Frames::open(input, length)?;
        let at = frames.at();
        let head = frames.next_frame()?.ok_or(Fault::Empty)?;
        let head = Head::read(&head).ok_or(Fault::Damaged(at))?;
        let entries = Self {
            frames,
            payload: Vec::new(),
            read: 0,
        };
        Ok((head, entries))
    }

    /// Where the last whole frame ends: whatever follows was never written to its end.
    pub fn end(&self) -> u64 {
        self.frames.at()
    }

    /// The next entry.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn next_entry(&mut self) -> Result<Option<Kept>, Fault> {
        while self.read >= self.payload.len() {
            self.payload = match self.frames.next_frame()? {
                Some(payload) => payload,
                None => return Ok(None),
            };
            self.read = 0;
        }
        let mut rest = self.payload.get(self.read..).unwrap_or_default();
        let before = rest.len();
        let entry = entry::read(&mut rest).ok_or(Fault::Damaged(self.frames.last()))?;
        self.read += before - rest.len();
        Ok(Some(entry))
    }
}

/// For whoever has [surveyed](survey) the file before.
impl<R: BufRead> Iterator for Entries<R> {
    type Item = io::Result<Kept>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry()
            .map_err(|fault| io::Error::other(fault.to_string()))
            .transpose()
    }
}
