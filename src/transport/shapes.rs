//! What the stacks of the hosts look like, collected while they are scanned; only where somebody asked for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Address, Shape};

/// A collection that transports add to. Clones are the same collection.
#[derive(Clone, Debug, Default)]
pub struct Shapes(Arc<Mutex<BTreeMap<Address, Vec<Shape>>>>);

impl Shapes {
    /// Adds what was seen of a host, unless it is known or there is enough of it.
    pub fn note(&self, address: Address, shape: Shape) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS && !hosts.contains_key(&address) {
            return;
        }
        let known = hosts.entry(address).or_default();
        if known.len() < PER_HOST && !known.contains(&shape) {
            known.push(shape);
        }
    }

    /// What was seen of a host, in the order in which it came.
    pub fn of(&self, address: Address) -> Vec<Shape> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(&address).cloned().unwrap_or_default()
    }

    /// The hosts of which something was seen.
    pub fn hosts(&self) -> Vec<Address> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.keys().copied().collect()
    }
}

/// A host behind a load balancer shows a few stacks; one that shows more is making them up.
const PER_HOST: usize = 4;

/// Hosts of which it is kept: 20 MB at the most.
const HOSTS: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::model::{Agreed, Sack, Timestamps};

    fn shape(scale: u8) -> Shape {
        Shape::Agreed(Agreed {
            scale: Some(scale),
            timestamps: Timestamps::Agreed,
            sack: Sack::Agreed,
        })
    }

    fn host(number: u32) -> Address {
        Address::new(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn a_host_that_makes_up_stacks_fills_no_memory_and_each_is_kept_once() {
        let shapes = Shapes::default();
        for scale in [7, 7, 8, 1, 2, 3, 4, 5] {
            shapes.note(host(1), shape(scale));
        }
        assert_eq!(shapes.of(host(1)), [7, 8, 1, 2].map(shape));
        for number in 0..70_000 {
            shapes.note(host(number), shape(7));
        }
        assert_eq!(shapes.hosts().len(), HOSTS);
        assert_eq!(shapes.of(host(69_999)), []);
    }
}
