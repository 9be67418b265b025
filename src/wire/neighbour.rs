//! Who has this address on the link? Address resolution (ARP, RFC 826) and neighbour discovery (NDP, RFC 4861): the packets
//! behind the link's header, crafted and read with pnet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::Packet as _;
use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::EtherTypes;
use pnet::packet::icmpv6::ndp::{
    MutableNeighborSolicitPacket, NdpOption, NdpOptionTypes, NeighborAdvertFlags,
    NeighborAdvertPacket,
};
use pnet::packet::icmpv6::{Icmpv6Packet, Icmpv6Types, checksum};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet::util::MacAddr;

/// An Ethernet address.
pub type Hardware = [u8; 6];

/// Whose question it is: an address of ours and the hardware address of the interface that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asker {
    pub ip: IpAddr,
    pub hardware: Hardware,
}

/// A question, and to whom on the link it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Everybody, or for IPv6 those whose address ends like the one that is asked for.
    pub group: Hardware,
    pub packet: Vec<u8>,
}

/// A neighbour that has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    pub ip: IpAddr,
    pub hardware: Hardware,
}

/// The question for `wanted`. `None` where the two are not of one family.
pub fn question(asker: Asker, wanted: IpAddr) -> Option<Question> {
    match (asker.ip, wanted) {
        (IpAddr::V4(own), IpAddr::V4(wanted)) => arp(own, asker.hardware, wanted),
        (IpAddr::V6(own), IpAddr::V6(wanted)) => solicitation(own, asker.hardware, wanted),
        _ => None,
    }
}

/// What an ARP packet answers, if it is a reply about an address that one host can have.
pub fn read_arp(bytes: &[u8]) -> Option<Answer> {
    let packet = ArpPacket::new(bytes)?;
    let is_reply = packet.get_operation() == ArpOperations::Reply
        && packet.get_hardware_type() == ArpHardwareTypes::Ethernet
        && packet.get_protocol_type() == EtherTypes::Ipv4
        && (packet.get_hw_addr_len(), packet.get_proto_addr_len()) == (6, 4);
    let hardware = packet.get_sender_hw_addr().octets();
    (is_reply && is_one_host(hardware)).then_some(Answer {
        ip: IpAddr::V4(packet.get_sender_proto_addr()),
        hardware,
    })
}

/// What an IPv6 packet answers, if it is a neighbour advertisement that passes the checks of RFC 4861, 7.1.2 and brings the
/// hardware address, as one to a question by multicast must.
pub fn read_advertisement(bytes: &[u8]) -> Option<Answer> {
    let packet = Ipv6Packet::new(bytes)?;
    let length = usize::from(packet.get_payload_length());
    if packet.get_next_header() != IpNextHeaderProtocols::Icmpv6
        || packet.get_hop_limit() != HOP_LIMIT
        || packet.payload().len() < length
    {
        return None;
    }
    let message = packet.payload().get(..length)?;
    let icmp = Icmpv6Packet::new(message)?;
    let whole = checksum(&icmp, &packet.get_source(), &packet.get_destination());
    let advert = NeighborAdvertPacket::new(message)?;
    let is_advert = advert.get_icmpv6_type() == Icmpv6Types::NeighborAdvert
        && advert.get_icmpv6_code().0 == 0
        && advert.get_checksum() == whole
        && !advert.get_target_addr().is_multicast()
        && !(packet.get_destination().is_multicast() && is_solicited(&advert));
    let hardware = target_hardware(advert.get_options_raw())?;
    (is_advert && is_one_host(hardware)).then_some(Answer {
        ip: IpAddr::V6(advert.get_target_addr()),
        hardware,
    })
}

fn is_solicited(advert: &NeighborAdvertPacket<'_>) -> bool {
    advert.get_flags() & NeighborAdvertFlags::Solicited != 0
}

/// Walked by hand: pnet takes a length of zero for an option to be read for ever, and RFC 4861 for a reason to read none.
fn target_hardware(mut options: &[u8]) -> Option<Hardware> {
    let mut found = None;
    while let [kind, units, ..] = *options {
        let (option, rest) = options.split_at_checked(usize::from(units) * 8)?;
        if units == 0 {
            return None;
        }
        if kind == NdpOptionTypes::TargetLLAddr.0 && units == 1 {
            found = found.or(option.get(2..8)?.try_into().ok());
        }
        options = rest;
    }
    found
}

