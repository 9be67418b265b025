//! Frames: bytes with their length and their checksums.
//!
//! ```text
//! length of the payload, 4 bytes | check of the length, 4 bytes | check of the payload, 8 bytes | payload
//! ```
//!
//! Little-endian; checks are SipHash-1-3 over the place in the file and the bytes, so that no frame is taken for another.

use std::hash::Hasher as _;
use std::io::{self, BufRead, Read as _};

use siphasher::sip::SipHasher13;

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Read(#[from] io::Error),
    /// It is some other file.
    #[error("not a journal of halfopen")]
    Foreign,
    /// Its format is another one.
    #[error("a journal in a format that this version does not know")]
    Format,
    /// Whoever made it was ended before it held anything.
    #[error("empty")]
    Empty,
    /// From this byte on.
    #[error("damaged at byte {0}")]
    Damaged(u64),
}

/// The bytes that a journal begins with, followed by its head.
pub fn begin(head: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    frame(MAGIC.len() as u64, head, &mut bytes);
    bytes
}

/// Appends a frame that will stand at this place of the file. Its payload has at most [`MOST_BYTES`].
pub fn frame(at: u64, payload: &[u8], out: &mut Vec<u8>) {
    let length = payload.len() as u32;
    out.extend(length.to_le_bytes());
    out.extend(length_check(at, length).to_le_bytes());
    out.extend(check(at, payload).to_le_bytes());
    out.extend(payload);
}

/// Reads frames.
#[derive(Debug)]
pub struct Frames<R> {
    input: R,
    length: u64,
    at: u64,
    last: u64,
}

impl<R: BufRead> Frames<R> {
    pub fn open(mut input: R, length: u64) -> Result<Self, Fault> {
        let mut magic = Vec::new();
        input
            .by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        if magic != MAGIC {
            return Err(if MAGIC.starts_with(&magic) {
                Fault::Empty
            } else if magic.starts_with(NAME) {
                Fault::Format
            } else {
                Fault::Foreign
            });
        }
        let at = MAGIC.len() as u64;
        Ok(Self {
            input,
            length,
            at,
            last: at,
        })
    }

    /// Where the next frame begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Where the last one began.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The payload of the next frame; `None` where the file ends, or ends within it.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let left = self.length.saturating_sub(self.at);
        if left < HEAD {
            return Ok(None);
        }
        let mut head = [0; HEAD as usize];
        self.input.read_exact(&mut head)?;
        let [a, b, c, d, e, f, g, h, sum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]);
        if u32::from_le_bytes([e, f, g, h]) != length_check(self.at, length) {
            // After a power loss a file may have its length and not its bytes.
            let hollow = head == [0; HEAD as usize] && self.is_hollow()?;
            return if hollow {
                Ok(None)
            } else {
                Err(Fault::Damaged(self.at))
            };
        }
        if u64::from(length) > left - HEAD {
            return Ok(None);
        }
        let mut payload = vec![0; length as usize];
        self.input.read_exact(&mut payload)?;
        if u64::from_le_bytes(sum) != check(self.at, &payload) {
            // The last one may not have been written to its end.
            let last = u64::from(length) == left - HEAD;
            return if last {
                Ok(None)
            } else {
                Err(Fault::Damaged(self.at))
            };
        }
        self.last = self.at;
        self.at += HEAD + u64::from(length);
        Ok(Some(payload))
    }

    /// Whether nothing but zeros follows.
    fn is_hollow(&mut self) -> Result<bool, Fault> {
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            let count = bytes.len();
            self.input.consume(count);
        }
    }
}

fn check(at: u64, payload: &[u8]) -> u64 {
    let mut hash = SipHasher13::new_with_keys(KEY, at);
    hash.write(payload);
    hash.finish()
}

fn length_check(at: u64, length: u32) -> u32 {
    check(at, &length.to_le_bytes()) as u32
}

/// The most that one frame holds.
pub const MOST_BYTES: usize = 1 << 26;
const NAME: &[u8] = b"halfopen journal ";
const MAGIC: &[u8] = b"halfopen journal 1\n";
const KEY: u64 = u64::from_le_bytes(*b"journal1");
const HEAD: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = begin(payloads[0]);
        for payload in &payloads[1..] {
            let at = bytes.len() as u64;
            frame(at, payload, &mut bytes);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(usize, u64), Fault> {
        let mut frames = Frames::open(bytes, bytes.len() as u64)?;
        let mut count = 0;
        while frames.next_frame()?.is_some() {
            count += 1;
        }
        Ok((count, frames.at()))
    }

    #[test]
    fn a_file_that_was_cut_anywhere_is_whole_up_to_its_last_frame() {
        let bytes = file(&[b"head", b"one", b"three"]);
        let ends = [MAGIC.len(), 39, 58, 79];
        assert_eq!(bytes.len(), ends[3]);
        for cut in 0..=bytes.len() {
            let frames = ends.iter().filter(|end| **end <= cut).count();
            match read(&bytes[..cut]) {
                Err(Fault::Empty) => assert_eq!(frames, 0),
                other => assert_eq!(other.unwrap(), (frames - 1, ends[frames - 1] as u64)),
            }
            // The bytes of the last frame may be missing although the file has its length.
            if frames > 0 && cut > ends[frames - 1] {
                let mut hollow = bytes[..ends[frames - 1]].to_vec();
                hollow.resize(cut + 4096, 0);
                assert_eq!(read(&hollow).unwrap().1, ends[frames - 1] as u64);
            }
        }
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let bytes = file(&[b"head", b"one", b"three"]);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let found = read(&bad);
            match at {
                0..17 => assert!(matches!(found, Err(Fault::Foreign)), "{at}"),
                17..19 => assert!(matches!(found, Err(Fault::Format)), "{at}"),
                19..58 => assert!(matches!(found, Err(Fault::Damaged(_))), "{at}"),
                // A wrong length is damage even at the end; wrong bytes there may just be late.
                58..66 => assert!(matches!(found, Err(Fault::Damaged(58))), "{at}"),
                _ => assert_eq!(found.unwrap().0, 2, "{at}"),
            }
        }
    }
}
