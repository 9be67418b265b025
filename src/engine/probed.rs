//! How much of each host was probed so far, and what that says of its share of opens.

use std::time::Duration;

use crate::engine::claim::{Evidence, Lie, Probed, Ripe};
use crate::engine::confirm::{Confirm, LIE_PORTS, Mark, SHARE_PORTS};
use crate::engine::lane::Phase;
use crate::engine::{Asking, COMMON, Engine};
use crate::model::Time;

impl Engine {
    /// Notes how far the walk is, and looks at the hosts whose time has come.
    pub(super) fn weigh_due(&mut self, now: Time) {
        self.doubts.now = now;
        let before = self.order.len() - self.order.left() - self.order.block_len();
        let common = &self.lanes[COMMON];
        let here = if common.pass.number == 0 && common.phase == Phase::Walking {
            common.pass.cursor
        } else {
            self.order.block_len()
        };
        self.doubts
            .walked_to(now, before + here.max(self.past.reach()));
        let (_, begun) = self.begun(Duration::ZERO, now);
        let (probed, all) = (self.of_each(begun), self.all_ports());
        for (mark, enough) in [(Mark::Share, SHARE_PORTS), (Mark::Lie, LIE_PORTS)] {
            if probed >= all.min(enough as f64) {
                for host in self.doubts.ripen(mark, now) {
                    let timeout = self.timeout_of(host);
                    self.doubts.wait(host, mark, timeout);
                }
            }
        }
        while let Some(host) = self.doubts.next_due(now) {
            self.review(host);
        }
    }

    pub(super) fn lie(&self, host: u64) -> Lie {
        let Some(record) = self.doubts.known(host).filter(|_| self.may_lie()) else {
            return Lie::No;
        };
        let idle = record.queued.is_empty() && record.under_way == 0;
        let no_more = self.doubts.is_spent() || self.doubts.is_closed();
        let evidence = match (self.config.asking, self.config.confirm) {
            (Asking::Handshake, _) => Evidence::Connects,
            (Asking::Syn { .. }, Confirm::Never) => Evidence::None,
            (Asking::Syn { .. }, Confirm::Auto) if idle && no_more => Evidence::None,
            (Asking::Syn { .. }, Confirm::Auto) => Evidence::Sample,
        };
        record.lie(&self.probed(host), evidence)
    }

    /// Whether enough ports of each host are scanned to tell that it answers everything.
    pub(super) fn may_lie(&self) -> bool {
        self.all_ports() >= LIE_PORTS as f64
    }

    pub(super) fn probed(&self, host: u64) -> Probed {
        let (timeout, now) = (self.timeout_of(host), self.doubts.now);
        let answered = match self.hosts.get(&host) {
            Some(known) => known.answered(),
            None if self.plan.hosts() == 1 => self.lanes[COMMON].heard + self.past.answered(),
            None => self.all_ports() as u64,
        };
        let (walked, aged) = self.begun(timeout, now);
        let over = self.doubts.is_closed();
        Probed {
            count: self.of_each(walked),
            aged: self.of_each(if over { walked } else { aged }),
            answered,
            share: self.doubts.is_ripe(Mark::Share, timeout, now),
            lie: if self.may_lie() {
                self.doubts.is_ripe(Mark::Lie, timeout, now)
            } else {
                Ripe::Over
            },
        }
    }

    /// How far the walk is, and how far what was asked `ago`. A kernel connect begins some time after it was asked for, on a
    /// busy machine long after: only what has ended is sure to have begun.
    fn begun(&self, ago: Duration, now: Time) -> (u64, u64) {
        let (walked, aged) = self.doubts.walked(ago, now);
        match self.config.asking {
            Asking::Syn { .. } => (walked, aged),
            Asking::Handshake => {
                let ended = walked.saturating_sub(self.lanes[COMMON].outstanding);
                (walked, aged.min(ended))
            }
        }
    }

    /// How many of these endpoints belong to each host: of a shuffled plan the same for all, but for chance.
    fn of_each(&self, endpoints: u64) -> f64 {
        endpoints as f64 / self.plan.hosts() as f64
    }

    /// Ports of each host that this scan (this shard) probes.
    fn all_ports(&self) -> f64 {
        self.order.len() as f64 / self.plan.hosts() as f64
    }

    pub(super) fn timeout_of(&self, host: u64) -> Duration {
        let known = self.hosts.get(&host).map(|known| known.rtt);
        known.unwrap_or(self.lanes[COMMON].rtt).timeout()
    }
}
