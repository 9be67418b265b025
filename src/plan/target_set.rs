//! The addresses that will be scanned: sorted, disjoint, and each addressed by its rank.

use std::collections::BTreeSet;

use crate::model::Address;

use super::address_range::{self, AddressRange};
use super::mistake::Mistake;

/// A set of addresses without the excluded ones, never empty. Its size in memory follows the number of ranges, not of
/// addresses.
///
/// It never holds more addresses than 2^64 / 65,535, so an index over its endpoints always fits a `u64`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetSet {
    /// Sorted by zone, then by place on the number line; disjoint.
    spans: Vec<Span>,
    hosts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    zone: u32,
    first: u128,
    last: u128,
    /// How many addresses the spans before this one hold.
    before: u64,
}

/// So that addresses times ports (at most 65,535) is a `u64`.
const MOST_HOSTS: u64 = u64::MAX / 65_535;

impl TargetSet {
    /// Joins `included` and takes `excluded` away, in whatever order they come. An exclude without a zone holds in
    /// every zone, one with a zone only there.
    ///
    /// # Errors
    /// When nothing is left, or more addresses are than can be numbered.
    pub fn new(included: &[AddressRange], excluded: &[AddressRange]) -> Result<Self, Mistake> {
        let zones: BTreeSet<u32> = included.iter().map(AddressRange::zone).collect();
        let mut spans = Vec::new();
        let mut hosts = 0_u64;
        for zone in zones {
            let wanted = merge(included.iter().filter(|range| range.zone() == zone));
            let unwanted = merge(
                excluded
                    .iter()
                    .filter(|range| range.zone() == 0 || range.zone() == zone),
            );
            for (first, last) in subtract(&wanted, &unwanted) {
                spans.push(Span {
                    zone,
                    first,
                    last,
                    before: hosts,
                });
                hosts = u64::try_from(last - first)
                    .ok()
                    .and_then(|more| hosts.checked_add(more)?.checked_add(1))
                    .filter(|&sum| sum <= MOST_HOSTS)
                    .ok_or_else(|| {
                        Mistake::new("too many addresses to be numbered; scan them in parts")
                    })?;
            }
        }
        if spans.is_empty() {
            return Err(Mistake::new("nothing left to scan after the excludes"));
        }
        Ok(Self { spans, hosts })
    }

    /// How many addresses.
    pub fn hosts(&self) -> u64 {
        self.hosts
    }

    /// The address of this rank, `None` at or beyond [`hosts`](Self::hosts).
    pub fn host(&self, rank: u64) -> Option<Address> {
        if rank >= self.hosts {
            return None;
        }
        let after = self.spans.partition_point(|span| span.before <= rank);
        let span = self.spans.get(after.checked_sub(1)?)?;
        Some(address_range::address(
            span.zone,
            span.first + u128::from(rank - span.before),
        ))
    }

    /// The rank of an address, `None` when it is not in the set. An IPv4-mapped address counts as the IPv4 address.
    pub fn rank(&self, address: &Address) -> Option<u64> {
        let at = address_range::number(address.ip);
        let after = self
            .spans
            .partition_point(|span| (span.zone, span.first) <= (address.zone, at));
        let span = self.spans.get(after.checked_sub(1)?)?;
        if span.zone != address.zone || at > span.last {
            return None;
        }
        // The whole set is smaller than 2^64, so the distance within one span fits.
        Some(span.before + (at - span.first) as u64)
    }

    /// Whether the address is in the set.
    pub fn contains(&self, address: &Address) -> bool {
        self.rank(address).is_some()
    }

    /// All addresses in the order of their ranks.
    pub fn iter(&self) -> impl Iterator<Item = Address> + '_ {
        self.spans.iter().flat_map(|span| {
            (span.first..=span.last).map(|number| address_range::address(span.zone, number))
        })
    }

    /// How many addresses are in both sets.
    pub fn common_hosts(&self, other: &Self) -> u64 {
        let mut others = other.spans.iter().peekable();
        let mut sum = 0;
        for span in &self.spans {
            while let Some(next) = others.peek() {
                let (first, last) = (span.first.max(next.first), span.last.min(next.last));
                if span.zone == next.zone && first <= last {
                    // A set is smaller than 2^64, and so is what it shares with another.
                    sum += (last - first) as u64 + 1;
                }
                // The one that ends first has met all that it can meet.
                if (next.zone, next.last) > (span.zone, span.last) {
                    break;
                }
                others.next();
            }
        }
        sum
    }

    /// The disjoint ranges, in the order of ranks.
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange> + '_ {
        self.spans
            .iter()
            .map(|span| AddressRange::within(span.zone, span.first, span.last))
    }
}

/// Sorted, disjoint and, within a family, not even touching; whatever zone they came in.
fn merge<'a>(ranges: impl Iterator<Item = &'a AddressRange>) -> Vec<AddressRange> {
    let mut merged: Vec<AddressRange> = ranges.map(|range| range.in_zone(0)).collect();
    AddressRange::join(&mut merged);
    merged
}

/// What of `wanted` lies in none of `unwanted`; both as [`merge`] leaves them.
fn subtract(wanted: &[AddressRange], unwanted: &[AddressRange]) -> Vec<(u128, u128)> {
    let mut left = Vec::new();
    let mut holes = unwanted.iter().map(AddressRange::bounds).peekable();
    for (first, last) in wanted.iter().map(AddressRange::bounds) {
        let mut from = Some(first);
        while let (Some(start), Some(&(hole_first, hole_last))) = (from, holes.peek()) {
            if hole_first > last {
                break;
            }
            if hole_last >= start {
                if hole_first > start {
                    left.push((start, hole_first - 1));
                }
                from = hole_last.checked_add(1).filter(|&next| next <= last);
            }
            // A hole that reaches beyond this range may cut the next one too.
            if hole_last > last {
                break;
            }
            holes.next();
        }
        if let Some(start) = from {
            left.push((start, last));
        }
    }
    left
}
