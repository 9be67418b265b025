//! Which attempt an answer belongs to.

use std::time::Duration;

use super::{FAST_LIFE, Lane, TIMER_SLACK};
use crate::engine::HASTY;
use crate::engine::canary::To;
use crate::engine::late::LATE;
use crate::engine::pass::{Again, Kind, Pass};
use crate::engine::trials::{Came, SERVER_REPEATS};
use crate::model::{Source, Time};

impl Lane {
    /// Which attempt an answer to `flow` at `at` answered (0 for the first), where that can be told, and the round-trip time
    /// where that is certain.
    pub fn attribute(&self, flow: u8, key: u64, at: Time) -> (Came, Option<Duration>) {
        let Some(pass) = self.pass_of_flow(flow) else {
            return (Came::Unknown, None);
        };
        if pass.has_repeated(key) {
            // All times that this pass has asked it are one attempt.
            return (Came::To(pass.number), None);
        }
        let sent = pass.sent_at(key).filter(|&sent| sent <= at);
        let in_time = sent
            .map(|sent| at.since(sent))
            .is_some_and(|delay| delay <= self.rtt.timeout() && self.rtt.is_possible(delay));
        // Of a repeated SYN-ACK neither the loss nor the time is that of the SYN.
        if !(self.rtt.is_known() && in_time) && self.is_server_repeat(flow, key, at) {
            return (Came::Repeated(self.latest_before(key, at)), None);
        }
        if flow == 0 && self.has_repeated() {
            let came = match sent {
                // The first answer of all, just after a repeat: the attempts before were lost. Later than that the path or
                // the server is slow, and nobody can tell.
                Some(sent) if !self.rtt.is_known() => {
                    if at.since(sent) <= self.likely_timeout() + TIMER_SLACK {
                        Came::To(pass.number)
                    } else {
                        Came::Unknown
                    }
                }
                // Not reached by the repeat yet: only the first can have been answered.
                None => Came::To(0),
                // Later than that it belongs to a slow server, and says nothing about loss.
                Some(_) if in_time => Came::To(pass.number),
                Some(_) => Came::Unknown,
            };
            return (came, None);
        }
        (Came::To(pass.number), sent.map(|sent| at.since(sent)))
    }

    /// Whether an answer to `flow` came when a server repeats its SYN-ACK: then it had arrived, and its answer was lost.
    fn is_server_repeat(&self, flow: u8, key: u64, at: Time) -> bool {
        let slack = self.likely_timeout() + TIMER_SLACK;
        std::iter::once(&self.pass)
            .chain(&self.past)
            .filter(|pass| pass.flow == flow)
            .filter_map(|pass| pass.sent_at(key))
            .any(|sent| {
                let delay = at.since(sent);
                SERVER_REPEATS
                    .iter()
                    .any(|&after| delay >= after && delay <= after + slack)
            })
    }

    /// The latest attempt at `key` that was lost, if it is a repeat that answers at `at`: an attempt just before that may have
    /// got through, and its answer is on its way.
    fn latest_before(&self, key: u64, at: Time) -> u16 {
        let due = |pass: &&Pass| {
            pass.sent_at(key)
                .is_some_and(|sent| sent + self.rtt.timeout() <= at)
        };
        let mut passes = std::iter::once(&self.pass).chain(&self.past);
        match passes.find(due) {
            Some(pass) if self.rtt.is_known() => pass.trial,
            Some(_) | None => self.pass.trial,
        }
    }

    /// The timeout, or that of most paths while nothing is known of this one.
    fn likely_timeout(&self) -> Duration {
        if self.rtt.is_known() {
            self.rtt.timeout()
        } else {
            LIKELY_RTT
        }
    }

    /// Something came from an endpoint that had answered: a canary's answer, or one answer more.
    pub fn canary_heard(&mut self, source: &Source, index: u64, at: Time) {
        // How long it took, where that is not known from when it was asked, and how long it may have.
        let (rtt, timeout) = match *source {
            Source::Attempt { .. } => (source.rtt(), self.canary_life()),
            Source::Flow(_) | Source::Host => (None, self.rtt.timeout().max(FAST_LIFE)),
        };
        // Of a kernel's SYN and its repeats nobody knows which was answered, and how many were lost.
        let once = !matches!(*source, Source::Attempt { syns, .. } if syns > 1);
        let passes = std::iter::once(&mut self.pass).chain(&mut self.past);
        for pass in passes {
            let own = match *source {
                Source::Flow(flow) => flow == pass.flow,
                Source::Attempt { attempt, .. } => attempt & !HASTY == pass.number,
                Source::Host => false,
            };
            if !own {
                continue;
            }
            if !once && pass.canary_refused(index) {
                return self.trials.canary_refused(pass.trial);
            }
            let trial = if let Some(delay) = pass.canary_heard(index, at, timeout) {
                let delay = match pass.kind {
                    Kind::Fast => Some(rtt.unwrap_or(delay)),
                    Kind::First | Kind::Patient => rtt,
                };
                if let Some(delay) = delay.filter(|&delay| !self.rtt.is_known() && delay < LATE) {
                    // Everything else has answered repeats only, which give no round-trip time.
                    self.rtt.sample(delay);
                }
                pass.trial
            } else if let Some(repeat) = pass.echoes.ended(index, at, timeout) {
                pass.trial + repeat
            } else {
                continue;
            };
            return match once {
                true => self.trials.canary_heard(trial),
                false => self.trials.canary_refused(trial),
            };
        }
    }

