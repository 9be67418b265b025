//! One bit per endpoint, with a count and a fast walk over the bits that are not set.

/// A fixed set of bits.
pub struct Bitmap {
    words: Vec<u64>,
    len: u64,
    ones: u64,
}

impl Bitmap {
    /// `len` bits, all clear. Memory is `len / 8` bytes, which the kernel hands out as bits are first set.
    pub fn new(len: u64) -> Self {
        let words = usize::try_from(len.div_ceil(64)).unwrap_or(usize::MAX);
        Self {
            words: vec![0; words],
            len,
            ones: 0,
        }
    }

    pub fn zeros(&self) -> u64 {
        self.len - self.ones
    }

    pub fn ones(&self) -> u64 {
        self.ones
    }

    /// Set where this one is clear.
    pub fn inverted(&self) -> Self {
        let mut words: Vec<u64> = self.words.iter().map(|word| !word).collect();
        let rest = self.len % 64;
        if rest > 0
            && let Some(last) = words.last_mut()
        {
            *last &= (1 << rest) - 1;
        }
        Self {
            words,
            len: self.len,
            ones: self.zeros(),
        }
    }

    /// Whether bit `at` is set; false beyond the end.
    pub fn has(&self, at: u64) -> bool {
        self.words
            .get((at / 64) as usize)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Sets bit `at`; true if it was clear before.
    pub fn set(&mut self, at: u64) -> bool {
        if at >= self.len || self.has(at) {
            return false;
        }
        self.words[(at / 64) as usize] |= 1 << (at % 64);
        self.ones += 1;
        true
    }

    /// Clears bit `at`.
    pub fn clear(&mut self, at: u64) {
        if self.has(at) {
            self.words[(at / 64) as usize] &= !(1 << (at % 64));
            self.ones -= 1;
        }
    }

    /// The first clear bit at or after `from`.
    pub fn next_zero(&self, from: u64) -> Option<u64> {
        if from >= self.len {
            return None;
        }
        let mut word = (from / 64) as usize;
        let mut free = !self.words[word] & (u64::MAX << (from % 64));
        loop {
            if free != 0 {
                let at = word as u64 * 64 + u64::from(free.trailing_zeros());
                return (at < self.len).then_some(at);
            }
            word += 1;
            free = !*self.words.get(word)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn walks_exactly_the_clear_bits(len in 0u64..400, set in prop::collection::vec(0u64..400, 0..300)) {
            let mut map = Bitmap::new(len);
            let mut model = vec![false; len as usize];
            for at in set {
                let fresh = at < len && !model[at as usize];
                prop_assert_eq!(map.set(at), fresh);
                if fresh {
                    model[at as usize] = true;
                }
            }
            let mut walked = Vec::new();
            let mut at = 0;
            while let Some(next) = map.next_zero(at) {
                walked.push(next);
                at = next + 1;
            }
            let clear: Vec<u64> = (0..len).filter(|&at| !model[at as usize]).collect();
            prop_assert_eq!(map.zeros(), clear.len() as u64);
            prop_assert_eq!(walked, clear.clone());
            let inverted = map.inverted();
            prop_assert_eq!(inverted.ones(), clear.len() as u64);
            let set: Vec<u64> = (0..len + 70).filter(|&at| inverted.has(at)).collect();
            prop_assert_eq!(set, clear);
        }
    }
}
