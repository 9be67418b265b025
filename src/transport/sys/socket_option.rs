//! Socket options that no safe crate offers.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Picks the source port at connect() and not at bind(), so that ports are shared between destinations (ip(7)).
pub(crate) fn bind_address_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(
        socket,
        libc::SOL_IP,
        libc::IP_BIND_ADDRESS_NO_PORT,
        &1_i32.to_ne_bytes(),
    )
}

/// Makes the kernel queue ICMPv6 errors on this socket; a TCP socket over IPv4 queues them without being asked.
pub(crate) fn queue_icmp_v6(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(
        socket,
        libc::SOL_IPV6,
        libc::IPV6_RECVERR,
        &1_i32.to_ne_bytes(),
    )
}

/// Sends through this interface only (SO_BINDTODEVICE; needs no privilege on a socket that is not bound yet).
pub(crate) fn bind_to_interface(socket: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    set(
        socket,
        libc::SOL_SOCKET,
        libc::SO_BINDTODEVICE,
        name.as_bytes(),
    )
}

/// Takes the source port from this part of the ephemeral range (IP_LOCAL_PORT_RANGE, ip(7); since Linux 6.3, for IPv6
/// sockets as well).
pub(crate) fn local_port_range(socket: BorrowedFd<'_>, first: u16, last: u16) -> io::Result<()> {
    let value = u32::from(last) << 16 | u32::from(first);
    set(
        socket,
        libc::SOL_IP,
        IP_LOCAL_PORT_RANGE,
        &value.to_ne_bytes(),
    )
}

/// linux/in.h
const IP_LOCAL_PORT_RANGE: c_int = 51;

/// How often the kernel repeats the SYN before it gives up (TCP_SYNCNT, tcp(7)).
pub(crate) fn syn_repeats(socket: BorrowedFd<'_>, repeats: u8) -> io::Result<()> {
    set(
        socket,
        libc::SOL_TCP,
        libc::TCP_SYNCNT,
        &c_int::from(repeats).to_ne_bytes(),
    )
}

fn set(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: `value` is readable for `length` bytes during the call, and the kernel copies it without any alignment.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
