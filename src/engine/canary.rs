//! Canaries: endpoints that are known to answer, asked again to see whether packets still get through.
//!
//! They tell silence from loss: where canaries answer, the endpoints asked beside them were heard too and are silent by
//! nature. Open endpoints are the better ones, because hosts limit their resets and not their SYN-ACKs; where both kinds
//! are known both are asked, so that a host that limits its resets is known from one that stopped listening.

mod apart;

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{State, Time};

/// The canaries of one lane.
#[derive(Clone, Debug, Default)]
pub struct Canaries {
    open: VecDeque<Known>,
    closed: VecDeque<Known>,
    round: Option<Round>,
    /// The last round that is over.
    over: Option<Round>,
    /// Those that failed since any answered, the first of them.
    silent: Vec<(u64, State)>,
    /// Those of the last round that answered.
    answering: Vec<(u64, State)>,
    answers: Answers,
}

/// Whether an answer can only be to the round that is out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Answers {
    #[default]
    Certain,
    /// Some canary has failed, and may have answered late.
    Doubtful,
}

/// An endpoint by the plan's index, when it was last asked from each of the flows that canaries take in turn, and whose
/// turn it is.
#[derive(Clone, Copy, Debug)]
struct Known {
    index: u64,
    asked: [Time; TURNS],
    turn: usize,
}

/// An endpoint to ask, and the number of the flow to ask it from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Canary {
    pub index: u64,
    pub turn: u8,
}

/// How often one endpoint is asked in one round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Each {
    Once,
    /// From as many flows as it takes where few endpoints are known: they would not tell a limiter from loss.
    FromAllFlows,
}

/// Canaries that are out together.
#[derive(Clone, Debug)]
struct Round {
    sent: Time,
    left: Left,
    /// Long enough for answers that come at all, and for late ones.
    soon: Time,
    until: Time,
    waiting: Vec<(u64, State)>,
    tally: Tally,
}

/// Whether the canaries of a round are on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    NotYet,
    Yes,
}

/// What came of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub open: Count,
    pub closed: Count,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub asked: u32,
    pub answered: u32,
}

impl Count {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            answered: self.answered + other.answered,
        }
    }
}

impl Tally {
    /// Those that tell whether SYNs get through: the open ones where some of them answered, else all.
    pub fn telling(&self) -> Count {
        if self.open.asked >= 2 && self.open.answered > 0 {
            self.open
        } else {
            self.open.plus(self.closed)
        }
    }
}

impl Canaries {
    /// The endpoint at `index` has answered; `state` is open or closed.
    pub fn learn(&mut self, index: u64, state: State) {
        let known = Known {
            index,
            asked: [Time::ZERO; TURNS],
            turn: 0,
        };
        match state {
            State::Open if self.open.len() < MOST => self.open.push_back(known),
            // The latest are the best: what was a good path long ago may have changed.
            State::Closed => {
                if self.closed.len() >= MOST {
                    self.closed.pop_front();
                }
                self.closed.push_back(known);
            }
            _ => {}
        }
    }

    /// Endpoints that are known to be open, by the plan's index, at most 32.
    pub fn open(&self) -> Vec<u64> {
        self.open.iter().map(|known| known.index).collect()
    }

    /// Endpoints that are known to be closed, likewise.
    pub fn closed(&self) -> Vec<u64> {
        self.closed.iter().map(|known| known.index).collect()
    }

    /// How many open ones are known.
    pub fn open_known(&self) -> usize {
        self.open.len()
    }

    /// One of them, by the plan's index.
    pub fn any(&self) -> Option<u64> {
        let known = self.open.front().or(self.closed.front())?;
        Some(known.index)
    }

    /// Some have answered.
    pub fn heard(&mut self) {
        self.silent.clear();
    }

    /// All of them were mistaken for such.
    pub fn forget_all(&mut self) {
        self.call_off();
        self.open.clear();
        self.closed.clear();
    }

