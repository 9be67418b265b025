use super::*;
use crate::engine::control::Repeats;

const PATH: Path = Path {
    timeout: Duration::from_millis(5),
    canary: Duration::from_millis(20),
    held_up: Duration::ZERO,
    loss: 0.4,
    rate: 200_000.0,
    patience: Duration::from_secs(3),
    rest: Duration::from_millis(100),
    repeats: Repeats::Never,
    whose: Whose::SilentHost,
};

/// The round after one that was lost had no room on our own side, and the walk waited for another, which nobody asked for.
#[test]
fn a_walk_waited_for_ever_when_canaries_were_lost_and_the_next_could_not_be_sent() {
    let mut control = Control::new(Time::ZERO);
    control.failed = 4;
    control.gauge.sent(FIRST_UNPROVEN as usize);
    let refused = Tally::default();
    let advice = control.judge(Time(2_000_000), &PATH, Time(1_000_000), refused);
    assert_eq!(advice, Advice::Nothing);
    assert!(!control.is_waiting() && control.available(Time(2_000_000)) > 0);
}

/// The same where the path had choked on those that were lost.
#[test]
fn a_walk_waited_for_ever_when_a_choked_path_was_our_own_side_in_the_end() {
    let mut control = Control::new(Time::ZERO);
    control.failed = 6;
    control.gauge.sent(FIRST_UNPROVEN as usize);
    control.choke(Time(1_000_000), &PATH);
    let late = Time(4_000_000_000);
    let advice = control.judge(late, &PATH, Time(3_900_000_000), Tally::default());
    assert_eq!(advice, Advice::Nothing);
    assert!(!control.is_choked());
    assert!(!control.is_waiting() && control.available(late) > 0);
}

/// One that had failed was contradicted, and there was no other.
#[test]
fn a_walk_waited_for_ever_for_canaries_of_which_none_was_left() {
    let mut control = Control::new(Time::ZERO);
    control.answered(Some(7), Verdict::Open, None);
    control.gauge.sent(FIRST_UNPROVEN as usize);
    let failed = Tally {
        open: Count {
            asked: 1,
            answered: 0,
        },
        closed: Count::default(),
    };
    assert!(matches!(
        control.ask(Time(1_000_000), &PATH),
        Advice::Ask(_)
    ));
    let advice = control.judge(Time(2_000_000), &PATH, Time(1_000_000), failed);
    assert_eq!(advice, Advice::Nothing);
    assert!(control.is_waiting());
    control.canaries.forget_all();
    let rested = control.event_at();
    assert_eq!(control.look(rested, &PATH), Advice::Nothing);
    assert!(!control.is_waiting() && control.available(rested) > 0);
}

/// So few canaries were known that none could be asked before the end of a walk, which was over in a moment each time.
#[test]
fn a_walk_that_was_held_to_no_rate_was_made_again_and_again_for_want_of_canaries() {
    let mut control = Control::new(Time::ZERO);
    control.chokes.silent();
    control.chokes.silent();
    let heard = Tally {
        open: Count {
            asked: 12,
            answered: 9,
        },
        closed: Count::default(),
    };
    let mut rates = Vec::new();
    for _ in 0..3 {
        control.timing = Timing::Late;
        let advice = control.judge(Time(2_000_000), &PATH, Time(1_000_000), heard);
        assert!(matches!(advice, Advice::Resume(_)), "{advice:?}");
        rates.extend(control.pace.as_ref().map(Pace::rate));
    }
    assert_eq!(rates, [100_000.0, 50_000.0, 25_000.0]);
}

fn told(asked: u32, answered: u32) -> Tally {
    Tally {
        open: Count { asked, answered },
        closed: Count::default(),
    }
}

/// A table of flows was full for seconds, and the first round that it kept back had been answered by one.
#[test]
fn silence_behind_a_round_of_which_few_answered_was_put_down_to_chance() {
    let mut control = Control::new(Time::ZERO);
    (0..100).for_each(|_| control.chokes.answered(Share::Usual));
    let mut judge = |answered| {
        let (now, sent) = (Time(2_000_000), Time(1_000_000));
        control.judge(now, &PATH, sent, told(10, answered));
        control.chokes.times()
    };
    assert_eq!([judge(1), judge(0), judge(0)], [0, 1, 1]);
}

/// Nobody asks canaries beside what a kernel repeats where a limiter seems to be, and a few rounds later there seemed to be none.
#[test]
fn what_a_kernel_had_repeated_unwatched_counted_when_a_limiter_turned_out_to_be_chance() {
    let mut control = Control::new(Time::ZERO);
    (0..2).for_each(|_| control.note(Share::Few));
    assert!(control.is_limited());
    (0..20).for_each(|_| control.note(Share::Usual));
    assert!(control.chokes.times() < 2 && control.is_limited());
    control.pass_began(Time(1_000_000), &PATH);
    assert!(
        control.is_limited(),
        "its connects go on beside the next pass"
    );
    control.pass_began(Time(2_000_000), &PATH);
    assert!(!control.is_limited());
}

#[test]
fn silent_canaries_between_which_some_had_answered_were_silent_in_a_row() {
    let mut control = Control::new(Time::ZERO);
    let mut judge = |answered| {
        let (now, sent) = (Time(2_000_000), Time(1_000_000));
        control.judge(now, &PATH, sent, told(4, answered));
        control.chokes.times()
    };
    assert_eq!([judge(0), judge(3), judge(0), judge(0)], [0, 1, 1, 2]);
    assert_eq!([judge(1), judge(0), judge(0)], [2, 2, 3]);
}
