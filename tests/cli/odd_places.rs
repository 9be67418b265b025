//! Where something that a program takes for granted is missing: it still gives the list.

use std::process::Command;

use super::scene::{self, Scene};
use super::{assert_exit, finished, json, list, listeners, ports_of, program, stderr};

#[test]
fn without_proc_home_terminal_and_a_disk_to_write_to() {
    if !scene::possible("without_proc_home_terminal_and_a_disk_to_write_to") {
        return;
    }
    const BARE: &str = "mount -t tmpfs none /proc; mount -o remount,bind,ro /";
    for mode in ["syn", "connect"] {
        let scene = Scene::new();
        let mut command = scene.becoming(BARE, "env");
        command.args([
            "-i",
            program(),
            "-m",
            mode,
            "--json",
            "--show",
            "all",
            "127.0.0.1",
            "-p",
            "1-5",
        ]);
        let output = finished(&mut command);
        assert_exit(&output, 0);
        assert_eq!(
            ports_of(&json(&output), "closed"),
            [1, 2, 3, 4, 5],
            "{mode}"
        );
    }

    // The same beside listeners of this test.
    let (_open, ports) = listeners("127.0.0.1", 3);
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "--", "sh", "-ec"])
        .args([
            &format!("{BARE}; exec env -i \"$@\""),
            "sh",
            program(),
            "--json",
            "127.0.0.1",
            "-p",
            &list(&ports),
        ]);
    let output = finished(&mut command);
    assert_exit(&output, 0);
    assert_eq!(ports_of(&json(&output), "open"), ports);
}

#[test]
fn as_nobody_in_the_home_of_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: as_nobody_in_the_home_of_somebody_else: only root can become nobody");
        return;
    }
    // Where the program was built, nobody else may be allowed to go.
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .expect("a folder");
    let copy = folder.path().join("halfopen");
    std::fs::copy(program(), &copy).expect("a copy");
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join(".config/halfopen/exclude.d")).expect("a folder");
    let hidden = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&home, hidden).expect("a mode");
    let (_open, ports) = listeners("127.0.0.1", 2);
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
        ])
        .arg(copy)
        .args(["--json", "127.0.0.1", "-p", &list(&ports)])
        .env("HOME", &home)
        .env_remove("XDG_CONFIG_HOME")
        .current_dir("/");
    let output = finished(&mut command);
    assert_exit(&output, 0);
    assert_eq!(
        ports_of(&json(&output), "open"),
        ports,
        "{}",
        stderr(&output)
    );
    assert_eq!(json(&output)[0]["mode"], "connect");
    let told = stderr(&output);
    assert!(
        told.contains(
            "/home/.config/halfopen/exclude.d\" do not hold: this user may not look there"
        ),
        "{told}"
    );
}

#[test]
fn with_any_of_its_three_streams_closed() {
    let (_open, ports) = listeners("127.0.0.1", 1);
    let port = ports[0].to_string();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$@\" {closed}"), "sh", program()]);
        command.args(["-m", "connect", "--json", "127.0.0.1", "-p", &port]);
        let output = finished(&mut command);
        assert_exit(&output, 0);
        if !closed.contains(">&- ") && closed != ">&-" {
            assert_eq!(ports_of(&json(&output), "open"), ports, "{closed}");
        }
    }
}
