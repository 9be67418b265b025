//! How fast NVD's format goes into the database, how large that becomes, and how much memory it takes:
//! `cargo bench --bench import [-- ENTRIES]`. The entries are synthetic, of the usual size of NVD's: a description,
//! references, and three ranges in two products, of which there are 20,000.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use halfopen::store::feeds::Feed;
use halfopen::store::vulns::{Database, Importer};
use halfopen::transport::clock::Clock;

fn main() {
    let entries = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let feed = folder.path().join("nvd.json");
    write_feed(&feed, entries).expect("a feed");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
    let before = peak_kib();
    let path = folder.path().join("vulnerabilities.db");
    let clock = Clock::start();
    let mut importer = Importer::open(&path).expect("a database");
    let told = importer
        .import(Feed::Nvd, &feed, "2026-11-28T00:00:00Z")
        .expect("an import");
    importer.commit().expect("written");
    let seconds = clock.now().0 as f64 / 1e9;
    let status = Database::open(&path)
        .and_then(|database| database.status())
        .expect("a status");
    println!(
        "{} entries of {:.1} MB in {seconds:.2} s: {:.0} entries/s, {:.1} MB on disk, peak memory {:.1} MB ({:.1} MB before)",
        told.statements,
        size(&feed) as f64 / 1e6,
        told.statements as f64 / seconds,
        status.size as f64 / 1e6,
        peak_kib() as f64 / 1e3,
        before as f64 / 1e3,
    );
}

fn write_feed(path: &Path, entries: u64) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    write!(
        out,
        "{{\"format\":\"NVD_CVE\",\"timestamp\":\"2026-11-28T00:00:00.000\",\"vulnerabilities\":["
    )?;
    for entry in 0..entries {
        let comma = if entry == 0 { "" } else { "," };
        let (vendor, product) = (entry * 7 % 5_000, entry * 7 % 20_000);
        let version = entry % 97;
        let text =
            "A flaw in the handling of requests lets a remote attacker do what nobody wants. "
                .repeat(4);
        write!(
            out,
            "{comma}{{\"cve\":{{\"id\":\"CVE-{}-{:04}\",\"vulnStatus\":\"Analyzed\",\"descriptions\":[{{\"lang\":\"en\",\"value\":\"{text}\"}}],\
             \"metrics\":{{\"cvssMetricV31\":[{{\"type\":\"Primary\",\"cvssData\":{{\"version\":\"3.1\",\"baseScore\":{}.{}}}}}]}},\
             \"configurations\":[{{\"nodes\":[{{\"operator\":\"OR\",\"negate\":false,\"cpeMatch\":[\
             {{\"vulnerable\":true,\"criteria\":\"cpe:2.3:a:vendor{vendor}:product{product}:*:*:*:*:*:*:*:*\",\
             \"versionStartIncluding\":\"1.0\",\"versionEndExcluding\":\"1.{version}\",\"matchCriteriaId\":\"0CA5A6E7-1E5C-4F0B-9A53-3A2D1F0E7B60\"}},\
             {{\"vulnerable\":true,\"criteria\":\"cpe:2.3:a:vendor{vendor}:product{product}:2.{version}:p1:*:*:*:*:*:*\",\
             \"matchCriteriaId\":\"0CA5A6E7-1E5C-4F0B-9A53-3A2D1F0E7B60\"}},\
             {{\"vulnerable\":true,\"criteria\":\"cpe:2.3:o:vendor{vendor}:system:{version}.0:*:*:*:*:*:*:*\",\
             \"matchCriteriaId\":\"0CA5A6E7-1E5C-4F0B-9A53-3A2D1F0E7B60\"}}]}}]}}],\
             \"references\":[{{\"url\":\"https://vendor{vendor}.example/advisories/{entry}\",\"source\":\"cve@vendor.example\"}}]}}}}",
            2000 + entry / 20_000,
            1000 + entry % 20_000,
            entry % 10,
            entry % 7,
        )?;
    }
    write!(out, "]}}")?;
    out.flush()
}

/// The most memory that this process ever had, as the kernel counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
