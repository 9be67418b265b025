//! Ports that were not tested, by name: a scan that is not complete must say of what nothing is known.

use crate::model::{State, Untested};
use crate::report::escape::terminal;
use crate::report::names::Names;
use crate::report::table::wrap;
use crate::report::tally::{Group, Host, Range, ranges};
use crate::report::text::{grouped, number};
use crate::report::unasked::Unasked;

/// `Not tested: 1-1023, 1100 and 47 more ranges (blocked-midway)`, one line for each reason, no longer than `width` where
/// that leaves room for one range. Nothing for groups that are in a table.
pub(super) fn not_tested(host: &Host, indent: &str, width: usize) -> String {
    let groups = host.unlisted().into_iter();
    groups
        .filter(|group| group.state == State::Error)
        .map(|group| line(host, &group, indent, width) + "\n")
        .collect()
}

/// What the end of the scan came before: a line for each group of hosts, as many as can be read. `ports` is how many were
/// asked of each host, `untested` how many endpoints were not tested in all.
pub(super) fn unasked(
    unasked: &Unasked,
    ports: u64,
    untested: u64,
    names: &Names,
    width: usize,
) -> String {
    let groups = unasked.groups();
    if groups.is_empty() {
        return String::new();
    }
    let mut text = "Not tested before the scan ended:\n".to_owned();
    let mut left = untested;
    for group in groups.iter().take(NAMED) {
        left = left.saturating_sub(group.endpoints());
        text.push_str(&of_group(group, ports, names, width));
        text.push('\n');
    }
    if left > 0 {
        text.push_str(&format!("  and {}\n", number(left, "more endpoint")));
    }
    text
}

/// Names the hosts, as many as can be read.
pub(super) fn could_not_test(failed: &[String], width: usize) -> String {
    let mut items: Vec<String> = failed.iter().take(NAMED).cloned().collect();
    if let Some(first) = items.first_mut() {
        first.insert_str(
            0,
            &format!(
                "{} could not be tested: ",
                number(failed.len() as u64, "host")
            ),
        );
    }
    let more = failed.len().saturating_sub(NAMED);
    if more > 0 {
        items.push(format!("and {} more", grouped(more as u64)));
    }
    wrap(&items, 0, width)
}

/// `  10.0.0.1-10.0.0.9: 22, 80 and 47 more ranges`
fn of_group(group: &Untested, ports: u64, names: &Names, width: usize) -> String {
    let range = names.range(&group.first, &group.last);
    let start = format!("  {}: ", terminal(&range));
    if group.ports_of_each() == ports && ports > 1 {
        return format!("{start}all {}", number(ports, "port"));
    }
    let ranges = group.ports.iter().map(|range| Range {
        first: *range.start(),
        last: *range.end(),
    });
    fitting(&start, &ranges.collect::<Vec<_>>(), 0, "", width)
}

fn line(host: &Host, group: &Group, indent: &str, width: usize) -> String {
    let named = host
        .untested
        .iter()
        .find(|(reason, _)| *reason == group.reason);
    let mut ports = named.map_or_else(Vec::new, |(_, ports)| ports.clone());
    let unknown = group.count.saturating_sub(ports.len() as u64);
    let start = format!("{indent}Not tested: ");
    let end = format!(" ({})", group.reason.name());
    fitting(&start, &ranges(&mut ports), unknown, &end, width)
}

/// As many ranges as fit between `start` and `end`, and one at least.
fn fitting(start: &str, ranges: &[Range], unknown: u64, end: &str, width: usize) -> String {
    let mut shown = ranges.len();
    loop {
        let (head, tail) = ranges.split_at(shown);
        let text = format!("{start}{}{end}", items(head, tail, unknown));
        if shown <= 1 || text.chars().count() <= width {
            return text;
        }
        shown = shown.min(width.max(2)) - 1;
    }
}

/// `1-1023, 1100 and 47 more ranges`
fn items(head: &[Range], tail: &[Range], unknown: u64) -> String {
    let named: Vec<String> = head.iter().map(Range::to_string).collect();
    let named = named.join(", ");
    let in_tail: u64 = tail
        .iter()
        .map(|range| u64::from(range.last - range.first) + 1)
        .sum();
    let ports = in_tail + unknown;
    if ports == 0 {
        return named;
    }
    if named.is_empty() {
        return number(ports, "port");
    }
    // Single ports are no ranges, and of those whose numbers are not known nobody can tell.
    let single = ports == tail.len() as u64;
    if single || unknown > 0 {
        format!("{named} and {}", number(ports, "more port"))
    } else {
        format!("{named} and {}", number(tail.len() as u64, "more range"))
    }
}

/// Hosts that are named where only their number would be too little.
const NAMED: usize = 16;
