//! Simulated scenarios: each is a data file beside this one, run by the real scan loop in both modes over many seeds.
//!
//! What is compared, in this order: the two open lists with each other, then with the truth, then states and reasons, then
//! time and packets.

mod budget;
mod busy;
mod file;
mod judge;
mod resumed;
mod unheard;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use halfopen::engine::confirm::Confirm;
use halfopen::engine::pace::Ceiling;
use halfopen::engine::{Asking, Config, Engine};
use halfopen::model::{Event, HostLoss, State, Summary, Time, Verdict};
use halfopen::scan::{self, Control, Sink};
use halfopen::transport::sim::SimTransport;

use crate::scenarios::file::Scenario;
use crate::scenarios::judge::{Proof, judge, states};

/// Everything that one run told.
struct Run {
    verdicts: Vec<Verdict>,
    losses: Vec<HostLoss>,
    notes: BTreeSet<String>,
    summary: Summary,
}

#[derive(Default)]
struct Keep {
    verdicts: Vec<Verdict>,
    losses: Vec<HostLoss>,
    notes: BTreeSet<String>,
}

impl Sink for Keep {
    fn ready(&mut self) -> bool {
        true
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            match event {
                Event::Verdict(verdict) => self.verdicts.push(verdict),
                Event::Loss(loss) => self.losses.push(loss),
                Event::Host(note) => {
                    self.notes.insert(note.note.name().to_owned());
                }
                _ => {}
            }
        }
    }
}

fn run(scenario: &Scenario, asking: Asking, seed: u64) -> Run {
    run_until(scenario, asking, seed, None)
}

fn run_until(scenario: &Scenario, asking: Asking, seed: u64, max_time: Option<Duration>) -> Run {
    run_with(scenario, config(scenario, asking, seed), max_time)
}

fn run_with(scenario: &Scenario, config: Config, max_time: Option<Duration>) -> Run {
    let plan = Arc::new(scenario.plan());
    let (flows, descriptors) = match config.asking {
        Asking::Syn { flows } => (flows, 4096),
        Asking::Handshake => (1, scenario.descriptors),
    };
    let seed = config.seed;
    let mut transport = SimTransport::new(scenario.network(), seed, flows, descriptors);
    let engine = Engine::new(plan.clone(), config, Time::ZERO).with_ways(scenario.ways());
    let mut keep = Keep::default();
    let control = Control::default();
    let summary = scan::run(&plan, engine, &mut transport, &mut keep, &control, max_time);
    Run {
        verdicts: keep.verdicts,
        losses: keep.losses,
        notes: keep.notes,
        summary,
    }
}

fn config(scenario: &Scenario, asking: Asking, seed: u64) -> Config {
    let ceiling = scenario.rate.map_or(
        Ceiling::Careful {
            blind: 200_000,
            most: 10_000_000,
        },
        Ceiling::Asked,
    );
    let usual = Config::new(asking, ceiling);
    Config {
        seed,
        patience: Duration::from_millis(scenario.patience_ms),
        confirm: scenario.confirm(),
        miss_budget: scenario.miss_budget.unwrap_or(usual.miss_budget),
        ..usual
    }
}

fn open(run: &Run) -> BTreeSet<String> {
    run.verdicts
        .iter()
        .filter(|verdict| verdict.state == State::Open)
        .map(|verdict| verdict.endpoint.to_string())
        .collect()
}

fn untested(run: &Run) -> BTreeSet<String> {
    run.verdicts
        .iter()
        .filter(|verdict| verdict.state == State::Error)
        .map(|verdict| verdict.endpoint.to_string())
        .collect()
}

fn scenario(name: &str) -> Scenario {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/scenarios")
        .join(format!("{name}.toml"));
    Scenario::read(&path)
}

