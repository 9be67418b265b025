//! Who is asked for a sign of life, and when: all hosts in a shuffled order, round after round, those that are still wanted.

use std::time::Duration;

use crate::engine::pace::{Ceiling, Pace};
use crate::model::Time;
use crate::plan::Shuffle;

/// The walk. Hosts are numbers; whether one is still wanted is the caller's to say, each time that it comes by.
#[derive(Clone, Debug)]
pub struct Rounds {
    shuffle: Shuffle,
    pace: Pace,
    /// The place of the next host in the present round.
    next: u64,
    number: u16,
    began: Time,
    asked: Option<Time>,
    /// When the last round ended that asked nobody.
    idle: Option<Time>,
    asked_in_round: u64,
}

/// Whom to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    pub host: u64,
    /// 0 for the first round.
    pub round: u16,
}

impl Rounds {
    pub fn new(hosts: u64, seed: u64, ceiling: Ceiling, now: Time) -> Self {
        Self {
            shuffle: Shuffle::new(hosts, seed),
            pace: Pace::new(ceiling, now),
            next: 0,
            number: 0,
            began: now,
            asked: None,
            idle: None,
            asked_in_round: 0,
        }
    }

    /// Another ceiling from now on.
    pub fn set_ceiling(&mut self, ceiling: Ceiling) {
        self.pace.set_ceiling(ceiling);
    }

    /// The next host to ask, if one may be asked now. Whoever is given is taken as asked.
    pub fn poll(&mut self, now: Time, wanted: impl Fn(u64) -> bool) -> Option<Ask> {
        if self.next >= self.shuffle.len() && !self.begin_round(now) {
            return None;
        }
        if self.pace.available(now) == 0 {
            return None;
        }
        while self.next < self.shuffle.len() {
            let host = self.shuffle.index(self.next);
            self.next += 1;
            if wanted(host) {
                self.pace.sent(1);
                self.asked = Some(now);
                self.asked_in_round += 1;
                return Some(Ask {
                    host,
                    round: self.number,
                });
            }
        }
        if self.asked_in_round == 0 {
            self.idle = Some(now);
        }
        None
    }

    /// Whether everybody was asked once.
    pub fn has_asked_all(&self) -> bool {
        self.number > 0 || self.next >= self.shuffle.len()
    }

    /// Whether the last round found nobody to ask, and those asked before had `patience` to answer.
    pub fn is_over(&self, now: Time, patience: Duration) -> bool {
        self.idle.is_some() && self.asked.is_none_or(|asked| now.since(asked) >= patience)
    }

    fn begin_round(&mut self, now: Time) -> bool {
        if now.since(self.began) < APART {
            return false;
        }
        self.next = 0;
        self.number = self.number.saturating_add(1);
        self.began = now;
        self.asked_in_round = 0;
        true
    }
}

/// Rounds begin at least so long after each other: losses come in bursts.
const APART: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn everybody_is_asked_once_a_round_until_nobody_is_wanted() {
        let tries: RefCell<BTreeMap<u64, u16>> = RefCell::default();
        let mut rounds = Rounds::new(1_000, 5, Ceiling::Asked(10_000), Time::ZERO);
        let mut times = Vec::new();
        let mut now = Time::ZERO;
        // Every second host answers the first time; the others are given up after three.
        let wanted = |host: u64| {
            let most = if host.is_multiple_of(2) { 1 } else { 3 };
            tries.borrow().get(&host).is_none_or(|tries| *tries < most)
        };
        while !rounds.is_over(now, Duration::from_secs(2)) {
            while let Some(ask) = rounds.poll(now, wanted) {
                *tries.borrow_mut().entry(ask.host).or_default() += 1;
                times.push((ask.round, now));
            }
            now = now + Duration::from_millis(1);
            assert!(now < Time(20_000_000_000), "it ends");
        }
        assert_eq!(tries.borrow().len(), 1_000);
        assert_eq!(times.len(), 500 + 500 * 3);
        for (round, at) in times {
            assert!(at.since(Time::ZERO) >= Duration::from_secs(round.into()));
        }
        // 1,000 at 10,000 a second, two rounds more, patience.
        assert!((4.0..5.2).contains(&now.as_secs_f64()), "{now:?}");
    }
}
