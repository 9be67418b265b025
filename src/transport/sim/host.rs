//! A simulated host: SYNs in, answers out, at the times at which it gives them.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Time;
use crate::transport::sim::gate::Gate;
use crate::transport::sim::network::{Behaviour, Host};
use crate::transport::sim::packet::{Answer, Syn};

/// The state of one host.
#[derive(Debug)]
pub struct HostState {
    pub host: Host,
    flows: HashMap<(u16, u16), Flow>,
    refused: HashMap<u16, u8>,
    gate: Gate,
}

/// A half-open connection, as the host sees it.
#[derive(Debug)]
struct Flow {
    /// Whether the first answer was given, and when a repeat of the SYN last drew one.
    voice: Voice,
    again: Option<Time>,
    repeats: u8,
    ended: bool,
}

/// Whether a server that accepts has said so yet: a slow one takes its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Voice {
    NotYet,
    Given,
}

/// What happens at a host next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Act {
    /// Send this answer after this time.
    Say(Duration, Answer),
    /// Call [`HostState::timer`] for this SYN after this time.
    Wait(Duration, Syn),
}

impl HostState {
    pub fn new(host: Host) -> Self {
        Self {
            gate: Gate::new(host.gates),
            host,
            flows: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// A SYN has arrived.
    pub fn syn(&mut self, now: Time, syn: Syn) -> Vec<Act> {
        let flow = (syn.endpoint, syn.source_port);
        if !self.gate.lets_in(now, flow) {
            return Vec::new();
        }
        let port = syn.endpoint.port;
        let behaviour = *self.host.ports.get(&port).unwrap_or(&self.host.rest);
        let say = |answer| vec![Act::Say(Duration::ZERO, answer)];
        match behaviour {
            Behaviour::Silent => Vec::new(),
            Behaviour::Closed => {
                if !self.gate.lets_reset_out(now) {
                    return Vec::new();
                }
                self.gate.ended(flow);
                say(Answer::reset(syn))
            }
            Behaviour::Unreachable { kind, code } => say(Answer::unreachable(syn, kind, code)),
            Behaviour::ForgedAcknowledgement => say(Answer::syn_ack(syn).acknowledging(syn.seq)),
            Behaviour::ForgedSource => say(Answer::syn_ack(syn).by_port(port ^ 1)),
            Behaviour::BareReset => say(Answer::bare_reset(syn)),
            Behaviour::ForgedReset => say(Answer::reset(syn).acknowledging(syn.seq)),
            Behaviour::ForgedQuote => {
                let other = Syn {
                    seq: syn.seq.wrapping_add(1),
                    ..syn
                };
                say(Answer::unreachable(other, 3, 3))
            }
            Behaviour::UnreachableFirst { kind, code, times } => {
                let refused = self.refused.entry(port).or_default();
                if *refused < times {
                    *refused += 1;
                    return say(Answer::unreachable(syn, kind, code));
                }
                self.accept(now, syn, Duration::ZERO)
            }
            Behaviour::Stale => {
                let refused = self.refused.entry(port).or_default();
                if *refused == 0 {
                    *refused = 1;
                    return say(Answer::stale_ack(syn));
                }
                self.accept(now, syn, Duration::ZERO)
            }
            Behaviour::Slow(delay) => self.accept(now, syn, delay),
            Behaviour::LoneSyn => say(Answer::lone_syn(syn)),
            Behaviour::Simultaneous => {
                let later = Act::Say(self.host.rtt + FOLLOWS, Answer::lone_ack(syn));
                vec![Act::Say(Duration::ZERO, Answer::lone_syn(syn)), later]
            }
            Behaviour::AcceptsAndResets => {
                let later = Act::Say(Duration::from_millis(1), Answer::reset(syn));
                vec![Act::Say(Duration::ZERO, Answer::syn_ack(syn)), later]
            }
            Behaviour::Open
            | Behaviour::Repeated(_)
            | Behaviour::ZeroWindow
            | Behaviour::ProxiedOpen
            | Behaviour::ProxiedClosed => self.accept(now, syn, Duration::ZERO),
        }
    }

    /// A timer set by [`Act::Wait`] has run out: repeat the SYN-ACK unless the connection has ended.
    pub fn timer(&mut self, syn: Syn) -> Vec<Act> {
        let Some(flow) = self.flows.get_mut(&(syn.endpoint.port, syn.source_port)) else {
            return Vec::new();
        };
        if flow.ended {
            return Vec::new();
        }
        let port = syn.endpoint.port;
        let follows = match self.host.ports.get(&port).unwrap_or(&self.host.rest) {
            Behaviour::ProxiedOpen => Some(Answer::lone_ack(syn)),
            Behaviour::ProxiedClosed => Some(Answer::reset(syn)),
            _ => None,
        };
        if let Some(answer) = follows {
            return vec![Act::Say(Duration::ZERO, answer)];
        }
        flow.voice = Voice::Given;
        flow.repeats += 1;
        let repeats = flow.repeats;
        let mut acts = vec![Act::Say(Duration::ZERO, self.voice(syn))];
        if repeats < SYN_ACK_REPEATS {
            acts.push(Act::Wait(Duration::from_secs(1 << repeats), syn));
        }
        acts
    }

    /// A reset for this connection has arrived.
    pub fn reset(&mut self, syn: Syn) {
        self.gate.ended((syn.endpoint, syn.source_port));
        if let Some(flow) = self.flows.get_mut(&(syn.endpoint.port, syn.source_port)) {
            flow.ended = true;
        }
    }

    fn accept(&mut self, now: Time, syn: Syn, delay: Duration) -> Vec<Act> {
        let key = (syn.endpoint.port, syn.source_port);
        if let Some(flow) = self.flows.get_mut(&key).filter(|flow| !flow.ended) {
            // As in tcp_check_req: only an answer to a repeated SYN makes the next repeat wait, neither the first
            // SYN-ACK nor the server's own repeats do.
            let recent = flow
                .again
                .is_some_and(|at| now.since(at) < INVALID_RATELIMIT);
            if recent || flow.voice == Voice::NotYet {
                return Vec::new();
            }
            flow.again = Some(now);
            return vec![Act::Say(Duration::ZERO, self.voice(syn))];
        }
        let flow = Flow {
            voice: if delay.is_zero() {
                Voice::Given
            } else {
                Voice::NotYet
            },
            again: None,
            repeats: 0,
            ended: false,
        };
        self.flows.insert(key, flow);
        let answer = self.voice(syn);
        let times = match self.host.ports.get(&syn.endpoint.port) {
            Some(Behaviour::Repeated(times)) => *times,
            _ => 1,
        };
        let mut acts = vec![Act::Say(delay, answer); usize::from(times)];
        let later = match self.behaviour(syn) {
            Behaviour::ProxiedOpen | Behaviour::ProxiedClosed => self.host.rtt + FOLLOWS,
            _ => Duration::from_secs(1),
        };
        acts.push(Act::Wait(delay + later, syn));
        acts
    }

    fn voice(&self, syn: Syn) -> Answer {
        match self.behaviour(syn) {
            Behaviour::ZeroWindow | Behaviour::ProxiedOpen | Behaviour::ProxiedClosed => {
                Answer::syn_ack(syn).with_window(0)
            }
            _ => Answer::syn_ack(syn),
        }
    }

    fn behaviour(&self, syn: Syn) -> Behaviour {
        let port = syn.endpoint.port;
        *self.host.ports.get(&port).unwrap_or(&self.host.rest)
    }
}

/// net.ipv4.tcp_invalid_ratelimit: a repeat of the same SYN is answered at most once in this time.
const INVALID_RATELIMIT: Duration = Duration::from_millis(500);
/// What follows a handshake comes this much later than the handshake is complete.
const FOLLOWS: Duration = Duration::from_millis(5);
const SYN_ACK_REPEATS: u8 = 3;
