//! The source ports that the kernel gives to `connect()`, and which of them may meet a target port of our own machine.
//!
//! TCP knows the simultaneous open (RFC 9293, 3.5): two connects whose source and target ports mirror each other become one
//! connection without a listener. A scan of our own addresses begins thousands of connects to ports from which others
//! begin, so such pairs do meet, and each looks open. No look at one socket tells them from a server that accepts and closes
//! at once. So they are kept from meeting: a target port q in the range is asked only from source ports s with
//!
//! ```text
//! 0 < (s - q mod n) < n / 2        n: size of the range
//! ```
//!
//! If that holds for (s, q), then (q - s mod n) > n / 2, so it fails for (q, s): of two mirrored connects at most one can be
//! begun, by this scan and by every other that keeps the rule. It also excludes s = q, a connection with itself.

use std::ops::RangeInclusive;

/// First and last source port of `connect()` in this network namespace.
pub(crate) fn range() -> (u16, u16) {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let text = text.unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first, last),
        _ => (32768, 60999),
    }
}

/// Source ports from which `target` may be asked; `None` where all may, or where the range is too small for the rule.
pub(crate) fn sources(target: u16, (first, last): (u16, u16)) -> Option<RangeInclusive<u16>> {
    if !(first..=last).contains(&target) {
        return None;
    }
    let half = (last - first).div_ceil(2);
    let above = last - target;
    // The arc behind `target` goes on at the start of the range; the kernel takes one stretch, so the longer part.
    let stretch = if above >= half {
        target + 1..=target + half.checked_sub(1)?
    } else if above >= half / 2 {
        target + 1..=last
    } else {
        first..=first + half.checked_sub(above + 2)?
    };
    (!stretch.is_empty()).then_some(stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_connects_can_mirror_each_other() {
        for (first, last) in [
            (40_000, 40_063),
            (40_000, 40_006),
            (65_400, 65_535),
            (1024, 1500),
        ] {
            for one in first..=last {
                let Some(from_one) = sources(one, (first, last)) else {
                    panic!("{one} in {first}..={last}");
                };
                assert!(first <= *from_one.start() && *from_one.end() <= last);
                assert!(!from_one.contains(&one));
                for other in from_one {
                    let mirrored = sources(other, (first, last)).is_some_and(|s| s.contains(&one));
                    assert!(!mirrored, "{one} and {other} in {first}..={last}");
                }
            }
        }
    }

    #[test]
    fn ports_outside_the_range_may_be_asked_from_everywhere() {
        assert_eq!(sources(80, (32_768, 60_999)), None);
        assert_eq!(sources(40_001, (40_001, 40_001)), None);
        let least = (32_768..=60_999)
            .filter_map(|port| sources(port, (32_768, 60_999)))
            .map(|stretch| stretch.len())
            .min();
        assert!(least >= Some(7_000), "{least:?}");
    }
}
