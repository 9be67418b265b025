//! Whose canaries fail, where they are those of several hosts: one host that limits us, or has shut itself, fails alone. What
//! limits the network before them all does not look whom it keeps back.

use super::{Canaries, Count, Tally};
use crate::model::State;

impl Canaries {
    /// The host, of so many endpoints each, whose canaries alone failed since any answered.
    pub fn only_silent(&self, ports: u64) -> Option<u64> {
        let mut hosts = self.silent.iter().map(|(index, _)| index / ports);
        let first = hosts.next()?;
        hosts.all(|host| host == first).then_some(first)
    }

    /// The host whose canaries fail while those of others answer: among the canaries of all hosts, so many of those that
    /// failed would seldom be its own by chance.
    pub fn apart(&self, ports: u64) -> Option<u64> {
        let mut hosts: Vec<u64> = self.silent.iter().map(|(index, _)| index / ports).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let all = self.besides(None, ports);
        let seldom = APART / hosts.len().max(1) as f64;
        hosts.into_iter().find(|&host| {
            let others = self.besides(Some(host), ports);
            let own = Count {
                asked: all.asked - others.asked,
                answered: all.answered - others.answered,
            };
            others.answered > 0 && as_few_by_chance(own, all) <= seldom
        })
    }

    /// What canaries of the others tell.
    pub fn of_others(&self, host: u64, ports: u64) -> Tally {
        let mut tally = Tally::default();
        for (canaries, answered) in [(&self.silent, 0), (&self.answering, 1)] {
            for &(index, state) in canaries {
                let count = match state {
                    _ if index / ports == host => continue,
                    State::Open => &mut tally.open,
                    _ => &mut tally.closed,
                };
                count.asked += 1;
                count.answered += answered;
            }
        }
        tally
    }

    /// Asks the endpoints of this host no more.
    pub fn forget(&mut self, host: u64, ports: u64) {
        self.open.retain(|known| known.index / ports != host);
        self.closed.retain(|known| known.index / ports != host);
    }

    fn besides(&self, host: Option<u64>, ports: u64) -> Count {
        let others = |canaries: &[(u64, State)]| {
            let others = canaries.iter().map(|(index, _)| Some(index / ports));
            others.filter(|of| of.is_none() || *of != host).count() as u32
        };
        let answered = others(&self.answering);
        Count {
            asked: others(&self.silent) + answered,
            answered,
        }
    }
}

/// The chance that of so many of all of them no more answer, if it is the same for each which ones do.
fn as_few_by_chance(own: Count, all: Count) -> f64 {
    let ways = |of: u32, taken: u32| -> f64 {
        if taken > of {
            return 0.0;
        }
        (0..taken)
            .map(|at| f64::from(of - at) / f64::from(at + 1))
            .product()
    };
    let others = all.asked - own.asked;
    let as_few: f64 = (0..=own.answered)
        .map(|answered| ways(own.asked, answered) * ways(others, all.answered - answered))
        .sum();
    as_few / ways(all.asked, all.answered)
}

/// A limiter before all hosts keeps back canaries of one of them alone this seldom.
const APART: f64 = 0.05;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Each, To};
    use super::*;
    use crate::model::Time;

    const PORTS: u64 = 100;

    /// A round to as many endpoints of hosts 0, 1 and 2 each, of which these answered.
    fn round(each: u64, answered: &[u64]) -> Canaries {
        let mut canaries = Canaries::default();
        for host in 0..3 {
            (0..each).for_each(|port| canaries.learn(host * PORTS + port, State::Closed));
        }
        let waits = (Duration::from_millis(2), Duration::from_millis(5));
        let all = 3 * each as usize;
        let asked = canaries.begin(Time(1), waits, (all, Each::Once), Duration::ZERO);
        assert_eq!(asked.len(), all);
        for &index in answered {
            canaries.answered(index, To::Any, Time(2));
        }
        let over = canaries.judge(Time(10_000_000), Duration::ZERO);
        over.expect("the time is over");
        canaries
    }

    #[test]
    fn one_host_that_had_shut_itself_was_taken_for_a_limiter_before_all() {
        let canaries = round(4, &[0, 1, 2, 3, 200, 201, 202, 203]);
        assert_eq!(canaries.apart(PORTS), Some(1));
        let others = canaries.of_others(1, PORTS).telling();
        assert_eq!((others.asked, others.answered), (8, 8));
        // Others lose a little as well.
        let canaries = round(4, &[0, 1, 2, 3, 200, 202, 203]);
        assert_eq!(canaries.apart(PORTS), Some(1));
        let others = canaries.of_others(1, PORTS).telling();
        assert_eq!((others.asked, others.answered), (8, 7));
    }

    #[test]
    fn a_limiter_keeps_back_canaries_of_all_hosts() {
        assert_eq!(round(4, &[0, 101, 202]).apart(PORTS), None);
        assert_eq!(round(4, &[0, 1, 2, 3]).apart(PORTS), None);
        assert_eq!(round(4, &[]).apart(PORTS), None);
        assert_eq!(round(4, &[0, 1, 100, 101, 200]).apart(PORTS), None);
        // One canary of each tells nothing of any of them.
        assert_eq!(round(1, &[0, 200]).apart(PORTS), None);
    }

    #[test]
    fn the_chance_is_that_of_drawing_without_putting_back() {
        let count = |asked, answered| Count { asked, answered };
        let chance = as_few_by_chance(count(5, 0), count(11, 6));
        assert!((chance - 1.0 / 462.0).abs() < 1e-12, "{chance}");
        let chance = as_few_by_chance(count(2, 1), count(4, 2));
        assert!((chance - 5.0 / 6.0).abs() < 1e-12, "{chance}");
    }
}
