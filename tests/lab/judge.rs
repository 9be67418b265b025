//! Is what both modes said right? Equality first, then the truth, then states and reasons. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::scan::{Endpoint, Found, Mode};
use super::scenario::{End, Expected, STATES, Scenario};

/// Scans of at most this many endpoints list all of them; larger ones are judged by their counts.
pub const LISTED_AT_MOST: usize = 5_000;

/// What is wrong with the scans of a scenario, in words; nothing when all is right.
pub fn judge(scenario: &Scenario, syn: &[Found], connect: &[Found]) -> Vec<String> {
    let mut wrong = Vec::new();
    if syn.len() != connect.len() || syn.is_empty() {
        wrong.push(format!(
            "{} syn scans, {} connect scans",
            syn.len(),
            connect.len()
        ));
    }
    let (in_syn, in_connect) = (
        Claims::of(scenario, Mode::Syn),
        Claims::of(scenario, Mode::Connect),
    );
    for (run, (syn, connect)) in syn.iter().zip(connect).enumerate() {
        let run = run + 1;
        // Where the modes may differ, the scenario says so.
        let must_agree = |endpoint: &&Endpoint| {
            let settled = in_syn.settled(endpoint);
            settled.is_some() && settled == in_connect.settled(endpoint)
        };
        let only = |one: &Found, other: &Found| {
            let only: Vec<Endpoint> = one.open.difference(&other.open).cloned().collect();
            some(only.iter().filter(must_agree))
        };
        let (only_syn, only_connect) = (only(syn, connect), only(connect, syn));
        if (only_syn.as_str(), only_connect.as_str()) != ("nothing", "nothing") {
            wrong.push(format!(
                "run {run}: only syn mode has {only_syn}; only connect mode has {only_connect}"
            ));
        }
        for (mode, claims, found) in [
            (Mode::Syn, &in_syn, syn),
            (Mode::Connect, &in_connect, connect),
        ] {
            for complaint in one(scenario, claims, found, mode) {
                wrong.push(format!("run {run}, {}: {complaint}", mode.name()));
            }
        }
    }
    wrong
}

/// Whether every endpoint is to be listed.
pub fn lists_all(scenario: &Scenario) -> bool {
    scenario.endpoints() <= LISTED_AT_MOST
}

/// What a right scan in one mode says of open ports.
struct Claims {
    must_be_open: BTreeSet<Endpoint>,
    may_be_open: BTreeSet<Endpoint>,
}

impl Claims {
    fn of(scenario: &Scenario, mode: Mode) -> Self {
        let (mut must_be_open, mut may_be_open) = (BTreeSet::new(), BTreeSet::new());
        for (index, host) in scenario.host.iter().enumerate() {
            let (open, expected) = (scenario.open_ports(host), Expected::of(host, mode));
            for address in scenario.addresses(index) {
                for port in &open {
                    let expected = expected.of_open(*port);
                    if expected.is_only("open") {
                        must_be_open.insert((address.clone(), *port));
                    } else if expected.allows_state("open") {
                        may_be_open.insert((address.clone(), *port));
                    }
                }
            }
        }
        Self {
            must_be_open,
            may_be_open,
        }
    }

    /// Whether it is open, where that is certain.
    fn settled(&self, endpoint: &Endpoint) -> Option<bool> {
        (!self.may_be_open.contains(endpoint)).then(|| self.must_be_open.contains(endpoint))
    }
}

