//! One kernel connect(): its socket, what connect() said at once, and each later look at it.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::judge::{self, Departure, Judgement, judge, judge_icmp};
use super::queue::Job;
use crate::model::{Endpoint, LocalFault, Seen, Shape, Time};
use crate::transport::sys::error_queue::{self, Entry};
use crate::transport::sys::socket_option;
use crate::transport::sys::tcp_info::{self, TcpInfo};
use crate::transport::{Shapes, ephemeral};

/// How every socket is made.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    pub source: Option<IpAddr>,
    pub interface: Option<String>,
    /// Set where the system's own number of SYN repeats would end an attempt before its patience.
    pub syn_repeats: Option<u8>,
    /// First and last source port of connect().
    pub ephemeral: (u16, u16),
}

/// Makes single connections as a scan by connect does: from the same source, by the same interface.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Dialer);

impl Caller {
    pub(crate) fn new(source: Option<IpAddr>, interface: Option<String>) -> Self {
        Self(Dialer {
            source,
            interface,
            syn_repeats: None,
            ephemeral: ephemeral::range(),
        })
    }

    /// A non-blocking socket that connects to this endpoint.
    pub(crate) fn call(&self, endpoint: Endpoint) -> io::Result<OwnedFd> {
        self.0.connect(endpoint).map_err(io::Error::from)
    }
}

/// A connect() under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub job: Job,
    pub started: Time,
    /// When the handshake was seen to be complete, where the window was shut then.
    pub handshake: Option<Time>,
    socket: OwnedFd,
    departure: Departure,
    mirror: Mirror,
    /// The TCP state at the last look.
    state: u8,
}

/// Why a job could not be started now. Never a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shortage {
    /// Descriptors or memory: nothing else can start either.
    Machine,
    /// Source ports towards this endpoint: others can start.
    Ports,
}

/// What a start gave.
#[derive(Debug)]
pub(super) enum Start {
    Connecting(Attempt),
    Failed(LocalFault),
    Short(Shortage),
}

/// What a look gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// No answer yet: look again when the socket reports something, or by the clock.
    Waiting,
    /// Complete with a shut window: a window that opens is not reported, so look again soon.
    Shut,
    /// The end of the attempt, and the SYNs that left for it.
    Ended { seen: Seen, syns: u8 },
    /// The connection is one with ourselves: no answer. Try again from another source port.
    Ourselves,
}

/// Whether the attempt may go on after a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Patience {
    Left,
    Over,
}

/// Whether another connect of this machine may have the same ports in the other order (see `ephemeral`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mirror {
    Possible,
    Excluded,
}

/// A connection that looks like one with another socket of this machine's own scan is repeated this often before it is
/// believed.
const DOUBTS: u8 = 3;

impl Dialer {
    /// Opens a socket and calls connect().
    pub(super) fn start(&self, job: Job, now: Time) -> Start {
        match self.dial(job.endpoint) {
            Ok((socket, mirror)) => Start::Connecting(Attempt {
                job,
                started: now,
                handshake: None,
                socket,
                departure: Departure::Untried,
                mirror,
                state: tcp_info::SYN_SENT,
            }),
            Err(errno) => match shortage(errno) {
                Some(shortage) => Start::Short(shortage),
                None => Start::Failed(fault(errno)),
            },
        }
    }

    /// A socket that connects, for whoever goes on with the connection.
    pub(super) fn connect(&self, endpoint: Endpoint) -> Result<OwnedFd, Errno> {
        self.dial(endpoint).map(|(socket, _)| socket)
    }

