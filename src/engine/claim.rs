//! SYN-ACKs that are not told yet, and the rules by which the hosts that sent them are weighed. Pure figures.
//!
//! A SYN-ACK is a claim. A clean one is open; an odd one is *confirmed* by a kernel connect, which is what connect mode
//! would have made. Whether a host's opens are odd because there are so many is only known when enough of its ports were
//! probed, so its opens are held until then: nothing that was told is ever taken back.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::confirm::NEARLY_ALL;
use crate::engine::tries::{Rounds, Tries};
use crate::model::{Presence, Reason, Seen, SynAck, Time};

pub use crate::model::{Oddness, Proof};

/// An endpoint that answered with a SYN-ACK and has no verdict yet.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// By the plan.
    pub index: u64,
    pub rtt: Option<Duration>,
    pub ttl: Option<u8>,
    pub attempts: u16,
    pub at: Time,
    pub oddness: Oddness,
    pub proof: Proof,
    /// Connects that heard nothing.
    pub tries: Tries,
}

/// What is known of a host that answered with SYN-ACKs.
#[derive(Default, Debug)]
pub struct Record {
    /// Endpoints that answered with a SYN-ACK.
    pub syn_acks: u64,
    /// Confirmations: endpoints that were ever asked, those under way, and how they ended.
    pub begun: u32,
    pub under_way: u32,
    pub proved: u32,
    pub refuted: u32,
    pub unheard: u32,
    /// The host's share of opens is not known yet.
    pub fresh: Vec<Held>,
    /// Odd, and still to be asked.
    pub queued: VecDeque<Held>,
    /// Asked, and the connect heard nothing.
    pub silent: Vec<Held>,
    /// Open, unless the host turns out to answer everything.
    pub proven: Vec<Held>,
    pub standing: Standing,
    pub in_line: Line,
    pub rounds: Rounds,
}

/// What a host is taken for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Standing {
    #[default]
    Ordinary,
    /// Kernel connects to it are never answered, although the capture hears it.
    Unheard,
    /// It answers everything.
    Liar,
}

/// Whether a host is in the line of those to be asked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Line {
    #[default]
    No,
    Yes,
    /// It will be when its time has come.
    Resting,
}

/// What the share of a host's opens says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Too early to tell.
    Unknown,
    Ordinary,
    /// So many that each is odd.
    Crowded,
}

/// What a share of nearly all ports says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    Unknown,
    No,
    Yes,
}

/// How much of a host was probed, and whether all answers to that are in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Probed {
    /// Endpoints probed so far, the same for each host of a shuffled plan.
    pub count: f64,
    /// Those of them whose answers have had their time.
    pub aged: f64,
    /// Endpoints that answered at all.
    pub answered: u64,
    pub share: Ripe,
    /// `Over` also where too few ports are scanned to tell.
    pub lie: Ripe,
}

/// Whether enough was probed, and its answers have had their time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ripe {
    NotYet,
    Yes,
    /// Nothing more will be probed.
    Over,
}

impl Held {
    /// The oddness of an answer by itself.
    pub fn oddness_of(seen: &Seen) -> Oddness {
        match *seen {
            Seen::SynAck(SynAck { window: 0, .. }) | Seen::Detour(SynAck { window: 0, .. }) => {
                Oddness::ZeroWindow
            }
            Seen::SynAck(answer) | Seen::Detour(answer) if answer.options == Presence::Absent => {
                Oddness::NoOptions
            }
            Seen::Detour(_) => Oddness::Detour,
            _ => Oddness::None,
        }
    }

    /// The reason for suspicion where nothing better is known.
    pub fn reason(&self) -> Reason {
        match self.oddness {
            Oddness::ZeroWindow => Reason::ZeroWindow,
            Oddness::None | Oddness::Detour | Oddness::NoOptions | Oddness::Contradicted => {
                Reason::Unconfirmed
            }
        }
    }

    /// Whether the answer itself is what a real stack sends.
    pub fn is_whole(&self) -> bool {
        matches!(self.oddness, Oddness::None | Oddness::Detour)
    }
}

impl Record {
    /// More than 20 and more than a tenth of what was probed.
    pub fn share(&self, probed: &Probed) -> Share {
        match probed.share {
            Ripe::NotYet => Share::Unknown,
            Ripe::Yes | Ripe::Over if self.is_crowd(probed) => Share::Crowded,
            // Nothing but opens so far, and not few: where most answers are lost, that may be a host that answers everything.
            Ripe::Yes if probed.lie != Ripe::Over && self.looks_alike(probed) => Share::Unknown,
            Ripe::Yes | Ripe::Over => Share::Ordinary,
        }
    }

    pub fn is_crowd(&self, probed: &Probed) -> bool {
        self.syn_acks > CROWD && self.syn_acks as f64 * 10.0 > probed.aged
    }

    /// Whether nearly everything is open. `sampled`: a sample of confirmations is proof; by kernel connects alone
    /// every open one is.
    pub fn lie(&self, probed: &Probed, by: Evidence) -> Lie {
        if self.standing == Standing::Liar {
            return Lie::Yes;
        }
        if probed.lie == Ripe::NotYet {
            return Lie::Unknown;
        }
        let claims = self.claims() as f64;
        if claims >= probed.count * NEARLY_ALL {
            return match (by, self.sample()) {
                (Evidence::Connects, _) | (Evidence::None, _) | (_, Lie::Yes) => Lie::Yes,
                (Evidence::Sample, other) => other,
            };
        }
        if probed.lie == Ripe::Over {
            return Lie::No;
        }
        // Answers are on their way, and lost ones may still come: as long as nearly all that answered is open, and there is
        // much of it, nothing is sure.
        let on_their_way = claims >= probed.aged * NEARLY_ALL;
        if on_their_way || self.looks_alike(probed) {
            Lie::Unknown
        } else {
            Lie::No
        }
    }