fn one(scenario: &Scenario, claims: &Claims, found: &Found, mode: Mode) -> Vec<String> {
    let (mut wrong, lists_all) = (Vec::new(), lists_all(scenario));
    let missed = some(claims.must_be_open.difference(&found.open));
    let invented = |endpoint: &&Endpoint| !claims.may_be_open.contains(*endpoint);
    let invented = some(found.open.difference(&claims.must_be_open).filter(invented));
    if (missed.as_str(), invented.as_str()) != ("nothing", "nothing") {
        wrong.push(format!("missed {missed}; invented {invented}"));
    }
    // How many there may be of each state, at least and at the most.
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut mistakes: BTreeMap<String, u64> = BTreeMap::new();
    for (index, host) in scenario.host.iter().enumerate() {
        let expected = Expected::of(host, mode);
        let listening = scenario.open_ports(host);
        for address in scenario.addresses(index) {
            for port in scenario.scanned() {
                let expected = match listening.contains(&port) {
                    true => expected.of_open(port),
                    false => expected.of_rest(port),
                };
                for state in STATES
                    .into_iter()
                    .filter(|state| expected.allows_state(state))
                {
                    let (least, most) = counts.entry(state).or_default();
                    *least += u64::from(expected.is_only(state));
                    *most += 1;
                }
                let said = match found.listed.get(&(address.clone(), port)) {
                    Some((said, why)) if expected.allows(said, why) => continue,
                    Some((said, why)) => format!("{said} ({why})"),
                    None if lists_all || expected.is_only("open") => "nothing".to_owned(),
                    None => continue,
                };
                *mistakes
                    .entry(format!("{} was said to be {said}", expected.text()))
                    .or_default() += 1;
            }
        }
        let limit = host.open_within_ms.map(Duration::from_millis);
        let slow = found.found_after.iter().filter(|((address, port), after)| {
            *address == scenario.address(index)
                && listening.contains(port)
                && limit.is_some_and(|limit| **after > limit)
        });
        if let Some((endpoint, after)) = slow.max_by_key(|(_, after)| **after) {
            wrong.push(format!(
                "{} was found only after {:.1} s",
                some([endpoint].into_iter()),
                after.as_secs_f64()
            ));
        }
    }
    wrong.extend(
        mistakes
            .into_iter()
            .map(|(what, number)| format!("{number} x {what}")),
    );
    for state in STATES {
        let (least, most) = counts.get(state).copied().unwrap_or_default();
        let least = least.max(scenario.least.get(state).copied().unwrap_or(0));
        let said = found.counts.get(state).copied().unwrap_or(0);
        if !(least..=most).contains(&said) {
            let right = match least == most {
                true => least.to_string(),
                false => format!("{least} to {most}"),
            };
            wrong.push(format!("counts {said} {state} instead of {right}"));
        }
    }
    let named = found.listed.values().filter(|(state, _)| state == "error");
    let (named, untested) = (named.count() as u64, found.counts.get("error").copied());
    if untested.unwrap_or(0) != named {
        wrong.push(format!(
            "names {named} of {} untested endpoints",
            untested.unwrap_or(0)
        ));
    }
    let (planned, counted) = (scenario.endpoints(), found.counts.values().sum::<u64>());
    if found.listed.len() > planned {
        wrong.push(format!(
            "{} endpoints listed, {planned} planned",
            found.listed.len()
        ));
    }
    if counted != planned as u64 {
        wrong.push(format!("{counted} endpoints counted, {planned} planned"));
    }
    let ended = match (found.exit, found.complete) {
        (Some(0), true) => Some(End::Complete),
        (Some(6), false) => Some(End::Unproven),
        _ => None,
    };
    let (end, notes) = scenario.end_of(mode);
    if ended.is_none() || (end != End::Either && ended != Some(end)) {
        wrong.push(format!(
            "exit {:?}, complete {}: {}; {}",
            found.exit,
            found.complete,
            found.stderr.trim(),
            found.summary
        ));
    }
    let unsaid = notes.difference(&found.notes);
    wrong.extend(unsaid.map(|note| format!("the note {note} is missing")));
    let untrue = found.notes.difference(notes);
    let untrue = untrue.filter(|note| !scenario.notes_by_chance.contains(*note));
    wrong.extend(untrue.map(|note| format!("the note {note} is not expected")));
    if mode == Mode::Syn {
        let (lost, least) = (found.capture_drops, scenario.least_capture_drops);
        if lost < least {
            wrong.push(format!(
                "the capture lost {lost} packets: with fewer than {least} nothing was tested"
            ));
        }
    }
    if let Some(most) = scenario.most_memory_mb.map(|most| most.of(mode))
        && found.peak_kib.is_none_or(|peak| peak > most * 1024)
    {
        let had = found.peak_kib.map_or_else(
            || "an unknown amount of".to_owned(),
            |peak| format!("{:.1} MB of", peak as f64 / 1024.0),
        );
        wrong.push(format!("had {had} memory, at most {most} MB expected"));
    }
    wrong
}

