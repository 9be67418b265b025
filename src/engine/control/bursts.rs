//! Whether a path loses in bursts what a limiter seems to keep back.
//!
//! Canaries that leave together behind a stream of probes are lost together in both cases: by a limiter, because the stream
//! has used up what it lets in, and by a burst of losses, because the path is dead for a moment. What tells them apart is
//! rest. After a quarter of a second in which next to nothing was sent, any limiter lets a handful of canaries through; a path
//! that is dead a third of the time loses them as often as before. So a path on which canaries fail is left alone for that
//! long before they are asked again:
//!
//! - They all fail, and the next ones answer soon: it loses in bursts, and is not to be held to any rate.
//! - They fail on and on: a table of flows is full, or the target has shut itself. That is for others to find; and it speaks so
//!   much against bursts that a table of which some flows had ended earlier is not taken for them for long.
//! - They answer, time after time: a limiter, and it needs no more rest than it takes to be proven.
//!
//! Where few canaries are known, all of a round are soon lost by mere chance: then it takes several rounds in a row.
//!
//! Where a kernel connects, it repeats SYNs that nobody paces, and a path over which they have just gone is not rested.

use std::time::Duration;

use super::rounds::{NETWORK_ROUND, all_lost};
use crate::engine::echo;
use crate::model::Time;

/// What canaries on a rested path have told.
#[derive(Clone, Debug, Default)]
pub struct Bursts {
    /// When probes left that a kernel may repeat, no two closer than `GRAIN`, as far back as it does.
    sent: Vec<Time>,
    /// Canaries that failed on a rested path since any answered, and when the first of them left.
    failed: u32,
    first_failed: Time,
    /// How often they did and answered soon after, and how often only much later.
    bursts: u32,
    dead: u32,
    /// Rounds in a row that answered on a rested path.
    answered: u32,
    found: Found,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Found {
    #[default]
    Nothing,
    Bursts,
}

/// Whether SYNs are repeated by a kernel, or leave once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeats {
    Never,
    /// Each second, as long as it is waited for an answer.
    ByKernel {
        patience: Duration,
    },
}

impl Bursts {
    /// Probes leave. Those that nobody repeats need not be remembered.
    pub fn sent(&mut self, now: Time, repeats: Repeats) {
        if repeats == Repeats::Never {
            return;
        }
        if self.sent.last().is_none_or(|&last| now >= last + GRAIN) {
            let kept = now - echo::LONGEST_REPEAT;
            self.sent.retain(|&sent| sent >= kept);
            self.sent.push(now);
        }
    }

    /// Until when a path whose canaries have failed is left alone, so that the next ones find it rested.
    pub fn rested(&self, now: Time, repeats: Repeats) -> Time {
        if !self.is_undecided() {
            return now;
        }
        let mut rested = now + REST;
        let mut repeated: Vec<Time> = self.repeated(repeats).collect();
        repeated.sort_unstable();
        for repeat in repeated {
            if repeat <= rested + GRAIN {
                rested = rested.max(repeat + REST + GRAIN);
            }
        }
        rested
    }

    /// Canaries that left at `sent`, on a path that had carried no probes since `since`, have all failed: with this chance,
    /// each, if the path merely loses as much as is known.
    pub fn failed(&mut self, since: Time, sent: Time, count: u32, repeats: Repeats) {
        if sent >= since + REST && !self.was_repeated(sent, repeats) {
            if self.failed == 0 {
                self.first_failed = sent;
            }
            self.failed += count;
        }
    }

    /// Those that failed had not: we were late to hear of their answers.
    pub fn had_answered(&mut self) {
        self.failed = 0;
    }

    /// Some of a round have answered, but fewer than were expected to: a burst takes all of them or none, so that few that
    /// failed before were bad luck.
    pub fn partly_answered(&mut self) {
        if !is_no_luck(self.failed) {
            self.failed = 0;
        }
    }

