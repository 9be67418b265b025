//! Whose build of a program answered, as far as it told: `Debian-2+deb12u3`, `0ubuntu0.22.04.1`, `Ubuntu`.

use crate::enrich::vulns::names;
use crate::model::cpe::Cpe;
use crate::model::facts::Software;

/// A distribution's build of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Build {
    pub distribution: Distribution,
    /// Its release, where the revision tells it: `12`, `22.04`.
    pub release: Option<String>,
    /// Upstream version and revision as dpkg knows them, without an epoch; `None` where only the distribution was told.
    pub version: Option<String>,
}

/// Distributions whose security data can be compared with what servers tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Distribution {
    Debian,
    Ubuntu,
}

impl Distribution {
    /// As OSV names its ecosystem.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian",
            Self::Ubuntu => "Ubuntu",
        }
    }

    /// Whether an ecosystem (`Debian:12`, `Ubuntu:Pro:22.04:LTS`) is of this distribution.
    pub fn owns(self, ecosystem: &str) -> bool {
        ecosystem.split(':').next() == Some(self.name())
    }
}

/// Whether an ecosystem (`Debian:12`, `Ubuntu:22.04:LTS`) is of this release.
pub fn is_release(ecosystem: &str, release: &str) -> bool {
    ecosystem.split(':').skip(1).any(|word| word == release)
}

/// The upstream version that a program told, without what a distribution or a maker of packages wrote behind it.
pub fn upstream(software: &Software) -> Option<&str> {
    let told = told(software);
    let version = match told.split_once('-') {
        Some((version, rest)) if distribution(rest).is_some() || is_words_own(rest) => version,
        _ => told,
    };
    (!version.is_empty()).then_some(version)
}

/// The build that a program told, if a distribution made it. `beside`: the systems that the same service told of, which
/// tell at least whose packages those are.
pub fn of(software: &Software, beside: &[&Software]) -> Option<Build> {
    let told = revision(software);
    if is_foreign(told) {
        return None;
    }
    let Some(distribution) = distribution(told) else {
        if software.revision.is_some() {
            return None;
        }
        let of_system = |system: &&Software| self::distribution(system.vendor.as_deref()?);
        return beside.iter().find_map(of_system).map(|distribution| Build {
            distribution,
            release: None,
            version: None,
        });
    };
    let version = upstream(software).and_then(|upstream| {
        let revision = revision_in(told)?;
        Some(match revision.split_once('-') {
            // The whole version, as PostgreSQL tells it.
            Some((before, _)) if before.starts_with(upstream) => revision.to_owned(),
            _ => format!("{upstream}-{revision}"),
        })
    });
    Some(Build {
        distribution,
        release: version
            .as_deref()
            .and_then(|version| release(distribution, version)),
        version,
    })
}

/// Whose build it is where nothing can be compared with what that builder mended: a revision as it was told, or a system
/// beside it. FreeBSD and Red Hat mend versions without changing their numbers as well.
pub fn of_others<'s>(software: &'s Software, beside: &[&'s Software]) -> Option<&'s str> {
    if is_foreign(revision(software)) {
        return None;
    }
    if let Some(told) = &software.revision {
        return distribution(told).is_none().then_some(told);
    }
    let is_distributor = |system: &&&Software| {
        let cpe = system.cpe.as_deref().and_then(|cpe| cpe.parse().ok());
        cpe.is_some_and(|cpe: Cpe| cpe.vendor.text().is_some_and(names::is_distributor))
    };
    beside
        .iter()
        .find(is_distributor)
        .and_then(|system| system.vendor.as_deref())
}

/// What was told of a revision, in words of its own or behind the version; empty where nothing was.
fn revision(software: &Software) -> &str {
    let behind = told(software).split_once('-').map_or("", |(_, rest)| rest);
    let revision = software.revision.as_deref();
    revision
        .filter(|told| distribution(told).is_some())
        .unwrap_or(behind)
}

/// Packages that others than the distribution make for it have versions of their own.
fn is_foreign(revision: &str) -> bool {
    FOREIGN.iter().any(|mark| revision.contains(mark))
}

/// The version as it was told, empty where it was not.
fn told(software: &Software) -> &str {
    let told = software.version.as_deref().unwrap_or_default().trim();
    // MariaDB begins so for the sake of old replication clients.
    told.strip_prefix("5.5.5-")
        .filter(|rest| rest.contains("MariaDB"))
        .unwrap_or(told)
}

/// The distribution that a text names, or whose way of numbering it shows.
fn distribution(text: &str) -> Option<Distribution> {
    let text = text.to_ascii_lowercase();
    if text.contains("ubuntu") {
        Some(Distribution::Ubuntu)
    } else if text.contains("debian") || digits_behind(&text, "deb").is_some() {
        Some(Distribution::Debian)
    } else {
        None
    }
}

/// Whether what is behind a version is a word and no further number: `MariaDB`, `MariaDB-log`.
fn is_words_own(text: &str) -> bool {
    text.starts_with("MariaDB")
}

/// The revision in what was told: `2+deb12u3` of `Debian-2+deb12u3`, `1` of `1-Debian`.
fn revision_in(told: &str) -> Option<&str> {
    let told = told.trim_matches(|c: char| matches!(c, '(' | ')' | '-') || c.is_whitespace());
    let told = ["-Debian", "-Ubuntu"]
        .iter()
        .find_map(|word| told.strip_suffix(word))
        .unwrap_or(told);
    // Words in front: the distribution, `MariaDB`, `(Debian 15.6-0+deb12u1`.
    let mut rest = told;
    while rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        rest = rest.split_once(['-', ' '])?.1;
    }
    rest.starts_with(|c: char| c.is_ascii_digit())
        .then(|| rest.split(char::is_whitespace).next().unwrap_or(rest))
}

