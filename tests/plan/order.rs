//! The permutation and the shards.

use halfopen::plan::{Shard, Shuffle};
use proptest::prelude::*;

const KEYS: [u64; 4] = [0, 1, 0x0123_4567_89ab_cdef, u64::MAX];

#[test]
fn a_permutation_for_every_small_size() {
    for n in 0..=600 {
        for key in KEYS {
            let shuffle = Shuffle::new(n, key);
            let mut met = vec![false; n as usize];
            for position in 0..n {
                let index = shuffle.index(position);
                assert!(index < n, "n {n}, key {key}: {position} -> {index}");
                assert!(!met[index as usize], "n {n}, key {key}: {index} twice");
                met[index as usize] = true;
                assert_eq!(shuffle.position(index), position, "n {n}, key {key}");
            }
        }
    }
}

#[test]
fn sizes_around_powers_of_two_are_permuted_too() {
    for n in [1023, 1024, 1025, 65_535, 65_536, 65_537, 100_000] {
        let shuffle = Shuffle::new(n, 7);
        let mut met = vec![false; n as usize];
        for position in 0..n {
            let index = shuffle.index(position);
            assert!(
                !std::mem::replace(&mut met[index as usize], true),
                "{n}: {index} twice"
            );
            assert_eq!(shuffle.position(index), position);
        }
    }
}

/// Shards that run on different releases must agree: these values never change. They come from a second implementation,
/// written from the description in the shuffle's file and the SipHash paper.
#[test]
fn the_order_is_fixed_for_ever() {
    let orders = |n: u64, key: u64| {
        let shuffle = Shuffle::new(n, key);
        (0..n.min(8))
            .map(|position| shuffle.index(position))
            .collect::<Vec<_>>()
    };
    assert_eq!(orders(10, 0), GOLDEN_10_0);
    assert_eq!(orders(10, 1), GOLDEN_10_1);
    assert_eq!(orders(65_535, 42), GOLDEN_65535_42);
    assert_eq!(orders(1 << 32, 42), GOLDEN_32_42);
    assert_eq!(orders((1 << 48) - 12_345, 0xdead_beef), GOLDEN_48);
    assert_eq!(orders(u64::MAX, 3), GOLDEN_64);
}

const GOLDEN_10_0: [u64; 8] = [9, 6, 8, 0, 4, 3, 5, 7];
const GOLDEN_10_1: [u64; 8] = [8, 9, 1, 5, 0, 6, 7, 3];
const GOLDEN_65535_42: [u64; 8] = [8767, 20594, 44696, 43714, 25261, 36195, 25706, 30265];
const GOLDEN_32_42: [u64; 8] = [
    118949332, 1021496033, 149286407, 4048547632, 1978657331, 4048236986, 3489142739, 1522908722,
];
const GOLDEN_48: [u64; 8] = [
    258634268681247,
    182429701259220,
    278595218275435,
    78793109931822,
    267541166951444,
    170905115057653,
    46692060216207,
    153930813989671,
];
const GOLDEN_64: [u64; 8] = [
    14489982014724274824,
    9609033432321185395,
    12786106364475963452,
    10271415347556879549,
    9097354871906270642,
    7954664125073643442,
    12871139000977793925,
    12115452658562125164,
];