fn some<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> String {
    let all: Vec<String> = endpoints
        .map(|(address, port)| format!("{address} {port}"))
        .collect();
    match all.len() {
        0 => "nothing".to_owned(),
        1..=5 => all.join(", "),
        more => format!(
            "{more} ports ({}, ...)",
            all.get(..5).unwrap_or_default().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::InEachMode;
    use super::*;

    fn scenario() -> Scenario {
        let text = "about = 'x'\ntopology = 'pair'\nports = '21-23'\n[[host]]\nlisten = [22]\n\
                    expect = { state = 'closed', reason = 'rst' }\n";
        Scenario::read("sample", text).unwrap()
    }

    fn right() -> Found {
        let at = |port| ("10.66.0.2".to_owned(), port);
        let said = |state: &str, reason: &str| (state.to_owned(), reason.to_owned());
        Found {
            open: BTreeSet::from([at(22)]),
            listed: BTreeMap::from([
                (at(21), said("closed", "rst")),
                (at(22), said("open", "syn-ack")),
                (at(23), said("closed", "rst")),
            ]),
            counts: BTreeMap::from([("open".to_owned(), 1), ("closed".to_owned(), 2)]),
            complete: true,
            exit: Some(0),
            ..Found::default()
        }
    }

    /// The complaints when connect mode says something else than it should.
    fn complaints(change: impl FnOnce(&mut Found)) -> String {
        let mut connect = right();
        change(&mut connect);
        judge(&scenario(), &[right()], &[connect]).join("\n")
    }

    #[test]
    fn what_is_right_passes() {
        assert_eq!(complaints(|_| ()), "");
    }

    #[test]
    fn every_kind_of_mistake_is_seen() {
        let at = |port| ("10.66.0.2".to_owned(), port);
        let missed = complaints(|found| {
            found.open.clear();
        });
        assert!(
            missed.contains("only syn mode has 10.66.0.2 22"),
            "{missed}"
        );
        assert!(
            missed.contains("missed 10.66.0.2 22; invented nothing"),
            "{missed}"
        );
        let invented = complaints(|found| {
            found.open.insert(at(23));
        });
        assert!(invented.contains("invented 10.66.0.2 23"), "{invented}");
        let reason = complaints(|found| {
            found
                .listed
                .insert(at(21), ("filtered".to_owned(), "no-answer".to_owned()));
        });
        assert!(
            reason.contains("1 x closed (rst) was said to be filtered (no-answer)"),
            "{reason}"
        );
        let unsaid = complaints(|found| {
            found.listed.remove(&at(21));
        });
        assert!(unsaid.contains("said to be nothing"), "{unsaid}");
        let counts = complaints(|found| {
            found.counts.insert("closed".to_owned(), 1);
        });
        assert!(counts.contains("counts 1 closed instead of 2"), "{counts}");
        let outside = complaints(|found| {
            found
                .listed
                .insert(at(99), ("closed".to_owned(), "rst".to_owned()));
        });
        assert!(
            outside.contains("4 endpoints listed, 3 planned"),
            "{outside}"
        );
        let untrue = complaints(|found| {
            found.notes.insert("deaf-capture".to_owned());
        });
        assert!(
            untrue.contains("the note deaf-capture is not expected"),
            "{untrue}"
        );
        assert!(complaints(|found| found.exit = Some(6)).contains("exit Some(6)"));
        assert!(complaints(|found| found.complete = false).contains("complete false"));
    }

    #[test]
    fn both_modes_wrong_in_the_same_way_is_still_wrong() {
        let mut both = right();
        both.open.insert(("10.66.0.2".to_owned(), 23));
        let wrong = judge(&scenario(), &[both.clone()], &[both]).join("\n");
        assert!(!wrong.contains("only syn"), "{wrong}");
        assert!(
            wrong.contains("run 1, syn: missed nothing; invented 10.66.0.2 23"),
            "{wrong}"
        );
    }

    #[test]
    fn a_mode_that_did_not_run_is_wrong() {
        assert_eq!(judge(&scenario(), &[right()], &[]).len(), 1);
    }

    #[test]
    fn where_a_choice_is_right_each_of_it_is_and_nothing_else() {
        let text = "about = 'x'\ntopology = 'pair'\nports = '21-23'\nend = 'either'\n[[host]]\nlisten = [22]\n\
                    expect = { state = ['closed', 'error'] }\nexpect-open = { state = ['open', 'error'] }\n";
        let scenario = Scenario::read("sample", text).unwrap();
        let mut untested = right();
        let at = ("10.66.0.2".to_owned(), 22);
        untested.open.clear();
        untested
            .listed
            .insert(at, ("error".to_owned(), "not-sent".to_owned()));
        untested.counts = BTreeMap::from([("error".to_owned(), 1), ("closed".to_owned(), 2)]);
        (untested.exit, untested.complete) = (Some(6), false);
        let wrong = |found: &Found| judge(&scenario, &[right()], std::slice::from_ref(found));
        assert_eq!(wrong(&untested), Vec::<String>::new());
        untested.listed.insert(
            ("10.66.0.2".to_owned(), 23),
            ("filtered".to_owned(), "no-answer".to_owned()),
        );
        let complaints = wrong(&untested).join("\n");
        assert!(
            complaints.contains("closed or error was said to be filtered"),
            "{complaints}"
        );
        untested.exit = Some(0);
        assert!(wrong(&untested).join("\n").contains("exit Some(0)"));
    }

    /// Of scans too large to list everything nobody looked whether they named what they had not tested.
    #[test]
    fn untested_endpoints_that_are_counted_and_not_named_are_seen() {
        let text = "about = 'x'\ntopology = 'pair'\nports = '1-6000'\nend = 'unproven'\n[[host]]\nlisten = [22]\n\
                    expect = { state = ['closed', 'error'] }\n";
        let scenario = Scenario::read("sample", text).unwrap();
        let mut found = right();
        found.listed.retain(|_, (state, _)| state == "open");
        let counts = [("open", 1), ("closed", 5_998), ("error", 1)];
        found.counts = counts.map(|(state, n)| (state.to_owned(), n)).into();
        (found.exit, found.complete) = (Some(6), false);
        let judged = |found: &Found| {
            let found = std::slice::from_ref(found);
            judge(&scenario, found, found)
        };
        let wrong = judged(&found).join("\n");
        assert!(wrong.contains("names 0 of 1 untested endpoints"), "{wrong}");
        let named = ("error".to_owned(), "blocked-midway".to_owned());
        found.listed.insert(("10.66.0.2".to_owned(), 700), named);
        assert_eq!(judged(&found), Vec::<String>::new());
    }

    #[test]
    fn a_port_that_nobody_can_know_to_be_closed_is_judged_by_its_part() {
        let text = "about = 'x'\ntopology = 'pair'\nports = '21-23'\n[[host]]\nlisten = [22]\n\
                    part = [{ ports = '23', expect = { state = 'error', reason = 'local-firewall' } }]\n\
                    expect = { state = 'closed', reason = 'rst' }\n";
        let scenario = Scenario::read("sample", text).unwrap();
        let mut untested = right();
        untested.listed.insert(
            ("10.66.0.2".to_owned(), 23),
            ("error".to_owned(), "local-firewall".to_owned()),
        );
        let ones = ["open", "closed", "error"].map(|state| (state.to_owned(), 1));
        untested.counts = ones.into();
        let judged = |connect: Found| judge(&scenario, &[untested.clone()], &[connect]);
        assert_eq!(judged(untested.clone()), Vec::<String>::new());
        let wrong = judged(right()).join("\n");
        assert!(
            wrong.contains("1 x error (local-firewall) was said to be closed (rst)"),
            "{wrong}"
        );
        assert!(wrong.contains("counts 0 error instead of 1"), "{wrong}");
    }

    #[test]
    fn a_listening_port_of_a_part_need_not_be_found() {
        let text = "about = 'x'\ntopology = 'pair'\nports = '21-23'\n[[host]]\nlisten = [21, 22]\n\
                    part = [{ ports = '21', expect = { state = 'closed', reason = 'rst' } }]\n\
                    expect = { state = 'closed', reason = 'rst' }\n";
        let scenario = Scenario::read("sample", text).unwrap();
        assert_eq!(
            judge(&scenario, &[right()], &[right()]),
            Vec::<String>::new()
        );
        assert_eq!(scenario.truth(), right().open);
    }

    #[test]
    fn a_ring_that_lost_nothing_and_memory_that_grew_are_seen() {
        let mut scenario = scenario();
        scenario.least_capture_drops = 1;
        scenario.most_memory_mb = Some(InEachMode {
            syn: 30,
            connect: 20,
        });
        let with = |capture_drops, peak_kib| Found {
            capture_drops,
            peak_kib,
            ..right()
        };
        let wrong = |syn, connect| judge(&scenario, &[syn], &[connect]).join("\n");
        let (small, large) = (Some(20 * 1024), Some(20 * 1024 + 1));
        // Connect mode has no ring, and a bound of its own.
        assert_eq!(wrong(with(1, large), with(0, small)), "");
        let dry = wrong(with(0, small), with(0, small));
        assert!(
            dry.contains("run 1, syn: the capture lost 0 packets"),
            "{dry}"
        );
        for peak in [large, None] {
            let grown = wrong(with(1, small), with(0, peak));
            assert!(grown.contains("at most 20 MB expected"), "{grown}");
        }
    }

    #[test]
    fn a_late_host_and_a_missing_note_are_seen() {
        let mut scenario = scenario();
        scenario.notes.insert("rst-limited".to_owned());
        scenario.host[0].open_within_ms = Some(1_000);
        let mut late = right();
        late.found_after
            .insert(("10.66.0.2".to_owned(), 22), Duration::from_secs(2));
        let wrong = judge(&scenario, &[late], &[right()]).join("\n");
        assert!(wrong.contains("found only after 2.0 s"), "{wrong}");
        assert!(wrong.contains("the note rst-limited is missing"), "{wrong}");
    }
}
