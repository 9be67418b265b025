//! A listener of our own, for a scan to find: whether a way of asking works is best seen by asking somebody who answers.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use crate::model::{Address, Endpoint};

/// A listening socket on an address of this machine. The kernel answers for it; nobody takes the connections.
#[derive(Debug)]
pub struct OwnListener {
    endpoint: Endpoint,
    /// Held open.
    _socket: TcpListener,
}

impl OwnListener {
    /// Listens on a free port of this address.
    ///
    /// # Errors
    /// `AddrNotAvailable` where this machine does not have the address, or the kernel's refusal.
    #[expect(clippy::disallowed_methods, reason = "R1: this is the transport")]
    pub fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(SocketAddr::new(ip, 0))?;
        let port = socket.local_addr()?.port();
        Ok(Self {
            endpoint: Endpoint {
                address: Address::new(ip),
                port,
            },
            _socket: socket,
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}
