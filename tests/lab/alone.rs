//! One test in a user and network namespace of its own, for those that need no servers: the test binary runs itself again
//! below `unshare -Urn`.
#![allow(
    dead_code,
    reason = "the other binaries that hold the lab have no such tests"
)]

use std::process::Command;

const MARK: &str = "LAB_IN_NAMESPACE";

/// Runs `body` in a namespace with nothing but a loopback interface that is up. `name` is the test's full name.
///
/// Where namespaces cannot be had the test is reported as skipped, or fails if REQUIRE_KERNEL_TESTS is 1.
pub fn inside(name: &str, body: impl FnOnce()) {
    if std::env::var_os(MARK).is_some_and(|mark| mark == name) {
        refuse_a_way_out();
        run("ip link set lo up");
        return body();
    }
    if let Err(reason) = possible() {
        assert!(
            std::env::var_os("REQUIRE_KERNEL_TESTS").is_none_or(|value| value != "1"),
            "{name} needs namespaces: {reason}"
        );
        println!("SKIPPED {name}: {reason}");
        return;
    }
    let binary = std::env::current_exe().expect("own path");
    let output = Command::new("unshare")
        .args(["-Urn", "timeout", "120"])
        .arg(binary)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // A wrong name would run no test and succeed.
    assert!(
        output.status.success() && text.contains("1 passed"),
        "in the namespace:\n{text}{errors}"
    );
}

/// Runs a shell line that must succeed.
pub fn run(line: &str) {
    let output = Command::new("sh").args(["-ec", line]).output().expect("sh");
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn possible() -> Result<(), String> {
    let line = "ip link set lo up && nft add table inet test && test -r /dev/net/tun";
    let output = Command::new("unshare")
        .args(["-Urn", "sh", "-ec", line])
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The index of an interface. (/sys still shows the namespace that it was mounted in.)
pub fn interface(name: &str) -> u32 {
    let output = Command::new("ip")
        .args(["-o", "link", "show", name])
        .output()
        .expect("ip");
    let line = String::from_utf8(output.stdout).expect("text");
    line.split(':')
        .next()
        .and_then(|index| index.trim().parse().ok())
        .expect("an index")
}

/// A fresh namespace has no route at all; one that has is not ours to test in.
fn refuse_a_way_out() {
    let output = Command::new("ip").args(["route"]).output().expect("ip");
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "this namespace has routes: {}",
        String::from_utf8_lossy(&output.stdout)
    );
}
