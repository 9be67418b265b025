//! IPv4 targets as text: addresses, prefixes, ranges, ranges inside octets.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::Address;

use super::address_range::AddressRange;
use super::mistake::{Mistake, Note, quote};

/// An octet range such as `0-255.0-255.0-255.1-5` may fall apart into this many ranges; beyond, CIDR says it shorter.
const MOST_PIECES: usize = 65_536;

/// Whether text is meant as IPv4: nothing in it but digits, dots, hyphens and what follows a slash, or labels of
/// which each is a number in some notation of `inet_aton`. Such text is never looked up as a name.
pub(super) fn looks_like(text: &str) -> bool {
    let head = text.split('/').next().unwrap_or_default();
    let plain = head
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    (plain && head.bytes().any(|byte| byte.is_ascii_digit()))
        || (!head.is_empty() && head.split('.').all(|label| legacy_number(label).is_some()))
}

/// Reads one IPv4 target.
pub(super) fn parse(text: &str, notes: &mut Vec<Note>) -> Result<Vec<AddressRange>, Mistake> {
    if let Some((head, prefix)) = text.split_once('/') {
        return block(text, head, prefix, notes);
    }
    if let Some((from, to)) = text.split_once('-')
        && (from.contains('.') || from.is_empty())
    {
        if from.is_empty() {
            return Err(Mistake::about(
                text,
                "has no start",
                "write 10.0.0.1-10.0.0.50",
            ));
        }
        if to.is_empty() {
            return Err(Mistake::about(
                text,
                "is not complete: the range has no end",
                "write 10.0.0.1-50 or 10.0.0.1-10.0.0.50",
            ));
        }
        if from.split('.').count() == 4
            && to.contains('.')
            && !to.contains('-')
            && to.split('.').count() == 4
        {
            let (first, last) = (address(text, from)?, address(text, to)?);
            let range = AddressRange::new(wrap(first), wrap(last))
                .ok_or_else(|| backwards(text, &format!("{last}-{first}")))?;
            return Ok(vec![range]);
        }
    }
    if text.contains('-') {
        return octets(text);
    }
    Ok(vec![AddressRange::single(wrap(address(text, text)?))])
}

fn block(
    text: &str,
    head: &str,
    prefix: &str,
    notes: &mut Vec<Note>,
) -> Result<Vec<AddressRange>, Mistake> {
    let length = prefix_length(text, prefix, 32)?;
    if head.contains('-') {
        return Err(Mistake::about(
            text,
            "is a range with a prefix length",
            "write 10.0.0.0/24 or 10.0.0.1-50",
        ));
    }
    let given = wrap(address(text, head)?);
    let ranges = AddressRange::block(given, length);
    if let Some(first) = ranges.first().map(AddressRange::first)
        && first != given
    {
        notes.push(Note::new(format!(
            "{} is taken as {first}/{length}",
            quote(text)
        )));
    }
    Ok(ranges)
}

/// Reads what follows the slash.
pub(super) fn prefix_length(text: &str, prefix: &str, most: u32) -> Result<u32, Mistake> {
    let canonical = prefix == "0" || !prefix.starts_with('0');
    prefix
        .parse::<u32>()
        .ok()
        .filter(|&length| canonical && !prefix.starts_with('+') && length <= most)
        .ok_or_else(|| {
            Mistake::new(format!(
                "the prefix length must be 0-32 (IPv6: 0-128): {}",
                quote(text)
            ))
        })
}

/// Reads `part`, which must be one address; `text` is what the user typed.
fn address(text: &str, part: &str) -> Result<Ipv4Addr, Mistake> {
    // The standard library's parser refuses leading zeros, hexadecimal and short forms.
    part.parse()
        .map_err(|_| ambiguous(text, part).unwrap_or_else(|| not_an_address(text)))
}

/// The complaint for text that the C library would read as some address.
fn ambiguous(text: &str, part: &str) -> Option<Mistake> {
    let labels: Vec<&str> = part.split('.').collect();
    let meant = legacy(&labels);
    let decimal = part
        .split('.')
        .map(|label| label.parse::<u8>().ok())
        .collect::<Option<Vec<u8>>>()
        .and_then(|octets| <[u8; 4]>::try_from(octets).ok())
        .map(Ipv4Addr::from);
    if let Some(decimal) = decimal {
        let octal = meant
            .filter(|&octal| octal != decimal)
            .map_or_else(String::new, |octal| format!(" (octal would be {octal})"));
        return Some(Mistake::new(format!(
            "ambiguous number {}; did you mean {decimal}?{octal}",
            quote(text)
        )));
    }
    // 1.2.3 and 1 are slips more often than the notation of 1983; a lone number above 255 or a 0x is meant.
    let deliberate =
        part.contains('x') || part.contains('X') || (labels.len() == 1 && part.len() > 3);
    meant.filter(|_| deliberate).map(|meant| {
        Mistake::new(format!(
            "ambiguous number {}; did you mean {meant}?",
            quote(text)
        ))
    })
}

