//! Options of raw and packet sockets that no safe crate offers.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::super::raw::Family;

/// A packet socket that never blocks. SOCK_DGRAM: the device makes and takes off its own header. Protocol 0: nothing is
/// received before bind(). Needs CAP_NET_RAW.
///
/// # Errors
/// The kernel's, EPERM above all.
#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
pub(crate) fn packet_socket() -> io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::PACKET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    Ok(socket)
}

/// Makes the kernel report what it could not send: without it ENOBUFS is swallowed and the packet is lost silently.
pub(crate) fn report_errors(socket: BorrowedFd<'_>, family: Family) -> io::Result<()> {
    let (level, name) = match family {
        Family::V4 => (libc::SOL_IP, libc::IP_RECVERR),
        Family::V6 => (libc::SOL_IPV6, libc::IPV6_RECVERR),
    };
    set(socket, level, name, &1_i32)
}

/// Sends by this interface only (SO_BINDTOIFINDEX).
pub(crate) fn bind_to_index(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    set(
        socket,
        libc::SOL_SOCKET,
        libc::SO_BINDTOIFINDEX,
        &interface.cast_signed(),
    )
}

/// Throws away what the error queue of a raw socket holds, so that it cannot fill up. At most `most` messages.
pub(crate) fn drain_error_queue(socket: BorrowedFd<'_>, most: usize) {
    let mut byte = 0_u8;
    for _ in 0..most {
        // SAFETY: the one byte is writable during the call; MSG_ERRQUEUE never blocks, and the rest of the message and its
        // control data are dropped by the kernel.
        let result = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                (&raw mut byte).cast(),
                1,
                libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
            )
        };
        if result < 0 {
            break;
        }
    }
}

/// Sets an option whose value is plain C data without padding.
pub(super) fn set<T: Copy>(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    // A size of a C struct is far below 4 GiB.
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is readable for `length` bytes during the call and the kernel only copies it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (value as *const T).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Packets that a packet socket's ring had no room for since the last call.
pub(super) fn new_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut value = MaybeUninit::<libc::tpacket_stats_v3>::zeroed();
    let mut length = size_of::<libc::tpacket_stats_v3>() as libc::socklen_t;
    // SAFETY: `value` is writable for `length` bytes during the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all-zero bytes are a valid value of three integers, and the kernel wrote over some or all of them.
    Ok(unsafe { value.assume_init() }.tp_drops)
}
