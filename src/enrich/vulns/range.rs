//! Which versions an entry of a feed means, and the short text that a database keeps of it.
//!
//! ```text
//! >=8.6,<9.8     from 8.6 to before 9.8
//! =9.3p1         this one
//! *              all
//! ?              the feed does not say
//! &<2.0          only together with other software or on some platform
//! ```
//!
//! Several are joined by `|`. What a version cannot be written with is escaped as in URIs.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// One stretch of versions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    pub extent: Extent,
    pub condition: Condition,
}

/// How far it goes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Extent {
    /// Open where there is no bound.
    Between {
        from: Option<Bound>,
        to: Option<Bound>,
    },
    /// The feed names the product and no version that could be compared.
    Untold,
}

/// An end of a stretch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bound {
    pub version: String,
    pub edge: Edge,
}

/// Whether the version at the end belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Edge {
    Including,
    Excluding,
}

/// Whether the version alone decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    Alone,
    /// Only with other software, in an edition or on a platform that the entry names as well.
    WithOthers,
}

/// The text is not what [`Range`] writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is not a range of versions")]
pub struct NotARange;

impl Range {
    /// Between two ends, whatever else is there.
    pub fn between(from: Option<Bound>, to: Option<Bound>) -> Self {
        Self {
            extent: Extent::Between { from, to },
            condition: Condition::Alone,
        }
    }

    /// One version.
    pub fn exactly(version: impl Into<String>) -> Self {
        let bound = Bound::including(version);
        Self::between(Some(bound.clone()), Some(bound))
    }

    /// Versions that the feed does not tell.
    pub fn untold() -> Self {
        Self {
            extent: Extent::Untold,
            condition: Condition::Alone,
        }
    }

    /// Whether every version is in it.
    pub fn is_unbounded(&self) -> bool {
        let Extent::Between { from, to } = &self.extent else {
            return false;
        };
        from.is_none() && to.is_none()
    }

    /// Whether a version is in it, by this order. `None`: that cannot be said.
    pub fn contains(&self, version: &str, order: impl Fn(&str, &str) -> Ordering) -> Option<bool> {
        let Extent::Between { from, to } = &self.extent else {
            return None;
        };
        let after = from.as_ref().is_none_or(|from| {
            let order = order(version, &from.version);
            order.is_gt() || (order.is_eq() && from.edge == Edge::Including)
        });
        let before = to.as_ref().is_none_or(|to| {
            let order = order(version, &to.version);
            order.is_lt() || (order.is_eq() && to.edge == Edge::Including)
        });
        Some(after && before)
    }

    /// In words: `8.6 to before 9.8`.
    pub fn words(&self) -> String {
        let Extent::Between { from, to } = &self.extent else {
            return "versions not told".to_owned();
        };
        let mut words = match (from, to) {
            (None, None) => "all versions".to_owned(),
            (Some(from), Some(to)) if from == to => from.version.clone(),
            (None, Some(to)) => format!("{}{}", to.edge.word(), to.version),
            (Some(from), None) => format!("{} and later", from.in_words()),
            (Some(from), Some(to)) => {
                format!("{} to {}{}", from.in_words(), to.edge.word(), to.version)
            }
        };
        if self.condition == Condition::WithOthers {
            words.push_str(", with other software or on some platform only");
        }
        words
    }
}

impl Bound {
    pub fn including(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            edge: Edge::Including,
        }
    }

    pub fn excluding(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            edge: Edge::Excluding,
        }
    }

    /// As the begin of a stretch.
    fn in_words(&self) -> String {
        match self.edge {
            Edge::Including => self.version.clone(),
            Edge::Excluding => format!("after {}", self.version),
        }
    }
}

impl Edge {
    /// Before the end of a stretch.
    fn word(self) -> &'static str {
        match self {
            Self::Including => "up to ",
            Self::Excluding => "before ",
        }
    }
}

/// The text of several ranges.
pub fn written(ranges: &[Range]) -> String {
    let texts: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    texts.join("|")
}

