//! What is known of endpoints that have not answered: an ICMP error, a fault of our own side.
//!
//! One byte per endpoint, in pages that exist only where something was noted, so that a target that rejects everything
//! costs one byte per endpoint and a target that stays silent costs nothing.

use std::collections::HashMap;

use crate::model::{LocalFault, Reason, Unreachable};

/// Provisional reasons by rank. A later note replaces an earlier one; an ICMP error is never replaced by a local fault.
#[derive(Default)]
pub struct Evidence {
    pages: HashMap<u64, Box<[u8; PAGE]>>,
    local: u64,
}

impl Evidence {
    /// Notes an ICMP error for the endpoint at `rank`.
    pub fn icmp(&mut self, rank: u64, reason: Unreachable) {
        let slot = self.slot(rank);
        let before = std::mem::replace(slot, reason as u8);
        self.count(before, reason as u8);
    }

    /// Notes that our own side could not ask.
    pub fn local(&mut self, rank: u64, fault: LocalFault) {
        let slot = self.slot(rank);
        if *slot != 0 && *slot < LEFT_LATER {
            return;
        }
        let before = std::mem::replace(slot, LOCAL | fault as u8);
        self.count(before, LOCAL | fault as u8);
    }

    /// Forgets a local fault: a later attempt has left the machine after all. That the ones before did not is kept.
    pub fn left_later(&mut self, rank: u64) {
        let before = std::mem::replace(self.slot(rank), LEFT_LATER);
        self.count(before, LEFT_LATER);
    }

    /// Whether an attempt has left that was refused before, and nothing was noted since.
    pub fn has_left_later(&self, rank: u64) -> bool {
        self.byte(rank) == LEFT_LATER
    }

    /// Forgets what was noted: the endpoint has answered.
    pub fn forget(&mut self, rank: u64) {
        if let Some(page) = self.pages.get_mut(&(rank / PAGE as u64)) {
            let before = std::mem::take(&mut page[(rank % PAGE as u64) as usize]);
            self.count(before, 0);
        }
    }

    /// What was noted for `rank`.
    pub fn reason(&self, rank: u64) -> Option<Reason> {
        let byte = self.byte(rank);
        if byte & LOCAL != 0 {
            let fault = LocalFault::ALL
                .into_iter()
                .find(|&fault| fault as u8 == byte & !LOCAL)?;
            return Some(Reason::Local(fault));
        }
        let reason = Unreachable::ALL
            .into_iter()
            .find(|&reason| reason as u8 == byte)?;
        Some(Reason::Icmp(reason))
    }

    /// Whether a local fault is noted for `rank`. Free while none is noted anywhere.
    pub fn is_local(&self, rank: u64) -> bool {
        self.local > 0 && matches!(self.reason(rank), Some(Reason::Local(_)))
    }

    /// 0 where nothing is noted.
    fn byte(&self, rank: u64) -> u8 {
        let page = self.pages.get(&(rank / PAGE as u64));
        page.map_or(0, |page| page[(rank % PAGE as u64) as usize])
    }

    fn slot(&mut self, rank: u64) -> &mut u8 {
        let page = self
            .pages
            .entry(rank / PAGE as u64)
            .or_insert_with(|| Box::new([0; PAGE]));
        &mut page[(rank % PAGE as u64) as usize]
    }

    fn count(&mut self, before: u8, after: u8) {
        self.local += u64::from(after >= LOCAL);
        self.local -= u64::from(before >= LOCAL);
    }
}

const PAGE: usize = 4096;
const LOCAL: u8 = 0x80;
/// No reason has this number.
const LEFT_LATER: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_and_icmp_outranks_a_local_fault() {
        let mut evidence = Evidence::default();
        for (rank, reason) in Unreachable::ALL.into_iter().enumerate() {
            evidence.icmp(rank as u64, reason);
            evidence.local(rank as u64, LocalFault::Firewall);
            assert_eq!(evidence.reason(rank as u64), Some(Reason::Icmp(reason)));
        }
        for (rank, fault) in LocalFault::ALL.into_iter().enumerate() {
            let rank = 1_000_000 + rank as u64;
            evidence.local(rank, fault);
            assert_eq!(evidence.reason(rank), Some(Reason::Local(fault)));
        }
        assert_eq!(evidence.local, LocalFault::ALL.len() as u64);
        evidence.forget(0);
        evidence.forget(1_000_000);
        assert_eq!(evidence.local, LocalFault::ALL.len() as u64 - 1);
        assert_eq!(evidence.reason(0), None);
        evidence.left_later(1_000_001);
        assert_eq!(evidence.local, LocalFault::ALL.len() as u64 - 2);
        assert_eq!(evidence.reason(1_000_001), None);
        assert!(evidence.has_left_later(1_000_001) && !evidence.has_left_later(1_000_000));
        evidence.local(1_000_001, LocalFault::Firewall);
        let refused = Some(Reason::Local(LocalFault::Firewall));
        assert_eq!(evidence.reason(1_000_001), refused);
    }
}
