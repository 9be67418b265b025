//! Versions of packages, against dpkg itself.

use std::cmp::Ordering;
use std::process::Command;

use halfopen::enrich::vulns::dpkg::{Version, compare};

/// Pairs made by a fixed rule from what versions are made of, judged by dpkg itself.
#[test]
fn dpkg_itself_orders_the_same() {
    if Command::new("dpkg").arg("--version").output().is_err() {
        println!("SKIPPED: dpkg is not installed");
        return;
    }
    let parts = [
        "0",
        "1",
        "9",
        "10",
        "00",
        "01",
        ".",
        "+",
        "~",
        "a",
        "p1",
        "deb12u3",
        "ubuntu0.10",
        "-",
        "-1",
    ];
    let mut state = 12_345_u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let mut version = || {
        let mut text = ["", "", "0:", "1:", "12:"][next(5)].to_owned();
        text.push_str(["1", "0", "2", "10"][next(4)]);
        for _ in 0..next(5) {
            text.push_str(parts[next(parts.len())]);
        }
        // dpkg refuses a version that ends in a hyphen.
        text.trim_end_matches('-').to_owned()
    };
    let (mut equal, mut compared) = (0, 0);
    for round in 0..400 {
        let a = version();
        // Now and then the same version, written in another way.
        let b = match round % 8 {
            0 => a.replace('1', "01"),
            1 if !a.contains('-') => format!("{a}-0"),
            _ => version(),
        };
        let expected = ["lt", "eq", "gt"].into_iter().find(|relation| {
            let status = Command::new("dpkg")
                .args(["--compare-versions", &a, relation, &b])
                .status();
            status.is_ok_and(|status| status.success())
        });
        let ours = match compare(&Version::new(&a), &Version::new(&b)) {
            Ordering::Less => "lt",
            Ordering::Equal => "eq",
            Ordering::Greater => "gt",
        };
        assert_eq!(Some(ours), expected, "{a} {b}");
        compared += 1;
        equal += u32::from(ours == "eq");
    }
    assert!(compared == 400 && equal > 20, "{equal} of {compared}");
}
