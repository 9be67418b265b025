//! What follows where connects that were to confirm something have heard nothing. How often they are repeated is in `tries`.

use crate::engine::Engine;
use crate::engine::claim::{Held, Standing};
use crate::engine::completeness::PRIOR_LOSS;
use crate::engine::trials::among_silent;
use crate::engine::tries::{Way, connect_lost};

impl Engine {
    /// All connects to this host have ended, and some of them heard nothing.
    pub(super) fn settle_silent(&mut self, host: u64) {
        let path = connect_lost(self.lost_to(host), self.config.patience);
        let spare = self.spare_budget();
        let now = self.doubts.now;
        let record = self.doubts.record(host);
        let mut silent = std::mem::take(&mut record.silent);
        let round = record.rounds.present();
        for held in &mut silent {
            held.tries.unheard(&round);
        }
        let count = silent.len();
        let lost = record.rounds.lost(path);
        let way = if lost > 0.0 || round.is_hole() {
            Way::Lossy
        } else {
            Way::Clean
        };
        let heard = record.hears();
        let proved = f64::from(record.proved);
        let retry = record.is_worth_a_retry() || way == Way::Lossy;
        let too_many = missed_among(&silent, proved, lost) >= spare;
        let (again, given_up): (Vec<Held>, Vec<Held>) = silent.into_iter().partition(|held| {
            retry && (held.tries.are_few() || too_many && !held.tries.are_most())
        });
        record.queued.extend(again.iter().copied());
        record.rounds.begin(record.queued.len(), way, now);
        let mut unheard = Vec::new();
        if !heard && again.is_empty() {
            // The answers did come to this machine.
            record.standing = Standing::Unheard;
            unheard.extend(record.queued.drain(..));
        }
        if heard {
            self.spent.missed += missed_among(&given_up, proved, lost);
        }
        self.doubts.let_go(count - again.len() + unheard.len());
        for held in given_up.into_iter().chain(unheard) {
            if heard || !held.is_whole() {
                self.suspect(host, &held);
            } else {
                self.keep_unheard(host);
                self.doubt(host, held);
            }
        }
    }

    /// What one SYN to this host is known to lose: nothing, where no more was seen than is reckoned with beforehand.
    fn lost_to(&self, host: u64) -> f64 {
        let loss = self.lanes[self.lane_of(host)].likely_loss;
        if loss > PRIOR_LOSS { loss } else { 0.0 }
    }
}

/// How many of these are open, on a host so many of whose others a connect has proven, and that loses connects this often.
fn missed_among(silent: &[Held], proved: f64, lost: f64) -> f64 {
    if silent.is_empty() {
        return 0.0;
    }
    let count = silent.len() as f64;
    let unheard = silent.iter().map(|held| held.tries.lost(lost));
    let unheard = (unheard.sum::<f64>() / count).min(MOST_LOST);
    among_silent(proved * unheard / (1.0 - unheard), unheard, count, proved)
}

const MOST_LOST: f64 = 0.999;
