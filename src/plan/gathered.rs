//! Ranges of addresses as they are read, in as little memory as the set that they make needs.

use super::address_range::AddressRange;
use super::mistake::Mistake;

/// Ranges in no order. They are joined whenever they have doubled, so that a list of a million neighbours is one range,
/// and a list that repeats itself does not grow.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    ranges: Vec<AddressRange>,
    join_at: usize,
    most: usize,
}

/// Below so many ranges joining is not worth its time.
const FEW: usize = 1 << 16;

/// More ranges than this that cannot be joined are refused: with what is made of them they would fill some gigabytes.
const MOST: usize = 1 << 23;

impl Default for Gathered {
    fn default() -> Self {
        Self {
            ranges: Vec::new(),
            join_at: FEW,
            most: MOST,
        }
    }
}

impl Gathered {
    /// Adds ranges.
    ///
    /// # Errors
    /// When there are more than memory should be spent on.
    pub(super) fn add(
        &mut self,
        more: impl IntoIterator<Item = AddressRange>,
    ) -> Result<(), Mistake> {
        self.ranges.extend(more);
        if self.ranges.len() > self.join_at {
            AddressRange::join(&mut self.ranges);
            if self.ranges.len() > self.most {
                self.ranges.truncate(self.most);
                return Err(Mistake::new(
                    "more than 8,388,608 addresses and ranges apart; scan them in parts",
                ));
            }
            self.join_at = FEW.max(2 * self.ranges.len());
        }
        Ok(())
    }

    pub(super) fn ranges(&self) -> &[AddressRange] {
        &self.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn single(number: u32) -> AddressRange {
        AddressRange::single(Address::new(std::net::Ipv4Addr::from_bits(number).into()))
    }

    #[test]
    fn neighbours_and_repetitions_take_no_room() {
        let mut gathered = Gathered::default();
        for number in 0..1_000_000 {
            gathered.add([single(number)]).unwrap();
            gathered.add([single(7)]).unwrap();
        }
        assert!(gathered.ranges.capacity() <= 4 * FEW);
        AddressRange::join(&mut gathered.ranges);
        assert_eq!(gathered.ranges.len(), 1);
        assert_eq!(gathered.ranges[0].count(), 1_000_000);
    }

    #[test]
    fn what_cannot_be_joined_has_an_end() {
        let mut gathered = Gathered {
            most: 2 * FEW,
            ..Gathered::default()
        };
        let mut apart = (0..).step_by(2).map(single);
        let refused = std::iter::repeat_with(|| gathered.add(apart.by_ref().take(FEW)))
            .take(8)
            .find_map(Result::err);
        assert!(refused.is_some());
        assert_eq!(gathered.ranges.len(), 2 * FEW);
    }
}
