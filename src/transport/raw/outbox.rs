//! What is about to leave: packets of one way out, in order, and the sockets that they leave by. It knows neither probes nor
//! time.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use super::{Family, RawConfig, SendPath};
use crate::transport::sys::batch::{BatchV4, BatchV6, FramesV4, FramesV6, LinkPlace};
use crate::transport::sys::packet_option;
use crate::wire::syn::{LENGTH_V4, LENGTH_V6};

/// Packets per system call: more are not faster.
pub(super) const BATCH: usize = 256;
/// Room for about 1,000 SYNs in a device's queue.
const SEND_BUFFER: usize = 1 << 20;

/// A packet and where it goes.
pub(super) enum Packet {
    V4([u8; LENGTH_V4], Ipv4Addr),
    /// With the zone of a link-local address, else 0.
    V6([u8; LENGTH_V6], Ipv6Addr, u32),
    FrameV4([u8; LENGTH_V4], LinkPlace),
    FrameV6([u8; LENGTH_V6], LinkPlace),
}

/// One way out at a time: a batch is sent before a packet of another way is put in.
pub(super) struct Outbox {
    /// What no socket was opened for has `None`: such a packet is refused as unsupported.
    socket_v4: Option<OwnedFd>,
    socket_v6: Option<OwnedFd>,
    /// A packet socket that receives nothing.
    link: Option<OwnedFd>,
    way: Way,
    v4: BatchV4,
    v6: BatchV6,
    frames_v4: FramesV4,
    frames_v6: FramesV6,
}

/// The kind of packet that the outbox holds at present.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    V4,
    V6,
    FrameV4,
    FrameV6,
}

impl Outbox {
    pub(super) fn open(config: &RawConfig) -> io::Result<Self> {
        let (mut socket_v4, mut socket_v6) = (None, None);
        for family in config.families.list() {
            let socket = raw_socket(*family, config.interface)?;
            match family {
                Family::V4 => socket_v4 = Some(socket),
                Family::V6 => socket_v6 = Some(socket),
            }
        }
        Ok(Self {
            socket_v4,
            socket_v6,
            link: match config.path {
                SendPath::Ip => None,
                SendPath::Frame | SendPath::ForceFrame => Some(packet_socket()?),
            },
            way: Way::V4,
            v4: BatchV4::with_capacity(BATCH),
            v6: BatchV6::with_capacity(BATCH),
            frames_v4: FramesV4::with_capacity(BATCH),
            frames_v6: FramesV6::with_capacity(BATCH),
        })
    }

    pub(super) fn len(&self) -> usize {
        match self.way {
            Way::V4 => self.v4.len(),
            Way::V6 => self.v6.len(),
            Way::FrameV4 => self.frames_v4.len(),
            Way::FrameV6 => self.frames_v6.len(),
        }
    }

    /// Whether `packet` may be put in before what is there is sent.
    pub(super) fn has_room_for(&self, packet: &Packet) -> bool {
        let held = self.len();
        held == 0 || held < BATCH && self.way == packet.way()
    }

    /// Puts one in; the caller has asked for room.
    pub(super) fn push(&mut self, packet: Packet) {
        self.way = packet.way();
        match packet {
            Packet::V4(bytes, to) => self.v4.push(bytes, to),
            Packet::V6(bytes, to, zone) => self.v6.push(bytes, to, zone),
            Packet::FrameV4(bytes, to) => self.frames_v4.push(bytes, to),
            Packet::FrameV6(bytes, to) => self.frames_v6.push(bytes, to),
        }
    }

    /// Sends the packets from number `from` on, and returns how many the kernel took.
    ///
    /// # Errors
    /// The kernel's reason for not taking packet `from`.
    pub(super) fn send(&mut self, from: usize) -> io::Result<usize> {
        match (self.way, &self.socket_v4, &self.socket_v6, &self.link) {
            (Way::V4, Some(socket), ..) => self.v4.send(socket.as_fd(), from),
            (Way::V6, _, Some(socket), _) => self.v6.send(socket.as_fd(), from),
            (Way::FrameV4, .., Some(socket)) => self.frames_v4.send(socket.as_fd(), from),
            (Way::FrameV6, .., Some(socket)) => self.frames_v6.send(socket.as_fd(), from),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
        self.frames_v4.clear();
        self.frames_v6.clear();
    }

    /// Throws away what the kernel queued about failures: each was already returned by [`send`](Self::send).
    pub(super) fn drain_errors(&self) {
        for socket in self.socket_v4.iter().chain(&self.socket_v6) {
            packet_option::drain_error_queue(socket.as_fd(), BATCH);
        }
    }
}

impl Packet {
    fn way(&self) -> Way {
        match self {
            Self::V4(..) => Way::V4,
            Self::V6(..) => Way::V6,
            Self::FrameV4(..) => Way::FrameV4,
            Self::FrameV6(..) => Way::FrameV6,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
fn raw_socket(family: Family, interface: Option<u32>) -> io::Result<OwnedFd> {
    let domain = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    // IPPROTO_RAW implies that we bring the IP header, for both families; such a socket never receives.
    let socket = socket_with(
        domain,
        SocketType::RAW,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(ipproto::RAW),
    )?;
    packet_option::report_errors(socket.as_fd(), family)?;
    // The kernel cuts it down to net.core.wmem_max by itself.
    set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    if let Some(interface) = interface {
        packet_option::bind_to_index(socket.as_fd(), interface)?;
    }
    Ok(socket)
}

/// SOCK_DGRAM: the device makes its own header from the neighbour's address, so that its own address and its kind are
/// not our business. Queueing disciplines stay in force (no PACKET_QDISC_BYPASS): what has no room is told as ENOBUFS.
#[expect(clippy::disallowed_methods, reason = "R1: this is transport/")]
fn packet_socket() -> io::Result<OwnedFd> {
    // Protocol 0: nothing is ever received.
    let socket = socket_with(
        AddressFamily::PACKET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    Ok(socket)
}
