//! Every SYN that leaves by a device, with the time at which it did: a ring of the kernel's that has room for a whole scan, so
//! that nobody need read while it runs, however busy the machine is. What had no room is counted, and there must be none.
#![allow(unsafe_code)]
#![allow(
    dead_code,
    reason = "the other binaries that hold the lab record nothing"
)]

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::capture::set;

/// Of a packet its headers are kept, behind those of the ring.
const FRAME: usize = 256;
const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 32;
const SIZE: usize = BLOCK * BLOCKS;

/// A ring that hears what leaves this namespace.
#[derive(Debug)]
pub struct Recording {
    socket: OwnedFd,
    ring: *mut u8,
}

impl Recording {
    /// Hears everything from here on.
    pub fn start() -> io::Result<Self> {
        let everything = i32::from((libc::ETH_P_ALL as u16).to_be());
        // No protocol: nothing is heard before there is a ring.
        // SAFETY: no pointers; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor that was just made and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        // The stamp is that of the moment at which a packet is given to its device.
        set(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)?;
        let ring = libc::tpacket_req {
            tp_block_size: BLOCK as u32,
            tp_block_nr: BLOCKS as u32,
            tp_frame_size: FRAME as u32,
            tp_frame_nr: (SIZE / FRAME) as u32,
        };
        set(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &ring)?;
        // SAFETY: a fresh mapping of the socket's ring, of the length that it was made with.
        let ring = unsafe {
            let may = libc::PROT_READ | libc::PROT_WRITE;
            let raw = socket.as_raw_fd();
            libc::mmap(std::ptr::null_mut(), SIZE, may, libc::MAP_SHARED, raw, 0)
        };
        if ring == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let recording = Self {
            socket,
            ring: ring.cast(),
        };
        recording.hear(everything)?;
        Ok(recording)
    }

    /// Whom the IPv4 SYNs asked that left so far, and when by the wall clock, in order. It ends the recording.
    ///
    /// # Errors
    /// Where a packet found no room.
    pub fn syns(self) -> io::Result<Vec<(SocketAddrV4, Duration)>> {
        let drops = self.drops()?;
        if drops > 0 {
            return Err(io::Error::other(format!("{drops} packets were not heard")));
        }
        let mut syns: Vec<_> = (0..SIZE / FRAME)
            .map_while(|number| self.frame(number))
            .flatten()
            .collect();
        syns.sort_by_key(|(_, stamp)| *stamp);
        Ok(syns)
    }

    fn hear(&self, everything: i32) -> io::Result<()> {
        // SAFETY: all-zero bytes are a valid value of this struct of integers.
        let mut place: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        place.sll_family = libc::AF_PACKET as u16;
        place.sll_protocol = everything as u16;
        // SAFETY: `place` is readable for the length that is given.
        let bound = unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                (&raw const place).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// What the next frame holds, if it is a SYN that left; `None` behind the last.
    #[expect(
        clippy::cast_ptr_alignment,
        reason = "frames begin at multiples of 256 bytes, and the kernel aligns what is in them"
    )]
    fn frame(&self, number: usize) -> Option<Option<(SocketAddrV4, Duration)>> {
        // SAFETY: the frame lies inside the mapping, which lives as long as `self`. The kernel writes no frame that it has
        // given away, and it has given this one away where its status says so.
        let (header, from, packet) = unsafe {
            let frame = self.ring.add(number * FRAME);
            let status = std::ptr::read_volatile(frame.cast::<u32>());
            if status & libc::TP_STATUS_USER == 0 {
                return None;
            }
            fence(Ordering::Acquire);
            let header: libc::tpacket2_hdr = std::ptr::read(frame.cast());
            let from: libc::sockaddr_ll =
                std::ptr::read(frame.add(size_of::<libc::tpacket2_hdr>()).cast());
            let start = usize::from(header.tp_net).min(FRAME);
            let length = (header.tp_snaplen as usize).min(FRAME - start);
            let packet = std::slice::from_raw_parts(frame.add(start), length);
            (header, from, packet)
        };
        let stamp = Duration::new(header.tp_sec.into(), header.tp_nsec);
        let leaves = from.sll_pkttype == libc::PACKET_OUTGOING;
        let asked = asked(packet).filter(|_| leaves);
        Some(asked.map(|endpoint| (endpoint, stamp)))
    }

    fn drops(&self) -> io::Result<u32> {
        let mut told = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: both pointers are to live locals, and the length is that of the first.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut told).cast(),
                &raw mut length,
            )
        };
        if result == 0 {
            Ok(told.tp_drops)
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.ring.cast(), SIZE) };
    }
}

/// Whom an IPv4 packet asks, if it is a TCP SYN without ACK.
fn asked(packet: &[u8]) -> Option<SocketAddrV4> {
    let first = packet.first()?;
    let tcp = packet.get(usize::from(first & 15) * 4..)?;
    let is_syn = first >> 4 == 4 && packet.get(9) == Some(&6) && tcp.get(13)? & 0x12 == 2;
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    let port: [u8; 2] = tcp.get(2..4)?.try_into().ok()?;
    is_syn.then(|| SocketAddrV4::new(address.into(), u16::from_be_bytes(port)))
}
