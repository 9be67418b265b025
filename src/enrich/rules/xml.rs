//! Reads a file in Recog's XML schema:
//!
//! ```xml
//! <fingerprints matches="ssh.banner" protocol="ssh" preference="0.95">
//!   <fingerprint pattern="^OpenSSH_([\d.]+)" flags="REG_ICASE">
//!     <description>OpenSSH</description>
//!     <example service.version="9.2">OpenSSH_9.2</example>
//!     <param pos="0" name="service.product" value="OpenSSH"/>
//!     <param pos="1" name="service.version"/>
//!   </fingerprint>
//! </fingerprints>
//! ```
//!
//! A file comes from outside: what the schema does not have is passed over, what contradicts it is refused with its line.

use std::fmt;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::pattern::{Case, Dot, Flags, Pattern};
use super::rule::{Param, Rule, Source};

/// A file that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The kind of text that its rules look at: `ssh.banner`.
    pub kind: String,
    /// 0 to 1; files with greater ones are asked first.
    pub preference: f64,
    pub rules: Vec<Rule>,
    /// What the rules say they are made for, as pairs of the rule's place in `rules` and its example.
    #[cfg(test)]
    pub examples: Vec<(usize, super::tests::Example)>,
}

/// Why a file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    pub file: String,
    /// From 1.
    pub line: usize,
    pub what: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}: {}", self.file, self.line, self.what)
    }
}

/// Reads a file.
///
/// # Errors
/// What is wrong, and in which line.
pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Parsed, Mistake> {
    let at = |offset: usize, what: String| Mistake {
        file: name.to_owned(),
        line: 1 + bytes
            .iter()
            .take(offset)
            .filter(|byte| **byte == b'\n')
            .count(),
        what,
    };
    if bytes.len() > LARGEST {
        return Err(at(0, format!("more than {} MiB", LARGEST >> 20)));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| at(error.valid_up_to(), "not UTF-8".to_owned()))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut document = Document::new(name);
    loop {
        let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event();
        let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let read = match event {
            Ok(Event::Eof) => break,
            Ok(Event::Start(element)) => document.begins(&element),
            Ok(Event::Empty(element)) => document.begins(&element).and_then(|()| document.ends()),
            Ok(Event::End(_)) => document.ends(),
            Ok(Event::Text(text)) => {
                document.says(&text.xml10_content());
                Ok(())
            }
            Ok(Event::CData(text)) => {
                document.says(&text.xml10_content());
                Ok(())
            }
            Ok(Event::GeneralRef(entity)) => unescape(&format!("&{};", entity.into_inner()))
                .map(|text| document.says(&text))
                .map_err(|error| error.to_string()),
            Ok(_) => Ok(()),
            Err(error) => return Err(at(end, error.to_string())),
        };
        // An element's line is that of its end bracket: mistakes are mostly in its attributes.
        read.map_err(|what| at(end.max(start).saturating_sub(1), what))?;
    }
    document.finish().map_err(|what| at(bytes.len(), what))
}

/// What was read so far.
struct Document {
    parsed: Parsed,
    /// The elements that are open.
    open: Vec<Element>,
    rule: Option<Unfinished>,
    /// The text of the innermost element that has one.
    text: String,
    root: Root,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    NotYet,
    Seen,
}

/// What can be open.
enum Element {
    Fingerprints,
    Fingerprint,
    Description,
    #[cfg_attr(not(test), allow(dead_code, reason = "only tests look at examples"))]
    Example(Vec<(String, String)>),
    Param,
    Unknown,
}

/// A rule whose element is open.
struct Unfinished {
    description: String,
    pattern: Pattern,
    params: Vec<Param>,
}

impl Document {
    fn new(name: &str) -> Self {
        // Recog's own rule: without the attribute the kind is the name of the file.
        let stem = name.rsplit('/').next().unwrap_or(name);
        let stem = stem.strip_suffix(".xml").unwrap_or(stem);
        Self {
            parsed: Parsed {
                kind: stem.to_owned(),
                preference: PREFERENCE,
                rules: Vec::new(),
                #[cfg(test)]
                examples: Vec::new(),
            },
            open: Vec::new(),
            rule: None,
            text: String::new(),
            root: Root::NotYet,
        }
    }

