//! `halfopen diff` on what real scans of the loopback wrote.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::{assert_exit, halfopen, json, listeners, run, stderr, stdout};

fn scan(ports: &str) -> Vec<u8> {
    let output = run(&["--json", "-q", "-m", "connect", "-p", ports, "127.0.0.1"]);
    assert_exit(&output, 0);
    output.stdout
}

#[test]
fn a_port_that_closed_between_two_scans() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (mut open, ports) = listeners("127.0.0.1", 2);
    let spec = format!("{},{}", ports[0], ports[1]);
    fs::write(path("old"), scan(&spec)).expect("written");
    fs::write(path("same"), scan(&spec)).expect("written");
    let same = run(&["diff", &path("old"), &path("same")]);
    assert_exit(&same, 0);
    assert_eq!(stdout(&same), "no change; 2 endpoints compared\n");

    let last = open.pop().expect("a listener");
    let gone = last.local_addr().expect("bound").port();
    drop(last);
    fs::write(path("new"), scan(&spec)).expect("written");
    let changed = run(&["diff", &path("old"), &path("new")]);
    assert_exit(&changed, 1);
    assert_eq!(
        stdout(&changed),
        format!(
            "127.0.0.1\n  {gone:>5}  open -> closed\n\n1 change at 1 host; 2 endpoints compared\n"
        )
    );
    let lines = json(&run(&["diff", "--json", &path("old"), &path("new")]));
    assert_eq!(
        (&lines[0]["port"], &lines[1]["same"]),
        (&gone.into(), &false.into())
    );

    // From a pipe.
    let mut child = halfopen()
        .args(["diff", "-", &path("new")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let old = fs::read(path("old")).expect("written");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&old).expect("read");
    drop(input);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn our_own_xml_says_what_the_json_lines_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (_open, ports) = listeners("127.0.0.1", 2);
    let spec = format!("1-20,{},{}", ports[0], ports[1]);
    let output = run(&[
        "-q",
        "-m",
        "connect",
        "-p",
        &spec,
        "127.0.0.1-2",
        "-o",
        &path("a.xml"),
        "-o",
        &path("a.jsonl"),
    ]);
    assert_exit(&output, 0);
    for pair in [["a.xml", "a.jsonl"], ["a.jsonl", "a.xml"]] {
        let same = run(&["diff", &path(pair[0]), &path(pair[1])]);
        assert_exit(&same, 0);
        assert_eq!(stdout(&same), "no change; 44 endpoints compared\n");
    }
    // What is merged can be written in every format too.
    let merged = run(&["merge", &path("a.jsonl"), "-o", &path("b.xml")]);
    assert_exit(&merged, 0);
    assert_exit(&run(&["diff", &path("a.xml"), &path("b.xml")]), 0);
}

#[test]
fn what_cannot_be_compared_is_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let odd = folder.path().join("odd");
    fs::write(&odd, "\u{1b}[2J").expect("written");
    let odd = odd.to_str().expect("UTF-8");
    for (arguments, expected) in [
        (&["diff"][..], "0 files given; diff compares two"),
        (&["diff", odd], "1 file given; diff compares two"),
        (&["diff", odd, odd, odd], "3 files given; diff compares two"),
        (&["diff", "-", "-"], "- is given twice"),
        (
            &["diff", odd, "/nonexistent"],
            "is neither JSON lines of halfopen nor XML",
        ),
        (
            &["diff", odd, "/nonexistent"],
            "cannot open \"/nonexistent\"",
        ),
        (&["diff", "/", "/"], "cannot be read"),
        (
            &["diff", "--zebra", odd, odd],
            "halfopen diff --help lists the flags",
        ),
    ] {
        let output = run(arguments);
        assert_exit(&output, 2);
        let told = stderr(&output);
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
    }
}

#[test]
fn two_scans_without_a_common_endpoint_were_said_to_be_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("a"), scan("1-5")).expect("written");
    fs::write(path("b"), scan("6-9")).expect("written");
    for form in [&[][..], &["--json"]] {
        let mut arguments = vec!["diff"];
        arguments.extend(form);
        let (a, b) = (path("a"), path("b"));
        arguments.extend([a.as_str(), b.as_str()]);
        let output = run(&arguments);
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
        let told = stderr(&output);
        assert!(
            told.starts_with("error: nothing to compare: there is no endpoint"),
            "{told}"
        );
    }
}

#[test]
fn of_a_scan_that_was_cut_short_nobody_said_how_little_was_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (_open, ports) = listeners("127.0.0.1", 2);
    let whole = scan(&format!("1-20,{},{}", ports[0], ports[1]));
    // Killed after it had found the first port.
    let cut: Vec<u8> = whole
        .split_inclusive(|byte| *byte == b'\n')
        .take(2)
        .flatten()
        .copied()
        .collect();
    fs::write(path("whole"), whole).expect("written");
    fs::write(path("cut"), cut).expect("written");
    let output = run(&["diff", &path("whole"), &path("cut")]);
    assert_exit(&output, 0);
    assert_eq!(
        stdout(&output),
        "no change; 1 endpoint compared, 21 of OLD and 21 of NEW were not\n"
    );
    let told = stderr(&output);
    assert!(told.starts_with("note: "), "{told}");
    assert!(
        told.contains("cut\" is of a scan that is not complete: it does not say how it ended"),
        "{told}"
    );
    let lines = json(&run(&["diff", "--json", &path("whole"), &path("cut")]));
    assert_eq!(lines[0]["compared"], 1);
    assert_eq!(
        (&lines[0]["endpoints_old"], &lines[0]["endpoints_new"]),
        (&22.into(), &22.into())
    );
}
