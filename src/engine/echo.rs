//! Canaries beside the SYNs that a kernel repeats.
//!
//! A kernel connect that lives the whole patience is an attempt each second, not one: the kernel repeats its SYN. Whether
//! those repeats got through nobody sees, because endpoints that would answer and those that are silent by nature are
//! silent alike. So endpoints that are known to be open are asked at the same moments, as many times a second later as
//! there are repeats, and spread over the repeats as the walk was spread over the endpoints.

use std::time::Duration;

use crate::model::Time;

/// The echoes of one pass.
#[derive(Debug)]
pub struct Echoes {
    /// When connects that live the whole patience were made: each time that there were `every` more of them.
    marks: Vec<Time>,
    every: u64,
    since_mark: u64,
    /// How many marks each repeat has come past.
    past: [usize; MOST_REPEATS],
    asked: Vec<Echo>,
}

impl Default for Echoes {
    fn default() -> Self {
        Self {
            marks: Vec::new(),
            every: 1,
            since_mark: 0,
            past: [0; MOST_REPEATS],
            asked: Vec::new(),
        }
    }
}

/// A canary that was asked beside a repeat.
#[derive(Clone, Copy, Debug)]
struct Echo {
    index: u64,
    at: Time,
    repeat: u16,
    heard: Heard,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heard {
    NotYet,
    Over,
}

impl Echoes {
    /// A connect is made that lives the whole patience.
    pub fn connect(&mut self, now: Time) {
        self.since_mark += 1;
        if self.since_mark < self.every {
            return;
        }
        self.since_mark = 0;
        self.marks.push(now);
        if self.marks.len() >= MARKS * 2 {
            // Every other one stays, so that they are evenly spread however many connects there will be.
            let mut at = 0;
            self.marks.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            for past in &mut self.past {
                *past /= 2;
            }
            self.every *= 2;
        }
    }

    /// For the next pass, beside which the connects of this one go on.
    pub fn carried(&mut self) -> Self {
        let mut carried = std::mem::take(self);
        carried.asked.clear();
        carried
    }

    /// The walk has gone back to what was asked at `since`.
    pub fn rewind(&mut self, since: Time) {
        self.marks.retain(|&mark| mark < since);
        for past in &mut self.past {
            *past = (*past).min(self.marks.len());
        }
    }

    /// When the next canary is due, where connects live as long as `patience`.
    pub fn due(&self, patience: Duration) -> Time {
        self.next(patience).map_or(Time::NEVER, |(at, _)| at)
    }

    /// Takes the next turn that is due: beside which repeat (1 for the first), and which endpoint of `known` to ask. Where few
    /// are known each is asked once beside each repeat, and some turns pass without.
    pub fn take(
        &mut self,
        now: Time,
        patience: Duration,
        known: &[u64],
    ) -> Option<(u16, Option<u64>)> {
        let (at, repeat) = self.next(patience)?;
        if now < at {
            return None;
        }
        let marks = self.marks.len();
        let past = self.past[repeat - 1];
        self.past[repeat - 1] += 1;
        let asked = known.len().min(marks);
        let turn = past * asked / marks < (past + 1) * asked / marks;
        let next = self.asked.len() % known.len().max(1);
        let index = known.get(next).copied().filter(|_| turn);
        Some((u16::try_from(repeat).ok()?, index))
    }

    /// This endpoint was asked beside that repeat.
    pub fn asked(&mut self, index: u64, repeat: u16, now: Time) {
        self.asked.push(Echo {
            index,
            at: now,
            repeat,
            heard: Heard::NotYet,
        });
    }

    /// This endpoint has answered at `at`, or could not be asked. The repeat that it was asked beside, the first time.
    pub fn ended(&mut self, index: u64, at: Time, timeout: Duration) -> Option<u16> {
        let echo = self.asked.iter_mut().find(|echo| {
            echo.index == index
                && echo.heard == Heard::NotYet
                && at >= echo.at
                && at.since(echo.at) <= timeout
        })?;
        echo.heard = Heard::Over;
        Some(echo.repeat)
    }

