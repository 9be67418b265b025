//! IPv6 targets as text: addresses, prefixes, ranges, zones.

use std::net::{IpAddr, Ipv6Addr};

use crate::model::Address;

use super::address_range::AddressRange;
use super::ipv4::prefix_length;
use super::mistake::{Mistake, Note, escape, quote};
use super::surroundings::Surroundings;
use super::target::Purpose;

/// Reads one IPv6 target. The zone stands at the end (`fe80::1%eth0`, `fe80::1-fe80::9%eth0`) and the prefix length
/// before or after it (RFC 4007 writes it after).
pub(super) fn parse(
    text: &str,
    purpose: Purpose,
    surroundings: &Surroundings,
    notes: &mut Vec<Note>,
) -> Result<Vec<AddressRange>, Mistake> {
    let (body, zone_name) = match text.split_once('%') {
        Some((body, rest)) => (body, Some(rest)),
        None => (text, None),
    };
    // An interface's name holds no slash, so a slash after the zone begins the prefix length.
    let (zone_name, late_prefix) = match zone_name.and_then(|name| name.split_once('/')) {
        Some((name, prefix)) => (Some(name), Some(prefix)),
        None => (zone_name, None),
    };
    let (body, early_prefix) = match body.split_once('/') {
        Some((body, prefix)) => (body, Some(prefix)),
        None => (body, None),
    };
    let prefix = match (early_prefix, late_prefix) {
        (Some(_), Some(_)) => {
            return Err(prefix_length(text, "", 128)
                .err()
                .unwrap_or_else(|| not_an_address(text)));
        }
        (early, late) => early.or(late),
    };
    let ranges = match (body.split_once('-'), prefix) {
        (Some((from, to)), None) => vec![range(text, from, to)?],
        (None, Some(prefix)) => block(text, body, prefix, purpose, notes)?,
        (None, None) => vec![AddressRange::single(address(text, body)?)],
        (Some(_), Some(_)) => {
            return Err(Mistake::about(
                text,
                "is a range with a prefix length",
                "write 2001:db8::/120 or 2001:db8::1-2001:db8::9",
            ));
        }
    };
    let ranges = match zone_name {
        Some(name) => in_zone(text, name, &ranges, surroundings)?,
        None => ranges,
    };
    Ok(ranges)
}

fn range(text: &str, from: &str, to: &str) -> Result<AddressRange, Mistake> {
    if to.is_empty() {
        return Err(Mistake::about(
            text,
            "is not complete: the range has no end",
            "write 2001:db8::1-2001:db8::9",
        ));
    }
    let (first, last) = (address(text, from)?, address(text, to)?);
    if let Some(range) = AddressRange::new(first, last) {
        return Ok(range);
    }
    Err(if AddressRange::new(last, first).is_some() {
        Mistake::new(format!(
            "the range {} runs backwards; did you mean {last}-{first}?",
            quote(text)
        ))
    } else {
        Mistake::about(
            text,
            "holds both IPv4-mapped and other addresses",
            "write the two parts as two targets",
        )
    })
}

fn block(
    text: &str,
    body: &str,
    prefix: &str,
    purpose: Purpose,
    notes: &mut Vec<Note>,
) -> Result<Vec<AddressRange>, Mistake> {
    let length = prefix_length(text, prefix, 128)?;
    let given = address(text, body)?;
    let family_length = match given.ip {
        IpAddr::V6(_) => length,
        IpAddr::V4(_) => length.checked_sub(96).ok_or_else(|| {
            Mistake::about(
                text,
                "reaches beyond the IPv4-mapped addresses",
                "write the IPv4 prefix, such as 1.2.3.0/24",
            )
        })?,
    };
    if given.ip.is_ipv6() && length < 104 && purpose == Purpose::Scan {
        return Err(Mistake::new(format!(
            "too many addresses in {}; the largest IPv6 prefix is /104",
            quote(text)
        )));
    }
    let ranges = AddressRange::block(given, family_length);
    if let Some(first) = ranges.first().map(AddressRange::first)
        && (first != given || given.ip.is_ipv4())
    {
        notes.push(Note::new(format!(
            "{} is taken as {first}/{family_length}",
            quote(text)
        )));
    }
    Ok(ranges)
}

/// Puts the ranges into the zone of that name or number.
fn in_zone(
    text: &str,
    name: &str,
    ranges: &[AddressRange],
    surroundings: &Surroundings,
) -> Result<Vec<AddressRange>, Mistake> {
    if name.contains('%') {
        return Err(Mistake::about(
            text,
            "names a zone twice",
            "write it once, at the end: fe80::1-fe80::9%eth0",
        ));
    }
    if !ranges.iter().all(is_scoped) {
        return Err(Mistake::about(
            text,
            "has a zone that it does not need",
            "only link-local addresses (fe80::/10) take one",
        ));
    }
    let zone = surroundings.zone(name).ok_or_else(|| {
        Mistake::new(format!(
            "no interface \"{}\" (have: {})",
            escape(name, 32),
            surroundings.names()
        ))
    })?;
    Ok(ranges
        .iter()
        .map(|range| {
            let (first, last) = range.bounds();
            AddressRange::within(zone, first, last)
        })
        .collect())
}

/// Link-local unicast or multicast: addresses that mean another host behind each interface.
fn is_scoped(range: &AddressRange) -> bool {
    [range.first().ip, range.last().ip]
        .iter()
        .all(|ip| match ip {
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
            IpAddr::V4(_) => false,
        })
}

fn address(text: &str, part: &str) -> Result<Address, Mistake> {
    part.parse::<Ipv6Addr>()
        .map(|ip| Address::new(IpAddr::V6(ip)))
        .map_err(|_| not_an_address(text))
}

fn not_an_address(text: &str) -> Mistake {
    Mistake::new(format!(
        "{} is not an IPv6 address (such as 2001:db8::5)",
        quote(text)
    ))
}
