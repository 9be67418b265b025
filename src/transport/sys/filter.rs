//! The kernel-side filter of a packet socket: classic BPF that starts at the IP header (SOCK_DGRAM strips the link header).
//!
//! It only spares the ring; the receiver decides. So everything that *could* be an answer passes.

use std::io;
use std::os::fd::BorrowedFd;

use super::super::raw::Family;
use super::packet_option;

const ACCEPT: u32 = 0x0004_0000;
/// Ancillary data: the packet type (linux/filter.h, SKF_AD_OFF + SKF_AD_PKTTYPE).
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
const TO_THIS_HOST: u32 = 0;
/// The last of the types that are for us: to this host, to everybody, to a group.
const TO_A_GROUP: u32 = 2;

const LOAD_WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const LOAD_HALF_AT_X: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LOAD_BYTE_AT_X: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_IND;
/// X = 4 * (low nibble of a byte): the length of an IPv4 header.
const LOAD_HEADER_LENGTH: u32 = libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_ABOVE: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
const IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const IF_ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

/// Attaches the filter for answers to `ports` (first and last) and locks it: nobody can take it off again, not even we.
pub(super) fn attach(socket: BorrowedFd<'_>, family: Family, ports: (u16, u16)) -> io::Result<()> {
    put_on(
        socket,
        match family {
            Family::V4 => program_v4(ports),
            Family::V6 => program_v6(ports),
        },
    )
}

/// The same for what neighbours answer: ARP replies, or neighbour advertisements.
pub(super) fn attach_neighbours(socket: BorrowedFd<'_>, family: Family) -> io::Result<()> {
    put_on(
        socket,
        match family {
            Family::V4 => program_arp(),
            Family::V6 => program_ndp(),
        },
    )
}

fn put_on(socket: BorrowedFd<'_>, mut program: Vec<libc::sock_filter>) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    // The kernel copies the program, which lives until after the call.
    packet_option::set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)?;
    packet_option::set(socket, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &1_i32)
}

fn program_v4((first, last): (u16, u16)) -> Vec<libc::sock_filter> {
    vec![
        /*  0 */ step(LOAD_WORD, PACKET_TYPE),
        /*  1 */ jump(IF_EQUAL, TO_THIS_HOST, 0, 14),
        /*  2 */ step(LOAD_BYTE, 9),
        /*  3 */ jump(IF_EQUAL, 6, 0, 6),
        // TCP. Later fragments have no ports and are no use; a first one is a hint.
        /*  4 */
        step(LOAD_HALF, 6),
        /*  5 */ jump(IF_ANY_BIT, 0x1fff, 10, 0),
        /*  6 */ step(LOAD_HEADER_LENGTH, 0),
        /*  7 */ step(LOAD_HALF_AT_X, 2),
        /*  8 */ jump(IF_AT_LEAST, u32::from(first), 0, 7),
        /*  9 */ jump(IF_ABOVE, u32::from(last), 6, 7),
        /* 10 */ jump(IF_EQUAL, 1, 0, 5),
        // ICMP: the three kinds of errors that can be evidence.
        /* 11 */
        step(LOAD_HEADER_LENGTH, 0),
        /* 12 */ step(LOAD_BYTE_AT_X, 0),
        /* 13 */ jump(IF_EQUAL, 3, 3, 0),
        /* 14 */ jump(IF_EQUAL, 11, 2, 0),
        /* 15 */ jump(IF_EQUAL, 12, 1, 0),
        /* 16 */ step(RETURN, 0),
        /* 17 */ step(RETURN, ACCEPT),
    ]
}

fn program_v6((first, last): (u16, u16)) -> Vec<libc::sock_filter> {
    vec![
        /*  0 */ step(LOAD_WORD, PACKET_TYPE),
        /*  1 */ jump(IF_EQUAL, TO_THIS_HOST, 0, 16),
        /*  2 */ step(LOAD_BYTE, 6),
        /*  3 */ jump(IF_EQUAL, 6, 0, 3),
        /*  4 */ step(LOAD_HALF, 42),
        /*  5 */ jump(IF_AT_LEAST, u32::from(first), 0, 12),
        /*  6 */ jump(IF_ABOVE, u32::from(last), 11, 12),
        /*  7 */ jump(IF_EQUAL, 58, 0, 4),
        /*  8 */ step(LOAD_BYTE, 40),
        /*  9 */ jump(IF_EQUAL, 1, 9, 0),
        /* 10 */ jump(IF_EQUAL, 3, 8, 0),
        /* 11 */ jump(IF_EQUAL, 4, 7, 6),
        // Extension headers hide what follows (hop-by-hop, routing, fragment, authentication, destination options): the
        // receiver walks them.
        /* 12 */
        jump(IF_EQUAL, 0, 6, 0),
        /* 13 */ jump(IF_EQUAL, 43, 5, 0),
        /* 14 */ jump(IF_EQUAL, 44, 4, 0),
        /* 15 */ jump(IF_EQUAL, 51, 3, 0),
        /* 16 */ jump(IF_EQUAL, 60, 2, 0),
        /* 17 */ step(RETURN, 0),
        /* 18 */ step(RETURN, 0),
        /* 19 */ step(RETURN, ACCEPT),
    ]
}

/// Hosts that gave themselves a link-local address answer everybody (RFC 3927, 2.5).
fn program_arp() -> Vec<libc::sock_filter> {
    vec![
        /* 0 */ step(LOAD_WORD, PACKET_TYPE),
        /* 1 */ jump(IF_ABOVE, TO_A_GROUP, 2, 0),
        /* 2 */ step(LOAD_HALF, 6),
        /* 3 */ jump(IF_EQUAL, 2, 1, 0),
        /* 4 */ step(RETURN, 0),
        /* 5 */ step(RETURN, ACCEPT),
    ]
}

/// Nobody puts extension headers before an advertisement, and nobody has to take one that has them.
fn program_ndp() -> Vec<libc::sock_filter> {
    vec![
        /* 0 */ step(LOAD_WORD, PACKET_TYPE),
        /* 1 */ jump(IF_ABOVE, TO_A_GROUP, 4, 0),
        /* 2 */ step(LOAD_BYTE, 6),
        /* 3 */ jump(IF_EQUAL, 58, 0, 2),
        /* 4 */ step(LOAD_BYTE, 40),
        /* 5 */ jump(IF_EQUAL, 136, 1, 0),
        /* 6 */ step(RETURN, 0),
        /* 7 */ step(RETURN, ACCEPT),
    ]
}

fn step(code: u32, value: u32) -> libc::sock_filter {
    jump(code, value, 0, 0)
}

/// Opcodes fit into 16 bits by definition.
fn jump(code: u32, value: u32, when_true: u8, when_false: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: when_true,
        jf: when_false,
        k: value,
    }
}

#[cfg(test)]
mod tests;
