//! A file of lines, each of which stands for itself, also when the program is killed in the middle of a write.
//!
//! The kernel ends a killed program's write only between two pages of the file. So what is written at a time are whole
//! lines within one page, and what they leave of an old line is made blank by the same write: until the next write there
//! are whole new lines, then whole old ones. A line that would reach from one page into the next begins at the next one:
//! blanks before the end of the line before it fill the page, where the format lets a line end in blanks. A line that is
//! longer than a page, and in a format that knows no blanks one that reaches into the next, is a write of its own; nothing
//! helps that one if the program is killed in the moment between the two pages. What is said last of all may be missing in
//! the middle of a commit; of a file without comments no more can be had.

use std::io;

use crate::cli::outputs::place::{BUFFER, PAGE, Storage};

/// Whether lines of a format may end in blanks that mean nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blanks {
    MeanNothing,
    /// They are part of what the line says.
    Count,
}

/// What is final, and behind it what the next commit takes the place of.
#[derive(Debug)]
pub struct Lines<S> {
    storage: S,
    blanks: Blanks,
    /// Final, and not yet written.
    pending: Vec<u8>,
    /// Where what is final ends in the file.
    end: u64,
    /// Where each line behind it ends, in ascending order.
    closing: Vec<u64>,
}

impl<S: Storage> Lines<S> {
    /// An empty file.
    pub fn new(storage: S, blanks: Blanks) -> Self {
        Self {
            storage,
            blanks,
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
        let old = self.length();
        let mut text = Fitted::behind(self.end, self.blanks);
        text.add(&std::mem::take(&mut self.pending));
        let before = text.end();
        text.add(closing);
        // What fills the page before what is said last belongs to the line before that.
        let end = text.ends.iter().copied().find(|end| *end >= before);
        let end = end.unwrap_or(before);
        let mut at = text.start;
        let mut rest = text.bytes.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.at_a_time(at, rest));
            let next = at + now.len() as u64;
            let mut bytes = now.to_vec();
            bytes.resize((self.old_end(next) - at) as usize, b'\n');
            self.storage.write_at(&bytes, at)?;
            (at, rest) = (next, later);
        }
        self.end = end;
        self.closing = text.ends.into_iter().filter(|at| *at > end).collect();
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

/// Lines as they come to lie in the file.
struct Fitted {
    blanks: Blanks,
    /// Where the bytes begin: at the end of what is final, or at the newline before it.
    start: u64,
    bytes: Vec<u8>,
    /// Where each of them ends, and first where what is final does.
    ends: Vec<u64>,
}

impl Fitted {
    fn behind(end: u64, blanks: Blanks) -> Self {
        Self {
            blanks,
            start: end,
            bytes: Vec::new(),
            ends: vec![end],
        }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn add(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let room = (PAGE - self.end() % PAGE) as usize;
            let length = line.len() as u64;
            let reaches = line.len() > room && length <= PAGE;
            if reaches && self.blanks == Blanks::MeanNothing {
                self.fill(room);
            }
            self.bytes.extend_from_slice(line);
            self.ends.push(self.end());
        }
    }

    /// Fills the page behind the line before.
    fn fill(&mut self, room: usize) {
        if self.bytes.pop().is_none() {
            self.start -= 1;
        }
        self.bytes.resize(self.bytes.len() + room, b' ');
        self.bytes.push(b'\n');
        self.ends.pop();
        self.ends.push(self.end());
    }
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
        let lines = text.lines().map(|line| line.trim_end_matches(' '));
        for line in lines.filter(|line| !line.is_empty()) {
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

    /// Commits of many sizes: each state of the file, and how often it was reached within a write and after one, and how
    /// many lines were not whole.
    fn commits(blanks: Blanks) -> (usize, usize, usize) {
        let mut torn = Torn::default();
        let mut lines = Lines::new(&mut torn, blanks);
        lines.write(&content(0, 30)).expect("a buffer");
        let sizes = [10, 100, 101, 300, 20, 0, 700, 699, 5, 27, 28, 29];
        let (mut within, mut after, mut broken_within) = (0, 0, 0);
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
            let reached = &lines.storage.states.last().expect("a state").bytes;
            assert_eq!(reached.len() as u64, lines.length());
            let mut said = content(0, 30);
            said.extend(closing);
            assert_eq!(without_blanks(reached), without_blanks(&said));
        }
        (within, after, broken_within)
    }

    fn without_blanks(text: &[u8]) -> String {
        let text = str::from_utf8(text).expect("text");
        text.lines()
            .map(|line| line.trim_end_matches(' ').to_owned() + "\n")
            .collect()
    }

    #[test]
    fn a_kill_in_the_middle_of_a_write_glued_new_lines_to_old_ones() {
        let (within, after, broken) = commits(Blanks::Count);
        // Only where a line reaches into the next page.
        assert!(within > 0 && broken > 0 && after > within);
    }

    #[test]
    fn a_kill_between_two_pages_tore_the_line_that_reached_into_both() {
        let (within, after, broken) = commits(Blanks::MeanNothing);
        assert!(within == 0 && broken == 0 && after > 0);
    }

    #[test]
    fn what_is_final_gets_its_blanks_only_once_a_page() {
        let mut torn = Torn::default();
        let mut lines = Lines::new(&mut torn, Blanks::MeanNothing);
        let closing = format!("<1 {}>\n", "x".repeat(600));
        for _ in 0..5000 {
            lines.write(b"<0>\n").expect("a buffer");
            lines.commit(closing.as_bytes()).expect("a commit");
        }
        let lasting = 5000 * 4;
        assert!(lines.end > lasting && lines.end < lasting * 5 / 4 + PAGE);
        let states = &lines.storage.states;
        assert!(states.iter().all(|state| read(state).1 == 0));
    }

    #[test]
    fn lines_that_are_only_added_are_written_page_by_page() {
        for (blanks, per_page) in [(Blanks::MeanNothing, 1), (Blanks::Count, 4)] {
            let mut torn = Torn::default();
            let mut lines = Lines::new(&mut torn, blanks);
            let text = content(0, 500);
            lines.write(&text).expect("a buffer");
            lines.commit(&[]).expect("a commit");
            let states = &lines.storage.states;
            let written = &states.last().expect("a state").bytes;
            assert_eq!(without_blanks(written), without_blanks(&text));
            for state in states.iter().filter(|s| s.reached == Reached::AfterAWrite) {
                assert_eq!(read(state).1, 0);
            }
            let pages = written.len() / PAGE as usize + 1;
            assert!(
                states.len() <= per_page * pages,
                "{} for {pages}",
                states.len()
            );
        }
    }
}
