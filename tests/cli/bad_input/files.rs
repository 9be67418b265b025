//! Files of targets and excludes, standard input, and the folders whose excludes always hold.

use std::process::Command;

use super::{refused, show};
use crate::cli::scene::{self, Ended, Scene};

fn scanned(ended: &Ended, typed: &[&str], hosts: u64) {
    show(typed, ended);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let first: serde_json::Value =
        serde_json::from_str(ended.stdout.lines().next().unwrap_or_default()).expect("JSON");
    assert_eq!(first["targets"], hosts, "{}", ended.stderr);
}

const SCAN: [&str; 5] = ["-m", "connect", "--json", "-p", "1"];

#[test]
fn files_that_are_wrong_are_named_with_the_line_and_the_reason() {
    if !scene::possible("files_that_are_wrong_are_named_with_the_line_and_the_reason") {
        return;
    }
    let scene = Scene::new();
    let missing = scene.path("missing");
    let folder = scene.path("etc");
    let huge = scene.path("huge");
    // A hole of 1 GiB behind a first line: nothing of it lies on the disk.
    let mut line = std::fs::File::create(&huge).expect("a file");
    std::io::Write::write_all(&mut line, &vec![b'1'; 8192]).expect("a line's start");
    line.set_len(1 << 30).expect("a hole");
    for (path, why) in [
        (&missing, "No such file or directory"),
        (&folder, "Is a directory"),
        (
            &scene.file("binary", b"127.0.0.1\n\x7fELF\x02\x01\x01\0\0"),
            "line 2: binary data (a NUL byte), not text",
        ),
        (
            &scene.file("utf16", b"\xff\xfe1\x002\x00\n\x00"),
            "line 1: UTF-16 text; save it as UTF-8",
        ),
        (
            &scene.file("latin1", b"127.0.0.1\nm\xfcller\n"),
            "line 2: bytes that are not UTF-8",
        ),
        (&huge, "line 1: the line is longer than 4096 bytes"),
    ] {
        let typed = ["-i", path];
        refused(
            &scene.run(&typed),
            &typed,
            2,
            &[&format!("cannot read targets from \"{path}\": {why}")],
        );
        let typed = ["127.0.0.1", "--exclude-file", path];
        let expected = format!("refusing to scan without the excludes of \"{path}\": {why}");
        refused(&scene.run(&typed), &typed, 2, &[&expected]);
    }

    let unreadable = scene.file("unreadable", "127.0.0.1\n");
    let status = Command::new("chmod").args(["000", &unreadable]).status();
    assert!(status.is_ok_and(|status| status.success()));
    let typed = ["-i", &unreadable];
    let ended = scene.run_without("dac_override,-dac_read_search", &typed);
    refused(
        &ended,
        &typed,
        2,
        &[&format!(
            "cannot read targets from \"{unreadable}\": Permission denied"
        )],
    );

    let wrong = scene.file("wrong", "127.0.0.1\n\n127.0.0.2 1.2.3 # three\na..b\n");
    let typed = ["-i", &wrong];
    let expected = [
        &*format!(
            "\"{wrong}\" line 3: \"1.2.3\" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"
        ),
        &*format!("\"{wrong}\" line 4: \"a..b\" is not a valid host name (a label is empty)"),
    ];
    refused(&scene.run(&typed), &typed, 2, &expected);
    let typed = ["127.0.0.1", "--exclude-file", &wrong];
    let expected = [
        &*format!(
            "refusing to scan, because \"1.2.3\" might be scanned by mistake: \"{wrong}\" line 3: \"1.2.3\" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"
        ),
        &*format!(
            "refusing to scan, because \"a..b\" might be scanned by mistake: \"{wrong}\" line 4: \"a..b\" is not a valid host name (a label is empty)"
        ),
    ];
    refused(&scene.run(&typed), &typed, 2, &expected);

    let typed = ["-i", &scene.file("empty", "# nobody\n\n"), "--json"];
    refused(
        &scene.run(&typed),
        &typed,
        2,
        &[&format!("no targets in \"{}\"", typed[1])],
    );

    let typed = [
        "-i",
        &scene.file("port-list", "0,\n".repeat(100_000)),
        "--json",
    ];
    let ended = scene.run(&typed);
    assert_eq!(
        (ended.code, ended.lines().len()),
        (Some(2), 17),
        "{}",
        ended.stderr
    );
    assert!(
        ended.lines()[16].ends_with("; the rest of it was not read"),
        "{}",
        ended.stderr
    );
}

