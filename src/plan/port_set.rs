//! The ports to scan, with both directions in constant time.

use std::fmt;
use std::ops::RangeInclusive;

use super::mistake::Mistake;

/// Ports 1-65535, sorted, each once, never empty.
///
/// The rank of a port comes from a bitmap of 8 KiB with a running count per word, which stays in the first-level
/// cache where a table of 65,536 ranks would not.
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet {
    sorted: Vec<u16>,
    bits: Box<[u64; WORDS]>,
    /// How many ports lie in the words before.
    before: Box<[u16; WORDS]>,
}

const WORDS: usize = 65_536 / 64;

impl PortSet {
    /// Makes a set of these ports; port 0, which cannot be scanned, is left out. `None` when nothing is left.
    pub fn new(ports: impl IntoIterator<Item = u16>) -> Option<Self> {
        let mut bits = Box::new([0_u64; WORDS]);
        for port in ports.into_iter().filter(|&port| port != 0) {
            let (word, bit) = place(port);
            bits[word] |= bit;
        }
        Self::from_bits(bits)
    }

    fn from_bits(bits: Box<[u64; WORDS]>) -> Option<Self> {
        let sorted: Vec<u16> = (1..=u16::MAX)
            .filter(|&port| {
                let (word, bit) = place(port);
                bits[word] & bit != 0
            })
            .collect();
        let mut before = Box::new([0_u16; WORDS]);
        let mut sum = 0_u16;
        for (count, word) in before.iter_mut().zip(bits.iter()) {
            *count = sum;
            // At most 65,535 ports in all, and a word has at most 64.
            sum = sum.saturating_add(word.count_ones() as u16);
        }
        (!sorted.is_empty()).then_some(Self {
            sorted,
            bits,
            before,
        })
    }

    /// How many ports, 1 to 65,535.
    #[expect(clippy::len_without_is_empty, reason = "a port set is never empty")]
    pub fn len(&self) -> u32 {
        self.sorted.len() as u32
    }

    /// The port of this rank, `None` at or beyond [`len`](Self::len).
    pub fn port(&self, rank: u32) -> Option<u16> {
        self.sorted.get(rank as usize).copied()
    }

    /// The rank of a port, `None` when it is not in the set.
    pub fn rank(&self, port: u16) -> Option<u32> {
        let (word, bit) = place(port);
        let here = self.bits[word];
        (here & bit != 0).then(|| u32::from(self.before[word]) + (here & (bit - 1)).count_ones())
    }

    /// Whether the port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.rank(port).is_some()
    }

    /// All ports, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.sorted.iter().copied()
    }

    /// The same as the fewest ranges.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        let runs = self.sorted.chunk_by(|&left, &right| left + 1 == right);
        runs.filter_map(|run| Some(*run.first()?..=*run.last()?))
    }

    /// This set without those ports.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn without(&self, excluded: &Self) -> Result<Self, Mistake> {
        let mut bits = self.bits.clone();
        for (word, hole) in bits.iter_mut().zip(excluded.bits.iter()) {
            *word &= !hole;
        }
        Self::from_bits(bits).ok_or_else(|| Mistake::new("nothing left to scan after the excludes"))
    }
}

/// Ranges as one would type them: `22,80,8000-8100`.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, run) in self.ranges().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let (first, last) = run.into_inner();
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortSet({self})")
    }
}

fn place(port: u16) -> (usize, u64) {
    (usize::from(port >> 6), 1 << (port & 63))
}
