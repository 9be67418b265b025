//! Names of products in the form that vulnerability feeds use: CPE 2.3, its formatted string and the older URI
//! (NISTIR 7695, sections 6.1 and 6.2).
//!
//! ```text
//! cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*      formatted string: NVD, JSON
//! cpe:/a:openbsd:openssh:9.2:p1                     URI: nmap's XML
//! ```

use std::fmt;
use std::str::FromStr;

use crate::model::facts::Part;

/// A name. Attributes that nothing is said about are [`Value::Any`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cpe {
    pub part: Part,
    pub vendor: Value,
    pub product: Value,
    pub version: Value,
    pub update: Value,
    pub edition: Value,
    pub language: Value,
    pub sw_edition: Value,
    pub target_sw: Value,
    pub target_hw: Value,
    pub other: Value,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Value {
    /// `*`: any, or unknown.
    #[default]
    Any,
    /// `-`: there is none.
    NotApplicable,
    /// The text itself, without escapes: `9.2`, `c++`. Printable ASCII, no blanks, not empty.
    Text(String),
    /// Text with the wildcards `?` and `*` at its ends, with its escapes: `2.4.*`.
    Pattern(String),
}

/// Why a text is no CPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    #[error("starts neither with cpe:2.3: nor with cpe:/")]
    Prefix,
    #[error("the part is a, o or h")]
    Part,
    #[error("a formatted string has 11 attributes, a URI at most 7")]
    Attributes,
    #[error("an attribute has a character or an escape that it cannot have")]
    Character,
    #[error("more than {LONGEST} bytes")]
    Length,
}

impl Cpe {
    /// A name of which only this much is known.
    pub fn new(part: Part, vendor: Value, product: Value) -> Self {
        Self {
            part,
            vendor,
            product,
            version: Value::Any,
            update: Value::Any,
            edition: Value::Any,
            language: Value::Any,
            sw_edition: Value::Any,
            target_sw: Value::Any,
            target_hw: Value::Any,
            other: Value::Any,
        }
    }

    /// The name as a URI of CPE 2.2, with the attributes that only 2.3 knows packed into the edition.
    pub fn uri(&self) -> String {
        let extended = [
            &self.sw_edition,
            &self.target_sw,
            &self.target_hw,
            &self.other,
        ];
        let edition = if extended.iter().all(|value| **value == Value::Any) {
            self.edition.in_uri()
        } else {
            let mut packed = format!("~{}", self.edition.in_uri());
            for value in extended {
                packed.push('~');
                packed.push_str(&value.in_uri());
            }
            packed
        };
        let mut uri = format!("cpe:/{}", letter(self.part));
        for value in [
            self.vendor.in_uri(),
            self.product.in_uri(),
            self.version.in_uri(),
            self.update.in_uri(),
            edition,
            self.language.in_uri(),
        ] {
            uri.push(':');
            uri.push_str(&value);
        }
        uri.truncate(uri.trim_end_matches(':').len());
        uri
    }
}

impl Value {
    /// What somebody wrote, made fit to be a value: lower case, blanks as `_`. Nothing that is left after characters are
    /// dropped that no value can have is [`Value::Any`].
    pub fn told(text: &str) -> Self {
        let fit: String = text
            .trim()
            .chars()
            .map(|c| if c.is_whitespace() { '_' } else { c })
            .filter(char::is_ascii_graphic)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if fit.is_empty() {
            Self::Any
        } else {
            Self::Text(fit)
        }
    }

    /// The text, where it is one and nothing else.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Any | Self::NotApplicable | Self::Pattern(_) => None,
        }
    }

    fn from_formatted(text: &str) -> Result<Self, Malformed> {
        match text {
            "*" => return Ok(Self::Any),
            "-" => return Ok(Self::NotApplicable),
            "" => return Err(Malformed::Character),
            _ => {}
        }
        let (mut plain, mut wild) = (String::new(), Wild::No);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some(quoted) if quoted.is_ascii_graphic() => plain.push(quoted),
                    _ => return Err(Malformed::Character),
                },
                '?' | '*' => wild = Wild::Yes,
                c if c.is_ascii_graphic() => plain.push(c),
                _ => return Err(Malformed::Character),
            }
        }
        Ok(match wild {
            Wild::Yes => Self::Pattern(text.to_owned()),
            Wild::No => Self::Text(plain),
        })
    }

    fn from_uri(text: &str) -> Result<Self, Malformed> {
        match text {
            "" | "*" => return Ok(Self::Any),
            "-" => return Ok(Self::NotApplicable),
            _ => {}
        }
        let (mut plain, mut escaped, mut wild) = (String::new(), String::new(), Wild::No);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            let c = if c == '%' {
                let code = rest
                    .get(..2)
                    .and_then(|two| u8::from_str_radix(two, 16).ok());
                rest = rest.get(2..).unwrap_or_default();
                match code {
                    Some(1) => {
                        wild = Wild::Yes;
                        escaped.push('?');
                        continue;
                    }
                    Some(2) => {
                        wild = Wild::Yes;
                        escaped.push('*');
                        continue;
                    }
                    Some(code) => char::from(code),
                    None => return Err(Malformed::Character),
                }
            } else {
                c
            };
            if !c.is_ascii_graphic() {
                return Err(Malformed::Character);
            }
            plain.push(c);
            escape(c, &mut escaped);
        }
        Ok(match wild {
            Wild::Yes => Self::Pattern(escaped),
            Wild::No => Self::Text(plain),
        })
    }

    fn in_uri(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::NotApplicable => "-".to_owned(),
            // A hyphen that stands alone would mean that there is none.
            Self::Text(text) if text == "-" => "%2d".to_owned(),
            Self::Text(text) => text.chars().map(in_uri).collect(),
            Self::Pattern(escaped) => {
                let (mut uri, mut chars) = (String::new(), escaped.chars());
                while let Some(c) = chars.next() {
                    match c {
                        '?' => uri.push_str("%01"),
                        '*' => uri.push_str("%02"),
                        '\\' => uri.extend(chars.next().map(in_uri)),
                        c => uri.push_str(&in_uri(c)),
                    }
                }
                uri
            }
        }
    }
}