    /// Nobody waits for the present round any more.
    pub fn call_off(&mut self) {
        self.round = None;
        self.silent.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    /// Begins a round of at most `count` at `now`, to be judged after `late`, or after `soon` where half have answered by
    /// then, and gives the endpoints to ask. None is asked twice from one flow within `rest`.
    pub fn begin(
        &mut self,
        now: Time,
        (soon, late): (Duration, Duration),
        (count, each): (usize, Each),
        rest: Duration,
    ) -> Vec<Canary> {
        let mut asked = Vec::new();
        let mut waiting = Vec::new();
        let opens = match each {
            Each::Once => count.div_ceil(2),
            Each::FromAllFlows => count,
        };
        for (queue, state, most) in [
            (&mut self.open, State::Open, opens),
            (&mut self.closed, State::Closed, count),
        ] {
            let known = match each {
                Each::Once => queue.len(),
                Each::FromAllFlows => queue.len() * TURNS,
            };
            let room = most.min(count - waiting.len()).min(known);
            for _ in 0..room {
                let Some(known) = queue.front_mut() else {
                    break;
                };
                let last = &mut known.asked[known.turn];
                if *last != Time::ZERO && now.since(*last) < rest {
                    break;
                }
                *last = now;
                asked.push(Canary {
                    index: known.index,
                    turn: known.turn as u8,
                });
                waiting.push((known.index, state));
                known.turn = (known.turn + 1) % TURNS;
                queue.rotate_left(1);
            }
        }
        if asked.is_empty() {
            return asked;
        }
        // Of both kinds in turn, so that a burst of losses takes as many of each; where a limiter has room for some of them only,
        // it is not for the better ones.
        let opens = waiting
            .iter()
            .filter(|(_, state)| *state == State::Open)
            .count();
        let (open, closed) = asked.split_at(opens);
        let mut mixed = Vec::with_capacity(asked.len());
        for at in 0..open.len().max(closed.len()) {
            mixed.extend(closed.get(at));
            mixed.extend(open.get(at));
        }
        let asked = mixed;
        let mut tally = Tally::default();
        for (_, state) in &waiting {
            match state {
                State::Open => tally.open.asked += 1,
                _ => tally.closed.asked += 1,
            }
        }
        self.answering.clear();
        self.round = Some(Round {
            sent: now,
            left: Left::NotYet,
            soon: now + soon.min(late),
            until: now + late,
            waiting,
            tally,
        });
        asked
    }

    /// The round that is out has left so late: it is waited for from then on. When it was asked, the first time.
    pub fn left(&mut self, late: Duration) -> Option<Time> {
        let round = self.round.as_mut()?;
        if round.left == Left::Yes {
            return None;
        }
        round.left = Left::Yes;
        if late >= HELD_UP {
            round.soon = round.soon + late;
            round.until = round.until + late;
        }
        Some(round.sent)
    }

    /// Whether an answer tells how long answers take: none can be a late one to an earlier round.
    pub fn tell_time(&self) -> bool {
        self.answers == Answers::Certain
    }

    /// An endpoint that had answered before has answered again; the answer came, or what it answers left, at `at`. When it was
    /// asked, if it was a canary of the present round: what we only hear of now may have come before that.
    pub fn answered(&mut self, index: u64, at: Time) -> Option<Time> {
        let round = self.round.as_mut().filter(|round| at >= round.sent)?;
        let mut waiting = round.waiting.iter();
        let at = waiting.position(|&(known, _)| known == index)?;
        let canary = round.waiting.swap_remove(at);
        match canary.1 {
            State::Open => round.tally.open.answered += 1,
            _ => round.tally.closed.answered += 1,
        }
        self.answering.push(canary);
        Some(round.sent)
    }

    /// The same, of a canary that was given up: whether its answer had come in time, and we were late to hear of it.
    pub fn was_in_time(&self, index: u64, at: Time) -> bool {
        self.over.as_ref().is_some_and(|over| {
            let in_time = at >= over.sent && at <= over.until;
            in_time && over.waiting.iter().any(|&(known, _)| known == index)
        })
    }

    /// Our own side could not ask this endpoint: it tells nothing.
    pub fn refused(&mut self, index: u64) {
        let Some(round) = &mut self.round else {
            return;
        };
        if let Some(at) = round.waiting.iter().position(|&(known, _)| known == index) {
            match round.waiting.swap_remove(at).1 {
                State::Open => round.tally.open.asked -= 1,
                _ => round.tally.closed.asked -= 1,
            }
        }
    }

    /// When the present round is judged; `None` where none is out. Where half have answered, the others had better not be
    /// waited for as long: on a lossy path there is always one that was lost.
    pub fn due(&self) -> Option<Time> {
        let round = self.round.as_ref()?;
        let asked = round.tally.open.asked + round.tally.closed.asked;
        let waiting = round.waiting.len() as u32;
        Some(match waiting {
            0 => Time::ZERO,
            _ if waiting * 2 <= asked => round.soon,
            _ => round.until,
        })
    }

    /// Ends the round if its time is over: when it was sent, and what came of it.
    pub fn judge(&mut self, now: Time) -> Option<(Time, Tally)> {
        let due = self.due()?;
        let round = self.round.take_if(|_| now >= due)?;
        let room = MOST_SILENT.saturating_sub(self.silent.len());
        self.silent.extend(round.waiting.iter().take(room));
        if !round.waiting.is_empty() {
            self.answers = Answers::Doubtful;
        }
        let told = (round.sent, round.tally);
        self.over = Some(round);
        Some(told)
    }
}

/// Flows that canaries take in turn, so that quick askings of one endpoint are different connections.
pub const TURNS: usize = 4;
/// What leaves so late was held up.
const HELD_UP: Duration = Duration::from_millis(2);
/// Endpoints of each kind that are remembered.
const MOST: usize = 32;
const MOST_SILENT: usize = 256;

#[cfg(test)]
mod tests {
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
        canaries.refused(7);
        let (_, tally) = canaries.judge(at(1)).expect("nobody is waited for");
        assert_eq!(tally.telling(), Count::default());
    }

    #[test]
    fn an_answer_that_we_were_late_to_hear_of_is_none_to_the_next_round() {
        let mut canaries = Canaries::default();
        canaries.learn(7, State::Open);
        canaries.begin(at(1), WAITS, (4, Each::Once), Duration::ZERO);
        assert!(canaries.judge(at(6)).is_some(), "nothing was heard");
        canaries.begin(at(6), WAITS, (4, Each::Once), Duration::ZERO);
        assert_eq!(canaries.answered(7, at(2)), None);
        assert!(canaries.was_in_time(7, at(2)));
        assert!(!canaries.was_in_time(7, at(7)) && !canaries.was_in_time(8, at(2)));
        assert_eq!(canaries.answered(7, at(7)), Some(at(6)));
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
        assert_eq!(asked[1], Canary { index: 7, turn: 0 });
        assert!(canaries.judge(at(3)).is_none());
        assert_eq!(canaries.answered(7, at(2)), Some(at(1)));
        assert_eq!(canaries.answered(7, at(2)), None);
        assert_eq!(canaries.answered(99, at(2)), None);
        let (sent, tally) = canaries.judge(at(6)).expect("its time is over");
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
}
