//! Files of scans that were killed or interrupted: whole, and hardly behind.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{NAMES, lines_of, open_in_xml, read, with_all};

/// 7,680 endpoints, of which the XML lists as many lines as it lists of closed ports: more than 200 pages.
fn started(folder: &TempDir) -> Child {
    let mut child = with_all(folder)
        .args([
            "127.0.1.0/24",
            "-p",
            "2-31",
            "--rate",
            "4000",
            "--show",
            "all",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    for _ in 0..500 {
        let begun = |name| fs::metadata(folder.path().join(name)).is_ok_and(|file| file.len() > 0);
        if NAMES.iter().all(|name| begun(*name)) {
            return child;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    panic!("no output within five seconds");
}

/// XML is whole at every instant. Of the other files each line is; a line that says how far the scan has come is the last
/// one but for the moment of a write, and blank lines stand where a write was to go on. Blanks end a line that is followed by
/// the next page, but in the CSV.
#[test]
fn every_file_is_whole_wherever_a_scan_is_killed() {
    let (mut cuts, mut closed) = (0, 0);
    for round in 0..12 {
        let folder = TempDir::new().expect("a folder");
        let mut child = started(&folder);
        // Spread over the scan, the end of it included; the machine's own jitter does the rest.
        std::thread::sleep(Duration::from_millis(round * 173 % 2_000));
        child.kill().expect("it is ours");
        let status = child.wait().expect("it ends");
        let cut = status.signal().is_some();

        let xml = read(&folder, "scan.xml");
        open_in_xml(&xml);
        assert!(!cut || xml.contains("exit=\"error\" errormsg=\"not complete: interrupted\""));
        lines_of(&read(&folder, "scan.jsonl"));
        let csv = read(&folder, "scan.csv");
        assert!(csv.ends_with("\r\n") && csv.lines().all(|line| line.matches(',').count() == 10));
        let listed = read(&folder, "scan.list");
        assert!(
            listed
                .lines()
                .all(|line| line.starts_with('#') || line.trim_end().split(' ').count() == 5)
        );
        let grepable = read(&folder, "scan.gnmap");
        for line in grepable
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
        {
            // One beginning and one end each: no line of a host goes on in that of another.
            let host = line.starts_with("Host: ") && line.matches("Host: ").count() == 1;
            let whole = line.ends_with("Status: Up") || line.ends_with('/');
            assert!(line.starts_with("# ") || host && whole, "{line}");
        }
        let text = read(&folder, "scan.txt");
        if !cut {
            assert!(text.ends_with("; complete\n"), "{text}");
            continue;
        }
        assert!(
            !text.contains("; complete\n") && !grepable.contains("; complete\n"),
            "{text}"
        );
        cuts += 1;
        let grepable_ends = grepable
            .lines()
            .last()
            .is_some_and(|line| line.contains("in connect mode"));
        if grepable_ends && text.ends_with("; NOT complete: interrupted\n") {
            closed += 1;
        }
    }
    assert!(cuts > 6 && closed * 2 > cuts, "{closed} of {cuts}");
}

#[test]
fn files_are_at_most_about_a_second_behind() {
    let folder = TempDir::new().expect("a folder");
    let mut child = started(&folder);
    std::thread::sleep(Duration::from_millis(1_400));
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    for (name, sign) in [
        ("scan.jsonl", "\"state\":\"closed\""),
        ("scan.xml", "state=\"closed\""),
        ("scan.gnmap", "/closed/tcp/"),
        ("scan.csv", ",tcp,closed,"),
        ("scan.list", "closed tcp "),
    ] {
        let found = read(&folder, name).matches(sign).count();
        // At 4,000 a second; a busy machine may be slower.
        assert!(found > 500, "{name}: {found}");
    }
}

#[test]
fn interrupted_scans_finish_every_file() {
    let folder = TempDir::new().expect("a folder");
    let mut child = started(&folder);
    std::thread::sleep(Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    open_in_xml(&read(&folder, "scan.xml"));
    assert!(read(&folder, "scan.list").ends_with("# end\n"));
    let last = lines_of(&read(&folder, "scan.jsonl"))
        .pop()
        .expect("a line");
    assert_eq!(
        (last["type"].as_str(), last["interrupted"].as_bool()),
        (Some("summary"), Some(true))
    );
    let mut text = String::new();
    File::open(Path::new(&folder.path().join("scan.txt")))
        .and_then(|mut file| file.read_to_string(&mut text))
        .expect("text");
    assert!(text.ends_with("; NOT complete: interrupted\n"), "{text}");
}
