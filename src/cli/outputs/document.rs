//! An XML file that is well-formed at every instant, also when the program is killed between any two pages of a write.
//!
//! The kernel ends a killed program's write only between two pages of the file, so whatever lies within one page is
//! written whole or not at all. The file is a head, four blanks (the switch), and the document's current content. Small
//! content is overwritten within its page. Otherwise the new content is written twice:
//!
//! 1. Behind the old content's last tag, as one processing instruction that grows page by page:
//!    `<?h --> content <?h ?>`. A page is linked to the one before it when it is complete.
//! 2. The switch becomes `<!--`: the old content is a comment now, which ends at the `-->` of step 1, so what follows it
//!    is the content.
//! 3. The new content overwrites the old, still within the comment.
//! 4. The switch becomes blanks again: what follows is the new content, and the copy is an instruction once more.
//! 5. The copy is cut off.
//!
//! For this the content has no instructions, no two hyphens in a row, and lines that end between tags and fit into a page.

use std::io;

use crate::cli::outputs::place::{PAGE, Storage};

/// The file, and where in it the content lies.
#[derive(Debug)]
pub struct Document<S> {
    storage: S,
    head: Vec<u8>,
    place: Option<Content>,
}

#[derive(Clone, Copy, Debug)]
struct Content {
    switch: u64,
    start: u64,
    /// In bytes.
    length: u64,
}

impl Content {
    fn end(self) -> u64 {
        self.start + self.length
    }
}

impl<S: Storage> Document<S> {
    /// An empty file.
    pub fn new(storage: S) -> Self {
        Self {
            storage,
            head: Vec::new(),
            place: None,
        }
    }

    /// Adds to the head. Nothing may be added once it is written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.place.is_some() {
            return Err(io::Error::other("the head of the document is written"));
        }
        self.head.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// How many bytes of content there are.
    pub fn repeated(&self) -> u64 {
        self.place.map_or(0, |content| content.length)
    }

    /// Makes these lines the content.
    pub fn commit(&mut self, content: &[u8]) -> io::Result<()> {
        let Some(old) = self.place else {
            return self.begin(content);
        };
        let new = Content {
            length: content.len() as u64,
            ..old
        };
        let last = old.end().max(new.end()).saturating_sub(1);
        if old.start / PAGE == last / PAGE {
            let mut padded = content.to_vec();
            padded.resize(padded.len().max(old.length as usize), b'\n');
            self.storage.write_at(&padded, old.start)?;
        } else {
            self.replace(old, new, content)?;
        }
        self.place = Some(new);
        self.storage.cut(new.end())
    }

    pub fn settle(&mut self) -> io::Result<()> {
        self.storage.settle()
    }

    /// After a failure the old content still stands, and what is behind it can go.
    pub fn give_up(mut self) {
        if let Some(content) = self.place {
            // The switch first: it may be the one thing that still works on a full disk.
            let _ = self.storage.write_at(OFF, content.switch);
            let _ = self.storage.cut(content.end());
        }
    }

    fn begin(&mut self, content: &[u8]) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.head);
        // The switch lies within one page.
        while (bytes.len() as u64 + OFF.len() as u64 - 1) / PAGE != bytes.len() as u64 / PAGE {
            bytes.push(b'\n');
        }
        let switch = bytes.len() as u64;
        bytes.extend_from_slice(OFF);
        bytes.push(b'\n');
        let place = Content {
            switch,
            start: bytes.len() as u64,
            length: content.len() as u64,
        };
        bytes.extend_from_slice(content);
        self.storage.write_at(&bytes, 0)?;
        self.place = Some(place);
        Ok(())
    }

    fn replace(&mut self, old: Content, new: Content, content: &[u8]) -> io::Result<()> {
        let copy = old.end().max(new.end()).next_multiple_of(PAGE);
        self.blank(old.end(), copy)?;
        let mut at = copy;
        let mut rest = content;
        while at == copy || !rest.is_empty() {
            let (page, later) = page(rest);
            self.storage.write_at(&page, at)?;
            if at > copy {
                self.storage.write_at(LINK, at - LINK.len() as u64)?;
            }
            (at, rest) = (at + page.len() as u64, later);
        }
        self.storage.write_at(ON, old.switch)?;
        self.storage.write_at(content, old.start)?;
        if new.end() < old.end() {
            self.blank(new.end(), old.end())?;
        }
        self.storage.write_at(OFF, old.switch)
    }

    fn blank(&mut self, from: u64, to: u64) -> io::Result<()> {
        let blanks = [b'\n'; PAGE as usize];
        let mut from = from;
        while from < to {
            let some = blanks.len().min((to - from) as usize);
            self.storage.write_at(&blanks[..some], from)?;
            from += some as u64;
        }
        Ok(())
    }
}

