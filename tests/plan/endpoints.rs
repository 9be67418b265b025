//! Every planned endpoint exactly once, and nothing else ever.

use std::collections::HashSet;

use halfopen::model::{Address, Endpoint};
use halfopen::plan::{AddressRange, Plan, PortSet, Shard, Shuffle, TargetSet};
use proptest::prelude::*;

fn plan(targets: &[&str], excludes: &[&str], ports: &str) -> Plan {
    Plan::new(
        TargetSet::parse(targets, excludes).unwrap(),
        PortSet::parse(ports).unwrap().set,
    )
}

fn at(text: &str) -> Address {
    Address::new(text.parse().unwrap())
}

/// The dry generator: all shards of a plan in their shuffled order.
fn generated(plan: &Plan, shards: u64, key: u64) -> Vec<Endpoint> {
    let shuffle = Shuffle::new(plan.len(), key);
    let mut met = Vec::new();
    for index in 0..shards {
        let shard = Shard::new(index, shards).unwrap();
        for rank in 0..shard.len(plan.len()) {
            let position = shard.position(rank);
            let index = shuffle.index(position);
            let endpoint = plan.endpoint(index).unwrap();
            assert_eq!(plan.index(&endpoint), Some(index));
            assert_eq!(shuffle.position(index), position);
            met.push(endpoint);
        }
    }
    met
}

/// Checks a plan against addresses and ports that were listed by other means.
fn meets_exactly(plan: &Plan, hosts: &HashSet<Address>, ports: &HashSet<u16>) {
    for shards in 1..=7 {
        let met = generated(plan, shards, 5 + shards);
        let distinct: HashSet<Endpoint> = met.iter().copied().collect();
        assert_eq!(distinct.len(), met.len(), "an endpoint was met twice");
        assert_eq!(met.len(), hosts.len() * ports.len());
        assert!(
            distinct
                .iter()
                .all(|endpoint| hosts.contains(&endpoint.address) && ports.contains(&endpoint.port))
        );
    }
    assert_eq!(plan.endpoint(plan.len()), None);
    assert_eq!(plan.endpoint(u64::MAX), None);
}

fn v4(prefix: [u8; 3], last: impl IntoIterator<Item = u8>) -> HashSet<Address> {
    let [a, b, c] = prefix;
    last.into_iter()
        .map(|d| Address::new([a, b, c, d].into()))
        .collect()
}

#[test]
fn one_port_on_one_host() {
    meets_exactly(
        &plan(&["10.0.0.1"], &[], "80"),
        &v4([10, 0, 0], [1]),
        &HashSet::from([80]),
    );
}

#[test]
fn all_ports_on_one_host() {
    meets_exactly(
        &plan(&["10.0.0.1"], &[], "all"),
        &v4([10, 0, 0], [1]),
        &(1..=65_535).collect(),
    );
}

#[test]
fn a_network_by_a_few_ports() {
    meets_exactly(
        &plan(&["10.0.0.0/24"], &[], "1,63-65,127,128,65535"),
        &v4([10, 0, 0], 0..=255),
        &HashSet::from([1, 63, 64, 65, 127, 128, 65_535]),
    );
}

#[test]
fn both_families_with_overlaps_and_holes() {
    let plan = plan(
        &[
            "10.0.0.0/25",
            "10.0.0.100-10.0.0.200",
            "10.0.0.5",
            "10.0.0.210-220",
            "2001:db8::/124",
            "2001:db8::8-2001:db8::1f",
            "::ffff:10.0.0.230",
        ],
        &[
            "10.0.0.0/28",
            "10.0.0.64-70",
            "::ffff:10.0.0.215",
            "2001:db8::3",
            "2001:db8::1f",
            "10.0.0.199-255",
            "192.0.2.0/24",
        ],
        "22,80,443",
    );
    let mut hosts = v4(
        [10, 0, 0],
        (16..=198).filter(|last| !(64..=70).contains(last)),
    );
    hosts.extend(
        (0..=0x1e_u16)
            .filter(|&last| last != 3)
            .map(|last| Address::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into())),
    );
    meets_exactly(&plan, &hosts, &HashSet::from([22, 80, 443]));
}

