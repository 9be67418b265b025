//! Whether a reply answers one of our probes. The rules are the kernel's own in SYN_SENT: what `connect()` would take.

use std::net::IpAddr;

use crate::model::{SynAck, Unreachable};

use super::{
    cookie::Cookie,
    flows::Flows,
    reply::{IcmpError, Kind, Peer, Reply, Segment},
};

/// Knows what the probes of one scan look like, without a record of any.
#[derive(Clone, Debug)]
pub struct Judge {
    cookie: Cookie,
    flows: Flows,
}

/// An answer to a probe of ours, and to which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    pub target: IpAddr,
    /// The address of ours that it came to.
    pub to: IpAddr,
    pub port: u16,
    pub flow: u8,
    pub evidence: Evidence,
}

/// What was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    SynAck(SynAck),
    Reset {
        ttl: u8,
    },
    Icmp {
        reason: Unreachable,
        offender: IpAddr,
    },
    /// A lone ACK with numbers that are not ours. It has no cookie, so anybody can send it: worth another probe, no more.
    StaleAck,
    /// A lone SYN or the first fragment of a segment: something lives there, but nothing proves it. To be confirmed by a
    /// kernel connect.
    Hint,
}

/// Why a reply is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stray {
    /// No probe of ours has these ports.
    OtherPorts,
    /// The number that proves it is wrong.
    WrongNumber,
    /// A segment that a kernel in SYN_SENT ignores: a reset without ACK, no flags, an ACK of our SYN without a SYN.
    Meaningless,
    /// Our own SYN: this machine is being probed on the ports that the scan has reserved.
    OurOwn,
}

impl Judge {
    pub fn new(cookie: Cookie, flows: Flows) -> Self {
        Self { cookie, flows }
    }

    /// Tells an answer to our probe from everything else.
    ///
    /// # Errors
    /// [`Stray`] for what proves nothing.
    pub fn judge(&self, reply: &Reply) -> Result<Answer, Stray> {
        match reply {
            Reply::Segment(segment) => self.segment(segment),
            Reply::Icmp(error) => self.icmp(error),
            Reply::Fragment { from } => Ok(Answer {
                target: from.source,
                to: from.destination,
                port: from.source_port,
                flow: self.flow(from)?,
                evidence: Evidence::Hint,
            }),
        }
    }

    fn segment(&self, segment: &Segment) -> Result<Answer, Stray> {
        let from = &segment.from;
        let flow = self.flow(from)?;
        // ack = seq + 1: a SYN counts as one (RFC 9293, 3.4).
        let expected = self
            .cookie
            .sequence(from.source, from.source_port, from.destination_port)
            .wrapping_add(1);
        let evidence = match segment.kind {
            Kind::SynAck {
                acknowledgement,
                window,
                options,
            } if acknowledgement == expected => Evidence::SynAck(SynAck {
                ttl: Some(segment.hop_limit),
                window,
                options,
            }),
            Kind::Reset { acknowledgement } if acknowledgement == expected => Evidence::Reset {
                ttl: segment.hop_limit,
            },
            Kind::SynAck { .. } | Kind::Reset { .. } => return Err(Stray::WrongNumber),
            Kind::Ack { acknowledgement } if acknowledgement != expected => Evidence::StaleAck,
            Kind::Syn { sequence } if self.is_our_syn(from, sequence) => {
                return Err(Stray::OurOwn);
            }
            Kind::Syn { .. } => Evidence::Hint,
            Kind::Ack { .. } | Kind::BareReset | Kind::Other => return Err(Stray::Meaningless),
        };
        Ok(Answer {
            target: from.source,
            to: from.destination,
            port: from.source_port,
            flow,
            evidence,
        })
    }

    fn icmp(&self, error: &IcmpError) -> Result<Answer, Stray> {
        let quoted = &error.quoted;
        let flow = self
            .flows
            .flow(quoted.source_port, quoted.target_port)
            .ok_or(Stray::OtherPorts)?;
        let sequence = self
            .cookie
            .sequence(quoted.target, quoted.target_port, quoted.source_port);
        // The error goes to the sender of what it quotes: anything else is forged or not about us.
        if quoted.sequence != sequence || quoted.source != error.destination {
            return Err(Stray::WrongNumber);
        }
        Ok(Answer {
            target: quoted.target,
            to: error.destination,
            port: quoted.target_port,
            flow,
            evidence: Evidence::Icmp {
                reason: error.reason,
                offender: error.offender,
            },
        })
    }

    fn is_our_syn(&self, from: &Peer, sequence: u32) -> bool {
        let flow = self.flows.flow(from.source_port, from.destination_port);
        let ours = self
            .cookie
            .sequence(from.destination, from.destination_port, from.source_port);
        flow.is_some() && sequence == ours
    }

    fn flow(&self, from: &Peer) -> Result<u8, Stray> {
        self.flows
            .flow(from.destination_port, from.source_port)
            .ok_or(Stray::OtherPorts)
    }
}
