//! A journal looked through before it is believed: is it whole, and how much does it hold?

use std::collections::HashSet;
use std::io::BufRead;

use crate::model::{Kept, Reason, State};
use crate::results::journal::{Entries, Fault, Head};

/// A journal that can be gone on with.
#[derive(Clone, Debug)]
pub struct Survey {
    pub head: Head,
    pub held: Held,
    /// Where its last whole frame ends, in bytes.
    pub end: u64,
}

/// How much a journal holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Held {
    /// Endpoints that need not be asked again, but for silent ones.
    pub answered: u64,
    pub open: u64,
    /// Endpoints up to this place in the order of the walk are done with, silent ones too.
    pub through: u64,
}

/// Reads a file of `length` bytes from its first to its last.
///
/// # Errors
/// What is wrong with it.
pub fn survey(input: impl BufRead, length: u64) -> Result<Survey, Fault> {
    let (head, mut entries) = Entries::open(input, length)?;
    let mut held = Held::default();
    // As many as one scan holds back at a time.
    let mut claims = HashSet::new();
    while let Some(kept) = entries.next_entry()? {
        match kept {
            Kept::Told(told) if matches!(told.reason, Reason::Local(_)) => {}
            Kept::Told(told) => {
                claims.remove(&told.index);
                held.answered += 1;
                held.open += u64::from(told.state == State::Open);
            }
            Kept::Claimed(claim) => {
                claims.insert(claim.index);
            }
            Kept::Through(through) => {
                claims.clear();
                held.through = held.through.max(through.places);
            }
            Kept::Noted { .. } | Kept::Up { .. } | Kept::Looked(_) => {}
        }
    }
    held.answered += claims.len() as u64;
    Ok(Survey {
        head,
        held,
        end: entries.end(),
    })
}