#[test]
fn octet_ranges_are_the_product_of_their_octets() {
    let plan = plan(&["10.0.0-2.1-3", "10.0.1-3.2-4"], &["10.0.2.3"], "80");
    let mut hosts = HashSet::new();
    for third in 0..=3 {
        if third <= 2 {
            hosts.extend(v4([10, 0, third], 1..=3));
        }
        if third >= 1 {
            hosts.extend(v4([10, 0, third], 2..=4));
        }
    }
    hosts.remove(&at("10.0.2.3"));
    meets_exactly(&plan, &hosts, &HashSet::from([80]));

    let whole = TargetSet::parse(&["10.0-255.0-255.0-255"], &[]).unwrap();
    assert_eq!((whole.hosts(), whole.ranges().count()), (1 << 24, 1));
    let many = TargetSet::parse(&["10.0-255.0-255.1-254"], &[]).unwrap();
    assert_eq!(many.hosts(), 65_536 * 254);
    assert_eq!(many.rank(&at("10.3.7.0")), None);
    assert_eq!(
        many.host(many.rank(&at("10.3.7.9")).unwrap()),
        Some(at("10.3.7.9"))
    );
}

#[test]
fn what_is_not_planned_has_no_index() {
    let plan = plan(&["10.0.0.0/29", "2001:db8::/126"], &["10.0.0.3"], "22,80");
    let index = |address: Address, port| plan.index(&Endpoint { address, port });
    assert!(index(at("10.0.0.2"), 22).is_some());
    for address in [
        "10.0.0.3",
        "10.0.0.8",
        "9.255.255.255",
        "0.0.0.0",
        "255.255.255.255",
        "2001:db8::4",
        "2001:db7:ffff::",
        "::",
        "ffff::",
    ] {
        assert_eq!(index(at(address), 22), None, "{address}");
    }
    for port in [0, 21, 23, 79, 81, 443, 65_535] {
        assert_eq!(index(at("10.0.0.2"), port), None, "{port}");
    }
    assert_eq!(index(at("10.0.0.2").with_zone(3), 22), None);
    let mapped = Address {
        ip: "::ffff:10.0.0.2".parse().unwrap(),
        zone: 0,
    };
    assert_eq!(index(mapped, 22), index(at("10.0.0.2"), 22));
}

#[test]
fn plans_of_any_size_take_no_memory_per_endpoint() {
    let large = plan(&["1.0.0.0/8"], &[], "all");
    assert_eq!(large.len(), (1 << 24) * 65_535);
    let shuffle = Shuffle::new(large.len(), 1);
    for position in (0..large.len()).step_by((large.len() / 1000) as usize) {
        let endpoint = large.endpoint(shuffle.index(position)).unwrap();
        assert_eq!(shuffle.position(large.index(&endpoint).unwrap()), position);
    }
    let last = large.endpoint(large.len() - 1).unwrap();
    assert_eq!(last.to_string(), "1.255.255.255:65535");

    let everything = AddressRange::block(at("0.0.0.0"), 0);
    let internet = Plan::new(
        TargetSet::new(&everything, &[]).unwrap(),
        PortSet::parse("80").unwrap().set,
    );
    assert_eq!(internet.len(), 1 << 32);
    assert_eq!(internet.targets().ranges().count(), 1);
    assert_eq!(
        internet.endpoint((1 << 32) - 1).unwrap().address,
        at("255.255.255.255")
    );
}

