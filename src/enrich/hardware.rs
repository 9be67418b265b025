//! Whose a MAC address is, by the IEEE's registry: `data/mac-registry.bin`, which `scripts/mac-registry` makes and describes.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;

use crate::model::facts::{Hardware, Registered};

/// The network interface of a host on the link, from its MAC address.
pub fn hardware(mac: [u8; 6]) -> Hardware {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        // A test reads the same bytes, so that a program that passed it has them.
        Registry::read(include_bytes!("../../data/mac-registry.bin")).unwrap_or_default()
    });
    Hardware {
        mac,
        registered: REGISTRY.registered(mac),
    }
}

/// The registry, unpacked: 2 MB.
#[derive(Debug, Default)]
struct Registry {
    dated: String,
    /// The longest prefix counts, so those of 36 bits come first.
    blocks: Vec<Block>,
    names: String,
    /// Where in `names` each begins; one more for the end of the last.
    starts: Vec<usize>,
}

/// The prefixes of one length, in order, and the numbers of their names.
#[derive(Debug)]
struct Block {
    bits: u32,
    prefixes: Vec<u64>,
    names: Vec<usize>,
}

impl Registry {
    /// `None` for anything that is no whole registry.
    fn read(packed: &[u8]) -> Option<Self> {
        let mut bytes = Vec::new();
        ZlibDecoder::new(packed)
            .take(LARGEST)
            .read_to_end(&mut bytes)
            .ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, mut rest) = bytes.split_at_checked(end + 1)?;
        let head = std::str::from_utf8(head).ok()?;
        let dated = head.strip_prefix(HEAD)?.trim_end().to_owned();
        let mut blocks = Vec::new();
        for bits in BITS {
            blocks.push(Block::read(bits, &mut rest)?);
        }
        blocks.reverse();
        let count = number(&mut rest)?;
        let names = String::from_utf8(rest.to_vec()).ok()?;
        let mut starts = vec![0];
        starts.extend(names.match_indices('\n').map(|(at, _)| at + 1));
        let is_whole = starts.len() as u64 == count + 1 && starts.last() == Some(&names.len());
        is_whole.then_some(Self {
            dated,
            blocks,
            names,
            starts,
        })
    }

    fn registered(&self, mac: [u8; 6]) -> Registered {
        // The second bit of the first byte (IEEE 802, 8.4): whoever made the address up, not a registry.
        if mac[0] & 0x02 != 0 {
            return Registered::Locally;
        }
        match self.organisation(mac) {
            Some(organisation) => Registered::To {
                organisation: organisation.to_owned(),
                dated: self.dated.clone(),
            },
            None => Registered::Unknown {
                dated: self.dated.clone(),
            },
        }
    }

    fn organisation(&self, mac: [u8; 6]) -> Option<&str> {
        let whole = mac.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        self.blocks.iter().find_map(|block| {
            let at = block.prefixes.binary_search(&(whole >> (48 - block.bits)));
            let name = *block.names.get(at.ok()?)?;
            let (start, end) = (*self.starts.get(name)?, *self.starts.get(name + 1)?);
            self.names.get(start..end - 1)
        })
    }
}

impl Block {
    fn read(bits: u32, rest: &mut &[u8]) -> Option<Self> {
        let count = usize::try_from(number(rest)?).ok()?;
        // Each takes a byte at the least, so that a wrong count asks for no memory.
        if count > rest.len() {
            return None;
        }
        let (mut prefixes, mut names) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut prefix = 0_u64;
        for _ in 0..count {
            prefix = prefix.checked_add(number(rest)?)?;
            prefixes.push(prefix);
        }
        for _ in 0..count {
            names.push(usize::try_from(number(rest)?).ok()?);
        }
        Some(Self {
            bits,
            prefixes,
            names,
        })
    }
}

/// LEB128.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

const HEAD: &str = "halfopen-mac-registry 1 ";
const BITS: [u32; 3] = [24, 28, 36];

/// Bytes unpacked: ten times the registry of 2026.
const LARGEST: u64 = 10 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn organisation(mac: [u8; 6]) -> Option<String> {
        match hardware(mac).registered {
            Registered::To { organisation, .. } => Some(organisation),
            Registered::Locally | Registered::Unknown { .. } => None,
        }
    }

    #[test]
    fn the_registry_knows_whose_a_mac_address_is() {
        let Registered::To {
            organisation: name,
            dated,
        } = hardware([0xb8, 0x27, 0xeb, 1, 2, 3]).registered
        else {
            panic!("not known");
        };
        assert_eq!(name, "Raspberry Pi Foundation");
        assert!(
            dated.as_str() >= "2026-10-17" && dated.len() == 10,
            "{dated}"
        );
        assert_eq!(
            organisation([0, 0x50, 0x56, 0, 0, 1]).as_deref(),
            Some("VMware, Inc.")
        );
        assert_eq!(
            organisation([0, 0, 0, 0, 0, 1]).as_deref(),
            Some("XEROX CORPORATION")
        );
    }

    #[test]
    fn a_smaller_block_counts_more_than_the_larger_one_around_it() {
        // 28 and 36 bits of blocks whose first 24 bits are the registry's own.
        assert_eq!(
            organisation([0xc8, 0x5c, 0xe2, 0x70, 0, 1]).as_deref(),
            Some("SYNERGY SYSTEMS AND SOLUTIONS")
        );
        assert_eq!(
            organisation([0x8c, 0x1f, 0x64, 0xaf, 0xa0, 1]).as_deref(),
            Some("DATA ELECTRONIC DEVICES, INC")
        );
    }

    #[test]
    fn an_address_that_somebody_made_up_is_named_as_such() {
        for mac in [
            [0x52, 0x54, 0, 1, 2, 3],
            [0x02, 0x42, 0xac, 0x11, 0, 2],
            [0xda, 1, 2, 3, 4, 5],
        ] {
            assert_eq!(hardware(mac).registered, Registered::Locally);
        }
    }

    #[test]
    fn an_address_of_nobody_is_unknown_by_a_dated_registry() {
        let unknown = Registered::Unknown {
            dated: "2026-10-17".to_owned(),
        };
        let registry = Registry::read(&packed(b"halfopen-mac-registry 1 2026-10-17\n\0\0\0\0"));
        assert_eq!(registry.expect("empty").registered([0; 6]), unknown);
    }

    #[test]
    fn a_registry_that_is_not_whole_is_none() {
        let good = b"halfopen-mac-registry 1 2026-10-17\n\x01\x05\0\0\0\x01A\n";
        assert!(Registry::read(&packed(good)).is_some());
        for length in 0..good.len() {
            assert!(
                Registry::read(&packed(&good[..length])).is_none(),
                "{length}"
            );
        }
        assert!(Registry::read(b"no zlib").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_registry_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80), mac: [u8; 6]) {
            let mut text = b"halfopen-mac-registry 1 x\n".to_vec();
            text.extend(bytes);
            if let Some(registry) = Registry::read(&packed(&text)) {
                let _ = registry.registered(mac);
            }
        }
    }
}
