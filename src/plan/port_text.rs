//! Port specifications as text: `22,80,8000-8100`, `http`, `well-known`, `top:100`, `all`.

use super::mistake::{Mistake, Note, escape, quote};
use super::port_set::PortSet;
use super::ranked::ranked_ports;
use super::services::{registered_names, registered_ports};
use super::suggest::nearest;
use super::target::grouped;
use super::targets::Parsed;

/// The named sets.
const SETS: [(&str, &[(u16, u16)]); 4] = [
    (
        "common",
        &[
            (20, 23),
            (25, 25),
            (53, 53),
            (80, 80),
            (110, 110),
            (443, 443),
        ],
    ),
    ("well-known", &[(1, 1023)]),
    ("registered", &[(1, 49151)]),
    ("all", &[(1, 65535)]),
];

/// How many mistakes of one list are told; a wrong file as a port list should not fill the screen.
const MOST_MISTAKES: usize = 16;

impl PortSet {
    /// Reads a port specification: numbers, ranges, named sets (`top:N`: the first of [`ranked_ports`]) and service
    /// names, between commas or blanks.
    ///
    /// ```
    /// use halfopen::plan::PortSet;
    ///
    /// let parsed = PortSet::parse("common, 8000-8003 ssh").unwrap();
    /// assert_eq!(parsed.set.to_string(), "20-23,25,53,80,110,443,8000-8003");
    /// ```
    ///
    /// # Errors
    /// All mistakes of the list.
    pub fn parse(text: &str) -> Result<Parsed<Self>, Vec<Mistake>> {
        let mut ranges = Vec::new();
        let mut notes = Vec::new();
        let mut mistakes = Vec::new();
        match items(text) {
            Ok(items) => {
                for item in items {
                    match read(item, &mut notes) {
                        Ok(mut found) => ranges.append(&mut found),
                        Err(mistake) => mistakes.push(mistake),
                    }
                }
            }
            Err(mistake) => mistakes.push(mistake),
        }
        if mistakes.len() > MOST_MISTAKES {
            let more = mistakes.len() - MOST_MISTAKES;
            mistakes.truncate(MOST_MISTAKES);
            mistakes.push(Mistake::new(format!(
                "{more} more mistakes in the port list"
            )));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let named: u64 = ranges
            .iter()
            .map(|&(low, high)| u64::from(high - low) + 1)
            .sum();
        let set = Self::new(
            joined(ranges)
                .into_iter()
                .flat_map(|(low, high)| low..=high),
        )
        .ok_or_else(|| vec![empty_list()])?;
        let merged = named.saturating_sub(u64::from(set.len()));
        if merged > 0 {
            let (noun, verb) = if merged == 1 {
                ("duplicate", "was")
            } else {
                ("duplicates", "were")
            };
            notes.push(Note::new(format!(
                "{merged} {noun} in the port list {verb} merged"
            )));
        }
        Ok(Parsed { set, notes })
    }

    /// Reads ports that must not be probed. What cannot be understood ends the scan before it starts.
    ///
    /// # Errors
    /// All mistakes of the list, each as a refusal to scan.
    pub fn parse_excluded(text: &str) -> Result<Parsed<Self>, Vec<Mistake>> {
        Self::parse(text).map_err(|mistakes| {
            mistakes
                .iter()
                .map(|mistake| Mistake::refusing(text, mistake))
                .collect()
        })
    }
}

/// Splits the list. A blank beside a comma is no item of its own.
fn items(text: &str) -> Result<Vec<&str>, Mistake> {
    if text.trim().is_empty() {
        return Err(empty_list());
    }
    let mut items = Vec::new();
    for between in text.split(',') {
        let before = items.len();
        items.extend(between.split_whitespace());
        if items.len() == before {
            return Err(Mistake::new(format!(
                "empty item at position {} in {}; write 22,80",
                before + 1,
                quote(text)
            )));
        }
    }
    Ok(items)
}

/// Overlapping ranges as one, so that `all,all,all,..` costs no more than `all`.
fn joined(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (low, high) in ranges {
        match joined.last_mut() {
            Some(open) if low <= open.1 => open.1 = open.1.max(high),
            _ => joined.push((low, high)),
        }
    }
    joined
}

fn empty_list() -> Mistake {
    Mistake::new("the port list is empty; write for example 22,80 or well-known")
}

/// Reads one item into ranges of ports.
fn read(item: &str, notes: &mut Vec<Note>) -> Result<Vec<(u16, u16)>, Mistake> {
    let lower = item.to_ascii_lowercase();
    if let Some((_, ranges)) = SETS.iter().find(|(name, _)| *name == lower) {
        return Ok(ranges.to_vec());
    }
    if item
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-')
        && item.matches('-').count() <= 1
    {
        return numbers(item, notes).map(|range| vec![range]);
    }
    if let Some(count) = lower.strip_prefix("top")
        && !count.starts_with(|first: char| first.is_ascii_alphabetic())
    {
        return top(item, count.strip_prefix(':').unwrap_or_default());
    }
    if let Some(mistake) = other_syntax(item, &lower) {
        return Err(mistake);
    }
    let ports: Vec<u16> = registered_ports(&lower).collect();
    if !ports.is_empty() {
        let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
        notes.push(Note::verbose(format!("{lower} = {}", listed.join(","))));
        return Ok(ports.into_iter().map(|port| (port, port)).collect());
    }
    Err(unknown(item))
}

/// Reads `80`, `80-90` and the open ranges `-80`, `80-` and `-`.
fn numbers(item: &str, notes: &mut Vec<Note>) -> Result<(u16, u16), Mistake> {
    let Some((from, to)) = item.split_once('-') else {
        let port = number(item, item)?;
        return Ok((port, port));
    };
    let low = if from.is_empty() {
        1
    } else {
        number(item, from)?
    };
    let high = if to.is_empty() {
        u16::MAX
    } else {
        number(item, to)?
    };
    if from.is_empty() || to.is_empty() {
        notes.push(Note::new(format!(
            "{} is taken as {low}-{high}",
            quote(item)
        )));
    }
    if low > high {
        return Err(Mistake::new(format!(
            "the range {low}-{high} runs backwards; did you mean {high}-{low}?"
        )));
    }
    Ok((low, high))
}

/// Reads one number of digits only, of whatever length.
fn number(item: &str, digits: &str) -> Result<u16, Mistake> {
    match digits.parse::<u16>() {
        Ok(0) => Err(Mistake::new(if item == digits {
            "port 0 cannot be scanned; ports are 1-65535".to_string()
        } else {
            format!(
                "port 0 cannot be scanned: {}; ports are 1-65535",
                quote(item)
            )
        })),
        Ok(port) => Ok(port),
        Err(_) => Err(Mistake::new(format!(
            "{} is out of range (1-65535)",
            quote(item)
        ))),
    }
}

/// The first so many ranked ports.
fn top(item: &str, count: &str) -> Result<Vec<(u16, u16)>, Mistake> {
    let ranked = ranked_ports();
    let digits = count.bytes().all(|byte| byte.is_ascii_digit());
    let ports = count
        .parse()
        .ok()
        .filter(|&count| digits && count > 0)
        .and_then(|count: usize| ranked.get(..count))
        .ok_or_else(|| {
            Mistake::new(format!(
                "top:N takes 1 to {}, the number of ranked ports: {}",
                grouped(ranked.len() as u128),
                quote(item)
            ))
        })?;
    Ok(ports.iter().map(|&port| (port, port)).collect())
}

/// What other scanners understand and Halfopen writes differently.
fn other_syntax(item: &str, lower: &str) -> Option<Mistake> {
    if item.contains(';') {
        return Some(Mistake::new(format!(
            "separate ports with commas or blanks: {}",
            quote(item)
        )));
    }
    if item == "*" {
        return Some(Mistake::new("\"*\" is not a port; write all"));
    }
    if let Some(rest) = lower
        .strip_prefix("t:")
        .or_else(|| lower.strip_prefix("u:"))
    {
        return Some(Mistake::new(format!(
            "{}: Halfopen scans TCP; write {} (UDP is not supported)",
            quote(item),
            escape(rest, 16)
        )));
    }
    None
}

/// Nothing fits: which character is wrong, or which name was meant.
fn unknown(item: &str) -> Mistake {
    let number_like = item.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    let wrong = item.char_indices().find(|&(at, character)| {
        if number_like {
            // In something that begins like a number, the first hyphen may be a range's; the second is wrong.
            !(character.is_ascii_digit() || (character == '-' && !item[..at].contains('-')))
        } else {
            !(character.is_ascii_alphanumeric() || (at > 0 && "-_.+".contains(character)))
        }
    });
    let Some((at, character)) = wrong else {
        let known = SETS.iter().map(|(name, _)| *name).chain(registered_names());
        let meant = nearest(item, known).map_or_else(
            || "write a number, a range or a name such as http".to_string(),
            |name| format!("did you mean {name}?"),
        );
        return Mistake::new(format!(
            "unknown service or port set {}; {meant}",
            quote(item)
        ));
    };
    Mistake::new(format!(
        "{} is not a port, a range or a service name: character {} is {}; write for example 80 or 8000-8100",
        quote(item),
        item[..at].chars().count() + 1,
        quote(&character.to_string())
    ))
}
