//! Is what both modes said right? Equality first, then the truth, then states and reasons. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Endpoint, Found};
use super::scenario::Scenario;

/// Scans of at most this many endpoints list all of them; larger ones are judged by their counts.
pub const LISTED_AT_MOST: usize = 5_000;

/// What is wrong with the scans of a scenario, in words; nothing when all is right.
pub fn judge(scenario: &Scenario, syn: &[Found], connect: &[Found]) -> Vec<String> {
    let mut wrong = Vec::new();
    let truth = truth(scenario);
    if syn.len() != connect.len() || syn.is_empty() {
        wrong.push(format!(
            "{} syn scans, {} connect scans",
            syn.len(),
            connect.len()
        ));
    }
    for (run, (syn, connect)) in syn.iter().zip(connect).enumerate() {
        let run = run + 1;
        if syn.open != connect.open {
            wrong.push(format!(
                "run {run}: only syn mode has {}; only connect mode has {}",
                some(syn.open.difference(&connect.open)),
                some(connect.open.difference(&syn.open)),
            ));
        }
        for (mode, found) in [("syn", syn), ("connect", connect)] {
            for complaint in one(scenario, &truth, found) {
                wrong.push(format!("run {run}, {mode}: {complaint}"));
            }
        }
    }
    wrong
}

/// Whether every endpoint is to be listed.
pub fn lists_all(scenario: &Scenario) -> bool {
    scenario.scanned().len() * scenario.host.len() <= LISTED_AT_MOST
}

fn truth(scenario: &Scenario) -> BTreeSet<Endpoint> {
    let mut truth = BTreeSet::new();
    for (index, host) in scenario.host.iter().enumerate() {
        let address = scenario.address(index);
        truth.extend(
            scenario
                .open_ports(host)
                .into_iter()
                .map(|port| (address.clone(), port)),
        );
    }
    truth
}

fn one(scenario: &Scenario, truth: &BTreeSet<Endpoint>, found: &Found) -> Vec<String> {
    let (mut wrong, lists_all) = (Vec::new(), lists_all(scenario));
    if &found.open != truth {
        wrong.push(format!(
            "missed {}; invented {}",
            some(truth.difference(&found.open)),
            some(found.open.difference(truth)),
        ));
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    for (index, host) in scenario.host.iter().enumerate() {
        let address = scenario.address(index);
        for port in scenario.scanned() {
            let endpoint = (address.clone(), port);
            let (state, reason) = match truth.contains(&endpoint) {
                true => ("open", "syn-ack"),
                false => (host.expect.state.as_str(), host.expect.reason.as_str()),
            };
            *counts.entry(state.to_owned()).or_default() += 1;
            let said = match found.listed.get(&endpoint) {
                Some((said, why)) if said == state && why == reason => continue,
                Some((said, why)) => format!("{said} ({why})"),
                None if lists_all || state == "open" => "nothing".to_owned(),
                None => continue,
            };
            *states
                .entry(format!("{state} ({reason}) was said to be {said}"))
                .or_default() += 1;
        }
    }
    wrong.extend(
        states
            .into_iter()
            .map(|(what, number)| format!("{number} x {what}")),
    );
    for state in ["open", "closed", "filtered", "suspect", "error"] {
        let (right, said) = (counts.get(state).copied(), found.counts.get(state).copied());
        if right.unwrap_or(0) != said.unwrap_or(0) {
            wrong.push(format!(
                "counts {} {state} instead of {}",
                said.unwrap_or(0),
                right.unwrap_or(0)
            ));
        }
    }
    let planned = scenario.host.len() * scenario.scanned().len();
    if found.listed.len() > planned {
        wrong.push(format!(
            "{} endpoints listed, {planned} planned",
            found.listed.len()
        ));
    }
    if found.exit != Some(0) || !found.complete {
        wrong.push(format!(
            "exit {:?}, complete {}: {}",
            found.exit,
            found.complete,
            found.stderr.trim()
        ));
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
}
