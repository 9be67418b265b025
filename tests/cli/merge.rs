//! `halfopen merge` on what real scans of the loopback wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{assert_exit, finished, halfopen, json, list, listeners, run, stderr, stdout};

/// Scans these hosts' ports, this part of them, into a file of the folder.
fn scan(folder: &Path, shard: &str, targets: &str, ports: &str) -> String {
    let output = run(&[
        "--json", "-q", "-m", "connect", "--shard", shard, "-p", ports, targets,
    ]);
    assert_exit(&output, 0);
    let path = folder.join(format!("{}.jsonl", shard.replace('/', "-of-")));
    fs::write(&path, output.stdout).expect("a folder to write to");
    path.to_str().expect("UTF-8").to_owned()
}

fn merge(arguments: &[&str]) -> std::process::Output {
    run(&[&["merge"], arguments].concat())
}

/// The lines of a type without what belongs to a run.
fn found(values: &[Value], kind: &str) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for value in values.iter().filter(|value| value["type"] == kind) {
        let mut value = value.clone();
        let map = value.as_object_mut().expect("an object");
        let of_the_run = [
            "time",
            "seconds",
            "packets_sent",
            "loss",
            "expected_missed",
            "rtt_us",
            "attempts",
            "started",
            "strays",
        ];
        for name in of_the_run {
            map.remove(name);
        }
        lines.insert(value.to_string());
    }
    lines
}

#[test]
fn four_parts_are_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_first, mut ports) = listeners("127.0.0.1", 5);
    let (_second, more) = listeners("127.0.0.3", 5);
    ports.extend(more);
    ports.sort_unstable();
    ports.dedup();
    let spec = format!("1-40,{}", list(&ports));
    let files: Vec<String> = ["1/4", "2/4", "3/4", "4/4"]
        .iter()
        .map(|shard| scan(folder.path(), shard, "127.0.0.1-4", &spec))
        .collect();
    let whole = scan(folder.path(), "1/1", "127.0.0.1-4", &spec);

    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let merged = merge(&[&["--json"], &files[..]].concat());
    assert_exit(&merged, 0);
    let whole = run(&["merge", "--json", &whole]);
    for kind in ["scan", "port", "host", "summary"] {
        assert_eq!(
            found(&json(&merged), kind),
            found(&json(&whole), kind),
            "{kind}"
        );
    }

    let text = merge(&files);
    assert_exit(&text, 0);
    let text = stdout(&text);
    assert_eq!(text.matches("  Open ports are: [").count(), 2, "{text}");
    assert!(text.contains(" closed (rst)\n"), "{text}");
    assert!(text.trim_end().ends_with("; complete"), "{text}");

    let out = folder.path().join("whole.jsonl");
    let out = out.to_str().expect("UTF-8");
    assert_exit(&merge(&[&["-o", out], &files[..]].concat()), 0);
    assert_eq!(fs::read(out).expect("written"), merged.stdout);
    let again = merge(&[&["-o", out], &files[..]].concat());
    assert_exit(&again, 2);
    assert!(stderr(&again).contains("whole.jsonl"), "{}", stderr(&again));
}

#[test]
fn a_scheduler_numbers_the_parts_and_nobody_shares_a_seed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_open, ports) = listeners("127.0.0.1", 3);
    let files: Vec<String> = (0..3)
        .map(|index| {
            let task = index.to_string();
            let output = finished(
                halfopen()
                    .env("AWS_BATCH_JOB_ARRAY_INDEX", &task)
                    .env("AWS_BATCH_JOB_ARRAY_SIZE", "3")
                    .args([
                        "--json",
                        "-m",
                        "connect",
                        "--shard",
                        "auto",
                        "127.0.0.1",
                        "-p",
                    ])
                    .arg(list(&ports)),
            );
            assert_exit(&output, 0);
            let path = folder.path().join(&task);
            fs::write(&path, output.stdout).expect("a folder to write to");
            path.to_str().expect("UTF-8").to_owned()
        })
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let merged = merge(&files);
    assert_exit(&merged, 0);
    let expected = list(&ports).replace(',', ", ");
    let text = stdout(&merged);
    assert!(
        text.contains(&format!("Open ports are: [{expected}]")),
        "{text}"
    );
}

#[test]
fn gaps_overlaps_and_strangers_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let part = |shard| scan(folder.path(), shard, "127.0.0.1", "1-20");
    let (one, two) = (part("1/3"), part("2/3"));
    let missing = merge(&[&one, &two]);
    assert_exit(&missing, 2);
    assert_eq!(
        stderr(&missing),
        "error: part 3/3 is missing; --allow-gaps merges what is there\n"
    );
    assert_eq!(stdout(&missing), "");
    let allowed = merge(&["--allow-gaps", &one, &two]);
    assert_exit(&allowed, 6);
    assert!(
        stdout(&allowed).contains("not tested"),
        "{}",
        stdout(&allowed)
    );

    let twice = merge(&[&one, &one, &two]);
    assert_exit(&twice, 2);
    assert!(
        stderr(&twice).contains("part 1/3 is in both"),
        "{}",
        stderr(&twice)
    );

    let other = folder.path().join("other");
    fs::create_dir(&other).expect("a folder");
    let stranger = scan(&other, "3/3", "127.0.0.1", "1-21");
    let told = merge(&[&one, &two, &stranger]);
    assert_exit(&told, 2);
    assert!(stderr(&told).contains("other ports"), "{}", stderr(&told));
}

#[test]
fn what_is_no_file_of_a_scan_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    for (arguments, expected) in [
        (&[][..], "no files given"),
        (
            &["/nonexistent"][..],
            "cannot open \"/nonexistent\": No such file",
        ),
        (&[folder][..], "is not a regular file"),
        (&["/dev/zero"][..], "is not a regular file"),
        (
            &["--zebra", "x"][..],
            "halfopen merge --help lists the flags",
        ),
    ] {
        let output = merge(arguments);
        assert_exit(&output, 2);
        let told = stderr(&output);
        assert!(
            told.starts_with("error: ") && told.contains(expected),
            "{told}"
        );
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn commands_have_help_and_are_listed() {
    let help = stdout(&run(&["--help"]));
    assert!(help.contains("\n  merge   Join the JSON lines"), "{help}");
    let output = merge(&["--help"]);
    assert_exit(&output, 0);
    assert!(
        stdout(&output).contains("--allow-gaps"),
        "{}",
        stdout(&output)
    );
    // A host of that name goes after `--`, or anywhere but first.
    let host = run(&["-p", "x", "merge"]);
    assert!(
        stderr(&host).contains("unknown service"),
        "{}",
        stderr(&host)
    );
}

#[test]
fn the_loss_of_each_host_was_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<String> = ["1/2", "2/2"]
        .iter()
        .map(|shard| scan(folder.path(), shard, "127.0.0.1-2", "1-40"))
        .collect();
    let merged = merge(&["--json", &files[0], &files[1]]);
    assert_exit(&merged, 0);
    let hosts: Vec<Value> = json(&merged)
        .into_iter()
        .filter(|value| value["type"] == "host")
        .collect();
    assert_eq!(hosts.len(), 2);
    for host in hosts {
        assert_eq!(host["loss"], 0.0, "{host}");
    }
}
