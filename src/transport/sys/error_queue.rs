//! The ICMP errors that the kernel queued on a socket (MSG_ERRQUEUE and struct sock_extended_err, recv(2), ip(7)).

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// One ICMP error about a packet of this socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IcmpError {
    pub family: Family,
    pub kind: u8,
    pub code: u8,
    /// Who sent it.
    pub offender: IpAddr,
}

/// Which of the two ICMPs it came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What one read of the queue gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    Icmp(IcmpError),
    /// Something that is no ICMP error, or too short to be one.
    Other,
}

/// Enough for one extended error, its offender's address and a time stamp.
const CONTROL: usize = 256;

#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Takes the oldest entry off the queue; `None` when the queue is empty. Clears the socket's pending error, so judge the
/// state of the connection by something else.
///
/// # Errors
/// What recvmsg(2) reports, except an empty queue.
pub(crate) fn take(socket: BorrowedFd<'_>) -> io::Result<Option<Entry>> {
    let mut control = Control([0; CONTROL]);
    // The quoted packet is of no use: 64 bytes of it are read and forgotten.
    let mut quoted = [0_u8; 64];
    let mut vector = libc::iovec {
        iov_base: quoted.as_mut_ptr().cast(),
        iov_len: quoted.len(),
    };
    // SAFETY: msghdr is a plain C struct (padded differently by each libc) for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL as _;
    // SAFETY: `message` points at one iovec and a control buffer, all of them alive, writable and of the stated lengths
    // until the call returns.
    let result = unsafe {
        libc::recvmsg(
            socket.as_raw_fd(),
            &raw mut message,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock => Ok(None),
            _ => Err(error),
        };
    }
    #[allow(clippy::useless_conversion, reason = "size_t or u32, by libc")]
    let filled = usize::try_from(message.msg_controllen).unwrap_or(0);
    let filled = control.0.get(..filled).unwrap_or(&control.0);
    Ok(Some(parse(filled).map_or(Entry::Other, Entry::Icmp)))
}

/// Finds the extended error among the control messages.
fn parse(mut control: &[u8]) -> Option<IcmpError> {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;
    loop {
        let length = usize::from_ne_bytes(*control.first_chunk()?);
        let level = i32::from_ne_bytes(*control.get(WORD..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*control.get(WORD + 4..)?.first_chunk()?);
        let data = control.get(HEADER..length)?;
        match (level, kind) {
            (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => {
                return extended(data);
            }
            _ => control = control.get(length.next_multiple_of(WORD)..)?,
        }
    }
}

/// struct sock_extended_err: errno u32, origin u8, type u8, code u8, pad u8, info u32, data u32; then the offender's
/// sockaddr.
fn extended(data: &[u8]) -> Option<IcmpError> {
    let (origin, kind, code) = (*data.get(4)?, *data.get(5)?, *data.get(6)?);
    let sender = data.get(16..)?;
    let family = i32::from(u16::from_ne_bytes(*sender.first_chunk()?));
    let offender = match family {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*sender.get(4..)?.first_chunk::<4>()?)),
        libc::AF_INET6 => {
            IpAddr::V6(Ipv6Addr::from(*sender.get(8..)?.first_chunk::<16>()?)).to_canonical()
        }
        _ => return None,
    };
    let family = match origin {
        libc::SO_EE_ORIGIN_ICMP => Family::V4,
        libc::SO_EE_ORIGIN_ICMP6 => Family::V6,
        _ => return None,
    };
    Some(IcmpError {
        family,
        kind,
        code,
        offender,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let length = size_of::<usize>() + 8 + data.len();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(length.next_multiple_of(size_of::<usize>()), 0);
        bytes
    }

    fn error(origin: u8, sockaddr: &[u8]) -> Vec<u8> {
        let mut data = vec![113, 0, 0, 0, origin, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        data.extend(sockaddr);
        data
    }

    const V4: [u8; 16] = {
        let mut bytes = [0; 16];
        [bytes[0], bytes[1]] = (libc::AF_INET as u16).to_ne_bytes();
        bytes[4] = 10;
        bytes[7] = 9;
        bytes
    };

    #[test]
    fn an_error_behind_another_control_message_is_found() {
        let mut control = message(libc::SOL_SOCKET, 29, &[0; 12]);
        control.extend(message(libc::SOL_IP, libc::IP_RECVERR, &error(2, &V4)));
        assert_eq!(
            parse(&control),
            Some(IcmpError {
                family: Family::V4,
                kind: 3,
                code: 1,
                offender: Ipv4Addr::new(10, 0, 0, 9).into(),
            })
        );
    }

    #[test]
    fn what_the_kernel_made_up_itself_is_no_icmp() {
        let local = error(libc::SO_EE_ORIGIN_LOCAL, &V4);
        assert_eq!(
            parse(&message(libc::SOL_IP, libc::IP_RECVERR, &local)),
            None
        );
    }

    #[test]
    fn every_truncation_is_refused_without_a_panic() {
        let whole = message(libc::SOL_IP, libc::IP_RECVERR, &error(2, &V4));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
        let mut endless = whole.clone();
        endless[..8].copy_from_slice(&0_usize.to_ne_bytes());
        assert_eq!(parse(&endless), None);
        endless[..8].copy_from_slice(&usize::MAX.to_ne_bytes());
        assert_eq!(parse(&endless), None);
    }
}
