//! The SYN: crafted once per address family with pnet, then patched per probe.
//!
//! It looks like the SYN that this kernel's `connect()` sends (same options in the same order, window, hop limit, DF), so
//! that a filter which dislikes odd SYNs treats raw and connect mode alike. A bare SYN loses about 2 % of the listening hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{Ipv4Flags, MutableIpv4Packet};
use pnet::packet::ipv6::MutableIpv6Packet;
use pnet::packet::tcp::{MutableTcpPacket, TcpFlags, TcpOption};

use super::checksum::Sum;

/// Length of the IPv4 SYN: 20 bytes of header, 40 of TCP.
pub const LENGTH_V4: usize = 60;
/// Length of the IPv6 SYN: 40 bytes of header, 40 of TCP.
pub const LENGTH_V6: usize = 80;

const TCP_LENGTH: u16 = 40;
const TCP: u8 = 6;
/// Kernel constants: `TCP_MIN_MSS`-like floor of an advertised MSS (`min_adv_mss`), and the largest one there is.
const LEAST_MSS: u16 = 256;
/// The first window that the kernel offers is at most this, rounded down to whole segments (`tcp_select_initial_window`).
const WINDOW_ROOM: u16 = 65535;

/// What is the same in all SYNs of a scan: taken from the kernel's settings, so that we look like `connect()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SynShape {
    /// IPv4 TTL and IPv6 hop limit.
    pub hop_limit: u8,
    /// Shift count of the window-scale option.
    pub window_scale: u8,
    /// Added to the milliseconds of the timestamp option, as the kernel does (RFC 7323, 5.4).
    pub timestamp_offset: u32,
}

/// What differs between two SYNs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Syn<A> {
    pub source: A,
    pub target: A,
    pub source_port: u16,
    pub target_port: u16,
    pub sequence: u32,
    /// Milliseconds on any clock; the shape's offset is added.
    pub timestamp: u32,
    /// IPv4 identification; IPv6 has none.
    pub identification: u16,
    /// MTU of the route in bytes: it decides the MSS option and the window.
    pub mtu: u32,
}

/// The crafted SYNs, every per-probe field zero, with the sums that their checksums start from.
///
/// Patching follows RFC 1624 (equation 3, HC' = ~(~HC + ~m + m')) with every m = 0: the kept sums are ~HC, and only the
/// words that a probe sets are added.
#[derive(Clone, Debug)]
pub struct SynTemplate {
    v4: [u8; LENGTH_V4],
    v6: [u8; LENGTH_V6],
    header_sum_v4: Sum,
    /// The constant part of a TCP checksum: the same for both families, as both pseudo headers add protocol and length.
    segment_sum: Sum,
    timestamp_offset: u32,
}

impl SynTemplate {
    /// Crafts both templates.
    pub fn new(shape: SynShape) -> Self {
        let v4 = craft_v4(shape);
        let v6 = craft_v6(shape);
        let none = Ipv4Addr::UNSPECIFIED;
        Self {
            header_sum_v4: Sum::default().bytes(&v4[..20]),
            segment_sum: Sum::default()
                .bytes(&v4[20..])
                .pseudo_v4(none, none, TCP, TCP_LENGTH),
            timestamp_offset: shape.timestamp_offset,
            v4,
            v6,
        }
    }

    /// Writes the SYN into `out`, which may hold anything before.
    pub fn patch_v4(&self, out: &mut [u8; LENGTH_V4], syn: &Syn<Ipv4Addr>) {
        *out = self.v4;
        let checksum = self
            .header_sum_v4
            .word(syn.identification)
            .long(syn.source.to_bits())
            .long(syn.target.to_bits())
            .finish();
        out[4..6].copy_from_slice(&syn.identification.to_be_bytes());
        out[10..12].copy_from_slice(&checksum.to_be_bytes());
        out[12..16].copy_from_slice(&syn.source.octets());
        out[16..20].copy_from_slice(&syn.target.octets());
        let addresses = Sum::default()
            .long(syn.source.to_bits())
            .long(syn.target.to_bits());
        let (_, segment) = out.split_at_mut(20);
        self.patch_segment(segment, syn, addresses, 40);
    }

    /// Writes the SYN into `out`, which may hold anything before.
    pub fn patch_v6(&self, out: &mut [u8; LENGTH_V6], syn: &Syn<Ipv6Addr>) {
        *out = self.v6;
        out[8..24].copy_from_slice(&syn.source.octets());
        out[24..40].copy_from_slice(&syn.target.octets());
        let addresses = Sum::default().bytes(&out[8..40]);
        let (_, segment) = out.split_at_mut(40);
        self.patch_segment(segment, syn, addresses, 60);
    }

