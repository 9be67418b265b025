//! ICMP echo: requests out, replies in. Ping sockets where the kernel lets this user have them (net.ipv4.ping_group_range),
//! raw ones where this process may open those.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, ipproto,
    recvfrom, sendto,
};

use super::clock::Clock;
use super::raw::{Families, Family};
use super::sys::socket_option;
use crate::model::{Address, Time};
use crate::wire::{Cookie, echo};

/// How to ask.
#[derive(Clone, Debug)]
pub struct EchoConfig {
    /// The address to send from; `None` lets the kernel choose.
    pub source: Option<IpAddr>,
    /// The interface to send by; `None` lets the kernel route.
    pub interface: Option<String>,
    /// Random, for this scan alone.
    pub key: [u8; 16],
    /// The scan's clock.
    pub clock: Clock,
}

/// A host that answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo {
    pub address: Address,
    pub rtt: Duration,
    pub at: Time,
}

/// Whether a request left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    Yes,
    /// There is no room now.
    Full,
    /// Our own side refuses: there is no socket of that family, no route, or a firewall.
    Refused,
}

/// The sockets, and a thread that reads them.
#[derive(Debug)]
pub struct EchoSockets {
    sockets: Arc<Sockets>,
    cookie: Cookie,
    clock: Clock,
    ended: Arc<AtomicBool>,
    reader: Option<(Receiver<Echo>, JoinHandle<()>)>,
    packets: u64,
}

#[derive(Debug)]
struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    kind: Kind,
}

/// What the kernel hands out with a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// The ICMP message, of our own requests only.
    Ping,
    /// All ICMP of this machine; of IPv4 with the IP header.
    Raw,
}

impl EchoSockets {
    /// Opens a socket for each family that there are targets of; nothing is sent. Without a socket of a family its hosts
    /// cannot be asked.
    ///
    /// # Errors
    /// Why there is none for either.
    pub fn open(config: &EchoConfig, families: Families) -> io::Result<Self> {
        let mut refused = None;
        let mut open = |family| {
            let fits = config
                .source
                .is_none_or(|source| Family::of(source) == family);
            if !families.list().contains(&family) || !fits {
                return None;
            }
            match socket(family, config) {
                Ok(socket) => Some(socket),
                Err(error) => {
                    refused = Some(error);
                    None
                }
            }
        };
        let sockets = Sockets {
            v4: open(Family::V4),
            v6: open(Family::V6),
        };
        if let (None, None, Some(error)) = (&sockets.v4, &sockets.v6, refused) {
            return Err(error);
        }
        Ok(Self {
            sockets: Arc::new(sockets),
            cookie: Cookie::new(config.key),
            clock: config.clock,
            ended: Arc::default(),
            reader: None,
            packets: 0,
        })
    }

    /// Starts the reader, which has the privileges that the calling thread has now.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(&mut self) -> io::Result<()> {
        let (sender, receiver) = sync_channel(UNREAD);
        let reader = Reader {
            sockets: Arc::clone(&self.sockets),
            cookie: self.cookie.clone(),
            clock: self.clock,
            ended: Arc::clone(&self.ended),
            sender,
        };
        let thread = Builder::new()
            .name("echo".to_owned())
            .spawn(move || reader.run())?;
        self.reader = Some((receiver, thread));
        Ok(())
    }

    /// Whether hosts of this family can be asked.
    pub fn can_ask(&self, ip: IpAddr) -> bool {
        self.sockets.of(ip).is_some()
    }

    /// Asks a host; `round` tells repeats apart.
    pub fn send(&mut self, to: Address, round: u16) -> Sent {
        let Some(socket) = self.sockets.of(to.ip) else {
            return Sent::Refused;
        };
        let message = echo::request(&self.cookie, to.ip, round, self.clock.now());
        let to = match to.ip {
            IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, 0)),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, to.zone)),
        };
        match sendto(&socket.fd, &message, SendFlags::DONTWAIT, &to) {
            Ok(_) => {
                self.packets += 1;
                Sent::Yes
            }
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM | Errno::INTR) => Sent::Full,
            Err(_) => Sent::Refused,
        }
    }

    /// Appends what was answered since the last call; never blocks.
    pub fn take(&self, out: &mut Vec<Echo>) {
        if let Some((receiver, _)) = &self.reader {
            out.extend(receiver.try_iter());
        }
    }

    /// Requests that left.
    pub fn packets(&self) -> u64 {
        self.packets
    }
}

