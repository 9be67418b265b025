//! Runs the programs on an interpreter for the few instructions that they use.

use super::*;

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Us,
    Everybody,
    Others,
}

/// A load outside the packet ends a program with 0, as in the kernel.
fn passes(program: &[libc::sock_filter], packet: &[u8], to: To) -> bool {
    let (mut a, mut x, mut at) = (0_u32, 0_usize, 0_usize);
    let byte = |at: usize| packet.get(at).map(|byte| u32::from(*byte));
    let half = |at: usize| Some(byte(at)? << 8 | byte(at + 1)?);
    loop {
        let step = program[at];
        let (code, k) = (u32::from(step.code), step.k);
        let place = k as usize;
        let loaded = match code {
            LOAD_WORD => {
                assert_eq!(k, PACKET_TYPE);
                // PACKET_HOST, PACKET_BROADCAST, PACKET_OTHERHOST.
                Some(match to {
                    To::Us => 0,
                    To::Everybody => 1,
                    To::Others => 3,
                })
            }
            LOAD_HALF => half(place),
            LOAD_BYTE => byte(place),
            LOAD_HALF_AT_X => half(x + place),
            LOAD_BYTE_AT_X => byte(x + place),
            LOAD_HEADER_LENGTH => {
                let Some(value) = byte(place) else {
                    return false;
                };
                x = (value & 0x0f) as usize * 4;
                Some(a)
            }
            RETURN => return k != 0,
            _ => {
                let holds = match code {
                    IF_EQUAL => a == k,
                    IF_ABOVE => a > k,
                    IF_AT_LEAST => a >= k,
                    IF_ANY_BIT => a & k != 0,
                    _ => panic!("instruction {code:#x}"),
                };
                at += usize::from(if holds { step.jt } else { step.jf });
                Some(a)
            }
        };
        let Some(value) = loaded else { return false };
        a = value;
        at += 1;
    }
}

const PORTS: (u16, u16) = (61000, 61020);

fn v4(protocol: u8, options: usize, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 20 + options];
    packet[0] = 0x40 | (5 + options as u8 / 4);
    packet[6..8].copy_from_slice(&fragment.to_be_bytes());
    packet[9] = protocol;
    packet.extend_from_slice(payload);
    packet
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[0] = 0x60;
    packet[6] = next;
    packet.extend_from_slice(payload);
    packet
}

fn tcp(port: u16) -> Vec<u8> {
    let mut segment = vec![0; 20];
    segment[2..4].copy_from_slice(&port.to_be_bytes());
    segment
}

#[test]
fn exactly_our_ports_pass() {
    for port in 0..=u16::MAX {
        let ours = (PORTS.0..=PORTS.1).contains(&port);
        for options in [0, 4, 40] {
            let packet = v4(6, options, 0, &tcp(port));
            assert_eq!(passes(&program_v4(PORTS), &packet, To::Us), ours, "{port}");
        }
        let packet = v6(6, &tcp(port));
        assert_eq!(passes(&program_v6(PORTS), &packet, To::Us), ours, "{port}");
    }
}

#[test]
fn packets_to_others_stay_out() {
    assert!(!passes(
        &program_v4(PORTS),
        &v4(6, 0, 0, &tcp(61000)),
        To::Others
    ));
    assert!(!passes(&program_v6(PORTS), &v6(6, &tcp(61000)), To::Others));
}

#[test]
fn fragments_pass_when_they_have_ports() {
    assert!(passes(
        &program_v4(PORTS),
        &v4(6, 0, 0x2000, &tcp(61000)),
        To::Us
    ));
    assert!(!passes(
        &program_v4(PORTS),
        &v4(6, 0, 0x2001, &tcp(61000)),
        To::Us
    ));
    assert!(passes(
        &program_v4(PORTS),
        &v4(6, 0, 0x4000, &tcp(61000)),
        To::Us
    ));
}

#[test]
fn icmp_errors_and_extension_headers_pass() {
    for kind in 0..=u8::MAX {
        let payload = [kind, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            passes(&program_v4(PORTS), &v4(1, 0, 0, &payload), To::Us),
            [3, 11, 12].contains(&kind)
        );
        assert_eq!(
            passes(&program_v6(PORTS), &v6(58, &payload), To::Us),
            [1, 3, 4].contains(&kind)
        );
        let next = kind;
        if next != 6 && next != 58 {
            assert_eq!(
                passes(&program_v6(PORTS), &v6(next, &[1; 64]), To::Us),
                [0, 43, 44, 51, 60].contains(&next),
                "{next}"
            );
        }
    }
    assert!(!passes(
        &program_v4(PORTS),
        &v4(17, 0, 0, &tcp(61000)),
        To::Us
    ));
}

#[test]
fn short_packets_stay_out() {
    for length in 0..22 {
        let packet = &v4(6, 0, 0, &tcp(61000))[..length];
        assert!(!passes(&program_v4(PORTS), packet, To::Us));
    }
}

#[test]
fn of_neighbours_only_answers_pass_that_are_for_us_as_well() {
    let arp = |operation: u8| [&[0, 1, 8, 0, 6, 4, 0, operation][..], &[0; 20]].concat();
    assert!(passes(&program_arp(), &arp(2), To::Us));
    assert!(passes(&program_arp(), &arp(2), To::Everybody));
    assert!(!passes(&program_arp(), &arp(1), To::Us));
    assert!(!passes(&program_arp(), &arp(2), To::Others));
    assert!(!passes(&program_arp(), &[0; 7], To::Us));
    let ndp = |protocol: u8, kind: u8| {
        let mut packet = vec![0; 72];
        (packet[6], packet[40]) = (protocol, kind);
        packet
    };
    assert!(passes(&program_ndp(), &ndp(58, 136), To::Us));
    assert!(passes(&program_ndp(), &ndp(58, 136), To::Everybody));
    assert!(!passes(&program_ndp(), &ndp(58, 135), To::Us));
    assert!(!passes(&program_ndp(), &ndp(6, 136), To::Us));
    assert!(!passes(&program_ndp(), &ndp(58, 136), To::Others));
    assert!(!passes(&program_ndp(), &ndp(58, 136)[..40], To::Us));
}
