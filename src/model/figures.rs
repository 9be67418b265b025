//! How far a scan is, and what it came to.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::{Address, Pinged, State, Time};

/// How far the scan is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    pub endpoints: u64,
    /// Endpoints that have answered.
    pub answered: u64,
    pub open: u64,
    /// Endpoints that answered as open ones do, and are not told yet: their host is looked at first.
    pub held: u64,
    pub packets_sent: u64,
    /// 0-based number of the current pass.
    pub pass: u16,
    /// How much of the current pass is sent, 0 to 1.
    pub pass_done: f64,
    /// Measured loss per round trip, 0 to 1.
    pub loss: Option<f64>,
    /// Probes per second that the scan as a whole may send at present; single hosts may have a lower rate.
    pub allowed: u32,
    pub at: Time,
    /// While hosts are looked for: those found so far.
    pub hosts_up: Option<u64>,
    /// While open ports are asked what they serve.
    pub talks: Option<Talks>,
    /// When the scan will be done if nothing more answers.
    pub eta: Option<Duration>,
}

/// How many open ports have been asked what they serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Talks {
    pub done: u64,
    pub of: u64,
}

/// The figures at the end.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Summary {
    /// Every endpoint was tested, nothing was refused or interrupted.
    pub complete: bool,
    pub endpoints: u64,
    pub open: u64,
    pub closed: u64,
    pub filtered: u64,
    pub suspect: u64,
    pub error: u64,
    pub packets_sent: u64,
    /// Round-trip loss, 0 to 1; `None` when nothing could be measured.
    pub loss: Option<f64>,
    /// Open ports expected to have been missed, by the stop rule.
    pub expected_missed: f64,
    /// Packets that the capture ring had no room for.
    pub capture_drops: u64,
    /// Packets that reached our source ports and matched no probe.
    pub strays: u64,
    /// Endpoints that could not be tested before the scan ended.
    pub untested: u64,
    /// Hosts that stopped answering in the middle of the scan.
    pub blocked: u64,
    /// Hosts that answered before the scan was resumed, and not since, although endpoints of theirs were asked.
    pub unheard: u64,
    /// Where hosts were looked for first: the others were not scanned.
    pub pinged: Option<Pinged>,
    pub elapsed: Duration,
    pub interrupted: bool,
}

/// Ports that were not tested, the same of each address from `first` to `last`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Untested {
    pub first: Address,
    pub last: Address,
    /// In ascending order.
    pub ports: Vec<RangeInclusive<u16>>,
}

impl Summary {
    /// How many endpoints have this state.
    pub fn count(&self, state: State) -> u64 {
        match state {
            State::Open => self.open,
            State::Closed => self.closed,
            State::Filtered => self.filtered,
            State::Suspect => self.suspect,
            State::Error => self.error,
        }
    }

    /// The same, to be changed.
    pub fn count_mut(&mut self, state: State) -> &mut u64 {
        match state {
            State::Open => &mut self.open,
            State::Closed => &mut self.closed,
            State::Filtered => &mut self.filtered,
            State::Suspect => &mut self.suspect,
            State::Error => &mut self.error,
        }
    }
}

impl Untested {
    /// How many hosts they are.
    pub fn hosts(&self) -> u64 {
        let number = |address: &Address| match address.ip {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip),
        };
        let between = number(&self.last).saturating_sub(number(&self.first));
        u64::try_from(between).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// How many ports of each host.
    pub fn ports_of_each(&self) -> u64 {
        self.ports.iter().map(|range| range.len() as u64).sum()
    }

    /// How many endpoints they are in all.
    pub fn endpoints(&self) -> u64 {
        self.hosts().saturating_mul(self.ports_of_each())
    }

    /// Takes in what follows, if it is the same ports of the next address.
    ///
    /// # Errors
    /// What does not belong to it.
    pub fn join(&mut self, next: Self) -> Result<(), Self> {
        if self.last.next() == Some(next.first) && self.ports == next.ports {
            self.last = next.last;
            Ok(())
        } else {
            Err(next)
        }
    }

    /// `22,80,8000-8100`
    pub fn port_list(&self) -> String {
        let ranges: Vec<String> = self.ports.iter().map(port_range).collect();
        ranges.join(",")
    }
}

/// `22`, `8000-8100`.
fn port_range(range: &RangeInclusive<u16>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}-{}", range.start(), range.end())
    }
}
