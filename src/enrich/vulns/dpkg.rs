//! Which of two Debian package versions is the later one, as dpkg sees it: `1:9.2p1-2+deb12u3`.
//!
//! Debian Policy 5.6.12: `[epoch:]upstream[-revision]`. Epochs are compared as numbers, the rest by alternating runs of
//! non-digits and digits; in non-digits `~` comes before the end, the end before letters, letters before all else.

use std::cmp::Ordering;

/// A version, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Version<'a> {
    /// `None` where none is written: it counts as 0.
    pub epoch: Option<u32>,
    pub upstream: &'a str,
    /// What is behind the last hyphen; empty where there is none.
    pub revision: &'a str,
}

impl<'a> Version<'a> {
    /// Takes a version apart. A colon that no number is before belongs to the upstream version.
    pub fn new(text: &'a str) -> Self {
        let text = text.trim();
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if is_number(epoch) => match epoch.parse() {
                Ok(epoch) => (Some(epoch), rest),
                Err(_) => (None, text),
            },
            _ => (None, text),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self {
            epoch,
            upstream,
            revision,
        }
    }

    /// The same version with the epoch of another, where it has none of its own: servers do not tell theirs.
    pub fn with_epoch_of(self, other: &Self) -> Self {
        Self {
            epoch: self.epoch.or(other.epoch),
            ..self
        }
    }
}

/// dpkg's order.
pub fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    (a.epoch.unwrap_or(0).cmp(&b.epoch.unwrap_or(0)))
        .then_with(|| by_runs(a.upstream, b.upstream))
        .then_with(|| by_runs(a.revision, b.revision))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn by_runs(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let order = non_digits(&mut a, &mut b).then_with(|| digits(&mut a, &mut b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn non_digits(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    loop {
        let (first, second) = (weight(a), weight(b));
        if first != second {
            return first.cmp(&second);
        }
        // The same weight on both sides: the same character, or both have come to digits or the end.
        if first == 0 {
            return Ordering::Equal;
        }
        *a = a.get(1..).unwrap_or_default();
        *b = b.get(1..).unwrap_or_default();
    }
}

/// How a run of non-digits that goes on like this sorts; 0 where it has ended.
fn weight(text: &[u8]) -> i32 {
    match text.first() {
        None | Some(b'0'..=b'9') => 0,
        Some(b'~') => -1,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

fn digits(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let (first, second) = (number(a), number(b));
    first
        .len()
        .cmp(&second.len())
        .then_with(|| first.cmp(second))
}

/// Takes the digits in front away and returns them without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    *text = rest;
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(a: &str, b: &str) -> Ordering {
        compare(&Version::new(a), &Version::new(b))
    }

    #[test]
    fn each_is_later_than_the_one_before() {
        let rising = [
            "9.2p1-2~bpo11+1",
            "9.2p1-2",
            "9.2p1-2+deb12u1",
            "9.2p1-2+deb12u2",
            "9.2p1-2+deb12u10",
            "9.2p1-3",
            "9.10p1-1",
            "1:0-1",
            "1:9.2p1-2+deb12u3",
        ];
        for pair in rising.windows(2) {
            assert_eq!(order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        for (a, b) in [
            ("1.0", "1.0-0"),
            ("0:1", "1"),
            ("1.01", "1.1"),
            ("1.0-00", "1.0-"),
        ] {
            assert_eq!(order(a, b), Ordering::Equal, "{a} {b}");
        }
        assert_eq!(order("1.0~", "1.0"), Ordering::Less);
        assert_eq!(order("1.0~~", "1.0~"), Ordering::Less);
        assert_eq!(order("1.0a", "1.0+"), Ordering::Less);
    }

    #[test]
    fn an_epoch_that_is_not_told_is_borrowed() {
        let fixed = Version::new("1:9.2p1-2+deb12u3");
        let told = Version::new("9.2p1-2+deb12u3");
        assert_eq!(compare(&told, &fixed), Ordering::Less);
        assert_eq!(
            compare(&told.with_epoch_of(&fixed), &fixed),
            Ordering::Equal
        );
    }

    proptest! {
        #[test]
        fn it_is_an_order(
            a in "[01]?:?[0-2a+.~-]{0,6}", b in "[01]?:?[0-2a+.~-]{0,6}", c in "[01]?:?[0-2a+.~-]{0,6}",
        ) {
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn any_texts_can_be_compared(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        }
    }
}
