//! The parts of a scan become the whole.

use std::collections::BTreeSet;
use std::time::Duration;

use halfopen::model::{Endpoint, Reason, State};
use halfopen::plan::Shard;
use halfopen::results::join::Gaps;
use serde_json::Value;

use super::{Made, joined, told, truth};

fn parts(count: u64) -> Vec<String> {
    (0..count)
        .map(|index| Made::part(index, count).lines(no_error))
        .collect()
}

/// The same network, of which every port could be tested.
fn no_error(endpoint: &Endpoint) -> (State, Reason) {
    match truth(endpoint) {
        (State::Error, _) => (State::Closed, Reason::Rst),
        other => other,
    }
}

/// The lines of a type without what belongs to a run and not to the network, in an order of their own.
fn lines_of(text: &str, kind: &str) -> BTreeSet<String> {
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|value| value["type"] == kind)
        .map(|mut value| {
            let map = value.as_object_mut().expect("an object");
            for of_the_run in ["time", "seconds", "packets_sent", "loss", "expected_missed"] {
                map.remove(of_the_run);
            }
            value.to_string()
        })
        .collect()
}

#[test]
fn one_file_comes_out_as_it_went_in() {
    for show in [vec![State::Open, State::Suspect], State::ALL.to_vec()] {
        let made = Made {
            show,
            ..Made::part(0, 1)
        };
        let file = made.lines(truth);
        let (_, out) = joined(std::slice::from_ref(&file), Gaps::Allowed).expect("one scan");
        assert_eq!(out, file);
    }
}

#[test]
fn parts_in_any_order_are_the_whole() {
    let whole = Made::part(0, 1).lines(no_error);
    for count in [2, 3, 4, 16] {
        let mut files = parts(count);
        files.reverse();
        let (joined, out) = joined(&files, Gaps::Refused).expect("one scan");
        for kind in ["scan", "port", "host", "summary"] {
            assert_eq!(
                lines_of(&out, kind),
                lines_of(&whole, kind),
                "{kind} of {count}"
            );
        }
        assert!(joined.summary.complete);
        assert_eq!(joined.summary.packets_sent, 100 * count * (count + 1) / 2);
    }
}

#[test]
fn figures_are_summed_loss_is_weighed_and_times_count_from_the_first_start() {
    let (joined, out) = joined(&parts(2), Gaps::Refused).expect("one scan");
    // 100 packets without loss, 200 with 10 %.
    let loss = joined.summary.loss.expect("measured");
    assert!((loss - 0.1 * 200.0 / 300.0).abs() < 1e-9, "{loss}");
    assert!((joined.summary.expected_missed - 0.002).abs() < 1e-9);
    // The second began a second later.
    assert_eq!(joined.summary.elapsed, Duration::from_secs(6));
    let latest = out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).expect("JSON")["time"].as_f64())
        .fold(0.0, f64::max);
    assert!(latest > 1.0, "{latest}");
}

#[test]
fn a_part_twice_and_a_part_missing_are_named() {
    let files = parts(4);
    let some = [files[0].clone(), files[2].clone(), files[2].clone()];
    assert_eq!(
        told(&some, Gaps::Refused),
        [
            r#"part 3/4 is in both "1" and "2""#,
            "parts 2/4, 4/4 are missing; --allow-gaps merges what is there",
        ]
    );
    assert_eq!(told(&some, Gaps::Allowed).len(), 1);
    assert_eq!(told(&[], Gaps::Allowed).len(), 1);
}

#[test]
fn gaps_that_are_allowed_are_not_tested_and_are_named_in_the_output() {
    let files = parts(4);
    let some = [files[0].clone(), files[1].clone(), files[3].clone()];
    let (part, out) = joined(&some, Gaps::Allowed).expect("three parts");
    assert_eq!(part.summary.untested, 160);
    assert!(!part.summary.complete);
    let head: Value = serde_json::from_str(out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(head["missing_shards"], serde_json::json!(["3/4"]));
    assert_eq!(
        (&head["shard"], &head["endpoints"]),
        (&"1/1".into(), &640.into())
    );
    // What was merged with gaps is no part to be merged again.
    let again = told(&[out, files[2].clone()], Gaps::Allowed);
    assert!(again[0].contains("itself merged"), "{again:?}");
}

#[test]
fn what_is_of_another_scan_is_told_by_how_it_differs() {
    let base = Made::part(0, 4).lines(no_error);
    let made = || Made::part(1, 4);
    for (other, differs) in [
        (
            Made {
                ports: "1-41",
                ..made()
            },
            "other ports",
        ),
        (
            Made {
                targets: "192.0.2.0/27",
                ..made()
            },
            "targets with 192.0.2.0-192.0.2.31 and not 192.0.2.0-192.0.2.15",
        ),
        (Made { seed: 8, ..made() }, "seed 8 and not 7"),
        (
            Made {
                show: State::ALL.to_vec(),
                ..made()
            },
            "other states shown (--show)",
        ),
        (
            Made {
                shard: Shard::new(1, 5).expect("a shard"),
                ..made()
            },
            "5 parts and not 4",
        ),
    ] {
        let told = told(&[base.clone(), other.lines(no_error)], Gaps::Allowed);
        assert_eq!(
            told,
            [format!(r#""1" is of another scan than "0": {differs}"#)]
        );
    }
    let newer = made().lines(no_error).replacen("0.1.0", "0.2.0", 1);
    let told = told(&[base, newer], Gaps::Allowed);
    assert!(told[0].ends_with("version 0.2.0 and not 0.1.0"), "{told:?}");
}

#[test]
fn a_file_that_was_cut_off_is_refused_or_taken_for_what_it_lists() {
    let mut files = parts(2);
    let second = &mut files[1];
    let cut = second.find(r#"{"type":"host""#).expect("a host");
    second.truncate(cut + 20);
    let refused = told(&files, Gaps::Refused);
    assert!(refused[0].contains("has no summary"), "{refused:?}");
    let (joined, _) = joined(&files, Gaps::Allowed).expect("two parts");
    let listed = files[1].matches(r#"{"type":"port""#).count() as u64;
    assert!(listed > 0);
    assert_eq!(joined.summary.untested, 320 - listed);
    assert!(!joined.summary.complete);
}

#[test]
fn a_host_that_answers_everything_is_found_though_each_part_saw_too_little() {
    let everything = |endpoint: &Endpoint| match endpoint.port {
        1..=1100 => (State::Open, Reason::SynAck),
        _ => (State::Closed, Reason::Rst),
    };
    let files: Vec<String> = (0..4)
        .map(|index| {
            let made = Made {
                targets: "192.0.2.9",
                ports: "1-1200",
                ..Made::part(index, 4)
            };
            made.lines(everything)
        })
        .collect();
    let (joined, out) = joined(&files, Gaps::Refused).expect("one scan");
    assert_eq!((joined.summary.open, joined.summary.suspect), (0, 1_100));
    assert!(lines_of(&out, "port").is_empty());
    let host = lines_of(&out, "host").pop_first().expect("a host");
    let host: Value = serde_json::from_str(&host).expect("JSON");
    assert_eq!(host["suspect"], 1_100);
    let notes = host["notes"].to_string();
    assert!(notes.contains("answers-everything"), "{notes}");
}
