//! Canaries: endpoints that are known to answer, asked again to see whether packets still get through.
//!
//! They tell silence from loss: where canaries answer, the endpoints asked beside them were heard too and are silent by
//! nature. Open endpoints are the better ones, because hosts limit their resets and not their SYN-ACKs; where both kinds
//! are known both are asked, so that a host that limits its resets is known from one that stopped listening.

mod apart;
mod found;
mod repeats;

use std::collections::VecDeque;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::model::{State, Time};

pub use self::found::Found;
pub use self::repeats::is_repeat;

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
    /// Answers that came too late since half of a round have answered in time.
    late: u32,
    /// Answers in a row that came when servers repeat theirs: when the first of them was asked, and how many.
    repeated: Option<(Time, u32)>,
}

/// Whether an answer can only be to the round that is out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Answers {
    #[default]
    Certain,
    /// Some canary has failed, and may have answered late.
    Doubtful,
}

/// An endpoint by the plan's index, when it was first asked, when it was last asked from each of the flows that canaries take
/// in turn, and whose turn it is.
#[derive(Clone, Copy, Debug)]
struct Known {
    index: u64,
    first: Option<Time>,
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
    /// How late our own side was at the worst since then.
    held_up: Duration,
    waiting: Vec<Waiting>,
    tally: Tally,
}

/// A canary that is out.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    canary: Canary,
    state: State,
}

/// To which of the canaries of one endpoint an answer may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// To the one that was asked from the flow of this number.
    Turn(u8),
    Any,
}

impl To {
    fn may_be(self, waiting: &Waiting, index: u64) -> bool {
        let turn = match self {
            Self::Turn(turn) => waiting.canary.turn == turn,
            Self::Any => true,
        };
        waiting.canary.index == index && turn
    }
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
            first: None,
            asked: [Time::ZERO; TURNS],
            turn: 0,
        };
        found::keep((&mut self.open, &mut self.closed), known, state);
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
        self.late = 0;
        self.repeated = None;
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
                known.first.get_or_insert(now);
                let canary = Canary {
                    index: known.index,
                    turn: known.turn as u8,
                };
                asked.push(canary);
                waiting.push(Waiting { canary, state });
                known.turn = (known.turn + 1) % TURNS;
                queue.rotate_left(1);
            }
        }
        if asked.is_empty() {
            return asked;
        }
        // In any order, so that a burst of losses, or a limiter with room for some of them, takes of both kinds alike.
        asked.shuffle(&mut StdRng::seed_from_u64(now.0));
        let mut tally = Tally::default();
        for Waiting { state, .. } in &waiting {
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
            held_up: Duration::ZERO,
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

    /// Whether an answer of this endpoint tells how long answers take: it can be no late one to an earlier round.
    pub fn tell_time(&self, index: u64) -> bool {
        self.answers == Answers::Certain || self.is_fresh(index)
    }

    /// Whether this endpoint was asked in the present round for the first time.
    fn is_fresh(&self, index: u64) -> bool {
        let mut known = self.open.iter().chain(&self.closed);
        let first = known.find(|known| known.index == index);
        let first = first.and_then(|known| known.first);
        first.is_some() && first == self.round.as_ref().map(|round| round.sent)
    }

    /// When this endpoint was last asked from the flow that has answered, where that is certain.
    pub fn asked_at(&self, index: u64, to: To) -> Option<Time> {
        let To::Turn(turn) = to else {
            return None;
        };
        let mut known = self.open.iter().chain(&self.closed);
        let known = known.find(|known| known.index == index)?;
        let at = known.asked.get(usize::from(turn)).copied();
        at.filter(|&at| at != Time::ZERO)
    }

    /// An answer to what was asked at `asked` has taken so long: that, unless its server may have repeated itself. Several in a
    /// row have not, unless all of them were asked together.
    pub fn believe(&mut self, asked: Time, took: Duration) -> Option<Duration> {
        if !is_repeat(took) {
            self.repeated = None;
            return Some(took);
        }
        let (first, count) = self
            .repeated
            .map_or((asked, 1), |(first, count)| (first, count + 1));
        self.repeated = Some((first, count));
        (count >= ENOUGH_LATE && first != asked).then_some(took)
    }

    /// Something has answered after its round was over. Whether so many have that answers take longer than they are waited for:
    /// one may be a server's repeat that nobody can tell from that.
    pub fn answered_late(&mut self) -> bool {
        self.late += 1;
        let enough = self.late >= ENOUGH_LATE;
        if enough {
            self.late = 0;
        }
        enough
    }

    /// An endpoint that had answered before has answered again; the answer came, or what it answers left, at `at`. When it was
    /// asked, if it was a canary of the present round: what we only hear of now may have come before that, and may be to an
    /// earlier round.
    pub fn answered(&mut self, index: u64, to: To, at: Time) -> Option<Time> {
        let round = self.round.as_mut().filter(|round| at >= round.sent)?;
        let mut waiting = round.waiting.iter();
        let at = waiting.position(|waiting| to.may_be(waiting, index))?;
        let Waiting { state, .. } = round.waiting.swap_remove(at);
        match state {
            State::Open => round.tally.open.answered += 1,
            _ => round.tally.closed.answered += 1,
        }
        self.answering.push((index, state));
        Some(round.sent)
    }

    /// The same, of a canary that was given up: whether its answer had come in time, and we were late to hear of it.
    pub fn was_in_time(&self, index: u64, to: To, at: Time) -> bool {
        self.over.as_ref().is_some_and(|over| {
            let in_time = at >= over.sent && at <= over.until;
            in_time && over.waiting.iter().any(|waiting| to.may_be(waiting, index))
        })
    }

    /// Our own side could not ask this endpoint: it tells nothing.
    pub fn refused(&mut self, index: u64, to: To) {
        let Some(round) = &mut self.round else {
            return;
        };
        let mut waiting = round.waiting.iter();
        if let Some(at) = waiting.position(|waiting| to.may_be(waiting, index)) {
            match round.waiting.swap_remove(at).state {
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

    /// Ends the round if its time is over: when it was sent, and what came of it. Where our own side is late with what it is to
    /// ask, the round may have yet to leave, and is waited for twice as much longer.
    pub fn judge(&mut self, now: Time, held_up: Duration) -> Option<(Time, Tally)> {
        if let Some(round) = &mut self.round {
            let more = held_up.saturating_sub(round.held_up);
            round.soon = round.soon + more * 2;
            round.until = round.until + more * 2;
            round.held_up += more;
        }
        let due = self.due()?;
        let round = self.round.take_if(|_| now >= due)?;
        let room = MOST_SILENT.saturating_sub(self.silent.len());
        let silent = round.waiting.iter().take(room);
        self.silent
            .extend(silent.map(|waiting| (waiting.canary.index, waiting.state)));
        let all = round.tally.open.plus(round.tally.closed);
        if all.answered > 0 && all.answered * 2 >= all.asked {
            self.late = 0;
        }
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
const ENOUGH_LATE: u32 = 3;

#[cfg(test)]
mod tests;
