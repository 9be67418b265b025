//! The facts: CVE-2024-6387 is in OpenSSH 8.5p1 to 9.7p1 (openssh.com/txt/release-9.8), fixed in Debian 12 in
//! 1:9.2p1-2+deb12u3 (DSA-5724-1) and in Ubuntu 22.04 in 1:8.9p1-3ubuntu0.10 (USN-6859-1).

use std::net::Ipv4Addr;

use super::*;
use crate::enrich::vulns::build;
use crate::enrich::vulns::range;
use crate::model::Address;
use crate::model::facts::{Evidence, Part};

fn software(version: &str, revision: Option<&str>) -> Software {
    Software {
        part: Part::Application,
        vendor: Some("OpenBSD".to_owned()),
        product: "OpenSSH".to_owned(),
        version: (!version.is_empty()).then(|| version.to_owned()),
        revision: revision.map(str::to_owned),
        cpe: None,
        evidence: Evidence {
            rule: "ssh.openssh".to_owned(),
            text: "OpenSSH".to_owned(),
        },
    }
}

fn package(advisory: &str, ecosystem: &str, ranges: &str) -> Package {
    Package {
        source: "osv".to_owned(),
        advisory: advisory.to_owned(),
        ecosystem: ecosystem.to_owned(),
        ranges: range::read(ranges).expect("ranges"),
        weight: Weight::Ordinary,
    }
}

fn regresshion() -> Entry {
    Entry {
        id: "CVE-2024-6387".parse().expect("a number"),
        upstream: vec![Upstream {
            source: "nvd".to_owned(),
            product: "openbsd:openssh".to_owned(),
            ranges: range::read(">=8.6,<9.8|=8.5p1").expect("ranges"),
        }],
        packages: vec![
            package("DEBIAN-CVE-2024-6387", "Debian:11", "<0"),
            package(
                "DEBIAN-CVE-2024-6387",
                "Debian:12",
                ">=0,<1:9.2p1-2+deb12u3",
            ),
            package(
                "UBUNTU-CVE-2024-6387",
                "Ubuntu:22.04:LTS",
                ">=0,<1:8.9p1-3ubuntu0.10",
            ),
        ],
        exploited: Exploited::NotOnRecord,
        epss: None,
        score: Some(8.1),
    }
}

fn judged(version: &str, revision: Option<&str>, entry: &Entry) -> Option<(Judgement, String)> {
    let software = software(version, revision);
    let subject = Subject {
        software: &software,
        version: build::upstream(&software),
        build: build::of(&software, &[]),
        built_by: build::of_others(&software, &[]),
        ecosystems: ecosystems_with(&entry.packages, version),
        packaging: if entry.packages.is_empty() {
            Packaging::NotCompared
        } else {
            Packaging::Compared
        },
    };
    subject
        .judge(entry)
        .map(|judged| (judged.judgement, judged.rule))
}

#[test]
fn the_distributions_own_revision_decides() {
    let entry = regresshion();
    for (version, revision, expected) in [
        ("9.2p1", "Debian-2+deb12u3", Judgement::FixedByDistribution),
        ("9.2p1", "Debian-2+deb12u7", Judgement::FixedByDistribution),
        ("9.2p1", "Debian-2+deb12u2", Judgement::Likely),
        // No release is told; 9.2p1 is Debian 12's.
        ("9.2p1", "Debian-2", Judgement::Likely),
        (
            "8.9p1",
            "Ubuntu-3ubuntu0.10",
            Judgement::FixedByDistribution,
        ),
        ("8.9p1", "Ubuntu-3ubuntu0.7", Judgement::Likely),
        // A backport, and a release that nothing is known of.
        ("9.2p1", "Debian-2~bpo11+1", Judgement::Possible),
        ("9.2p1", "Debian-2+deb99u1", Judgement::Possible),
    ] {
        let judged = judged(version, Some(revision), &entry).expect("a finding");
        assert_eq!(judged.0, expected, "{version} {revision}: {}", judged.1);
    }
    let (_, rule) = judged("9.2p1", Some("Debian-2+deb12u3"), &entry).expect("a finding");
    assert_eq!(
        rule,
        "Debian:12 fixed it in 1:9.2p1-2+deb12u3 (DEBIAN-CVE-2024-6387); this is 9.2p1-2+deb12u3"
    );
    let (_, rule) = judged("9.2p1", Some("Debian-2+deb12u2"), &entry).expect("a finding");
    assert_eq!(
        rule,
        "Debian:12 fixed it in 1:9.2p1-2+deb12u3 (DEBIAN-CVE-2024-6387); this is 9.2p1-2+deb12u2"
    );
}

#[test]
fn a_version_that_is_not_meant_is_no_finding() {
    let entry = regresshion();
    for (version, revision) in [
        ("8.4p1", Some("Debian-5+deb11u3")),
        ("8.4p1", None),
        ("9.8p1", None),
        ("9.9p1", Some("Debian-3")),
    ] {
        assert_eq!(judged(version, revision, &entry), None, "{version}");
    }
}

#[test]
fn without_a_revision_a_distribution_may_have_mended_it() {
    let entry = regresshion();
    let (judgement, rule) = judged("9.2p1", None, &entry).expect("a finding");
    assert_eq!(judgement, Judgement::Possible);
    assert_eq!(
        rule,
        "openbsd:openssh 8.6 to before 9.8; Debian:12 fixed it in 1:9.2p1-2+deb12u3; whose build this is, is not told"
    );
    // No distribution on record has 9.7p1.
    assert_eq!(
        judged("9.7p1", None, &entry).map(|it| it.0),
        Some(Judgement::Likely)
    );
    let nothing = Entry {
        packages: Vec::new(),
        ..entry
    };
    assert_eq!(
        judged("9.7p1", None, &nothing).map(|it| it.0),
        Some(Judgement::Possible)
    );
}