/// Whether a text has a character that stands for others.
enum Wild {
    Yes,
    No,
}

/// The value as it stands in a formatted string.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::NotApplicable => f.write_str("-"),
            Self::Text(text) if text == "-" => f.write_str("\\-"),
            Self::Text(text) => {
                let mut escaped = String::with_capacity(text.len());
                text.chars().for_each(|c| escape(c, &mut escaped));
                f.write_str(&escaped)
            }
            Self::Pattern(escaped) => f.write_str(escaped),
        }
    }
}

/// The formatted string of CPE 2.3.
impl fmt::Display for Cpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpe:2.3:{}", letter(self.part))?;
        for value in [
            &self.vendor,
            &self.product,
            &self.version,
            &self.update,
            &self.edition,
            &self.language,
            &self.sw_edition,
            &self.target_sw,
            &self.target_hw,
            &self.other,
        ] {
            write!(f, ":{value}")?;
        }
        Ok(())
    }
}

/// Reads either form.
///
/// # Errors
/// [`Malformed`] says what is wrong with it.
impl FromStr for Cpe {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::Length);
        }
        if let Some(attributes) = text.strip_prefix("cpe:2.3:") {
            formatted(attributes)
        } else if let Some(attributes) = text.strip_prefix("cpe:/") {
            uri(attributes)
        } else {
            Err(Malformed::Prefix)
        }
    }
}

fn formatted(text: &str) -> Result<Cpe, Malformed> {
    let mut attributes = split(text);
    let first = attributes.next().ok_or(Malformed::Attributes)?;
    let part = part(first)?;
    let mut value = || Value::from_formatted(attributes.next().ok_or(Malformed::Attributes)?);
    let cpe = Cpe {
        part,
        vendor: value()?,
        product: value()?,
        version: value()?,
        update: value()?,
        edition: value()?,
        language: value()?,
        sw_edition: value()?,
        target_sw: value()?,
        target_hw: value()?,
        other: value()?,
    };
    match attributes.next() {
        None => Ok(cpe),
        Some(_) => Err(Malformed::Attributes),
    }
}

/// The attributes of a formatted string: colons part them, but for those behind a backslash.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = Quoted::No;
    text.split(move |c| {
        let is_colon = c == ':' && quoted == Quoted::No;
        quoted = match (c, quoted) {
            ('\\', Quoted::No) => Quoted::Yes,
            _ => Quoted::No,
        };
        is_colon
    })
}

/// Whether the character before was a backslash that quotes this one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    Yes,
    No,
}

fn uri(text: &str) -> Result<Cpe, Malformed> {
    let mut attributes = text.split(':');
    let part = part(attributes.next().unwrap_or_default())?;
    let mut next = || attributes.next().unwrap_or_default();
    let mut cpe = Cpe::new(part, Value::from_uri(next())?, Value::from_uri(next())?);
    cpe.version = Value::from_uri(next())?;
    cpe.update = Value::from_uri(next())?;
    let edition = next();
    cpe.language = Value::from_uri(next())?;
    if attributes.next().is_some() {
        return Err(Malformed::Attributes);
    }
    match edition.strip_prefix('~') {
        None => cpe.edition = Value::from_uri(edition)?,
        Some(packed) => {
            let mut packed = packed.split('~');
            let mut value = || Value::from_uri(packed.next().unwrap_or_default());
            cpe.edition = value()?;
            cpe.sw_edition = value()?;
            cpe.target_sw = value()?;
            cpe.target_hw = value()?;
            cpe.other = value()?;
            if packed.next().is_some() {
                return Err(Malformed::Attributes);
            }
        }
    }
    Ok(cpe)
}

fn part(text: &str) -> Result<Part, Malformed> {
    match text {
        "a" => Ok(Part::Application),
        "o" => Ok(Part::System),
        "h" => Ok(Part::Hardware),
        _ => Err(Malformed::Part),
    }
}

fn letter(part: Part) -> char {
    match part {
        Part::Application => 'a',
        Part::System => 'o',
        Part::Hardware => 'h',
    }
}

/// Adds a character as a formatted string has it.
fn escape(c: char, to: &mut String) {
    if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        to.push('\\');
    }
    to.push(c);
}

fn in_uri(c: char) -> String {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
        c.to_string()
    } else {
        format!("%{:02x}", u32::from(c))
    }
}

/// NVD's longest name has 300 and some bytes.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests;
