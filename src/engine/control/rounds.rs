//! Canaries: when they are asked, what they prove, and what a choked path costs.

use std::time::Duration;

use super::chokes::{FEW_BY_LUCK, Share};
use super::resets::Thought;
use super::windows::RAISE_EVERY;
use super::*;

impl Control {
    /// The pass has just been sent: canaries behind it tell whether its end was heard.
    pub fn prove_end(&mut self, now: Time, path: &Path) -> Advice {
        let unproven = match path.whose {
            Whose::OneHost | Whose::SilentHost => self.gauge.unproven(),
            // Answers of far hosts may be to what was proven long ago.
            Whose::Network { .. } => self.gauge.sent_since_proof(),
        };
        if self.is_pending() || unproven == 0 {
            return Advice::Nothing;
        }
        self.prove(now, path)
    }

    /// Asks canaries, as soon as they have rested.
    pub fn prove(&mut self, now: Time, path: &Path) -> Advice {
        if now < self.quiet {
            return Advice::Nothing;
        }
        let advice = self.ask(now, path);
        if advice == Advice::Nothing && !self.canaries.is_empty() {
            self.again = Some(now + path.rest);
        }
        advice
    }

    /// Begins a round of so many canaries that all of them are seldom lost by chance.
    pub(super) fn ask(&mut self, now: Time, path: &Path) -> Advice {
        let enough = |luck: f64| (luck.ln() / assumed_loss(path).ln()).ceil() as usize;
        let least = match path.whose {
            Whose::OneHost => enough(BAD_LUCK).max(LEAST_ROUND),
            // So that they do not keep a small table of flows full themselves.
            Whose::SilentHost if self.is_choked() && self.bursts.fail_on() => LEAST_ROUND,
            Whose::SilentHost | Whose::Network { .. } => NETWORK_ROUND,
        };
        let each = match path.whose {
            Whose::SilentHost => Each::FromAllFlows,
            Whose::OneHost | Whose::Network { .. } => Each::Once,
        };
        let spare = self.unproven as usize / CANARY_SHARE;
        let count = if self.is_choked() {
            least
        } else {
            enough(SELDOM).min(spare).max(least)
        };
        let late = match path.whose {
            Whose::SilentHost if self.is_choked() => path.canary.max(BUSY),
            _ => path.canary,
        };
        let asked = self
            .canaries
            .begin(now, (path.timeout * 2, late), (count, each), path.rest);
        if asked.is_empty() {
            self.again = None;
            // All were asked a moment ago.
            if let State::Choked { next, wait, .. } = &mut self.state {
                *next = now + *wait;
            } else if self.failed > 0 && !self.canaries.is_empty() {
                self.again = Some(now + path.rest);
            }
            return Advice::Nothing;
        }
        self.gauge.mark();
        self.timing = self.timing(now, path);
        self.again = None;
        Advice::Ask(asked)
    }

