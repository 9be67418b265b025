//! Journals that a scan cannot go on from: what differs is said, and the file is as it was.

use halfopen::model::Kept;
use halfopen::results::journal::{Head, begin, encode, frame};

use super::refused;
use crate::cli::scene::{self, Scene};

/// A journal of a scan of one port, with two frames of entries.
fn journal(version: &str, ports: &str) -> Vec<u8> {
    let settings = [
        ("targets", "127.0.0.1"),
        ("ports", ports),
        ("shard", "1/1"),
        ("seed", "7"),
        ("ping", "false"),
        ("max-attempts", "20"),
        ("miss-budget", "0.01"),
        ("patience", "3000ms"),
        ("confirm", "auto"),
        ("interface", ""),
        ("source", ""),
        ("send-path", "ip"),
        ("mode", "connect"),
    ];
    let head = Head {
        version: version.to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ceilings: Vec::new(),
    };
    let mut bytes = begin(&head.write());
    for host in 0..2 {
        let mut payload = Vec::new();
        encode(
            &Kept::Up {
                first: host,
                last: host,
            },
            &mut payload,
        );
        let at = bytes.len() as u64;
        frame(at, &payload, &mut bytes);
    }
    bytes
}

#[test]
fn journals_of_something_else() {
    if !scene::possible("journals_of_something_else") {
        return;
    }
    let scene = Scene::new();
    let version = env!("CARGO_PKG_VERSION");
    let mut damaged = journal(version, "1");
    let middle = damaged.len() - 30;
    damaged[middle] ^= 1;
    let files: [(&str, Vec<u8>, &[&str], &str); 10] = [
        (
            "other.txt",
            b"precious".to_vec(),
            &[],
            r#"--resume: "…" is not a journal of halfopen; it is left as it is; name another file"#,
        ),
        (
            "format",
            b"halfopen journal 9\nwhatever".to_vec(),
            &[],
            r#"--resume: "…" is a journal in a format that this version does not know; it is left as it is; name another file"#,
        ),
        (
            "version",
            journal("0.0.1", "1"),
            &[],
            r#"--resume: "…" was written by version "0.0.1" of halfopen, and this is …; go on with that one, or name another file"#,
        ),
        (
            "damaged",
            damaged,
            &[],
            r#"--resume: "…" is damaged at byte …; nothing behind that can be believed; scan anew with another file"#,
        ),
        (
            "truncated",
            journal(version, "1")[..100].to_vec(),
            &[],
            r#"--resume: "…" ends before it says of which scan it is; it is left as it is; name another file"#,
        ),
        (
            "begins-like-one.txt",
            b"h".to_vec(),
            &[],
            r#"--resume: "…" ends before it says of which scan it is; it is left as it is; name another file"#,
        ),
        (
            "ports",
            journal(version, "1,22"),
            &[],
            r#"--resume: "…" is of another scan (ports: "22" there, nothing here); give the same settings, or another file"#,
        ),
        (
            "patience",
            journal(version, "1"),
            &["--patience", "5s"],
            r#"--resume: "…" is of another scan (patience: "3000ms" there, "5000ms" here); give the same settings, or another file"#,
        ),
        (
            "seed",
            journal(version, "1"),
            &["--seed", "8"],
            r#"--resume: "…" is of another scan (seed: "7" there, "8" here); give the same settings, or another file"#,
        ),
        (
            "mode",
            journal(version, "1"),
            &["-m", "syn"],
            r#"--resume: "…" is of another scan (mode: "connect" there, "syn" here); give the same settings, or another file"#,
        ),
    ];
    for (name, content, options, expected) in files {
        let path = scene.file(name, &content);
        let mut typed = vec!["127.0.0.1", "-p", "1", "--resume", &path];
        typed.extend(options);
        refused(&scene.run(&typed), &typed, 2, &[expected]);
        let after = std::fs::read(&path).expect("it is there");
        assert!(after == content, "{name}: nothing is overwritten");
    }
}

#[test]
fn places_where_no_journal_can_be() {
    if !scene::possible("places_where_no_journal_can_be") {
        return;
    }
    let scene = Scene::new();
    let (folder, new) = (scene.path("etc"), scene.path("new.jsonl"));
    let rows: [(&[&str], &str); 5] = [
        (
            &["--resume", &folder],
            r#"--resume: cannot use "…": Is a directory …"#,
        ),
        (
            &["--resume", "/no/such/journal"],
            r#"--resume: "/no/such/journal" cannot be written, because there is no folder "/no/such"; create it first"#,
        ),
        (
            &["--resume", "/dev/null"],
            r#"--resume: "/dev/null" is no file; name a file"#,
        ),
        (
            &["--resume", &new, "--list"],
            "--list scans no ports, so there is nothing to --resume; leave one of them out",
        ),
        (
            &["--resume", &new, "-o", &new],
            r#"--resume and --output name one file, "…"; give each a file of its own"#,
        ),
    ];
    for (options, expected) in rows {
        let typed = [&["127.0.0.1", "-p", "1"], options].concat();
        refused(&scene.run(&typed), &typed, 2, &[expected]);
    }
    assert!(
        !std::fs::exists(&new).expect("a folder"),
        "nothing was made"
    );
}
