//! From excerpts of the real feeds (`feeds/`) to what is said of servers: the whole way through the database.

mod dpkg;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use halfopen::model::facts::{
    Basis, Evidence, Exploited, Finding, Judgement, Part, Service, Software,
};
use halfopen::store::feeds::Feed;
use halfopen::store::vulns::{Database, DatabaseError, Importer};
use halfopen::{Address, Endpoint};

const NOW: &str = "2026-11-28T01:00:00Z";

fn feeds(name: &str) -> PathBuf {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vulnerabilities/feeds"
    ))
    .join(name)
}

/// A database of these feeds.
pub fn database(folder: &Path, feeds_in_it: &[(Feed, &str)]) -> PathBuf {
    let path = folder.join("vulnerabilities.db");
    let mut importer = Importer::open(&path).expect("a database");
    for (feed, file) in feeds_in_it {
        importer.import(*feed, &feeds(file), NOW).expect("a feed");
    }
    importer.commit().expect("written");
    path
}

pub const ALL: [(Feed, &str); 5] = [
    (Feed::Nvd, "nvd.json"),
    (Feed::Cve, "cve"),
    (Feed::Osv, "osv"),
    (Feed::Kev, "kev.json"),
    (Feed::Epss, "epss.csv"),
];

/// A service that told this of itself; the names are a CPE's.
fn service(vendor: &str, product: &str, version: &str, revision: &str) -> Service {
    let update = version.find('p').map_or("*", |at| &version[at..]);
    let number = version.strip_suffix(update).unwrap_or(version);
    Service {
        endpoint: Endpoint {
            address: Address::new(Ipv4Addr::LOCALHOST.into()),
            port: 22,
        },
        protocol: Some("ssh".to_owned()),
        basis: Basis::ByAnswer,
        tls: None,
        software: vec![Software {
            part: Part::Application,
            vendor: Some(vendor.to_owned()),
            product: product.to_owned(),
            version: (!version.is_empty()).then(|| version.to_owned()),
            revision: (!revision.is_empty()).then(|| revision.to_owned()),
            cpe: Some(format!(
                "cpe:2.3:a:{vendor}:{product}:{}:{update}:*:*:*:*:*:*",
                if number.is_empty() { "*" } else { number }
            )),
            evidence: Evidence {
                rule: "test".to_owned(),
                text: format!("{product}_{version} {revision}"),
            },
        }],
        details: Vec::new(),
        greeting: Vec::new(),
    }
}

fn findings(
    path: &Path,
    vendor: &str,
    product: &str,
    version: &str,
    revision: &str,
) -> Vec<Finding> {
    let database = Database::open(path).expect("a database");
    database
        .findings(&service(vendor, product, version, revision))
        .expect("findings")
}

/// What was found, as one line each.
fn told(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|it| format!("{} {:?}: {} [{}]", it.id, it.judgement, it.rule, it.source))
        .collect()
}

