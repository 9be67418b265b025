//! A part of the calibration table, with fixed seeds: a change that breaks the stop rule fails here. The whole table is
//! `cargo bench --bench calibration`.

mod judge;
mod scans;

use judge::{oracle, ratio, wrong};
use scans::{Cell, Kind, Mode, Rest};

/// Nothing was tuned on these.
const HELD_OUT: u64 = 3_000_000;

fn check(mode: Mode, kind: Kind, rest: Rest, loss: f64, scans: u64) {
    let cell = Cell {
        mode,
        kind,
        rest,
        loss,
        budget: 0.5,
        first_seed: HELD_OUT,
    };
    let outcome = cell.run(scans);
    let wrong = wrong(&cell, &outcome);
    assert!(
        wrong.is_empty(),
        "{wrong:?}: {cell:?}: {outcome:?}, ratio {:?}, {:.0} probes for {:.0}",
        ratio(&cell, &outcome),
        outcome.probes_per_scan(),
        oracle(&cell),
    );
}

/// One scan of a path with this loss each way and budget finds all that is open.
fn misses_nothing(mode: Mode, kind: Kind, rest: Rest, (loss, budget): (f64, f64), seed: u64) {
    let cell = Cell {
        mode,
        kind,
        rest,
        loss,
        budget,
        first_seed: seed,
    };
    let outcome = cell.scan(seed);
    assert_eq!(outcome.missed, 0, "{cell:?}: {outcome:?}");
}

#[test]
fn independent_misses_are_as_many_as_the_figures_say() {
    check(Mode::Syn, Kind::Independent, Rest::Silent, 0.2, 200);
    check(Mode::Syn, Kind::Independent, Rest::Silent, 0.3, 150);
    check(Mode::Syn, Kind::Independent, Rest::Resets, 0.2, 100);
    check(Mode::Connect, Kind::Independent, Rest::Silent, 0.2, 60);
}

#[test]
fn bursts_miss_no_more_than_the_figures_say() {
    // Misses come many at a time here: fewer scans would tell of luck.
    check(Mode::Syn, Kind::Bursts(10), Rest::Silent, 0.2, 1000);
    check(Mode::Syn, Kind::Bursts(200), Rest::Silent, 0.2, 150);
    check(Mode::Syn, Kind::Bursts(200), Rest::Resets, 0.3, 200);
}

/// Before a host that is silent but for its open ports only canaries tell of a limiter, and a burst loses them as a limiter
/// does: such scans were held to ever lower rates and took four minutes.
#[test]
fn bursts_of_losses_are_not_taken_for_a_limiter() {
    for mode in [Mode::Syn, Mode::Connect] {
        let cell = Cell {
            mode,
            kind: Kind::Bursts(10),
            rest: Rest::Silent,
            loss: 0.3,
            budget: 0.5,
            first_seed: HELD_OUT,
        };
        let outcome = cell.run(60);
        let seconds = outcome.seconds / outcome.scans as f64;
        assert!(seconds < 30.0, "{mode:?}: {seconds} s each");
    }
}

/// All that answered in this scan were two servers that repeated what had been lost; the path was dead when they were not
/// asked but repeated, and when all were asked once more. That was taken for proof that 998 are silent by nature, 98 of which
/// are open.
#[test]
fn answers_that_are_all_repeats_do_not_prove_that_the_attempts_got_through() {
    misses_nothing(
        Mode::Syn,
        Kind::Bursts(200),
        Rest::Resets,
        (0.3, 0.5),
        2_000_099,
    );
}

/// Each time that the path was dead for a moment, all that was out was asked once more, and the more had come through before
/// the more was out: 1.57 times the probes of an oracle.
#[test]
fn what_was_out_when_a_burst_began_was_asked_again_by_the_hundred() {
    check(Mode::Connect, Kind::Bursts(10), Rest::Silent, 0.3, 300);
}

#[test]
fn a_clean_path_costs_no_more_than_twice_asking_the_silent() {
    check(Mode::Syn, Kind::Independent, Rest::Silent, 0.0, 40);
    check(Mode::Connect, Kind::Independent, Rest::Silent, 0.0, 20);
}

/// A tenth of the ports are open, which is odd until more are probed, and each was to be confirmed by a connect. Three of
/// them, and the repeats of their SYNs, fell into holes for all that had not been confirmed at once; the figure said that
/// nothing was missed.
#[test]
fn confirmations_that_fell_into_holes_together_are_repeated_until_some_get_through() {
    for (kind, rest, seed) in [
        (Kind::Bursts(200), Rest::Silent, 11_000_488),
        (Kind::Bursts(200), Rest::Silent, 11_000_641),
        (Kind::Bursts(10), Rest::Resets, 12_000_586),
    ] {
        misses_nothing(Mode::Syn, kind, rest, (0.3, 0.1), seed);
    }
}

/// The first walk and what the kernel repeated of it fell into three holes. One endpoint of a host of which nothing had been
/// heard was found when it was sought, and the walk counted as three attempts that had lost next to nothing.
#[test]
fn a_walk_to_which_nobody_answered_counted_because_the_host_was_found_by_seeking() {
    let kind = Kind::Bursts(200);
    misses_nothing(Mode::Connect, kind, Rest::Silent, (0.3, 0.5), 18_000_548);
}

/// One of a thousand ports had answered, to the second repeat of its SYN: the path was dead for all else of the walk and of its
/// repeats. So little loss was reckoned from so few samples that the other 99 open ports were not expected.
#[test]
fn one_answer_to_a_repeat_was_taken_for_all_that_there_are() {
    let figures = (0.3, 0.5);
    misses_nothing(
        Mode::Connect,
        Kind::Bursts(200),
        Rest::Resets,
        figures,
        38_000_363,
    );
}

/// The path was dead but for the last two hundredths of the first walk, and when a kernel repeated it. One port had answered:
/// too little for parts of the walk to differ.
#[test]
fn one_answer_at_the_end_of_a_walk_was_taken_for_all_that_there_are() {
    let kind = Kind::Bursts(200);
    for budget in [0.5, 0.1] {
        misses_nothing(Mode::Connect, kind, Rest::Silent, (0.3, budget), 35_000_250);
    }
}

/// The first walk of connects and what the kernel repeated of it fell into holes at the same part of it, of which no answer
/// told. The other answers made the loss look small, and the scan was over.
#[test]
fn what_a_kernel_repeated_into_holes_beside_the_first_was_taken_for_silent_by_nature() {
    for (kind, rest, figures, seed) in [
        (Kind::Bursts(10), Rest::Resets, (0.2, 0.5), 20_000_261),
        (Kind::Bursts(10), Rest::Resets, (0.2, 0.5), 20_000_841),
        (Kind::Bursts(200), Rest::Silent, (0.2, 0.5), 24_000_805),
        (Kind::Bursts(200), Rest::Silent, (0.2, 0.5), 24_001_997),
        (Kind::Bursts(200), Rest::Silent, (0.2, 0.1), 26_000_210),
        (Kind::Bursts(200), Rest::Resets, (0.3, 0.5), 25_000_651),
    ] {
        misses_nothing(Mode::Connect, kind, rest, figures, seed);
    }
}
