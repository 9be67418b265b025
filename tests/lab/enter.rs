//! The way into a namespace of one's own, and the refusal to build anything elsewhere.
//!
//! `unshare(CLONE_NEWUSER)` fails in a process with threads, so the program starts itself again through util-linux's
//! `unshare`. The same works for root and for an ordinary user.

use std::process::{Command, Stdio};
use std::{env, fs};

use super::Result;

/// The first argument of a process that was started inside.
pub const INSIDE: &str = "lab-inside";

/// Where namespaces cannot be had, nothing is built, and this says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible(pub String);

/// A command that runs this program again inside fresh namespaces, as `EXE lab-inside OUTER-NAMESPACE args...`.
///
/// When the command dies, everything inside is killed by the kernel: the process namespace ends with its first process.
pub fn inside(args: &[String]) -> std::result::Result<Command, Impossible> {
    let flags = namespace_flags()?;
    let exe = env::current_exe().map_err(|error| Impossible(format!("own program: {error}")))?;
    let outer = network_namespace().map_err(Impossible)?;
    // So that all of it ends as well when this process is killed.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]);
    command
        .args(flags)
        .arg("--")
        .arg(exe)
        .arg(INSIDE)
        .arg(outer)
        .args(args);
    Ok(command)
}

/// Checks that this process may build a network: it is in another network namespace than its starter, and this one
/// is fresh, with nothing but a loopback device and no route. `outer` is what the starter's namespace was called.
pub fn check_inside(outer: &str) -> Result<()> {
    if !outer.starts_with("net:[") {
        return Err("the lab is started through its own entry, not by hand".to_owned());
    }
    if network_namespace()? == outer {
        return Err("the lab does not run in the namespace that it was started from".to_owned());
    }
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    if let Some(device) = foreign_device(&read("/proc/net/dev")?) {
        return Err(format!(
            "the lab does not run beside the network device {device}"
        ));
    }
    if read("/proc/net/route")?.lines().count() > 1 {
        return Err("the lab does not run where IPv4 routes exist".to_owned());
    }
    Ok(())
}

/// The name of the network namespace of this process.
pub fn network_namespace() -> Result<String> {
    let path = "/proc/self/ns/net";
    let link = fs::read_link(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(link.to_string_lossy().into_owned())
}

/// The first device that a fresh namespace does not have. Tunnel modules put a fallback device into every namespace;
/// those are down and harmless.
fn foreign_device(proc_net_dev: &str) -> Option<&str> {
    const FRESH: [&str; 11] = [
        "lo",
        "sit0",
        "tunl0",
        "ip6tnl0",
        "gre0",
        "gretap0",
        "erspan0",
        "ip_vti0",
        "ip6_vti0",
        "ip6gre0",
        "ip6gretap0",
    ];
    proc_net_dev
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .find(|name| !FRESH.contains(name))
}

/// Tries which flags work here: a user namespace first; root without user namespaces does with the others.
fn namespace_flags() -> std::result::Result<Vec<&'static str>, Impossible> {
    let common = [
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ];
    let mut complaint = String::new();
    for user in [&["--user", "--map-root-user"][..], &[]] {
        let flags: Vec<&str> = user.iter().copied().chain(common).collect();
        let tried = Command::new("unshare")
            .args(&flags)
            .args(["--", "sh", "-c", "ip link show lo && nft list ruleset"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Impossible(format!("unshare: {error}")))?;
        if tried.status.success() {
            return Ok(flags);
        }
        if complaint.is_empty() {
            complaint = String::from_utf8_lossy(&tried.stderr)
                .trim()
                .replace('\n', "; ");
        }
    }
    Err(Impossible(format!(
        "no network namespace with ip and nft to be had: {complaint}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_leads_out_is_found() {
        let head = "Inter-|   Receive\n face |bytes\n";
        assert_eq!(
            foreign_device(&format!("{head}    lo: 0 0\n  sit0: 0\n")),
            None
        );
        assert_eq!(
            foreign_device(&format!("{head}    lo: 0 0\n  eth0: 0\n")),
            Some("eth0")
        );
    }

    #[test]
    fn the_lab_refuses_the_namespace_that_it_was_started_from() {
        let here = network_namespace().unwrap();
        assert!(check_inside(&here).is_err());
        assert!(check_inside("").is_err());
    }
}
