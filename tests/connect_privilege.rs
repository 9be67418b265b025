//! Dropping privileges, judged by what the kernel says of every thread.
#![allow(
    clippy::disallowed_methods,
    reason = "R1 is about the scanner; tests make their own servers and measure time"
)]

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use halfopen::plan::Plan;
use halfopen::transport::privilege::{self, Privilege};
use halfopen::{Confirm, Mode, Options, Scan};

use crate::connect::scan::{config, endpoint, is_open, one, started};
use crate::lab::alone::{inside, run};

/// Where raw sockets are not to be had it completed a connection with every open port, and said nothing of that.
#[test]
fn confirm_never_without_raw_sockets_connected_to_all_that_is_open() {
    inside(
        "connect_privilege::confirm_never_without_raw_sockets_connected_to_all_that_is_open",
        || {
            privilege::drop_all().expect("drop");
            let open = |mode, confirm| {
                let mut options = Options::default();
                options.mode = mode;
                options.confirm = confirm;
                Scan::open(Plan::parse("127.0.0.1", "80").expect("a plan"), options)
            };
            let fallen_back = open(Mode::Auto, Confirm::Auto).expect("connects will do");
            assert_eq!(fallen_back.mode(), Mode::Connect);
            for (mode, wanted) in [
                (Mode::Auto, "needs raw sockets"),
                (Mode::Syn, "needs raw sockets"),
                (Mode::Connect, "completes a connection"),
            ] {
                let refused = open(mode, Confirm::Never).err().expect("refused");
                assert!(refused.to_string().contains(wanted), "{mode:?}: {refused}");
            }
        },
    );
}

#[test]
fn no_thread_keeps_a_capability_and_connect_still_works() {
    inside(
        "connect_privilege::no_thread_keeps_a_capability_and_connect_still_works",
        || {
            // The test harness' own main thread is none of the scanner's: the child of this thread is what counts.
            let server = TcpListener::bind("127.0.0.1:80").expect("listen");
            assert_eq!(privilege::discover(), Privilege::Raw);
            let file = std::fs::File::open("/proc/self/status").expect("file");
            let early = UdpSocket::bind("127.0.0.1:0").expect("socket");
            privilege::drop_all().expect("drop");
            assert_eq!(privilege::discover(), Privilege::TakenAway);
            let mut transport = started(config(2));
            assert!(is_open(&one(
                &mut transport,
                endpoint("127.0.0.1", 80),
                Duration::from_secs(1)
            )));
            let mut checked = 0;
            for task in std::fs::read_dir("/proc/self/task").expect("tasks") {
                let path = task.expect("task").path();
                let name = std::fs::read_to_string(path.join("comm")).expect("name");
                let text = std::fs::read_to_string(path.join("status")).expect("status");
                // The harness' main thread started before the drop.
                if path.ends_with(std::process::id().to_string()) {
                    continue;
                }
                let field = |key: &str| {
                    let line = text.lines().find(|line| line.starts_with(key));
                    line.and_then(|line| line.split_whitespace().nth(1))
                        .map(str::to_owned)
                };
                for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
                    assert_eq!(
                        field(set).as_deref(),
                        Some("0000000000000000"),
                        "{name}{set}"
                    );
                }
                assert_eq!(field("NoNewPrivs:").as_deref(), Some("1"), "{name}");
                checked += 1;
            }
            assert!(checked >= 3, "this thread and two workers, not {checked}");
            // What was open stays usable, what needs privilege is gone, also for a program that this one starts.
            early
                .send_to(b"x", early.local_addr().expect("address"))
                .expect("send");
            assert!(
                std::io::read_to_string(&file)
                    .expect("read")
                    .contains("CapEff")
            );
            TcpListener::bind("127.0.0.1:81").expect_err("a low port");
            let raised = std::process::Command::new("ip")
                .args(["link", "set", "lo", "down"])
                .status();
            assert!(!raised.expect("ip").success());
            // A second drop finds nothing and is content.
            privilege::drop_all().expect("again");
            drop(server);
        },
    );
}

#[test]
fn a_capability_that_is_missing_is_named() {
    inside(
        "connect_privilege::a_capability_that_is_missing_is_named",
        || {
            caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_NET_RAW).expect("caps");
            assert_eq!(privilege::discover(), Privilege::Ineffective);
            // Without CAP_SETPCAP the bounding set cannot be emptied, and that is no failure.
            caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_SETPCAP).expect("caps");
            privilege::drop_all().expect("drop");
            assert_eq!(privilege::discover(), Privilege::TakenAway);
            run("true");
            for privilege in [
                Privilege::Raw,
                Privilege::Ineffective,
                Privilege::TakenAway,
                Privilege::Unprivileged,
                Privilege::Unknown,
            ] {
                assert!(privilege.to_string().len() > 20);
            }
        },
    );
}
