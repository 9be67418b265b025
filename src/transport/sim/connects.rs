//! The scanner's own kernel: connects under way, and what answers mean to them.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Observation, Presence, Probe, Seen, Source, SynAck, Time, Unreachable};
use crate::transport::sim::packet::{ACK, Answer, Kind, RST, SYN, Syn};
use crate::transport::sim::{Happening, Owner, SimTransport};

/// A kernel connect under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub probe: Probe,
    pub syn: Syn,
    pub started: Time,
    pub deadline: Time,
    pub syns: u8,
    pub stage: Stage,
}

/// How far a connect has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Connecting,
    /// A SYN has come instead of a SYN-ACK.
    Crossed,
    /// The handshake is complete, with a window of 0.
    Shut,
}

impl SimTransport {
    fn enter(&mut self, id: u64, stage: Stage) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.stage = stage;
        }
    }

    pub(super) fn answer_attempt(&mut self, id: u64, answer: Answer, out: &mut Vec<Observation>) {
        let Some(attempt) = self.attempts.get(&id).copied() else {
            // The socket is closed: the kernel resets what still comes.
            if answer.draws_reset() {
                self.reset(answer);
            }
            return;
        };
        let expected = attempt.syn.seq.wrapping_add(1);
        let ours = answer.from == attempt.syn.endpoint;
        let seen = match answer.kind {
            // Both sides ask at once: a kernel answers, and waits for the last ACK (RFC 9293, 3.5).
            Kind::Tcp { flags: SYN, .. } if ours => return self.enter(id, Stage::Crossed),
            Kind::Tcp { flags, ack, window } if ours && ack == expected && flags & ACK != 0 => {
                match (flags & SYN != 0, flags & RST != 0) {
                    (_, true) => Seen::Rst { ttl: 0 },
                    // A window that never opens is watched to the end of the patience.
                    (true, false) if window == 0 => return self.enter(id, Stage::Shut),
                    (true, false) => Seen::SynAck(self::answer(window)),
                    (false, false) if window > 0 && attempt.stage != Stage::Connecting => {
                        Seen::SynAck(self::answer(window))
                    }
                    (false, false) => return,
                }
            }
            Kind::Tcp { .. } => {
                if answer.draws_reset() {
                    self.reset(answer);
                }
                return;
            }
            Kind::Icmp { kind, code, quoted } => {
                let reason = match answer.from.address.ip {
                    IpAddr::V4(_) => Unreachable::from_icmp_v4(kind, code),
                    IpAddr::V6(_) => Unreachable::from_icmp_v6(kind, code),
                };
                match reason {
                    Some(reason) if quoted == attempt.syn => Seen::Icmp {
                        reason,
                        offender: answer.from.address.ip,
                    },
                    _ => return,
                }
            }
        };
        self.attempts.remove(&id);
        if answer.draws_reset() && matches!(answer.kind, Kind::Tcp { .. }) {
            self.reset(answer);
        }
        out.push(self.end(&attempt, seen));
    }

    pub(super) fn end(&self, attempt: &Attempt, seen: Seen) -> Observation {
        let answered = matches!(seen, Seen::SynAck(_) | Seen::Rst { .. });
        let took = answered.then(|| self.now.since(attempt.started));
        Observation {
            endpoint: attempt.probe.endpoint,
            source: Source::Attempt {
                attempt: attempt.probe.attempt,
                syns: attempt.syns,
                took,
            },
            at: self.now,
            seen,
        }
    }

    pub(super) fn connect(&mut self, probe: Probe, patience: Duration) {
        let id = self.next_attempt;
        self.next_attempt += 1;
        let syn = Syn {
            endpoint: probe.endpoint,
            source_port: 32768 + (id % 28_232) as u16,
            seq: self.dice.next() as u32,
        };
        let attempt = Attempt {
            probe,
            syn,
            started: self.now,
            deadline: self.now + patience,
            syns: 1,
            stage: Stage::Connecting,
        };
        self.attempts.insert(id, attempt);
        self.transmit(syn, Owner::Attempt(id));
        self.push(self.now + Duration::from_secs(1), Happening::Resend(id));
        self.push(attempt.deadline, Happening::Deadline(id));
    }

    pub(super) fn resend(&mut self, id: u64) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        if self.now >= attempt.deadline {
            return;
        }
        attempt.syns = attempt.syns.saturating_add(1);
        let syn = attempt.syn;
        self.transmit(syn, Owner::Attempt(id));
        self.push(self.now + Duration::from_secs(1), Happening::Resend(id));
    }
}

/// A SYN-ACK as TCP_INFO tells it.
pub(super) fn answer(window: u16) -> SynAck {
    SynAck {
        ttl: None,
        window,
        options: Presence::Present,
    }
}