    #[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
    fn dial(&self, endpoint: Endpoint) -> Result<(OwnedFd, Mirror), Errno> {
        let (family, target) = match endpoint.address.ip {
            IpAddr::V4(ip) => (
                AddressFamily::INET,
                SocketAddr::V4(SocketAddrV4::new(ip, endpoint.port)),
            ),
            IpAddr::V6(ip) => (
                AddressFamily::INET6,
                SocketAddr::V6(SocketAddrV6::new(
                    ip,
                    endpoint.port,
                    0,
                    endpoint.address.zone,
                )),
            ),
        };
        let socket = rustix::net::socket_with(
            family,
            SocketType::STREAM,
            SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            // Named, so that no MPTCP policy of the system changes what is asked.
            Some(ipproto::TCP),
        )?;
        if family == AddressFamily::INET6 {
            socket_option::queue_icmp_v6(socket.as_fd()).map_err(errno)?;
        }
        let mirror = match ephemeral::sources(endpoint.port, self.ephemeral) {
            Some(sources) => {
                let (first, last) = sources.into_inner();
                match socket_option::local_port_range(socket.as_fd(), first, last) {
                    Ok(()) => Mirror::Excluded,
                    // A kernel before 6.3.
                    Err(_) => Mirror::Possible,
                }
            }
            None if (self.ephemeral.0..=self.ephemeral.1).contains(&endpoint.port) => {
                Mirror::Possible
            }
            None => Mirror::Excluded,
        };
        if let Some(repeats) = self.syn_repeats {
            socket_option::syn_repeats(socket.as_fd(), repeats).map_err(errno)?;
        }
        if let Some(name) = &self.interface {
            socket_option::bind_to_interface(socket.as_fd(), name).map_err(errno)?;
        }
        if let Some(source) = self.source {
            socket_option::bind_address_without_port(socket.as_fd()).map_err(errno)?;
            rustix::net::bind(
                &socket,
                &match source {
                    IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, 0)),
                    IpAddr::V6(ip) => {
                        SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, endpoint.address.zone))
                    }
                },
            )?;
        }
        match rustix::net::connect(&socket, &target) {
            // ECONNREFUSED and ECONNRESET at once are for TCP_INFO to explain.
            Ok(()) | Err(Errno::INPROGRESS | Errno::CONNREFUSED | Errno::CONNRESET) => {
                Ok((socket, mirror))
            }
            Err(errno) => Err(errno),
        }
    }
}

impl Attempt {
    /// When the attempt ends at the latest.
    pub(super) fn deadline(&self) -> Time {
        self.started + self.job.patience
    }

    /// Judges the connection as it stands.
    pub(super) fn look(&mut self, patience: Patience) -> Look {
        let info = match tcp_info::read(self.socket.as_fd()) {
            Ok(info) => info,
            Err(_) => return ended(Seen::Local(LocalFault::Other), 0),
        };
        self.departure = self.departure.look(&info);
        self.state = info.state;
        let left = u8::try_from(info.total_retrans.saturating_add(1)).unwrap_or(u8::MAX);
        match judge(&info) {
            Judgement::Opened(_) if self.is_ours(&info) => Look::Ourselves,
            Judgement::Opened(answer) => ended(Seen::SynAck(answer), left),
            Judgement::Reset => ended(Seen::Rst { ttl: 0 }, left),
            Judgement::Shut(answer) if patience == Patience::Over => {
                ended(Seen::SynAck(answer), left)
            }
            Judgement::Shut(_) => Look::Shut,
            Judgement::Connecting if patience == Patience::Left => Look::Waiting,
            Judgement::Connecting => {
                let seen = self.icmp().unwrap_or_else(|| self.silence());
                ended(seen, self.departed(seen, left))
            }
            Judgement::Aborted => {
                let seen = self.icmp().unwrap_or_else(|| self.unexplained());
                ended(seen, self.departed(seen, left))
            }
        }
    }

    /// Adds what the two stacks agreed on.
    pub(super) fn note_shape(&self, shapes: &Shapes) {
        if let Ok(info) = tcp_info::read(self.socket.as_fd()) {
            shapes.note(
                self.job.endpoint.address,
                Shape::Agreed(judge::agreed(&info)),
            );
        }
    }