#[test]
fn what_a_debian_revision_fixed_is_told_apart_from_what_it_did_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let fixed = findings(&path, "openbsd", "openssh", "9.2p1", "Debian-2+deb12u3");
    assert_eq!(
        told(&fixed),
        [
            "CVE-2007-2768 Possible: Debian:12 has no fix for 9.2p1-2+deb12u3 (DEBIAN-CVE-2007-2768), and calls it \
             unimportant [osv Debian 2026-11-19, nvd 2026-11-20]",
            "CVE-2023-38408 FixedByDistribution: Debian:12 fixed it in 1:9.2p1-2+deb12u1 (DEBIAN-CVE-2023-38408); this is \
             9.2p1-2+deb12u3 [osv Debian 2026-11-19, nvd 2026-11-20]",
            "CVE-2024-6387 FixedByDistribution: Debian:12 fixed it in 1:9.2p1-2+deb12u3 (DEBIAN-CVE-2024-6387); this is \
             9.2p1-2+deb12u3 [osv Debian 2026-11-19, nvd 2026-11-20]",
        ]
    );
    let not_fixed = findings(&path, "openbsd", "openssh", "9.2p1", "Debian-2+deb12u2");
    assert_eq!(
        told(&not_fixed)[0],
        "CVE-2024-6387 Likely: Debian:12 fixed it in 1:9.2p1-2+deb12u3 (DEBIAN-CVE-2024-6387); this is 9.2p1-2+deb12u2 \
         [osv Debian 2026-11-19, nvd 2026-11-20]"
    );
    let first = &not_fixed[0];
    assert_eq!(first.evidence.text, "openssh_9.2p1 Debian-2+deb12u2");
    assert_eq!(
        first.software,
        "cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*"
    );
    assert_eq!((first.score, first.epss), (Some(8.1), Some(0.4578)));
    assert_eq!(first.exploited, Exploited::NotOnRecord);
    // Ubuntu tells no release; the version does.
    let ubuntu = findings(&path, "openbsd", "openssh", "8.9p1", "Ubuntu-3ubuntu0.10");
    assert!(
        told(&ubuntu).iter().any(|line| line.starts_with(
            "CVE-2024-6387 FixedByDistribution: Ubuntu:22.04:LTS fixed it in 1:8.9p1-3ubuntu0.10"
        )),
        "{:#?}",
        told(&ubuntu)
    );
}

#[test]
fn a_version_without_a_revision_is_possible_where_a_distribution_mended_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let nginx = findings(&path, "nginx", "nginx", "1.18.0", "Ubuntu");
    assert_eq!(
        told(&nginx),
        [
            "CVE-2021-23017 Possible: f5:nginx 0.6.18 to before 1.20.1; Ubuntu:20.04:LTS fixed it in 1.18.0-0ubuntu1.2; the \
          revision of Ubuntu is not told [nvd 2026-11-20]"
        ]
    );
    // No distribution on record has it.
    let other = findings(&path, "f5", "nginx", "1.19.3", "");
    assert_eq!(other[0].judgement, Judgement::Likely, "{:?}", told(&other));
    for version in ["1.20.1", "0.6.17", "1.21.0"] {
        assert!(
            findings(&path, "f5", "nginx", version, "").is_empty(),
            "{version}"
        );
    }
}

/// Apache httpd and nginx name the distribution behind their version: it was passed over, and what CentOS may have mended
/// was `likely`.
#[test]
fn a_distribution_that_was_told_beside_the_version_was_not_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&database(folder.path(), &ALL)).expect("a database");
    let on = |vendor: &str, cpe: &str| {
        let mut service = service("f5", "nginx", "1.19.3", "");
        service.software.push(Software {
            part: Part::System,
            vendor: Some(vendor.to_owned()),
            product: "Linux".to_owned(),
            version: None,
            revision: None,
            cpe: Some(format!("cpe:2.3:o:{cpe}:*:*:*:*:*:*:*:*")),
            evidence: Evidence {
                rule: "test".to_owned(),
                text: format!("nginx/1.19.3 ({vendor})"),
            },
        });
        told(&database.findings(&service).expect("findings"))
    };
    assert_eq!(
        on("CentOS", "centos:centos"),
        [
            "CVE-2021-23017 Possible: f5:nginx 0.6.18 to before 1.20.1; what CentOS mended is not on record [nvd 2026-11-20]"
        ]
    );
    assert_eq!(
        on("Debian", "debian:debian_linux"),
        [
            "CVE-2021-23017 Possible: f5:nginx 0.6.18 to before 1.20.1; the revision of Debian is not told [nvd 2026-11-20]"
        ]
    );
}

#[test]
fn exploited_ones_come_first_and_are_all_that_is_told_without_a_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let apache = findings(&path, "apache", "http_server", "2.4.49", "");
    assert_eq!(apache.len(), 1);
    assert_eq!(apache[0].exploited, Exploited::Known);
    assert_eq!(apache[0].epss, Some(0.9439));
    for version in ["2.4.48", "2.4.50", "2.4.57"] {
        assert!(
            findings(&path, "apache", "http_server", version, "").is_empty(),
            "{version}"
        );
    }
    let hidden = findings(&path, "apache", "http_server", "", "");
    assert_eq!(
        told(&hidden),
        [
            "CVE-2021-41773 Possible: apache:http_server 2.4.49; the version is not told [nvd 2026-11-20]"
        ]
    );
    assert!(findings(&path, "openbsd", "openssh", "", "").is_empty());
}