#[test]
fn files_that_are_right_in_every_way_of_writing_them() {
    if !scene::possible("files_that_are_right_in_every_way_of_writing_them") {
        return;
    }
    let scene = Scene::new();
    let long = format!("127.0.0.8{}127.0.0.9\r\n", " ".repeat(4096 - 18));
    let targets = scene.file(
        "targets",
        format!("\u{feff}# ours\r\n\r\n127.0.0.1, 127.0.0.2\t127.0.0.3 # three\r\n{long}one\n127.0.0.16/30"),
    );
    let excludes = scene.file(
        "excludes",
        b"127.0.0.2 # M\xfcller's\n127.0.0.17,127.0.0.18",
    );
    let typed = [&SCAN[..], &["-i", &targets, "127.0.0.1"]].concat();
    scanned(&scene.run(&typed), &typed, 9);
    let typed = [&SCAN[..], &["--exclude-file", &excludes, "-i", &targets]].concat();
    let ended = scene.run(&typed);
    scanned(&ended, &typed, 6);
    assert!(
        ended
            .stderr
            .contains(&format!("note: 3 excludes read from \"{excludes}\"\n")),
        "{}",
        ended.stderr
    );
    let empty = scene.file("empty", "");
    let typed = [&SCAN[..], &["-i", &targets, "-i", &empty]].concat();
    let ended = scene.run(&typed);
    scanned(&ended, &typed, 9);
    assert!(
        ended
            .stderr
            .contains(&format!("note: no targets in \"{empty}\"\n")),
        "{}",
        ended.stderr
    );
}

