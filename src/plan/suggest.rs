//! "Did you mean": the known word that is nearest to a mistyped one.

/// The candidate with the fewest slips (a letter wrong, missing, extra, or two swapped) between it and `typed`; the
/// earliest among equals. `None` when nothing is near: one slip in three letters is the most that still counts as a
/// slip.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    // Nothing that we know is longer, and the work grows with the square.
    if typed.is_empty() || typed.len() > 32 {
        return None;
    }
    let most = (typed.len() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(typed.len()) <= most)
        .map(|candidate| {
            (
                slips(&typed, &candidate.chars().collect::<Vec<_>>()),
                candidate,
            )
        })
        // Of one letter everything is near.
        .filter(|&(slips, candidate)| {
            slips <= most && slips < candidate.len() && slips < typed.len()
        })
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn slips(left: &[char], right: &[char]) -> usize {
    let mut older = vec![0; right.len() + 1];
    let mut old: Vec<usize> = (0..=right.len()).collect();
    for (i, &a) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, &b) in right.iter().enumerate() {
            let mut best = (old[j] + usize::from(a != b))
                .min(old[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && a == right[j - 1] && left[i - 1] == b {
                best = best.min(older[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        older = std::mem::replace(&mut old, row);
    }
    old[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["http", "https", "ssh", "well-known", "postgresql"];
        assert_eq!(nearest("htpp", known), Some("http"));
        assert_eq!(nearest("HTTPS", known), Some("https"));
        assert_eq!(nearest("shs", known), Some("ssh"));
        assert_eq!(nearest("wellknown", known), Some("well-known"));
        assert_eq!(nearest("postgres", known), Some("postgresql"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("x", ["kx", "x9"]), None);
        assert_eq!(nearest(&"h".repeat(10_000), known), None);
    }

    #[test]
    fn a_swap_is_one_slip() {
        let count = |a: &str, b: &str| {
            slips(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(count("abc", "acb"), 1);
        assert_eq!(count("abc", "abc"), 0);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("kitten", "sitting"), 3);
    }
}
