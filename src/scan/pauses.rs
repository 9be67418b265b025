//! The engine's time: it stands still while the scan is paused, so that no silence is judged that the pause explains.
//!
//! It runs on for a moment after a pause begins. What was sent before then is answered in that time, and is heard at the
//! time at which it came; the engine is not called meanwhile but to be told of answers, so to it a long pause is a short
//! one in which nobody asked it for anything.

use std::time::Duration;

use crate::model::Time;

/// The pauses so far. The transport's time goes in, the engine's comes out, and back.
#[derive(Clone, Default, Debug)]
pub struct Pauses {
    /// In order. Each is what a pause lasted beyond [`HEARING`], so they are few.
    frozen: Vec<Frozen>,
    /// When the present pause began, on the transport's clock.
    since: Option<Time>,
}

/// A stretch of the transport's time in which the engine's stood still.
#[derive(Clone, Copy, Debug)]
struct Frozen {
    from: Time,
    until: Time,
}

/// Whether the scan sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Goes,
    Paused,
}

impl Pauses {
    /// The scan goes or is paused at this moment of the transport's clock. Gives the engine's time.
    pub fn tell(&mut self, at: Time, flow: Flow) -> Time {
        match (flow, self.since) {
            (Flow::Paused, None) => self.since = Some(at),
            (Flow::Goes, Some(since)) => {
                let from = since + HEARING;
                if at > from {
                    self.frozen.push(Frozen { from, until: at });
                }
                self.since = None;
            }
            _ => {}
        }
        self.engine(at)
    }

    /// The engine's time at a moment of the transport's, present or past.
    pub fn engine(&self, at: Time) -> Time {
        let present = self.since.map(|since| Frozen {
            from: since + HEARING,
            until: Time::NEVER,
        });
        let lost: Duration = self
            .frozen
            .iter()
            .chain(&present)
            .map(|frozen| at.min(frozen.until).since(frozen.from))
            .sum();
        at - lost
    }

    /// The transport's time at a moment of the engine's: the first that fits, where it stood still.
    pub fn transport(&self, at: Time) -> Time {
        let mut at = at;
        for frozen in &self.frozen {
            if at > frozen.from {
                at = at + frozen.until.since(frozen.from);
            }
        }
        at
    }
}

/// For how long after a pause begins the engine's time goes on.
const HEARING: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000_000_000)
    }

    #[test]
    fn time_stands_still_in_a_long_pause_and_not_in_a_short_one() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.tell(at(5), Flow::Goes), at(5));
        assert_eq!(pauses.tell(at(10), Flow::Paused), at(10));
        assert_eq!(pauses.tell(at(12), Flow::Paused), at(12));
        // Short: as if nothing had been.
        assert_eq!(pauses.tell(at(12), Flow::Goes), at(12));
        assert_eq!(pauses.tell(at(20), Flow::Paused), at(20));
        assert_eq!(pauses.tell(at(60), Flow::Paused), at(23));
        assert_eq!(pauses.tell(at(123), Flow::Goes), at(23));
        assert_eq!(pauses.tell(at(124), Flow::Goes), at(24));
    }

    #[test]
    fn answers_keep_the_time_at_which_they_came() {
        let mut pauses = Pauses::default();
        pauses.tell(at(20), Flow::Paused);
        pauses.tell(at(123), Flow::Goes);
        pauses.tell(at(130), Flow::Paused);
        pauses.tell(at(233), Flow::Goes);
        for (came, engine) in [
            (19, 19),
            (22, 22),
            (23, 23),
            (100, 23),
            (123, 23),
            (125, 25),
            (133, 33),
            (200, 33),
            (234, 34),
        ] {
            assert_eq!(pauses.engine(at(came)), at(engine), "{came}");
        }
    }

    #[test]
    fn what_the_engine_tells_is_told_in_the_transports_time() {
        let mut pauses = Pauses::default();
        pauses.tell(at(20), Flow::Paused);
        pauses.tell(at(123), Flow::Goes);
        for (engine, told) in [(5, 5), (23, 23), (24, 124)] {
            assert_eq!(pauses.transport(at(engine)), at(told), "{engine}");
        }
        assert_eq!(pauses.transport(Time::NEVER), Time::NEVER);
    }
}
