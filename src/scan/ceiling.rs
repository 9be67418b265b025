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

/// Asks the routes of the plan's targets for the ceiling of the whole scan: the furthest target decides, because all of
/// them are walked together.
///
/// One address of each range is asked, at most [`ASKED`] in all.
///
/// # Errors
/// The kernel's answer and the address, where it has no route to any target.
pub fn of(plan: &Plan, router: &mut dyn Router) -> Result<Ceiling, (Address, io::Error)> {
    let mut refused = None;
    let mut furthest: Option<Ceiling> = None;
    for range in plan.targets().ranges().take(ASKED) {
        let address = range.first();
        match router.route(address) {
            Ok(route) => {
                let hosts = u32::try_from(range.count()).unwrap_or(u32::MAX);
                let ceiling = for_reach(route.reach, hosts);
                if furthest.is_none_or(|known| ceiling.blind() < known.blind()) {
                    furthest = Some(ceiling);
                }
            }
            Err(error) => refused = refused.or(Some((address, error))),
        }
    }
    match (furthest, refused) {
        (Some(ceiling), _) => Ok(ceiling),
        (None, Some(refused)) => Err(refused),
        // Plans are never empty.
        (None, None) => Ok(for_reach(Reach::Public, 1)),
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

fn for_reach(reach: Reach, hosts: u32) -> Ceiling {
    match reach {
        Reach::Local | Reach::OnLink => Ceiling::Careful {
            blind: NEAR,
            most: UNLIMITED,
        },
        Reach::Private => Ceiling::Careful {
            blind: PRIVATE,
            most: UNLIMITED,
        },
        Reach::Public => Ceiling::Careful {
            blind: PUBLIC_BLIND.saturating_mul(hosts).min(PUBLIC_TOTAL),
            most: PUBLIC_HOST.saturating_mul(hosts).min(PUBLIC_TOTAL),
        },
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
