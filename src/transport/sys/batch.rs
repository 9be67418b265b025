//! Many packets in one system call, by raw IP sockets or by a packet socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Packets of one length for one socket, with where each goes.
pub(crate) struct Batch<const LENGTH: usize, Name> {
    /// The first of them, as many as there are names, are in the batch; the others are room.
    packets: Vec<[u8; LENGTH]>,
    names: Vec<Name>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

pub(crate) type BatchV4 = Batch<60, libc::sockaddr_in>;
pub(crate) type BatchV6 = Batch<80, libc::sockaddr_in6>;

/// The same packets for a packet socket (SOCK_DGRAM), which puts the link's header before them.
pub(crate) type FramesV4 = Batch<60, libc::sockaddr_ll>;
pub(crate) type FramesV6 = Batch<80, libc::sockaddr_ll>;

/// Where a frame goes: by which interface, to which Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LinkPlace {
    pub(crate) interface: u32,
    pub(crate) hardware: [u8; 6],
}

impl FramesV4 {
    /// The place to write the packet to, which may hold anything before.
    pub(crate) fn push(&mut self, to: LinkPlace) -> &mut [u8; 60] {
        self.push_to(to.name(libc::ETH_P_IP))
    }
}

impl FramesV6 {
    /// The place to write the packet to, which may hold anything before.
    pub(crate) fn push(&mut self, to: LinkPlace) -> &mut [u8; 80] {
        self.push_to(to.name(libc::ETH_P_IPV6))
    }
}

impl LinkPlace {
    pub(super) fn name(self, protocol: libc::c_int) -> libc::sockaddr_ll {
        let [a, b, c, d, e, f] = self.hardware;
        libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as libc::c_ushort,
            // An EtherType has 16 bits.
            sll_protocol: (protocol as u16).to_be(),
            sll_ifindex: self.interface.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: [a, b, c, d, e, f, 0, 0],
        }
    }
}

impl BatchV4 {
    /// The place to write the packet to, which may hold anything before.
    pub(crate) fn push(&mut self, to: Ipv4Addr) -> &mut [u8; 60] {
        self.push_to(libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: to.to_bits().to_be(),
            },
            sin_zero: [0; 8],
        })
    }
}

impl BatchV6 {
    /// The place to write the packet to, which may hold anything before. `zone` is the interface index that a link-local
    /// address needs, else 0.
    pub(crate) fn push(&mut self, to: Ipv6Addr, zone: u32) -> &mut [u8; 80] {
        self.push_to(libc::sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            // For a raw socket this would be a protocol number: 0 means its own.
            sin6_port: 0,
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr {
                s6_addr: to.octets(),
            },
            sin6_scope_id: zone,
        })
    }
}

impl<const LENGTH: usize, Name> Batch<LENGTH, Name> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            packets: vec![[0; LENGTH]; capacity],
            names: Vec::with_capacity(capacity),
            vectors: Vec::with_capacity(capacity),
            headers: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn clear(&mut self) {
        self.names.clear();
    }

    /// Sends the messages from number `from` on and returns how many the kernel took, never blocking.
    ///
    /// # Errors
    /// The kernel's reason for not taking message `from`. (When it stops later, it says how many it took and keeps the
    /// reason to itself: call again *at* the message that was not taken.)
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>, from: usize) -> io::Result<usize> {
        self.vectors.clear();
        self.headers.clear();
        let held = self.names.len();
        for packet in self.packets.iter_mut().take(held).skip(from) {
            self.vectors.push(libc::iovec {
                iov_base: packet.as_mut_ptr().cast(),
                iov_len: LENGTH,
            });
        }
        for (vector, name) in self
            .vectors
            .iter_mut()
            .zip(self.names.iter_mut().skip(from))
        {
            // SAFETY: all-zero bytes are a valid msghdr: null pointers with length 0.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_of::<Name>() as libc::socklen_t;
            header.msg_hdr.msg_iov = ptr::from_mut(vector);
            header.msg_hdr.msg_iovlen = 1;
            self.headers.push(header);
        }
        let count = u32::try_from(self.headers.len()).unwrap_or(u32::MAX);
        // SAFETY: `headers` holds `count` valid entries; each points to one name, vector and packet in vectors of `self`,
        // which nothing grows or moves before the call returns. The kernel writes only `msg_len`.
        let taken = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                // Signed in glibc, unsigned in musl.
                libc::MSG_DONTWAIT as _,
            )
        };
        usize::try_from(taken).map_err(|_| io::Error::last_os_error())
    }

    fn push_to(&mut self, name: Name) -> &mut [u8; LENGTH] {
        let at = self.names.len();
        if self.packets.len() == at {
            self.packets.push([0; LENGTH]);
        }
        self.names.push(name);
        &mut self.packets[at]
    }
}

// SAFETY: the pointers in `vectors` and `headers` are written anew by every `send` and read by nobody else.
unsafe impl<const LENGTH: usize, Name: Send> Send for Batch<LENGTH, Name> {}
