//! Numbers with units, read strictly: digits and a unit, nothing that merely resembles them.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use halfopen::plan::Mistake;

/// Packets per second: `500`, `20k`, `1.5M`.
///
/// # Errors
/// Anything but 1 to 10,000,000.
pub fn rate(text: &str) -> Result<u32, Mistake> {
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1_000.0),
        None => match text.strip_suffix(['m', 'M']) {
            Some(number) => (number, 1_000_000.0),
            None => (text, 1.0),
        },
    };
    decimal(number)
        .map(|number| number * factor)
        .filter(|rate| (1.0..=10_000_000.0).contains(rate))
        .map(|rate| rate as u32)
        .ok_or_else(|| {
            Mistake::about(
                text,
                "is not a rate",
                "the rate is 1 to 10,000,000 packets per second; k and M are understood",
            )
        })
}

/// A span of time: `500ms`, `3s`, `1.5m`, `2h`, `1d`.
///
/// # Errors
/// No unit, another unit, or a time outside `range`.
pub fn time(text: &str, what: &str, range: RangeInclusive<Duration>) -> Result<Duration, Mistake> {
    UNITS
        .iter()
        .find_map(|(unit, seconds)| {
            let number = decimal(text.strip_suffix(unit)?)?;
            Duration::try_from_secs_f64(number * seconds).ok()
        })
        .filter(|time| range.contains(time))
        .ok_or_else(|| {
            Mistake::about(
                text,
                &format!("is not {what}"),
                &format!(
                    "write a time such as 500ms, 3s, 5m or 2h, from {} to {}",
                    shortest(*range.start()),
                    shortest(*range.end())
                ),
            )
        })
}

/// A whole number within `range`.
///
/// # Errors
/// Anything else.
pub fn whole<N>(text: &str, what: &str, range: RangeInclusive<N>) -> Result<N, Mistake>
where
    N: FromStr + PartialOrd + std::fmt::Display,
{
    digits(text)
        .and_then(|text| text.parse().ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            Mistake::about(
                text,
                &format!("is not a number of {what}"),
                &format!("write {} to {} {what}", range.start(), range.end()),
            )
        })
}

/// A decimal number within `range`.
///
/// # Errors
/// Anything else.
pub fn fraction(text: &str, what: &str, range: RangeInclusive<f64>) -> Result<f64, Mistake> {
    decimal(text)
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            Mistake::about(
                text,
                &format!("is not {what}"),
                &format!("write {} to {}", range.start(), range.end()),
            )
        })
}

/// A seed: any whole number of 64 bits.
///
/// # Errors
/// Anything else.
pub fn seed(text: &str) -> Result<u64, Mistake> {
    digits(text)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Mistake::about(
                text,
                "is not a seed",
                "write a whole number from 0 to 18446744073709551615",
            )
        })
}

/// Digits with at most one point among them. `1e99`, `NaN`, `inf`, `+5` and `-5` are none.
fn decimal(text: &str) -> Option<f64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole)?;
    digits(part)?;
    text.parse().ok()
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn shortest(time: Duration) -> String {
    let ms = time.as_millis();
    UNITS
        .iter()
        .rev()
        .map(|(unit, seconds)| (unit, (seconds * 1000.0) as u128))
        .find(|(_, length)| ms >= *length && ms.is_multiple_of(*length))
        .map_or_else(
            || format!("{ms}ms"),
            |(unit, length)| format!("{}{unit}", ms / length),
        )
}

/// Longer units end in shorter ones' letters, so `ms` comes before `m` and `s`.
const UNITS: [(&str, f64); 5] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, rate_is) in [
            ("1", 1),
            ("20k", 20_000),
            ("1.5M", 1_500_000),
            ("10M", 10_000_000),
        ] {
            assert_eq!(rate(text), Ok(rate_is));
        }
        for text in [
            "0", "-5", "1e99", "fast", "NaN", "inf", "", "k", "11M", "1.2.3", "1.", "٣", "0.5",
        ] {
            let told = rate(text).expect_err(text).to_string();
            assert!(
                told.contains(
                    "the rate is 1 to 10,000,000 packets per second; k and M are understood"
                ),
                "{told}"
            );
        }
    }

    #[test]
    fn times() {
        let range = Duration::from_millis(1)..=Duration::from_secs(3600);
        for (text, ms) in [
            ("500ms", 500),
            ("3s", 3_000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                time(text, "patience", range.clone()),
                Ok(Duration::from_millis(ms))
            );
        }
        for text in [
            "3",
            "0s",
            "2h",
            "-1s",
            "s",
            "1e9s",
            "99999999999999999999999999d",
            "soon",
        ] {
            let told = time(text, "patience", range.clone())
                .expect_err(text)
                .to_string();
            assert!(told.ends_with("from 1ms to 1h"), "{told}");
        }
    }

    #[test]
    fn whole_numbers_and_fractions() {
        assert_eq!(whole("1024", "threads", 1..=1024_usize), Ok(1024));
        for text in ["0", "1025", "100000", "4.0", "99999999999999999999999"] {
            let told = whole(text, "threads", 1..=1024_usize)
                .expect_err(text)
                .to_string();
            assert!(told.ends_with("write 1 to 1024 threads"), "{told}");
        }
        assert_eq!(fraction("0.5", "the miss budget", 0.0..=1.0), Ok(0.5));
        assert!(fraction("2", "the miss budget", 0.0..=1.0).is_err());
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert!(seed("18446744073709551616").is_err());
    }
}
