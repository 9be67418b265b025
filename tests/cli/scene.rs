//! A network namespace with nothing but a loopback, and an `/etc` of the test's own: what the program reads there is
//! known, and what it sends can be counted.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::{forget_variables, program};

/// A folder that becomes `/etc`, and one for files of the test.
pub struct Scene {
    folder: TempDir,
}

/// What was counted: every packet of every device, every connection that was begun.
#[derive(Debug, PartialEq, Eq)]
pub struct Counters(String);

/// How a program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub before: Counters,
    pub after: Counters,
}

impl Scene {
    /// A scene where names come from `hosts` alone.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Self { folder };
        scene.etc("nsswitch.conf", "hosts: files\n");
        scene.etc("host.conf", "multi on\n");
        scene.etc(
            "hosts",
            "127.0.0.1 localhost one\n127.0.0.1 two\n127.0.0.2 two\n0.0.0.0 nowhere\n",
        );
        scene.etc("passwd", "root:x:0:0::/root:/bin/sh\n");
        scene
    }

    /// Writes a file below `/etc`.
    pub fn etc(&self, path: &str, content: impl AsRef<[u8]>) {
        self.write(&format!("etc/{path}"), content);
    }

    /// Writes a file of the test, and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.write(name, content);
        self.path(name)
    }

    /// The path of a file of the test, which need not exist.
    pub fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("a path of letters").to_owned()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Runs the program inside, as root of the namespace, with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_after(":", arguments, "")
    }

    /// The same after a shell has run `setup` as root of the namespace, with `input` on its standard input.
    pub fn run_after(&self, setup: &str, arguments: &[&str], input: impl AsRef<[u8]>) -> Ended {
        self.run_by("", setup, arguments, input)
    }

    fn run_by(
        &self,
        wrapper: &str,
        setup: &str,
        arguments: &[&str],
        input: impl AsRef<[u8]>,
    ) -> Ended {
        self.file("standard-input", input);
        let count = "cat /proc/net/dev /proc/net/snmp /proc/net/snmp6 2>/dev/null";
        let script = format!(
            "{count} >\"$D/before\"; {wrapper} \"$@\" <\"$D/standard-input\"; c=$?; {count} >\"$D/after\"; exit $c"
        );
        let output = self
            .inside(setup, &script)
            .arg(program())
            .args(arguments)
            .output()
            .expect("unshare(1) starts");
        let counters =
            |name: &str| Counters(fs::read_to_string(self.path(name)).unwrap_or_default());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let ended = Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            before: counters("before"),
            after: counters("after"),
        };
        assert_ne!(
            ended.before.0, "",
            "the scene was not set: {}",
            ended.stderr
        );
        ended
    }

    /// The same without these capabilities: a list as setpriv(1) takes them, the first one without its minus.
    pub fn run_without(&self, capabilities: &str, arguments: &[&str]) -> Ended {
        self.run_without_after(":", capabilities, arguments)
    }

    /// The same after a shell has run `setup`.
    pub fn run_without_after(&self, setup: &str, capabilities: &str, arguments: &[&str]) -> Ended {
        let wrapper = format!("setpriv --bounding-set=-{capabilities} --inh-caps=-all");
        self.run_by(&wrapper, setup, arguments, "")
    }

    /// A command that becomes this `program`, once `setup` has been run.
    pub fn becoming(&self, setup: &str, program: &str) -> Command {
        let mut command = self.inside(setup, "exec \"$@\"");
        command.arg(program);
        command
    }

    fn inside(&self, setup: &str, script: &str) -> Command {
        let mut command = Command::new("unshare");
        forget_variables(&mut command);
        command
            .args(["--user", "--map-root-user", "--net", "--mount", "--", "sh", "-c"])
            .arg(format!(
                "set -e; D='{}'; ip link set lo up; mount --bind \"$D/etc\" /etc; {setup}; set +e; {script}",
                self.folder.path().display()
            ))
            .arg("sh")
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .stdin(Stdio::null());
        command
    }
}

impl Ended {
    /// The lines on standard error.
    pub fn lines(&self) -> Vec<&str> {
        self.stderr.lines().collect()
    }

    /// Asserts that not one packet left, on any device, and that no connection was begun.
    pub fn assert_nothing_sent(&self) {
        assert_eq!(self.before, self.after, "{}", self.stderr);
    }
}

impl Counters {
    /// What TCP counted.
    pub fn tcp(&self) -> Vec<&str> {
        self.0
            .lines()
            .filter(|line| line.starts_with("Tcp:"))
            .collect()
    }
}

/// Whether such scenes can be had here. Where they cannot, the test is named as skipped, or fails if that was asked for.
pub fn possible(test: &str) -> bool {
    static WHY_NOT: OnceLock<Option<String>> = OnceLock::new();
    let why_not = WHY_NOT.get_or_init(|| {
        let scene = Scene::new();
        let tried = scene.inside(":", "exec true").output();
        match tried {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(error.to_string()),
        }
    });
    let Some(why) = why_not else { return true };
    let required = std::env::var_os("REQUIRE_KERNEL_TESTS").is_some_and(|value| value == "1");
    assert!(!required, "{test}: no namespaces: {why}");
    println!("SKIPPED: {test}: no namespaces: {why}");
    false
}