/// Reads what [`written`] wrote.
///
/// # Errors
/// When it did not.
pub fn read(text: &str) -> Result<Vec<Range>, NotARange> {
    text.split('|').map(str::parse).collect()
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.condition == Condition::WithOthers {
            f.write_str("&")?;
        }
        match &self.extent {
            Extent::Untold => f.write_str("?"),
            Extent::Between {
                from: None,
                to: None,
            } => f.write_str("*"),
            Extent::Between {
                from: Some(from),
                to: Some(to),
            } if from == to && from.edge == Edge::Including => {
                write!(f, "={}", Escaped(&from.version))
            }
            Extent::Between { from, to } => {
                if let Some(from) = from {
                    write!(f, ">{}{}", from.edge.sign(), Escaped(&from.version))?;
                }
                if from.is_some() && to.is_some() {
                    f.write_str(",")?;
                }
                match to {
                    Some(to) => write!(f, "<{}{}", to.edge.sign(), Escaped(&to.version)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Edge {
    fn sign(self) -> &'static str {
        match self {
            Self::Including => "=",
            Self::Excluding => "",
        }
    }
}

impl FromStr for Range {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let (condition, text) = match text.strip_prefix('&') {
            Some(rest) => (Condition::WithOthers, rest),
            None => (Condition::Alone, text),
        };
        let range = match text {
            "?" => Self::untold(),
            "*" => Self::between(None, None),
            _ => match text.strip_prefix('=') {
                Some(version) => Self::exactly(unescaped(version)?),
                None => {
                    let (from, to) = match text.split_once(',') {
                        Some((from, to)) => (Some(from), Some(to)),
                        None if text.starts_with('>') => (Some(text), None),
                        None => (None, Some(text)),
                    };
                    Self::between(
                        from.map(|text| bound(text, '>')).transpose()?,
                        to.map(|text| bound(text, '<')).transpose()?,
                    )
                }
            },
        };
        Ok(Self { condition, ..range })
    }
}

fn bound(text: &str, sign: char) -> Result<Bound, NotARange> {
    let text = text.strip_prefix(sign).ok_or(NotARange)?;
    match text.strip_prefix('=') {
        Some(version) => Ok(Bound::including(unescaped(version)?)),
        None => Ok(Bound::excluding(unescaped(text)?)),
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b".-_+~:".contains(&byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn unescaped(text: &str) -> Result<String, NotARange> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next(), rest.next()];
            let digits = digits.map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
            let [Some(high), Some(low)] = digits else {
                return Err(NotARange);
            };
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| NotARange)?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| NotARange)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::enrich::vulns::order::compare;

    #[test]
    fn ends_belong_to_a_range_or_do_not() {
        let range: Range = ">=8.6,<9.8".parse().expect("a range");
        for (version, inside) in [
            ("8.5p1", false),
            ("8.6", true),
            ("9.2p1", true),
            ("9.7p1", true),
            ("9.8", false),
            ("9.8p1", false),
        ] {
            assert_eq!(range.contains(version, compare), Some(inside), "{version}");
        }
        assert_eq!(range.words(), "8.6 to before 9.8");
        assert_eq!(Range::untold().contains("1", compare), None);
        let all: Range = "&*".parse().expect("a range");
        assert_eq!(all.contains("1", compare), Some(true));
        assert_eq!(all.condition, Condition::WithOthers);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "", "8.6", ">=1,>2", "<1,<2", "=%", "=%zz", "=%ff", "<1,2", "&",
        ] {
            assert_eq!(text.parse::<Range>(), Err(NotARange), "{text}");
        }
    }

    fn bounds() -> impl Strategy<Value = Option<Bound>> {
        let bound = ("\\PC{0,8}", any::<bool>()).prop_map(|(version, including)| {
            if including {
                Bound::including(version)
            } else {
                Bound::excluding(version)
            }
        });
        proptest::option::of(bound)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(from in bounds(), to in bounds(), others: bool) {
            let condition = if others { Condition::WithOthers } else { Condition::Alone };
            let ranges = vec![
                Range { condition, ..Range::between(from, to) },
                Range::exactly("a|b,%"),
                Range::untold(),
            ];
            prop_assert_eq!(read(&written(&ranges)), Ok(ranges));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            if let Ok(ranges) = read(&text) {
                let _ = ranges.iter().map(Range::words).collect::<Vec<_>>();
            }
        }
    }
}