#[test]
fn standard_input_holds_targets_or_excludes_once() {
    if !scene::possible("standard_input_holds_targets_or_excludes_once") {
        return;
    }
    let scene = Scene::new();
    for way in [&["-i", "-"][..], &["--input-file=-"], &["-"]] {
        let typed = [&SCAN[..], way].concat();
        scanned(&scene.run_after(":", &typed, "two\n127.0.0.3\n"), &typed, 3);
    }
    let typed = [&SCAN[..], &["127.0.0.0/29", "--exclude-file", "-"]].concat();
    scanned(&scene.run_after(":", &typed, "127.0.0.1-3"), &typed, 5);
    let typed = ["-i", "-", "--exclude-file", "-"];
    let ended = scene.run_after(":", &typed, "127.0.0.1");
    assert!(
        ended
            .stderr
            .contains("error: standard input (\"-\") is given twice; it can be read once\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(2));
    ended.assert_nothing_sent();
    let typed = ["-i", "-"];
    refused(
        &scene.run_after(":", &typed, ""),
        &typed,
        2,
        &[r#"no targets in "standard input""#],
    );
    let typed = ["-"];
    refused(
        &scene.run_after(":", &typed, "127.0.0.1\nx!\n"),
        &typed,
        2,
        &[r#""standard input" line 2: "x!" is not a valid host name (character 2 is '!')"#],
    );
}

#[test]
fn a_pipe_with_a_name_is_a_file_of_targets() {
    if !scene::possible("a_pipe_with_a_name_is_a_file_of_targets") {
        return;
    }
    let scene = Scene::new();
    let pipe = scene.path("pipe");
    let setup = format!("mkfifo {pipe}; (echo two; sleep 0.1; echo 127.0.0.9) >{pipe} &");
    // What follows the setup is separated by a semicolon, which may not stand behind an ampersand.
    let typed = [&SCAN[..], &["-i", &pipe]].concat();
    scanned(
        &scene.run_after(&format!("{setup} :"), &typed, ""),
        &typed,
        3,
    );
}

#[test]
fn a_million_addresses_take_little_memory() {
    if !scene::possible("a_million_addresses_take_little_memory") {
        return;
    }
    let scene = Scene::new();
    let mut text = String::new();
    for number in 0..1_000_000_u32 {
        let [_, b, c, d] = number.to_be_bytes();
        text.push_str(&format!("127.{b}.{c}.{d}\n"));
    }
    let targets = scene.file("million", text);
    let typed = ["-i", &targets, "--exclude", "127.0.0.0/8"];
    // 48 MB are a vector of a million ranges; all in all it may have this much address space.
    let ended = scene.run_after("ulimit -v 60000", &typed, "");
    refused(
        &ended,
        &typed,
        2,
        &["nothing left to scan after the excludes"],
    );
}

#[test]
fn standing_excludes_always_hold() {
    if !scene::possible("standing_excludes_always_hold") {
        return;
    }
    let scene = Scene::new();
    scene.etc("halfopen/exclude.d/b.conf", "127.0.0.1\n# more\none\n");
    scene.etc(
        "halfopen/exclude.d/note.txt",
        "not read, not even looked at\0",
    );
    scene.file("config/halfopen/exclude.d/own.conf", "127.0.0.4/31");
    let first = "/etc/halfopen/exclude.d/b.conf";
    let typed = [&SCAN[..], &["127.0.0.0/29"]].concat();
    let ended = scene.run(&typed);
    scanned(&ended, &typed, 5);
    assert!(
        ended.stderr.contains(&format!(
            "note: 3 excludes read from \"{first}\" and 1 more file\n"
        )),
        "{}",
        ended.stderr
    );
    let typed = ["127.0.0.1"];
    refused(
        &scene.run(&typed),
        &typed,
        2,
        &["nothing left to scan after the excludes"],
    );
    // They count as excludes for who wants to scan the Internet.
    let typed = ["0.0.0.0/0", "--allow-internet", "-p", "0"];
    refused(
        &scene.run(&typed),
        &typed,
        2,
        &["port 0 cannot be scanned; ports are 1-65535"],
    );

    scene.etc("halfopen/exclude.d/a.conf", "127.0.0.1\n10.0.0.x.1\n");
    let typed = ["127.0.0.2"];
    refused(
        &scene.run(&typed),
        &typed,
        2,
        &[
            r#"refusing to scan, because "10.0.0.x.1" might be scanned by mistake: "/etc/halfopen/exclude.d/a.conf" line 2: "10.0.0.x.1" is not a valid host name (it ends in a number, like an address)"#,
        ],
    );
}

#[test]
fn standing_excludes_that_cannot_be_read_end_the_scan_before_it_begins() {
    if !scene::possible("standing_excludes_that_cannot_be_read_end_the_scan_before_it_begins") {
        return;
    }
    let folder = "/etc/halfopen/exclude.d";
    let caps = "dac_override,-dac_read_search";
    // The settings lie in the same folders, and are not what this is about.
    let typed = ["--no-config", "127.0.0.1"];
    for (setup, path, why) in [
        (
            "chmod 000 $D/etc/halfopen/exclude.d/a.conf",
            "/a.conf",
            "Permission denied",
        ),
        (
            "chmod 000 $D/etc/halfopen/exclude.d",
            "",
            "Permission denied",
        ),
        ("chmod 000 $D/etc/halfopen", "", "Permission denied"),
        (
            "mkdir $D/etc/halfopen/exclude.d/b.conf",
            "/b.conf",
            "not a regular file",
        ),
        (
            "mkfifo $D/etc/halfopen/exclude.d/b.conf",
            "/b.conf",
            "not a regular file",
        ),
        (
            "ln -s nowhere $D/etc/halfopen/exclude.d/b.conf",
            "/b.conf",
            "No such file or directory",
        ),
        (
            "rm -r $D/etc/halfopen/exclude.d; touch $D/etc/halfopen/exclude.d",
            "",
            "not a folder",
        ),
    ] {
        let scene = Scene::new();
        scene.etc("halfopen/exclude.d/a.conf", "127.0.0.9\n");
        let ended = scene.run_without_after(setup, caps, &typed);
        let expected =
            format!("refusing to scan without the excludes of \"{folder}{path}\": {why}");
        refused(&ended, &typed, 2, &[&expected]);
        // So that the folder can be removed.
        let _ = Command::new("chmod")
            .args(["-R", "u+rwX", &scene.path("etc")])
            .status();
    }

    let scene = Scene::new();
    scene.file("config/halfopen/exclude.d/a.conf", "127.0.0.9\n");
    let ended = scene.run_without_after("chmod 000 $D/config", caps, &typed);
    let _ = Command::new("chmod")
        .args(["700", &scene.path("config")])
        .status();
    let own = scene.path("config/halfopen/exclude.d");
    let expected = format!("refusing to scan without the excludes of \"{own}\": Permission denied");
    refused(&ended, &typed, 2, &[&expected]);
}