/// NVD names Debian 12 beside OpenSSH; that a server runs Debian 12 says nothing about its OpenSSH.
#[test]
fn a_distribution_as_a_whole_is_no_match() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let mut debian = service("debian", "debian_linux", "12.0", "");
    let system = &mut debian.software[0];
    system.part = Part::System;
    system.cpe = Some("cpe:2.3:o:debian:debian_linux:12.0:*:*:*:*:*:*:*".to_owned());
    let database = Database::open(&path).expect("a database");
    assert_eq!(database.findings(&debian).expect("findings"), []);
}

#[test]
fn the_cve_list_alone_gives_products_too_and_says_no_more_than_possible() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &[(Feed::Cve, "cve")]);
    let found = findings(&path, "openbsd", "openssh", "9.2p1", "Debian-2+deb12u3");
    assert_eq!(
        told(&found),
        [
            "CVE-2024-6387 Possible: openbsd:openssh 8.5p1 to before 9.8p1; Debian may have mended it: no data of its own to \
          compare [cve 2026-10-01]"
        ]
    );
    assert!(findings(&path, "openbsd", "openssh", "9.8p1", "").is_empty());
    assert!(findings(&path, "redhat", "enterprise_linux", "9", "").is_empty());
}

#[test]
fn a_feed_that_cannot_be_read_leaves_the_database_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let before = std::fs::read(&path).expect("a file");
    let whole = std::fs::read_to_string(feeds("nvd.json")).expect("a feed");
    let cut = folder.path().join("cut.json");
    for length in [0, 1, 400, whole.len() / 2, whole.len() - 3] {
        std::fs::write(&cut, &whole[..length]).expect("written");
        let mut importer = Importer::open(&path).expect("a database");
        // What came before in the same import is not kept either.
        importer
            .import(Feed::Kev, &feeds("kev.json"), NOW)
            .expect("a feed");
        let error = importer
            .import(Feed::Nvd, &cut, NOW)
            .expect_err("it is cut");
        assert!(error.to_string().contains("cut.json"), "{error}");
        drop(importer);
        assert!(
            std::fs::read(&path).expect("a file") == before,
            "cut at {length}"
        );
    }
    // A database that was not there is not there.
    let fresh = folder.path().join("new/fresh.db");
    let mut importer = Importer::open(&fresh).expect("a database");
    importer
        .import(Feed::Nvd, &cut, NOW)
        .expect_err("it is cut");
    drop(importer);
    assert!(!fresh.exists());
    assert!(matches!(
        Database::open(&fresh),
        Err(DatabaseError::Missing { .. })
    ));
}

#[test]
fn what_is_imported_again_replaces_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let once = Database::open(&path)
        .and_then(|it| it.status())
        .expect("a status");
    database(folder.path(), &ALL);
    let twice = Database::open(&path)
        .and_then(|it| it.status())
        .expect("a status");
    assert_eq!(once.feeds, twice.feeds);
    assert_eq!((twice.vulnerabilities, twice.without_product), (5, 0));
    let names: Vec<(&str, u64)> = twice
        .feeds
        .iter()
        .map(|it| (it.name.as_str(), it.records))
        .collect();
    assert_eq!(
        names,
        [
            ("cve", 1),
            ("epss", 5),
            ("kev", 1),
            ("nvd", 5),
            ("osv Debian", 8),
            ("osv Ubuntu", 4)
        ]
    );
    // A number that was rejected since, an advisory that was withdrawn, a catalogue without an entry.
    let change = |feed, name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        let mut importer = Importer::open(&path).expect("a database");
        importer.import(feed, &file, NOW).expect("a feed");
        importer.commit().expect("written");
    };
    change(
        Feed::Nvd,
        "x.json",
        r#"{"vulnerabilities":[{"cve":{"id":"CVE-2021-41773","vulnStatus":"Rejected"}}]}"#,
    );
    change(
        Feed::Osv,
        "y.json",
        r#"{"id":"UBUNTU-CVE-2021-23017","withdrawn":"2026-11-21T00:00:00Z","affected":[]}"#,
    );
    change(Feed::Kev, "z.json", r#"{"vulnerabilities":[]}"#);
    assert!(findings(&path, "apache", "http_server", "2.4.49", "").is_empty());
    let nginx = findings(&path, "nginx", "nginx", "1.18.0", "");
    assert_eq!(
        told(&nginx),
        [
            "CVE-2021-23017 Possible: f5:nginx 0.6.18 to before 1.20.1; a distribution may have mended it: no data of theirs \
             to compare [nvd 2026-11-20]"
        ]
    );
    let status = Database::open(&path)
        .and_then(|it| it.status())
        .expect("a status");
    assert_eq!(
        (status.feeds[2].name.as_str(), status.feeds[2].records),
        ("kev", 0)
    );
}

