//! Our own ranking of TCP ports: which to look at first where nobody wants to wait for all of them.

use std::sync::LazyLock;

/// All ranked ports, the likeliest first, each once. How the ranking was made stands in `data/ranked-ports.txt`.
///
/// ```
/// use halfopen::plan::ranked_ports;
///
/// assert_eq!(ranked_ports()[..3], [443, 80, 22]);
/// ```
pub fn ranked_ports() -> &'static [u16] {
    static RANKED: LazyLock<Vec<u16>> = LazyLock::new(|| read(LIST).flatten().collect());
    &RANKED
}

const LIST: &str = include_str!("../../data/ranked-ports.txt");

/// The ports of each entry of the list, in its order.
fn read(list: &str) -> impl Iterator<Item = Vec<u16>> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .map(|ports| ports.split(',').flat_map(run).collect())
}

/// `80` or `5901-5910`. The list is ours and tested, so there is nobody to tell of a mistake in it.
fn run(text: &str) -> std::ops::RangeInclusive<u16> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse().unwrap_or(1)..=last.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Rank from 1, as in `top:N`.
    fn rank(port: u16) -> usize {
        let at = ranked_ports().iter().position(|&ranked| ranked == port);
        at.map_or(usize::MAX, |at| at + 1)
    }

    #[test]
    fn the_list_is_long_and_has_each_port_once() {
        let unique: BTreeSet<u16> = ranked_ports().iter().copied().collect();
        assert_eq!(unique.len(), ranked_ports().len());
        assert!(unique.len() >= 1000, "{}", unique.len());
        assert!(!unique.contains(&0));
    }

    #[test]
    fn every_entry_is_ports_and_what_they_are_for() {
        let entries = LIST
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        for entry in entries {
            let (ports, what) = entry.split_once(' ').unwrap_or((entry, ""));
            assert!(!what.trim().is_empty(), "{entry}");
            assert!(
                ports.split(',').all(|part| !run(part).is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'-')),
                "{entry}"
            );
        }
    }

    #[test]
    fn what_is_everywhere_comes_first() {
        for port in [22, 80, 443, 445, 3389] {
            assert!(rank(port) <= 10, "{port}: {}", rank(port));
        }
        // The ports of the set "common", and what an administrator would miss in a quick look.
        for port in [
            20, 21, 23, 25, 53, 110, 135, 139, 143, 389, 1433, 1521, 2375, 3306, 5432, 5900, 6379,
            6443, 8080, 8443, 9200, 10250, 11211, 27017,
        ] {
            assert!(rank(port) <= 100, "{port}: {}", rank(port));
        }
        for port in [
            102, 502, 1883, 2181, 4786, 5672, 8006, 9092, 32400, 49153, 50000,
        ] {
            assert!(rank(port) <= 1000, "{port}: {}", rank(port));
        }
    }
}
