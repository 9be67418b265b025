//! Who answers what behind the TUN device: pure, packet in, packets and delays out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::packet::{self, ACK, RST, SYN, Segment};
use crate::lab::Result;
use crate::lab::ports::Dice;
use crate::lab::scenario::{Path, Place, Rest, Scenario, SynAnswer, Wide};

/// MSS 1400, window scale 7, SACK permitted: what a real stack sends.
const OPTIONS: [u8; 12] = [2, 4, 0x05, 0x78, 1, 3, 3, 7, 1, 1, 4, 2];

const WINDOW: u16 = 64_240;

/// Type and code of the ICMP errors, of version 4 and of version 6.
const PORT_UNREACHABLE: [(u8, u8); 2] = [(3, 3), (1, 4)];
const ADMIN_PROHIBITED: [(u8, u8); 2] = [(3, 13), (1, 1)];

/// A packet to send back, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub after: Duration,
    pub packet: Vec<u8>,
}

#[derive(Debug)]
pub struct Stack {
    hosts: BTreeMap<IpAddr, Host>,
    /// Hosts that are whole networks.
    wide: Vec<(Wide, Host)>,
    path: Path,
    dice: Dice,
}

#[derive(Debug)]
struct Host {
    open: BTreeSet<u16>,
    answer: SynAnswer,
    rest: Rest,
}

impl Stack {
    pub fn new(scenario: &Scenario) -> Result<Self> {
        let (mut hosts, mut wide) = (BTreeMap::new(), Vec::new());
        for (index, host) in scenario.host.iter().enumerate() {
            if host.at != Place::Target {
                continue;
            }
            let scripted = Host {
                open: scenario.open_ports(host),
                answer: host.answer,
                rest: host.rest,
            };
            if let Some(network) = &host.wide {
                wide.push((network.clone(), scripted));
                continue;
            }
            let address = scenario.address(index);
            let address = address
                .parse()
                .map_err(|error| format!("{address}: {error}"))?;
            hosts.insert(address, scripted);
        }
        Ok(Self {
            hosts,
            wide,
            path: scenario.path,
            dice: Dice(scenario.seed),
        })
    }

    /// What comes back for one packet.
    pub fn answer(&mut self, bytes: &[u8]) -> Vec<Answer> {
        let Some(segment) = packet::read(bytes) else {
            return Vec::new();
        };
        if self.dice.falls(self.path.loss_percent) {
            return Vec::new();
        }
        let (packets, delay_ms) = match segment.flags & (SYN | ACK | RST) {
            SYN => self.reply(&segment, bytes),
            flags if flags == SYN | ACK => self.finish(&segment),
            _ => return Vec::new(),
        };
        let mut answers = Vec::new();
        for copy in 0..=u64::from(self.path.duplicates) {
            for (packet, later) in packets.iter().zip(0..) {
                if !self.dice.falls(self.path.loss_percent) {
                    answers.push(Answer {
                        after: Duration::from_millis(delay_ms + copy * 5 + later),
                        packet: packet.clone(),
                    });
                }
            }
        }
        answers
    }

    /// The answer to a SYN: packets, a millisecond apart, and when the first is sent.
    fn reply(&self, segment: &Segment, bytes: &[u8]) -> (Vec<Vec<u8>>, u64) {
        let nothing = (Vec::new(), 0);
        let Some(host) = self.host(segment.to.0) else {
            return nothing;
        };
        let path = self.path;
        if host.open.contains(&segment.to.1) {
            let packets = open_port(segment, host.answer);
            return (packets, path.delay_ms + path.open_delay_ms);
        }
        let offender = match segment.to.0 {
            IpAddr::V4(_) => IpAddr::from([10, 66, 0, 254]),
            IpAddr::V6(_) => IpAddr::from([0xfd66, 0, 0, 0, 0, 0, 0, 0x254]),
        };
        let error = |kinds| packet::icmp_error(offender, segment.from.0, kinds, bytes);
        let packet = match host.rest {
            Rest::Drop => return nothing,
            Rest::Closed | Rest::TcpReset => packet::reply(segment, 0, RST | ACK, 0, &[]),
            Rest::PortUnreachable => error(PORT_UNREACHABLE),
            Rest::AdminProhibited => error(ADMIN_PROHIBITED),
        };
        (vec![packet], path.delay_ms)
    }

    /// The scanner's SYN-ACK ends a simultaneous open.
    fn finish(&self, segment: &Segment) -> (Vec<Vec<u8>>, u64) {
        let opens = self.host(segment.to.0).is_some_and(|host| {
            host.answer == SynAnswer::Simultaneous && host.open.contains(&segment.to.1)
        });
        let ack = || packet::reply(segment, segment.acknowledgement, ACK, WINDOW, &[]);
        let packets = opens.then(ack).into_iter().collect();
        (packets, self.path.delay_ms)
    }

