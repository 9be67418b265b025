//! The miss budget and the most attempts, in scans of several hosts and of several blocks.

use std::collections::BTreeSet;
use std::time::Duration;

use halfopen::engine::{Asking, Config};
use halfopen::model::{Endpoint, State};

use crate::scenarios::file::Scenario;
use crate::scenarios::{Run, config, open, run_with, scenario};

const BY_SYN: Asking = Asking::Syn { flows: 20 };

fn run(scenario: &Scenario, asking: Asking, seed: u64, change: impl Fn(&mut Config)) -> Run {
    let mut config = config(scenario, asking, seed);
    change(&mut config);
    run_with(scenario, config, None)
}

/// A lane that ended when little had been found could afford more than the scan could in the end, and nobody asked it again: the
/// scan stopped by its own rule, and then said that it was not complete.
#[test]
fn lanes_that_ended_early_were_not_asked_again_when_more_was_found() {
    let scenario = scenario("several_lossy_hosts");
    let truth = scenario.truth();
    for asking in [BY_SYN, Asking::Handshake] {
        let mut missed = 0;
        for seed in 0..60 {
            // So many that the budget alone ends a lane.
            let run = run(&scenario, asking, seed, |config| config.max_attempts = 100);
            assert!(
                run.summary.complete,
                "{asking:?}, {seed}: {:?}",
                run.summary
            );
            assert!(run.summary.expected_missed < 0.01);
            missed += truth.difference(&open(&run)).count();
        }
        // The budget of as many scans is 0.6.
        assert!(missed <= 3, "{asking:?}: {missed} missed");
    }
}

/// Each block spent the whole budget, and added half a port of its own.
#[test]
fn blocks_share_the_miss_budget_of_the_scan() {
    let scenario = scenario("several_lossy_hosts");
    let truth = scenario.truth();
    for asking in [BY_SYN, Asking::Handshake] {
        for block in [1_000, 300] {
            let mut missed = 0;
            for seed in 0..40 {
                let here = format!("{asking:?}, blocks of {block}, {seed}");
                let run = run(&scenario, asking, seed, |config| {
                    config.block = block;
                    config.max_attempts = 100;
                });
                let told: BTreeSet<Endpoint> = run.verdicts.iter().map(|v| v.endpoint).collect();
                assert_eq!((told.len(), run.verdicts.len()), (2_400, 2_400), "{here}");
                assert!(run.summary.complete, "{here}: {:?}", run.summary);
                assert!(open(&run).is_subset(&truth), "{here}");
                missed += truth.difference(&open(&run)).count();
            }
            // Where an open port is alone on its host in its block nobody is heard who would tell of a loss there: of 160 scans by
            // connect 20 missed one of these in blocks of 300. Of ten scans 3 can miss one by chance.
            assert!(
                missed <= 40 * 2 / 10,
                "{asking:?}, blocks of {block}: {missed} missed"
            );
        }
    }
}

/// Ports that a connect had proven were asked once more in a later block, beside what was to be confirmed there. Nobody was told
/// of their answers, and the scan waited for them for ever.
#[test]
fn a_proven_port_of_a_block_that_was_over_kept_the_scan_from_ending() {
    let scenario = scenario("several_lossy_hosts");
    let mut config = config(&scenario, BY_SYN, 3);
    config.block = 300;
    let run = run_with(&scenario, config, Some(Duration::from_secs(3_600)));
    assert_eq!(run.summary.untested, 0, "{:?}", run.summary);
}

#[test]
fn no_silent_port_is_asked_more_often_than_the_most_attempts() {
    let scenario = scenario("silent_but_a_few");
    for most in [1, 2, 4] {
        let run = run(&scenario, BY_SYN, 1, |config| config.max_attempts = most);
        let silent = run.verdicts.iter().filter(|v| v.state == State::Filtered);
        let attempts: BTreeSet<u16> = silent.map(|v| v.attempts).collect();
        assert!(attempts.iter().all(|made| *made <= most), "{attempts:?}");
        let asked = run.summary.endpoints * u64::from(most);
        // Canaries come beside, one in a hundred.
        let packets = run.summary.packets_sent;
        assert!(packets <= asked + asked / 50 + 100, "{packets} of {asked}");
    }
}

/// What was under way when the only walk was over was still to be heard.
#[test]
fn one_attempt_by_connect_is_listened_to() {
    let scenario = scenario("silent_but_a_few");
    let run = run(&scenario, Asking::Handshake, 1, |config| {
        config.max_attempts = 1
    });
    assert_eq!(open(&run), scenario.truth());
}

/// Of what stayed silent nobody knew whether its one SYN was lost, and the loss was 0 %; with a few open ports the list was complete.
#[test]
fn one_attempt_at_a_host_whose_loss_only_a_second_would_show_was_complete() {
    let scenario = scenario("lossy_20_percent");
    for seed in 0..5 {
        let once = run(&scenario, BY_SYN, seed, |config| config.max_attempts = 1);
        assert!(!once.summary.complete, "{seed}: {:?}", once.summary);
        assert_ne!(once.summary.loss, Some(0.0), "{seed}");
    }
    // Where nothing stays silent, one is enough.
    let clean = run(&self::scenario("clean"), BY_SYN, 1, |config| {
        config.max_attempts = 1;
    });
    assert!(clean.summary.complete, "{:?}", clean.summary);
}

/// The address of `ADDRESS:PORT`.
fn host(endpoint: &str) -> String {
    let (address, _) = endpoint.rsplit_once(':').expect("an endpoint");
    address.to_owned()
}

/// Promise: a list that may lack something is never called complete.
#[test]
fn a_lossy_path_and_too_few_attempts_make_no_complete_scan() {
    let scenario = scenario("several_lossy_hosts");
    let truth = scenario.truth();
    for most in [1, 2] {
        let (mut missed, mut expected) = (0, 0.0);
        for seed in 0..10 {
            let run = run(&scenario, BY_SYN, seed, |config| config.max_attempts = most);
            assert!(!run.summary.complete, "{most}, {seed}: {:?}", run.summary);
            assert!(run.summary.expected_missed >= 0.01, "{most}, {seed}");
            // Hosts that never answered stand outside the figure.
            let heard: BTreeSet<_> = open(&run).iter().map(|port| host(port)).collect();
            let found = open(&run);
            let lacking = truth.difference(&found);
            missed += lacking.filter(|port| heard.contains(&host(port))).count();
            expected += run.summary.expected_missed;
        }
        // Of one attempt alone nobody can measure what is lost.
        let bound = if most == 1 { f64::INFINITY } else { expected };
        assert!((missed as f64) < bound, "{most}: {missed} of {expected}");
    }
}
