//! How fast a scan may go while nothing answers: by how far its targets are.
//!
//! Kernel connects have a lower ceiling on near links, because a silent one repeats its SYN after 1 s, and the kernel's
//! coarse timers fire those repeats in bursts of 32 ms: of 20,000 connects begun at once, thousands of repeats meet in one
//! burst, overflow a device queue of 1,000 packets and never leave. Spread over a second they do.

use std::io;

use crate::engine::pace::Ceiling;
use crate::model::Address;
use crate::plan::Plan;
use crate::transport::route::{Reach, Router, is_private_throughout};

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
/// Of each range the first address and the last are asked, of the first [`ASKED`] ranges. What is not private all along is taken
/// for public where it is not near, and of further ranges at any rate.
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
    let mut further = |reach: Reach| {
        if furthest.is_none_or(|known| distance(reach) > distance(known)) {
            furthest = Some(reach);
        }
    };
    for (number, range) in plan.targets().ranges().enumerate() {
        let (first, last) = (range.first(), range.last());
        let private = is_private_throughout(first.ip, last.ip);
        if number >= ASKED {
            further(if private {
                Reach::Private
            } else {
                Reach::Public
            });
            continue;
        }
        for address in [first, last] {
            match router.route(address) {
                Ok(route) if route.reach == Reach::Private && !private => further(Reach::Public),
                Ok(route) => further(route.reach),
                Err(error) => refused = refused.or(Some((address, error))),
            }
            if first == last {
                break;
            }
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
    // What one host may be sent, because somebody said so, all of them together may be.
    let least = asked.map_or(0, Ceiling::most);
    let scan = match host {
        Some(host) => careful(
            together(host.blind(), hosts).min(scan.blind().max(least)),
            together(host.most(), hosts).min(scan.most().max(least)),
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

/// Ranges whose routes are asked for.
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
    use std::net::IpAddr;

    use super::*;
    use crate::transport::route::{Neighbour, Route};

    /// A machine on 10.0.0.0/24.
    struct OnALink;

    impl Router for OnALink {
        fn route(&mut self, address: Address) -> io::Result<Route> {
            let near = matches!(address.ip, IpAddr::V4(ip) if ip.octets()[..3] == [10, 0, 0]);
            let reach = match is_private_throughout(address.ip, address.ip) {
                _ if near => Reach::OnLink,
                true => Reach::Private,
                false => Reach::Public,
            };
            Ok(Route {
                source: [10, 0, 0, 1].into(),
                interface: 2,
                next_hop: None,
                reach,
                mtu: 1500,
            })
        }

        fn neighbour(&mut self, _: u32, _: IpAddr) -> Neighbour {
            Neighbour::Known
        }
    }

    fn blind(targets: &str) -> u32 {
        let plan = Plan::parse(targets, "80").expect("a plan");
        let ceilings = of(&plan, None, None, &mut OnALink);
        ceilings.expect("a route").scan.blind()
    }

    /// Only the first address of each range was looked at, and no range after the first 4,096.
    #[test]
    fn the_furthest_address_of_a_range_decides_not_its_first() {
        assert_eq!(blind("10.0.0.2-10.0.0.9"), NEAR);
        assert_eq!(blind("10.0.0.0/16"), PRIVATE);
        assert_eq!(blind("172.16.0.0-172.32.255.255"), PUBLIC_TOTAL);
        assert_eq!(blind("192.167.255.0-192.168.0.5"), PUBLIC_TOTAL);
        let scattered = |last: &str| {
            let even = (0..8_192).step_by(2);
            let addresses = even.map(|host| format!("10.1.{}.{}", host / 256, host % 256));
            let all: Vec<_> = addresses.chain([last.to_owned()]).collect();
            all.join(" ")
        };
        assert_eq!(blind(&scattered("10.2.0.1")), PRIVATE);
        assert_eq!(blind(&scattered("203.0.113.1")), PUBLIC_TOTAL);
    }

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
        assert_eq!(near.scan, careful(1_000_000, 1_000_000));
    }

    #[test]
    fn a_host_rate_above_what_the_whole_scan_may_send_unasked_was_not_had() {
        for hosts in [1, 64] {
            let fast = for_reach(Reach::Public, hosts, Some(Ceiling::Asked(30_000)));
            assert_eq!(fast.scan, careful(30_000, 30_000), "{hosts} hosts");
        }
        // The others have their share of what is careful.
        let slow = for_reach(Reach::Public, 1_000, Some(Ceiling::Asked(100)));
        assert_eq!(slow.scan, careful(10_000, 10_000));
    }
}
