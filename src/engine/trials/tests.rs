use super::*;

fn trials(answered: &[u64]) -> Trials {
    let mut trials = Trials::default();
    for (attempt, &count) in (0u16..).zip(answered) {
        for _ in 0..count {
            trials.answered(Came::To(attempt), Counted::Open);
        }
        trials.proves(attempt, 1.0);
    }
    trials
}

fn estimate(trials: &Trials, silent: u64) -> Estimate {
    trials
        .estimate(Counted::All, 0.001, silent, 0)
        .expect("something has answered")
}

#[test]
fn endpoints_that_never_answered_are_part_of_the_sample() {
    // 36 % are lost: of 10,000 that would answer, 1,296 have not after two attempts.
    let two = estimate(&trials(&[6400, 2304]), 50_000);
    assert!((two.per_attempt - 0.36).abs() < 0.01, "{two:?}");
    assert!((two.unheard - 1296.0).abs() < 40.0, "{two:?}");
}

#[test]
fn a_clean_path_needs_two_attempts() {
    let clean = estimate(&trials(&[50, 0]), 65_000);
    assert!(clean.silent_unheard < 0.01, "{clean:?}");
}

#[test]
fn only_what_was_listened_to_for_long_enough_is_an_attempt_at_what_answers_late() {
    let mut trials = trials(&[96, 4, 0]);
    let late = |trials: &Trials, count| {
        let estimate = trials.estimate(Counted::All, 0.04, 900, count);
        estimate.expect("something has answered").late_odds
    };
    let one = late(&trials, 20);
    assert!((0.03..0.06).contains(&one), "{one}");
    trials.waited(0);
    assert!((late(&trials, 20) - one).abs() < 1e-9);
    trials.waited(2);
    let two = late(&trials, 20);
    assert!((one * one / 2.0..one / 5.0).contains(&two), "{one} {two}");
}

#[test]
fn late_answers_alone_tell_of_the_loss_once_they_were_waited_for_twice() {
    let mut trials = Trials::default();
    for attempt in 0..2 {
        trials.proves(attempt, 1.0);
        trials.waited(attempt);
    }
    let expected = |trials: &Trials| {
        let estimate = trials.estimate(Counted::All, 0.02, 900, 50);
        50.0 * estimate.expect("something has answered").late_odds
    };
    (0..50).for_each(|_| trials.answered_late(0));
    let clean = expected(&trials);
    assert!(clean < 0.01, "{clean}");
    (0..25).for_each(|_| trials.answered_late(1));
    let lossy = expected(&trials);
    assert!(lossy > 2.0, "{lossy}");
}

#[test]
fn a_pass_that_fell_into_a_burst_proves_nothing() {
    let mut trials = trials(&[50, 0]);
    let before = estimate(&trials, 900);
    for _ in 0..16 {
        trials.canary_sent(1);
    }
    let after = estimate(&trials, 900);
    assert!(before.silent_unheard < 0.05, "{before:?}");
    assert!(after.silent_unheard > 10.0, "{after:?}");
}

#[test]
fn one_silent_endpoint_among_many_that_reset_is_lost_or_silent_by_nature() {
    // After four attempts at a third of loss, the last of a thousand is likely lost.
    let lossy = estimate(&trials(&[650, 230, 80, 29]), 1);
    assert!(lossy.silent_unheard > 0.9, "{lossy:?}");
    // On a clean path it is a filtered port.
    let clean = estimate(&trials(&[999, 0]), 1);
    assert!(clean.silent_unheard < 0.01, "{clean:?}");
}

/// Fifty answers came a second late, each thought to be one that its server repeats, so that what was asked meanwhile was
/// thought to have got through, or to have lost them all.
#[test]
fn answers_of_a_slow_host_were_taken_for_repeats_of_what_two_attempts_had_lost() {
    let mut trials = trials(&[0, 0]);
    (0..50).for_each(|_| trials.answered(Came::Repeated(1), Counted::Open));
    let mistaken = estimate(&trials, 250);
    assert!(mistaken.silent_unheard > 100.0, "{mistaken:?}");
    trials.mistook_before(2);
    trials.proves(2, 1.0);
    for _ in 0..64 {
        trials.canary_sent(2);
        trials.canary_heard(2);
    }
    let told = estimate(&trials, 250);
    assert!(
        (told.heard - 50.0).abs() < 1e-9 && told.silent_unheard < 1.0,
        "{told:?}"
    );
    // An attempt that lost all of its canaries is none.
    let mut lost = trials.clone();
    lost.mistook_before(3);
    (0..16).for_each(|_| lost.canary_sent(3));
    lost.proves(3, 1.0);
    let lost = estimate(&lost, 250);
    assert!(lost.silent_unheard > 10.0, "{lost:?}");
}

/// Where one packet in a hundred is lost each way, a second attempt brings in what the first lost before servers repeat their
/// answers: that repeats bring in half of what both attempts lose was never seen, and the figure was six times too large.
#[test]
fn repeats_that_a_second_attempt_had_overtaken_were_reckoned_to_bring_in_nobody() {
    let figure = |second: Duration, seen| {
        let mut trials = trials(&[98, 2]);
        for (attempt, at) in [(0, Duration::ZERO), (1, second)] {
            trials.sent(attempt, Time::ZERO + at, Time::ZERO + at);
            trials.listened(attempt);
        }
        (0..32).for_each(|_| trials.canary_sent(1));
        (0..32).for_each(|_| trials.canary_heard(1));
        (0..seen).for_each(|_| trials.answered(Came::Repeated(1), Counted::Open));
        estimate(&trials, 900).silent_unheard
    };
    let soon = figure(Duration::from_millis(1000), 0);
    let late = figure(Duration::from_millis(2000), 0);
    // Of two attempts repeats miss a third on average, of one a half.
    assert!((soon * 1.5 / late - 1.0).abs() < 0.01, "{soon} {late}");
    assert!(figure(Duration::from_millis(1000), 1) > soon);
}

/// What the third attempt lost was left to its servers, and they repeated nothing: so did they not after the two before.
#[test]
fn repeats_that_did_not_come_were_thought_to_be_unseen() {
    let figure = |last: Duration| {
        let mut trials = trials(&[80, 16, 3, 1]);
        let sent = [0, 20, 40].map(Duration::from_millis);
        for (attempt, at) in (0..).zip(sent.into_iter().chain([last])) {
            trials.sent(attempt, Time::ZERO + at, Time::ZERO + at);
            trials.listened(attempt);
        }
        estimate(&trials, 900).silent_unheard
    };
    let seen = figure(Duration::from_secs(2));
    let unseen = figure(Duration::from_millis(60));
    // A half of what one attempt loses, or a fifth of what four lose.
    assert!(seen > unseen * 2.4, "{seen} {unseen}");
}