    fn next(&self, patience: Duration) -> Option<(Time, usize)> {
        repeats(patience)
            .filter_map(|(repeat, after)| {
                let mark = self.marks.get(self.past[repeat - 1])?;
                Some((*mark + after, repeat))
            })
            .min()
    }
}

/// The repeats that a kernel makes of a SYN while it waits for so long: the number of each, 1 for the first, and how long
/// after the SYN it leaves.
pub fn repeats(patience: Duration) -> impl Iterator<Item = (usize, Duration)> {
    (1..=MOST_REPEATS)
        .map(|repeat| (repeat, Duration::from_secs(repeat as u64)))
        .filter(move |(_, after)| *after < patience)
}

/// That our own firewall has dropped a SYN, a kernel tells only when it repeats it for the first time, which it does a little
/// late.
pub const DEPARTURE_SHOWS: Duration = Duration::from_millis(1_200);
/// The kernel repeats a SYN after 1, 2, 3 and 4 s (tcp_syn_linear_timeouts), then ever more rarely.
const MOST_REPEATS: usize = 4;
/// The last of them.
pub const LONGEST_REPEAT: Duration = Duration::from_secs(MOST_REPEATS as u64);
/// Fewer than twice as many canaries are asked beside each repeat: each is a connection that a server notes.
const MARKS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const PATIENCE: Duration = Duration::from_secs(3);

    fn walked(connects: u64) -> Echoes {
        let mut echoes = Echoes::default();
        (1..=connects).for_each(|at| echoes.connect(Time(at)));
        echoes
    }

    fn turns(echoes: &mut Echoes, known: &[u64]) -> Vec<(u16, Option<u64>)> {
        let mut turns = Vec::new();
        while let Some((repeat, index)) = echoes.take(Time(9 * SECOND), PATIENCE, known) {
            if let Some(index) = index {
                echoes.asked(index, repeat, Time(9 * SECOND));
            }
            turns.push((repeat, index));
        }
        turns
    }

    #[test]
    fn canaries_follow_the_walk_by_as_many_seconds_as_the_kernel_repeats() {
        assert_eq!(Echoes::default().due(PATIENCE), Time::NEVER);
        let mut echoes = walked(180);
        assert_eq!(echoes.due(PATIENCE), Time(SECOND + 16));
        assert_eq!(echoes.take(Time(SECOND), PATIENCE, &[7]), None);
        let known: Vec<u64> = (0..40).collect();
        let asked = turns(&mut echoes, &known);
        // The third repeat would leave when the patience is over.
        let expected = (0..22).map(|at| (1 + at / 11, Some(u64::from(at))));
        assert_eq!(asked, expected.collect::<Vec<_>>());
        let timeout = Duration::from_millis(20);
        assert_eq!(echoes.ended(7, Time(9 * SECOND + 5), timeout), Some(1));
        assert_eq!(echoes.ended(7, Time(9 * SECOND + 6), timeout), None);
        assert_eq!(echoes.ended(20, Time(10 * SECOND), timeout), None);
    }

    #[test]
    fn where_few_are_known_each_is_asked_once_beside_each_repeat() {
        let mut echoes = walked(180);
        let asked = turns(&mut echoes, &[3, 4]);
        assert_eq!(asked.len(), 22);
        let asked: Vec<_> = asked.iter().filter_map(|(_, index)| *index).collect();
        assert_eq!(asked, [3, 4, 3, 4]);
    }

    #[test]
    fn connects_that_go_on_beside_the_next_pass_are_followed_too() {
        let mut echoes = walked(8).carried();
        (101..=104).for_each(|at| echoes.connect(Time(at)));
        assert_eq!(echoes.due(PATIENCE), Time(SECOND + 1));
        assert_eq!(turns(&mut echoes, &(0..40).collect::<Vec<_>>()).len(), 24);
    }

    #[test]
    fn what_is_walked_again_is_marked_again() {
        let mut echoes = walked(15);
        echoes.rewind(Time(10));
        assert_eq!(echoes.marks.len(), 9);
        echoes.connect(Time(100));
        assert_eq!(echoes.marks.len(), 10);
    }
}