impl Drop for EchoSockets {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some((receiver, thread)) = self.reader.take() {
            drop(receiver);
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Sockets {
    fn of(&self, ip: IpAddr) -> Option<&Socket> {
        match ip {
            IpAddr::V4(_) => self.v4.as_ref(),
            IpAddr::V6(_) => self.v6.as_ref(),
        }
    }
}

struct Reader {
    sockets: Arc<Sockets>,
    cookie: Cookie,
    clock: Clock,
    ended: Arc<AtomicBool>,
    sender: SyncSender<Echo>,
}

impl Reader {
    fn run(self) {
        let sockets: Vec<&Socket> = [&self.sockets.v4, &self.sockets.v6]
            .into_iter()
            .flatten()
            .collect();
        let mut buffer = vec![0; 2048];
        while !self.ended.load(Ordering::Relaxed) {
            let mut fds: Vec<PollFd<'_>> = sockets
                .iter()
                .map(|socket| PollFd::new(&socket.fd, PollFlags::IN))
                .collect();
            let Ok(wait) = GLANCE.try_into() else { return };
            if poll(&mut fds, Some(&wait)).is_err_and(|error| error != Errno::INTR) {
                return;
            }
            for socket in &sockets {
                while let Some(heard) = socket.read(&mut buffer) {
                    let at = self.clock.now();
                    let Some((address, message)) = heard else {
                        continue;
                    };
                    let Some(rtt) = echo::reply(&self.cookie, address.ip, message, at) else {
                        continue;
                    };
                    // Where the queue is full the host is asked once more and heard then.
                    let told = self.sender.try_send(Echo { address, rtt, at });
                    if matches!(told, Err(TrySendError::Disconnected(_))) {
                        return;
                    }
                }
            }
        }
    }
}

impl Socket {
    /// One message and its sender; `None` when there is no more, `Some(None)` for what is no message.
    fn read<'a>(&self, buffer: &'a mut [u8]) -> Option<Option<(Address, &'a [u8])>> {
        let (_, length, from) = recvfrom(&self.fd, &mut *buffer, RecvFlags::DONTWAIT).ok()?;
        let heard = || {
            let message = buffer.get(..length)?;
            match SocketAddr::try_from(from?).ok()? {
                SocketAddr::V4(from) => {
                    let message = match self.kind {
                        Kind::Ping => message,
                        Kind::Raw => echo::without_header(message)?,
                    };
                    Some((Address::new(IpAddr::V4(*from.ip())), message))
                }
                SocketAddr::V6(from) => {
                    let address = Address::new(IpAddr::V6(*from.ip()));
                    Some((address.with_zone(from.scope_id()), message))
                }
            }
        };
        Some(heard())
    }
}

#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
fn socket(family: Family, config: &EchoConfig) -> io::Result<Socket> {
    let (family, protocol, any): (AddressFamily, Protocol, IpAddr) = match family {
        Family::V4 => (AddressFamily::INET, ipproto::ICMP, [0; 4].into()),
        Family::V6 => (AddressFamily::INET6, ipproto::ICMPV6, [0; 16].into()),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let open = |kind| rustix::net::socket_with(family, kind, flags, Some(protocol));
    let (fd, kind) = match open(SocketType::DGRAM) {
        Ok(fd) => (fd, Kind::Ping),
        Err(refused) => match open(SocketType::RAW) {
            Ok(fd) => (fd, Kind::Raw),
            Err(_) => return Err(refused.into()),
        },
    };
    if let Some(name) = &config.interface {
        use std::os::fd::AsFd as _;
        socket_option::bind_to_interface(fd.as_fd(), name)?;
    }
    // A ping socket that was not bound has no identifier before its first request, and hears nothing.
    let from = SocketAddr::new(config.source.unwrap_or(any), 0);
    bind(&fd, &from)?;
    Ok(Socket { fd, kind })
}

/// Answers that may wait for the caller.
const UNREAD: usize = 65_536;
/// The end is noticed within this.
const GLANCE: Duration = Duration::from_millis(50);
