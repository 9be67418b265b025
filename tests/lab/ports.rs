//! Port lists of scenarios, and the seeded draw of the open ones.

use std::collections::BTreeSet;

use super::Result;

/// Reads `1-65535`, `22,80,8000-8100`: the small part of the scanner's port language that scenarios need, written
/// apart from the scanner's own reader.
pub fn parse(spec: &str) -> Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for part in spec.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let read = |text: &str| match text.trim().parse::<u16>() {
            Ok(0) | Err(_) => Err(format!("`{text}` in `{spec}` is no port")),
            Ok(port) => Ok(port),
        };
        let (first, last) = (read(first)?, read(last)?);
        if first > last {
            return Err(format!("`{part}` in `{spec}` runs backwards"));
        }
        ports.extend(first..=last);
    }
    Ok(ports)
}

/// `count` of `ports`, the same for the same seed on every machine and in every release.
pub fn draw(ports: &BTreeSet<u16>, count: usize, seed: u64) -> BTreeSet<u16> {
    let mut left: Vec<u16> = ports.iter().copied().collect();
    let mut dice = Dice(seed);
    let mut drawn = BTreeSet::new();
    while drawn.len() < count && !left.is_empty() {
        drawn.insert(left.swap_remove(dice.below(left.len())));
    }
    drawn
}

/// SplitMix64 (Steele, Lea, Flood 2014): a few lines whose stream never changes with a dependency.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0. The bias of the remainder is below 2^-47 for any port list.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).unwrap_or(0)
    }

    /// True in `percent` of 100 calls.
    pub fn falls(&mut self, percent: u8) -> bool {
        self.below(100) < usize::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_is_read_and_malformed_ones_are_refused() {
        assert_eq!(parse("22,80-82").unwrap(), BTreeSet::from([22, 80, 81, 82]));
        assert_eq!(parse("1-65535").unwrap().len(), 65_535);
        for bad in ["", "0", "9-3", "65536", "x", "1-", "-"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_draw_is_exact_in_number_reproducible_and_spread() {
        let all = parse("1-65535").unwrap();
        let drawn = draw(&all, 100, 7);
        assert_eq!(drawn.len(), 100);
        assert_eq!(drawn, draw(&all, 100, 7));
        assert_ne!(drawn, draw(&all, 100, 8));
        let ephemeral = drawn
            .iter()
            .filter(|port| (32_768..=60_999).contains(*port))
            .count();
        assert!(
            (20..70).contains(&ephemeral),
            "{ephemeral} of 100 are ephemeral"
        );
    }

    #[test]
    fn a_draw_of_more_than_there_is_takes_all() {
        let few = parse("5-9").unwrap();
        assert_eq!(draw(&few, 50, 1), few);
    }
}