    /// The first verdict in the error queue.
    fn icmp(&self) -> Option<Seen> {
        let own = self.source().map(|source| source.ip());
        // Errors that are no verdict may lie before the one that is; a flood of them must not hold us up.
        for _ in 0..16 {
            match error_queue::take(self.socket.as_fd()) {
                Ok(Some(Entry::Icmp(error))) => {
                    let seen = judge_icmp(&error, own, self.job.endpoint.address.ip);
                    if seen.is_some() {
                        return seen;
                    }
                }
                Ok(Some(Entry::Other)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
        None
    }

    /// Nothing was heard: did we ask?
    fn silence(&self) -> Seen {
        match self.departure {
            Departure::Refused => Seen::Local(LocalFault::Firewall),
            Departure::Untried | Departure::Proved => Seen::Silence,
        }
    }

    /// The kernel gave up without a packet from outside. Its reason says which of our faults it was; it is no verdict about
    /// the endpoint.
    fn unexplained(&self) -> Seen {
        match sockopt::socket_error(&self.socket) {
            Ok(Err(Errno::TIMEDOUT)) => self.silence(),
            Ok(Err(errno)) => Seen::Local(fault(errno)),
            Ok(Ok(())) | Err(_) => Seen::Local(LocalFault::Other),
        }
    }

    fn departed(&self, seen: Seen, left: u8) -> u8 {
        match seen {
            Seen::Local(_) | Seen::NoNeighbour => 0,
            _ => left,
        }
    }

    /// Whether the other end is a socket of this scan: this very one (the source port drawn was the target's), or another
    /// attempt whose source port is our target and whose target is our source port.
    fn is_ours(&self, info: &TcpInfo) -> bool {
        // Both are simultaneous opens: a SYN and a SYN-ACK came in, and no data.
        if info.segs_in < 2 || info.data_segs_in > 0 {
            return false;
        }
        let Some(source) = self.source() else {
            return false;
        };
        let target = self.job.endpoint;
        if source.ip() == target.address.ip && source.port() == target.port {
            return true;
        }
        // A server that closes at once looks like the other attempt: it is believed when it does so again.
        let local = source.ip() == target.address.ip || target.address.ip.is_loopback();
        local && self.mirror == Mirror::Possible && self.job.doubts < DOUBTS
    }

    fn source(&self) -> Option<SocketAddr> {
        let address = rustix::net::getsockname(&self.socket).ok()?;
        let source = SocketAddr::try_from(address).ok()?;
        Some(SocketAddr::new(source.ip().to_canonical(), source.port()))
    }

    /// Closes with a reset, so that no TIME_WAIT stays and the target sees the same end as after a half-open scan.
    pub(super) fn close(self) {
        if self.state != tcp_info::CLOSE {
            // Where this fails, an ordinary close is all that is left.
            let _ = sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
        }
    }
}

impl AsFd for Attempt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn ended(seen: Seen, syns: u8) -> Look {
    Look::Ended { seen, syns }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// The errors that say something of the moment, not of the endpoint.
fn shortage(errno: Errno) -> Option<Shortage> {
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN | Errno::INTR => {
            Some(Shortage::Machine)
        }
        Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Some(Shortage::Ports),
        _ => None,
    }
}

/// Which fault of our side an error is.
fn fault(errno: Errno) -> LocalFault {
    match errno {
        Errno::NETUNREACH | Errno::HOSTUNREACH => LocalFault::NoRoute,
        Errno::PERM | Errno::ACCESS => LocalFault::Firewall,
        Errno::NETDOWN | Errno::NODEV | Errno::NXIO => LocalFault::InterfaceDown,
        _ => LocalFault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shortage_is_ever_a_verdict() {
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::AGAIN,
            Errno::INTR,
        ] {
            assert_eq!(shortage(errno), Some(Shortage::Machine), "{errno}");
        }
        assert_eq!(shortage(Errno::ADDRNOTAVAIL), Some(Shortage::Ports));
        assert_eq!(shortage(Errno::PERM), None);
    }

    #[test]
    fn faults_name_their_cause() {
        assert_eq!(fault(Errno::ACCESS), LocalFault::Firewall);
        assert_eq!(fault(Errno::NETUNREACH), LocalFault::NoRoute);
        assert_eq!(fault(Errno::NETDOWN), LocalFault::InterfaceDown);
        assert_eq!(fault(Errno::INVAL), LocalFault::Other);
    }
}
