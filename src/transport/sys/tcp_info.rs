//! What the kernel knows of a TCP connection (TCP_INFO; struct tcp_info in linux/tcp.h, which only ever grows).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// TCP states of net/tcp_states.h, as far as an attempt needs them apart.
pub(crate) const SYN_SENT: u8 = 2;
pub(crate) const SYN_RECV: u8 = 3;
pub(crate) const CLOSE: u8 = 7;

/// The fields that verdicts are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TcpInfo {
    pub state: u8,
    /// The options that the peer agreed to (TCPI_OPT_*): timestamps, SACK, window scale.
    pub options: u8,
    /// The scale of the peer's window.
    pub snd_wscale: u8,
    /// Segments repeated and not yet acknowledged: 0 as long as every repeat was refused by our own side.
    pub retrans: u32,
    /// Repeats that were tried, whether or not they left.
    pub total_retrans: u32,
    /// Sequence numbers acknowledged, our SYN included.
    pub bytes_acked: u64,
    /// Segments that reached this socket.
    pub segs_in: u32,
    /// Those of them that carried data.
    pub data_segs_in: u32,
    /// The peer's window, scaled; `None` before Linux 5.4.
    pub snd_wnd: Option<u32>,
}

/// Where struct tcp_info ends for us: past tcpi_snd_wnd.
const LENGTH: usize = 232;

/// Reads TCP_INFO.
///
/// # Errors
/// What getsockopt(2) reports, and `InvalidData` from a kernel so old that it lacks the segment counters (before 4.6).
pub(crate) fn read(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    let mut bytes = [0_u8; LENGTH];
    let mut length = LENGTH as libc::socklen_t;
    // SAFETY: `bytes` is writable for `length` bytes, and the kernel writes at most that many and stores how many.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_TCP,
            libc::TCP_INFO,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let filled = bytes.get(..length as usize).unwrap_or(&bytes);
    parse(filled).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The first field of four bits of a byte, as C lays them out: tcpi_snd_wscale and tcpi_rcv_wscale share one.
fn first_bit_field(byte: u8) -> u8 {
    if cfg!(target_endian = "little") {
        byte & 0x0f
    } else {
        byte >> 4
    }
}

fn parse(bytes: &[u8]) -> Option<TcpInfo> {
    let short = |at: usize| {
        bytes
            .get(at..)?
            .first_chunk()
            .copied()
            .map(u32::from_ne_bytes)
    };
    let long = |at: usize| {
        bytes
            .get(at..)?
            .first_chunk()
            .copied()
            .map(u64::from_ne_bytes)
    };
    Some(TcpInfo {
        state: *bytes.first()?,
        options: *bytes.get(5)?,
        snd_wscale: first_bit_field(*bytes.get(6)?),
        retrans: short(36)?,
        total_retrans: short(100)?,
        bytes_acked: long(120)?,
        segs_in: short(140)?,
        data_segs_in: short(152)?,
        snd_wnd: short(228),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// struct tcp_info with one field set, as the kernel would lay it out.
    fn with(at: usize, value: &[u8]) -> TcpInfo {
        let mut bytes = [0; LENGTH];
        bytes[at..at + value.len()].copy_from_slice(value);
        parse(&bytes).expect("whole")
    }

    #[test]
    fn fields_are_where_the_libc_header_has_them() {
        use std::mem::offset_of;
        assert_eq!(offset_of!(libc::tcp_info, tcpi_options), 5);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_retrans), 36);
        assert_eq!(offset_of!(libc::tcp_info, tcpi_total_retrans), 100);
        assert_eq!(with(36, &7_u32.to_ne_bytes()).retrans, 7);
        assert_eq!(with(120, &7_u64.to_ne_bytes()).bytes_acked, 7);
        assert_eq!(with(228, &7_u32.to_ne_bytes()).snd_wnd, Some(7));
    }

    #[test]
    fn a_shorter_struct_of_an_older_kernel_has_no_window_and_a_stump_is_refused() {
        assert_eq!(parse(&[1; 192]).expect("5.3").snd_wnd, None);
        assert_eq!(parse(&[1; 104]), None);
        assert_eq!(parse(&[]), None);
    }
}