/// Neither a group nor nobody.
fn is_one_host(hardware: Hardware) -> bool {
    let [first, ..] = hardware;
    first & 1 == 0 && hardware != [0; 6]
}

fn arp(own: Ipv4Addr, hardware: Hardware, wanted: Ipv4Addr) -> Option<Question> {
    let mut packet = vec![0; ArpPacket::minimum_packet_size()];
    let mut arp = MutableArpPacket::new(&mut packet)?;
    arp.set_hardware_type(ArpHardwareTypes::Ethernet);
    arp.set_protocol_type(EtherTypes::Ipv4);
    arp.set_hw_addr_len(6);
    arp.set_proto_addr_len(4);
    arp.set_operation(ArpOperations::Request);
    arp.set_sender_hw_addr(MacAddr::from(hardware));
    arp.set_sender_proto_addr(own);
    arp.set_target_proto_addr(wanted);
    let group = [0xff; 6];
    Some(Question { group, packet })
}

fn solicitation(own: Ipv6Addr, hardware: Hardware, wanted: Ipv6Addr) -> Option<Question> {
    let [.., a, b, c] = wanted.octets();
    // The solicited-node group (RFC 4291, 2.7.1), and how Ethernet carries it (RFC 2464, 7).
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let header = Ipv6Packet::minimum_packet_size();
    let body = MutableNeighborSolicitPacket::minimum_packet_size() + SOURCE_OPTION;
    let mut packet = vec![0; header + body];
    let (ip, icmp) = packet.split_at_mut(header);
    let mut solicit = MutableNeighborSolicitPacket::new(icmp)?;
    solicit.set_icmpv6_type(Icmpv6Types::NeighborSolicit);
    solicit.set_target_addr(wanted);
    solicit.set_options(&[NdpOption {
        option_type: NdpOptionTypes::SourceLLAddr,
        length: 1,
        data: hardware.to_vec(),
    }]);
    let sum = checksum(&Icmpv6Packet::new(solicit.packet())?, &own, &group);
    solicit.set_checksum(sum);
    let mut ip = MutableIpv6Packet::new(ip)?;
    ip.set_version(6);
    ip.set_payload_length(u16::try_from(body).ok()?);
    ip.set_next_header(IpNextHeaderProtocols::Icmpv6);
    ip.set_hop_limit(HOP_LIMIT);
    ip.set_source(own);
    ip.set_destination(group);
    let group = [0x33, 0x33, 0xff, a, b, c];
    Some(Question { group, packet })
}

