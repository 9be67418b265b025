//! Hostile documents; what the real formats say is tested in tests/vulnerabilities.

use std::io::{Read, Write as _};

use proptest::prelude::*;

use super::*;
use crate::enrich::vulns::range::written;

fn taken(feed: Feed, text: &[u8]) -> Result<(Vec<Statement>, More), String> {
    let mut statements = Vec::new();
    let read = document(feed, &mut &*text, &mut |statement| {
        statements.push(statement);
        Ok(())
    });
    match read {
        Ok(more) => Ok((statements, more)),
        Err(Broken::Malformed { place, what }) => Err(format!("{place:?} {what}")),
        Err(Broken::Stopped) => Err("stopped".to_owned()),
    }
}

const WHOLE: [(Feed, &str); 5] = [
    (
        Feed::Nvd,
        r#"{"timestamp":"2026-11-20T00:00:00.000","x":[{"y":null}],"vulnerabilities":[{"cve":{"id":"CVE-2020-0001",
        "metrics":{"cvssMetricV2":[{"cvssData":{"baseScore":5.0}}]},"configurations":[{"nodes":[{"operator":"OR","cpeMatch":
        [{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:*:*:*:*:*:*:*:*","versionEndExcluding":"2.0"}]}]}]}}]}"#,
    ),
    (
        Feed::Cve,
        r#"{"cveMetadata":{"cveId":"CVE-2020-0001","state":"PUBLISHED","dateUpdated":"2026-11-20T00:00:00Z"},"containers":
        {"cna":{"affected":[{"vendor":"X","product":"Y","versions":[{"version":"1.0","status":"affected","lessThan":"2.0"}]}]}}}"#,
    ),
    (
        Feed::Osv,
        r#"{"id":"DEBIAN-CVE-2020-0001","modified":"2026-11-20T00:00:00Z","upstream":["CVE-2020-0001"],"affected":[{"package":
        {"ecosystem":"Debian:12","name":"y"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1-2"}]}]}]}"#,
    ),
    (
        Feed::Kev,
        r#"{"dateReleased":"2026-11-20T00:00:00.000Z","count":1,"vulnerabilities":[{"cveID":"CVE-2020-0001"}]}"#,
    ),
    (
        Feed::Epss,
        "#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2020-0001,0.5,0.9\n",
    ),
];

#[test]
fn each_format_is_read_with_its_date() {
    for (feed, text) in WHOLE {
        let (statements, more) =
            taken(feed, text.as_bytes()).unwrap_or_else(|e| panic!("{feed:?}: {e}"));
        assert_eq!(statements.len(), 1, "{feed:?}");
        assert_eq!(more.dated.as_deref(), Some("2026-11-20"), "{feed:?}");
    }
}

#[test]
fn a_document_that_is_cut_anywhere_is_refused() {
    for (feed, text) in WHOLE {
        for length in 0..text.len() {
            let cut = taken(feed, text.get(..length).unwrap_or_default().as_bytes());
            // Scores are lines: after each one the rest may be missing, which gzip's own sum shows.
            let may = feed == Feed::Epss
                && text[..length].ends_with('\n')
                && text[..length].contains("cve,");
            assert_eq!(cut.is_ok(), may, "{feed:?} cut at {length}");
        }
    }
}

#[test]
fn a_feed_given_as_another_is_refused() {
    for (feed, _) in WHOLE {
        for (other, text) in WHOLE {
            assert_eq!(
                taken(feed, text.as_bytes()).is_ok(),
                feed == other,
                "{other:?} as {feed:?}"
            );
        }
    }
}

#[test]
fn what_follows_a_document_is_no_part_of_it() {
    for feed in [0, 3] {
        let (feed, text) = WHOLE[feed];
        assert!(taken(feed, format!("{text} \n").as_bytes()).is_ok());
        assert!(taken(feed, format!("{text} x").as_bytes()).is_err());
    }
}

#[test]
fn whoever_has_enough_is_asked_no_more() {
    for (feed, text) in WHOLE {
        let mut asked = 0;
        let read = document(feed, &mut text.as_bytes(), &mut |_| {
            asked += 1;
            Err(Enough)
        });
        assert!(
            matches!(read, Err(Broken::Stopped)) && asked == 1,
            "{feed:?}"
        );
    }
}

/// A record that never ends is given up after a bounded part of it, whatever its size.
#[test]
fn an_endless_record_ends() {
    let mut endless = br#"{"vulnerabilities":[{"cve":{"id":""#.chain(std::io::repeat(b'x'));
    let read = document(Feed::Nvd, &mut endless, &mut |_| Ok(()));
    let Err(Broken::Malformed { what, .. }) = read else {
        panic!("it ended");
    };
    assert!(what.contains("one record has more than 64 MiB"), "{what}");
    let mut line = std::io::repeat(b'x');
    assert!(document(Feed::Epss, &mut line, &mut |_| Ok(())).is_err());
}

#[test]
fn versions_of_the_cve_list_are_ranges_where_they_can_be_compared() {
    for (version, expected) in [
        (r#"{"version":"1.0","status":"affected"}"#, Some("=1.0")),
        (
            r#"{"version":"0","status":"affected","lessThan":"2.0"}"#,
            Some("<2.0"),
        ),
        (
            r#"{"version":"8.5p1","status":"affected","lessThanOrEqual":"9.7p1"}"#,
            Some(">=8.5p1,<=9.7p1"),
        ),
        (
            r#"{"version":"2.0","status":"affected","lessThan":"*"}"#,
            Some(">=2.0"),
        ),
        (
            r#"{"version":"<= 2.4.51","status":"affected"}"#,
            Some("<=2.4.51"),
        ),
        (r#"{"version":"< 2.0","status":"affected"}"#, Some("<2.0")),
        (r#"{"version":"n/a","status":"affected"}"#, Some("?")),
        (
            r#"{"version":"all versions before 2","status":"affected"}"#,
            Some("?"),
        ),
        (r#"{"version":"1.0","status":"unaffected"}"#, None),
        (
            r#"{"version":"abc","status":"affected","versionType":"git"}"#,
            None,
        ),
    ] {
        let text = format!(
            r#"{{"cveMetadata":{{"cveId":"CVE-2020-0001"}},"containers":{{"cna":{{"affected":
            [{{"vendor":"Some One","product":"Y","versions":[{version}]}}]}}}}}}"#
        );
        let (statements, _) = taken(Feed::Cve, text.as_bytes()).expect("a record");
        let [Statement::Record(record)] = &statements[..] else {
            panic!("{statements:?}");
        };
        let ranges = record.products.first().map(|product| {
            assert_eq!(product.vendor, "some_one");
            written(&product.ranges)
        });
        assert_eq!(ranges.as_deref(), expected, "{version}");
    }
}

#[test]
fn a_folder_is_read_and_gzip_and_zip_are_unpacked_whatever_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = WHOLE[2].1;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("memory");
    let gzip = gzip.finish().expect("memory");
    std::fs::create_dir(folder.path().join("below")).expect("a folder");
    std::fs::write(folder.path().join("below/a.json"), &gzip).expect("written");
    std::fs::write(folder.path().join("b.json"), format!("\u{feff}{text}")).expect("written");
    std::fs::write(folder.path().join("README"), "none of it").expect("written");
    let told = read(Feed::Osv, folder.path(), &mut |_| Ok(())).expect("a folder");
    assert_eq!((told.documents, told.statements), (2, 2));

    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for name in ["x/DEBIAN-1.json", "x/2.json"] {
        zip.start_file(name, options).expect("memory");
        zip.write_all(text.as_bytes()).expect("memory");
    }
    let zip = zip.finish().expect("memory").into_inner();
    let path = folder.path().join("all");
    std::fs::write(&path, &zip).expect("written");
    let told = read(Feed::Osv, &path, &mut |_| Ok(())).expect("an archive");
    assert_eq!((told.documents, told.statements), (2, 2));

    // Cut, they are refused.
    for (bytes, cut) in [(&zip, zip.len() / 2), (&gzip, gzip.len() - 4), (&gzip, 20)] {
        std::fs::write(&path, &bytes[..cut]).expect("written");
        let error = read(Feed::Osv, &path, &mut |_| Ok(()))
            .expect_err("it is cut")
            .to_string();
        assert!(error.contains("/all\""), "{error}");
    }
    std::fs::remove_dir_all(folder.path().join("below")).expect("removed");
    for name in ["b.json", "all"] {
        std::fs::remove_file(folder.path().join(name)).expect("removed");
    }
    let error = read(Feed::Osv, folder.path(), &mut |_| Ok(())).expect_err("nothing is there");
    assert!(
        error.to_string().ends_with("nothing of this feed is in it"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for feed in Feed::ALL {
            let _ = taken(feed, &bytes);
        }
    }

    /// Documents of the right form with anything in one place.
    #[test]
    fn any_damage_is_read_or_refused(which in 0..5_usize, at: usize, with in "\\PC{0,6}", over in 0..6_usize) {
        let (feed, text) = WHOLE[which];
        let mut bytes = text.as_bytes().to_vec();
        let at = at % bytes.len();
        let end = (at + over).min(bytes.len());
        bytes.splice(at..end, with.bytes());
        let _ = taken(feed, &bytes);
    }
}
