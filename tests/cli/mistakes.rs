//! What a wrong command line gets where no namespace is to be had; the whole table is in `bad_input`.

use super::{assert_exit, run, stderr, stdout};

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
fn a_name_that_does_not_resolve_is_the_environments_mistake() {
    // RFC 6761 keeps .invalid free for ever; without any resolver the reason differs, the status does not.
    let output = run(&["nosuch.invalid", "-p", "1"]);
    assert_exit(&output, 4);
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with("error: cannot resolve \"nosuch.invalid\": "));
    // With a mistake of the user's beside it, that one counts.
    assert_exit(&run(&["nosuch.invalid", "-p", "0"]), 2);
}

#[test]
fn a_word_too_many_for_a_command_was_told_in_the_words_of_a_library() {
    for (arguments, expected) in [
        (
            &["doctor", "x"][..],
            r#"error: "x" is a word too many; halfopen doctor takes nothing but flags"#,
        ),
        (
            &["doctor", "--", "a\u{1b}[2J\nb"],
            r#"error: "a\x1b[2J\x0ab" is a word too many; halfopen doctor takes nothing but flags"#,
        ),
        (
            &["doctor", "-sS"],
            r#"error: unknown flag "-sS"; halfopen doctor --help lists the flags"#,
        ),
    ] {
        assert_eq!(told(arguments), [expected], "{arguments:?}");
    }
}

#[test]
fn one_slip_was_told_as_two() {
    for flags in [
        &["--port", "22"][..],
        &["--ulimit", "5000"],
        &["--range", "1-100"],
        &["-b", "4500"],
        &["-r", "1-100"],
        &["--ttl", "64"],
        &["--source-port", "80"],
        &["-g53"],
        &["-PS22,80"],
        &["-oJ", "out.json"],
        &["-oL", "out.list"],
        &["-iR", "100"],
        &["--append-output"],
        &["--top-ports", "100"],
        &["-T", "polite"],
        &["--rate", "-5"],
        &["--rate=x"],
        &["-q", "-v"],
        &["-o", "/"],
    ] {
        let mut arguments = flags.to_vec();
        arguments.push("127.0.0.1");
        let told = told(&arguments);
        assert_eq!(told.len(), 1, "{arguments:?}: {told:?}");
    }
    // Two flags of nmap in one word are two slips.
    assert_eq!(told(&["-sSV", "127.0.0.1"]).len(), 2);
}

#[test]
fn a_variable_that_sets_nothing_passed_in_silence() {
    let output = super::finished(super::halfopen().env("HALFOPEN_ZEBRA", "7").args([
        "--dry-run",
        "-p",
        "1",
        "127.0.0.1",
    ]));
    assert_exit(&output, 0);
    assert!(
        stderr(&output).contains("note: \"HALFOPEN_ZEBRA\" in the environment sets nothing"),
        "{}",
        stderr(&output)
    );
}

/// It was a note, and the scan went on and sent.
#[test]
fn a_dry_run_that_was_asked_for_by_a_variable_sent_all_the_same() {
    let run = |value: &str| {
        let mut command = super::halfopen();
        command.env("HALFOPEN_DRY_RUN", value);
        super::finished(command.args(["-p", "1", "127.0.0.1"]))
    };
    let output = run("1");
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("HALFOPEN_DRY_RUN cannot be set in the environment"),
        "{}",
        stderr(&output)
    );
    assert_exit(&run("false"), 0);
}

#[test]
fn xml_that_cannot_be_merged_was_told_in_the_words_of_a_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("c"), "<?xml version=\"1.0\"?>\n<nmaprun/>\n").expect("written");
    std::fs::write(path("d"), "{\"type\":\"scan\"}\n").expect("written");
    let told = told(&["merge", &path("c"), &path("d")]);
    assert!(
        told[0].ends_with("is XML; this takes JSON lines (-o FILE.jsonl)"),
        "{told:?}"
    );
    assert!(
        told[1].ends_with("line 1: not a line that halfopen writes: missing field `version`"),
        "{told:?}"
    );
}
