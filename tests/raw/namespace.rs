//! Runs a test in a user and network namespace of its own.

use std::process::{Command, Output};

const INSIDE: &str = "HALFOPEN_TEST_NAMESPACE";

/// Runs `body` below `unshare -Urn`: the test that is called `name` in the parent module starts itself again.
pub fn in_namespace(name: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == *name) {
        run("ip link set lo up");
        return body();
    }
    if !is_possible() {
        let required = std::env::var_os("HALFOPEN_REQUIRE_KERNEL_TESTS").is_some();
        assert!(!required, "no user and network namespaces here");
        println!("SKIPPED {name}: no user and network namespaces here");
        return;
    }
    let output = Command::new("unshare")
        .args(["-Urn", "timeout", "60"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("raw::{name}")])
        .env(INSIDE, name)
        .output()
        .unwrap();
    show(&output);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{name} failed inside"
    );
}

/// Runs a shell line and insists on its success.
pub fn run(line: &str) {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    show(&output);
    assert!(output.status.success(), "{line}");
}

/// The index of an interface. (/sys still shows the namespace that it was mounted in.)
pub fn interface(name: &str) -> u32 {
    let output = Command::new("ip")
        .args(["-o", "link", "show", name])
        .output()
        .unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    line.split(':').next().unwrap().trim().parse().unwrap()
}

fn is_possible() -> bool {
    let status = Command::new("unshare")
        .args(["-Urn", "ip", "link"])
        .output();
    status.is_ok_and(|output| output.status.success())
}

fn show(output: &Output) {
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}