    /// Our own side could not ask an endpoint that had answered: a canary of this pass, if it was one.
    pub fn canary_refused(&mut self, index: u64, at: Time) {
        let timeout = self.canary_life();
        if self.pass.canary_refused(index) {
            self.trials.canary_refused(self.pass.trial);
        } else if let Some(repeat) = self.pass.echoes.ended(index, at, timeout) {
            self.trials.canary_refused(self.pass.trial + repeat);
        }
    }

    /// Whether it is known how long answers take, or at least that this canary's, which came at `at`, took no longer than it was
    /// waited for.
    pub fn knows_time(&self, index: u64, to: To, at: Time) -> bool {
        self.rtt.is_known() || self.control.canaries.was_in_time(index, to, at)
    }

    /// How long the connect of a canary lives.
    pub fn canary_life(&self) -> Duration {
        self.rtt.longest().max(FAST_LIFE)
    }

    /// Which attempt was answered by the SYN that a connect of pass `number` sent after so many others.
    pub fn came_to(&self, number: u16, repeats: u16) -> Came {
        let Some(pass) = self.pass_of_number(number) else {
            return Came::Unknown;
        };
        // The repeats of a connect that an earlier pass has made fall between those of this one, if it waits for any.
        let to = self.pass.trial.saturating_add(repeats);
        match (repeats, pass.number == self.pass.number, self.pass.again) {
            (0, _, _) => Came::To(pass.trial),
            (_, false, Again::Unsettled) => Came::Skipping {
                to,
                skipped: self.pass.trial,
            },
            (_, _, _) => Came::To(to),
        }
    }

    /// Which SYN of a connect was answered (0 for the first) that had repeated its SYN so often, so long after the first: the
    /// kernel's first repeats are a second apart (tcp_syn_linear_timeouts). `None` if none was answered in time: the server is
    /// slow, and that says nothing about loss.
    pub fn answered_syn(&self, repeats: u16, took: Option<Duration>) -> Option<u16> {
        if repeats == 0 {
            return Some(0);
        }
        let took = took?;
        let second = |repeat: u16| REPEAT * u32::from(repeat);
        // Each repeat is made by a timer that the one before it has set. Where nobody knows how long answers take, so much would be
        // the time of a slow server.
        let timers = |repeat: u16| {
            if self.rtt.is_known() {
                repeat.clamp(1, 2)
            } else {
                1
            }
        };
        let late = |repeat| self.likely_timeout() + TIMER_SLACK * u32::from(timers(repeat));
        let possible = |after: Duration| {
            let delay = took.checked_sub(after);
            delay.filter(|&delay| self.rtt.is_possible(delay))
        };
        if took < second(repeats) {
            // It has repeated it sooner than that: some repeats did not leave this machine.
            return (1..repeats)
                .find(|&failed| {
                    let delay = possible(second(repeats) - FAILED_REPEAT * u32::from(failed));
                    delay.is_some_and(|delay| delay <= late(repeats))
                })
                .map(|failed| repeats - failed);
        }
        let (repeat, delay) = (0..=repeats)
            .rev()
            .find_map(|repeat| Some((repeat, possible(second(repeat))?)))?;
        (delay <= late(repeat)).then_some(repeat)
    }

