//! One rule: a pattern, and what it says of a text that matches.

use std::collections::BTreeMap;

use regex::bytes::Captures;

use crate::model::cpe::{Cpe, Value};
use crate::model::facts::{Evidence, Part, Software};

use super::pattern::Pattern;
use super::pieces;

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub description: String,
    pub pattern: Pattern,
    pub params: Vec<Param>,
}

/// A named value that a rule gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Param {
    pub name: String,
    pub source: Source,
}

/// Where the value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// It is always this; `{service.version}` in it is another value of the same rule.
    Constant(String),
    /// The text that this group of the pattern matched.
    Group(usize),
}

/// Named values of a text.
pub(super) type Values<'a> = BTreeMap<&'a str, String>;

impl Rule {
    /// What the rule says of a text of this kind; `None` where it does not match.
    pub(super) fn apply(&self, kind: &str, text: &[u8]) -> Option<Vec<Software>> {
        let values = self.values(text)?;
        let evidence = Evidence {
            rule: bounded(&format!("{kind}: {}", self.description)),
            text: bounded(&String::from_utf8_lossy(self.telling(text))),
        };
        Some(pieces::software(&values, &evidence))
    }

    /// What of a text is its evidence: all of it where people can read it, else the part that matched.
    fn telling<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let is_readable = std::str::from_utf8(text)
            .is_ok_and(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()));
        if is_readable {
            return text;
        }
        let matched = self.pattern.regex().and_then(|regex| regex.find(text));
        matched.map_or(text, |matched| matched.as_bytes())
    }

    /// The values by name.
    pub(super) fn values(&self, text: &[u8]) -> Option<Values<'_>> {
        let captures = self.pattern.regex()?.captures(text)?;
        let mut values = Values::new();
        for param in &self.params {
            match &param.source {
                Source::Group(group) => values
                    .extend(captured(&captures, *group).map(|value| (param.name.as_str(), value))),
                Source::Constant(value) if !value.contains('{') => {
                    values.insert(&param.name, value.clone());
                }
                Source::Constant(_) => {}
            }
        }
        // Templates last: they stand anywhere among the values that they name.
        for param in &self.params {
            if let Source::Constant(template) = &param.source
                && template.contains('{')
            {
                let filled = if param.name.ends_with(".cpe23") {
                    fill_name(template, &values)
                } else {
                    fill(template, |name| values.get(name).cloned())
                };
                values.extend(filled.map(|value| (param.name.as_str(), bounded(&value))));
            }
        }
        Some(values)
    }
}

fn captured(captures: &Captures<'_>, group: usize) -> Option<String> {
    let bytes = captures.get(group)?.as_bytes();
    let value = bounded(String::from_utf8_lossy(bytes).trim());
    (!value.is_empty()).then_some(value)
}

/// The template with its names replaced; `None` where one has no value.
fn fill(template: &str, mut value: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(&value(name)?);
        rest = behind;
    }
    filled.push_str(rest);
    Some(filled)
}

/// A CPE whose attributes are filled in with what was told, so that none of it can be taken for another attribute. What has
/// no value is any.
fn fill_name(template: &str, values: &Values<'_>) -> Option<String> {
    let is_uri = template.starts_with("cpe:/");
    fill(template, |name| {
        let value = values
            .get(name)
            .map_or(Value::Any, |value| Value::told(value));
        Some(if is_uri {
            let mut cpe = Cpe::new(Part::Application, Value::Any, Value::Any);
            cpe.vendor = value;
            cpe.uri()
                .get("cpe:/a:".len()..)
                .unwrap_or_default()
                .to_owned()
        } else {
            value.to_string()
        })
    })
}

/// At most 256 bytes of it.
pub(super) fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

/// Bytes of any value: what [`Evidence`] promises.
const LONGEST: usize = 256;