    fn patch_segment<A>(&self, segment: &mut [u8], syn: &Syn<A>, addresses: Sum, headers: u32) {
        let mss = advertised_mss(syn.mtu, headers);
        let window = WINDOW_ROOM / mss * mss;
        let timestamp = syn.timestamp.wrapping_add(self.timestamp_offset);
        // Every field starts at an even offset, so each is added as the words that it is.
        let mut sum = self.segment_sum;
        for part in [
            (u32::from(syn.source_port) << 16) | u32::from(syn.target_port),
            syn.sequence,
            u32::from(window),
            u32::from(mss),
            timestamp,
        ] {
            sum = sum.long(part);
        }
        let checksum = sum.plus(addresses).finish();
        segment[0..2].copy_from_slice(&syn.source_port.to_be_bytes());
        segment[2..4].copy_from_slice(&syn.target_port.to_be_bytes());
        segment[4..8].copy_from_slice(&syn.sequence.to_be_bytes());
        segment[14..16].copy_from_slice(&window.to_be_bytes());
        segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        segment[22..24].copy_from_slice(&mss.to_be_bytes());
        segment[28..32].copy_from_slice(&timestamp.to_be_bytes());
    }
}

/// The MSS that the kernel advertises on a route of this MTU (`ipv4_default_advmss`, `ip6_default_advmss`).
fn advertised_mss(mtu: u32, headers: u32) -> u16 {
    let room = mtu.min(u32::from(u16::MAX) + 1).saturating_sub(headers);
    // IPv4 packets end at 65,535 bytes; for IPv6 on loopback the kernel counts the MTU of 65,536 in full.
    let most = if headers == 40 { 65495 } else { 65476 };
    u16::try_from(room).unwrap_or(most).clamp(LEAST_MSS, most)
}

fn craft_v4(shape: SynShape) -> [u8; LENGTH_V4] {
    let mut bytes = [0; LENGTH_V4];
    if let Some(mut ip) = MutableIpv4Packet::new(&mut bytes) {
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_total_length(LENGTH_V4 as u16);
        ip.set_flags(Ipv4Flags::DontFragment);
        ip.set_ttl(shape.hop_limit);
        ip.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
    }
    craft_segment(&mut bytes[20..], shape);
    bytes
}

fn craft_v6(shape: SynShape) -> [u8; LENGTH_V6] {
    let mut bytes = [0; LENGTH_V6];
    if let Some(mut ip) = MutableIpv6Packet::new(&mut bytes) {
        ip.set_version(6);
        ip.set_payload_length(TCP_LENGTH);
        ip.set_next_header(IpNextHeaderProtocols::Tcp);
        ip.set_hop_limit(shape.hop_limit);
    }
    craft_segment(&mut bytes[40..], shape);
    bytes
}

/// Options in the kernel's order, which also keeps the per-probe values at even offsets: MSS, SACK permitted, timestamps,
/// NOP, window scale.
fn craft_segment(bytes: &mut [u8], shape: SynShape) {
    if let Some(mut tcp) = MutableTcpPacket::new(bytes) {
        tcp.set_data_offset(10);
        tcp.set_flags(TcpFlags::SYN);
        tcp.set_options(&[
            TcpOption::mss(0),
            TcpOption::sack_perm(),
            TcpOption::timestamp(0, 0),
            TcpOption::nop(),
            TcpOption::wscale(shape.window_scale),
        ]);
    }
}

/// The same SYN for either family, where the family is known only at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SynBytes {
    V4([u8; LENGTH_V4]),
    V6([u8; LENGTH_V6]),
}

impl SynTemplate {
    /// One SYN as a value; `None` when source and target are of different families.
    pub fn syn(&self, syn: &Syn<IpAddr>) -> Option<SynBytes> {
        match (syn.source, syn.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let mut out = [0; LENGTH_V4];
                self.patch_v4(&mut out, &syn.between(source, target));
                Some(SynBytes::V4(out))
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let mut out = [0; LENGTH_V6];
                self.patch_v6(&mut out, &syn.between(source, target));
                Some(SynBytes::V6(out))
            }
            _ => None,
        }
    }
}

impl SynBytes {
    /// The packet, from its IP header.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

impl<A> Syn<A> {
    /// The same SYN between other addresses.
    pub fn between<B>(&self, source: B, target: B) -> Syn<B> {
        Syn {
            source,
            target,
            source_port: self.source_port,
            target_port: self.target_port,
            sequence: self.sequence,
            timestamp: self.timestamp,
            identification: self.identification,
            mtu: self.mtu,
        }
    }
}