    /// How long after it was asked an endpoint has answered, where it came late (see `late`), and to which attempt: `rtt` if
    /// that is certain, else since the first time that this flow or connect asked it.
    pub fn lateness(
        &self,
        source: &Source,
        key: u64,
        at: Time,
        (came, rtt): (Came, Option<Duration>),
    ) -> Option<(Duration, Option<u16>)> {
        if self.pass.has_repeated(key) {
            return None;
        }
        let mut passes = std::iter::once(&self.pass).chain(&self.past);
        let (delay, attempt) = match (*source, rtt) {
            (Source::Flow(_), Some(rtt)) => (rtt, came.attempt()),
            // Of SYNs that repeat each other nobody knows which was answered.
            (Source::Flow(flow), None) => {
                let asked = passes.rfind(|pass| pass.flow == flow)?;
                (at.since(asked.sent_at(key)?), None)
            }
            (
                Source::Attempt {
                    attempt,
                    syns,
                    took,
                },
                _,
            ) if syns <= LINEAR_SYNS => {
                let asked = self.pass_of_number(attempt & !HASTY)?;
                // Where our own side is so busy that repeats do not leave, it may be what was late.
                let left = REPEAT * u32::from(syns.saturating_sub(1));
                (took.filter(|&took| took >= left)?, Some(asked.trial))
            }
            (Source::Attempt { .. } | Source::Host, _) => return None,
        };
        let told = came == Came::Unknown || matches!(source, Source::Flow(_)) && rtt.is_some();
        (told && delay > LATE).then_some((delay, attempt))
    }

    fn pass_of_number(&self, number: u16) -> Option<&Pass> {
        std::iter::once(&self.pass)
            .chain(&self.past)
            .find(|pass| pass.number == number)
    }

    /// The pass whose SYNs left by `flow`; where identical repeats were made, the latest.
    fn pass_of_flow(&self, flow: u8) -> Option<&Pass> {
        std::iter::once(&self.pass)
            .chain(&self.past)
            .find(|pass| pass.flow == flow)
    }

    /// Whether identical repeats of the first attempt have begun: then its answers give no RTT sample (Karn).
    fn has_repeated(&self) -> bool {
        // Each other pass has a flow of its own.
        u16::from(self.flows_used) <= self.pass.number
    }
}

