//! The routes of many addresses with few questions: one for each stretch that has but one.

use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::engine::ways::{Owner, Ways};
use crate::model::Address;
use crate::plan::Plan;
use crate::transport::route::{NetlinkRouter, Reach, Route};

/// Addresses that are routed alike.
pub(super) struct Stretch {
    pub first: Address,
    pub hosts: u64,
    pub route: io::Result<Route>,
}

/// Hands every stretch between two addresses of one range to `take`, in their order, until that has enough.
pub(super) fn walk(
    first: Address,
    last: Address,
    router: &mut NetlinkRouter,
    take: &mut impl FnMut(Stretch) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut next = Some(first);
    while let Some(first) = next {
        let (route, end) = router.stretch(first, last);
        take(Stretch {
            first,
            hosts: distance(first.ip, end).saturating_add(1),
            route,
        })?;
        next = following(end)
            .filter(|_| end < last.ip)
            .map(|ip| Address { ip, ..first });
    }
    ControlFlow::Continue(())
}

/// By which interfaces and gateways the plan's addresses are reached, and which are this machine's own. Beyond [`MOST_ASKED`] stretches the rest is taken for a part of the
/// one before it.
pub(super) fn ways(plan: &Plan, router: &mut NetlinkRouter, bound: Bound) -> Ways {
    let (mut interfaces, mut gateways, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    let mut asked = 0;
    for range in plan.targets().ranges() {
        let done = walk(range.first(), range.last(), router, &mut |stretch| {
            asked += 1;
            let owner = match &stretch.route {
                Ok(route) if route.reach == Reach::Local => Owner::ThisMachine,
                _ => Owner::Other,
            };
            owners.push((stretch.first, owner));
            if let Ok(route) = stretch.route {
                interfaces.push((stretch.first, route.interface));
                let gateway = route.next_hop.map(|gateway| (route.interface, gateway));
                gateways.push((stretch.first, gateway));
            }
            match asked >= MOST_ASKED {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if done.is_break() {
            break;
        }
    }
    let ways = match bound {
        Bound::No => Ways::new(interfaces).with_gateways(gateways),
        Bound::ToInterface => Ways::default(),
    };
    ways.with_owners(owners)
}

/// Whether the interface is given, whatever the routes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bound {
    No,
    ToInterface,
}

/// How many addresses further `to` is.
fn distance(from: IpAddr, to: IpAddr) -> u64 {
    let far = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (to.to_bits().saturating_sub(from.to_bits())).into(),
        (IpAddr::V6(from), IpAddr::V6(to)) => to.to_bits().saturating_sub(from.to_bits()),
        _ => 0,
    };
    u64::try_from(far).unwrap_or(u64::MAX)
}

fn following(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => ip
            .to_bits()
            .checked_add(1)
            .map(|next| IpAddr::V4(next.into())),
        IpAddr::V6(ip) => ip
            .to_bits()
            .checked_add(1)
            .map(|next| IpAddr::V6(next.into())),
    }
}

/// Questions to the kernel about routes.
pub(super) const MOST_ASKED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_in_both_families() {
        let ip = |text: &str| text.parse().expect("an address");
        assert_eq!(distance(ip("10.0.0.250"), ip("10.0.1.5")), 11);
        assert_eq!(distance(ip("::1"), ip("::1:0")), 65_535);
        assert_eq!(following(ip("10.0.0.255")), Some(ip("10.0.1.0")));
        assert_eq!(following(ip("255.255.255.255")), None);
    }
}
