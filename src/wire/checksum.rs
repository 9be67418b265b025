//! The Internet checksum (RFC 1071) and its incremental form (RFC 1624).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A running one's-complement sum, not folded yet. A `u64` has room for 2^48 words, so it cannot overflow on a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds bytes as big-endian 16-bit words; an odd last byte counts as the high half of a word (RFC 1071).
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut words = bytes.chunks_exact(4);
        for word in &mut words {
            // Summing 32 bits at a time gives the same fold, because 2^16 = 1 (mod 2^16 - 1).
            self.0 += u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        }
        match *words.remainder() {
            [a] => self.0 += u64::from(u16::from_be_bytes([a, 0])),
            [a, b] => self.0 += u64::from(u16::from_be_bytes([a, b])),
            [a, b, c] => self.0 += u64::from(u32::from_be_bytes([a, b, c, 0])),
            _ => {}
        }
        self
    }

    /// Adds one 16-bit word.
    pub(super) fn word(self, word: u16) -> Self {
        Self(self.0 + u64::from(word))
    }

    /// Adds a 32-bit value as two words.
    pub(super) fn long(self, long: u32) -> Self {
        Self(self.0 + u64::from(long))
    }

    /// Adds another sum.
    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Adds the pseudo header of IPv4 (RFC 9293, 3.1) for an upper-layer packet of `length` bytes.
    pub(super) fn pseudo_v4(
        self,
        source: Ipv4Addr,
        target: Ipv4Addr,
        protocol: u8,
        length: u16,
    ) -> Self {
        self.long(source.to_bits())
            .long(target.to_bits())
            .word(u16::from(protocol))
            .word(length)
    }

    /// Adds the pseudo header of IPv6 (RFC 8200, 8.1) for an upper-layer packet of `length` bytes.
    pub(super) fn pseudo_v6(
        self,
        source: Ipv6Addr,
        target: Ipv6Addr,
        protocol: u8,
        length: u16,
    ) -> Self {
        self.bytes(&source.octets())
            .bytes(&target.octets())
            .word(u16::from(protocol))
            .word(length)
    }

    /// The checksum field: the complement of the folded sum.
    pub(super) fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        // Folded above: the value fits.
        !(sum as u16)
    }

    /// Whether the bytes that were added, their checksum field included, are intact.
    pub(super) fn is_intact(self) -> bool {
        self.finish() == 0
    }
}