/// A packet that a router has handed on is no neighbour's (RFC 4861, 3.1).
const HOP_LIMIT: u8 = 255;
/// Bytes of an option that holds an Ethernet address.
const SOURCE_OPTION: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Hardware = [2, 0, 0, 0, 0, 1];
    const THEIRS: Hardware = [2, 0, 0, 0, 0, 9];

    fn asker(ip: &str) -> Asker {
        Asker {
            ip: ip.parse().expect("an address"),
            hardware: OWN,
        }
    }

    fn reply() -> Vec<u8> {
        let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 2];
        bytes.extend(THEIRS);
        bytes.extend([10, 8, 0, 9]);
        bytes.extend(OWN);
        bytes.extend([10, 8, 0, 1]);
        bytes
    }

    /// As an other host on fd00::/64 answers our question for fd00::9.
    fn advertisement() -> Vec<u8> {
        let mut message = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
        message.extend("fd00::9".parse::<Ipv6Addr>().expect("an address").octets());
        message.extend([2, 1]);
        message.extend(THEIRS);
        packet(message)
    }

    fn packet(mut message: Vec<u8>) -> Vec<u8> {
        let (from, to): (Ipv6Addr, Ipv6Addr) = (
            "fd00::9".parse().expect("an address"),
            "fd00::1".parse().expect("an address"),
        );
        let sum = checksum(
            &Icmpv6Packet::new(&message).expect("long enough"),
            &from,
            &to,
        );
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut bytes = vec![0x60, 0, 0, 0, 0, message.len() as u8, 58, 255];
        bytes.extend(from.octets());
        bytes.extend(to.octets());
        bytes.extend(message);
        bytes
    }

    #[test]
    fn an_arp_request_is_what_rfc_826_says() {
        let wanted = "10.8.0.9".parse().expect("an address");
        let question = question(asker("10.8.0.1"), wanted).expect("a question");
        assert_eq!(question.group, [0xff; 6]);
        let mut expected = vec![0, 1, 8, 0, 6, 4, 0, 1];
        expected.extend(OWN);
        expected.extend([10, 8, 0, 1]);
        expected.extend([0; 6]);
        expected.extend([10, 8, 0, 9]);
        assert_eq!(question.packet, expected);
    }

    #[test]
    fn a_solicitation_is_what_rfc_4861_says() {
        let wanted = "fd00::12:3456".parse().expect("an address");
        let question = question(asker("fd00::1"), wanted).expect("a question");
        assert_eq!(question.group, [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        let ip = Ipv6Packet::new(&question.packet).expect("long enough");
        assert_eq!((ip.get_hop_limit(), ip.get_payload_length()), (255, 32));
        assert_eq!(ip.get_destination().to_string(), "ff02::1:ff12:3456");
        let message = ip.payload();
        assert_eq!(&message[..2], &[135, 0]);
        assert_eq!(
            &message[8..24],
            &"fd00::12:3456".parse::<Ipv6Addr>().expect("one").octets()
        );
        assert_eq!(&message[24..26], &[1, 1]);
        assert_eq!(&message[26..32], &OWN);
        let icmp = Icmpv6Packet::new(message).expect("long enough");
        let whole = checksum(&icmp, &ip.get_source(), &ip.get_destination());
        assert_eq!(icmp.get_checksum(), whole);
    }

    #[test]
    fn families_are_not_mixed() {
        assert_eq!(
            question(asker("10.8.0.1"), "fd00::9".parse().expect("one")),
            None
        );
    }

    #[test]
    fn answers_are_read() {
        let expected = |ip: &str| Answer {
            ip: ip.parse().expect("an address"),
            hardware: THEIRS,
        };
        assert_eq!(read_arp(&reply()), Some(expected("10.8.0.9")));
        let mut padded = reply();
        padded.extend([0; 18]);
        assert_eq!(read_arp(&padded), Some(expected("10.8.0.9")));
        assert_eq!(
            read_advertisement(&advertisement()),
            Some(expected("fd00::9"))
        );
    }

    #[test]
    fn what_is_no_answer_of_one_host_on_the_link_is_none() {
        let arp = |at: usize, value: u8| {
            let mut bytes = reply();
            bytes[at] = value;
            read_arp(&bytes)
        };
        // A request; another link, another protocol; a group; no address at all.
        for (at, value) in [(7, 1), (1, 6), (2, 0x86), (4, 8), (5, 16), (8, 3)] {
            assert_eq!(arp(at, value), None, "{at}");
        }
        let ndp = |at: usize, value: u8| {
            let mut bytes = advertisement();
            bytes[at] = value;
            read_advertisement(&bytes)
        };
        // Another protocol; one hop away; a broken checksum; a length that lies.
        for (at, value) in [(6, 6), (7, 254), (43, 1), (5, 33)] {
            assert_eq!(ndp(at, value), None, "{at}");
        }
    }

    #[test]
    fn options_that_lie_about_their_length_end_the_reading() {
        let read = |options: &[[u8; 2]]| {
            let mut message = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
            message.extend([0xfd; 16]);
            for option in options {
                message.extend(option);
                message.extend(THEIRS);
            }
            read_advertisement(&packet(message))
        };
        for option in [[0, 0], [2, 0], [2, 2], [14, 255]] {
            assert_eq!(read(&[option]), None, "{option:?}");
        }
        assert_eq!(read(&[[2, 1], [14, 0]]), None);
        assert!(read(&[[14, 1], [2, 1], [14, 1]]).is_some());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for whole in [reply(), advertisement()] {
            for length in 0..whole.len() {
                let _ = (
                    read_arp(&whole[..length]),
                    read_advertisement(&whole[..length]),
                );
            }
            for at in 0..whole.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] = value;
                    let _ = (read_arp(&bytes), read_advertisement(&bytes));
                }
            }
        }
    }
}
