//! Which silent endpoints are asked again in a time of asking: always the same, no more than can leave in a moment, of each host too.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::engine::Engine;
use crate::engine::own_drops::beats::{MOMENT, WHOLE};

/// What is asked in one time, how often each, and how many seconds it takes to leave.
#[derive(Default)]
pub struct Again {
    pub queue: VecDeque<u64>,
    pub times: usize,
    pub leaving: f64,
}

impl Engine {
    /// Silent endpoints of the hosts that are tried, some of them more than once where they are few, and no more than may leave in
    /// a moment, of each host too.
    pub(super) fn to_ask_again(&self) -> Again {
        let Some(hosts) = self.own_drops.tests.front() else {
            return Again::default();
        };
        let most = self.most_asked_again();
        let blind = self.host_rate.blind().map(f64::from);
        let most_of_one = blind.map_or(usize::MAX, |rate| leave_in_a_moment(rate).max(1));
        let mut of_host: HashMap<u64, usize> = HashMap::new();
        let mut chosen = self.silent_of(hosts, most);
        chosen.retain(|index| {
            let asked = of_host.entry(index / self.ports()).or_default();
            let fits = *asked < most_of_one;
            *asked += usize::from(fits);
            fits
        });
        let Some(fullest) = of_host.into_values().max() else {
            return Again::default();
        };
        let times = (most / chosen.len())
            .min(TIMES)
            .max(FEW.min(most).div_ceil(chosen.len()))
            .min(most_of_one / fullest);
        let count = chosen.len() * times;
        let of_all = count as f64 / self.pace.rate().max(1.0);
        let of_one = blind.map_or(0.0, |rate| (fullest * times) as f64 / rate.max(1.0));
        // Many take longer to leave than the rate says: each is a system call.
        let leaving = match count {
            ..=MANY => of_all.max(of_one),
            _ => WHOLE.as_secs_f64(),
        };
        Again {
            queue: chosen.iter().copied().cycle().take(count).collect(),
            times,
            leaving,
        }
    }

    /// As many as leave in a moment.
    fn most_asked_again(&self) -> usize {
        (leave_in_a_moment(self.pace.rate()) >> self.own_drops.cut.min(MOST_CUTS))
            .min(self.own_drops.window)
            .clamp(1, MOST)
    }

    /// So many at the most, in no order that means anything, and each time the same.
    fn silent_of(&self, hosts: &Range<u64>, most: usize) -> Vec<u64> {
        let ports = self.ports();
        let indices = hosts.start * ports..hosts.end * ports;
        let mut silent = Vec::new();
        if indices.end - indices.start <= LOOKED_AT {
            let ranked = indices.filter_map(|index| Some((self.order.rank(index)?, index)));
            silent.extend(ranked.filter(|&(rank, index)| self.is_unexplained(rank, index)));
            silent.sort_unstable();
            silent.truncate(most);
            return silent.into_iter().map(|(_, index)| index).collect();
        }
        let mut from = 0;
        for _ in 0..LOOKED_AT {
            let Some(rank) = self.ledger.answered.next_zero(from) else {
                break;
            };
            from = rank + 1;
            let index = self.order.index(rank);
            if indices.contains(&index) && self.is_unexplained(rank, index) {
                silent.push((rank, index));
                if silent.len() == most {
                    break;
                }
            }
        }
        silent.into_iter().map(|(_, index)| index).collect()
    }
}

fn leave_in_a_moment(rate: f64) -> usize {
    (rate * MOMENT.as_secs_f64()) as usize
}

/// Probes in a time of asking, at the least where so many may leave, and at the most.
const FEW: usize = 16;
/// More may take longer to leave than a moment, on a slow machine.
pub const MANY: usize = 1_024;
const MOST: usize = 8_192;
/// How often an endpoint is asked in it, unless they are few: more often than it was in the walks, whose SYN-ACKs servers repeat
/// up to half a minute later, for each connect one in a time at the most.
pub const TIMES: usize = 3;
/// Endpoints looked at for each.
const LOOKED_AT: u64 = 1 << 20;
/// Halved as often, all that there can be is one.
const MOST_CUTS: u32 = 12;
