//! How many endpoints two scans can be compared in.
//!
//! Endpoints of a host that neither lists are all the same, and so are all hosts without a record, so none is looked at
//! alone. Only in parts of scans each port of a host has its own answer; as many of those are asked as take a moment.

use std::collections::BTreeSet;

use crate::model::{Address, Endpoint};
use crate::plan::PortSet;
use crate::results::diff::{Pair, Reach};
use crate::results::known::{Covers, Known};

/// What was counted so far.
#[derive(Debug)]
pub(super) struct Count<'a> {
    old: &'a Known,
    new: &'a Known,
    /// The ports that both asked of every host.
    common: Option<PortSet>,
    /// Endpoints of which both tell something.
    pub(super) compared: u64,
    /// Hosts with a record that both planned.
    recorded: u64,
    /// How many endpoints of parts may still be asked one by one; `None` when they were too many.
    left: Option<u64>,
}

impl<'a> Count<'a> {
    pub(super) fn new(old: &'a Known, new: &'a Known) -> Self {
        let common = match (old.all_ports(), new.all_ports()) {
            (Some(ours), Some(theirs)) => {
                PortSet::new(ours.iter().filter(|port| theirs.contains(*port)))
            }
            _ => None,
        };
        Self {
            old,
            new,
            common,
            compared: 0,
            recorded: 0,
            left: Some(ASKED_ONE_BY_ONE),
        }
    }

    /// A host with a record that is down in neither; `listed` are its ports that at least one lists.
    pub(super) fn host(&mut self, pair: &Pair<'_>, listed: &BTreeSet<u16>) {
        let address = pair.address;
        self.recorded += u64::from(self.is_planned(&address));
        let known = listed.iter().filter(|port| self.is_known(&address, **port));
        self.compared += known.count() as u64;
        if self.old.ports(&address).is_some() && self.new.ports(&address).is_some() {
            self.unlisted(&address, listed);
        }
    }

    /// All hosts without a record: where both have plans, what is in both, and what only kept silent as well.
    pub(super) fn unrecorded(&mut self, reach: &mut Reach) {
        let (Some(ours), Some(theirs)) = (self.old.targets(), self.new.targets()) else {
            return;
        };
        let known = |known: &Known| matches!(known.covers, Covers::Scan(_));
        let hosts = ours.common_hosts(theirs);
        if !(known(self.old) && known(self.new)) {
            // A target of nmap without a record is down.
            reach.by_ping += hosts.saturating_sub(self.recorded + reach.by_ping);
            return;
        }
        let hosts = hosts.saturating_sub(self.recorded);
        let Some(ports) = self.common.as_ref().map(|common| u64::from(common.len())) else {
            return;
        };
        if !self.old.others.is_known() || !self.new.others.is_known() {
            return;
        }
        if !self.is_in_parts() {
            let all = hosts.saturating_mul(ports);
            self.compared = self.compared.saturating_add(all);
            return;
        }
        let (fewer, more) = if ours.hosts() < theirs.hosts() {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        if !self.may_ask(fewer.hosts().saturating_mul(ports)) {
            return;
        }
        let silent = |address: &Address| {
            more.contains(address)
                && !self.old.hosts.contains_key(address)
                && !self.new.hosts.contains_key(address)
        };
        for address in fewer.iter().filter(silent).collect::<Vec<_>>() {
            self.compared += self.asked(&address, &BTreeSet::new());
        }
    }

    /// How many they are, `None` where that was not counted to the end.
    pub(super) fn result(&self) -> Option<u64> {
        self.left.map(|_| self.compared)
    }

    /// The ports of a host that neither lists.
    fn unlisted(&mut self, address: &Address, listed: &BTreeSet<u16>) {
        let Some(common) = &self.common else {
            return;
        };
        if self.is_in_parts() {
            if self.may_ask(common.len().into()) {
                self.compared += self.asked(address, listed);
            }
            return;
        }
        let of_these = listed.iter().filter(|port| common.contains(**port)).count() as u64;
        let first = common.iter().find(|port| !listed.contains(port));
        if first.is_some_and(|port| self.is_known(address, port)) {
            self.compared += u64::from(common.len()).saturating_sub(of_these);
        }
    }

    fn asked(&self, address: &Address, listed: &BTreeSet<u16>) -> u64 {
        let common = self.common.iter().flat_map(PortSet::iter);
        common
            .filter(|port| !listed.contains(port) && self.is_known(address, *port))
            .count() as u64
    }

    /// Whether both tell something of this port.
    fn is_known(&self, address: &Address, port: u16) -> bool {
        let endpoint = Endpoint {
            address: *address,
            port,
        };
        [self.old, self.new].iter().all(|known| {
            known
                .states(&endpoint)
                .is_some_and(|states| states.is_known())
        })
    }

    fn is_planned(&self, address: &Address) -> bool {
        [self.old, self.new].iter().all(|known| {
            known
                .targets()
                .is_some_and(|targets| targets.contains(address))
        })
    }

    fn is_in_parts(&self) -> bool {
        self.old.is_part() || self.new.is_part()
    }

    fn may_ask(&mut self, endpoints: u64) -> bool {
        self.left = self.left.and_then(|left| left.checked_sub(endpoints));
        self.left.is_some()
    }
}

/// About a second of arithmetic.
const ASKED_ONE_BY_ONE: u64 = 1 << 22;
