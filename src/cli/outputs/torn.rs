//! Where a kill can tear a write.

use std::io;

use crate::cli::outputs::place::{PAGE, Storage};

/// A file that remembers every state in which a kill could have left it.
#[derive(Default)]
pub struct Torn {
    bytes: Vec<u8>,
    pub states: Vec<State>,
}

pub struct State {
    pub bytes: Vec<u8>,
    pub reached: Reached,
}

/// Between two writes a program may be killed at any time; within one only in the moment from one page to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    WithinAWrite,
    AfterAWrite,
}

impl Torn {
    fn keep(&mut self, reached: Reached) {
        let bytes = self.bytes.clone();
        self.states.push(State { bytes, reached });
    }
}

impl Storage for &mut Torn {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut at = at as usize;
        let mut rest = bytes;
        while !rest.is_empty() {
            let in_page = PAGE as usize - at % PAGE as usize;
            let (now, later) = rest.split_at(in_page.min(rest.len()));
            let end = at + now.len();
            if self.bytes.len() < end {
                self.bytes.resize(end, 0);
            }
            self.bytes[at..end].copy_from_slice(now);
            self.keep(if later.is_empty() {
                Reached::AfterAWrite
            } else {
                Reached::WithinAWrite
            });
            (at, rest) = (end, later);
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.bytes.truncate(length as usize);
        self.keep(Reached::AfterAWrite);
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }
}
