//! A scan that is told to stop writes what it knows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::scene::{self, Scene};
use super::{halfopen, listeners};

/// A scan that takes minutes, started and past its first line.
fn slow_scan() -> (Child, BufReader<std::process::ChildStdout>, Value) {
    let mut child = halfopen()
        .args([
            "127.0.0.1",
            "-p",
            "all",
            "-m",
            "connect",
            "--rate",
            "200",
            "--json",
            "--show",
            "all",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("the first line");
    let first = serde_json::from_str(&line).expect("JSON");
    (child, reader, first)
}

fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, signal).expect("it is ours and runs");
}

/// The values that are left, once the program has ended; and how it ended.
fn ended(
    mut child: Child,
    mut reader: BufReader<std::process::ChildStdout>,
) -> (Vec<Value>, Option<i32>) {
    let mut rest = String::new();
    reader
        .read_to_string(&mut rest)
        .expect("text until the end");
    let status = child.wait().expect("it ends");
    let values = rest
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is whole"))
        .collect();
    (values, status.code())
}

#[test]
fn each_signal_ends_the_scan_with_what_is_known() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (child, reader, first) = slow_scan();
        assert_eq!(first["endpoints"], 65_535);
        std::thread::sleep(Duration::from_millis(300));
        send(&child, signal);
        let (values, code) = ended(child, reader);
        assert_eq!(code, Some(3), "{signal:?}");
        let summary = values.last().expect("a summary");
        assert_eq!(summary["type"], "summary");
        assert_eq!(summary["complete"], false);
        assert_eq!(summary["interrupted"], true);
        let untested = summary["untested"].as_u64().expect("a number");
        assert!(untested > 60_000, "{untested}");
        // What was tested until then is there.
        let ports = values
            .iter()
            .filter(|value| value["type"] == "port" && value["state"] == "closed");
        assert!(ports.count() > 10);
    }
}

#[test]
fn a_second_signal_ends_it_at_once_with_valid_lines() {
    let (child, reader, _) = slow_scan();
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(20));
    // It may have ended at the first already.
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    let _ = kill_process(pid, Signal::INT);
    let (values, code) = ended(child, reader);
    assert_eq!(code, Some(3));
    assert_eq!(values.last().expect("a summary")["type"], "summary");
}

#[test]
fn a_second_signal_ends_it_even_when_nobody_reads() {
    // Nobody reads the pipe: the report's thread blocks, and the queue behind it fills.
    let mut child = halfopen()
        .args([
            "127.0.0.1",
            "-p",
            "all",
            "-m",
            "connect",
            "--json",
            "--show",
            "all",
            "-q",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut first = [0];
    let mut pipe = child.stdout.take().expect("a pipe");
    pipe.read_exact(&mut first).expect("it writes");
    std::thread::sleep(Duration::from_millis(500));
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    drop(pipe);
}

#[test]
fn the_longest_time_ends_it_with_a_partial_result() {
    let (_open, _) = listeners("127.0.0.1", 1);
    let output = super::run(&[
        "127.0.0.1",
        "-p",
        "all",
        "-m",
        "connect",
        "--rate",
        "200",
        "--json",
        "--max-time",
        "400ms",
    ]);
    super::assert_exit(&output, 6);
    let values = super::json(&output);
    let summary = values.last().expect("a summary");
    assert_eq!(
        (
            summary["complete"].as_bool(),
            summary["interrupted"].as_bool()
        ),
        (Some(false), Some(false))
    );
}

/// Longer than the patience: whatever was in flight is late when the program wakes, and so are its own timers.
#[test]
fn a_pause_turns_no_endpoint_filtered() {
    let paused = |mut command: Command| {
        let mut child = command
            .args([
                "127.0.0.1-2",
                "-p",
                "1-20000",
                "--rate",
                "30k",
                "--json",
                "-q",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        reader.read_line(&mut line).expect("the first line");
        for pause in [400, 4_000] {
            std::thread::sleep(Duration::from_millis(250));
            send(&child, Signal::STOP);
            std::thread::sleep(Duration::from_millis(pause));
            send(&child, Signal::CONT);
        }
        let (values, code) = ended(child, reader);
        let summary = values.last().expect("a summary").clone();
        assert_eq!(code, Some(0), "{summary}");
        for state in ["filtered", "error", "untested", "suspect"] {
            assert_eq!(summary[state], 0, "{summary}");
        }
        assert_eq!(summary["complete"], true);
        assert!(
            summary["seconds"]
                .as_f64()
                .is_some_and(|seconds| seconds > 4.4),
            "{summary}"
        );
    };
    let mut connect = halfopen();
    connect.args(["-m", "connect"]);
    paused(connect);
    if scene::possible("a_pause_turns_no_endpoint_filtered") {
        let scene = Scene::new();
        let mut syn = scene.becoming(":", super::program());
        syn.args(["-m", "syn"]);
        paused(syn);
    }
}
