//! What bad input gets: every row with its whole message and exit status, and the proof that nothing was sent.
//!
//! `cargo test --test halfopen -- bad_input --nocapture --test-threads 1` prints the table of what was really said.

mod files;
mod options;
mod outputs;
mod ports;
mod resume;
mod targets;

use super::scene::{self, Ended, Scene};

/// What was typed, and the lines that it gets: each a mistake, without the `error: ` before it. `…` in a line stands for
/// whatever depends on the machine.
type Row<'a> = (&'a [&'a str], &'a [&'a str]);

/// Checks rows that get exit status 2.
fn check(test: &str, rows: &[Row<'_>]) {
    if !scene::possible(test) {
        return;
    }
    let scene = Scene::new();
    for (typed, expected) in rows {
        refused(&scene.run(typed), typed, 2, expected);
    }
}

/// Asserts that this ended with these mistakes alone: nothing on standard output, nothing sent.
fn refused(ended: &Ended, typed: &[&str], code: i32, expected: &[&str]) {
    show(typed, ended);
    let lines = ended.lines();
    assert_eq!(ended.code, Some(code), "{typed:?}: {lines:#?}");
    assert_eq!(ended.stdout, "", "{typed:?}");
    assert_eq!(lines.len(), expected.len(), "{typed:?}: {lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(
            line.len() < 400 && !line.contains(char::is_control),
            "{line:?}"
        );
        let said = line.strip_prefix("error: ");
        assert!(
            said.is_some_and(|said| fits(said, expected)),
            "{typed:?}:\n  said     {line}\n  expected error: {expected}"
        );
    }
    ended.assert_nothing_sent();
}

/// Asserts that this was accepted, and that these notes were made; the text of the report is returned.
fn accepted(scene: &Scene, typed: &[&str], notes: &[&str]) -> String {
    let ended = scene.run(typed);
    show(typed, &ended);
    assert_eq!(ended.code, Some(0), "{typed:?}: {}", ended.stderr);
    let said: Vec<&str> = ended
        .lines()
        .into_iter()
        .filter_map(|line| line.strip_prefix("note: "))
        .collect();
    assert_eq!(said, notes, "{typed:?}");
    ended.stdout
}

/// One row of the table.
fn show(typed: &[&str], ended: &Ended) {
    let typed: Vec<String> = typed.iter().map(|text| shown(text)).collect();
    let code = ended
        .code
        .map_or_else(|| "-".to_owned(), |code| code.to_string());
    println!("halfopen {}\n  exit {code}", typed.join(" "));
    for line in ended.lines() {
        println!("  {line}");
    }
}

/// As a shell would have it, but for lengths that nobody reads.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let cut = if short.len() < text.len() { "..." } else { "" };
    if !short.is_empty()
        && short
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_./:,%=".contains(it))
    {
        format!("{short}{cut}")
    } else {
        format!("{short:?}{cut}")
    }
}

/// Whether a line is the expected one, `…` fitting anything.
fn fits(line: &str, expected: &str) -> bool {
    let mut rest = line;
    for (at, part) in expected.split('…').enumerate() {
        match rest.find(part) {
            Some(0) => rest = &rest[part.len()..],
            Some(found) if at > 0 => rest = &rest[found + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || expected.ends_with('…')
}

#[test]
fn the_comparison_of_lines_is_strict_but_for_its_marks() {
    assert!(fits("abc", "abc") && fits("a(lo)c", "a(…)c") && fits("abc", "ab…"));
    assert!(!fits("abcd", "abc") && !fits("xabc", "abc") && !fits("a(lo)", "a(…)c"));
}

/// The rows above prove something only if a scan that sends is seen to send.
#[test]
fn what_is_sent_is_counted() {
    if !scene::possible("what_is_sent_is_counted") {
        return;
    }
    let scene = Scene::new();
    for mode in ["syn", "connect"] {
        let ended = scene.run(&["-m", mode, "127.0.0.1", "-p", "1"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_ne!(ended.before, ended.after, "{mode}");
    }
    let refused = scene.run(&["-m", "connect", "127.0.0.1", "-p", "0"]);
    assert_eq!(refused.code, Some(2));
    refused.assert_nothing_sent();
}
