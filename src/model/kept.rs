//! What a scan gives to be kept while it runs, so that another run can go on where it ended.
//!
//! Everything is an index of the plan: whoever keeps it also keeps which plan that was.

use std::time::Duration;

use crate::model::{Note, Reason, State};

/// One thing worth keeping, in the order in which it came to be known.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Kept {
    /// An endpoint has its verdict.
    Told(Told),
    /// An endpoint has answered with a SYN-ACK, and its verdict waits for what else is heard of its host. One that comes
    /// later for the same endpoint takes the place of the first.
    Claimed(Claim),
    /// Something about a host (by its number in the plan) or the whole scan.
    Noted { host: Option<u64>, note: Note },
    /// Every endpoint up to a place in the order of the walk has its verdict; those without one here kept silent.
    Through(Through),
    /// These hosts, by their numbers among the targets, both included, were found to be there.
    Up { first: u64, last: u64 },
    /// The hosts that are there are all told; from here on the plan is theirs alone.
    Looked(Looked),
}

/// The verdict of an endpoint that did not keep silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// By the plan.
    pub index: u64,
    pub state: State,
    pub reason: Reason,
    pub rtt: Option<Duration>,
    pub ttl: Option<u8>,
    pub attempts: u16,
}

/// A SYN-ACK that has no verdict yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// By the plan.
    pub index: u64,
    pub rtt: Option<Duration>,
    pub ttl: Option<u8>,
    pub attempts: u16,
    pub oddness: Oddness,
    pub proof: Proof,
}

/// How far a scan is done with for good.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Through {
    /// So many endpoints of the order of the walk.
    pub places: u64,
    /// Open ports expected to have been missed among them.
    pub missed: f64,
    /// Hosts among them that stopped answering.
    pub blocked: u64,
    /// Hosts among them of which nothing more was heard after a scan went on.
    pub unheard: u64,
}

/// What came of looking for hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Looked {
    pub asked: u64,
    pub up: u64,
    /// Hosts that our own side could not ask.
    pub untold: u64,
}

/// What is odd about a SYN-ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Oddness {
    None,
    /// It came another way than the route says.
    Detour,
    NoOptions,
    /// A valid reset came as well.
    Contradicted,
    ZeroWindow,
}

/// How far an endpoint is from open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A SYN-ACK came.
    Claimed,
    /// A kernel connect was taken, with an open window.
    Proven,
}
