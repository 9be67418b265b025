//! The rules of `src/lib.rs` that a machine can keep: who may name whom (R3, R4), where unsafe code lives (R5), what
//! the library never calls (R6), names, and the length of files.

use std::fs;
use std::path::{Path, PathBuf};

/// R3: each stage, and the stages that it may name. Everything may name `model` and itself.
const EDGES: [(&str, &[&str]); 11] = [
    ("model", &[]),
    ("plan", &[]),
    ("wire", &[]),
    ("enrich", &[]),
    ("store", &["enrich"]),
    ("engine", &["plan"]),
    ("transport", &["wire", "enrich"]),
    ("scan", &["plan", "engine", "transport", "enrich"]),
    ("report", &[]),
    ("results", &["plan", "engine", "report"]),
    ("cli", &["cli"]),
];

/// Lines of one file, at the most.
const LONGEST: usize = 450;

#[test]
fn the_source_keeps_the_rules() {
    let files = rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(files.len() >= 8, "only {} files below src", files.len());
    let mut wrong = Vec::new();
    for (path, text) in &files {
        wrong.extend(
            violations(path, text)
                .into_iter()
                .map(|what| format!("{path}: {what}")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_in_tests_is_where_no_safe_binding_exists() {
    for (path, text) in rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))) {
        let has = tokens(&text).iter().any(|token| token == "unsafe");
        let may = [
            "lab/capture.rs",
            "lab/measure/wait.rs",
            "lab/recording.rs",
            "lab/tun/device.rs",
        ];
        assert!(!has || may.contains(&path.as_str()), "{path}");
    }
}

/// What breaks a rule in one file; `path` is below `src`.
fn violations(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let stage = stage(path);
    let in_binary = matches!(stage, "main" | "cli");
    let mut wrong = Vec::new();

    for (from_end, to) in references(path, &tokens) {
        let allowed = match (from_end, stage) {
            (Root::Crate, "lib" | "main") => true,
            (Root::Crate, _) => {
                let known = EDGES.iter().find(|(name, _)| *name == stage);
                to == stage
                    || (to == "model" && !in_binary)
                    || known.is_some_and(|(_, edges)| edges.contains(&to.as_str()))
            }
            // The public API is the library's face; whoever is inside has no business with it.
            (Root::Library, _) => in_binary,
        };
        if !allowed {
            wrong.push(format!("{stage} may not name {to} (R3, R4)"));
        }
    }
    if !EDGES.iter().any(|(name, _)| *name == stage) && !matches!(stage, "lib" | "main") {
        wrong.push(format!("{stage} is no stage of R3"));
    }
    if tokens.iter().any(|token| token == "unsafe") && !path.starts_with("transport/sys/") {
        wrong.push("unsafe outside transport/sys (R5)".to_owned());
    }
    let allows_unsafe = tokens
        .windows(3)
        .any(|three| three[0] == "allow" && three[2] == "unsafe_code");
    if allows_unsafe && path != "transport/mod.rs" && !path.starts_with("transport/sys/") {
        wrong.push("unsafe code allowed outside transport (R5)".to_owned());
    }
    for three in tokens.windows(3) {
        let [one, two, three] = [&three[0], &three[1], &three[2]].map(String::as_str);
        let prints =
            matches!(one, "print" | "println" | "eprint" | "eprintln" | "dbg") && two == "!";
        let exits = one == "process" && two == "::" && matches!(three, "exit" | "abort");
        if !in_binary && (prints || exits) {
            wrong.push(format!(
                "the library never prints and never exits: {one}{two}{three} (R6)"
            ));
        }
        if matches!(one, "todo" | "unimplemented") && two == "!" {
            wrong.push(format!("{one}! is not finished work"));
        }
        if one == "fn" && two.starts_with("get_") {
            wrong.push(format!("fn {two}: no get_ prefixes"));
        }
    }
    let words = path.trim_end_matches(".rs").split('/');
    for word in words.filter(|word| {
        matches!(
            *word,
            "utils" | "util" | "common" | "helper" | "helpers" | "manager"
        )
    }) {
        wrong.push(format!("`{word}` says nothing about what is in it"));
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        wrong.push(format!("{lines} lines, at most {LONGEST}"));
    }
    wrong
}

/// `engine/lanes.rs` belongs to `engine`, `scan.rs` to `scan`.
fn stage(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    /// `crate::name`, also reached by `super`.
    Crate,
    /// `halfopen::name`.
    Library,
}

/// Every top-level name that a file refers to: `crate::a`, `crate::{a, b::c}`, `halfopen::a`, and as many `super::` as
/// lead out of the stage.
fn references(path: &str, tokens: &[String]) -> Vec<(Root, String)> {
    let mut found = Vec::new();
    // Modules opened inside the file, by the brace depth at which they end.
    let (mut depth, mut inline) = (0_usize, Vec::new());
    let at = |index: usize| tokens.get(index).map_or("", String::as_str);
    let mut index = 0;
    while index < tokens.len() {
        match at(index) {
            "{" => {
                if index >= 2 && at(index - 2) == "mod" {
                    inline.push(depth);
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                inline.pop_if(|opened| *opened == depth);
            }
            word @ ("crate" | "halfopen")
                if at(index + 1) == "::" && at(index.wrapping_sub(1)) != "::" =>
            {
                let root = if word == "crate" {
                    Root::Crate
                } else {
                    Root::Library
                };
                found.extend(
                    names_after(tokens, index + 2)
                        .into_iter()
                        .map(|name| (root, name)),
                );
            }
            "super" if at(index.wrapping_sub(1)) != "::" => {
                let mut ups = 1;
                while at(index + 2) == "super" && at(index + 1) == "::" {
                    ups += 1;
                    index += 2;
                }
                if ups >= module_depth(path) + inline.len() {
                    found.extend(
                        names_after(tokens, index + 2)
                            .into_iter()
                            .map(|name| (Root::Crate, name)),
                    );
                }
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// The name at `start`, or the leading names of the group that begins there.
fn names_after(tokens: &[String], start: usize) -> Vec<String> {
    let rest = tokens.get(start..).unwrap_or_default();
    if rest.first().is_none_or(|first| first != "{") {
        return rest.first().cloned().into_iter().collect();
    }
    let (mut names, mut depth) = (Vec::new(), 0);
    for pair in rest.windows(2) {
        match pair[0].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(pair[0].as_str(), "{" | ",") && pair[1] != "}" {
            names.push(pair[1].clone());
        }
    }
    names
}

/// How many modules lie between the crate's root and this file, itself included: `scan.rs` 1, `plan/ports.rs` 2.
fn module_depth(path: &str) -> usize {
    let parts = path.split('/').count();
    if path.ends_with("/mod.rs") {
        parts - 1
    } else {
        parts
    }
}

/// Words and punctuation of Rust source, without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut tokens = Vec::new();
    let mut index = 0;
    while index < bytes.len() {
        let start = index;
        match (at(index), at(index + 1)) {
            (b'/', b'/') => index = find(bytes, index, b"\n"),
            (b'/', b'*') => index = end_of_block_comment(bytes, index),
            (b'r', b'"' | b'#')
                if at(index + 1) == b'"' || at(index + 2) == b'#' || at(index + 2) == b'"' =>
            {
                index = end_of_raw_string(bytes, index);
            }
            (b'"', _) => index = end_of_string(bytes, index),
            (b'\'', next) => {
                // A character, unless it is a lifetime: 'a without a closing quote.
                index += match (next, at(index + 2)) {
                    (b'\\', _) => find(bytes, index + 3, b"'") + 1 - index,
                    (_, b'\'') => 3,
                    (128.., _) => find(bytes, index + 1, b"'") + 1 - index,
                    _ => 1,
                };
            }
            (byte, _) if is_word(byte) => {
                while is_word(at(index)) {
                    index += 1;
                }
                tokens.push(text.get(start..index).unwrap_or_default().to_owned());
            }
            (b':', b':') => {
                index += 2;
                tokens.push("::".to_owned());
            }
            (byte, _) => {
                index += 1;
                if !byte.is_ascii_whitespace() {
                    tokens.push(char::from(byte).to_string());
                }
            }
        }
    }
    tokens
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(what.len())
        .position(|window| window == what)
        .map_or(bytes.len(), |at| from + at)
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut index, mut depth) = (start, 0);
    while index < bytes.len() {
        match bytes.get(index..index + 2) {
            Some(b"/*") => (index, depth) = (index + 2, depth + 1),
            Some(b"*/") if depth == 1 => return index + 2,
            Some(b"*/") => (index, depth) = (index + 2, depth - 1),
            _ => index += 1,
        }
    }
    index
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    bytes.len()
}

fn end_of_raw_string(bytes: &[u8], start: usize) -> usize {
    let hashes = bytes
        .iter()
        .skip(start + 1)
        .take_while(|byte| **byte == b'#')
        .count();
    if bytes.get(start + 1 + hashes) != Some(&b'"') {
        // A raw identifier, r#type.
        return start + 2;
    }
    let end: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    find(bytes, start + 2 + hashes, &end) + end.len()
}

/// Every .rs file below `root`: its path from there, and its text.
fn rust_files(root: &Path) -> Vec<(String, String)> {
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                files.push((below, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

mod the_test_itself {
    use super::*;

    fn complaint(path: &str, text: &str) -> String {
        violations(path, text).join("\n")
    }

    #[test]
    fn finds_forbidden_edges_however_they_are_written() {
        for (path, text) in [
            ("plan/ports.rs", "use crate::engine::Engine;"),
            ("engine/pace.rs", "use crate::{model::Time, transport};"),
            ("wire/mod.rs", "use crate::{model::{self, Time}, plan};"),
            ("wire/mod.rs", "use super::scan::run;"),
            ("engine/pace.rs", "use super::super::report::Sink;"),
            (
                "engine/pace.rs",
                "mod tests { use super::super::super::report::Sink; }",
            ),
            ("report/text.rs", "fn f() -> crate::plan::Plan { x }"),
            ("report/text.rs", "use crate::*;"),
            ("transport/sim.rs", "use halfopen::model::Time;"),
            ("model.rs", "use crate::wire;"),
            ("cli/args.rs", "use crate::engine;"),
            ("secret/mod.rs", ""),
        ] {
            let complaint = complaint(path, text);
            assert!(complaint.contains("R3"), "{path}: {text}: {complaint:?}");
        }
    }

    #[test]
    fn lets_the_allowed_ones_pass() {
        for (path, text) in [
            (
                "engine/pace.rs",
                "use crate::{model::Time, plan::{Plan, Mistake}, engine::lane};",
            ),
            (
                "engine/pace.rs",
                "use super::lane; mod tests { use super::super::rtt; use super::*; }",
            ),
            ("engine/verdict/tests.rs", "use super::super::lane;"),
            (
                "scan.rs",
                "use crate::{engine, plan, transport}; pub(crate) fn f() {}",
            ),
            (
                "transport/connect.rs",
                "use crate::wire::x; // crate::engine would be wrong\n",
            ),
            (
                "transport/connect.rs",
                "let x = \"crate::engine\"; let y = r#\"crate::plan \" \"#; let z = '\"';",
            ),
            (
                "report/text.rs",
                "/* crate::plan /* nested */ crate::engine */ fn f<'a>(x: &'a str) {}",
            ),
            (
                "cli/mod.rs",
                "use halfopen::{engine, plan::Mistake}; use crate::cli::args; fn f() { println!() }",
            ),
            ("lib.rs", "pub use crate::scan::run;"),
            ("plan/r.rs", "let r#type = crate::model::Time;"),
        ] {
            assert_eq!(complaint(path, text), "", "{path}: {text}");
        }
    }

    #[test]
    fn a_string_hides_nothing_behind_it() {
        let text = "let a = \"\\\"\"; let b = '\\''; let c = r\"\\\"; use crate::engine::E;";
        assert!(complaint("plan/x.rs", text).contains("may not name engine"));
    }

    #[test]
    fn finds_unsafe_prints_names_and_length() {
        for (path, text, what) in [
            ("engine/x.rs", "unsafe { f() }", "R5"),
            ("transport/raw/x.rs", "#![allow(unsafe_code)]", "R5"),
            ("engine/x.rs", "println!(\"x\");", "R6"),
            ("scan.rs", "std::process::exit(1);", "R6"),
            ("engine/x.rs", "fn f() { todo!() }", "finished"),
            ("engine/x.rs", "fn get_rtt() {}", "get_"),
            ("engine/utils.rs", "", "utils"),
            ("engine/common/mod.rs", "", "common"),
        ] {
            assert!(complaint(path, text).contains(what), "{path}: {text}");
        }
        assert_eq!(complaint("transport/sys/ring.rs", "unsafe { f() }"), "");
        assert_eq!(
            complaint("transport/mod.rs", "#[allow(unsafe_code)] mod sys;"),
            ""
        );
        assert!(complaint("engine/x.rs", &"\n".repeat(LONGEST + 1)).contains("451 lines"));
    }
}
