//! What one probe costs on the way out and one answer on the way in, without the kernel.

use std::net::{Ipv4Addr, Ipv6Addr};

use divan::{Bencher, black_box};
use halfopen::plan::{Plan, Shuffle};
use halfopen::wire::{ChecksumStatus, Cookie, Flows, Judge, Syn, SynShape, SynTemplate, parse};

const SHAPE: SynShape = SynShape {
    hop_limit: 64,
    window_scale: 7,
    timestamp_offset: 0,
};
const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const OURS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const TARGET_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

fn main() {
    divan::main();
}

fn syn<A>(source: A, target: A) -> Syn<A> {
    Syn {
        source,
        target,
        source_port: 61003,
        target_port: 443,
        sequence: 0x0102_0304,
        timestamp: 77,
        identification: 9,
        mtu: 1500,
    }
}

#[divan::bench]
fn craft_both_templates() -> SynTemplate {
    SynTemplate::new(black_box(SHAPE))
}

#[divan::bench]
fn patch_v4(bencher: Bencher) {
    let template = SynTemplate::new(SHAPE);
    let mut out = [0; 60];
    bencher.bench_local(|| template.patch_v4(black_box(&mut out), &black_box(syn(OURS, TARGET))));
}

#[divan::bench]
fn patch_v6(bencher: Bencher) {
    let template = SynTemplate::new(SHAPE);
    let mut out = [0; 80];
    bencher.bench_local(|| {
        template.patch_v6(black_box(&mut out), &black_box(syn(OURS_V6, TARGET_V6)))
    });
}

#[divan::bench]
fn cookie_v4(bencher: Bencher) {
    let cookie = Cookie::new([9; 16]);
    bencher.bench_local(|| cookie.sequence(black_box(TARGET.into()), 443, 61003));
}

#[divan::bench]
fn cookie_v6(bencher: Bencher) {
    let cookie = Cookie::new([9; 16]);
    bencher.bench_local(|| cookie.sequence(black_box(TARGET_V6.into()), 443, 61003));
}

/// A power of two, which takes one walk of the shuffle, one more, which takes two on average, and all of IPv4.
const SIZES: [u64; 3] = [1 << 20, (1 << 20) + 1, 1 << 32];

/// One place after the other, by one of the two ways through the shuffle.
fn shuffled(bencher: Bencher, len: u64, way: impl Fn(&Shuffle, u64) -> u64) {
    let shuffle = Shuffle::new(len, 9);
    let mut at = 0;
    bencher.bench_local(|| {
        at = (at + 1) % len;
        way(&shuffle, black_box(at))
    });
}

#[divan::bench(args = SIZES)]
fn permutation(bencher: Bencher, len: u64) {
    shuffled(bencher, len, Shuffle::index);
}

/// The way back: an answer's place in the walk.
#[divan::bench(args = SIZES)]
fn permutation_inverse(bencher: Bencher, len: u64) {
    shuffled(bencher, len, Shuffle::position);
}

const PLANS: [(&str, &str); 3] = [
    ("10.9.0.2", "1-65535"),
    ("10.9.0.0/16", "443"),
    ("10.9.0.0/20 10.8.0.1-77 fd00::/112", "22,80,443,8000-8100"),
];

fn plan(targets: &str, ports: &str) -> Plan {
    Plan::parse(targets, ports).unwrap_or_else(|_| unreachable!("both are well formed"))
}

/// Which address and port an index stands for.
#[divan::bench(args = PLANS)]
fn endpoint(bencher: Bencher, (targets, ports): (&str, &str)) {
    let plan = plan(targets, ports);
    let mut index = 0;
    bencher.bench_local(|| {
        index = (index + 7919) % plan.len();
        plan.endpoint(black_box(index))
    });
}

/// And which index an answering endpoint has.
#[divan::bench(args = PLANS)]
fn index_of_endpoint(bencher: Bencher, (targets, ports): (&str, &str)) {
    let plan = plan(targets, ports);
    let endpoint = plan.endpoint(plan.len() / 2);
    let endpoint = endpoint.unwrap_or_else(|| unreachable!("it is planned"));
    bencher.bench_local(|| plan.index(black_box(&endpoint)));
}

/// A reset, as most answers are: the kernel's own layout, 40 bytes.
fn reset(cookie: &Cookie) -> Vec<u8> {
    let mut bytes = vec![0; 40];
    bytes[0] = 0x45;
    bytes[3] = 40;
    bytes[8] = 64;
    bytes[9] = 6;
    bytes[12..16].copy_from_slice(&TARGET.octets());
    bytes[16..20].copy_from_slice(&OURS.octets());
    let header =
        pnet::packet::ipv4::Ipv4Packet::new(&bytes).map(|ip| pnet::packet::ipv4::checksum(&ip));
    bytes[10..12].copy_from_slice(&header.unwrap_or(0).to_be_bytes());
    bytes[20..22].copy_from_slice(&443_u16.to_be_bytes());
    bytes[22..24].copy_from_slice(&61003_u16.to_be_bytes());
    let acknowledgement = cookie.sequence(TARGET.into(), 443, 61003).wrapping_add(1);
    bytes[28..32].copy_from_slice(&acknowledgement.to_be_bytes());
    bytes[32] = 0x50;
    bytes[33] = 0x14;
    let segment = pnet::packet::tcp::TcpPacket::new(&bytes[20..]);
    let checksum =
        segment.map(|segment| pnet::packet::tcp::ipv4_checksum(&segment, &TARGET, &OURS));
    bytes[36..38].copy_from_slice(&checksum.unwrap_or(0).to_be_bytes());
    bytes
}

#[divan::bench(args = [ChecksumStatus::Unfinished, ChecksumStatus::Unknown])]
fn parse_and_judge_reset(bencher: Bencher, checksum: ChecksumStatus) {
    let cookie = Cookie::new([9; 16]);
    let packet = reset(&cookie);
    let judge = Flows::new(61000, 20).map(|flows| Judge::new(cookie, flows));
    let judge = judge.unwrap_or_else(|| unreachable!("the block fits"));
    bencher.bench_local(|| {
        let reply = parse(black_box(&packet), checksum);
        let answer = reply.map(|reply| judge.judge(&reply));
        assert!(matches!(answer, Ok(Ok(_))));
        answer
    });
}
