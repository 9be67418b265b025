//! What leaves by a device and comes in by it: a packet socket with the kernel's own stamps, which have no safe binding here.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Room for what comes while the reader waits for a processor; the kernel cuts it down to net.core.rmem_max.
const BUFFER: libc::c_int = 16 << 20;

/// Less than the shortest time for which a scanner waits.
const AT_ONCE: Duration = Duration::from_millis(15);

/// A socket that hears what leaves this namespace.
#[derive(Debug)]
pub struct Capture(OwnedFd);

impl Capture {
    /// Hears everything from here on.
    pub fn open() -> io::Result<Self> {
        let everything = i32::from((libc::ETH_P_ALL as u16).to_be());
        // SAFETY: no pointers; the result is checked.
        let fd = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
                everything,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made and belongs to nobody else.
        let capture = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        set(&capture.0, libc::SOL_SOCKET, libc::SO_RCVBUF, &BUFFER)?;
        set(&capture.0, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)?;
        let pause = libc::timeval {
            tv_sec: 0,
            tv_usec: 50_000,
        };
        set(&capture.0, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &pause)?;
        Ok(capture)
    }

    /// The IPv4 endpoints that answered at once, with a SYN-ACK or a reset, a SYN that left while this listened, and when, until
    /// `stop` is set and nothing more comes. A SYN-ACK that a server repeats may find nobody any more who waits for it.
    pub fn answers_until(&self, stop: &AtomicBool) -> io::Result<Vec<(SocketAddrV4, Duration)>> {
        let heard = self.until(stop, |packet, way, stamp| {
            let exchange = match way {
                Way::Out => is_syn(packet).then(|| asked(packet))?,
                Way::In => answered(packet),
            };
            Some((way, exchange?, stamp))
        })?;
        let mut syns = HashMap::new();
        let mut answers = Vec::new();
        for (way, exchange, stamp) in heard {
            match (way, syns.get(&exchange)) {
                (Way::Out, _) => {
                    syns.insert(exchange, stamp);
                }
                (Way::In, Some(left)) if stamp.saturating_sub(*left) < AT_ONCE => {
                    answers.push((exchange.endpoint, stamp));
                }
                (Way::In, _) => {}
            }
        }
        Ok(answers)
    }

    fn until<T>(
        &self,
        stop: &AtomicBool,
        wanted: impl Fn(&[u8], Way, Duration) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        loop {
            match self.next(&wanted) {
                Ok(packet) => found.extend(packet),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stop.load(Ordering::Relaxed) {
                        return Ok(found);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What is wanted of the next packet.
    fn next<T>(&self, wanted: impl Fn(&[u8], Way, Duration) -> Option<T>) -> io::Result<Option<T>> {
        let mut bytes = [0_u8; 128];
        let mut control = [0_u64; 16];
        // SAFETY: all-zero bytes are valid values of these structs of integers and null pointers.
        let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) =
            unsafe { std::mem::zeroed() };
        let mut part = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: every pointer in `message` is to a live local of the length that is given with it.
        let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let packet = &bytes[..length.min(bytes.len())];
        let way = match from.sll_pkttype {
            libc::PACKET_OUTGOING => Way::Out,
            _ => Way::In,
        };
        // SAFETY: `message` was filled by recvmsg and its control buffer is alive.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        if header.is_null() {
            return Err(io::Error::other("a packet without a stamp"));
        }
        // SAFETY: the one control message that was asked for carries a timespec.
        let stamp: libc::timespec =
            unsafe { std::ptr::read_unaligned(libc::CMSG_DATA(header).cast()) };
        let stamp = Duration::new(stamp.tv_sec as u64, stamp.tv_nsec as u32);
        Ok(wanted(packet, way, stamp))
    }
}

/// Sets an option of a socket.
pub(super) fn set<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    // SAFETY: `value` is readable for the length that is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether a packet leaves or comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Out,
    In,
}

/// What a SYN and its answer have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Exchange {
    endpoint: SocketAddrV4,
    our_port: u16,
    /// What the answer acknowledges.
    number: u32,
}

/// What an IPv4 SYN asks for.
fn asked(packet: &[u8]) -> Option<Exchange> {
    let tcp = packet.get(usize::from(packet.first()? & 15) * 4..)?;
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some(Exchange {
        endpoint: SocketAddrV4::new(address.into(), short(tcp, 2)?),
        our_port: short(tcp, 0)?,
        number: long(tcp, 4)?.wrapping_add(1),
    })
}

/// What an IPv4 SYN-ACK or reset answers.
fn answered(packet: &[u8]) -> Option<Exchange> {
    let tcp = packet.get(usize::from(packet.first()? & 15) * 4..)?;
    let flags = tcp.get(13)?;
    let is_answer = packet.first()? >> 4 == 4
        && packet.get(9) == Some(&6)
        && (flags & 0x12 == 0x12 || flags & 4 != 0);
    let address: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    is_answer.then_some(Exchange {
        endpoint: SocketAddrV4::new(address.into(), short(tcp, 0)?),
        our_port: short(tcp, 2)?,
        number: long(tcp, 8)?,
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// IPv4, TCP, SYN without ACK.
fn is_syn(packet: &[u8]) -> bool {
    let header = packet
        .first()
        .map_or(0, |first| usize::from(first & 15) * 4);
    let flags = packet.get(header + 13).copied().unwrap_or(0);
    packet.first().is_some_and(|first| first >> 4 == 4)
        && packet.get(9) == Some(&6)
        && flags & 0x12 == 2
}