    fn host(&self, address: IpAddr) -> Option<&Host> {
        self.hosts.get(&address).or_else(|| {
            let IpAddr::V4(address) = address else {
                return None;
            };
            let mut wide = self.wide.iter();
            wide.find(|(network, _)| network.contains(address))
                .map(|(_, host)| host)
        })
    }
}

fn open_port(segment: &Segment, answer: SynAnswer) -> Vec<Vec<u8>> {
    // The same SYN gets the same number, so a repeat is a repeat.
    let number = Dice(u64::from(segment.sequence) << 16 | u64::from(segment.to.1)).roll();
    let sequence = u32::try_from(number >> 32).unwrap_or(0);
    let reply =
        |flags, window, options: &[u8]| packet::reply(segment, sequence, flags, window, options);
    let syn_ack = || reply(SYN | ACK, WINDOW, &OPTIONS);
    match answer {
        SynAnswer::SynAck => vec![syn_ack()],
        SynAnswer::ZeroWindow => vec![reply(SYN | ACK, 0, &[])],
        SynAnswer::SmallWindow => vec![reply(SYN | ACK, 10, &[])],
        SynAnswer::Fragmented => packet::fragments(syn_ack(), 16),
        SynAnswer::Simultaneous | SynAnswer::LoneSyn => vec![reply(SYN, WINDOW, &OPTIONS)],
        SynAnswer::SynAckThenRst => {
            let after = sequence.wrapping_add(1);
            let reset = packet::reply(segment, after, RST | ACK, 0, &[]);
            vec![syn_ack(), reset]
        }
        SynAnswer::RstThenSynAck => vec![reply(RST | ACK, 0, &[]), syn_ack()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(family: &str, rest: &str, path: &str) -> Stack {
        let text = format!(
            "about = 'x'\ntopology = 'tun'\nfamily = '{family}'\nports = '1-100'\n[path]\n{path}\n\
             [[host]]\nlisten = [22]\nrest = '{rest}'\nexpect = {{ state = 'closed', reason = 'rst' }}\n"
        );
        Stack::new(&Scenario::read("sample", &text).unwrap()).unwrap()
    }

    /// A SYN from 10.66.0.1:4000 (or fd66::1) as the same code builds replies: a reply to a segment that goes back.
    fn syn(port: u16, family: &str) -> Vec<u8> {
        let (us, them) = match family {
            "v4" => ("10.66.0.1", "10.66.0.2"),
            _ => ("fd66::1", "fd66::2"),
        };
        let back = Segment {
            from: (them.parse().unwrap(), port),
            to: (us.parse().unwrap(), 4_000),
            sequence: 0,
            acknowledgement: 0,
            flags: 0,
        };
        packet::reply(&back, 77, SYN, 1_000, &[])
    }

    #[test]
    fn open_ports_answer_with_our_number_plus_one() {
        for family in ["v4", "v6"] {
            let answers = stack(family, "closed", "delay-ms = 20").answer(&syn(22, family));
            assert_eq!(answers.len(), 1);
            assert_eq!(answers[0].after, Duration::from_millis(20));
            let segment = packet::read(&answers[0].packet).unwrap();
            assert_eq!(
                (segment.flags, segment.from.1, segment.to.1),
                (SYN | ACK, 22, 4_000)
            );
            let tcp = if family == "v4" { 20 } else { 40 };
            assert_eq!(answers[0].packet[tcp + 8..tcp + 12], 78_u32.to_be_bytes());
        }
    }

    #[test]
    fn checksums_are_those_that_pnet_computes() {
        use pnet::packet::tcp::{TcpPacket, ipv4_checksum, ipv6_checksum};
        let answer = stack("v4", "closed", "")
            .answer(&syn(22, "v4"))
            .remove(0)
            .packet;
        let tcp = TcpPacket::new(&answer[20..]).unwrap();
        let expected = ipv4_checksum(&tcp, &[10, 66, 0, 2].into(), &[10, 66, 0, 1].into());
        assert_eq!(tcp.get_checksum(), expected);
        let answer = stack("v6", "closed", "")
            .answer(&syn(23, "v6"))
            .remove(0)
            .packet;
        let tcp = TcpPacket::new(&answer[40..]).unwrap();
        let expected = ipv6_checksum(
            &tcp,
            &"fd66::2".parse().unwrap(),
            &"fd66::1".parse().unwrap(),
        );
        assert_eq!(tcp.get_checksum(), expected);
    }

    #[test]
    fn the_rest_is_as_scripted() {
        let kinds = |rest: &str, family: &str| {
            let answers = stack(family, rest, "").answer(&syn(23, family));
            answers.first().map(|answer| match family {
                "v4" => (answer.packet[9], answer.packet[20], answer.packet[21]),
                _ => (answer.packet[6], answer.packet[40], answer.packet[41]),
            })
        };
        assert_eq!(kinds("drop", "v4"), None);
        assert_eq!(kinds("port-unreachable", "v4"), Some((1, 3, 3)));
        assert_eq!(kinds("admin-prohibited", "v4"), Some((1, 3, 13)));
        assert_eq!(kinds("port-unreachable", "v6"), Some((58, 1, 4)));
        assert_eq!(kinds("admin-prohibited", "v6"), Some((58, 1, 1)));
        assert_eq!(kinds("closed", "v4").map(|kind| kind.0), Some(6));
    }

    #[test]
    fn duplicates_come_and_losses_do_not() {
        assert_eq!(
            stack("v4", "closed", "duplicates = 2")
                .answer(&syn(22, "v4"))
                .len(),
            3
        );
        let mut lossy = stack("v4", "closed", "loss-percent = 20");
        let heard: usize = (0..1_000).map(|_| lossy.answer(&syn(22, "v4")).len()).sum();
        assert!((560..720).contains(&heard), "{heard} of 1000, 640 expected");
    }

    #[test]
    fn garbage_and_answers_get_nothing() {
        let mut stack = stack("v4", "closed", "");
        for bytes in [&[][..], &[0x45], &[0x60; 60], &[0x4f; 30], &[0xff; 100]] {
            assert_eq!(stack.answer(bytes), []);
        }
        let answer = stack.answer(&syn(22, "v4")).remove(0);
        assert_eq!(stack.answer(&answer.packet), []);
    }

    fn scripted(answer: &str) -> Stack {
        let text = format!(
            "about = 'x'\ntopology = 'tun'\nports = '1-100'\n[[host]]\nlisten = [22]\nanswer = '{answer}'\n\
             expect = {{ state = 'closed', reason = 'rst' }}\n"
        );
        Stack::new(&Scenario::read("sample", &text).unwrap()).unwrap()
    }

    #[test]
    fn liars_answer_as_scripted() {
        let flags = |answer: &str| -> Vec<u8> {
            let answers = scripted(answer).answer(&syn(22, "v4"));
            let read = |answer: &Answer| packet::read(&answer.packet).unwrap().flags;
            answers.iter().map(read).collect()
        };
        assert_eq!(flags("zero-window"), [SYN | ACK]);
        assert_eq!(flags("lone-syn"), [SYN]);
        assert_eq!(flags("syn-ack-then-rst"), [SYN | ACK, RST | ACK]);
        assert_eq!(flags("rst-then-syn-ack"), [RST | ACK, SYN | ACK]);
    }

    #[test]
    fn a_simultaneous_open_is_finished_and_a_lone_syn_is_not() {
        for (answer, expected) in [("simultaneous", Some(ACK)), ("lone-syn", None)] {
            let mut stack = scripted(answer);
            let theirs = packet::read(&stack.answer(&syn(22, "v4"))[0].packet).unwrap();
            let ours = packet::reply(&theirs, 77, SYN | ACK, 1_000, &[]);
            let end = stack.answer(&ours);
            let segment = end.first().and_then(|end| packet::read(&end.packet));
            assert_eq!(segment.map(|segment| segment.flags), expected);
            if let Some(segment) = segment {
                assert_eq!(segment.sequence, theirs.sequence.wrapping_add(1));
            }
        }
    }

    #[test]
    fn fragments_together_are_the_packet() {
        let whole = scripted("syn-ack").answer(&syn(22, "v4")).remove(0).packet;
        let parts = scripted("fragmented").answer(&syn(22, "v4"));
        assert_eq!(parts.len(), 2);
        let (one, two) = (&parts[0].packet, &parts[1].packet);
        assert_eq!([&one[20..], &two[20..]].concat(), whole[20..]);
        assert_eq!((one.len(), one[6], two[7]), (36, 0x20, 2));
        assert_eq!(one[4..6], two[4..6]);
        for part in [one, two] {
            assert_eq!(packet::checksum(&[&part[..20]]), 0);
        }
    }

    #[test]
    fn a_whole_network_is_one_host() {
        let text = "about = 'x'\ntopology = 'tun'\nports = '1-100'\n[[host]]\nlisten = [22]\n\
                    wide = '10.66.0.0/24'\nexpect = { state = 'closed', reason = 'rst' }\n";
        let mut stack = Stack::new(&Scenario::read("sample", text).unwrap()).unwrap();
        assert_eq!(stack.answer(&syn(22, "v4")).len(), 1);
        assert_eq!(stack.answer(&syn(22, "v6")).len(), 0);
    }
}