    /// What a round of canaries means.
    pub(super) fn judge(&mut self, now: Time, path: &Path, sent: Time, tally: Tally) -> Advice {
        let mut told = tally.telling();
        if told.answered > 0
            && let Whose::Network { ports } = path.whose
            && let Some(host) = self.canaries.apart(ports)
        {
            told = self.canaries.of_others(host, ports).telling();
            self.leave(host, ports);
        }
        let expected = f64::from(told.asked) * (1.0 - path.loss.min(MOST_LOSS));
        if let State::Choked { since, wait, .. } = self.state {
            if told.asked == 0 && now.since(since) > path.patience {
                // Our own side is what is at fault, and that is noted endpoint by endpoint.
                self.set_free();
                self.quiet = now + REFUSED_REST;
                return Advice::Nothing;
            }
            // A path that is thought to lose in bursts is looked at on: it may be a table of flows after all.
            let silent = path.whose == Whose::SilentHost || self.bursts.are_found();
            if told.answered == 0 && silent {
                self.bursts.failed(since, sent, told.asked, path.repeats);
            }
            if told.answered > 0 {
                self.failed = 0;
            } else if !self.is_silent(path) {
                self.failed += told.asked;
                if self.is_silent(path) {
                    self.chokes.silent();
                }
            }
            let few = f64::from(told.answered) < expected * PARTLY;
            if told.answered > 0 && few && silent {
                self.bursts.partly_answered();
            }
            if told.answered > 0 && !few {
                if silent && self.bursts.answered(since, sent, path.repeats) {
                    return self.go_on(now);
                }
                return self.resume(now, path);
            }
            let wait = (wait * 3 / 2).min(LONGEST_WAIT);
            let wait = match self.rested(now, path).since(now) {
                Duration::ZERO => wait,
                rest => rest,
            };
            self.state = State::Choked {
                since,
                next: now + wait,
                wait,
            };
            return Advice::Nothing;
        }
        if told.asked == 0 {
            // Our own side refuses: nothing is learnt by asking more, and nobody waits for what would tell of those that failed.
            self.quiet = now + REFUSED_REST;
            self.failed = 0;
            return Advice::Nothing;
        }
        if told.answered == 0 {
            self.failed += told.asked;
            if self.is_silent(path) {
                if let Whose::Network { ports } = path.whose
                    && let Some(host) = self.canaries.only_silent(ports)
                {
                    self.leave(host, ports);
                    return self.ask(now, path);
                }
                self.chokes.silent();
                self.choke(now, path);
                return Advice::Choked;
            }
            return self.ask(now, path);
        }
        self.canaries.heard();
        let few = self.failed > 0 || at_most(told, 1.0 - assumed_loss(path)) <= FEW_BY_LUCK;
        let share = if few { Share::Few } else { Share::Usual };
        self.failed = 0;
        if path.whose != Whose::OneHost {
            self.note(share);
        }
        if share == Share::Few && path.whose != Whose::OneHost {
            // A limiter that has room again, or some: what was sent with the canaries that failed did not come through.
            self.choke(now, path);
            if self.rested(now, path) > now {
                return Advice::Choked;
            }
            return self.resume(now, path);
        }
        if self.timing == Timing::Late && path.whose != Whose::OneHost {
            if path.whose == Whose::SilentHost && !self.may_be_limited() {
                // Nothing speaks of a limiter yet, and the next pass tells.
                return Advice::Nothing;
            }
            if path.whose == Whose::SilentHost {
                // So that the few canaries that are known have rested before the end the next time.
                let rate = self.pace.as_ref().map_or(path.rate, Pace::rate);
                self.hold(now, Some(rate / 2.0), None);
            }
            return Advice::Resume(self.gauge.proof());
        }
        let telling = self.gauge.marked_since_proof() >= FIRST_UNPROVEN / 2;
        if telling && path.whose != Whose::OneHost {
            self.carried = self.pace.as_ref().map_or(0.0, Pace::rate);
        }
        self.gauge.prove(sent);
        self.unproven = (self.unproven * 2).min(self.most_unproven(path));
        self.stuck.times = self.stuck.times.saturating_sub(1);
        self.stuck.since = now;
        if path.whose != Whose::OneHost {
            self.judge_network(now, told);
            return Advice::Nothing;
        }
        match self.resets.take(&tally) {
            Thought::Heeded => {}
            Thought::Doubted => return self.ask(now, path),
            Thought::Limited => {
                self.state = State::Free;
                self.pace = None;
                self.gauge.restart(now);
                return Advice::ResetsLimited;
            }
        }
        let usual = match self.state {
            State::Held {
                share: Some(share), ..
            } => share.max(1.0 - MOST_LOSS),
            _ => 1.0 - path.loss.min(MOST_LOSS),
        };
        if f64::from(told.answered) >= f64::from(told.asked) * usual {
            self.low = Count::default();
            return Advice::Nothing;
        }
        self.low = self.low.plus(told);
        if at_most(self.low, usual) > LOW_BY_LUCK {
            return Advice::Nothing;
        }
        let share = f64::from(self.low.answered) / f64::from(self.low.asked);
        self.low = Count::default();
        match self.state {
            State::Free if self.tried == Tried::NotYet => {
                let rate = self.gauge.rate(now).max(self.gauge.delivered(now));
                self.slow_down(now, path, self.gauge.steady_share(), rate, None);
            }
            State::Held { .. } => self.ease(now, share),
            _ => {}
        }
        Advice::Nothing
    }

