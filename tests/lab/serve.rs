//! One process that listens on many ports.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write as _;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Result;
use super::scenario::Behaviour;

/// Linux caps it at net.core.somaxconn, which is 4096 too.
const BACKLOG: i32 = 4096;

/// Connections that `Hold` keeps before it lets the oldest go.
const HELD: usize = 512;

/// Listens on `ports` of every address of both families, says "ready" on stdout, and serves until it is killed.
pub fn serve(ports: &BTreeSet<u16>, behaviour: Behaviour) -> Result<()> {
    raise_descriptor_limit();
    let poller =
        epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| format!("epoll: {error}"))?;
    let mut listeners = Vec::with_capacity(ports.len());
    for &port in ports {
        let listener = listen(port).map_err(|error| format!("listen on {port}: {error}"))?;
        let number = epoll::EventData::new_u64(listeners.len() as u64);
        epoll::add(&poller, &listener, number, epoll::EventFlags::IN)
            .map_err(|error| format!("epoll: {error}"))?;
        listeners.push(listener);
    }
    println!("ready");
    std::io::stdout()
        .flush()
        .map_err(|error| format!("stdout: {error}"))?;

    let mut held = VecDeque::new();
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        let minute = Timespec {
            tv_sec: 60,
            tv_nsec: 0,
        };
        match epoll::wait(
            &poller,
            rustix::buffer::spare_capacity(&mut events),
            Some(&minute),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("epoll: {error}")),
        }
        for event in &events {
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            if let Some(listener) = listeners.get(number) {
                accept_all(listener, behaviour, &mut held);
            }
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the lab is the network: its servers open sockets"
)]
fn listen(port: u16) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None)?;
    sockopt::set_ipv6_v6only(&socket, false)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn accept_all(listener: &OwnedFd, behaviour: Behaviour, held: &mut VecDeque<OwnedFd>) {
    // A client that has gone, or a full descriptor table, ends the round; the poller reports again what is left.
    while let Ok(connection) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
        match behaviour {
            Behaviour::Close => drop(connection),
            Behaviour::Reset => {
                // Closing with a linger time of zero sends RST instead of FIN.
                let _ = sockopt::set_socket_linger(&connection, Some(Duration::ZERO));
            }
            Behaviour::Hold => {
                held.push_back(connection);
                if held.len() > HELD {
                    held.pop_front();
                }
            }
        }
    }
}

/// As far as the hard limit; a limit that is too low shows at the listener that does not fit.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
