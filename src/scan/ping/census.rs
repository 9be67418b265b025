//! What is known of each host while hosts are looked for: one byte each.

use std::collections::HashMap;

use crate::plan::{AddressRange, TargetSet};

/// Hosts by their rank among the targets.
#[derive(Debug)]
pub struct Census {
    hosts: Vec<u8>,
    up: u64,
    /// Confirmed neighbours that have not answered otherwise, by host, and their link addresses.
    neighbours: HashMap<u64, Option<[u8; 6]>>,
}

/// It has answered.
const UP: u8 = 1;
/// A question to it left this machine.
const ASKED: u8 = 1 << 1;
/// It is on a link where neighbours must be resolved first.
const LINK: u8 = 1 << 2;
/// Its neighbour entry is confirmed.
const RESOLVED: u8 = 1 << 3;
const TRY: u8 = 1 << 4;
const TRIES: u8 = 0b11 << 4;
/// The gateway before it does not answer, or this machine drops its answers, so that no question came to anything.
const CUT_OFF: u8 = 1 << 6;

impl Census {
    /// Echo requests to one host, at most.
    pub const MOST_TRIES: u8 = 3;

    /// Of this many hosts; the caller bounds them.
    pub fn new(hosts: u64) -> Self {
        Self {
            hosts: vec![0; usize::try_from(hosts).unwrap_or(0)],
            up: 0,
            neighbours: HashMap::new(),
        }
    }

    fn of(&self, host: u64) -> u8 {
        let at = usize::try_from(host).ok();
        at.and_then(|at| self.hosts.get(at)).copied().unwrap_or(0)
    }

    fn set(&mut self, host: u64, bits: u8) {
        let at = usize::try_from(host).ok();
        if let Some(known) = at.and_then(|at| self.hosts.get_mut(at)) {
            *known |= bits;
        }
    }

    /// It has answered; whether for the first time.
    pub fn answered(&mut self, host: u64) -> bool {
        let news = !self.is_up(host) && host < self.hosts.len() as u64;
        if news {
            self.set(host, UP | ASKED);
            self.up += 1;
            self.neighbours.remove(&host);
        }
        news
    }

    pub fn is_up(&self, host: u64) -> bool {
        self.of(host) & UP != 0
    }

    /// Hosts that have answered.
    pub fn up(&self) -> u64 {
        self.up
    }

    pub fn are_all_up(&self) -> bool {
        self.up == self.hosts.len() as u64
    }

    pub fn asked(&mut self, host: u64) {
        self.set(host, ASKED);
    }

    /// The gateway before it does not answer, or this machine drops what it answers.
    pub fn cut_off(&mut self, host: u64) {
        self.set(host, CUT_OFF);
    }

    /// Hosts that have not answered, and that our own side could not ask either.
    pub fn untold(&self) -> u64 {
        let is_untold = |known: u8| match known & (UP | CUT_OFF) {
            0 => known & ASKED == 0,
            CUT_OFF => true,
            _ => false,
        };
        let untold = self.hosts.iter().filter(|known| is_untold(**known));
        untold.count() as u64
    }

    /// It is behind a link where neighbours must be resolved.
    pub fn is_on_link(&mut self, host: u64) {
        self.set(host, LINK);
    }

    /// An echo request was tried.
    pub fn tried(&mut self, host: u64) {
        if self.tries(host) < Self::MOST_TRIES {
            let at = usize::try_from(host).ok();
            if let Some(known) = at.and_then(|at| self.hosts.get_mut(at)) {
                *known += TRY;
            }
        }
    }

    fn tries(&self, host: u64) -> u8 {
        (self.of(host) & TRIES) / TRY
    }

    /// Whether an echo request is worth its packet. One to a neighbour that is not resolved would take a place in the
    /// machine's neighbour table, and is asked for by the probes that mind that.
    pub fn wants_echo(&self, host: u64) -> bool {
        let known = self.of(host);
        let reachable = known & LINK == 0 || known & RESOLVED != 0;
        known & UP == 0 && reachable && self.tries(host) < Self::MOST_TRIES
    }

    /// The kernel has an answer of this neighbour.
    pub fn resolved(&mut self, host: u64, hardware: Option<[u8; 6]>) {
        self.set(host, RESOLVED | ASKED);
        if !self.is_up(host) {
            self.neighbours.insert(host, hardware);
        }
    }

    pub fn is_resolved(&self, host: u64) -> bool {
        self.of(host) & RESOLVED != 0
    }

