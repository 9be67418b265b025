//! A scan that was ended goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{assert_exit, closed_port, finished, halfopen, json, listeners, ports_of, stderr};

/// A scan of every port of 127.0.0.1 by connects; slowly, where it is to be ended.
fn scan(journal: &Path) -> Command {
    let mut command = halfopen();
    command
        .args(["127.0.0.1", "-p", "all", "-m", "connect", "--json"])
        .arg("--resume")
        .arg(journal);
    command
}

/// Runs it for a second and sends it this.
fn ended(command: &mut Command, signal: Signal) -> (Option<i32>, String) {
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_secs(1));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), signal).expect("it is ours and runs");
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), stderr(&output))
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("scan.journal");
    (folder, journal)
}

#[test]
fn a_scan_that_was_ended_by_a_signal_goes_on() {
    let (_listeners, open) = listeners("127.0.0.1", 3);
    for signal in [Signal::KILL, Signal::INT] {
        let (_folder, journal) = folder();
        let (code, said) = ended(scan(&journal).args(["--rate", "20k"]), signal);
        if signal == Signal::INT {
            assert_eq!(code, Some(3), "{said}");
            assert!(
                said.contains("note: to go on, run the same again"),
                "{said}"
            );
        }
        // The torn end of a write is no damage.
        let mut bytes = std::fs::read(&journal).expect("a journal");
        bytes.extend([7, 0, 0]);
        std::fs::write(&journal, &bytes).expect("a journal");

        let output = finished(scan(&journal).args(["--show", "all"]));
        assert_exit(&output, 0);
        let said = stderr(&output);
        assert!(said.contains("of 65,535 endpoints are known"), "{said}");
        let values = json(&output);
        let found = ports_of(&values, "open");
        assert!(open.iter().all(|port| found.contains(port)), "{found:?}");
        let listed = values.iter().filter(|value| value["type"] == "port");
        assert_eq!(listed.count(), 65_535, "each endpoint once");
        let packets = values[values.len() - 1]["packets_sent"].as_u64();
        assert!(
            packets.is_some_and(|packets| packets < 65_000),
            "{packets:?}"
        );
    }
}

#[test]
fn a_journal_alone_says_what_was_scanned_and_one_that_is_whole_asks_nobody() {
    let (_listeners, open) = listeners("127.0.0.1", 2);
    let (_closed, closed) = closed_port();
    let (folder, journal) = folder();
    let output = folder.path().join("scan.csv");
    let ports = format!("{},{closed}", super::list(&open));
    let mut first = halfopen();
    first.args(["127.0.0.1", "-p", &ports, "--max-attempts", "3", "-q"]);
    assert_exit(&finished(first.arg("--resume").arg(&journal)), 0);

    let mut second = halfopen();
    second.args(["--json", "-o"]).arg(&output);
    let again = finished(second.arg("--resume").arg(&journal));
    assert_exit(&again, 0);
    assert!(
        stderr(&again).contains("it holds the whole scan"),
        "{}",
        stderr(&again)
    );
    let values = json(&again);
    assert_eq!(ports_of(&values, "open"), open);
    let summary = &values[values.len() - 1];
    assert_eq!(
        (&summary["closed"], &summary["packets_sent"]),
        (&1.into(), &0.into())
    );
    let csv = std::fs::read_to_string(&output).expect("an output");
    assert_eq!(csv.lines().count(), 3, "outputs are whole: {csv}");
    // Nor are outputs of before overwritten.
    let refused = finished(second.arg("--quiet"));
    assert_exit(&refused, 2);
    assert!(
        stderr(&refused).contains("exists; --overwrite"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_journal_alone_went_on_without_the_ceiling_of_the_scan() {
    for ceiling in ["--rate", "--host-rate"] {
        let (_folder, journal) = folder();
        let mut first = halfopen();
        first.args(["127.0.0.1", "-p", "1-3000", ceiling, "50"]);
        first.args(["--max-time", "1s", "-q", "--resume"]);
        assert_exit(&finished(first.arg(&journal)), 6);
        let mut second = halfopen();
        second.args(["--max-time", "1s", "--json", "--resume"]);
        second.env("HALFOPEN_RATE", "10k");
        let again = finished(second.env("HALFOPEN_HOST_RATE", "10k").arg(&journal));
        assert_exit(&again, 6);
        let values = json(&again);
        let packets = values[values.len() - 1]["packets_sent"].as_u64();
        assert!(packets.is_some_and(|packets| packets < 100), "{packets:?}");
        // What is said goes before.
        let mut third = halfopen();
        third.args([ceiling, "100000", "--json", "--resume"]);
        assert_exit(&finished(third.arg(&journal)), 0);
    }
}

#[test]
fn a_journal_that_cannot_be_written_is_one_error_and_the_results_are_there() {
    let (_listeners, open) = listeners("127.0.0.1", 2);
    let (_folder, journal) = folder();
    // The head fits, what follows does not.
    let line = format!(
        "ulimit -f 1; trap '' XFSZ; exec {} 127.0.0.1 -p 1-2000,{} -m connect --json --resume {}",
        super::program(),
        super::list(&open),
        journal.display()
    );
    let mut shell = Command::new("bash");
    super::unset(&mut shell);
    let output = finished(shell.args(["-c", &line]));
    assert_exit(&output, 5);
    let values = json(&output);
    let found = ports_of(&values, "open");
    assert!(open.iter().all(|port| found.contains(port)), "{found:?}");
    let said = stderr(&output);
    assert_eq!(said.matches("error: cannot write to").count(), 1, "{said}");
}

#[test]
fn two_scans_do_not_write_one_journal() {
    let (_folder, journal) = folder();
    let mut running = scan(&journal)
        .args(["--rate", "500"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(700));
    let refused = finished(&mut scan(&journal));
    let _ = running.kill();
    running.wait().expect("it ends");
    assert_exit(&refused, 2);
    assert!(
        stderr(&refused).contains("is in use by a scan"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn hosts_that_were_found_are_not_looked_for_again() {
    let (_listeners, open) = listeners("127.0.0.1", 1);
    let (_folder, journal) = folder();
    let mut command = halfopen();
    command.args(["127.0.0.1-3", "--ping", "-m", "connect", "--json", "-p"]);
    command
        .arg(open[0].to_string())
        .arg("--resume")
        .arg(&journal);
    for packets in [None, Some(0)] {
        let output = finished(&mut command);
        assert_exit(&output, 0);
        let values = json(&output);
        assert_eq!(ports_of(&values, "open"), open);
        let summary = &values[values.len() - 1];
        assert_eq!(summary["hosts_up"], 3);
        if let Some(packets) = packets {
            assert_eq!(summary["packets_sent"], packets);
        }
    }
}

#[test]
fn a_journal_was_written_over_where_standard_output_went_to_the_same_file() {
    let (_folder, journal) = folder();
    let empty = std::fs::File::create(&journal).expect("a file");
    let output = scan(&journal).stdout(empty).output().expect("it runs");
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("name one file"),
        "{}",
        stderr(&output)
    );
    assert_eq!(std::fs::read(&journal).expect("as it was"), b"");
}
