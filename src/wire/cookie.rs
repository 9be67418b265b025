//! The cookie: a sequence number that only the target of a probe can know.
//!
//! An answer proves itself by acknowledging it, so nothing has to be stored per probe, and somebody who does not see our
//! packets hits it once in 2^32 tries.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// Makes the sequence numbers of one scan.
///
/// The key must be random for each scan and must not follow from anything that is printed (such as a seed): who knows the
/// key can forge answers. Our own address is not hashed, because NAT on this machine may change it on the way.
#[derive(Clone)]
pub struct Cookie {
    hasher: SipHasher13,
}

impl Cookie {
    /// Takes a 128-bit key.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&key),
        }
    }

    /// The sequence number of a SYN from `source_port` to this endpoint: SipHash-1-3, 32 bits of it.
    pub fn sequence(&self, target: IpAddr, target_port: u16, source_port: u16) -> u32 {
        self.digest(target, target_port, source_port) as u32
    }

    /// The IPv4 identification of the same SYN: other bits of the same hash, so that repeats look alike.
    pub fn identification(&self, target: IpAddr, target_port: u16, source_port: u16) -> u16 {
        (self.digest(target, target_port, source_port) >> 32) as u16
    }

    /// Both of the above at the cost of one.
    pub(crate) fn pair(&self, target: IpAddr, target_port: u16, source_port: u16) -> (u32, u16) {
        let digest = self.digest(target, target_port, source_port);
        (digest as u32, (digest >> 32) as u16)
    }

    fn digest(&self, target: IpAddr, target_port: u16, source_port: u16) -> u64 {
        let [a, b] = target_port.to_be_bytes();
        let [c, d] = source_port.to_be_bytes();
        match target {
            IpAddr::V4(ip) => {
                let [i, j, k, l] = ip.octets();
                self.hasher.hash(&[i, j, k, l, a, b, c, d])
            }
            IpAddr::V6(ip) => {
                let mut input = [0; 20];
                input[..16].copy_from_slice(&ip.octets());
                input[16..].copy_from_slice(&[a, b, c, d]);
                self.hasher.hash(&input)
            }
        }
    }
}

/// The key stays out of logs and panics.
impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cookie(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 2));

    #[test]
    fn every_input_changes_the_sequence() {
        let cookie = Cookie::new([7; 16]);
        let one = cookie.sequence(TARGET, 80, 61000);
        assert_eq!(one, cookie.sequence(TARGET, 80, 61000));
        assert_ne!(one, cookie.sequence(TARGET, 81, 61000));
        assert_ne!(one, cookie.sequence(TARGET, 80, 61001));
        assert_ne!(one, cookie.sequence("10.9.0.3".parse().unwrap(), 80, 61000));
        assert_ne!(
            one,
            cookie.sequence("::10.9.0.2".parse().unwrap(), 80, 61000)
        );
        assert_ne!(one, Cookie::new([8; 16]).sequence(TARGET, 80, 61000));
    }

    #[test]
    fn the_pair_is_the_two_values() {
        let cookie = Cookie::new([7; 16]);
        for target in [TARGET, "fd00::2".parse().unwrap()] {
            assert_eq!(
                cookie.pair(target, 443, 61003),
                (
                    cookie.sequence(target, 443, 61003),
                    cookie.identification(target, 443, 61003)
                )
            );
        }
    }
}