    /// The hosts that nothing but their neighbour entry proves. A link address that answers for a crowd is a router that
    /// answers for all (proxy ARP), and proves nothing.
    pub fn proven_by_link(&self) -> Vec<u64> {
        let mut crowds: HashMap<[u8; 6], u64> = HashMap::new();
        for hardware in self.neighbours.values().flatten() {
            *crowds.entry(*hardware).or_default() += 1;
        }
        let crowded = |hardware: &Option<[u8; 6]>| {
            hardware.is_some_and(|hardware| crowds.get(&hardware).is_some_and(|n| *n > CROWD))
        };
        let mut hosts: Vec<u64> = self
            .neighbours
            .iter()
            .filter(|(_, hardware)| !crowded(hardware))
            .map(|(host, _)| *host)
            .collect();
        hosts.sort_unstable();
        hosts
    }

    /// The targets that have answered, or those that have not; `None` where there are none.
    pub fn part(&self, targets: &TargetSet, which: Which) -> Option<TargetSet> {
        let wanted = |host: u64| self.is_up(host) == (which == Which::Up);
        let mut ranges = Vec::new();
        let mut first = 0;
        for range in targets.ranges() {
            // The set numbers its hosts with a u64.
            let behind = first + range.count() as u64;
            let mut host = first;
            while host < behind {
                let run = (host..behind).take_while(|host| wanted(*host)).count() as u64;
                if run > 0
                    && let (Some(from), Some(to)) =
                        (targets.host(host), targets.host(host + run - 1))
                {
                    ranges.extend(AddressRange::new(from, to));
                }
                host += run + 1;
            }
            first = behind;
        }
        TargetSet::new(&ranges, &[]).ok()
    }
}

/// Which hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    Up,
    Silent,
}

/// So many addresses one machine may well have.
const CROWD: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(texts: &[&str]) -> TargetSet {
        TargetSet::parse(texts, &[]).expect("targets")
    }

    fn told(set: Option<TargetSet>) -> String {
        let ranges: Vec<String> = set
            .iter()
            .flat_map(|set| set.ranges().map(|range| range.to_string()))
            .collect();
        ranges.join(" ")
    }

    #[test]
    fn the_parts_are_the_whole() {
        let all = targets(&["10.0.0.0/29", "10.0.1.0/30", "2001:db8::/126"]);
        let mut census = Census::new(all.hosts());
        assert_eq!(told(census.part(&all, Which::Up)), "");
        for text in [
            "10.0.0.0",
            "10.0.0.1",
            "10.0.0.7",
            "10.0.1.0",
            "2001:db8::3",
        ] {
            let address = targets(&[text]).host(0).expect("one");
            let host = all.rank(&address).expect("a target");
            assert!(census.answered(host));
            assert!(!census.answered(host));
        }
        assert_eq!(census.up(), 5);
        assert_eq!(
            told(census.part(&all, Which::Up)),
            "10.0.0.0-10.0.0.1 10.0.0.7 10.0.1.0 2001:db8::3"
        );
        assert_eq!(
            told(census.part(&all, Which::Silent)),
            "10.0.0.2-10.0.0.6 10.0.1.1-10.0.1.3 2001:db8::-2001:db8::2"
        );
    }

    #[test]
    fn a_link_address_that_answers_for_a_crowd_proves_nothing() {
        let mut census = Census::new(100);
        for host in 0..20 {
            census.resolved(host, Some([2, 0, 0, 0, 0, 9]));
        }
        for host in 20..24 {
            census.resolved(host, Some([2, 0, 0, 0, 0, 8]));
        }
        census.resolved(30, Some([2, 0, 0, 0, 0, 7]));
        census.answered(30);
        assert_eq!(census.proven_by_link(), [20, 21, 22, 23]);
    }

    #[test]
    fn echo_requests_go_to_whom_they_reach_and_not_for_ever() {
        let mut census = Census::new(2);
        census.is_on_link(1);
        assert!(census.wants_echo(0) && !census.wants_echo(1));
        census.resolved(1, None);
        assert!(census.wants_echo(1));
        for _ in 0..5 {
            census.tried(0);
        }
        assert!(!census.wants_echo(0));
        assert_eq!(census.untold(), 1);
        census.asked(0);
        assert_eq!((census.untold(), census.are_all_up()), (0, false));
    }

    #[test]
    fn hosts_behind_a_dead_gateway_were_said_to_be_down_by_a_complete_search() {
        let mut census = Census::new(3);
        for host in 0..3 {
            // The kernel takes an echo request, and gives up the gateway seconds later.
            census.asked(host);
            census.cut_off(host);
        }
        assert_eq!(census.untold(), 3);
        // It was late, not dead.
        census.answered(1);
        assert_eq!(census.untold(), 2);
    }
}
