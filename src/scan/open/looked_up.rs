//! What is asked of the machine while a scan is opened: echo sockets, families of addresses, what frames pass by.

use std::io;

use super::{OpenError, Options, io_error};
use crate::plan::Plan;
use crate::scan::ping::Ping;
use crate::transport::clock::Clock;
use crate::transport::echo::{EchoConfig, EchoSockets};
use crate::transport::raw::bypass::{self, Sight};
use crate::transport::raw::{Families, SendPath};
use crate::transport::route::NetlinkRouter;

/// Sockets for echo requests, where hosts are looked for, or why there are none.
pub(super) fn echo(
    plan: &Plan,
    options: &Options,
    clock: Clock,
) -> (Option<EchoSockets>, Option<String>) {
    if options.ping == Ping::Never {
        return (None, None);
    }
    let config = EchoConfig {
        source: options.source,
        interface: options.interface.clone(),
        key: rand::random(),
        clock,
    };
    match EchoSockets::open(&config, families(plan)) {
        Ok(sockets) => (Some(sockets), None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (
            None,
            Some("net.ipv4.ping_group_range allows this user none".to_owned()),
        ),
        Err(error) => (None, Some(error.to_string())),
    }
}

/// The IP versions of the targets.
pub(super) fn families(plan: &Plan) -> Families {
    let (mut v4, mut v6) = (false, false);
    for range in plan.targets().ranges() {
        v4 |= range.is_ipv4();
        v6 |= !range.is_ipv4();
    }
    match (v4, v6) {
        (true, true) => Families::Both,
        (false, true) => Families::V6,
        (_, false) => Families::V4,
    }
}

/// What frames pass by, if that is allowed. Asked while privileges are held: without, little is seen.
pub(super) fn passed_by(options: &Options, router: &NetlinkRouter) -> Result<String, OpenError> {
    let bypass = bypass::look(router)
        .map_err(|error| io_error("cannot look at the local firewall", error))?;
    if options.send_path == SendPath::Frame && bypass.is_any() {
        let what = bypass.to_string();
        return Err(OpenError::PassesBy { what });
    }
    let mut said = "frames pass by this machine's firewall and policy routing".to_owned();
    if bypass.is_any() {
        said.push_str(&format!(" ({bypass})"));
    }
    if bypass.sight == Sight::NotAllowed {
        said.push_str("; whether it has firewall rules cannot be seen without CAP_NET_ADMIN");
    }
    Ok(said)
}
