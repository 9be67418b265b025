//! Files as outputs: opened before the scan, whole at every instant, and independent of each other.

mod stopped;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    assert_exit, finished, halfopen, json, list, listeners, ports_of, run, stderr, stdout,
};

const NAMES: [&str; 6] = [
    "scan.txt",
    "scan.jsonl",
    "scan.xml",
    "scan.gnmap",
    "scan.csv",
    "scan.list",
];

/// The program in a folder of its own, with all six outputs.
fn with_all(folder: &TempDir) -> Command {
    let mut command = halfopen();
    command.current_dir(folder.path()).args(["-m", "connect"]);
    for name in NAMES {
        command.args(["-o", name]);
    }
    command
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn lines_of(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The open ports of an XML file, which is parsed as a whole.
fn open_in_xml(text: &str) -> Vec<u64> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(text, options)
        .unwrap_or_else(|error| panic!("{error} in\n{text}"));
    assert!(
        document
            .descendants()
            .any(|node| node.has_tag_name("runstats"))
    );
    document
        .descendants()
        .filter(|node| node.has_tag_name("state") && node.attribute("state") == Some("open"))
        .filter_map(|node| node.parent_element()?.attribute("portid")?.parse().ok())
        .collect()
}

#[test]
fn one_scan_fills_every_format() {
    let folder = TempDir::new().expect("a folder");
    let (_open, ports) = listeners("127.0.0.1", 3);
    let output = finished(with_all(&folder).args(["127.0.0.1", "-p", &list(&ports)]));
    assert_exit(&output, 0);
    assert_eq!(read(&folder, "scan.txt"), stdout(&output));
    assert_eq!(
        ports_of(&lines_of(&read(&folder, "scan.jsonl")), "open"),
        ports
    );
    assert_eq!(open_in_xml(&read(&folder, "scan.xml")), ports);
    for port in &ports {
        assert!(read(&folder, "scan.gnmap").contains(&format!(" {port}/open/tcp/")));
        assert!(read(&folder, "scan.csv").contains(&format!("\n127.0.0.1,{port},tcp,open,")));
        assert!(read(&folder, "scan.list").contains(&format!("\nopen tcp {port} 127.0.0.1 ")));
    }
    assert!(read(&folder, "scan.list").ends_with("# end\n"));
}

#[test]
fn an_old_file_is_refused_or_kept_and_never_truncated() {
    let folder = TempDir::new().expect("a folder");
    let old = folder.path().join("scan.csv");
    fs::write(&old, "old").expect("a file");
    let scan = || {
        let mut command = halfopen();
        command.current_dir(folder.path()).args([
            "-q",
            "-m",
            "connect",
            "127.0.0.1",
            "-p",
            "1",
            "-o",
            "scan.csv",
        ]);
        command
    };
    let output = finished(&mut scan());
    assert_exit(&output, 2);
    assert_eq!(
        stderr(&output),
        "error: \"scan.csv\" exists; --overwrite keeps the old one as \"scan.csv~\"\n"
    );
    assert_eq!(fs::read(&old).expect("untouched"), b"old");
    assert_exit(&finished(scan().arg("--overwrite")), 0);
    assert_eq!(read(&folder, "scan.csv~"), "old");
    assert!(read(&folder, "scan.csv").starts_with("address,port,"));
}

#[test]
fn what_cannot_be_created_ends_it_before_the_scan_and_leaves_no_other_file() {
    let folder = TempDir::new().expect("a folder");
    let (servers, ports) = listeners("127.0.0.1", 1);
    servers[0].set_nonblocking(true).expect("a socket option");
    let output = finished(
        halfopen()
            .current_dir(folder.path())
            .args(["-m", "connect", "127.0.0.1", "-p", &list(&ports)])
            .args(["-o", "scan.xml", "-o", "/proc/scan.csv"]),
    );
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("error: cannot write \"/proc/scan.csv\": "),
        "{}",
        stderr(&output)
    );
    assert!(!folder.path().join("scan.xml").exists());
    assert!(servers[0].accept().is_err(), "somebody connected");
}

#[test]
fn a_full_disk_ends_one_output_and_no_other() {
    let folder = TempDir::new().expect("a folder");
    let (_open, ports) = listeners("127.0.0.1", 2);
    let output = finished(
        halfopen()
            .current_dir(folder.path())
            .args(["-q", "-m", "connect", "127.0.0.1", "-p", &list(&ports)])
            .args(["-o", "csv:/dev/full", "-o", "scan.xml"]),
    );
    assert_exit(&output, 5);
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.starts_with("error: cannot write to \"/dev/full\": "),
        "{told}"
    );
    assert!(
        stdout(&output).ends_with("; complete\n"),
        "{}",
        stdout(&output)
    );
    assert_eq!(open_in_xml(&read(&folder, "scan.xml")), ports);
}

