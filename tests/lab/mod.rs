//! The lab: network namespaces, firewalls and servers on this machine alone.
//!
//! Tests, the demo and the benchmark start it; nothing else builds a network. One scenario file
//! (`tests/kernel/scenarios/NAME.toml`) describes a network, who listens where, and what a right scan says of it.
//!
//! The process that builds the network runs inside a user, network, mount and process namespace of its own
//! ([`enter`]), and refuses to run anywhere else: no packet can leave the machine, and when that process ends,
//! everything that it started ends with it.
//!
//! ```text
//! pair        scanner 10.66.0.1 ---- 10.66.0.2 host          fd66::1, fd66::2, fe80::1, fe80::2 likewise
//! lan         scanner 10.66.0.1 (bridge) ---- 10.66.0.2, .3, .4 ...
//! routed      scanner 10.66.0.1 ---- 10.66.0.254 router 10.66.1.254 ---- 10.66.1.2 host
//! asymmetric  scanner 10.66.0.1 ---> 10.66.0.2 host ---> scanner 10.66.9.1 by a second link
//! tun         scanner 10.66.0.1 ---- TUN device ---- a scripted stack in user space, 10.66.0.2
//! loopback    scanner 127.0.0.1, ::1
//! ```

pub mod alone;
pub mod bench;
pub mod capture;
pub mod enter;
pub mod event;
pub mod failures;
pub mod firewall;
pub mod judge;
pub mod measure;
pub mod network;
pub mod ports;
pub mod recording;
pub mod role;
pub mod running;
pub mod scan;
pub mod scenario;
pub mod serve;
mod stopping;
pub mod traces;
pub mod tun;

/// What goes wrong in the lab is told to a person, in words.
pub type Result<T> = std::result::Result<T, String>;