    /// As many of a round have answered as were expected to. Whether it is known from now on that those that failed before them
    /// did so because the path loses in bursts.
    pub fn answered(&mut self, since: Time, sent: Time, repeats: Repeats) -> bool {
        let known = self.are_found();
        let failed = std::mem::take(&mut self.failed);
        if is_no_luck(failed) {
            let spell = sent.since(self.first_failed);
            self.bursts += u32::from(spell <= LONGEST_BURST);
            self.dead += u32::from(spell > DEAD);
            let enough = match repeats {
                Repeats::ByKernel { patience } if self.may_be_repeated(patience) => REPEATS_DOUBT,
                Repeats::ByKernel { .. } | Repeats::Never => 1,
            };
            if self.bursts >= enough + self.dead * OUTWEIGHS {
                self.found = Found::Bursts;
            } else if self.bursts <= self.dead * OUTWEIGHS {
                self.found = Found::Nothing;
            }
            self.answered = 0;
        } else if sent >= since + REST {
            self.answered += 1;
        }
        self.are_found() && !known
    }

    /// Canaries on a rested path have failed more than once in a row: whether it is dead is known, and not for how long.
    pub fn fail_on(&self) -> bool {
        self.failed >= FAIL_ON
    }

    /// The path loses in bursts.
    pub fn are_found(&self) -> bool {
        self.found == Found::Bursts
    }

    fn is_undecided(&self) -> bool {
        !self.are_found() && self.answered < ENOUGH
    }

    /// Whether a kernel has repeated SYNs so shortly before that the path was not at rest.
    fn was_repeated(&self, at: Time, repeats: Repeats) -> bool {
        self.repeated(repeats)
            .any(|repeat| repeat + REST + GRAIN > at && repeat <= at + GRAIN)
    }

    /// Whether connects were alive when canaries failed, or shortly before, whose SYNs a kernel repeats.
    fn may_be_repeated(&self, patience: Duration) -> bool {
        let alive = |sent: &Time| *sent + patience + REST >= self.first_failed;
        self.sent.iter().any(alive)
    }

    /// When what was sent is repeated, in any order.
    fn repeated(&self, repeats: Repeats) -> impl Iterator<Item = Time> {
        let patience = match repeats {
            Repeats::Never => Duration::ZERO,
            Repeats::ByKernel { patience } => patience,
        };
        echo::repeats(patience)
            .flat_map(|(_, after)| self.sent.iter().map(move |&sent| sent + after))
    }
}

/// Whether so many canaries in a row are not lost by mere chance.
fn is_no_luck(failed: u32) -> bool {
    all_lost(LIKELY_LOSS, failed) <= BAD_LUCK
}

