//! Which questions to the routing tables have the same answer. Pure.
//!
//! Routing by destination looks at nothing but the prefixes in rules and tables. Two addresses that lie in exactly the same
//! prefixes of all tables and rules are therefore routed the same, and as prefixes nest, that is so when the longest of
//! all prefixes that hold them is the same one. Asking the kernel which prefix *it* matched would not do: a longer one may
//! lie inside it.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

/// The prefixes of all routes and rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    nets: HashSet<IpNet>,
    /// The lengths that occur, per family, so that a look-up tries only those.
    lengths_v4: BTreeSet<u8>,
    lengths_v6: BTreeSet<u8>,
    completeness: Completeness,
}

/// Whether all prefixes are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Completeness {
    #[default]
    Whole,
    /// Then every address is a question of its own.
    Overflowed,
}

/// A full Internet table would take more memory than it saves.
const MOST: usize = 50_000;

impl Prefixes {
    pub(super) fn insert(&mut self, ip: IpAddr, length: u8) {
        let Ok(net) = IpNet::new(ip, length) else {
            self.completeness = Completeness::Overflowed;
            return;
        };
        if self.nets.len() >= MOST {
            self.completeness = Completeness::Overflowed;
            return;
        }
        self.nets.insert(net.trunc());
        match ip {
            IpAddr::V4(_) => self.lengths_v4.insert(length),
            IpAddr::V6(_) => self.lengths_v6.insert(length),
        };
    }

    /// The key under which the route of `ip` may be remembered.
    pub(super) fn key(&self, ip: IpAddr) -> IpNet {
        let lengths = match ip {
            IpAddr::V4(_) => &self.lengths_v4,
            IpAddr::V6(_) => &self.lengths_v6,
        };
        if self.completeness == Completeness::Overflowed {
            return IpNet::from(ip);
        }
        let nets = lengths
            .iter()
            .rev()
            .filter_map(|length| IpNet::new(ip, *length).ok());
        let mut nets = nets.map(|net| net.trunc());
        nets.find(|net| self.nets.contains(net))
            .unwrap_or_else(|| everything(ip))
    }
}

/// The prefix of length 0: what no route and no rule names is routed (or refused) alike.
fn everything(ip: IpAddr) -> IpNet {
    IpNet::new(ip, 0).map_or_else(|_| IpNet::from(ip), |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefixes: &Prefixes, ip: &str) -> String {
        prefixes.key(ip.parse().expect("address")).to_string()
    }

    #[test]
    fn the_longest_prefix_of_all_tables_decides() {
        let mut prefixes = Prefixes::default();
        for (ip, length) in [
            ("0.0.0.0", 0),
            ("10.0.0.0", 8),
            ("10.9.0.0", 24),
            ("10.9.0.7", 32),
            ("2001:db8::", 32),
        ] {
            prefixes.insert(ip.parse().expect("address"), length);
        }
        assert_eq!(key(&prefixes, "10.1.2.3"), "10.0.0.0/8");
        assert_eq!(key(&prefixes, "10.9.0.8"), "10.9.0.0/24");
        assert_eq!(key(&prefixes, "10.9.0.7"), "10.9.0.7/32");
        assert_eq!(key(&prefixes, "192.0.2.1"), "0.0.0.0/0");
        assert_eq!(key(&prefixes, "2001:db8::9"), "2001:db8::/32");
        assert_eq!(key(&prefixes, "2001:db9::9"), "::/0");
    }

    #[test]
    fn too_many_prefixes_make_every_address_a_question() {
        let mut prefixes = Prefixes::default();
        for number in 0..=MOST as u32 {
            prefixes.insert(IpAddr::V4((number << 8).into()), 24);
        }
        assert_eq!(key(&prefixes, "0.0.1.9"), "0.0.1.9/32");
    }
}