    /// Whether nearly all that has answered claims to be open.
    pub fn looks_alike(&self, probed: &Probed) -> bool {
        self.syn_acks > CROWD && self.is_open_throughout(probed)
    }

    /// Nearly all that has answered, however little that is, claims to be open.
    pub fn is_open_throughout(&self, probed: &Probed) -> bool {
        self.claims() as f64 >= probed.answered as f64 * NEARLY_ALL
    }

    /// Whether confirming more waits for the first few: a host that lies is found out by a sample.
    pub fn is_sampled(&self, probed: &Probed) -> bool {
        let next = self.queued.front().map(|held| held.oddness);
        next != Some(Oddness::ZeroWindow)
            && self.proved + self.refuted + self.under_way >= SAMPLE
            && self.sample() != Lie::No
            && self.looks_alike(probed)
    }

    /// SYN-ACKs that no connect has refuted.
    fn claims(&self) -> u64 {
        self.syn_acks.saturating_sub(self.refuted.into())
    }

    fn sample(&self) -> Lie {
        let heard = self.proved + self.refuted;
        if heard < SAMPLE {
            return Lie::Unknown;
        }
        let nearly_all = f64::from(self.proved) >= f64::from(heard) * NEARLY_ALL;
        if nearly_all { Lie::Yes } else { Lie::No }
    }

    /// Whether connects that heard nothing are worth a second try: the host does hear connects, or too few were made to
    /// tell.
    pub fn is_worth_a_retry(&self) -> bool {
        self.hears() || self.unheard < UNHEARD
    }

    /// Whether a connect to it was ever answered.
    pub fn hears(&self) -> bool {
        self.proved + self.refuted > 0
    }
}

/// What proves that a host answers everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// Every open endpoint was taken by a kernel connect.
    Connects,
    /// Some of them were.
    Sample,
    /// None can be (any more).
    None,
}

/// Opens of a host up to this number are never a crowd.
pub const CROWD: u64 = 20;
/// Confirmations that are enough to find out a host that answers everything.
const SAMPLE: u32 = 64;
/// Connects to one host without any answer, after which the next are not expected to have one.
const UNHEARD: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(count: f64, answered: u64) -> Probed {
        Probed {
            count,
            aged: count,
            answered,
            share: Ripe::Yes,
            lie: Ripe::Yes,
        }
    }

    fn record(syn_acks: u64, proved: u32, refuted: u32) -> Record {
        Record {
            syn_acks,
            proved,
            refuted,
            ..Record::default()
        }
    }

    #[test]
    fn a_crowd_is_more_than_twenty_and_more_than_a_tenth() {
        let share = |syn_acks, count| record(syn_acks, 0, 0).share(&probed(count, syn_acks));
        assert_eq!(share(20, 20.0), Share::Ordinary);
        assert_eq!(share(21, 200.0), Share::Crowded);
        let mixed = |syn_acks, count| record(syn_acks, 0, 0).share(&probed(count, syn_acks * 2));
        assert_eq!(mixed(21, 210.0), Share::Ordinary);
        assert_eq!(mixed(100, 65_535.0), Share::Ordinary);
        let early = Probed {
            share: Ripe::NotYet,
            ..probed(200.0, 150)
        };
        assert_eq!(record(150, 0, 0).share(&early), Share::Unknown);
    }

    #[test]
    fn opens_are_held_while_nothing_else_answers_and_told_at_the_end() {
        let share = |lie| {
            record(50, 0, 0).share(&Probed {
                lie,
                ..probed(1_000.0, 50)
            })
        };
        assert_eq!(share(Ripe::Yes), Share::Unknown);
        assert_eq!(share(Ripe::Over), Share::Ordinary);
        let closed_too = probed(1_000.0, 60);
        assert_eq!(record(50, 0, 0).share(&closed_too), Share::Ordinary);
        assert_eq!(
            record(20, 0, 0).share(&probed(1_000.0, 20)),
            Share::Ordinary
        );
    }

    #[test]
    fn nine_in_ten_ports_open_is_a_lie_once_a_sample_has_proved_it() {
        let lie = |record: Record, by| record.lie(&probed(1_000.0, 1_000), by);
        assert_eq!(lie(record(900, 0, 0), Evidence::Connects), Lie::Yes);
        assert_eq!(lie(record(899, 0, 0), Evidence::Connects), Lie::No);
        assert_eq!(lie(record(1_000, 63, 0), Evidence::Sample), Lie::Unknown);
        assert_eq!(lie(record(1_000, 64, 0), Evidence::Sample), Lie::Yes);
        // A SYN proxy in front of a host with few listeners.
        assert_eq!(lie(record(1_000, 1, 64), Evidence::Sample), Lie::No);
        assert_eq!(lie(record(1_000, 0, 0), Evidence::None), Lie::Yes);
    }

    #[test]
    fn a_lie_half_of_whose_answers_were_lost_is_not_ruled_out_before_the_end() {
        let mut probed = probed(1_000.0, 640);
        assert_eq!(
            record(640, 0, 0).lie(&probed, Evidence::Connects),
            Lie::Unknown
        );
        probed.lie = Ripe::Over;
        assert_eq!(record(640, 0, 0).lie(&probed, Evidence::Connects), Lie::No);
        // 50 open ports among silent ones are told at the end, not before.
        let silent = Probed {
            answered: 50,
            lie: Ripe::Yes,
            ..probed
        };
        assert_eq!(
            record(50, 0, 0).lie(&silent, Evidence::Connects),
            Lie::Unknown
        );
        probed.answered = 50;
        assert_eq!(record(50, 0, 0).lie(&probed, Evidence::Connects), Lie::No);
    }
}
