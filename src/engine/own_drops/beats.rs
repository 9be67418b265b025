//! When the times of the experiment begin, and which of them went on for too long to count.
//!
//! Kernels repeat what was not answered after 1, 3, 7 and 15 s: ours its SYNs, those that are asked their SYN-ACKs. So times begin an
//! even number of seconds after each other and are over before the next odd one. A time that this machine was too busy to begin or to
//! end as it should reaches into repeats: of one in which nobody was asked it would be said that as much went missing as in one of
//! asking. It is not counted.

use std::time::Duration;

use crate::model::Time;

/// See the top of the file.
#[derive(Default, Debug)]
pub struct Beats {
    /// When the first time begins, and the present one should have.
    first: Time,
    present: Time,
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

    /// What is asked has to leave until then.
    pub fn leaves_by(&self) -> Time {
        self.present + MOMENT + MISSED
    }

    /// When a time of either kind is over; one of asking is when all is heard, too.
    pub fn over(&self) -> Time {
        self.present + WHOLE
    }

    /// Whether the present time counts if it is over now.
    pub fn counts(&self, now: Time) -> bool {
        now < self.present + REPEATED
    }
}

/// How long a time is to take.
pub const WHOLE: Duration = Duration::from_millis(900);
/// In which what is asked is to leave.
pub const MOMENT: Duration = Duration::from_millis(450);
/// When kernels begin to repeat (`TCP_TIMEOUT_INIT`).
const REPEATED: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_secs(2);
/// Timers of 4 and 8 s are rounded up by 0.3 s, and what is asked takes half a second to leave.
const MISSED: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time(ms * 1_000_000)
    }

    #[test]
    fn what_servers_repeat_counted_as_missing_while_nobody_was_asked() {
        let mut beats = Beats::default();
        beats.begin(ms(500));
        assert!(Beats::is_missed(ms(500), ms(700)) && !Beats::is_missed(ms(500), ms(550)));
        beats.enter(beats.next(ms(700)));
        assert_eq!((beats.leaves_by(), beats.over()), (ms(3_050), ms(3_400)));
        assert!(beats.counts(ms(3_499)));
        assert!(!beats.counts(ms(3_500)), "one second after the first SYN");
    }
}
