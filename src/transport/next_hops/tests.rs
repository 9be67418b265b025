use super::*;
use crate::model::{Address, LocalFault, Seen};
use crate::transport::route::Route;
use std::io;

const KEY: HopKey = (2, IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));

struct Told(Vec<(HopKey, Neighbour)>, News);

impl Router for Told {
    fn route(&mut self, _: Address) -> io::Result<Route> {
        unreachable!("news need no route")
    }

    fn neighbour(&mut self, _: u32, _: IpAddr) -> Neighbour {
        Neighbour::Unresolved
    }

    fn neighbour_news(&mut self, out: &mut Vec<(HopKey, Neighbour)>) -> News {
        out.append(&mut self.0);
        self.1
    }
}

fn at(milliseconds: u64) -> Time {
    Time(milliseconds * 1_000_000)
}

fn endpoint() -> Endpoint {
    Endpoint {
        address: Address::new(KEY.1),
        port: 80,
    }
}

fn scouting(most: usize) -> NextHops {
    NextHops::new(Crowd::Scouts, most)
}

#[test]
fn an_unresolved_neighbour_gets_two_probes_a_moment_and_then_refusals() {
    let mut hops = scouting(9);
    for _ in 0..2 {
        let go = hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || {
            Neighbour::Unresolved
        });
        assert_eq!(go, Permission::GoAndStay);
    }
    let wait = hops.permit(KEY, endpoint(), at(1), AskedBy::Kernel, || {
        Neighbour::Unresolved
    });
    assert_eq!(wait, Permission::Wait(at(2)));
    let refused = hops.permit(KEY, endpoint(), at(500), AskedBy::Kernel, || {
        Neighbour::Unresolved
    });
    assert_eq!(refused, Permission::Refuse);
    let go = hops.permit(KEY, endpoint(), at(501), AskedBy::Kernel, || {
        Neighbour::Known
    });
    assert_eq!(go, Permission::Go);
    assert!(!hops.is_any_unresolved());
}

#[test]
fn a_firewall_that_drops_the_first_probes_does_not_leave_a_neighbour_unasked() {
    let mut hops = scouting(9);
    for _ in 0..100 {
        let go = hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || {
            Neighbour::Unresolved
        });
        assert_eq!(go, Permission::GoAndStay);
        hops.take_back(KEY);
    }
    assert!(!hops.is_any_unresolved());
}

#[test]
fn a_full_send_buffer_left_a_neighbour_unasked_and_its_probes_refused() {
    let mut hops = scouting(9);
    for milliseconds in 0..1_000 {
        let go = hops.permit(KEY, endpoint(), at(milliseconds), AskedBy::Kernel, || {
            Neighbour::Unresolved
        });
        assert_eq!(go, Permission::GoAndStay);
        hops.found_no_room(KEY);
    }
    assert!(!hops.is_any_unresolved());
    // Of the second the first tells.
    for _ in 0..2 {
        hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || {
            Neighbour::Unresolved
        });
    }
    hops.found_no_room(KEY);
    assert!(hops.is_any_unresolved());
}

#[test]
fn a_known_neighbour_is_asked_for_once() {
    let mut hops = scouting(9);
    let go = hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || Neighbour::Known);
    assert_eq!(go, Permission::Go);
    for _ in 0..1000 {
        let go = hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || {
            unreachable!("known")
        });
        assert_eq!(go, Permission::Go);
    }
}

#[test]
fn one_that_is_given_up_is_absent_for_a_while_and_then_tried_again() {
    let mut hops = scouting(9);
    hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || {
        Neighbour::Unresolved
    });
    assert_eq!(hops.fate(KEY), Fate::Open { since: at(0) });
    let mut out = Vec::new();
    let mut told = Told(vec![(KEY, Neighbour::Failed)], News::All);
    hops.hear(at(3_000), &mut told, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(
        (out[0].endpoint, out[0].seen),
        (endpoint(), Seen::NoNeighbour)
    );
    assert_eq!(hops.fate(KEY), Fate::Failed);
    let absent = hops.permit(KEY, endpoint(), at(4_000), AskedBy::Kernel, || {
        unreachable!("known")
    });
    assert_eq!(absent, Permission::Absent);
    let again = hops.permit(KEY, endpoint(), at(14_000), AskedBy::Kernel, || {
        Neighbour::Failed
    });
    assert_eq!(again, Permission::GoAndStay);
}

