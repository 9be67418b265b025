//! Bytes of a message, taken from its front: what is not there is `None`, never a panic.

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// What a length in front says; never more than there is.
    pub fn part(&mut self, count: usize) -> Option<Self> {
        self.take(count).map(Self)
    }

    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    /// Everything before this byte, and past it.
    pub fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|byte| *byte == end)?;
        let taken = self.take(at)?;
        self.skip(1)?;
        Some(taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u24(&mut self) -> Option<u32> {
        let [high, middle, low] = self.array()?;
        Some(u32::from_be_bytes([0, high, middle, low]))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_taken() {
        let mut reader = Reader::new(&[1, 2, 3, b'a', 0, 9]);
        assert_eq!(reader.u16(), Some(0x0102));
        assert_eq!(reader.u32_le(), Some(0x0900_6103));
        assert_eq!(reader.u8(), None);
        assert!(reader.is_empty());
        let mut reader = Reader::new(b"ab\0c");
        assert_eq!(reader.until(0), Some(&b"ab"[..]));
        assert_eq!(reader.until(0), None);
        assert_eq!(reader.rest(), b"c");
        assert!(reader.part(2).is_none());
        assert_eq!(reader.u24(), None);
    }
}
