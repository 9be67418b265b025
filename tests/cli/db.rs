//! `halfopen db`: imports, updates from a server of the test's own, and what bad input gets.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::web::Web;
use super::{assert_exit, finished, halfopen, json, run, stderr, stdout};

/// `halfopen db` with a home of its own, and no proxy of this machine's.
fn db(home: &Path, arguments: &[&str]) -> Output {
    let mut command = halfopen();
    for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    finished(
        command
            .env("HOME", home)
            .env_remove("XDG_DATA_HOME")
            .arg("db")
            .args(arguments),
    )
}

fn feed(name: &str) -> String {
    format!(
        "{}/tests/vulnerabilities/feeds/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

const PLACE: &str = ".local/share/halfopen/vulnerabilities.db";

#[test]
fn feeds_are_imported_and_the_status_tells_them() {
    let home = tempfile::tempdir().expect("a folder");
    let none = db(home.path(), &["status"]);
    assert_exit(&none, 4);
    assert!(
        stderr(&none).contains("there is no vulnerability database at"),
        "{}",
        stderr(&none)
    );
    assert!(
        stderr(&none).ends_with("; halfopen db update makes one\n"),
        "{}",
        stderr(&none)
    );

    for (name, file, expected) in [
        ("nvd", "nvd.json", "nvd: 5 records; data of 2026-11-20\n"),
        ("cve", "cve", "cve: 1 record; data of 2026-10-01\n"),
        ("osv", "osv", "osv: 5 records; data of 2026-11-19\n"),
        ("kev", "kev.json", "kev: 1 record; data of 2026-11-20\n"),
        ("epss", "epss.csv", "epss: 5 records; data of 2026-11-20\n"),
    ] {
        let output = db(home.path(), &["import", name, &feed(file)]);
        assert_exit(&output, 0);
        assert_eq!(
            (stdout(&output).as_str(), stderr(&output).as_str()),
            (expected, "")
        );
    }
    assert!(home.path().join(PLACE).is_file());
    let text = stdout(&db(home.path(), &["status"]));
    for expected in [
        "/.local/share/halfopen/vulnerabilities.db, 0.1 MB\n",
        "  nvd           2026-11-20  20",
        "  osv Ubuntu    2026-11-19  20",
        "5 vulnerabilities, 0 of them without a product that could be looked up\n",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
    let status = &json(&db(home.path(), &["status", "--json"]))[0];
    assert_eq!(status["feeds"][3]["name"], "nvd");
    assert_eq!(status["feeds"][3]["records"], 5);

    // Of several files all are imported or none.
    let before = fs::read(home.path().join(PLACE)).expect("a file");
    let both = db(
        home.path(),
        &["import", "kev", &feed("kev.json"), &feed("nvd.json")],
    );
    assert_exit(&both, 2);
    let told = stderr(&both);
    assert!(told.contains("nvd.json\" line 21 column "), "{told}");
    assert!(
        told.ends_with("missing field `cveID`; the database is as it was\n"),
        "{told}"
    );
    assert!(fs::read(home.path().join(PLACE)).expect("a file") == before);
}

#[test]
fn what_is_no_command_of_the_database_is_told() {
    let home = tempfile::tempdir().expect("a folder");
    let hostile = home.path().join("\u{1b}[2J\n.json");
    fs::write(&hostile, "{\"vulnerabilities\":[\u{1b}").expect("written");
    let hostile = hostile.to_str().expect("UTF-8").to_owned();
    let empty = home.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let empty = empty.to_str().expect("UTF-8").to_owned();
    for (typed, expected) in [
        (
            &[][..],
            "no action given; write halfopen db import, update or status",
        ),
        (
            &["improt"],
            "unknown action \"improt\"; did you mean import?",
        ),
        (
            &["x\u{1b}"],
            "unknown action \"x\\x1b\"; write import, update, status",
        ),
        (
            &["import"],
            "no feed given; write halfopen db import FEED FILE..., a feed is nvd, cve, osv, kev, epss",
        ),
        (
            &["import", "nvdd", "x"],
            "unknown feed \"nvdd\"; did you mean nvd?",
        ),
        (
            &["import", "kev"],
            "no files given; write halfopen db import FEED FILE...",
        ),
        (&["import", "kev", ""], "a file has an empty name"),
        (
            &["update", "everything"],
            "unknown feed \"everything\"; write nvd, cve, osv, kev, epss",
        ),
        (
            &["update", "--from", "ftp://x"],
            "\"ftp://x\" is no address of files; write --from https://host/folder",
        ),
        (
            &["update", "--from", "http:///x"],
            "\"http:///x\" is no address of files; write --from https://host/folder",
        ),
        (
            &["status", "now"],
            "\"now\" has no meaning for db status; write halfopen db status",
        ),
        (
            &["status", "--from", "http://x"],
            "--from belongs to db update",
        ),
        (
            &["import", "kev", "x", "--json"],
            "--json belongs to db status",
        ),
        (
            &["status", "--db", ""],
            "the file of the database has no name; write --db FILE",
        ),
        (
            &["import", "kev", "/nonexistent"],
            "cannot read \"/nonexistent\": No such file or directory (os error 2); the database is as it was",
        ),
        (
            &["import", "kev", "/dev/zero"],
            "cannot read \"/dev/zero\": it is no regular file; the database is as it was",
        ),
        (
            &["status", "--zebra"],
            "unknown flag \"--zebra\"; halfopen db --help lists the flags",
        ),
    ] {
        let output = db(home.path(), typed);
        assert_exit(&output, 2);
        assert_eq!(stderr(&output), format!("error: {expected}\n"), "{typed:?}");
        assert_eq!(stdout(&output), "");
    }
    for (typed, expected) in [
        (
            &["import", "nvd", &hostile],
            "\\u{1b}[2J\\n.json\" line 1 column 21: ",
        ),
        (
            &["import", "nvd", &empty],
            "/empty\": nothing of this feed is in it; the database is as it was\n",
        ),
        (&["import", "nvd", &feed("kev.json")], "missing field `cve`"),
    ] {
        let output = db(home.path(), typed);
        assert_exit(&output, 2);
        let told = stderr(&output);
        assert!(told.contains(expected), "{expected} in {told}");
        assert!(
            told.len() < 400 && told.lines().count() == 1 && !told.contains('\u{1b}'),
            "{told}"
        );
    }
    assert!(!home.path().join(PLACE).exists());
    // All mistakes at once.
    let two = db(home.path(), &["import", "nvdd", "--json"]);
    assert_eq!(stderr(&two).lines().count(), 3, "{}", stderr(&two));
    // Another program's file is left alone; a folder is no file.
    let other = home.path().join("notes");
    fs::write(&other, "x".repeat(2000)).expect("written");
    let other = other.to_str().expect("UTF-8");
    let refused = db(
        home.path(),
        &["import", "kev", &feed("kev.json"), "--db", other],
    );
    assert_exit(&refused, 2);
    assert!(stderr(&refused).contains("is no vulnerability database of this program"));
    assert_eq!(fs::read_to_string(other).expect("a file"), "x".repeat(2000));
    assert_exit(
        &db(
            home.path(),
            &["import", "kev", &feed("kev.json"), "--db", &empty],
        ),
        5,
    );
    let homeless = finished(
        halfopen()
            .args(["db", "status"])
            .env_remove("HOME")
            .env_remove("XDG_DATA_HOME"),
    );
    assert_exit(&homeless, 2);
    assert!(
        stderr(&homeless)
            .contains("no HOME to keep the vulnerability database in; write --db FILE")
    );
}

#[test]
fn it_is_listed_and_has_help() {
    let help = stdout(&run(&["--help"]));
    assert!(
        help.contains("\n  db      Fill and show the database"),
        "{help}"
    );
    let output = run(&["db", "--help"]);
    assert_exit(&output, 0);
    for expected in [
        "import FEED FILE...",
        "--db <FILE>",
        "--from <URL>",
        "update [FEED]...",
    ] {
        assert!(
            stdout(&output).contains(expected),
            "{expected} in {}",
            stdout(&output)
        );
    }
}

const KEV: &str = "known_exploited_vulnerabilities.json";

#[test]
fn an_update_downloads_what_changed_and_goes_on_with_what_broke_off() {
    let home = tempfile::tempdir().expect("a folder");
    let (web, from) = Web::started();
    let update = || db(home.path(), &["update", "kev", "epss", "--from", &from]);
    let kev = fs::read(feed("kev.json")).expect("a feed");
    web.put(KEV, &kev, "\"one\"", Some(100));
    web.put(
        "epss_scores-current.csv.gz",
        &fs::read(feed("epss.csv")).expect("a feed"),
        "\"e\"",
        None,
    );

    // The first breaks off; the second is updated all the same.
    let broken = update();
    assert_exit(&broken, 4);
    assert!(
        stderr(&broken).contains("of kev the database is as it was"),
        "{}",
        stderr(&broken)
    );
    assert_eq!(stderr(&broken).lines().count(), 1);
    assert_eq!(stdout(&broken), "epss: 5 records; data of 2026-11-20\n");
    web.asked();

    web.put(KEV, &kev, "\"one\"", None);
    let resumed = update();
    assert_exit(&resumed, 0);
    assert_eq!(
        stdout(&resumed),
        "kev: 1 record; data of 2026-11-20\nepss: nothing new\n"
    );
    assert_eq!(
        web.asked(),
        [
            format!("/mirror/{KEV} bytes=100-"),
            "/mirror/epss_scores-current.csv.gz \"e\"".to_owned()
        ]
    );
    let again = update();
    assert_eq!(stdout(&again), "kev: nothing new\nepss: nothing new\n");
    assert!(!home.path().join(format!("{PLACE}.downloads")).exists());

    // It changed between the two halves: the server sends all of it.
    let newer = String::from_utf8_lossy(&kev)
        .replace("CVE-2021-41773", "CVE-2021-42013")
        .into_bytes();
    web.put(KEV, &newer, "\"two\"", Some(100));
    assert_exit(&update(), 4);
    let newest = String::from_utf8_lossy(&kev)
        .replace("2026-11-20T", "2026-11-27T")
        .into_bytes();
    web.put(KEV, &newest, "\"three\"", None);
    assert_eq!(
        stdout(&update()),
        "kev: 1 record; data of 2026-11-27\nepss: nothing new\n"
    );
}

#[test]
fn an_update_of_something_else_than_the_feed_leaves_the_database_as_it_was() {
    let home = tempfile::tempdir().expect("a folder");
    let (web, from) = Web::started();
    let update = || db(home.path(), &["update", "kev", "--from", &from]);
    let missing = update();
    assert_exit(&missing, 4);
    assert!(
        stderr(&missing).contains("the server says 404 Not Found"),
        "{}",
        stderr(&missing)
    );
    assert!(!home.path().join(PLACE).exists());
    web.put(
        KEV,
        &fs::read(feed("kev.json")).expect("a feed"),
        "\"a\"",
        None,
    );
    assert_exit(&update(), 0);
    let before = fs::read(home.path().join(PLACE)).expect("a file");
    // A page that says to log in first, and a feed that was cut at its publisher.
    for (body, etag) in [
        (&b"<html>"[..], "\"b\""),
        (b"{\"vulnerabilities\":[{", "\"c\""),
    ] {
        web.put(KEV, body, etag, None);
        assert_exit(&update(), 2);
        assert!(fs::read(home.path().join(PLACE)).expect("a file") == before);
    }
    // Nobody is there.
    let (_held, port) = super::closed_port();
    let gone = db(
        home.path(),
        &["update", "--from", &format!("http://127.0.0.1:{port}")],
    );
    assert_exit(&gone, 4);
    let told = stderr(&gone);
    assert_eq!(told.lines().count(), 4, "{told}");
    assert!(told.lines().all(
        |line| line.len() < 400 && line.starts_with("error: cannot download http://127.0.0.1:")
    ));
    assert!(fs::read(home.path().join(PLACE)).expect("a file") == before);
}

#[test]
fn all_files_of_a_feed_are_one_update() {
    let home = tempfile::tempdir().expect("a folder");
    let (web, from) = Web::started();
    let nvd = fs::read(feed("nvd.json")).expect("a feed");
    let empty = br#"{"vulnerabilities":[]}"#;
    web.put("nvdcve-2.0-modified.json.gz", &nvd, "\"m\"", None);
    let update = || db(home.path(), &["update", "nvd", "--from", &from]);
    // A year is missing.
    assert_exit(&update(), 4);
    assert!(!home.path().join(PLACE).exists());
    for year in 2002..2100 {
        web.put(&format!("nvdcve-2.0-{year}.json.gz"), empty, "\"y\"", None);
    }
    let whole = update();
    assert_exit(&whole, 0);
    assert_eq!(stdout(&whole), "nvd: 5 records; data of 2026-11-20\n");
    web.asked();
    assert_eq!(stdout(&update()), "nvd: nothing new\n");
    let asked = web.asked();
    assert!(
        asked.len() >= 25 && asked[0] == "/mirror/nvdcve-2.0-2002.json.gz \"y\"",
        "{asked:?}"
    );
}
