//! Numbers of vulnerabilities (`CVE-2024-6387`) as the integers that a database orders them by.

use std::fmt;
use std::str::FromStr;

/// A number that the CVE programme gave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CveId {
    year: u16,
    number: u64,
}

/// The text is no number of the CVE programme.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is not a CVE number")]
pub struct NotACve;

impl CveId {
    /// A key that sorts as the numbers do.
    pub fn key(self) -> i64 {
        i64::try_from(u64::from(self.year) * NUMBERS + self.number).unwrap_or(i64::MAX)
    }

    /// The number with this key. `None`: no number has it.
    pub fn from_key(key: i64) -> Option<Self> {
        let key = u64::try_from(key).ok()?;
        Some(Self {
            year: u16::try_from(key / NUMBERS).ok()?,
            number: key % NUMBERS,
        })
    }

    /// The number in an advisory's own name: `DEBIAN-CVE-2024-6387`, `CVE-2024-6387`.
    pub fn within(name: &str) -> Option<Self> {
        name.get(name.find("CVE-")?..)?.parse().ok()
    }
}

impl FromStr for CveId {
    type Err = NotACve;

    fn from_str(text: &str) -> Result<Self, NotACve> {
        let (year, number) = text
            .strip_prefix("CVE-")
            .and_then(|rest| rest.split_once('-'))
            .ok_or(NotACve)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || !digits(year) || !digits(number) || !(4..=12).contains(&number.len())
        {
            return Err(NotACve);
        }
        let id = Self {
            year: year.parse().map_err(|_| NotACve)?,
            number: number.parse().map_err(|_| NotACve)?,
        };
        // Zeros in front of five digits would make two texts of one number.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotACve)
        }
    }
}

impl fmt::Display for CveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CVE-{:04}-{:04}", self.year, self.number)
    }
}

/// Numbers that fit into a year.
const NUMBERS: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "CVE",
            "CVE-2024",
            "CVE-2024-",
            "CVE-2024-123",
            "CVE-24-1234",
            "CVE-2024-01234",
            "CVE-2024-12x4",
            "CVE-2024-1234567890123",
            "cve-2024-1234",
            "CVE-2024-1234 ",
            "CVE-2024-+123",
        ] {
            assert_eq!(text.parse::<CveId>(), Err(NotACve), "{text}");
        }
        assert_eq!(CveId::from_key(-1), None);
        assert_eq!(
            CveId::within("DEBIAN-CVE-2024-6387").map(|id| id.to_string()),
            Some("CVE-2024-6387".to_owned())
        );
        assert_eq!(CveId::within("DSA-5724-1"), None);
    }

    proptest! {
        #[test]
        fn text_and_key_come_back(year in 0..10_000_u16, number in 0..NUMBERS) {
            let text = format!("CVE-{year:04}-{number:04}");
            let id: CveId = text.parse().expect("a number");
            prop_assert_eq!(id.to_string(), text);
            prop_assert_eq!(CveId::from_key(id.key()), Some(id));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}", key: i64) {
            let _ = text.parse::<CveId>();
            let _ = CveId::within(&text);
            let _ = CveId::from_key(key).map(|id| id.to_string());
        }
    }
}