    /// Whether more canaries in a row were silent than are by chance.
    fn is_silent(&self, path: &Path) -> bool {
        all_lost(assumed_loss(path), self.failed) <= self.bad_luck()
    }

    /// Some of a round have answered.
    fn note(&mut self, share: Share) {
        let limited = self.chokes.times() > 1;
        self.chokes.answered(share);
        if limited && self.chokes.times() <= 1 {
            // It was chance, and so far nobody asked canaries beside what the kernel has repeated.
            self.proving = Proving::Missed;
        }
    }

    /// Canaries of one host alone fail: its own lane sees to that.
    fn leave(&mut self, host: u64, ports: u64) {
        self.canaries.forget(host, ports);
        self.failed = 0;
        self.apart.push(host);
    }

    /// Where a network is held to a rate, canaries of all hosts tell whether it carries that. The share of them that answers
    /// at a rate that came through is what the path loses at any rate.
    fn judge_network(&mut self, now: Time, told: Count) {
        let State::Held { share, raise } = self.state else {
            return;
        };
        let Some(usual) = share else {
            self.calm = self.calm.plus(told);
            if self.calm.asked >= ENOUGH_CALM {
                let seen = f64::from(self.calm.answered) / f64::from(self.calm.asked);
                self.calm = Count::default();
                let share = Some(seen.clamp(1.0 - MOST_LOSS, MOST_CALM));
                self.state = State::Held { share, raise };
            }
            return;
        };
        if f64::from(told.answered) >= f64::from(told.asked) * usual {
            self.low = Count::default();
            return;
        }
        self.low = self.low.plus(told);
        if at_most(self.low, usual) <= LOW_BY_LUCK {
            let kept = f64::from(self.low.answered) / f64::from(self.low.asked);
            self.low = Count::default();
            self.ease(now, kept / usual);
            let raise = now + RAISE_EVERY;
            self.state = State::Held { share, raise };
        }
    }

    pub(super) fn choke(&mut self, now: Time, path: &Path) {
        self.choking = self.pace.as_ref().map_or(path.rate, Pace::rate);
        if self.choking <= self.carried {
            // It came through while a limiter still had room.
            self.carried = self.choking * CARRIED;
        }
        let wait = path.timeout.max(LEAST_WINDOW);
        let wait = wait.max(self.rested(now, path).since(now));
        self.state = State::Choked {
            since: now,
            next: now + wait,
            wait,
        };
    }

    /// How many probes may be out unproven when all goes well. Where the path loses in bursts, what is out is asked once more
    /// each time that it is dead for a while: no more of them than leave while canaries are waited for.
    fn most_unproven(&self, path: &Path) -> u64 {
        if !self.bursts.are_found() {
            return MOST_UNPROVEN;
        }
        let rate = self.pace.as_ref().map_or(path.rate, Pace::rate);
        let leave = rate * path.timeout.as_secs_f64() * 2.0;
        (leave as u64).clamp(FIRST_UNPROVEN, MOST_UNPROVEN)
    }

    /// How seldom so many canaries in a row are lost by chance where the path chokes. One that loses in bursts loses whole rounds
    /// and is back at the next; to look once more costs nothing, because what may be out unproven is out by then.
    fn bad_luck(&self) -> f64 {
        if self.bursts.are_found() {
            WORSE_LUCK
        } else {
            BAD_LUCK
        }
    }

    /// Until when a path is left alone once canaries have failed on it.
    fn rested(&self, now: Time, path: &Path) -> Time {
        match path.whose {
            Whose::SilentHost => self.bursts.rested(now, path.repeats),
            Whose::OneHost | Whose::Network { .. } => now,
        }
    }