#[test]
fn another_programs_file_is_neither_read_nor_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "x".repeat(5000)).expect("written");
    let other = folder.path().join("other.db");
    let status = std::process::Command::new("sqlite3")
        .arg(&other)
        .arg("CREATE TABLE x (y)")
        .status();
    let mut files = vec![text];
    if status.is_ok_and(|status| status.success()) {
        files.push(other);
    } else {
        println!("SKIPPED: sqlite3 is not installed");
    }
    for file in files {
        let before = std::fs::read(&file).expect("a file");
        assert!(
            matches!(Database::open(&file), Err(DatabaseError::Foreign { .. })),
            "{file:?}"
        );
        assert!(
            matches!(Importer::open(&file), Err(DatabaseError::Foreign { .. })),
            "{file:?}"
        );
        assert!(std::fs::read(&file).expect("a file") == before, "{file:?}");
    }
}

#[test]
fn a_scan_that_looks_things_up_sees_one_state_and_an_import_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let scan = Database::open(&path).expect("a database");
    let mut importer = Importer::open(&path).expect("reading is no obstacle yet");
    importer
        .import(Feed::Kev, &feeds("kev.json"), NOW)
        .expect("a feed");
    assert!(matches!(importer.commit(), Err(DatabaseError::Busy)));
    let found = scan
        .findings(&service("apache", "http_server", "2.4.49", ""))
        .expect("findings");
    assert_eq!(found.len(), 1);
}

/// What was written before the end of a killed import is undone by whoever opens the database next.
#[test]
fn an_import_that_was_killed_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let before = Database::open(&path)
        .and_then(|it| it.status())
        .expect("a status");
    let importing = rusqlite::Connection::open(&path).expect("a database");
    importing
        .execute_batch(
            "PRAGMA cache_size = 5; BEGIN; DELETE FROM exploited; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
             FROM n WHERE i < 20000) INSERT INTO name (text) SELECT 'x' || i FROM n",
        )
        .expect("written");
    // As the files are in the middle of it.
    let killed = folder.path().join("killed.db");
    let journal = |path: &Path| format!("{}-journal", path.display());
    let (from, to) = (journal(&path), journal(&killed));
    std::fs::copy(&path, &killed).expect("copied");
    std::fs::copy(from, to).expect("there is a journal");
    let size = |path: &Path| std::fs::metadata(path).expect("a file").len();
    assert!(size(&killed) > before.size, "nothing was written yet");
    let after = Database::open(&killed)
        .and_then(|it| it.status())
        .expect("a status");
    assert_eq!(after, before);
}

#[test]
fn a_database_is_looked_up_in_after_its_file_is_out_of_reach() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path(), &ALL);
    let scan = Database::open(&path).expect("a database");
    std::fs::remove_file(&path).expect("removed");
    let found = scan
        .findings(&service("apache", "http_server", "2.4.49", ""))
        .expect("findings");
    assert_eq!(found.len(), 1);
}