#[test]
fn more_than_can_be_numbered_is_a_mistake() {
    let half = AddressRange::block(at("2000::"), 3);
    let mistake = TargetSet::new(&half, &[]).unwrap_err().to_string();
    assert!(mistake.starts_with("too many addresses"), "{mistake}");
    let most: Vec<AddressRange> = AddressRange::block(at("2001:db8::"), 80);
    let plan = Plan::new(
        TargetSet::new(&most, &[]).unwrap(),
        PortSet::parse("all").unwrap().set,
    );
    assert_eq!(plan.len(), (1 << 48) * 65_535);
    assert_eq!(
        plan.index(&plan.endpoint(plan.len() - 1).unwrap()),
        Some(plan.len() - 1)
    );
}

#[test]
fn excludes_hold_in_the_zones_that_they_name() {
    let link_local = |zone| AddressRange::single(at("fe80::1").with_zone(zone));
    let both = [link_local(2), link_local(3)];
    let in_two = TargetSet::new(&both, &[link_local(2)]).unwrap();
    assert_eq!(
        in_two.iter().collect::<Vec<_>>(),
        [at("fe80::1").with_zone(3)]
    );
    assert!(TargetSet::new(&both, &[link_local(0)]).is_err());
    assert_eq!(TargetSet::new(&both, &[]).unwrap().hosts(), 2);
}

#[test]
fn all_of_ipv6_is_not_ipv4() {
    let everything = AddressRange::block(at("::"), 0);
    let v4 = AddressRange::single(at("10.0.0.1"));
    assert_eq!(TargetSet::new(&[v4], &everything).unwrap().hosts(), 1);
}

prop_compose! {
    /// Up to six ranges within one /24, which a list of 256 flags can check.
    fn ranges()(bounds in prop::collection::vec((0_u8.., 0_u8..), 0..6)) -> Vec<(u8, u8)> {
        bounds.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect()
    }
}

proptest! {
    #[test]
    fn sets_agree_with_flags(wanted in ranges(), unwanted in ranges()) {
        let last = |value: u8| Address::new([10, 0, 0, value].into());
        let as_ranges = |bounds: &[(u8, u8)]| -> Vec<AddressRange> {
            bounds.iter().map(|&(low, high)| AddressRange::new(last(low), last(high)).unwrap()).collect()
        };
        let covers = |bounds: &[(u8, u8)], value: u8| bounds.iter().any(|&(low, high)| (low..=high).contains(&value));
        let expected: Vec<Address> = (0..=255)
            .filter(|&value| covers(&wanted, value) && !covers(&unwanted, value))
            .map(last)
            .collect();
        match TargetSet::new(&as_ranges(&wanted), &as_ranges(&unwanted)) {
            Err(_) => prop_assert!(expected.is_empty()),
            Ok(set) => {
                prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected.clone());
                prop_assert_eq!(set.hosts(), expected.len() as u64);
                for value in 0..=255 {
                    let rank = expected.iter().position(|&host| host == last(value)).map(|rank| rank as u64);
                    prop_assert_eq!(set.rank(&last(value)), rank);
                }
                for (rank, &host) in expected.iter().enumerate() {
                    prop_assert_eq!(set.host(rank as u64), Some(host));
                }
                prop_assert_eq!(set.host(set.hosts()), None);
            }
        }
    }

    #[test]
    fn port_sets_agree_with_a_plain_set(ports in prop::collection::btree_set(any::<u16>(), 0..300), absent: u16) {
        let mut plain = ports.clone();
        plain.remove(&0);
        match PortSet::new(ports.iter().copied()) {
            None => prop_assert!(plain.is_empty()),
            Some(set) => {
                prop_assert_eq!(set.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
                for (rank, &port) in plain.iter().enumerate() {
                    prop_assert_eq!(set.rank(port), Some(rank as u32));
                    prop_assert_eq!(set.port(rank as u32), Some(port));
                }
                prop_assert_eq!(set.port(set.len()), None);
                prop_assert_eq!(set.contains(absent), plain.contains(&absent));
                prop_assert_eq!(PortSet::parse(&set.to_string()).unwrap().set, set);
            }
        }
    }
}
