//! A file of lines, each of which stands for itself, also when the program is killed in the middle of a write.
//!
//! The kernel ends a killed program's write only between two pages of the file. So what is written at a time are whole
//! lines within one page, and what they leave of an old line is made blank by the same write: until the next write there
//! are whole new lines, then whole old ones. A line that reaches from one page into the next is a write of its own. Nothing
//! helps it if the program is killed in the moment between the two pages, and what is said last of all may be missing in the
//! middle of a commit; of a file without comments no more can be had.

use std::io;

use crate::cli::outputs::place::{BUFFER, PAGE, Storage};

/// What is final, and behind it what the next commit takes the place of.
#[derive(Debug)]
pub struct Lines<S> {
    storage: S,
    /// Final, and not yet written.
    pending: Vec<u8>,
    /// Where what is final ends in the file.
    end: u64,
    /// Where each line behind it ends, in ascending order.
    closing: Vec<u64>,
}

impl<S: Storage> Lines<S> {
    /// An empty file.
    pub fn new(storage: S) -> Self {
        Self {
            storage,
            pending: Vec::new(),
            end: 0,
            closing: Vec::new(),
        }
    }

    /// Adds to what is final.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// How many bytes the next commit takes the place of.
    pub fn repeated(&self) -> u64 {
        self.length() - self.end
    }

    /// Writes what has gathered if it is much.
    pub fn relieve(&mut self) -> io::Result<()> {
        if self.pending.len() < BUFFER {
            return Ok(());
        }
        self.commit(&[])
    }

    /// Writes what is final, then these lines.
    pub fn commit(&mut self, closing: &[u8]) -> io::Result<()> {
        let lasting = self.pending.len() as u64;
        self.pending.extend_from_slice(closing);
        let text = std::mem::take(&mut self.pending);
        let mut at = self.end;
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.at_a_time(at, rest));
            let next = at + now.len() as u64;
            let mut bytes = now.to_vec();
            bytes.resize((self.old_end(next) - at) as usize, b'\n');
            self.storage.write_at(&bytes, at)?;
            (at, rest) = (next, later);
        }
        let old = self.length();
        self.end += lasting;
        self.closing = ends(self.end, closing);
        let length = self.length();
        if length < old {
            self.storage.cut(length)?;
        }
        Ok(())
    }

    pub fn settle(&mut self) -> io::Result<()> {
        self.storage.settle()
    }

    /// After a failure what is final stands.
    pub fn give_up(mut self) {
        // Best effort: what failed is said already.
        let _ = self.storage.cut(self.end);
    }

    fn length(&self) -> u64 {
        self.closing.last().copied().unwrap_or(self.end)
    }

    /// How many bytes of these lines are written next: as many lines as the page holds together with the rest of an old
    /// line, but at least one.
    fn at_a_time(&self, at: u64, lines: &[u8]) -> usize {
        let page_end = (at / PAGE + 1) * PAGE;
        let mut taken = 0;
        let mut next = 0;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            next += line.len();
            if at + next as u64 > page_end {
                break;
            }
            if self.old_end(at + next as u64) <= page_end {
                taken = next;
            }
        }
        if taken > 0 {
            return taken;
        }
        let first = lines.iter().position(|byte| *byte == b'\n');
        first.map_or(lines.len(), |newline| newline + 1)
    }

    /// Where the old line ends that this place is in.
    fn old_end(&self, place: u64) -> u64 {
        let before = self.closing.partition_point(|end| *end < place);
        self.closing.get(before).copied().unwrap_or(place)
    }
}

/// Where each of these lines ends, of which the first begins here.
fn ends(start: u64, lines: &[u8]) -> Vec<u64> {
    let mut at = start;
    let line = |line: &[u8]| {
        at += line.len() as u64;
        at
    };
    lines
        .split_inclusive(|byte| *byte == b'\n')
        .map(line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::outputs::torn::{Reached, State, Torn};

    fn content(version: usize, lines: usize) -> Vec<u8> {
        let line = |at: usize| format!("<{version} {at} {}>\n", "x".repeat(at * 7 % 150));
        (0..lines).map(line).collect::<String>().into_bytes()
    }

    /// The versions whose lines there are, in their order, and how many lines are not whole.
    fn read(state: &State) -> (Vec<String>, usize) {
        let text = std::str::from_utf8(&state.bytes).expect("text");
        let (mut versions, mut broken) = (Vec::new(), 0);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let whole = line.starts_with('<')
                && line.ends_with('>')
                && line.matches(['<', '>']).count() == 2;
            if whole {
                versions.push(line[1..].split(' ').next().unwrap_or_default().to_owned());
            } else {
                broken += 1;
            }
        }
        versions.dedup();
        (versions, broken)
    }

    #[test]
    fn a_kill_in_the_middle_of_a_write_glued_new_lines_to_old_ones() {
        let mut torn = Torn::default();
        let mut lines = Lines::new(&mut torn);
        lines.write(&content(0, 30)).expect("a buffer");
        let sizes = [10, 100, 101, 300, 20, 0, 700, 699, 5];
        let (mut within, mut after, mut broken_within) = (0, 0, 0);
        let mut last = Vec::new();
        for (number, size) in (1_usize..).zip(sizes) {
            lines.storage.states.clear();
            let closing = content(number, size);
            lines.commit(&closing).expect("a commit");
            for state in &lines.storage.states {
                let (versions, broken) = read(state);
                if state.reached == Reached::AfterAWrite {
                    after += 1;
                    assert_eq!(broken, 0);
                } else {
                    within += 1;
                    broken_within += broken;
                    assert!(broken <= 2, "{broken}");
                }
                // What is final, then new lines, then old ones.
                assert!(versions.len() <= 4 && versions[0] == "0", "{versions:?}");
            }
            last = content(0, 30);
            last.extend(closing);
            assert_eq!(lines.storage.states.last().expect("a state").bytes, last);
        }
        // Only where a line reaches into the next page.
        assert!(within > 0 && broken_within > 0 && after > within);
        assert_eq!(lines.length(), last.len() as u64);
    }

    #[test]
    fn lines_that_are_only_added_are_written_page_by_page() {
        let mut torn = Torn::default();
        let mut lines = Lines::new(&mut torn);
        let text = content(0, 500);
        lines.write(&text).expect("a buffer");
        lines.commit(&[]).expect("a commit");
        let states = &lines.storage.states;
        assert_eq!(states.last().expect("a state").bytes, text);
        for state in states.iter().filter(|s| s.reached == Reached::AfterAWrite) {
            assert_eq!(read(state).1, 0);
        }
        // Two writes a page, one of them of the line between two pages.
        let pages = text.len() / PAGE as usize + 1;
        assert!(states.len() <= 4 * pages, "{} for {pages}", states.len());
    }
}