fn check(name: &str) {
    let scenario = scenario(name);
    let truth = scenario.truth();
    let proof = match scenario.unproven {
        true => Proof::Lacking,
        false => Proof::Whole,
    };
    for seed in 0..scenario.seeds {
        let syn = run(&scenario, Asking::Syn { flows: 20 }, seed);
        if scenario.confirm() == Confirm::Never {
            // Connect mode has nothing to leave out.
            judge(
                &scenario.expect,
                proof,
                &syn,
                &format!("{name}, seed {seed}, SYN"),
            );
            continue;
        }
        let connect = run(&scenario, Asking::Handshake, seed);
        if !scenario.expect.notes_vary {
            assert_eq!(
                syn.notes, scenario.expect.notes,
                "{name}, seed {seed}: notes"
            );
        }
        if let Some(expect) = &scenario.by_connect {
            assert_eq!(open(&syn), truth, "{name}, seed {seed}: found and true");
            judge(
                &scenario.expect,
                proof,
                &syn,
                &format!("{name}, seed {seed}, SYN"),
            );
            let here = format!("{name}, seed {seed}, connect");
            assert_eq!(connect.notes, expect.notes, "{here}: notes");
            judge(expect, Proof::Lacking, &connect, &here);
            continue;
        }
        if scenario.unproven {
            for (mode, run) in [("SYN", &syn), ("connect", &connect)] {
                let mut told = open(run);
                told.extend(untested(run));
                let lacking: Vec<_> = truth.difference(&told).collect();
                assert!(
                    lacking.is_empty(),
                    "{name}, seed {seed}, {mode}: {lacking:?}"
                );
            }
        } else {
            assert_eq!(
                open(&syn),
                open(&connect),
                "{name}, seed {seed}: SYN (left) and connect"
            );
            assert_eq!(
                open(&syn),
                truth,
                "{name}, seed {seed}: found (left) and true"
            );
        }
        for (mode, run) in [("SYN", &syn), ("connect", &connect)] {
            judge(
                &scenario.expect,
                proof,
                run,
                &format!("{name}, seed {seed}, {mode}"),
            );
        }
    }
}

/// One test for each data file, and a test that no file was forgotten.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_scenario_file_is_run() {
            let files: BTreeSet<String> = std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios"))
                .expect("the scenarios' folder is readable")
                .filter_map(|entry| entry.expect("a folder entry").file_name().into_string().ok())
                .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
                .collect();
            let run = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            assert_eq!(files, run);
        }
    };
}

scenarios!(
    clean,
    lossy_20_percent,
    lossy_in_bursts,
    lossy_and_silent,
    lossy_and_silent_10000,
    silent_but_a_few,
    short_patience,
    slow_server,
    duplicated_answers,
    forged_answers,
    icmp_first_answer_later,
    icmp_throughout,
    dead_host,
    jitter_reorders,
    few_descriptors,
    stale_connection,
    ipv6,
    three_hosts,
    several_lossy_hosts,
    many_silent_hosts,
    asked_rate,
    limited_5000,
    limited_100,
    limited_silent,
    limited_silent_100,
    limited_silent_5000,
    limited_silent_far,
    limited_one_of_three,
    limited_silent_in_company,
    limited_silent_5000_in_company,
    limited_silent_100_in_company,
    limited_silent_100_few_open,
    limited_silent_100_few_open_in_company,
    limited_silent_100_beside_a_lossy_host,
    limited_silent_100_among_the_dead,
    table_of_flows_in_company,
    small_table_of_flows_in_company,
    limits_of_many_kinds,
    network_limited,
    network_limited_silent,
    network_limited_far,
    network_table_of_flows,
    table_of_flows,
    resets_limited,
    shuts_midway,
    shuts_midway_one_of_three,
    network_limited_shuts_midway_one_of_16,
    limited_100_lossy,
    limited_silent_lossy,
    resets_limited_lossy,
    table_of_flows_lossy,
    network_limited_lossy,
    syn_proxy,
    many_open,
    many_open_lossy,
    answers_after_a_second,
    answers_after_a_second_lossy,
    answers_after_two_seconds,
    answers_after_two_seconds_and_more,
    answers_everything,
    answers_everything_lossy,
    fewer_than_1000_open,
    tarpit,
    hints,
    accepts_and_resets,
    deaf_capture,
    deaf_on_one_of_two_links,
    deaf_on_one_of_two_links_lossy,
    loss_per_host,
    confirm_never,
    confirm_never_crowd,
    a_liar_among_others,
    answers_dropped_here,
    answers_dropped_here_of_one_host,
    answers_dropped_here_few_open,
    answers_dropped_here_one_port,
    answers_dropped_here_lossy,
    answers_dropped_here_of_a_far_host,
    answers_dropped_here_of_a_large_host,
    answers_dropped_here_at_a_low_rate,
    others_packets_dropped_here,
    answers_dropped_here_among_others_packets,
);

