//! A packet socket by which neighbours are asked for and answer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::super::raw::Family;
use super::batch::LinkPlace;
use super::{filter, packet_option, ring};

/// Hears ARP replies or neighbour advertisements from all interfaces, and sends by any.
pub(crate) struct Line {
    socket: OwnedFd,
    protocol: libc::c_int,
}

/// Answers to a batch of questions come at once, and each takes up to 2 KiB of it, as drivers receive them.
const RECEIVE_BUFFER: usize = 1 << 20;

impl Line {
    /// Opens it, with the filter in place before the first packet can come in. Needs CAP_NET_RAW; what comes later needs
    /// nothing.
    ///
    /// # Errors
    /// The kernel's, EPERM above all.
    pub(crate) fn open(family: Family) -> io::Result<Self> {
        let socket = packet_option::packet_socket()?;
        filter::attach_neighbours(socket.as_fd(), family)?;
        // The kernel cuts it down to net.core.rmem_max by itself.
        set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        let protocol = match family {
            Family::V4 => libc::ETH_P_ARP,
            Family::V6 => libc::ETH_P_IPV6,
        };
        ring::bind(socket.as_fd(), protocol)?;
        Ok(Self { socket, protocol })
    }

    /// Sends a question; nothing is waited for.
    ///
    /// # Errors
    /// The kernel's reason for not taking it.
    pub(crate) fn send(&self, to: LinkPlace, question: &[u8]) -> io::Result<()> {
        let name = to.name(self.protocol);
        // SAFETY: `question` and `name` are readable for the given lengths during the call.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                question.as_ptr().cast(),
                question.len(),
                libc::MSG_DONTWAIT,
                (&raw const name).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// The next packet, and the index of the interface that it came in by; `None`: there is none now. What is longer than
    /// `buffer` is cut.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<(u32, &'a [u8])> {
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut name: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: `buffer` and `name` are writable for the given lengths during the call.
        let taken = unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
                (&raw mut name).cast(),
                &raw mut length,
            )
        };
        let bytes = buffer.get(..usize::try_from(taken).ok()?)?;
        Some((u32::try_from(name.sll_ifindex).ok()?, bytes))
    }
}
