//! What is about to leave, and the sockets that it leaves by. They know neither probes nor time.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use super::{Family, RawConfig, SendPath, Senders};
use crate::transport::sys::batch::{BatchV4, BatchV6, FramesV4, FramesV6, LinkPlace};
use crate::transport::sys::packet_option;
use crate::wire::{Syn, SynTemplate};

/// Packets per system call: more are not faster.
pub(super) const BATCH: usize = 256;
/// Room for about 550 SYNs on their way, all senders together. More would overflow what the kernel queues per core for
/// the receiving side of loopback and veth (net.core.netdev_max_backlog, 1,000), and there they are lost without a word.
const SEND_BUFFER: usize = 212_992;

/// A packet, not written yet, and how it goes.
pub(super) enum Packet {
    V4(Syn<Ipv4Addr>),
    /// With the zone of a link-local address, else 0.
    V6(Syn<Ipv6Addr>, u32),
    FrameV4(Syn<Ipv4Addr>, LinkPlace),
    FrameV6(Syn<Ipv6Addr>, LinkPlace),
}

/// Packets of one way out, in order: they are sent before a packet of another way is put in.
pub(super) struct Outbox {
    way: Way,
    v4: BatchV4,
    v6: BatchV6,
    frames_v4: FramesV4,
    frames_v6: FramesV6,
}

/// The sockets. What none was opened for is refused as unsupported.
pub(super) struct Exits {
    v4: Option<OwnedFd>,
    v6: Option<OwnedFd>,
    /// A packet socket that receives nothing.
    link: Option<OwnedFd>,
}

/// The kind of packet that an outbox holds at present.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    V4,
    V6,
    FrameV4,
    FrameV6,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            way: Way::V4,
            v4: BatchV4::with_capacity(BATCH),
            v6: BatchV6::with_capacity(BATCH),
            frames_v4: FramesV4::with_capacity(BATCH),
            frames_v6: FramesV6::with_capacity(BATCH),
        }
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

    /// Writes one in; the caller has asked for room.
    pub(super) fn push(&mut self, packet: &Packet, template: &SynTemplate) {
        self.way = packet.way();
        match packet {
            Packet::V4(syn) => template.patch_v4(self.v4.push(syn.target), syn),
            Packet::V6(syn, zone) => template.patch_v6(self.v6.push(syn.target, *zone), syn),
            Packet::FrameV4(syn, to) => template.patch_v4(self.frames_v4.push(*to), syn),
            Packet::FrameV6(syn, to) => template.patch_v6(self.frames_v6.push(*to), syn),
        }
    }

    pub(super) fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
        self.frames_v4.clear();
        self.frames_v6.clear();
    }
}

/// How far an outbox got.
pub(super) enum Sent {
    All,
    /// The kernel has no room at present for the packet of this number.
    NoRoom(usize),
}

impl Exits {
    /// Sockets for packets that stay in the kernel until their neighbour is resolved.
    pub(super) fn for_scouts(config: &RawConfig) -> io::Result<Self> {
        let (mut v4, mut v6) = (None, None);
        for family in config.families.list() {
            let socket = raw_socket(*family, config.interface, SEND_BUFFER)?;
            match family {
                Family::V4 => v4 = Some(socket),
                Family::V6 => v6 = Some(socket),
            }
        }
        let link = None;
        Ok(Self { v4, v6, link })
    }

    pub(super) fn open(config: &RawConfig) -> io::Result<Self> {
        let (mut v4, mut v6) = (None, None);
        let buffer = match config.senders {
            Senders::One => SEND_BUFFER,
            Senders::Two => SEND_BUFFER / 2,
        };
        for family in config.families.list() {
            let socket = raw_socket(*family, config.interface, buffer)?;
            match family {
                Family::V4 => v4 = Some(socket),
                Family::V6 => v6 = Some(socket),
            }
        }
        let link = match config.path {
            SendPath::Ip => None,
            SendPath::Frame | SendPath::ForceFrame => Some(packet_socket(buffer)?),
        };
        Ok(Self { v4, v6, link })
    }

    /// Sends the packets from number `from` on until the kernel has no room. `left` hears how many it took, `refused` the
    /// number of each that it will not have at all, with the reason.
    pub(super) fn send(
        &self,
        outbox: &mut Outbox,
        from: usize,
        mut left: impl FnMut(usize),
        mut refused: impl FnMut(usize, &io::Error),
    ) -> Sent {
        let mut done = from;
        while done < outbox.len() {
            match self.send_some(outbox, done) {
                Ok(0) => return Sent::NoRoom(done),
                Ok(taken) => {
                    left(taken);
                    done += taken;
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // `libc::EWOULDBLOCK` is the same number. Never a verdict: they are offered again.
                    Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => {
                        self.drain_errors();
                        return Sent::NoRoom(done);
                    }
                    _ => {
                        self.drain_errors();
                        refused(done, &error);
                        done += 1;
                    }
                },
            }
        }
        Sent::All
    }

    fn send_some(&self, outbox: &mut Outbox, from: usize) -> io::Result<usize> {
        match (outbox.way, &self.v4, &self.v6, &self.link) {
            (Way::V4, Some(socket), ..) => outbox.v4.send(socket.as_fd(), from),
            (Way::V6, _, Some(socket), _) => outbox.v6.send(socket.as_fd(), from),
            (Way::FrameV4, .., Some(socket)) => outbox.frames_v4.send(socket.as_fd(), from),
            (Way::FrameV6, .., Some(socket)) => outbox.frames_v6.send(socket.as_fd(), from),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Throws away what the kernel queued about failures: each was already returned by the call.
    fn drain_errors(&self) {
        for socket in self.v4.iter().chain(&self.v6) {
            packet_option::drain_error_queue(socket.as_fd(), BATCH);
        }
    }
}

impl Packet {
    /// The same packet as a frame.
    pub(super) fn to(self, link: LinkPlace) -> Self {
        match self {
            Self::V4(syn) | Self::FrameV4(syn, _) => Self::FrameV4(syn, link),
            Self::V6(syn, _) | Self::FrameV6(syn, _) => Self::FrameV6(syn, link),
        }
    }

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
fn raw_socket(family: Family, interface: Option<u32>, buffer: usize) -> io::Result<OwnedFd> {
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
    set_socket_send_buffer_size(&socket, buffer)?;
    if let Some(interface) = interface {
        packet_option::bind_to_index(socket.as_fd(), interface)?;
    }
    Ok(socket)
}

/// The device makes the header from the neighbour's address, so that its own address and its kind are not our business. Nothing
/// is ever received. Queueing disciplines stay in force (no PACKET_QDISC_BYPASS): what has no room is told as ENOBUFS.
fn packet_socket(buffer: usize) -> io::Result<OwnedFd> {
    let socket = packet_option::packet_socket()?;
    set_socket_send_buffer_size(&socket, buffer)?;
    Ok(socket)
}
