//! Asks the machine and tries the modes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use halfopen::plan::Plan;
use halfopen::scan::{Mode, OpenError, Options, Scan, SelfTest, self_test};
use halfopen::transport::connect::descriptors;
use halfopen::transport::privilege;
use halfopen::transport::raw::bypass::{self, Sight};
use halfopen::transport::route::{Framing, Link, NetlinkRouter, Surroundings};

use super::findings::{
    Descriptors, Findings, Interface, Outcome, Privilege, SendPath, SendPaths, Tested,
};
use crate::cli::saying::setcap;

/// Examines, and says whether `asked` works.
pub fn this_machine(asked: Mode) -> Findings {
    let (mode, reason_for_mode) = match chosen(asked) {
        Ok((mode, reason)) => (Some(mode), reason),
        Err(error) => (None, error.to_string()),
    };
    let self_tests: Vec<Tested> = [Mode::Syn, Mode::Connect]
        .into_iter()
        .flat_map(|mode| LOOPBACK.map(|ip| tested(mode, ip)))
        .collect();
    let surroundings = Surroundings::discover().unwrap_or_default();
    let privilege = privilege();
    Findings {
        kind: "doctor",
        version: env!("CARGO_PKG_VERSION"),
        mode: mode.map(name),
        reason_for_mode,
        ready: mode.is_some_and(|mode| works(name(mode), &self_tests)),
        send_paths: send_paths(&surroundings, &self_tests),
        privilege,
        descriptors: descriptors(),
        interfaces: surroundings.interfaces.iter().map(interface).collect(),
        self_tests,
    }
}

/// The mode that would run. Opening is the proof; nothing is sent.
fn chosen(asked: Mode) -> Result<(Mode, String), OpenError> {
    let plan = Plan::parse("127.0.0.1", "1").map_err(|mistakes| OpenError::Io {
        attempted: "cannot plan".to_owned(),
        source: std::io::Error::other(mistakes),
    })?;
    let mut options = Options::default();
    options.mode = asked;
    let scan = Scan::open(plan, options)?;
    Ok((scan.mode(), scan.reason_for_mode().to_owned()))
}

/// Whether nothing speaks against this mode, and something for it.
fn works(mode: &str, tests: &[Tested]) -> bool {
    let mut outcomes = tests
        .iter()
        .filter(|test| test.mode == mode && test.outcome != Outcome::NoAddress)
        .map(|test| test.outcome)
        .peekable();
    outcomes.peek().is_some() && outcomes.all(|outcome| outcome == Outcome::Works)
}

fn tested(mode: Mode, ip: IpAddr) -> Tested {
    let (outcome, rtt, why) = match self_test(mode, ip) {
        SelfTest::Works { rtt } => (Outcome::Works, rtt, None),
        SelfTest::NoAddress(error) => (Outcome::NoAddress, None, Some(error.to_string())),
        // The privilege has its own line.
        SelfTest::Refused(OpenError::NoPrivilege { .. }) => (
            Outcome::Refused,
            None,
            Some("it needs CAP_NET_RAW".to_owned()),
        ),
        SelfTest::Refused(error) => (Outcome::Refused, None, Some(error.to_string())),
        SelfTest::Deaf(why) => (Outcome::Deaf, None, Some(why)),
        // A later library may have more to tell; what it cannot vouch for does not work.
        other => (Outcome::Deaf, None, Some(format!("{other:?}"))),
    };
    Tested {
        mode: name(mode),
        address: ip.to_string(),
        outcome,
        rtt_us: rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok()),
        why,
    }
}

fn privilege() -> Privilege {
    let found = privilege::discover();
    let held = privilege::held().unwrap_or_default();
    Privilege {
        about: found.to_string(),
        raw: found == privilege::Privilege::Raw,
        permitted: held.permitted,
        effective: held.effective,
        setcap: setcap(),
    }
}

fn descriptors() -> Descriptors {
    let limits = descriptors::limits();
    Descriptors {
        soft: limits.soft,
        hard: limits.hard,
        connects: limits.connects.get(),
    }
}

fn interface(interface: &halfopen::transport::route::Interface) -> Interface {
    Interface {
        name: interface.name.clone(),
        index: interface.index,
        up: interface.link != Link::Down,
        framing: match interface.framing {
            Framing::Ethernet => "ethernet",
            Framing::Other => "other",
        },
        mtu: interface.mtu,
        addresses: interface
            .addresses
            .iter()
            .map(|own| format!("{}/{}", own.ip, own.prefix))
            .collect(),
    }
}

fn send_paths(surroundings: &Surroundings, tests: &[Tested]) -> SendPaths {
    let refused = |test: &&Tested| test.mode == "syn" && test.outcome == Outcome::Refused;
    if let Some(refused) = tests.iter().find(refused) {
        let about = refused.why.clone().unwrap_or_default();
        let none = SendPath {
            possible: false,
            about,
        };
        return SendPaths {
            ip: none.clone(),
            frame: none,
        };
    }
    SendPaths {
        ip: SendPath {
            possible: true,
            about: "the kernel routes, and its firewall sees every probe".to_owned(),
        },
        frame: frame(surroundings),
    }
}

fn frame(surroundings: &Surroundings) -> SendPath {
    let ethernet: Vec<&str> = surroundings
        .interfaces
        .iter()
        .filter(|each| each.link != Link::Down && each.framing == Framing::Ethernet)
        .map(|each| each.name.as_str())
        .collect();
    let refused = |about: String| SendPath {
        possible: false,
        about,
    };
    if ethernet.is_empty() {
        return refused("no interface that is up takes Ethernet frames".to_owned());
    }
    match NetlinkRouter::open().and_then(|router| bypass::look(&router)) {
        Err(error) => refused(format!("cannot look at the local firewall: {error}")),
        Ok(found) if found.is_any() => refused(format!(
            "refused, because frames would pass by {found}; --send-path force-frame does"
        )),
        Ok(found) => SendPath {
            possible: true,
            about: match found.sight {
                Sight::Whole => format!("by {}; no rules are passed by", ethernet.join(", ")),
                Sight::NotAllowed => format!(
                    "by {}; whether there are firewall rules to pass by cannot be seen without CAP_NET_ADMIN",
                    ethernet.join(", ")
                ),
            },
        },
    }
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Auto => "auto",
        Mode::Syn => "syn",
        Mode::Connect => "connect",
    }
}

const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(outcomes: [Outcome; 2]) -> Vec<Tested> {
        let test = |outcome| Tested {
            mode: "syn",
            address: String::new(),
            outcome,
            rtt_us: None,
            why: None,
        };
        outcomes.map(test).to_vec()
    }

    #[test]
    fn a_mode_works_when_all_that_can_be_tested_does() {
        use Outcome::{Deaf, NoAddress, Works};
        assert!(works("syn", &tests([Works, Works])));
        assert!(works("syn", &tests([Works, NoAddress])));
        assert!(!works("syn", &tests([Works, Deaf])));
        assert!(!works("syn", &tests([NoAddress, NoAddress])));
        assert!(!works("connect", &tests([Works, Works])));
    }
}
