//! Settings from files and the environment, as the program takes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::scene::{self, Scene};
use super::{assert_exit, finished, halfopen, json, list, listeners, ports_of, stderr, stdout};

/// The program with this folder as the user's configuration folder, whatever the machine has.
fn configured(home: &Path) -> Command {
    let mut command = halfopen();
    command.env_remove("HALFOPEN_NO_CONFIG");
    command.env("XDG_CONFIG_HOME", home);
    command
}

/// A configuration folder with this file in it.
fn home(text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    fs::create_dir(home.path().join("halfopen")).expect("a folder");
    fs::write(home.path().join("halfopen/config.toml"), text).expect("written");
    home
}

#[test]
fn a_scan_takes_its_settings_from_file_environment_and_command_line() {
    let (_open, ports) = listeners("127.0.0.1", 2);
    let home = home(&format!(
        "ports = {ports:?}\njson = true\nquiet = true\nmode = 'syn'\n"
    ));
    let output = finished(
        configured(home.path())
            .env("HALFOPEN_MODE", "connect")
            .arg("127.0.0.1"),
    );
    assert_exit(&output, 0);
    assert_eq!(stderr(&output), "");
    assert_eq!(ports_of(&json(&output), "open"), ports);
    // The command line is the nearest, for flags too.
    let output = finished(
        configured(home.path())
            .env("HALFOPEN_MODE", "connect")
            .args([
                "--no-json",
                "--no-quiet",
                "-p",
                &list(&ports[..1]),
                "127.0.0.1",
            ]),
    );
    assert_exit(&output, 0);
    let expected = format!("Open ports are: [{}]\n", ports[0]);
    assert!(stdout(&output).contains(&expected), "{}", stdout(&output));
    assert!(stderr(&output).contains("1 port, connect mode"));
}

#[test]
fn every_mistake_outside_the_command_line_names_its_place_and_nothing_is_sent() {
    let (listeners, ports) = listeners("127.0.0.1", 1);
    listeners[0].set_nonblocking(true).expect("a socket option");
    let home = home("rate = 'fast'\nraet = 5\n");
    let file = home.path().join("halfopen/config.toml");
    let output = finished(
        configured(home.path())
            .env("HALFOPEN_PATIENCE", "soon")
            .args(["-m", "connect", "-t0", "127.0.0.1", "-p", &list(&ports)]),
    );
    assert_exit(&output, 2);
    assert_eq!(stdout(&output), "");
    let told = stderr(&output);
    let lines: Vec<&str> = told.lines().collect();
    let file = file.display();
    for expected in [
        format!("error: \"{file}\" line 2: unknown setting \"raet\"; did you mean rate?"),
        format!("error: \"{file}\" line 1: \"fast\" is not"),
        "error: HALFOPEN_PATIENCE: \"soon\" is not".to_owned(),
        "error: \"0\" is".to_owned(),
    ] {
        let found = lines.iter().filter(|line| line.starts_with(&expected));
        assert_eq!(found.count(), 1, "{expected}\nin\n{told}");
    }
    assert_eq!(lines.len(), 4, "{told}");
    let accepted = listeners[0].accept().map(|_| ());
    assert_eq!(
        accepted.expect_err("nobody connected").kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn the_printed_file_can_be_read_and_changes_nothing() {
    let output = finished(halfopen().arg("--print-config"));
    assert_exit(&output, 0);
    let home = home(&stdout(&output));
    let shown = |command: &mut Command| {
        let output = finished(command.arg("--show-settings"));
        assert_exit(&output, 0);
        assert_eq!(stderr(&output), "");
        stdout(&output)
    };
    // A machine's own file may set something; the user's file hides none of it.
    let without = home.path().join("nobody");
    assert_eq!(
        shown(&mut configured(home.path())),
        shown(&mut configured(&without))
    );
}

#[test]
fn settings_are_shown_with_their_origin_and_judged() {
    let home = home("\n\npatience = '5s'\n");
    let output = finished(configured(home.path()).env("HALFOPEN_RATE", "5k").args([
        "--show-settings",
        "-p",
        "22",
    ]));
    assert_exit(&output, 0);
    let shown = stdout(&output);
    let origin = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("{key} in\n{shown}"));
        line.split_once("  # ")
            .expect("an origin")
            .1
            .trim()
            .to_owned()
    };
    assert_eq!(origin("ports = \"22\""), "command line");
    assert_eq!(origin("rate = \"5k\""), "HALFOPEN_RATE");
    let file = home.path().join("halfopen/config.toml");
    assert_eq!(origin("patience = \"5s\""), format!("{}:3", file.display()));
    let output = finished(halfopen().args(["--show-settings", "-m", "sny"]));
    assert_exit(&output, 2);
    assert_eq!(
        stderr(&output),
        "error: unknown mode \"sny\"; did you mean syn?\n"
    );
}

#[test]
fn neither_home_nor_file_is_needed() {
    let output = finished(
        halfopen()
            .env_clear()
            .args(["--show-settings", "--patience", "1s"]),
    );
    assert_exit(&output, 0);
    let output = finished(halfopen().args(["--config", "/no/such/file", "127.0.0.1"]));
    assert_exit(&output, 2);
    assert_eq!(
        stderr(&output),
        "error: cannot read the settings in \"/no/such/file\": No such file or directory\n"
    );
}

/// The machine's own file, on a machine whose `/etc` is the test's.
#[test]
fn the_machines_file_counts_and_must_be_readable() {
    if !scene::possible("the_machines_file_counts_and_must_be_readable") {
        return;
    }
    let scene = Scene::new();
    let machine = "json = true\npatience = '4s'\nexclude = '127.0.0.9'\n";
    scene.etc("halfopen/config.toml", machine);
    scene.file("config/halfopen/config.toml", "patience = '5s'\n");
    let shown = scene.run(&["--show-settings", "--exclude", "127.0.0.8"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let own = scene.path("config/halfopen/config.toml");
    for (setting, origin) in [
        ("json = true", "/etc/halfopen/config.toml:1".to_owned()),
        ("patience = \"5s\"", format!("{own}:1")),
        (
            "exclude = [\"127.0.0.8\", \"127.0.0.9\"]",
            "command line, /etc/halfopen/config.toml:3".to_owned(),
        ),
    ] {
        let line = shown.stdout.lines().find(|line| line.starts_with(setting));
        let line = line.unwrap_or_else(|| panic!("{setting} in\n{}", shown.stdout));
        assert!(line.ends_with(&format!("  # {origin}")), "{line}");
    }
    // It may hold excludes: nobody is scanned without them.
    let caps = "dac_override,-dac_read_search";
    let setup = "chmod 000 $D/etc/halfopen/config.toml";
    let ended = scene.run_without_after(setup, caps, &["127.0.0.1", "-p", "1"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(ended.before, ended.after);
    assert_eq!(
        ended.lines(),
        ["error: cannot read the settings in \"/etc/halfopen/config.toml\": Permission denied"]
    );
}