#[test]
fn a_reader_that_leaves_early_leaves_the_other_outputs_to_be_finished() {
    let folder = TempDir::new().expect("a folder");
    let mut child = halfopen()
        .current_dir(folder.path())
        .args([
            "-q",
            "-m",
            "connect",
            "127.0.0.1",
            "-p",
            "all",
            "--json",
            "--show",
            "all",
        ])
        .args(["-o", "scan.csv", "-o", "scan.xml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut reader = BufReader::with_capacity(64, child.stdout.take().expect("a pipe"));
    reader.read_line(&mut String::new()).expect("a line");
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    assert_exit(&output, 0);
    assert_eq!(stderr(&output), "");
    assert_eq!(read(&folder, "scan.csv").lines().count(), 65_536);
    assert!(read(&folder, "scan.xml").contains("exit=\"success\""));
}

#[test]
fn a_pipe_and_standard_output_are_written_without_going_back() {
    let folder = TempDir::new().expect("a folder");
    let (_open, ports) = listeners("127.0.0.1", 2);
    let made = Command::new("mkfifo")
        .arg(folder.path().join("scan.gnmap"))
        .status();
    assert!(made.expect("mkfifo").success());
    let pipe = folder.path().join("scan.gnmap");
    let reader = std::thread::spawn(move || fs::read_to_string(pipe).expect("text"));
    let output = finished(
        halfopen()
            .current_dir(folder.path())
            .args(["-m", "connect", "127.0.0.1", "-p", &list(&ports)])
            .args(["-o", "scan.gnmap", "-o", "xml:/dev/stdout"]),
    );
    assert_exit(&output, 0);
    // Nothing but the XML: it is standard output by another name.
    assert_eq!(open_in_xml(&stdout(&output)), ports);
    let piped = reader.join().expect("the reader");
    assert!(
        piped.contains(&format!("{}/open/tcp/", ports[0])),
        "{piped}"
    );
    assert!(piped.ends_with("; complete\n"), "{piped}");

    let target = File::create(folder.path().join("redirected")).expect("a file");
    let status = halfopen()
        .args([
            "-q",
            "-m",
            "connect",
            "127.0.0.1",
            "-p",
            &list(&ports),
            "-o",
            "xml:/dev/stdout",
        ])
        .stdout(target)
        .status();
    assert_eq!(status.expect("it runs").code(), Some(0));
    assert_eq!(open_in_xml(&read(&folder, "redirected")), ports);
}

/// Root without its capabilities may not write into other people's folders; before it drops them it may.
#[test]
fn files_are_opened_before_privileges_are_dropped() {
    let folder = TempDir::new().expect("a folder");
    let private = folder.path().join("private");
    fs::create_dir(&private).expect("a folder");
    let given = Command::new("chown").arg("65534").arg(&private).status();
    if !given.expect("chown").success() {
        println!("SKIPPED files_are_opened_before_privileges_are_dropped: not root");
        return;
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&private, mode).expect("ours to change");
    let output = finished(
        halfopen()
            .args(["-q", "-m", "connect", "127.0.0.1", "-p", "1", "-o"])
            .arg(private.join("scan.list")),
    );
    assert_exit(&output, 0);
    let text = fs::read_to_string(private.join("scan.list")).expect("text");
    assert!(text.ends_with("# end\n"), "{text}");
}

#[test]
fn fields_are_listed_and_chosen() {
    let listed = super::run(&["--list-fields"]);
    assert_exit(&listed, 0);
    assert!(
        stdout(&listed).starts_with("address   "),
        "{}",
        stdout(&listed)
    );
    assert!(stdout(&listed).lines().count() >= 11);
    let (_open, ports) = listeners("127.0.0.1", 1);
    let output = super::run(&[
        "-qm",
        "connect",
        "127.0.0.1",
        "-p",
        &list(&ports),
        "-o",
        "csv:-",
        "--fields",
        "port,state",
    ]);
    assert_eq!(
        stdout(&output),
        format!("port,state\r\n{},open\r\n", ports[0])
    );
}

#[test]
fn a_search_for_hosts_told_of_ports_that_nobody_scanned() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for targets in ["127.0.0.1", "127.0.0.1-2"] {
        let output = run(&[
            "-m",
            "connect",
            "--ping-only",
            "--json",
            "-o",
            &path("a.xml"),
            "-o",
            &path("a.gnmap"),
            "--overwrite",
            targets,
        ]);
        assert_exit(&output, 0);
        let values = json(&output);
        let hosts = if targets.contains('-') { 2 } else { 1 };
        assert_eq!(values[0]["ports"], 0);
        assert_eq!(values[0]["endpoints"], 0);
        assert_eq!(values[0]["port_list"], "");
        let count = |kind: &str| values.iter().filter(|value| value["type"] == kind).count();
        assert_eq!((count("host"), count("port")), (hosts, 0));
        let summary = values.last().expect("a summary");
        assert_eq!(
            (&summary["hosts_up"], &summary["untested"]),
            (&hosts.into(), &0.into())
        );
        for file in ["a.xml", "a.gnmap"] {
            let text = std::fs::read_to_string(path(file)).expect("written");
            assert!(text.contains("answered the ping, "), "{text}");
            assert!(!text.contains(" open"), "{text}");
        }
    }
}
