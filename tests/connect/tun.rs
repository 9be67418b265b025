//! A network behind a TUN device whose hosts say what a script tells them to, packet by packet. Its answers arrive after
//! connect() has returned, as on a real network.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use crate::lab::alone::run;
use crate::lab::tun::device;

pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

/// A TCP segment over IPv4 that our side sent.
#[derive(Clone, Debug)]
pub struct Segment {
    pub bytes: Vec<u8>,
    pub port: u16,
    pub flags: u8,
    /// How many with SYN came to this port so far, this one included.
    pub syns: u32,
}

/// What the network says, and when.
pub struct Reply {
    pub after: Duration,
    /// In this order, without a pause.
    pub packets: Vec<Vec<u8>>,
}

/// Makes `tun0` with 10.9.0.1/24 on our side, and answers every segment as `script` says until the process ends.
pub fn network(script: impl Fn(&Segment) -> Vec<Reply> + Send + 'static) {
    let device = device::open("tun0").expect("a TUN device");
    rustix::io::ioctl_fionbio(&device, false).expect("a blocking TUN device");
    run("ip addr add 10.9.0.1/24 dev tun0 && ip link set tun0 up");
    thread::spawn(move || {
        let mut reader = device.try_clone().expect("descriptor");
        let mut buffer = [0; 2048];
        let mut syns = std::collections::HashMap::new();
        while let Ok(length) = reader.read(&mut buffer) {
            let Some(mut segment) = parse(&buffer[..length]) else {
                continue;
            };
            let count = syns.entry(segment.port).or_insert(0);
            *count += u32::from(segment.flags & SYN != 0);
            segment.syns = *count;
            for reply in script(&segment) {
                let mut writer = device.try_clone().expect("descriptor");
                thread::spawn(move || {
                    thread::sleep(reply.after);
                    for packet in &reply.packets {
                        writer.write_all(packet).expect("write to tun0");
                    }
                });
            }
        }
    });
}

/// What a stack puts into a SYN-ACK beyond what it has to say.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub ttl: u8,
    pub id: u16,
    pub window: u16,
    pub options: &'static [u8],
}

impl Segment {
    /// A segment back to us: acknowledges our SYN and has this sequence number, window and flags.
    pub fn answer(&self, flags: u8, sequence: u32, window: u16) -> Vec<u8> {
        let number = u32::from_be_bytes(self.bytes[24..28].try_into().expect("4 bytes"));
        let ack = match flags & ACK {
            0 => 0,
            _ if self.flags & SYN != 0 => number.wrapping_add(1),
            _ => number,
        };
        let mut tcp = Vec::new();
        tcp.extend(&self.bytes[22..24]);
        tcp.extend(&self.bytes[20..22]);
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([5 << 4, flags]);
        tcp.extend(window.to_be_bytes());
        tcp.extend([0; 4]);
        let mut pseudo = Vec::new();
        pseudo.extend(&self.bytes[16..20]);
        pseudo.extend(&self.bytes[12..16]);
        pseudo.extend([0, 6, 0, 20]);
        pseudo.extend(&tcp);
        let sum = checksum(&pseudo);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let from = [
            self.bytes[16],
            self.bytes[17],
            self.bytes[18],
            self.bytes[19],
        ];
        self.packet(6, from.into(), &tcp)
    }

    /// A SYN-ACK as another stack would send it.
    pub fn syn_ack(&self, look: &Look) -> Vec<u8> {
        let mut ip = self.answer(SYN | ACK, 77, look.window);
        ip.extend(look.options);
        let length = u16::try_from(ip.len()).expect("short");
        ip[2..4].copy_from_slice(&length.to_be_bytes());
        ip[4..6].copy_from_slice(&look.id.to_be_bytes());
        // Not to be fragmented.
        ip[6] = 0x40;
        ip[8] = look.ttl;
        ip[10..12].fill(0);
        let sum = checksum(&ip[..20]);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip[32] = u8::try_from(((20 + look.options.len()) / 4) << 4).expect("at most 60");
        ip[36..38].fill(0);
        let mut pseudo = ip[12..20].to_vec();
        pseudo.extend([0, 6]);
        pseudo.extend((length - 20).to_be_bytes());
        pseudo.extend(&ip[20..]);
        let sum = checksum(&pseudo);
        ip[36..38].copy_from_slice(&sum.to_be_bytes());
        ip
    }

    /// An ICMP error about this segment from a router, quoting 8 bytes of it.
    pub fn icmp(&self, kind: u8, code: u8, router: Ipv4Addr) -> Vec<u8> {
        let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
        icmp.extend(&self.bytes[..28]);
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        self.packet(1, router, &icmp)
    }

    fn packet(&self, protocol: u8, from: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + payload.len()).expect("short");
        let mut ip = vec![0x45, 0];
        ip.extend(length.to_be_bytes());
        ip.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
        ip.extend(from.octets());
        ip.extend(&self.bytes[12..16]);
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend(payload);
        ip
    }
}

fn parse(bytes: &[u8]) -> Option<Segment> {
    (bytes.len() >= 40 && bytes[0] == 0x45 && bytes[9] == 6).then(|| Segment {
        bytes: bytes.to_vec(),
        port: u16::from_be_bytes([bytes[22], bytes[23]]),
        flags: bytes[33],
        syns: 0,
    })
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