#[test]
fn a_wide_network_does_not_overflow_the_neighbour_table() {
    let mut hops = scouting(100);
    let key = |last: u32| (2, IpAddr::V4(last.into()));
    for last in 0..1000 {
        let permission = hops.permit(key(last), endpoint(), at(0), AskedBy::Kernel, || {
            Neighbour::Unresolved
        });
        assert_eq!(permission == Permission::GoAndStay, last < 100, "{last}");
    }
    let told = (0..100)
        .map(|last| (key(last), Neighbour::Failed))
        .collect();
    hops.hear(at(3_000), &mut Told(told, News::All), &mut Vec::new());
    let go = hops.permit(key(500), endpoint(), at(3_000), AskedBy::Kernel, || {
        Neighbour::Unresolved
    });
    assert_eq!(go, Permission::GoAndStay);
}

#[test]
fn neighbours_of_which_no_news_comes_do_not_hold_their_place_for_ever() {
    let mut hops = scouting(1);
    hops.permit(KEY, endpoint(), at(0), AskedBy::Kernel, || {
        Neighbour::Unresolved
    });
    hops.hear(
        at(11_000),
        &mut Told(Vec::new(), News::SomeLost),
        &mut Vec::new(),
    );
    assert!(!hops.is_any_unresolved());
}

fn behind() -> Endpoint {
    let address = Address::new([10, 0, 1, 9].into());
    Endpoint {
        address,
        ..endpoint()
    }
}

#[test]
fn hosts_behind_a_dead_gateway_were_taken_for_absent() {
    let mut hops = scouting(9);
    let unresolved = || Neighbour::Unresolved;
    for _ in 0..2 {
        let go = hops.permit(KEY, behind(), at(0), AskedBy::Kernel, unresolved);
        assert_eq!(go, Permission::GoAndStay);
    }
    let cut_off = hops.permit(KEY, behind(), at(600), AskedBy::Kernel, unresolved);
    assert_eq!(cut_off, Permission::NoGateway);
    let mut out = Vec::new();
    let failed = || Told(vec![(KEY, Neighbour::Failed)], News::All);
    hops.hear(at(3_000), &mut failed(), &mut out);
    assert_eq!(out[0].seen, Seen::Local(LocalFault::NoGateway));
    // It is asked for again at once, by one probe, and nobody waits for it.
    let again = hops.permit(KEY, behind(), at(3_000), AskedBy::Kernel, || {
        Neighbour::Failed
    });
    assert_eq!(again, Permission::GoInDoubt);
    let cut_off = hops.permit(KEY, behind(), at(3_000), AskedBy::Kernel, unresolved);
    assert_eq!(cut_off, Permission::NoGateway);
    // The gateway itself is a neighbour like any other.
    hops.hear(at(6_000), &mut failed(), &mut out);
    let absent = hops.permit(KEY, endpoint(), at(6_000), AskedBy::Kernel, || {
        unreachable!("known")
    });
    assert_eq!(absent, Permission::Absent);
    let go = hops.permit(KEY, behind(), at(7_000), AskedBy::Kernel, || {
        Neighbour::Known
    });
    assert_eq!(go, Permission::Go);
}

#[test]
fn connects_by_a_gateway_that_was_given_up_wait_for_it_one_at_a_time() {
    let mut hops = NextHops::new(Crowd::All, 9);
    let permit = |hops: &mut NextHops, now| {
        hops.permit(KEY, behind(), at(now), AskedBy::Kernel, || {
            Neighbour::Unresolved
        })
    };
    for _ in 0..9 {
        assert_eq!(permit(&mut hops, 0), Permission::GoAndStay);
    }
    let mut failed = Told(vec![(KEY, Neighbour::Failed)], News::All);
    hops.hear(at(3_000), &mut failed, &mut Vec::new());
    assert_eq!(permit(&mut hops, 3_000), Permission::GoAndStay);
    for now in [3_000, 5_000] {
        assert_eq!(permit(&mut hops, now), Permission::NoGateway);
    }
}

