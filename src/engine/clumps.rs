//! Whether what the first walk lost lies together.
//!
//! The figures of the stop rule take losses within one pass for independent. Where a path is dead for a moment, what was
//! asked one after the other is lost together, and a thousand answers may tell of no more than five such moments: passes then
//! look alike by mere luck. So the walk is cut into parts. If the share that was lost at first differs between them by more
//! than chance allows, losses come in bursts. And since what is silent by nature lies anywhere in a walk, whose order is
//! random, some of the silent were lost if the share that has answered differs between the parts.
//!
//! The path may also have been dead for most of the walk. Then next to nothing has answered, too little for parts to differ; but
//! it answered at one end of the walk.
//!
//! That matters most by kernel connect: its repeats leave in the order of the walk, a second later each, so that a burst of
//! losses beside each repeat that falls on the same part leaves that part without any attempt.

use crate::engine::spread::Spread;
use crate::engine::trials::Came;

/// Answers to the endpoints of a walk, by the part of it in which they are asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clumps {
    keys: u64,
    parts: [Part; PARTS],
    /// The keys of the first and the last that have answered.
    ends: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    answered: u64,
    /// Of those, the ones that did not answer to the first attempt.
    lost: u64,
}

impl Clumps {
    /// Of a walk over this many keys.
    pub fn over(keys: u64) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// The endpoint with this key has answered.
    pub fn answered(&mut self, key: u64, came: Came) {
        let lost = came != Came::Unknown && came.attempt() != Some(0);
        if key < self.keys {
            let part = u128::from(key) * PARTS as u128 / u128::from(self.keys);
            let part = &mut self.parts[part as usize];
            part.answered += 1;
            part.lost += u64::from(lost);
            let (first, last) = self.ends.unwrap_or((key, key));
            self.ends = Some((first.min(key), last.max(key)));
        }
    }

    /// Whether nothing has answered from one end of the walk on, for longer than chance allows.
    pub fn are_of_one_end(&self) -> bool {
        let Some((first, last)) = self.ends else {
            return false;
        };
        let answered: u64 = self.parts.iter().map(|part| part.answered).sum();
        let silent = first.max(self.keys - 1 - last);
        let others = 1.0 - silent as f64 / self.keys as f64;
        let at_one_end = others.powi(i32::try_from(answered).unwrap_or(i32::MAX));
        2.0 * at_one_end < SELDOM
    }

    /// Whether more of what has answered was lost at first in some parts than in others.
    pub fn are_of_lost(&self) -> bool {
        differ(self.parts.iter().map(|part| (part.lost, part.answered)))
    }

    /// Whether more has answered in some parts than in others.
    pub fn are_of_silent(&self) -> bool {
        let start =
            |part: usize| (u128::from(self.keys) * part as u128).div_ceil(PARTS as u128) as u64;
        let parts = self.parts.iter().enumerate();
        differ(parts.map(|(at, part)| (part.answered, start(at + 1) - start(at))))
    }
}

/// Whether the share of `some` in `all` differs between these by more than chance allows.
fn differ(parts: impl Iterator<Item = (u64, u64)> + Clone) -> bool {
    let told = parts.filter(|(_, all)| *all > 0);
    let sum = |(some, all): (u64, u64), part: (u64, u64)| (some + part.0, all + part.1);
    let (some, all) = told.clone().fold((0, 0), sum);
    let samples = told.map(|(some, all)| (some as f64, all as f64));
    some > 0 && some < all && !Spread::of(samples, some as f64 / all as f64).is_chance()
}

const PARTS: usize = 16;
/// What lies so much to one end by chance this seldom is asked once more: that costs one packet each, in few scans.
const SELDOM: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u64 = 1000;

    /// A hundred open endpoints of a thousand; what `came` says of the key of each.
    fn clumps(came: impl Fn(u64) -> Option<Came>) -> Clumps {
        let mut clumps = Clumps::over(KEYS);
        for key in (0..KEYS).step_by(10) {
            if let Some(came) = came(key) {
                clumps.answered(key, came);
            }
        }
        clumps
    }

    #[test]
    fn losses_here_and_there_are_no_clumps() {
        let clumps = clumps(|key| (key % 70 != 0).then_some(Came::To(u16::from(key % 50 == 0))));
        assert!(!clumps.are_of_lost());
        assert!(!clumps.are_of_silent());
    }

    #[test]
    fn what_was_asked_together_and_lost_is_one() {
        let clumps = clumps(|key| Some(Came::To(u16::from((400..600).contains(&key)))));
        assert!(clumps.are_of_lost());
        assert!(!clumps.are_of_silent());
    }

    #[test]
    fn what_never_answered_is_one_where_it_was_asked_together() {
        let clumps = clumps(|key| (!(400..700).contains(&key)).then_some(Came::To(0)));
        assert!(!clumps.are_of_lost());
        assert!(clumps.are_of_silent());
    }

    #[test]
    fn what_answered_at_one_end_alone_is_one_however_little_it_is() {
        for (answered, told) in [
            (10..11, true),
            (980..981, true),
            (500..501, false),
            (20..990, false),
            (0..900, true),
        ] {
            let clumps = clumps(|key| answered.contains(&key).then_some(Came::To(0)));
            assert_eq!(clumps.are_of_one_end(), told, "{answered:?}");
        }
        assert!(!Clumps::over(KEYS).are_of_one_end());
    }

    #[test]
    fn a_walk_of_a_few_keys_or_of_none_has_no_clumps() {
        for keys in [0, 1, 3, u64::MAX] {
            let mut clumps = Clumps::over(keys);
            clumps.answered(0, Came::To(0));
            clumps.answered(keys.saturating_sub(1), Came::To(1));
            assert!(!clumps.are_of_lost() || keys > 3, "{keys}");
            assert!(!clumps.are_of_silent() || keys > 3, "{keys}");
            assert!(!clumps.are_of_one_end(), "{keys}");
        }
    }
}