const FAIL_ON: u32 = 2 * NETWORK_ROUND as u32;
const REST: Duration = Duration::from_millis(250);
/// A path that is dead for a third of the time is back by then, nearly always.
const LONGEST_BURST: Duration = Duration::from_millis(1500);
/// One that is dead for longer is not lossy but gone, or a table of flows is full. Such a path loses in bursts once in some two
/// hundred times, so that it outweighs so many bursts.
const DEAD: Duration = Duration::from_secs(3);
const OUTWEIGHS: u32 = 8;
/// When a kernel repeats what it was told to send is known less well than what we send.
const REPEATS_DOUBT: u32 = 2;
/// The loss that is reckoned with when canaries fail.
const LIKELY_LOSS: f64 = 0.4;
/// So many canaries in a row are not lost by chance. What follows is heeded for the rest of the scan.
const BAD_LUCK: f64 = 5e-4;
const GRAIN: Duration = Duration::from_millis(20);
/// So often a path that is dead a third of the time is not found alive by chance (7 %).
const ENOUGH: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: Repeats = Repeats::ByKernel {
        patience: Duration::from_secs(3),
    };

    fn at(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    #[test]
    fn a_rested_path_that_loses_all_canaries_and_is_back_soon_loses_in_bursts() {
        let mut bursts = Bursts::default();
        bursts.failed(at(1000), at(1250), 10, Repeats::Never);
        assert!(bursts.answered(at(1000), at(1500), Repeats::Never));
        assert_eq!(bursts.rested(at(9000), Repeats::Never), at(9000));
    }

    #[test]
    fn a_path_that_had_no_rest_tells_nothing() {
        let mut bursts = Bursts::default();
        bursts.failed(at(1000), at(1100), 10, Repeats::Never);
        assert!(!bursts.answered(at(1000), at(1250), Repeats::Never));
    }

    #[test]
    fn what_a_kernel_repeats_disturbs_the_rest() {
        // While connects are alive, once is not enough; nor does it count so soon after a repeat.
        for (after, enough) in [(1200, None), (1600, Some(2)), (2200, None), (6200, Some(1))] {
            let mut bursts = Bursts::default();
            bursts.sent(at(100), KERNEL);
            let sent = at(100 + after);
            let found = (1..=3).find(|_| {
                bursts.failed(sent - REST, sent, 10, KERNEL);
                bursts.answered(sent - REST, sent + REST, KERNEL)
            });
            assert_eq!(found, enough, "{after} ms later");
        }
    }

    #[test]
    fn a_path_is_left_alone_until_a_kernel_has_repeated_what_was_sent() {
        let mut bursts = Bursts::default();
        bursts.sent(at(100), KERNEL);
        bursts.sent(at(300), KERNEL);
        assert_eq!(bursts.rested(at(300), KERNEL), at(550));
        assert_eq!(bursts.rested(at(900), KERNEL), at(1570));
        // The third repeat would leave when the patience is over.
        assert_eq!(bursts.rested(at(2000), KERNEL), at(2570));
        assert_eq!(bursts.rested(at(3000), KERNEL), at(3250));
    }

    #[test]
    fn a_path_that_is_dead_for_long_does_not_lose_in_bursts() {
        let mut bursts = Bursts::default();
        bursts.failed(at(1000), at(1250), 10, Repeats::Never);
        assert!(!bursts.answered(at(1000), at(35_000), Repeats::Never));
    }

    #[test]
    fn a_small_table_of_flows_that_had_room_soon_now_and_then_was_taken_for_bursts() {
        let mut bursts = Bursts::default();
        let mut spell = |seconds: u64| {
            bursts.failed(at(1000), at(1250), 10, Repeats::Never);
            bursts.answered(at(1000), at(1250 + seconds * 1000), Repeats::Never)
        };
        assert!(spell(1));
        assert!(!spell(5), "it is full for seconds");
        for _ in 0..5 {
            assert!(!spell(1));
        }
    }

    #[test]
    fn a_limiter_needs_no_rest_once_it_is_known() {
        let mut bursts = Bursts::default();
        for round in 0..u64::from(ENOUGH) {
            assert_eq!(bursts.rested(at(0), Repeats::Never), at(250));
            assert!(!bursts.answered(at(round * 1000), at(round * 1000 + 250), Repeats::Never));
        }
        assert_eq!(bursts.rested(at(9000), Repeats::Never), at(9000));
    }

    #[test]
    fn canaries_of_one_port_were_lost_by_chance_twice_and_taken_for_a_burst() {
        for (rounds, found) in [(2, false), (3, true)] {
            let mut bursts = Bursts::default();
            for round in 0..rounds {
                bursts.failed(at(1000), at(1250 + 450 * round), 4, Repeats::Never);
            }
            let bursty = bursts.answered(at(1000), at(2700), Repeats::Never);
            assert_eq!(bursty, found, "{rounds} rounds");
        }
    }

    #[test]
    fn a_round_of_which_one_answered_was_no_end_of_those_that_failed_in_a_row() {
        for (failed, found) in [(8, false), (10, true)] {
            let mut bursts = Bursts::default();
            bursts.failed(at(1000), at(1250), failed, Repeats::Never);
            bursts.partly_answered();
            bursts.failed(at(1000), at(2150), 4, Repeats::Never);
            let bursty = bursts.answered(at(1000), at(2600), Repeats::Never);
            assert_eq!(bursty, found, "{failed} before");
        }
    }
}