/// Over many keys each index is equally likely at each position, and neighbours in the order are not neighbours in the plan.
#[test]
fn every_place_is_as_likely_as_every_other() {
    for n in [2_u64, 3, 5, 8, 16, 50] {
        let keys = 2_000 * n;
        let mut counts = vec![0_u64; (n * n) as usize];
        for key in 0..keys {
            let shuffle = Shuffle::new(n, key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for position in 0..n {
                counts[(position * n + shuffle.index(position)) as usize] += 1;
            }
        }
        // Each of the n * n cells expects 2,000; sigma is below 45. Six sigma in 2,500 cells is never reached by chance.
        for (cell, &count) in counts.iter().enumerate() {
            assert!(
                (1_730..=2_270).contains(&count),
                "n {n}, cell {cell}: {count}"
            );
        }
    }
}

#[test]
fn steps_between_neighbours_are_spread_evenly() {
    let n = 65_535;
    let shuffle = Shuffle::new(n, 99);
    let mut steps = [0_u32; 16];
    for position in 0..n - 1 {
        let step = shuffle
            .index(position + 1)
            .wrapping_sub(shuffle.index(position))
            % n;
        steps[(step * 16 / n) as usize] += 1;
    }
    // 4,096 expected in each sixteenth, sigma 62.
    assert!(
        steps.iter().all(|count| (3_700..=4_500).contains(count)),
        "{steps:?}"
    );
}

#[test]
fn shards_partition_every_small_size() {
    for n in 0..=200 {
        for count in 1..=9 {
            let mut met = vec![0_u8; n as usize];
            for index in 0..count {
                let shard = Shard::new(index, count).unwrap();
                for rank in 0..shard.len(n) {
                    let position = shard.position(rank);
                    met[position as usize] += 1;
                    assert_eq!(shard.rank(position), Some(rank));
                }
                assert!(shard.position(shard.len(n)) >= n);
            }
            assert!(met.iter().all(|&times| times == 1), "n {n}, {count} shards");
        }
    }
}

#[test]
fn shards_are_read_as_written() {
    assert_eq!(Shard::parse("1/1").unwrap(), Shard::WHOLE);
    assert_eq!(Shard::parse("3/7").unwrap(), Shard::new(2, 7).unwrap());
    for text in [
        "0/4",
        "5/4",
        "a",
        "",
        "/",
        "1/",
        "/1",
        "1/0",
        "+1/2",
        "1/2/3",
        "99999999999999999999/99999999999999999999",
    ] {
        let mistake = Shard::parse(text).unwrap_err().to_string();
        assert!(
            mistake.ends_with("shards are written I/N with I from 1 to N, or auto"),
            "{mistake}"
        );
    }
    assert_eq!(Shard::new(4, 4), None);
    assert_eq!(Shard::new(0, 0), None);
}

proptest! {
    #[test]
    fn large_orders_are_inverted(n in 1_u64..=1 << 48, key: u64, part in 0.0_f64..1.0) {
        let shuffle = Shuffle::new(n, key);
        let position = ((n as f64 * part) as u64).min(n - 1);
        let index = shuffle.index(position);
        prop_assert!(index < n);
        prop_assert_eq!(shuffle.position(index), position);
        prop_assert_eq!(shuffle.index(shuffle.position(position)), position);
    }

    #[test]
    fn any_number_is_taken(n: u64, key: u64, number: u64) {
        let shuffle = Shuffle::new(n, key);
        prop_assert_eq!(shuffle.position(shuffle.index(number)), number);
    }

    #[test]
    fn each_position_has_one_shard(n in 1_u64..=1 << 48, count in 1_u64..=10_000, part in 0.0_f64..1.0) {
        let position = ((n as f64 * part) as u64).min(n - 1);
        let owners: Vec<u64> = (0..count)
            .filter(|&index| Shard::new(index, count).unwrap().rank(position).is_some())
            .collect();
        prop_assert_eq!(owners.len(), 1);
        let shard = Shard::new(owners[0], count).unwrap();
        let rank = shard.rank(position).unwrap();
        prop_assert!(rank < shard.len(n));
        prop_assert_eq!(shard.position(rank), position);
        let total: u64 = (0..count).map(|index| Shard::new(index, count).unwrap().len(n)).sum();
        prop_assert_eq!(total, n);
    }

    #[test]
    fn shard_numbers_never_panic(index: u64, count: u64, n: u64, rank: u64) {
        if let Some(shard) = Shard::new(index, count) {
            let _ = (shard.len(n), shard.rank(n));
            prop_assert!(shard.position(rank) >= shard.index());
        }
    }
}
