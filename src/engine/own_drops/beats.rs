//! When the times of the experiment begin, and which of them went on for too long to count.
//!
//! Kernels repeat what was not answered after 1, 3, 7 and 15 s: ours its SYNs, those that are asked their SYN-ACKs. So times begin an
//! even number of seconds after each other and are over before the next odd one. A time that this machine was too busy to begin or to
//! end as it should reaches into repeats: of one in which nobody was asked it would be said that as much went missing as in one of
//! asking. It is not counted.

use std::time::Duration;

use crate::engine::own_drops::trial::Kind;
use crate::model::Time;

/// See the top of the file.
#[derive(Default, Debug)]
pub struct Beats {
    /// When the first time begins, and the present one should have.
    first: Time,
    present: Time,
    /// How long the longest time of asking that counts has taken.
    length: Duration,
    /// Times of asking that did not count, one after the other.
    too_long: u32,
}

impl Beats {
    pub fn begin(&mut self, first: Time) {
        self.first = first;
    }

    /// The time that should begin then begins.
    pub fn enter(&mut self, beat: Time) {
        self.present = beat;
    }

    /// When the next time begins.
    pub fn next(&self, now: Time) -> Time {
        let mut next = self.first;
        while next < now {
            next = next + PERIOD;
        }
        next
    }

    pub fn since_first(&self, now: Time) -> Duration {
        now.since(self.first)
    }

    /// Whether it is too late for the time that should have begun then: what left now would be repeated in a later one.
    pub fn is_missed(beat: Time, now: Time) -> bool {
        now.since(beat) > MISSED
    }

    /// How long a time in which nobody is asked takes: as long as those of asking.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// Whether what is asked from now on would be repeated when a later time is under way.
    pub fn is_past(&self, now: Time) -> bool {
        !self.must_do() && now >= self.present + WHOLE
    }

    /// Whether the time that began `began` and is over now counts.
    pub fn counts(&mut self, kind: Kind, began: Time, now: Time) -> bool {
        let whole = REPEATED.max(self.length + LATE);
        let in_time = now < self.present + whole;
        match kind {
            Kind::Quiet => in_time,
            Kind::Asked if in_time || self.must_do() => {
                self.too_long = 0;
                self.length = self.length.max(now.since(began));
                true
            }
            Kind::Asked => {
                self.too_long += 1;
                false
            }
        }
    }

    /// No time of asking is short enough: what was asked cannot leave faster.
    const fn must_do(&self) -> bool {
        self.too_long >= MOST_TOO_LONG
    }
}

/// How long a time of asking is to take, where all leave soon enough.
pub const WHOLE: Duration = Duration::from_millis(900);
/// When kernels begin to repeat (`TCP_TIMEOUT_INIT`).
const REPEATED: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_secs(2);
/// How much later than planned a longer time than that may be over.
const LATE: Duration = Duration::from_millis(50);
/// Timers of 4 and 8 s are rounded up by 0.3 s, and what is asked takes half a second to leave.
const MISSED: Duration = Duration::from_millis(100);
const MOST_TOO_LONG: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time(ms * 1_000_000)
    }

    fn beats() -> Beats {
        let mut beats = Beats::default();
        beats.begin(ms(500));
        beats.enter(ms(500));
        beats
    }

    #[test]
    fn what_servers_repeat_counted_as_missing_while_nobody_was_asked() {
        let mut beats = beats();
        assert!(beats.counts(Kind::Asked, ms(500), ms(1_400)));
        assert_eq!(beats.length(), Duration::from_millis(900));
        for (began, over) in [(2_600, 3_520), (3_100, 4_000)] {
            beats.enter(ms(2_500));
            let counts = beats.counts(Kind::Quiet, ms(began), ms(over));
            assert_eq!(counts, over < 3_500, "{began} to {over}");
        }
    }

    #[test]
    fn a_time_of_asking_that_a_stall_made_long_is_no_measure_for_the_others() {
        let mut beats = beats();
        assert!(!beats.counts(Kind::Asked, ms(500), ms(1_700)));
        assert_eq!(beats.length(), Duration::ZERO);
        assert!(Beats::is_missed(ms(500), ms(700)) && !Beats::is_missed(ms(500), ms(550)));
        beats.enter(beats.next(ms(1_700)));
        assert!(beats.counts(Kind::Asked, ms(2_500), ms(3_400)));
        assert!(beats.is_past(ms(3_400)) && !beats.is_past(ms(3_399)));
    }

    #[test]
    fn where_no_time_of_asking_is_short_enough_long_ones_count() {
        let mut beats = beats();
        let mut asked = |from, to| beats.counts(Kind::Asked, from, to);
        let made = (0..10).position(|_| asked(ms(500), ms(1_800)));
        assert_eq!(made, Some(5));
        assert!(asked(ms(500), ms(1_840)));
        assert!(!asked(ms(500), ms(1_900)));
    }
}