/// What `inet_aton` would make of it: 1 to 4 numbers, the last fills the remaining bytes.
fn legacy(labels: &[&str]) -> Option<Ipv4Addr> {
    let numbers: Vec<u32> = labels
        .iter()
        .map(|label| legacy_number(label))
        .collect::<Option<_>>()?;
    let (&last, leading) = numbers.split_last()?;
    if leading.len() > 3 || leading.iter().any(|&number| number > 255) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if room < 32 && last >> room != 0 {
        return None;
    }
    let high = leading
        .iter()
        .zip([24, 16, 8])
        .fold(0, |sum, (&number, shift)| sum | number << shift);
    Some(Ipv4Addr::from_bits(high | last))
}

/// A number in C's notation: 0x hexadecimal, 0 octal, else decimal.
fn legacy_number(label: &str) -> Option<u32> {
    let (digits, radix) = match label.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&label[2..], 16),
        [b'0', _, ..] => (&label[1..], 8),
        _ => (label, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// Reads `10.0.0-3.1-254`: four octets, each a number or a range.
fn octets(text: &str) -> Result<Vec<AddressRange>, Mistake> {
    let parts: Vec<&str> = text.split('.').collect();
    let Ok(parts) = <[&str; 4]>::try_from(parts) else {
        return Err(not_an_address(text));
    };
    let mut bounds = [(0_u8, 0_u8); 4];
    for (bound, part) in bounds.iter_mut().zip(parts) {
        *bound = octet(text, part)?;
    }
    // From the right: as long as the octets to the right are whole, a range of this octet is one run of addresses.
    let runs_from = (0..4).rev().find(|&at| bounds[at] != (0, 255)).unwrap_or(0);
    let pieces: usize = bounds[..runs_from]
        .iter()
        .map(|&(low, high)| usize::from(high - low) + 1)
        .product();
    if pieces > MOST_PIECES {
        return Err(Mistake::about(
            text,
            "falls apart into too many ranges",
            "write it with prefixes, such as 10.0.0.0/8",
        ));
    }
    let lows = bounds.map(|(low, _)| low);
    let highs = bounds.map(|(_, high)| high);
    let mut ranges = Vec::with_capacity(pieces);
    let mut leading = lows;
    loop {
        let (mut first, mut last) = (lows, highs);
        first[..runs_from].copy_from_slice(&leading[..runs_from]);
        last[..runs_from].copy_from_slice(&leading[..runs_from]);
        ranges.extend(AddressRange::new(wrap(first.into()), wrap(last.into())));
        // Count up the leading octets like an odometer.
        let Some(turn) = (0..runs_from).rev().find(|&at| leading[at] < highs[at]) else {
            return Ok(ranges);
        };
        leading[turn] += 1;
        leading[turn + 1..runs_from].copy_from_slice(&lows[turn + 1..runs_from]);
    }
}

fn octet(text: &str, part: &str) -> Result<(u8, u8), Mistake> {
    let (low, high) = part.split_once('-').unwrap_or((part, part));
    if high.is_empty() && !low.is_empty() {
        return Err(Mistake::about(
            text,
            "is not complete: the range has no end",
            "write 10.0.0.1-50",
        ));
    }
    let number = |digits: &str| {
        if digits.len() > 1
            && digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(Mistake::new(format!(
                "ambiguous number {}: write octets without leading zeros",
                quote(text)
            )));
        }
        Some(digits)
            .filter(|digits| !digits.starts_with('+'))
            .and_then(|digits| digits.parse::<u8>().ok())
            .ok_or_else(|| not_an_address(text))
    };
    let (low, high) = (number(low)?, number(high)?);
    if low > high {
        let turned = format!("{high}-{low}");
        let octets = text.split('.');
        let right: Vec<&str> = octets
            .map(|octet| if octet == part { &turned } else { octet })
            .collect();
        return Err(backwards(text, &right.join(".")));
    }
    Ok((low, high))
}

fn backwards(text: &str, right: &str) -> Mistake {
    Mistake::new(format!(
        "the range {} runs backwards; did you mean {right}?",
        quote(text)
    ))
}

fn not_an_address(text: &str) -> Mistake {
    Mistake::new(format!(
        "{} is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)",
        quote(text)
    ))
}

fn wrap(ip: Ipv4Addr) -> Address {
    Address::new(IpAddr::V4(ip))
}