#[test]
fn a_gateway_that_died_in_the_middle_of_a_scan_swallowed_what_was_sent_to_it() {
    let mut hops = scouting(9);
    let go = hops.permit(KEY, behind(), at(0), AskedBy::Kernel, || Neighbour::Known);
    assert_eq!(go, Permission::Go);
    let mut failed = Told(vec![(KEY, Neighbour::Failed)], News::All);
    hops.hear(at(9_000), &mut failed, &mut Vec::new());
    let go = hops.permit(KEY, behind(), at(9_000), AskedBy::Kernel, || {
        Neighbour::Failed
    });
    assert_eq!(go, Permission::GoAndStay);
    assert!(hops.is_any_unresolved());
}

/// With a short patience the second attempt left within the second that the kernel asks for the gateway, was kept like the
/// first, and the scan was over before the kernel gave up: what lies behind the gateway was called filtered.
#[test]
fn a_gateway_that_has_not_answered_for_long_gets_no_second_probe_to_keep() {
    let mut hops = scouting(9);
    let far = Endpoint {
        address: Address::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 7))),
        port: 80,
    };
    let go = hops.permit(KEY, far, at(0), AskedBy::Kernel, || Neighbour::Unresolved);
    assert_eq!(go, Permission::GoAndStay);
    let second = hops.permit(KEY, far, at(1_000), AskedBy::Kernel, || {
        Neighbour::Unresolved
    });
    assert_eq!(second, Permission::NoGateway);
}

/// The next probe counted as sent, as if nobody had ever waited for this gateway in vain.
#[test]
fn a_probe_that_did_not_leave_made_a_gateway_look_as_if_it_had_never_been_given_up() {
    let mut hops = scouting(9);
    let unresolved = || Neighbour::Unresolved;
    hops.permit(KEY, behind(), at(0), AskedBy::Kernel, unresolved);
    let mut failed = Told(vec![(KEY, Neighbour::Failed)], News::All);
    hops.hear(at(3_000), &mut failed, &mut Vec::new());
    let not_left = [NextHops::take_back, NextHops::found_no_room];
    for take_back in not_left {
        let again = hops.permit(KEY, behind(), at(4_000), AskedBy::Kernel, unresolved);
        assert_eq!(again, Permission::GoInDoubt);
        take_back(&mut hops, KEY);
        assert!(!hops.is_any_unresolved());
    }
    let again = hops.permit(KEY, behind(), at(4_000), AskedBy::Kernel, unresolved);
    assert_eq!(again, Permission::GoInDoubt);
}

#[test]
fn what_we_ask_for_ourselves_takes_no_room_from_the_kernel_and_is_none_of_its_news() {
    let mut hops = scouting(1);
    let key = |last: u32| (2, IpAddr::V4(last.into()));
    let to = |last: u32| Endpoint {
        address: Address::new(key(last).1),
        ..endpoint()
    };
    let mut permit = |last: u32, by: AskedBy| {
        hops.permit(key(last), to(last), at(0), by, || Neighbour::Unresolved)
    };
    for last in 1..=4_096 {
        assert_eq!(permit(last, AskedBy::Us), Permission::GoAndStay, "{last}");
    }
    assert_eq!(permit(5_000, AskedBy::Us), Permission::Wait(at(1)));
    assert_eq!(permit(5_000, AskedBy::Kernel), Permission::GoAndStay);
    assert_eq!(permit(5_001, AskedBy::Kernel), Permission::Wait(at(1)));
    // Among so many nobody waits for one of them.
    let more = hops.permit(key(7), to(7), at(1), AskedBy::Us, || Neighbour::Unresolved);
    assert_eq!(more, Permission::Refuse);
    let told = vec![(key(7), Neighbour::Failed), (key(8), Neighbour::Known)];
    let mut out = Vec::new();
    hops.hear(at(11_000), &mut Told(told, News::SomeLost), &mut out);
    assert!(out.is_empty());
    for last in [7, 8] {
        assert_eq!(hops.fate(key(last)), Fate::Open { since: at(0) });
    }
    let given_up = hops.give_up(key(7), at(11_000));
    assert_eq!(given_up.map(|told| told.seen), Some(Seen::NoNeighbour));
    hops.free(key(8));
    hops.forget(key(9));
    for last in [5_000, 5_001, 5_002] {
        let go = hops.permit(key(last), to(last), at(11_000), AskedBy::Us, || {
            Neighbour::Unresolved
        });
        assert_eq!(go, Permission::GoAndStay);
    }
}
