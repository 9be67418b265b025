//! Rounds of canaries, and what their answers tell.

use super::*;

const WAITS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(5));

fn at(millis: u64) -> Time {
    Time(millis * 1_000_000)
}

#[test]
fn canaries_that_our_own_side_refused_are_no_loss() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    canaries.begin(at(1), WAITS, (4, Each::Once), Duration::ZERO);
    canaries.refused(7, To::Any);
    let (_, tally) = canaries
        .judge(at(1), Duration::ZERO)
        .expect("nobody is waited for");
    assert_eq!(tally.telling(), Count::default());
}

#[test]
fn an_answer_that_we_were_late_to_hear_of_is_none_to_the_next_round() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    canaries.begin(at(1), WAITS, (4, Each::Once), Duration::ZERO);
    assert!(
        canaries.judge(at(6), Duration::ZERO).is_some(),
        "nothing was heard"
    );
    canaries.begin(at(6), WAITS, (4, Each::Once), Duration::ZERO);
    assert_eq!(canaries.answered(7, To::Any, at(2)), None);
    assert!(canaries.was_in_time(7, To::Any, at(2)));
    assert!(!canaries.was_in_time(7, To::Any, at(7)) && !canaries.was_in_time(8, To::Any, at(2)));
    assert_eq!(canaries.answered(7, To::Any, at(7)), Some(at(6)));
}

#[test]
fn a_round_is_judged_when_all_have_answered_or_its_time_is_over() {
    let mut canaries = Canaries::default();
    assert!(
        canaries
            .begin(at(1), WAITS, (4, Each::Once), Duration::ZERO)
            .is_empty()
    );
    canaries.learn(7, State::Open);
    (10..30).for_each(|index| canaries.learn(index, State::Closed));
    let asked = canaries.begin(at(1), WAITS, (4, Each::Once), Duration::from_secs(1));
    assert_eq!(asked.len(), 4);
    assert!(asked.contains(&Canary { index: 7, turn: 0 }));
    assert!(canaries.judge(at(3), Duration::ZERO).is_none());
    assert_eq!(canaries.answered(7, To::Any, at(2)), Some(at(1)));
    assert_eq!(canaries.answered(7, To::Any, at(2)), None);
    assert_eq!(canaries.answered(99, To::Any, at(2)), None);
    let (sent, tally) = canaries
        .judge(at(6), Duration::ZERO)
        .expect("its time is over");
    assert_eq!(sent, at(1));
    assert_eq!((tally.open.asked, tally.open.answered), (1, 1));
    assert_eq!((tally.closed.asked, tally.closed.answered), (3, 0));
    assert_eq!(tally.telling().asked, 4);
    // From one flow nobody is asked twice within the rest.
    for _ in 0..100 {
        let again = canaries.begin(at(10), WAITS, (4, Each::Once), Duration::from_secs(1));
        assert!(
            again
                .iter()
                .all(|canary| canary.turn > 0 || !asked.contains(canary))
        );
    }
    assert!(
        canaries
            .begin(at(10), WAITS, (4, Each::Once), Duration::from_secs(1))
            .is_empty()
    );
    assert_eq!(
        canaries
            .begin(at(1001), WAITS, (4, Each::Once), Duration::from_secs(1))
            .len(),
        4
    );
}

#[test]
fn a_canary_that_was_never_asked_before_told_no_time_because_another_had_failed() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    canaries.begin(at(1), WAITS, (4, Each::FromAllFlows), Duration::ZERO);
    assert!(
        canaries.judge(at(6), Duration::ZERO).is_some(),
        "nothing was heard"
    );
    canaries.learn(8, State::Open);
    canaries.begin(at(10), WAITS, (8, Each::FromAllFlows), Duration::ZERO);
    assert!(!canaries.tell_time(7), "its first answer may be late");
    assert!(canaries.tell_time(8));
}

/// Answers to the first round, which take a second, made the second look as if it were answered in a moment.
#[test]
fn an_answer_to_an_earlier_round_was_taken_for_one_to_the_present() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    for (now, turn) in [(1, 0), (6, 1)] {
        let asked = canaries.begin(at(now), WAITS, (4, Each::Once), Duration::ZERO);
        assert_eq!(asked, [Canary { index: 7, turn }]);
        canaries.judge(at(6), Duration::ZERO);
    }
    assert_eq!(canaries.answered(7, To::Turn(0), at(7)), None);
    assert_eq!(canaries.answered(7, To::Turn(1), at(7)), Some(at(6)));
}

/// A host's answers took 1.05 s, and each was thought to be one that its server repeats: nobody ever learned how long they take.
#[test]
fn answers_that_all_came_when_servers_repeat_theirs_were_never_believed() {
    let mut canaries = Canaries::default();
    let took = Duration::from_millis;
    for (asked, delay, believed) in [
        (1, 5, true),
        // Lost together, all of a round are repeated together.
        (2, 1050, false),
        (2, 1051, false),
        (2, 1049, false),
        (3, 1050, true),
        (4, 5, true),
        (5, 3010, false),
    ] {
        let told = believed.then_some(took(delay));
        assert_eq!(canaries.believe(at(asked), took(delay)), told, "{delay}");
    }
}

#[test]
fn it_is_certain_when_a_flow_asked_an_endpoint() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    for now in [1, 6] {
        canaries.begin(at(now), WAITS, (4, Each::Once), Duration::ZERO);
        canaries.judge(at(now + 5), Duration::ZERO);
    }
    assert_eq!(canaries.asked_at(7, To::Turn(0)), Some(at(1)));
    assert_eq!(canaries.asked_at(7, To::Turn(1)), Some(at(6)));
    assert_eq!(canaries.asked_at(7, To::Turn(2)), None);
    assert_eq!(canaries.asked_at(8, To::Turn(0)), None);
    assert_eq!(canaries.asked_at(7, To::Any), None);
}

/// One of four askings of an endpoint could not leave, and another of them was taken out in its place.
#[test]
fn a_canary_was_waited_for_that_our_own_side_had_refused() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    canaries.begin(at(1), WAITS, (4, Each::FromAllFlows), Duration::ZERO);
    canaries.refused(7, To::Turn(3));
    for turn in 0..3 {
        assert_eq!(canaries.answered(7, To::Turn(turn), at(2)), Some(at(1)));
    }
    let (_, tally) = canaries
        .judge(at(2), Duration::ZERO)
        .expect("nobody is waited for");
    assert_eq!((tally.open.asked, tally.open.answered), (3, 3));
}

/// A busy machine let a scan's own thread wait for 30 ms, and what it was to ask was taken for lost: the path seemed choked.
#[test]
fn canaries_that_our_own_side_had_yet_to_ask_were_taken_for_lost() {
    let mut canaries = Canaries::default();
    canaries.learn(7, State::Open);
    canaries.begin(at(1), WAITS, (4, Each::Once), Duration::ZERO);
    let late = Duration::from_millis;
    assert!(canaries.judge(at(6), late(5)).is_none());
    assert_eq!(canaries.due(), Some(at(16)));
    assert!(canaries.judge(at(15), late(1)).is_none());
    let (_, tally) = canaries.judge(at(16), late(3)).expect("its time is over");
    assert_eq!(tally.telling().asked, 1);
}