fn release(distribution: Distribution, version: &str) -> Option<String> {
    match distribution {
        // A backport follows no release's security data; no ecosystem has this name.
        Distribution::Debian if version.contains("~bpo") => Some("backports".to_owned()),
        Distribution::Debian => digits_behind(version, "deb").map(str::to_owned),
        Distribution::Ubuntu => {
            let (_, behind) = version.split_once("ubuntu")?;
            let mut numbers = behind.split(|c: char| !c.is_ascii_digit());
            let (_, year, month) = (numbers.next()?, numbers.next()?, numbers.next()?);
            (year.len() == 2 && matches!(month, "04" | "10")).then(|| format!("{year}.{month}"))
        }
    }
}

/// The digits that follow the last `mark` directly.
fn digits_behind<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, behind) = text.rsplit_once(mark)?;
    let end = behind
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(behind.len());
    behind.get(..end).filter(|digits| !digits.is_empty())
}

/// In versions of packages of MariaDB, PostgreSQL, nginx and PHP that their makers or others build for distributions.
const FOREIGN: [&str; 4] = ["+maria", "pgdg", "gbp", "~nginx"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::facts::{Evidence, Part};

    fn software(version: &str, revision: Option<&str>) -> Software {
        Software {
            part: Part::Application,
            vendor: None,
            product: "x".to_owned(),
            version: (!version.is_empty()).then(|| version.to_owned()),
            revision: revision.map(str::to_owned),
            cpe: None,
            evidence: Evidence {
                rule: "test".to_owned(),
                text: String::new(),
            },
        }
    }

    #[test]
    fn builds_are_known_by_what_servers_tell() {
        use Distribution::{Debian, Ubuntu};
        for (version, told, expected) in [
            (
                "9.2p1",
                Some("Debian-2+deb12u3"),
                (Debian, Some("12"), Some("9.2p1-2+deb12u3")),
            ),
            (
                "9.2p1",
                Some("2+deb12u3"),
                (Debian, Some("12"), Some("9.2p1-2+deb12u3")),
            ),
            ("9.2p1", Some("Debian-2"), (Debian, None, Some("9.2p1-2"))),
            (
                "8.9p1",
                Some("Ubuntu-3ubuntu0.10"),
                (Ubuntu, None, Some("8.9p1-3ubuntu0.10")),
            ),
            ("1.18.0", Some("Ubuntu"), (Ubuntu, None, None)),
            ("2.4.57", Some("(Debian)"), (Debian, None, None)),
            (
                "10.11.6",
                Some("0+deb12u1"),
                (Debian, Some("12"), Some("10.11.6-0+deb12u1")),
            ),
            (
                "10.11.6-MariaDB-0+deb12u1",
                None,
                (Debian, Some("12"), Some("10.11.6-0+deb12u1")),
            ),
            (
                "5.5.5-10.6.16-MariaDB-0ubuntu0.22.04.1",
                None,
                (Ubuntu, Some("22.04"), Some("10.6.16-0ubuntu0.22.04.1")),
            ),
            (
                "8.0.36-0ubuntu0.22.04.1",
                None,
                (Ubuntu, Some("22.04"), Some("8.0.36-0ubuntu0.22.04.1")),
            ),
            (
                "15.6",
                Some("Debian 15.6-0+deb12u1"),
                (Debian, Some("12"), Some("15.6-0+deb12u1")),
            ),
            ("9.18.24-1-Debian", None, (Debian, None, Some("9.18.24-1"))),
            (
                "9.18.28-1~deb12u2-Debian",
                None,
                (Debian, Some("12"), Some("9.18.28-1~deb12u2")),
            ),
            (
                "9.7p1",
                Some("Debian-1~bpo12+1"),
                (Debian, Some("backports"), Some("9.7p1-1~bpo12+1")),
            ),
        ] {
            let build = of(&software(version, told), &[]);
            let (distribution, release, full) = expected;
            let expected = Build {
                distribution,
                release: release.map(str::to_owned),
                version: full.map(str::to_owned),
            };
            assert_eq!(build, Some(expected), "{version} {told:?}");
        }
    }

    #[test]
    fn what_others_build_for_a_distribution_is_not_the_distributions() {
        for (version, told) in [
            ("10.11.6-MariaDB-1:10.11.6+maria~deb12", None),
            ("15.6", Some("Debian 15.6-1.pgdg120+1")),
            ("9.2p1", Some("FreeBSD-20230316")),
            ("9.2p1", None),
            ("6.9.11-60", None),
        ] {
            assert_eq!(of(&software(version, told), &[]), None, "{version}");
        }
    }

    /// Apache httpd names its distribution, which rules take for the system: the build was nobody's.
    #[test]
    fn a_system_beside_it_tells_whose_build_it_is() {
        let system = |vendor: &str, cpe: &str| Software {
            part: Part::System,
            vendor: Some(vendor.to_owned()),
            cpe: Some(cpe.to_owned()),
            ..software("", None)
        };
        let apache = software("2.4.57", None);
        let debian = system("Debian", "cpe:2.3:o:debian:debian_linux:*:*:*:*:*:*:*:*");
        let build = of(&apache, &[&debian]).expect("a build");
        assert_eq!(
            (build.distribution, build.version),
            (Distribution::Debian, None)
        );
        let rocky = system("Rocky", "cpe:2.3:o:rocky:linux:*:*:*:*:*:*:*:*");
        assert_eq!(of(&apache, &[&rocky]), None);
        assert_eq!(of_others(&apache, &[&rocky]), Some("Rocky"));
        // Who builds for Windows, or for any Linux, is not told by that.
        for system in [
            system("Microsoft", "cpe:2.3:o:microsoft:windows:*:*:*:*:*:*:*:*"),
            system("Linux", "cpe:2.3:o:linux:linux_kernel:*:*:*:*:*:*:*:*"),
        ] {
            assert_eq!(of(&apache, &[&system]), None);
            assert_eq!(of_others(&apache, &[&system]), None);
        }
        // A revision of its own counts before what is beside it; what others build is not the distribution's.
        let freebsd = software("9.7p1", Some("FreeBSD-20240701"));
        assert_eq!(of(&freebsd, &[&debian]), None);
        assert_eq!(of_others(&freebsd, &[]), Some("FreeBSD-20240701"));
        let postgresql = software("15.6", Some("Debian 15.6-1.pgdg120+1"));
        assert_eq!(of(&postgresql, &[&debian]), None);
        assert_eq!(of_others(&postgresql, &[&rocky]), None);
    }

    #[test]
    fn the_upstream_version_is_without_the_revision() {
        for (told, expected) in [
            ("10.11.6-MariaDB", "10.11.6"),
            ("5.5.5-10.11.6-MariaDB-0+deb12u1", "10.11.6"),
            ("8.0.36-0ubuntu0.22.04.1", "8.0.36"),
            ("9.18.24-1-Debian", "9.18.24"),
            ("6.9.11-60", "6.9.11-60"),
            ("9.2p1", "9.2p1"),
        ] {
            assert_eq!(upstream(&software(told, None)), Some(expected));
        }
        assert_eq!(upstream(&software("", None)), None);
    }

    proptest! {
        #[test]
        fn anything_may_be_told(version in "\\PC{0,40}", told in "\\PC{0,40}") {
            let _ = of(&software(&version, Some(&told)), &[]);
            let _ = of(&software(&format!("1-{version}"), Some(&format!("Debian-{told}"))), &[]);
            let _ = of(&software(&format!("1-0ubuntu{version}"), None), &[]);
        }
    }
}