    fn begins(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err("elements in too many elements".to_owned());
        }
        let name = element.name();
        let opened = match (name.as_ref(), self.open.last()) {
            ("fingerprints", None) if self.root == Root::NotYet => {
                self.root = Root::Seen;
                self.file(element)?;
                Element::Fingerprints
            }
            (other, None) => {
                return Err(format!("{other:?} where a file of rules has fingerprints"));
            }
            ("fingerprint", Some(Element::Fingerprints)) => {
                if self.parsed.rules.len() >= MOST {
                    return Err(format!("more than {MOST} rules"));
                }
                self.rule = Some(rule(element)?);
                Element::Fingerprint
            }
            ("description", Some(Element::Fingerprint)) => {
                self.text.clear();
                Element::Description
            }
            ("example", Some(Element::Fingerprint)) => {
                self.text.clear();
                Element::Example(attributes(element)?)
            }
            ("param", Some(Element::Fingerprint)) => {
                let rule = self
                    .rule
                    .as_mut()
                    .ok_or("a param without its fingerprint")?;
                rule.params.push(param(element)?);
                Element::Param
            }
            _ => Element::Unknown,
        };
        self.open.push(opened);
        Ok(())
    }

    fn says(&mut self, text: &str) {
        if let Some(Element::Description | Element::Example(_)) = self.open.last() {
            self.text.push_str(text);
        }
    }

    fn ends(&mut self) -> Result<(), String> {
        match self.open.pop() {
            Some(Element::Description) => {
                if let Some(rule) = &mut self.rule {
                    let words: Vec<&str> = self.text.split_whitespace().collect();
                    rule.description = words.join(" ");
                }
            }
            #[cfg(test)]
            Some(Element::Example(attributes)) => {
                let example = super::tests::Example {
                    text: std::mem::take(&mut self.text),
                    attributes,
                };
                self.parsed
                    .examples
                    .push((self.parsed.rules.len(), example));
            }
            Some(Element::Fingerprint) => {
                let rule = self.rule.take().ok_or("a fingerprint that ends twice")?;
                if rule.description.is_empty() {
                    return Err("a fingerprint without a description".to_owned());
                }
                self.parsed.rules.push(Rule {
                    description: rule.description,
                    pattern: rule.pattern,
                    params: rule.params,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Parsed, String> {
        if self.root == Root::NotYet {
            return Err("ends before its first element".to_owned());
        }
        // The reader takes the end of the file for the end of everything.
        if !self.open.is_empty() {
            return Err("ends in the middle of an element".to_owned());
        }
        Ok(self.parsed)
    }

    fn file(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        for (name, value) in attributes(element)? {
            match name.as_str() {
                "matches" => self.parsed.kind = value,
                "preference" => {
                    self.parsed.preference = value
                        .parse()
                        .ok()
                        .filter(|preference| (0.0..=1.0).contains(preference))
                        .ok_or_else(|| {
                            format!("the preference {value:?} is not between 0 and 1")
                        })?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn rule(element: &BytesStart<'_>) -> Result<Unfinished, String> {
    let (mut source, mut flags) = (
        None,
        Flags {
            case: Case::Minded,
            dot: Dot::NoNewline,
        },
    );
    for (name, value) in attributes(element)? {
        match name.as_str() {
            "pattern" => source = Some(value),
            "flags" => {
                for flag in value
                    .split([',', '|'])
                    .map(str::trim)
                    .filter(|flag| !flag.is_empty())
                {
                    match flag {
                        "REG_ICASE" | "IGNORECASE" => flags.case = Case::Ignored,
                        // All of them are Ruby's MULTILINE, which is about the dot.
                        "REG_DOT_NEWLINE" | "REG_MULTILINE" | "REG_LINE_ANY_CRLF" | "MULTILINE" => {
                            flags.dot = Dot::Anything;
                        }
                        _ => return Err(format!("unknown flag {flag:?}")),
                    }
                }
            }
            _ => {}
        }
    }
    let source = source.ok_or("a fingerprint without a pattern")?;
    Ok(Unfinished {
        description: String::new(),
        pattern: Pattern::new(&source, flags)?,
        params: Vec::new(),
    })
}

fn param(element: &BytesStart<'_>) -> Result<Param, String> {
    let (mut position, mut name, mut value) = (None, None, None);
    for (key, text) in attributes(element)? {
        match key.as_str() {
            "pos" => {
                position = Some(
                    text.parse::<usize>()
                        .map_err(|_| format!("the position {text:?} is no number"))?,
                );
            }
            "name" => name = Some(text),
            "value" => value = Some(text),
            _ => {}
        }
    }
    let name = name.ok_or("a param without a name")?;
    let source = match (position, value) {
        (Some(0), Some(value)) if !value.is_empty() => Source::Constant(value),
        (Some(0), _) => {
            return Err(format!(
                "the param {name:?} has neither a value nor a group"
            ));
        }
        (Some(_), Some(value)) if !value.is_empty() => {
            return Err(format!("the param {name:?} has both a value and a group"));
        }
        (Some(group), _) => Source::Group(group),
        (None, _) => return Err(format!("the param {name:?} has no position")),
    };
    Ok(Param { name, source })
}

fn attributes(element: &BytesStart<'_>) -> Result<Vec<(String, String)>, String> {
    // Twice the same name is not looked for: that takes the square of their number.
    element
        .attributes()
        .with_checks(false)
        .map(|attribute| {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            Ok((attribute.key.as_ref().to_owned(), value.into_owned()))
        })
        .collect()
}

/// What Recog gives a file that does not say.
const PREFERENCE: f64 = 0.1;

/// Recog's largest has 0.6 MiB and 900 rules.
const LARGEST: usize = 16 << 20;
const MOST: usize = 20_000;

const DEEPEST: usize = 16;