    /// The path loses in bursts: no rate is to blame.
    fn go_on(&mut self, now: Time) -> Advice {
        let proof = self.gauge.proof();
        self.set_free();
        self.low = Count::default();
        if self.chokes.times() > 1 {
            self.proving = Proving::Missed;
        }
        self.chokes = Chokes::default();
        self.unproven = FIRST_UNPROVEN;
        self.gauge.resume(now);
        Advice::Resume(proof)
    }

    pub(super) fn resume(&mut self, now: Time, path: &Path) -> Advice {
        let proof = self.gauge.proof();
        if self.stuck.times == 0 {
            self.stuck.since = now;
        } else if self.stuck.times > MOST_STUCK
            && now.since(self.stuck.since) > path.patience * GIVE_UP
        {
            return Advice::GiveUp;
        }
        // Little is known of a period that was short.
        let rate = self
            .gauge
            .delivered(now)
            .max(self.choking / MOST_SLOWING)
            .max(self.carried);
        self.failed = 0;
        self.gauge.resume(now);
        // At first it is more likely that the rate is to blame.
        let smaller = self.stuck.times.saturating_sub(2).min(8);
        self.unproven = (FIRST_UNPROVEN >> smaller).max(LEAST_UNPROVEN);
        self.stuck.times += 1;
        self.pace = Some(held(rate, now));
        self.state = State::Held {
            share: None,
            raise: now + (path.timeout * 4).max(QUICK_RAISE),
        };
        Advice::Resume(proof)
    }
}

/// The chance that so few of them answer, or fewer, if each does with this chance.
pub(super) fn at_most(count: Count, chance: f64) -> f64 {
    let odds = chance / (1.0 - chance).max(1e-9);
    let mut term = (1.0 - chance).powi(i32::try_from(count.asked).unwrap_or(i32::MAX));
    let mut sum = term;
    for answered in 0..count.answered {
        term *= odds * f64::from(count.asked - answered) / f64::from(answered + 1);
        sum += term;
    }
    sum
}

/// The chance that so many canaries in a row are lost, each of them with this chance.
pub(super) fn all_lost(lost: f64, count: u32) -> f64 {
    lost.powi(i32::try_from(count).unwrap_or(i32::MAX))
}

/// The loss that is reckoned with when canaries fail.
fn assumed_loss(path: &Path) -> f64 {
    path.loss.clamp(LEAST_LOSS, MOST_LOSS)
}

/// A choked path carries again when this part of the canaries that are expected to answer does.
const PARTLY: f64 = 0.5;
/// A choked path is tried again at no less than this part of the rate that choked.
const MOST_SLOWING: f64 = 8.0;
/// So often in a row nothing was proven by the smallest windows.
const MOST_STUCK: u32 = 8;
/// Of a rate that came through and choked later.
const CARRIED: f64 = 0.6;
/// More than the least round only where it is no more than one for so many probes.
const CANARY_SHARE: usize = 64;
/// So many canaries tell what share of them answers, and no larger share than this is relied on.
const ENOUGH_CALM: u32 = 16;
const MOST_CALM: f64 = 0.95;
/// Canaries of one round, at least.
const LEAST_ROUND: usize = 4;
/// So many canaries in a row are not lost by chance.
const BAD_LUCK: f64 = 0.01;
/// Nor are so many where a burst takes a whole round.
const WORSE_LUCK: f64 = 1e-3;
/// Where so many are known, a round is so big that all of it is lost by chance this seldom.
const SELDOM: f64 = 1e-4;
/// Loss that is reckoned with, at least, when canaries fail: early on little is known of it.
const LEAST_LOSS: f64 = 0.4;
/// Loss that is reckoned with, at most: what a choked path loses is no measure of it.
const MOST_LOSS: f64 = 0.6;
/// So few canaries of rounds in a row answer by chance this often.
const LOW_BY_LUCK: f64 = 1e-3;
/// Canaries of one round to a network.
pub(super) const NETWORK_ROUND: usize = 10;
/// What canaries on a rested path tell is heeded for the rest of the scan, and a busy machine of our own may be late by that
/// much.
const BUSY: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// No canaries are asked for so long after our own side refused to send them.
const REFUSED_REST: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
