//! How fast a scan may go while nothing answers: by how far its targets are.
//!
//! Kernel connects have a lower ceiling on near links, because a silent one repeats its SYN after 1 s, and the kernel's
//! coarse timers fire those repeats in bursts of 32 ms: of 20,000 connects begun at once, thousands of repeats meet in one
//! burst, overflow a device queue of 1,000 packets and never leave. Spread over a second they do.

use std::io;

use crate::engine::pace::Ceiling;
use crate::model::Address;
use crate::plan::Plan;
use crate::transport::route::{Reach, Router};

/// What no second may bring more of, in SYNs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ceilings {
    /// To all targets together.
    pub scan: Ceiling,
    /// To any one of them, where that is less.
    pub host: Option<Ceiling>,
}

/// The ceilings of a scan: what was asked for, else what the routes of the plan's targets suggest. The furthest target
/// decides, because all of them are walked together.
///
/// One address of each range is asked, at most [`ASKED`] in all.
///
/// # Errors
/// The kernel's answer and the address, where it has no route to any target.
pub fn of(
    plan: &Plan,
    rate: Option<u32>,
    host_rate: Option<u32>,
    router: &mut dyn Router,
) -> Result<Ceilings, (Address, io::Error)> {
    let host = host_rate.map(Ceiling::Asked);
    if let Some(rate) = rate {
        let scan = Ceiling::Asked(rate);
        return Ok(Ceilings { scan, host });
    }
    let mut refused = None;
    let mut furthest: Option<Reach> = None;
    for range in plan.targets().ranges().take(ASKED) {
        let address = range.first();
        match router.route(address) {
            Ok(route) => {
                if furthest.is_none_or(|known| distance(route.reach) > distance(known)) {
                    furthest = Some(route.reach);
                }
            }
            Err(error) => refused = refused.or(Some((address, error))),
        }
    }
    match (furthest, refused) {
        (Some(reach), _) => Ok(for_reach(reach, plan.hosts(), host)),
        (None, Some(refused)) => Err(refused),
        // Plans are never empty.
        (None, None) => Ok(for_reach(Reach::Public, plan.hosts(), host)),
    }
}

/// The same for kernel connects.
pub fn for_connects(ceiling: Ceiling) -> Ceiling {
    match ceiling {
        Ceiling::Asked(_) => ceiling,
        Ceiling::Careful { blind, most } => Ceiling::Careful {
            blind: blind.min(CONNECTS),
            most,
        },
    }
}

fn for_reach(reach: Reach, hosts: u64, asked: Option<Ceiling>) -> Ceilings {
    let careful = |blind, most| Ceiling::Careful { blind, most };
    let (scan, host) = match reach {
        Reach::Local | Reach::OnLink => (careful(NEAR, UNLIMITED), None),
        Reach::Private => (careful(PRIVATE, UNLIMITED), None),
        Reach::Public => (
            careful(PUBLIC_TOTAL, PUBLIC_TOTAL),
            Some(careful(PUBLIC_BLIND, PUBLIC_HOST)),
        ),
    };
    let host = asked.or(host);
    let scan = match host {
        Some(host) => careful(
            together(host.blind(), hosts).min(scan.blind()),
            together(host.most(), hosts).min(scan.most()),
        ),
        None => scan,
    };
    Ceilings { scan, host }
}

/// What all hosts may be sent if each is sent so much.
fn together(rate: u32, hosts: u64) -> u32 {
    rate.saturating_mul(u32::try_from(hosts).unwrap_or(u32::MAX))
}

fn distance(reach: Reach) -> u8 {
    match reach {
        Reach::Local => 0,
        Reach::OnLink => 1,
        Reach::Private => 2,
        Reach::Public => 3,
    }
}

/// Ranges whose route is asked for.
const ASKED: usize = 4096;
const NEAR: u32 = 200_000;
const CONNECTS: u32 = 20_000;
const PRIVATE: u32 = 20_000;
const PUBLIC_BLIND: u32 = 2_500;
const PUBLIC_HOST: u32 = 5_000;
const PUBLIC_TOTAL: u32 = 10_000;
const UNLIMITED: u32 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn careful(blind: u32, most: u32) -> Ceiling {
        Ceiling::Careful { blind, most }
    }

    #[test]
    fn public_hosts_have_ceilings_of_their_own_and_one_together() {
        let host = Some(careful(2_500, 5_000));
        for (hosts, blind, most) in [(1, 2_500, 5_000), (2, 5_000, 10_000), (256, 10_000, 10_000)] {
            let scan = careful(blind, most);
            assert_eq!(
                for_reach(Reach::Public, hosts, None),
                Ceilings { scan, host }
            );
        }
        for reach in [Reach::Local, Reach::OnLink, Reach::Private] {
            assert_eq!(for_reach(reach, 256, None).host, None);
        }
    }

    #[test]
    fn a_host_rate_that_is_asked_for_replaces_those_per_host() {
        let host = Some(Ceiling::Asked(100));
        let scan = careful(6_400, 6_400);
        let ceilings = for_reach(Reach::Public, 64, host);
        assert_eq!(ceilings, Ceilings { scan, host });
        let fast = for_reach(Reach::Public, 1, Some(Ceiling::Asked(8_000)));
        assert_eq!(fast.scan, careful(8_000, 8_000));
        let near = for_reach(Reach::OnLink, 1, Some(Ceiling::Asked(1_000_000)));
        assert_eq!(near.scan, careful(200_000, 1_000_000));
    }
}