#[test]
fn a_scan_that_is_cut_short_tells_everything_that_it_held_once() {
    for name in [
        "many_open",
        "deaf_on_one_of_two_links",
        "answers_everything",
        "syn_proxy",
        "tarpit",
        "a_liar_among_others",
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/scenarios")
            .join(format!("{name}.toml"));
        let scenario = Scenario::read(&path);
        let mut held = 0;
        for micros in [
            300, 1_000, 2_000, 5_000, 9_000, 400_000, 3_500_000, 4_500_000,
        ] {
            for asking in [Asking::Syn { flows: 20 }, Asking::Handshake] {
                let cut = run_until(&scenario, asking, 1, Some(Duration::from_micros(micros)));
                let told: BTreeSet<_> = cut
                    .verdicts
                    .iter()
                    .map(|verdict| verdict.endpoint)
                    .collect();
                assert_eq!(
                    told.len(),
                    cut.verdicts.len(),
                    "{name}, {micros} us: told twice"
                );
                let (told, untested) = (told.len() as u64, cut.summary.untested);
                assert_eq!(
                    told + untested,
                    cut.summary.endpoints,
                    "{name}, {micros} us"
                );
                held += cut.summary.suspect;
            }
        }
        if !["many_open", "deaf_on_one_of_two_links"].contains(&name) {
            assert!(held > 0, "{name}: no cut came before the proof");
        }
    }
}

/// Where the path loses resets, servers repeat what they have answered to a canary, seconds later. Canaries were given up for
/// that, a limiter was not seen any more, and one to seven of 40 open ports were called the whole list.
#[test]
fn answers_that_servers_repeat_were_taken_for_late_ones_and_a_limiter_was_not_seen() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/limited_silent_lossy.toml");
    let scenario = Scenario::read(&path);
    let truth = scenario.truth();
    let seeds = 20..120;
    let (mut missed, mut incomplete) = (0, 0);
    for seed in seeds.clone() {
        let run = run(&scenario, Asking::Syn { flows: 20 }, seed);
        match run.summary.complete {
            true => missed += truth.difference(&open(&run)).count() as u64,
            false => incomplete += 1,
        }
    }
    // The miss budget of as many scans is one.
    assert!(missed <= 3, "{missed} missed in {seeds:?}");
    assert!(incomplete <= 2, "{incomplete} of {seeds:?}");
}

#[test]
fn each_of_several_hosts_has_its_own_loss() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/loss_per_host.toml");
    let scenario = Scenario::read(&path);
    for asking in [Asking::Syn { flows: 20 }, Asking::Handshake] {
        let run = run(&scenario, asking, 4);
        let losses: BTreeMap<String, f64> = run
            .losses
            .iter()
            .map(|loss| {
                let samples = (loss.first + loss.later) as f64;
                assert!(samples > 500.0, "{asking:?}: {loss:?}");
                (loss.address.to_string(), loss.later as f64 / samples)
            })
            .collect();
        assert_eq!(run.losses.len(), 2, "{asking:?}: {losses:?}");
        assert_eq!(losses["10.9.0.2"], 0.0, "{asking:?}");
        // 10 % each way: 19 % per round trip.
        let lossy = losses["10.9.0.3"];
        assert!((0.14..0.24).contains(&lossy), "{asking:?}: {lossy}");
    }
}

#[test]
fn a_scan_that_is_cut_short_before_it_knows_what_was_dropped_here_calls_nothing_filtered() {
    let scenario = scenario("answers_dropped_here");
    for millis in [3_200, 3_600, 3_900, 4_500, 5_600] {
        let limit = Some(Duration::from_millis(millis));
        let cut = run_until(&scenario, Asking::Handshake, 1, limit);
        assert_eq!(states(&cut), BTreeMap::new(), "{millis} ms");
        assert_eq!(cut.summary.untested, 500, "{millis} ms");
    }
}
