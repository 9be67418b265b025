//! The order of a walk that asks one host after the other: between two probes to one host every other host gets one.
//!
//! A ceiling for each host is reached by all of them at once only so: in a random order some host is always a few probes
//! ahead, and all others would wait for it.
//!
//! ```text
//! position = round * hosts + turn;  host = shuffled(turn);  port = shuffled((round + start of the host) mod ports)
//! ```

use crate::plan::Shuffle;

/// See the top of the file: a bijection over `0..hosts * ports`, by which every stretch of as many positions as there are
/// hosts, begun at a multiple, meets each host once.
#[derive(Clone, Copy, Debug)]
pub struct Interleave {
    hosts: Shuffle,
    ports: Shuffle,
}

impl Interleave {
    /// The order that belongs to `seed`, over a plan of so many hosts and ports.
    pub fn new(hosts: u64, ports: u64, seed: u64) -> Self {
        Self {
            hosts: Shuffle::new(hosts, seed),
            ports: Shuffle::new(ports, !seed),
        }
    }

    /// The plan's index of a position.
    pub fn index(&self, position: u64) -> u64 {
        let (hosts, ports) = (self.hosts.len(), self.ports.len());
        let host = self.hosts.index(position % hosts);
        let turn = (position / hosts + start(host) % ports) % ports;
        host * ports + self.ports.index(turn)
    }

    /// The position of a plan's index: the inverse of [`index`](Self::index).
    pub fn position(&self, index: u64) -> u64 {
        let (hosts, ports) = (self.hosts.len(), self.ports.len());
        let host = index / ports;
        let turn = self.ports.position(index % ports);
        let round = (turn + ports - start(host) % ports) % ports;
        round * hosts + self.hosts.position(host)
    }
}

/// Hosts begin at different ports: a multiplication by an odd number far from any pattern of addresses.
fn start(host: u64) -> u64 {
    host.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_endpoint_is_met_once_and_every_host_once_a_round() {
        for (hosts, ports) in [(1, 1), (1, 100), (64, 100), (77, 13), (300, 1)] {
            let order = Interleave::new(hosts, ports, 5);
            let met: Vec<u64> = (0..hosts * ports).map(|at| order.index(at)).collect();
            for (at, index) in met.iter().enumerate() {
                assert_eq!(order.position(*index), at as u64, "{hosts} {ports}");
            }
            let all: BTreeSet<u64> = met.iter().copied().collect();
            assert_eq!(all, (0..hosts * ports).collect());
            for round in met.chunks(hosts as usize) {
                let asked: BTreeSet<u64> = round.iter().map(|index| index / ports).collect();
                assert_eq!(asked.len() as u64, hosts);
            }
        }
    }
}