/// It was `likely` at FreeBSD-20240701, which is the very revision that mended it (FreeBSD-SA-24:04.openssh).
#[test]
fn what_another_builder_mended_was_taken_for_not_mended() {
    for revision in ["FreeBSD-20240701", "CentOS-1"] {
        let (judgement, rule) = judged("9.7p1", Some(revision), &regresshion()).expect("a finding");
        assert_eq!(judgement, Judgement::Possible);
        assert_eq!(
            rule,
            format!("openbsd:openssh 8.6 to before 9.8; what {revision} mended is not on record")
        );
    }
}

/// CVE-2007-2768 is in NVD as of all versions of OpenSSH: it was `likely` in each that came since.
#[test]
fn an_entry_that_bounds_no_version_was_likely_in_every_later_one() {
    let mut entry = regresshion();
    entry.packages.clear();
    let software = software("10.2p1", None);
    for (ranges, expected) in [
        ("*", Judgement::Possible),
        (">=1", Judgement::Likely),
        ("<11", Judgement::Likely),
    ] {
        entry.upstream[0].ranges = range::read(ranges).expect("ranges");
        let subject = Subject {
            software: &software,
            version: Some("10.2p1"),
            build: None,
            built_by: None,
            ecosystems: Vec::new(),
            packaging: Packaging::Nowhere,
        };
        let judged = subject.judge(&entry).expect("a finding");
        assert_eq!(judged.judgement, expected, "{ranges}: {}", judged.rule);
    }
}

#[test]
fn what_the_distribution_leaves_unfixed_is_likely_and_unimportant_is_possible() {
    let mut entry = regresshion();
    entry.packages = vec![package("DEBIAN-CVE-2024-6387", "Debian:12", ">=0")];
    let (judgement, rule) = judged("9.2p1", Some("Debian-2+deb12u7"), &entry).expect("a finding");
    assert_eq!(judgement, Judgement::Likely);
    assert!(
        rule.starts_with("Debian:12 has no fix for 9.2p1-2+deb12u7"),
        "{rule}"
    );
    entry.packages[0].weight = Weight::Unimportant;
    let (judgement, rule) = judged("9.2p1", Some("Debian-2+deb12u7"), &entry).expect("a finding");
    assert_eq!(judgement, Judgement::Possible);
    assert!(rule.contains("calls it unimportant"), "{rule}");
}

#[test]
fn the_record_of_the_vulnerability_counts_before_an_advisory() {
    let mut entry = regresshion();
    // An advisory that mended something else of it earlier.
    entry
        .packages
        .push(package("DSA-1-1", "Debian:12", ">=0,<1:9.2p1-1"));
    let (judgement, _) = judged("9.2p1", Some("Debian-2+deb12u2"), &entry).expect("a finding");
    assert_eq!(judgement, Judgement::Likely);
}

#[test]
fn a_condition_and_an_unnamed_vendor_make_it_no_more_than_possible() {
    let mut entry = regresshion();
    entry.upstream[0].ranges = range::read("&>=8.6,<9.8").expect("ranges");
    assert_eq!(
        judged("9.7p1", None, &entry).map(|it| it.0),
        Some(Judgement::Possible)
    );
    entry.upstream[0].ranges = range::read(">=8.6,<9.8").expect("ranges");
    entry.upstream[0].product = "*:openssh".to_owned();
    assert_eq!(
        judged("9.7p1", None, &entry).map(|it| it.0),
        Some(Judgement::Possible)
    );
}

#[test]
fn versions_that_nobody_told_are_unknown_or_possible_and_only_where_exploited() {
    let mut entry = regresshion();
    entry.packages.clear();
    entry.upstream[0].ranges = range::read("?").expect("ranges");
    assert_eq!(
        judged("9.7p1", None, &entry).map(|it| it.0),
        Some(Judgement::Unknown)
    );
    assert_eq!(judged("", None, &entry), None);
    entry.exploited = Exploited::Known;
    assert_eq!(
        judged("", None, &entry).map(|it| it.0),
        Some(Judgement::Possible)
    );
}

#[test]
fn exploited_ones_come_first_then_likely_exploitation_then_score_and_fixed_ones_last() {
    let entry = regresshion();
    let software = software("9.7p1", None);
    let subject = Subject {
        software: &software,
        version: Some("9.7p1"),
        build: None,
        built_by: None,
        ecosystems: Vec::new(),
        packaging: Packaging::Nowhere,
    };
    let endpoint = Endpoint {
        address: Address::new(Ipv4Addr::LOCALHOST.into()),
        port: 22,
    };
    let make = |number: u32, exploited, epss, score| {
        let entry = Entry {
            id: format!("CVE-2024-{number}").parse().expect("a number"),
            exploited,
            epss,
            score,
            ..entry.clone()
        };
        subject.finding(endpoint, &entry).expect("a finding")
    };
    let mut findings = vec![
        make(1000, Exploited::NotOnRecord, None, Some(9.8)),
        make(1001, Exploited::NotOnRecord, Some(0.5), Some(1.0)),
        make(1002, Exploited::Known, Some(0.1), Some(5.0)),
        make(1003, Exploited::NotOnRecord, None, None),
        make(1004, Exploited::Known, Some(0.9), Some(9.0)),
    ];
    findings[4].judgement = Judgement::FixedByDistribution;
    sort(&mut findings);
    let order: Vec<&str> = findings.iter().map(|finding| &finding.id[9..]).collect();
    assert_eq!(order, ["1002", "1001", "1000", "1003", "1004"]);
}