/// As many of these lines as fit on a page that is an instruction, and the rest.
fn page(lines: &[u8]) -> (Vec<u8>, &[u8]) {
    let room = PAGE as usize - OPEN.len() - CLOSE.len();
    let mut taken = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        // A line with no room on any page (reports have none) is still written, only not as safe from a kill.
        if taken > 0 && taken + line.len() > room {
            break;
        }
        taken += line.len();
    }
    let (now, later) = lines.split_at(taken);
    let mut page = OPEN.to_vec();
    page.extend_from_slice(now);
    page.resize(page.len().max(OPEN.len() + room), b' ');
    page.extend_from_slice(CLOSE);
    (page, later)
}

const OFF: &[u8] = b"    ";
const ON: &[u8] = b"<!--";
const OPEN: &[u8] = b"<?h -->\n";
const CLOSE: &[u8] = b"<?h ?>";
/// In the place of [`CLOSE`] it makes the next page part of the same instruction.
const LINK: &[u8] = b"<!--  ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::outputs::torn::Torn;

    fn content(version: usize, elements: usize) -> Vec<u8> {
        let mut text = String::new();
        for element in 0..elements {
            let long = "-x".repeat(element % 300);
            text.push_str(&format!(
                "<a version=\"{version}\" at=\"{element}\" long=\"{long}\"/>\n"
            ));
        }
        text.push_str("</root>\n");
        text.into_bytes()
    }

    fn version(state: &[u8]) -> (usize, usize) {
        let text = std::str::from_utf8(state).expect("text");
        let document =
            roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
        let mut versions: Vec<&str> = document
            .descendants()
            .filter_map(|node| node.attribute("version"))
            .collect();
        let elements = versions.len();
        versions.dedup();
        assert!(versions.len() <= 1, "{versions:?}");
        let version = versions
            .first()
            .map_or(0, |text| text.parse().expect("a number"));
        (version, elements)
    }

    #[test]
    fn it_is_well_formed_and_old_or_new_wherever_a_write_is_torn() {
        for head in [20, 4_080, 4_090, 4_094, 9_000] {
            let mut torn = Torn::default();
            let mut document = Document::new(&mut torn);
            let mut root = b"<root>".to_vec();
            root.resize(head, b'\n');
            document.write(&root).expect("a head");
            let sizes = [0, 3, 10, 40, 41, 200, 100, 100, 300, 2, 0, 60];
            let mut before = (0, 0);
            for (number, elements) in (1_usize..).zip(sizes) {
                document.storage.states.clear();
                document
                    .commit(&content(number, elements))
                    .expect("a commit");
                let now = (if elements > 0 { number } else { 0 }, elements);
                let states = std::mem::take(&mut document.storage.states);
                // The head and the first content are one write: nothing is whole before it.
                let first = if number == 1 { states.len() - 1 } else { 0 };
                for state in &states[first..] {
                    let found = version(&state.bytes);
                    assert!(
                        found == before || found == now,
                        "{found:?}, not {before:?} or {now:?}"
                    );
                }
                let last = &states.last().expect("a state").bytes;
                assert_eq!(version(last), now);
                let text = String::from_utf8_lossy(last);
                assert!(
                    !text.contains("<?h") && !text.contains("<!--"),
                    "traces are left"
                );
                before = now;
            }
        }
    }

    #[test]
    fn a_failure_leaves_the_old_content() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut document = Document::new(file.reopen().expect("the file"));
        document.write(b"<root>").expect("a head");
        document.commit(&content(1, 50)).expect("a commit");
        let whole = std::fs::read(file.path()).expect("bytes");
        let old = document.place.expect("written");
        // As if the disk had become full in the middle of the copy, or behind the switch.
        document
            .storage
            .write_at(b"<?h --> half", old.end())
            .expect("a write");
        document.storage.write_at(ON, old.switch).expect("a write");
        document.give_up();
        assert_eq!(std::fs::read(file.path()).expect("bytes"), whole);
    }
}
