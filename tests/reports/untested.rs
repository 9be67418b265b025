//! Ports that were not tested, by name. More than 32 of them were once told as a number alone.

use halfopen::model::{Event, LocalFault, Reason, State};
use halfopen::report::text::Live;

use super::{OPEN_AND_SUSPECT, Script, json, network, one_host, parsed, text, verdict};

const BLOCKED: Reason = Reason::Local(LocalFault::Blocked);

/// A port that was not tested.
fn error(host: &str, port: u16) -> Event {
    verdict(host, port, State::Error, BLOCKED, None)
}

/// One host whose ports from 2,000 on were not tested, and before that every second from 1,100 on.
fn blocked() -> Script {
    let mut script = one_host();
    let ports = (1_100..1_200).step_by(2).chain(2_000..=60_000);
    // In the order of a walk, which is none.
    let (late, early): (Vec<u16>, Vec<u16>) = ports.partition(|port| port % 7 > 3);
    let host = "10.9.0.2";
    script
        .events
        .extend(late.into_iter().chain(early).map(|port| error(host, port)));
    script
}

fn line<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find(|line| line.trim().starts_with(start))
}

#[test]
fn a_long_list_of_untested_ports_is_named_by_ranges_that_fit_the_width() {
    let at = |width| text(blocked(), &OPEN_AND_SUSPECT, Live::AtTheEnd, width);
    let blocked_line = |text: &str| {
        text.lines()
            .find(|line| line.contains("(blocked-midway)"))
            .map(str::to_owned)
    };
    assert_eq!(
        blocked_line(&at(80)).as_deref(),
        Some("  Not tested: 1100, 1102, 1104, 1106, 1108 and 46 more ranges (blocked-midway)")
    );
    assert_eq!(
        blocked_line(&at(40)).as_deref(),
        // One range is always named.
        Some("  Not tested: 1100 and 50 more ranges (blocked-midway)")
    );
    let wide = blocked_line(&at(1_000)).expect("a line");
    assert!(
        wide.ends_with(", 1198, 2000-60000 (blocked-midway)"),
        "{wide}"
    );
    // Another reason has a line of its own.
    assert_eq!(
        line(&at(80), "Not tested: 81"),
        Some("  Not tested: 81 (local-firewall)")
    );
}

#[test]
fn few_untested_ports_that_are_listed_are_not_named_twice() {
    let shown = text(one_host(), &State::ALL, Live::AtTheEnd, 80);
    assert!(!shown.contains("Not tested"), "{shown}");
    assert!(shown.contains("81  error"), "{shown}");
}

#[test]
fn single_ports_that_are_left_over_are_ports() {
    let mut script = one_host();
    script
        .events
        .extend((1..=99).step_by(2).map(|port| error("10.9.0.2", port)));
    let shown = text(script, &OPEN_AND_SUSPECT, Live::AtTheEnd, 60);
    assert!(
        shown.contains("  Not tested: 1, 3, 5, 7 and 46 more ports (blocked-midway)\n"),
        "{shown}"
    );
}

/// It was once among the hosts that could not be tested, as if nothing had been asked.
#[test]
fn a_silent_host_that_was_asked_on_some_ports_only_has_a_block_that_names_the_others() {
    let mut script = network();
    script.events.push(error("10.9.0.20", 80));
    let plain = text(network(), &OPEN_AND_SUSPECT, Live::AtTheEnd, 80);
    let shown = text(script, &OPEN_AND_SUSPECT, Live::AtTheEnd, 80);
    assert!(
        shown.contains(
            "10.9.0.20\n  Not listed: 1 filtered (no-answer)\n  Not tested: 80 (blocked-midway)\n"
        ),
        "{shown}"
    );
    assert!(!shown.contains("could not be tested:"), "{shown}");
    // Nor is it counted again among the silent ones.
    assert!(plain.contains("251 hosts did not answer"), "{plain}");
    assert!(shown.contains("250 hosts did not answer"), "{shown}");
}

#[test]
fn json_lines_have_all_untested_ports_whatever_is_shown() {
    let host = |script| {
        let lines = parsed(&json(script, &OPEN_AND_SUSPECT));
        let host = lines.into_iter().find(|line| line["type"] == "host");
        host.expect("a host line")
    };
    let ports = host(blocked())["error_ports"].clone();
    let ports = ports.as_str().expect("a list of ports");
    assert!(ports.starts_with("81,1100,1102,"), "{ports}");
    assert!(ports.ends_with(",1198,2000-60000"), "{ports}");
    assert!(host(network()).get("error_ports").is_none());
}

#[test]
fn what_is_remembered_of_untested_ports_is_bounded() {
    use halfopen::report::Show;
    use halfopen::report::tally::{Keep, Tally, UNTESTED};

    let mut tally = Tally::new(Keep::Lines(Show::of(&OPEN_AND_SUSPECT)));
    for host in 0..30 {
        for port in 1..=u16::MAX {
            tally.take(&error(&format!("10.9.0.{host}"), port));
        }
    }
    let remembered = tally.hosts.values().flat_map(|host| &host.untested);
    let remembered: usize = remembered.map(|(_, ports)| ports.len()).sum();
    assert_eq!(remembered, UNTESTED);
    let known = tally
        .hosts
        .values()
        .filter_map(|host| host.untested_ports());
    assert_eq!(known.map(|ports| ports.len()).collect::<Vec<_>>(), [1; 16]);
}
