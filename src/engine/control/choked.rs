//! A path that has choked, and how it goes on once canaries answer again.

use super::bursts::LONGEST_BURST;
use super::*;

impl Control {
    pub(super) fn choke(&mut self, now: Time, path: &Path) {
        self.chokes = self.chokes.saturating_add(1);
        if path.whose == Whose::SilentHost {
            self.proving = Proving::Missed;
        }
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

    /// Until when a path is left alone once canaries have failed on it.
    pub(super) fn rested(&self, now: Time, path: &Path) -> Time {
        match path.whose {
            Whose::SilentHost => self.bursts.rested(now, path.repeats),
            Whose::OneHost | Whose::Network { .. } => now,
        }
    }

    /// The path loses in bursts: no rate is to blame.
    pub(super) fn go_on(&mut self, now: Time) -> Advice {
        self.chokes = 0;
        self.go_free(now, FIRST_UNPROVEN)
    }

    /// The path has been dead since then, and there is no limiter: that passes are lost in part is what more of them are made
    /// for. What was dead for long is no burst, and what it swallowed is asked again.
    pub(super) fn outlast(&mut self, now: Time, since: Time) -> Advice {
        if now > since + LONGEST_BURST {
            return self.go_on(now);
        }
        self.set_free();
        self.chokes = 0;
        self.gauge.resume(now);
        Advice::Nothing
    }

    /// Goes at full rate once more, to send as many probes as show whether a limiter is to blame.
    pub(super) fn try_fast(&mut self, now: Time, beyond: u64) -> Advice {
        self.go_free(now, beyond * 2)
    }

    fn go_free(&mut self, now: Time, unproven: u64) -> Advice {
        let proof = self.gauge.proof();
        self.set_free();
        self.low = Count::default();
        self.unproven = unproven;
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

/// A choked path is tried again at no less than this part of the rate that choked.
const MOST_SLOWING: f64 = 8.0;
/// So often in a row nothing was proven by the smallest windows.
const MOST_STUCK: u32 = 8;
/// Of a rate that came through and choked later.
const CARRIED: f64 = 0.6;
