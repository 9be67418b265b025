//! What crosses between a control and the engine: of the path, and what to do.

use std::time::Duration;

use super::Repeats;
use crate::engine::canary::Canary;
use crate::model::Time;

/// What the engine should do after a look.
#[derive(Clone, PartialEq, Debug)]
pub enum Advice {
    Nothing,
    /// Ask these endpoints again, which have answered before.
    Ask(Vec<Canary>),
    /// Nothing gets through at present.
    Choked,
    /// Go on, and ask again what was asked since then.
    Resume(Time),
    /// Nothing has come through for long enough.
    GiveUp,
    /// Say that the host limits its resets.
    ResetsLimited,
}

/// What the control is told of the path when it looks.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The retransmission timeout.
    pub timeout: Duration,
    /// How long a canary may take to answer: longer, since a late answer is one.
    pub canary: Duration,
    /// How late our own side is with what it is to ask: what it holds up has yet to leave.
    pub held_up: Duration,
    /// Loss per round trip, 0 to 1.
    pub loss: f64,
    /// Probes per second that the whole scan may send at present.
    pub rate: f64,
    /// How long a silent endpoint is listened to.
    pub patience: Duration,
    /// How long a canary is left alone after it was asked.
    pub rest: Duration,
    pub repeats: Repeats,
    pub whose: Whose,
}

/// Whose packets a control looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    OneHost,
    /// Those of one host that is silent but for a few open endpoints: nothing but canaries tells what comes through.
    SilentHost,
    /// Those of all hosts, of so many endpoints each: one of them that is silent or limited tells nothing of the others.
    Network {
        ports: u64,
    },
}