/// A kernel sends so many SYNs a second apart, before it waits ever longer.
const LINEAR_SYNS: u8 = 5;
/// The kernel repeats a SYN so long after the last, and one that did not leave this machine (a full queue; the kernel counts
/// it all the same) half of that after it (TCP_RESOURCE_PROBE_INTERVAL).
const REPEAT: Duration = Duration::from_secs(1);
const FAILED_REPEAT: Duration = Duration::from_millis(500);
/// Of a path that nothing is known of.
const LIKELY_RTT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Asking;
    use crate::engine::pass::Scope;
    use crate::engine::space::Space;

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    fn asked_at_zero() -> Lane {
        let mut lane = Lane::new(Space::Block, 10, Time::ZERO);
        lane.pass.checkpoint(0, Time::ZERO);
        lane.pass.cursor = 10;
        lane
    }

    /// The same once more, a second later, as far as `cursor`.
    fn asked_again(mut lane: Lane, kind: Kind, cursor: u64) -> Lane {
        let asking = Asking::Syn { flows: 20 };
        lane.begin(after(1000), kind, Scope::All, asking);
        lane.pass.checkpoint(0, after(1000));
        lane.pass.cursor = cursor;
        lane
    }

    fn after(millis: u64) -> Time {
        Time(millis * 1_000_000)
    }

    #[test]
    fn a_syn_ack_that_the_server_repeats_is_no_round_trip_and_no_answer_to_the_first_attempt() {
        let mut lane = asked_at_zero();
        let repeat = (Came::Repeated(0), None);
        assert_eq!(lane.attribute(0, 3, after(1010)), repeat);
        lane.rtt.sample(Duration::from_millis(5));
        assert_eq!(lane.attribute(0, 3, after(1010)), repeat);
        assert_eq!(lane.attribute(0, 3, after(3010)), repeat);
    }

    #[test]
    fn a_host_that_answers_after_seconds_has_not_lost_the_attempts_before() {
        let lane = asked_again(asked_at_zero(), Kind::Patient, 10);
        assert_eq!(lane.attribute(0, 3, after(2500)), (Came::Unknown, None));
        assert_eq!(lane.attribute(0, 3, after(1900)), (Came::Unknown, None));
        assert_eq!(lane.attribute(0, 3, after(1005)).0, Came::Repeated(1));
        assert_eq!(lane.attribute(0, 3, after(1150)).0, Came::Repeated(1));
    }

    #[test]
    fn a_repeat_is_not_answered_sooner_than_anything_else_is() {
        let mut lane = asked_at_zero();
        (0..4).for_each(|_| lane.rtt.sample(Duration::from_millis(350)));
        assert_eq!(lane.answered_syn(2, millis(2350)), Some(2));
        // Too soon for the third SYN, and too late for the second.
        assert_eq!(lane.answered_syn(2, millis(2150)), None);
        let source = Source::Attempt {
            attempt: 0,
            syns: 3,
            took: millis(2150),
        };
        let late = |came| lane.lateness(&source, 3, after(2150), (came, None));
        let delay = Duration::from_millis(2150);
        assert_eq!(late(Came::Unknown), Some((delay, Some(0))));
        assert_eq!(late(Came::To(2)), None);
        // On a far path the first SYN is answered after the second has left.
        let mut far = asked_at_zero();
        far.rtt.sample(Duration::from_millis(1200));
        assert_eq!(far.answered_syn(1, millis(1210)), Some(0));
    }

    /// A repeat found a queue of this machine full, and left half a second later. Servers that answered it at once were taken
    /// for slow ones, and waited for on and on.
    #[test]
    fn a_server_was_thought_late_when_the_kernel_could_not_send_its_repeat() {
        let mut lane = asked_at_zero();
        lane.rtt.sample(Duration::from_millis(2));
        for (syns, took, came) in [
            (3, 1546, Some(1)),
            (3, 1510, Some(1)),
            (3, 2150, Some(2)),
            (4, 2060, Some(1)),
            (4, 2570, Some(2)),
            (3, 1900, None),
            (2, 1546, None),
            (4, 1546, None),
        ] {
            let answered = lane.answered_syn(syns - 1, millis(took));
            assert_eq!(answered, came, "{syns} SYNs, {took} ms");
        }
        let unknown = asked_at_zero();
        let told = [2060, 2400].map(|took| unknown.answered_syn(3, millis(took)));
        assert_eq!(
            told,
            [Some(1), None],
            "a repeat is not answered before it leaves"
        );
        for (syns, late) in [(3, None), (2, Some((Duration::from_millis(1900), Some(0))))] {
            let source = Source::Attempt {
                attempt: 0,
                syns,
                took: millis(1900),
            };
            // It was handed over 200 ms before it left.
            let told = lane.lateness(&source, 3, after(2100), (Came::Unknown, None));
            assert_eq!(told, late, "{syns} SYNs");
        }
    }

    #[test]
    fn nobody_knows_which_of_two_like_syns_a_late_answer_answers() {
        let lane = asked_again(asked_at_zero(), Kind::Patient, 10);
        let late = |at, came| lane.lateness(&Source::Flow(0), 3, at, came);
        let delay = Duration::from_millis(2500);
        assert_eq!(
            late(after(2500), (Came::Unknown, None)),
            Some((delay, None))
        );
        assert_eq!(late(after(1005), (Came::Repeated(1), None)), None);
    }

    /// Of 100 answers two were lost. Their servers repeated them just after all that was silent was asked once more, and both
    /// attempts were counted as lost.
    #[test]
    fn an_attempt_whose_answer_was_on_its_way_was_counted_as_lost_when_a_server_repeated_itself() {
        let mut lane = asked_at_zero();
        lane.rtt.sample(Duration::from_millis(5));
        let lane = asked_again(lane, Kind::Fast, 5);
        assert_eq!(lane.pass.number, 1);
        let lost = |at, key| lane.attribute(0, key, after(at)).0;
        assert_eq!(lost(1004, 3), Came::Repeated(0));
        assert_eq!(lost(3004, 3), Came::Repeated(1));
        // Not asked once more yet.
        assert_eq!(lost(1004, 7), Came::Repeated(0));
    }

    /// By kernel connect a canary was lost and its repeat answered: the hole that it had shown looked like a path that was clear.
    #[test]
    fn a_canary_that_answered_its_kernels_repeat_was_counted_as_heard() {
        for (syns, told) in [(1, (1, 1)), (2, (0, 0))] {
            let mut lane = asked_at_zero();
            lane.pass.watch(&[7]);
            lane.pass.canary_asked(Time::ZERO);
            let source = Source::Attempt {
                attempt: 0,
                syns,
                took: millis(if syns == 1 { 5 } else { 1005 }),
            };
            lane.canary_heard(&source, 7, after(1005));
            assert_eq!(lane.pass.canaries(), told, "{syns}");
            assert_eq!(
                lane.rtt.mean(),
                (syns == 1).then_some(Duration::from_millis(5))
            );
        }
    }

    #[test]
    fn a_slow_server_is_not_taken_for_one_that_repeats() {
        let mut lane = asked_at_zero();
        lane.rtt.sample(Duration::from_millis(5));
        let slow = Duration::from_millis(2500);
        assert_eq!(lane.attribute(0, 3, after(2500)), (Came::To(0), Some(slow)));
    }
}
