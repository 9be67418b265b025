//! A packet socket with a TPACKET_V3 ring: the kernel writes packets into blocks of shared memory and hands over whole
//! blocks (Documentation/networking/packet_mmap.rst).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::raw::Family;
use super::{filter, packet_option};
use crate::wire::ChecksumStatus;

/// Small, so that they reach the reader early, and that there are many: each answer of a trickle lies in one of its own. What
/// is longer than a block is cut; no answer is so long. The kernel takes whole pages only: see [`block_size`].
const BLOCK_SIZE: usize = 16 * 1024;
/// The size of a block where pages are larger than that (64 KiB on some ARM and POWER machines): one page.
fn block_size() -> usize {
    // SAFETY: it takes a number and gives one.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).map_or(BLOCK_SIZE, |page| BLOCK_SIZE.next_multiple_of(page.max(1)))
}

/// A block that is not full is handed over after this many milliseconds.
const RETIRE: u32 = 1;
/// Where `sockaddr_ll` lies behind a packet's header: `TPACKET_ALIGN(sizeof(struct tpacket3_hdr))`.
const LINK_ADDRESS: usize =
    size_of::<libc::tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);

/// One packet of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// From the IP header on.
    pub bytes: &'a [u8],
    pub checksum: ChecksumStatus,
    /// The kernel's wall-clock stamp, in nanoseconds since 1970.
    pub stamp: u64,
    /// Index of the interface that it came in by.
    pub interface: u32,
}

/// The reading side. Whoever holds it is the only reader.
pub(crate) struct Ring {
    socket: Arc<OwnedFd>,
    memory: NonNull<u8>,
    block_size: usize,
    blocks: usize,
    /// The block that the kernel hands over next.
    next: usize,
}

// SAFETY: the mapping belongs to this value alone, wherever it is; `memory` is used through `&mut self` only.
unsafe impl Send for Ring {}

impl Ring {
    /// Opens the socket, with the filter and the ring in place before the first packet can come in. Needs CAP_NET_RAW; what
    /// comes later needs nothing.
    ///
    /// # Errors
    /// The kernel's, EPERM above all.
    pub(crate) fn open(family: Family, ports: (u16, u16), blocks: u16) -> io::Result<Self> {
        let blocks = usize::from(blocks.max(1));
        let block_size = block_size();
        let socket = packet_option::packet_socket()?;
        let fd = socket.as_fd();
        let version = libc::tpacket_versions::TPACKET_V3 as i32;
        packet_option::set(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        filter::attach(fd, family, ports)?;
        // The filter refuses our own outgoing packets as well; this spares running it. Kernels before 4.20 lack it.
        let _ = packet_option::set(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1_i32);
        let request = libc::tpacket_req3 {
            tp_block_size: block_size as u32,
            tp_block_nr: blocks as u32,
            // Version 3 packs packets densely; the frame size must only divide the block.
            tp_frame_size: 2048,
            tp_frame_nr: (block_size / 2048 * blocks) as u32,
            tp_retire_blk_tov: RETIRE,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        packet_option::set(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                block_size * blocks,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let ring = Self {
            socket: Arc::new(socket),
            memory,
            block_size,
            blocks,
            next: 0,
        };
        let protocol = match family {
            Family::V4 => libc::ETH_P_IP,
            Family::V6 => libc::ETH_P_IPV6,
        };
        bind(ring.socket.as_fd(), protocol)?;
        Ok(ring)
    }

    /// The socket, for polling and for [`drops`].
    pub(crate) fn socket(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.socket)
    }

    /// Shows every packet of the next finished block to `visit` and gives the block back. `false`: no block is finished.
    pub(crate) fn read_block(&mut self, mut visit: impl FnMut(Frame<'_>)) -> bool {
        // SAFETY: `next` is below `blocks`, so the block lies inside the mapping, and blocks are page-aligned.
        let block = unsafe { self.memory.add(self.next * self.block_size) };
        let description = block.cast::<libc::tpacket_block_desc>();
        // SAFETY: the status word is an aligned u32 in the mapping that user and kernel share by atomic access.
        let status =
            unsafe { AtomicU32::from_ptr(&raw mut (*description.as_ptr()).hdr.bh1.block_status) };
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return false;
        }
        // SAFETY: the kernel does not write to a block while its status says USER, and `&mut self` is the only reader; the
        // slice ends before the status is given back below.
        let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), self.block_size) };
        // SAFETY: bh1 is the only variant there is, and its integers are valid whatever they are.
        let head = unsafe { ptr::read(&raw const (*description.as_ptr()).hdr.bh1) };
        let mut at = head.offset_to_first_pkt as usize;
        for _ in 0..head.num_pkts {
            let Some((frame, next)) = frame(bytes, at) else {
                break;
            };
            visit(frame);
            at = next;
        }
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
        true
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `open` with this size and no slice of it outlives `read_block`.
        unsafe {
            libc::munmap(self.memory.as_ptr().cast(), self.block_size * self.blocks);
        }
    }
}

/// Packets that the ring had no room for since the last call.
pub(crate) fn new_drops(socket: &OwnedFd) -> u64 {
    packet_option::new_drops(socket.as_fd()).map_or(0, u64::from)
}

/// Reads the packet at `at` and says where the next one is. `None` if that is not inside the block, which no kernel does.
fn frame(block: &[u8], at: usize) -> Option<(Frame<'_>, usize)> {
    let header: libc::tpacket3_hdr = read_at(block, at)?;
    let link: libc::sockaddr_ll = read_at(block, at.checked_add(LINK_ADDRESS)?)?;
    let start = at.checked_add(usize::from(header.tp_net))?;
    let bytes = block.get(start..start.checked_add(header.tp_snaplen as usize)?)?;
    let checksum = if header.tp_status & libc::TP_STATUS_CSUMNOTREADY != 0 {
        ChecksumStatus::Unfinished
    } else if header.tp_status & libc::TP_STATUS_CSUM_VALID != 0 {
        ChecksumStatus::Valid
    } else {
        ChecksumStatus::Unknown
    };
    let frame = Frame {
        bytes,
        checksum,
        stamp: u64::from(header.tp_sec) * 1_000_000_000 + u64::from(header.tp_nsec),
        interface: link.sll_ifindex.cast_unsigned(),
    };
    Some((frame, at.checked_add(header.tp_next_offset as usize)?))
}

/// Copies a C struct of integers out of `bytes`.
fn read_at<T: Plain>(bytes: &[u8], at: usize) -> Option<T> {
    let bytes = bytes.get(at..at.checked_add(size_of::<T>())?)?;
    // SAFETY: the slice is as long as `T`, the read needs no alignment, and `Plain` types are valid for any bytes.
    Some(unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// Structs of integers only.
trait Plain: Copy {}
impl Plain for libc::tpacket3_hdr {}
impl Plain for libc::sockaddr_ll {}

/// All interfaces, packets of this EtherType only (not ETH_P_ALL: no outgoing copies, no bridge ports).
pub(super) fn bind(socket: BorrowedFd<'_>, protocol: libc::c_int) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut name: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    name.sll_family = libc::AF_PACKET as u16;
    // An EtherType has 16 bits.
    name.sll_protocol = (protocol as u16).to_be();
    // SAFETY: `name` is readable for the given length during the call.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const name).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
