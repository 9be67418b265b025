//! How much may leave now under a ceiling that is exactly kept: a leaky bucket (GCRA), filled by what has left and not by
//! what was handed to whoever sends it.
//!
//! A thread that waits for a processor sends late what it was given. A bucket that counts when something is given has
//! drained meanwhile and gives more, and both meet on the wire. So what was given and has not left is kept apart: it takes
//! its place in the bucket however long it takes, and fills it at the time at which it has left. Whoever is late does not
//! catch up. Then, whatever threads do, no stretch of time sees more leave than the ceiling allows in it and one bucket.

use std::time::Duration;

use crate::model::Time;

/// A ceiling, and how deep its bucket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spacing {
    /// Nanoseconds for one.
    gap: u64,
    /// Nanoseconds for all that may leave at once.
    depth: u64,
}

/// What left under a ceiling, and what is about to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Meter {
    /// When all that has left is made up for.
    clear: Time,
    /// Given, and not known to have left.
    in_hand: usize,
}

impl Spacing {
    /// So many per second, a millisecond's worth of them at once: one half to be given at a time, and the other so that a
    /// sleeper who wakes up late loses nothing of the rate. Of slow rates, where not even one would fit, one at once.
    pub fn exact(rate: u32) -> Self {
        let gap = gap(rate);
        Self {
            gap,
            depth: gap.max(HALF) + HALF,
        }
    }

    /// So many per second, and as many whole ones at once as a millisecond holds.
    pub fn whole(rate: u32) -> Self {
        let gap = gap(rate);
        Self {
            gap,
            depth: gap * u64::from((rate / 1000).clamp(1, MOST_WHOLE)),
        }
    }

    /// Between two.
    pub fn gap(self) -> Duration {
        Duration::from_nanos(self.gap)
    }

    /// How many are worth waking up for.
    fn worth(self) -> u64 {
        (self.depth / 2 / self.gap).max(1)
    }
}

impl Meter {
    /// Begins full: whoever sent before may have used all that was allowed.
    pub fn full(spacing: Spacing, now: Time) -> Self {
        Self {
            clear: Time(now.0.saturating_add(spacing.depth)),
            in_hand: 0,
        }
    }

    /// Begins with room for one: nobody has sent yet, but nothing begins with a burst either.
    pub fn beginning(spacing: Spacing, now: Time) -> Self {
        Self {
            clear: Time(now.0.saturating_add(spacing.depth - spacing.gap)),
            in_hand: 0,
        }
    }

    /// How many more may be given at this time.
    pub fn room(&self, spacing: Spacing, now: Time) -> usize {
        let filled = self.clear.0.saturating_sub(now.0);
        let free = spacing.depth.saturating_sub(filled) / spacing.gap;
        usize::try_from(free)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.in_hand)
    }

    /// So many were given to somebody who sends them.
    pub fn give(&mut self, count: usize) {
        self.in_hand = self.in_hand.saturating_add(count);
    }

    /// One of them had left by this time, or will never leave.
    pub fn left(&mut self, spacing: Spacing, at: Time) {
        self.in_hand = self.in_hand.saturating_sub(1);
        self.clear = Time(self.clear.max(at).0.saturating_add(spacing.gap));
    }

    /// When it is worth asking again, if all that was given leaves at once; `wanted` is how many there are to give.
    pub fn ready_at(&self, spacing: Spacing, now: Time, wanted: usize) -> Time {
        let wanted = (wanted as u64).min(spacing.worth());
        let places = (self.in_hand as u64).saturating_add(wanted);
        let filled = self.clear.max(now).0;
        let ready = filled.saturating_add(places.saturating_mul(spacing.gap));
        Time(ready.saturating_sub(spacing.depth))
    }

    /// Whether it is as if nothing had ever been sent.
    pub fn is_clear(&self, now: Time) -> bool {
        self.in_hand == 0 && self.clear <= now
    }

    /// When it is so, if nothing is given any more.
    pub fn clear_at(&self) -> Time {
        self.clear
    }

    /// The same under another ceiling: what has left fills as many places as before.
    pub fn under(self, before: Spacing, spacing: Spacing, now: Time) -> Self {
        let filled = self.clear.0.saturating_sub(now.0);
        let places = filled as f64 / before.gap as f64;
        let filled = (places * spacing.gap as f64).ceil() as u64;
        Self {
            clear: Time(now.0.saturating_add(filled)),
            ..self
        }
    }
}

fn gap(rate: u32) -> u64 {
    1_000_000_000_u64.div_ceil(rate.max(1).into())
}

