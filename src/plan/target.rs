//! One target or exclude as text becomes addresses or a host name.

use std::net::IpAddr;

use super::address_range::AddressRange;
use super::host_name::HostName;
use super::mistake::{Mistake, Note, quote};
use super::surroundings::Surroundings;
use super::{ipv4, ipv6};

/// What a target's text says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Addresses that are known now. For [`Purpose::Scan`] at least one of them can be scanned.
    Addresses(Vec<AddressRange>),
    /// A name that has to be resolved first.
    Name(HostName),
}

/// What a target's text is read for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// To scan it: what cannot or should not be scanned is a mistake.
    Scan,
    /// To leave it alone: everything may be left alone, of any size and in every zone.
    Exclude,
}

/// Whether targets as large as the Internet may be scanned. The command line allows it only when it has both
/// excludes and `--allow-internet`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Internet {
    Allowed,
    Refused,
}

/// The largest single target that needs no permission: a /8, or an IPv6 /104.
const LARGEST_TARGET: u128 = 1 << 24;

impl Target {
    /// Reads one target: `10.0.0.5`, `db.example`, `10.0.0.0/24`, `10.0.0.1-50`, `10.0.0.1-10.0.0.50`,
    /// `10.0.0-3.1-254`, `2001:db8::/120`, `2001:db8::1-2001:db8::9`, `fe80::1%eth0`. Adds notes about what was taken
    /// otherwise than it is written.
    ///
    /// # Errors
    /// When the text is none of these, or names what cannot be scanned.
    pub fn parse(
        text: &str,
        purpose: Purpose,
        internet: Internet,
        surroundings: &Surroundings,
        notes: &mut Vec<Note>,
    ) -> Result<Self, Mistake> {
        let before_zone = text.split('%').next().unwrap_or_default();
        let colons = before_zone.matches(':').count();
        let ranges = if text.contains("://") || text.starts_with('[') || colons == 1 {
            return Err(host_only(text));
        } else if colons > 1 {
            ipv6::parse(text, purpose, surroundings, notes)?
        } else if text.contains('%') {
            return Err(Mistake::about(
                text,
                "has a zone that it does not need",
                "only link-local IPv6 addresses (fe80::/10) take one",
            ));
        } else if ipv4::looks_like(text) {
            ipv4::parse(text, notes)?
        } else if text.contains('/') {
            return Err(host_only(text));
        } else {
            return HostName::parse(text).map(Self::Name);
        };
        if purpose == Purpose::Scan {
            check_size(text, &ranges, internet)?;
            check_zone(text, &ranges, surroundings)?;
            check_scannable(text, &ranges, surroundings, notes)?;
        }
        Ok(Self::Addresses(ranges))
    }
}

fn host_only(text: &str) -> Mistake {
    Mistake::new(format!(
        "give the host only: {}; ports go to -p, prefix lengths to addresses",
        quote(text)
    ))
}

fn check_size(text: &str, ranges: &[AddressRange], internet: Internet) -> Result<(), Mistake> {
    let count = total(ranges);
    if count <= LARGEST_TARGET {
        Ok(())
    } else if !ranges.iter().all(AddressRange::is_ipv4) {
        Err(Mistake::new(format!(
            "too many addresses in {}; the largest IPv6 prefix is /104",
            quote(text)
        )))
    } else if internet == Internet::Refused {
        Err(needs_permission(&format!("{}: ", quote(text)), count))
    } else {
        Ok(())
    }
}

/// The complaint about so many addresses.
pub(super) fn needs_permission(what: &str, count: u128) -> Mistake {
    Mistake::new(format!(
        "{what}{} addresses: needs excludes and --allow-internet",
        grouped(count)
    ))
}

fn check_zone(
    text: &str,
    ranges: &[AddressRange],
    surroundings: &Surroundings,
) -> Result<(), Mistake> {
    let link_local = AddressRange::block(
        crate::model::Address::new(IpAddr::from([0xfe80_u16, 0, 0, 0, 0, 0, 0, 0])),
        10,
    );
    let Some(lacking) = ranges
        .iter()
        .filter(|range| range.zone() == 0)
        .find_map(|range| link_local.iter().find_map(|scope| range.overlap(scope)))
    else {
        return Ok(());
    };
    Err(Mistake::new(format!(
        "{}: a link-local address needs a zone: {}%{} (have: {})",
        quote(text),
        lacking.first(),
        surroundings.example(),
        surroundings.names()
    )))
}

/// Broadcast, multicast and unspecified addresses: a mistake when nothing else is left, a note when something is.
fn check_scannable(
    text: &str,
    ranges: &[AddressRange],
    surroundings: &Surroundings,
    notes: &mut Vec<Note>,
) -> Result<(), Mistake> {
    // Joined first, so that no address is counted twice.
    let mut holes = surroundings.unscannable();
    holes.sort();
    holes.dedup();
    let lost: Vec<AddressRange> = ranges
        .iter()
        .flat_map(|range| holes.iter().filter_map(|hole| range.overlap(hole)))
        .collect();
    let Some(first) = lost.first() else {
        return Ok(());
    };
    let count = total(&lost);
    if count < total(ranges) {
        notes.push(Note::new(format!(
            "{}: skipping {} {} that cannot be a TCP target ({first}{})",
            quote(text),
            grouped(count),
            if count == 1 { "address" } else { "addresses" },
            if lost.len() == 1 { "" } else { ", ..." }
        )));
        return Ok(());
    }
    Err(match first.first().ip {
        ip if ip.is_unspecified() => Mistake::about(
            text,
            "is the unspecified address",
            "127.0.0.1 or ::1 is this machine",
        ),
        ip if ip.is_multicast() => Mistake::about(
            text,
            "is multicast",
            "broadcast or multicast cannot be a TCP target",
        ),
        _ => Mistake::about(
            text,
            "is a broadcast address",
            "broadcast or multicast cannot be a TCP target",
        ),
    })
}

/// How many addresses, as often as they are named.
fn total(ranges: &[AddressRange]) -> u128 {
    ranges
        .iter()
        .fold(0, |sum, range| sum.saturating_add(range.count()))
}

/// 4294967296 as 4,294,967,296.
pub(super) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
