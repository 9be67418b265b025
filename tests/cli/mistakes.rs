//! What a wrong command line gets: one line for each mistake, all at once, before any packet.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::{assert_exit, finished, halfopen, run, stderr, stdout};

/// The lines on standard error. Asserts that nothing was sent or printed, and that every line can be shown.
fn told(arguments: &[&str]) -> Vec<String> {
    let output = run(arguments);
    assert_exit(&output, 2);
    assert_eq!(stdout(&output), "");
    let lines: Vec<String> = stderr(&output).lines().map(str::to_owned).collect();
    for line in &lines {
        assert!(line.starts_with("error: "), "{line}");
        assert!(
            line.len() < 400 && !line.contains(char::is_control),
            "{line:?}"
        );
    }
    lines
}

#[test]
fn one_mistake_is_one_line() {
    for (arguments, expected) in [
        (
            &["--rate", "0", "127.0.0.1"][..],
            "1 to 10,000,000 packets per second; k and M are understood",
        ),
        (
            &["--rate=-5", "127.0.0.1"],
            "1 to 10,000,000 packets per second",
        ),
        (
            &["--rate", "-5", "127.0.0.1"],
            "1 to 10,000,000 packets per second",
        ),
        (
            &["--rate", "1e99", "127.0.0.1"],
            "1 to 10,000,000 packets per second",
        ),
        (
            &["--rate", "fast", "127.0.0.1"],
            "1 to 10,000,000 packets per second",
        ),
        (
            &["--rate", "NaN", "127.0.0.1"],
            "1 to 10,000,000 packets per second",
        ),
        (&["--threads", "0", "127.0.0.1"], "1 to 1024 threads"),
        (&["-t100000", "127.0.0.1"], "1 to 1024 threads"),
        (&["--max-attempts", "0", "127.0.0.1"], "1 to 100 attempts"),
        (&["--miss-budget", "2", "127.0.0.1"], "0.000001 to 1"),
        (
            &["-m", "sny", "127.0.0.1"],
            r#"unknown mode "sny"; did you mean syn?"#,
        ),
        (
            &["--shard", "0/4", "127.0.0.1"],
            "shards are written I/N with I from 1 to N",
        ),
        (
            &["--shard", "5/4", "127.0.0.1"],
            "shards are written I/N with I from 1 to N",
        ),
        (
            &["--shard", "a", "127.0.0.1"],
            "shards are written I/N with I from 1 to N",
        ),
        (
            &["--prots", "127.0.0.1"],
            r#"unknown flag "--prots"; did you mean --ports?"#,
        ),
        (&["--resume=x", "127.0.0.1"], r#"unknown flag "--resume""#),
        (
            &["-p", "80", "127.0.0.1", "-p", "81"],
            "--ports given twice",
        ),
        (&["127.0.0.1", "--rate"], "--rate needs a value"),
        (&["-sS", "127.0.0.1"], "nmap's -sS is `-m syn` here"),
        (&["-sT", "127.0.0.1"], "nmap's -sT is `-m connect` here"),
        (&["-Pn", "127.0.0.1"], "nmap's -Pn is not needed here"),
        (&["-n", "127.0.0.1"], "nmap's -n is not needed here"),
        (&["-T4", "127.0.0.1"], "nmap's -T4 is not needed here"),
        (
            &["-oX", "scan.xml", "127.0.0.1"],
            "nmap's -oX is `-o FILE.xml` here",
        ),
        (
            &["-oG", "-", "127.0.0.1"],
            "nmap's -oG is `-o FILE.gnmap` here",
        ),
        (
            &["-o", "scan.pdf", "127.0.0.1"],
            r#""scan.pdf" has an unknown extension "pdf"; end it in .txt, .jsonl, .xml"#,
        ),
        (
            &["-o", "scan", "127.0.0.1"],
            r#""scan" has no extension that says its format"#,
        ),
        (&["-o", "", "127.0.0.1"], "the name of the output is empty"),
        (&["-o", "-", "127.0.0.1"], "-o - does not say its format"),
        (
            &["-o", "/no/such/folder/scan.xml", "127.0.0.1"],
            r#"there is no folder "/no/such/folder"; create it first"#,
        ),
        (&["-o", "xml:/tmp", "127.0.0.1"], r#""/tmp" is a folder"#),
        (
            &["-o", "xml:/etc/passwd", "127.0.0.1"],
            r#""/etc/passwd" exists; --overwrite keeps the old one as "/etc/passwd~""#,
        ),
        (
            &["-o", "new.xml", "-o", "./new.xml", "127.0.0.1"],
            r#"two outputs go to "./new.xml"; give each a file of its own"#,
        ),
        (
            &["--json", "-o", "csv:-", "127.0.0.1"],
            "two outputs go to standard output",
        ),
        (
            &["-o", "csv:/dev/stdout", "-o", "xml:-", "127.0.0.1"],
            "two outputs go to standard output",
        ),
        (
            &["--fields", "prot", "--json", "127.0.0.1"],
            r#"unknown field "prot"; did you mean port?"#,
        ),
        (
            &["--fields", "port", "127.0.0.1"],
            "--fields is for JSON lines and CSV",
        ),
        (
            &["--open", "127.0.0.1"],
            "nmap's --open is the default here",
        ),
        (
            &["--top-ports", "100", "127.0.0.1"],
            "nmap's --top-ports is `-p top:N` here",
        ),
        (
            &["--min-rate", "5", "127.0.0.1"],
            "nmap's --min-rate does not exist here",
        ),
        (
            &["--max-rate=5", "127.0.0.1"],
            "nmap's --max-rate is `--rate` here",
        ),
        (
            &["-e", "nope0", "127.0.0.1"],
            r#"no interface "nope0" (have: "#,
        ),
        (
            &["--source", "192.0.2.1", "127.0.0.1"],
            "is not an address of this machine",
        ),
        (
            &["--show", "opne", "127.0.0.1"],
            r#"unknown state "opne"; did you mean open?"#,
        ),
        (
            &["--patience", "3", "127.0.0.1"],
            "write a time such as 500ms",
        ),
        (&["-p", "htpp", "127.0.0.1"], "did you mean http?"),
        (&["256.1.1.1"], "is not an IPv4 address"),
        (&[""], "empty target at argument 1"),
        (&["a\x1b[2Jb"], r"a\x1b[2Jb"),
        (
            &["-p", "80", "--exclude-ports", "80", "127.0.0.1"],
            "nothing left to scan after the excludes",
        ),
        (
            &["127.0.0.1", "--exclude", "127.0.0.0/8"],
            "nothing left to scan after the excludes",
        ),
        (
            &["127.0.0.1", "--exclude", "1.2.3.4/33"],
            "refusing to scan",
        ),
        (&["0.0.0.0/0"], "--allow-internet"),
        (&[], "no targets given"),
        (&["--json"], "no targets given"),
    ] {
        let lines = told(arguments);
        assert_eq!(lines.len(), 1, "{arguments:?}: {lines:?}");
        assert!(lines[0].contains(expected), "{arguments:?}: {lines:?}");
    }
}

#[test]
fn all_mistakes_of_a_command_line_are_reported_together() {
    let lines = told(&[
        "--prots",
        "-sS",
        "256.1.1.1",
        "a..b",
        "-p",
        "0,70000",
        "--rate",
        "0",
        "-m",
        "sny",
        "--shard",
        "5/4",
        "-o",
        "scan.pdf",
        "-o",
        "xml:/tmp",
        "--fields",
        "prot",
    ]);
    assert_eq!(lines.len(), 12, "{lines:#?}");
}

#[test]
fn nothing_is_sent_for_half_a_right_command_line() {
    let (listeners, ports) = super::listeners("127.0.0.1", 1);
    listeners[0].set_nonblocking(true).expect("a socket option");
    let port = ports[0].to_string();
    told(&["127.0.0.1", "-p", &port, "--rate", "0", "-m", "connect"]);
    let accepted = listeners[0].accept().map(|_| ());
    assert_eq!(
        accepted.expect_err("nobody connected").kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn an_argument_that_is_no_text_is_named_by_its_place() {
    let output = finished(
        halfopen()
            .arg("127.0.0.1")
            .arg(OsStr::from_bytes(b"--rate=\xff")),
    );
    assert_exit(&output, 2);
    assert_eq!(stderr(&output), "error: argument 2 is not UTF-8\n");
}

#[test]
fn a_name_that_does_not_resolve_is_the_environments_mistake() {
    // RFC 6761 keeps .invalid free for ever; without any resolver the reason differs, the status does not.
    let output = run(&["nosuch.invalid", "-p", "1"]);
    assert_exit(&output, 4);
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with("error: cannot resolve \"nosuch.invalid\": "));
    // With a mistake of the user's beside it, that one counts.
    assert_exit(&run(&["nosuch.invalid", "-p", "0"]), 2);
}