/// Half of a millisecond.
const HALF: u64 = 500_000;
const MOST_WHOLE: u32 = 1024;

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const WINDOW: u64 = SECOND / 10;

    /// What leaves when: whoever gives asks late by `sleeps`, whoever sends is late by `delays`, and each hears of the
    /// other as late; all in turn.
    fn leaving(rate: u32, sleeps: &[u64], delays: &[u64], until: u64) -> Vec<u64> {
        let spacing = Spacing::exact(rate);
        let mut meter = Meter::default();
        let mut under_way: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
        let (mut sleeps, mut delays) = (sleeps.iter().cycle(), delays.iter().cycle());
        let mut next = || *delays.next().unwrap();
        let mut left = Vec::new();
        let mut now = 0;
        while now < until {
            // Those of whom it is known by now that they have left.
            while let Some(Reverse((told, at))) = under_way.peek().copied()
                && told <= now
            {
                under_way.pop();
                meter.left(spacing, Time(at));
            }
            let room = meter.room(spacing, Time(now));
            meter.give(room);
            for _ in 0..room {
                // On the wire, then noted, then told.
                let on_the_wire = now + next();
                let noted = on_the_wire + next();
                under_way.push(Reverse((noted + next(), noted)));
                left.push(on_the_wire);
            }
            let ready = meter.ready_at(spacing, Time(now), usize::MAX);
            now = ready.0.max(now + 1) + sleeps.next().unwrap();
        }
        left.sort_unstable();
        left
    }

    fn busiest(left: &[u64]) -> usize {
        let within =
            |(at, start): (usize, &u64)| left[at..].partition_point(|time| time - start < WINDOW);
        left.iter().enumerate().map(within).max().unwrap_or(0)
    }

    /// Mostly a little, sometimes so long that others run meanwhile.
    fn lateness() -> impl Strategy<Value = Vec<u64>> {
        let late = prop_oneof![
            8 => 0..200_000_u64,
            2 => 0..5_000_000_u64,
            1 => 0..300_000_000_u64,
        ];
        prop::collection::vec(late, 1..60)
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_its_share_and_a_batch_however_late_threads_are(
            rate in prop_oneof![1..20_u32, 20..2_000_u32, 2_000..20_000_u32],
            sleeps in lateness(),
            delays in lateness(),
        ) {
            let left = leaving(rate, &sleeps, &delays, 2 * SECOND);
            let batch = (rate as usize / 1000).max(1) + 1;
            // A window of a slow rate holds less than one.
            let share = (rate as usize).div_ceil(10);
            let busiest = busiest(&left);
            prop_assert!(busiest <= share + batch, "{} within 100 ms at {}/s", busiest, rate);
        }

        #[test]
        fn whoever_is_late_by_less_than_half_a_millisecond_in_all_reaches_the_rate(
            rate in 1..20_000_u32,
            sleeps in prop::collection::vec(0..120_000_u64, 1..60),
            delays in prop::collection::vec(0..60_000_u64, 1..60),
        ) {
            let until = 3 * SECOND;
            let left = leaving(rate, &sleeps, &delays, until);
            let due = f64::from(rate) * 3.0;
            prop_assert!(left.len() as f64 >= due * 0.98 - 1.0, "{} of {}", left.len(), due);
        }
    }

    #[test]
    fn a_thread_that_slept_sent_its_batch_into_one_that_was_on_time() {
        let spacing = Spacing::exact(20_000);
        let mut meter = Meter::default();
        assert_eq!(meter.room(spacing, Time(0)), 20);
        meter.give(20);
        // The bucket has long drained, but nothing has left.
        let late = 80_000_000;
        assert_eq!(meter.room(spacing, Time(late)), 0);
        (0..20).for_each(|_| meter.left(spacing, Time(late)));
        assert_eq!(meter.room(spacing, Time(late)), 0);
        assert_eq!(meter.room(spacing, Time(late + 500_000)), 10);
    }

    #[test]
    fn another_ceiling_holds_for_what_has_left_already() {
        let (fast, slow) = (Spacing::exact(100_000), Spacing::exact(100));
        let mut meter = Meter::default();
        meter.give(1);
        meter.left(fast, Time(0));
        let meter = meter.under(fast, slow, Time(0));
        assert_eq!(meter.room(slow, Time(5_000_000)), 0);
        assert_eq!(meter.room(slow, Time(10_000_000)), 1);
        assert_eq!(meter.under(slow, fast, Time(0)).room(fast, Time(0)), 99);
    }

    #[test]
    fn one_that_begins_full_has_room_when_a_bucket_has_drained() {
        let spacing = Spacing::exact(10);
        let meter = Meter::full(spacing, Time(7));
        assert_eq!(meter.room(spacing, Time(8)), 0);
        assert_eq!(meter.ready_at(spacing, Time(8), 1), Time(7 + SECOND / 10));
        assert_eq!(meter.room(spacing, Time(7 + SECOND / 10)), 1);
    }
}
