//! What failed, kept to be said again below the table: of a long output often only the end is kept.

/// Scenarios that failed, and what each printed.
#[derive(Debug, Default)]
pub struct Failures(Vec<(String, String)>);

/// Of each scenario so many lines are said again: the row and the first complaints, and what was printed last.
const FIRST: usize = 16;
const LAST: usize = 4;

/// A longer line is cut.
const WIDTH: usize = 400;

impl Failures {
    pub fn add(&mut self, name: &str, said: &str) {
        self.0.push((name.to_owned(), said.to_owned()));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// `lan, loss-20`
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    /// What all of them printed, the middle of long ones left out.
    pub fn details(&self) -> String {
        let said = self.0.iter().flat_map(|(_, said)| bounded(said));
        said.map(|line| line + "\n").collect()
    }
}

fn bounded(said: &str) -> Vec<String> {
    let lines: Vec<String> = said.lines().map(cut).collect();
    let left_out = lines.len().saturating_sub(FIRST + LAST);
    if left_out == 0 {
        return lines;
    }
    let (first, rest) = lines.split_at(FIRST);
    let (_, last) = rest.split_at(left_out);
    let gap = format!("    ... and {left_out} more lines");
    [first, &[gap], last].concat()
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_said_again_in_its_order() {
        let mut failures = Failures::default();
        assert!(failures.is_empty());
        failures.add("lan", "lan  FAILED\n    run 1, syn: missed 10.66.0.2 22\n");
        failures.add("tarpit", "tarpit  FAILED: no route");
        assert_eq!((failures.len(), &*failures.names()), (2, "lan, tarpit"));
        assert_eq!(
            failures.details(),
            "lan  FAILED\n    run 1, syn: missed 10.66.0.2 22\ntarpit  FAILED: no route\n"
        );
    }

    #[test]
    fn a_scenario_that_printed_very_much_does_not_push_the_others_out() {
        let mut failures = Failures::default();
        let long: Vec<String> = (0..1_000)
            .map(|line| format!("{line} {}", "ä".repeat(9_000)))
            .collect();
        failures.add("lan", &long.join("\n"));
        let details = failures.details();
        let lines: Vec<&str> = details.lines().collect();
        assert_eq!(lines.len(), FIRST + 1 + LAST);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH + 3));
        assert!(lines[0].starts_with("0 ") && lines[FIRST + LAST].starts_with("999 "));
        assert_eq!(lines[FIRST], "    ... and 980 more lines");
    }
}
