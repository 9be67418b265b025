//! Who is asked again by a kernel connect, how many at the most, and when to look at a host again. The rules by which
//! hosts are weighed are in `claim`, what the engine does in `doubt`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::engine::claim::{Held, Line, Record, Ripe};
use crate::model::Time;

/// Whether what is odd is asked again by a kernel connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirm {
    Auto,
    /// No handshake is ever completed: what is odd stays suspect.
    Never,
}

/// What a kernel connect is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// To confirm this.
    Claim(u64, Held),
    /// To find out what is behind a hint.
    Hint,
    /// To see whether what leaves beside it comes through: a connect has proven this endpoint of that host.
    Canary(u64),
}

impl Asked {
    /// The host whose connects are counted.
    fn host(self) -> Option<u64> {
        match self {
            Self::Claim(host, _) | Self::Canary(host) => Some(host),
            Self::Hint => None,
        }
    }
}

/// Everything that is held.
#[derive(Default)]
pub struct Doubts {
    records: HashMap<u64, Record>,
    /// Hosts with endpoints to be asked.
    line: VecDeque<u64>,
    /// Endpoints of hints to be asked.
    hints: VecDeque<u64>,
    hinted: HashSet<u64>,
    under_way: HashMap<u64, Asked>,
    /// Hosts that wait for their time before they are put into the line.
    resting: usize,
    /// When to look at a host again.
    due: BinaryHeap<Reverse<(Time, u64)>>,
    /// Hosts to look at when enough was probed for the share, and for the lie.
    waiting: [Vec<u64>; 2],
    ripe: [Option<Time>; 2],
    over: bool,
    /// Hosts that are still to be looked at since then.
    closing: VecDeque<u64>,
    /// Endpoints that were asked or will be.
    begun: u64,
    /// Hints that were followed or will be. Anybody can send them, so they take no room from what really answered.
    hints_begun: u64,
    held: usize,
    /// How far the walk was, and when, latest last.
    walk: VecDeque<(Time, u64)>,
    pub now: Time,
}

/// What is waited for, as a place in the queue of what is ripe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    Share = 0,
    Lie = 1,
}

impl Doubts {
    pub fn record(&mut self, host: u64) -> &mut Record {
        self.records.entry(host).or_default()
    }

    pub fn known(&self, host: u64) -> Option<&Record> {
        self.records.get(&host)
    }

    /// Hosts of which something is held, in the order of the plan.
    pub fn hosts(&self) -> Vec<u64> {
        let mut hosts: Vec<u64> = self.records.keys().copied().collect();
        hosts.sort_unstable();
        hosts
    }

    /// Takes one more endpoint of this host for a confirmation, if the limits allow it.
    pub fn admit(&mut self, host: u64) -> Admission {
        let record = self.records.entry(host).or_default();
        if self.begun >= PER_SCAN || record.begun >= PER_HOST {
            return Admission::Full;
        }
        self.begun += 1;
        record.begun += 1;
        Admission::Taken
    }

    pub fn queue(&mut self, host: u64, held: Held) {
        let record = self.records.entry(host).or_default();
        record.queued.push_back(held);
        self.line_up(host);
    }

    /// Endpoints that were admitted need not be asked after all.
    pub fn give_back(&mut self, host: u64, unasked: usize) {
        self.begun = self.begun.saturating_sub(unasked as u64);
        let record = self.records.entry(host).or_default();
        record.begun = record
            .begun
            .saturating_sub(u32::try_from(unasked).unwrap_or(u32::MAX));
    }

    /// Puts a host with endpoints to be asked (back) into the line.
    pub fn line_up(&mut self, host: u64) {
        let record = self.records.entry(host).or_default();
        if record.in_line != Line::No || record.queued.is_empty() {
            return;
        }
        let ready = record.rounds.ready_at();
        if ready > self.now {
            record.in_line = Line::Resting;
            self.resting += 1;
            self.due.push(Reverse((ready, host)));
        } else {
            record.in_line = Line::Yes;
            self.line.push_back(host);
        }
    }

    /// The next host to be asked; it has left the line.
    pub fn next_in_line(&mut self) -> Option<u64> {
        let host = self.line.pop_front()?;
        self.record(host).in_line = Line::No;
        Some(host)
    }

    /// An endpoint that gave a hint; false if it did before, or too much was asked already.
    pub fn hint(&mut self, index: u64) -> Admission {
        if self.hints_begun >= HINTS_PER_SCAN || !self.hinted.insert(index) {
            return Admission::Full;
        }
        self.hints_begun += 1;
        self.hints.push_back(index);
        Admission::Taken
    }

    pub fn next_hint(&mut self) -> Option<u64> {
        self.hints.pop_front()
    }

    /// A connect is leaving.
    pub fn asking(&mut self, index: u64, asked: Asked) {
        let now = self.now;
        if let Some(host) = asked.host() {
            let record = self.record(host);
            record.under_way += 1;
            record.rounds.left(now);
        }
        self.under_way.insert(index, asked);
    }

    /// A connect has ended.
    pub fn ended(&mut self, index: u64) -> Option<Asked> {
        let asked = self.under_way.remove(&index)?;
        if let Some(host) = asked.host() {
            let record = self.record(host);
            record.under_way = record.under_way.saturating_sub(1);
        }
        Some(asked)
    }

    /// All connects under way, forgotten.
    pub fn abandon(&mut self) -> Vec<Asked> {
        self.hints.clear();
        self.line.clear();
        self.resting = 0;
        self.under_way.drain().map(|(_, asked)| asked).collect()
    }

    /// How many connects may still be begun now.
    pub fn room(&self) -> usize {
        AT_ONCE.saturating_sub(self.under_way.len())
    }

    /// Something can be asked at once.
    pub fn can_ask(&self) -> bool {
        self.room() > 0 && !(self.line.is_empty() && self.hints.is_empty())
    }

    /// Connects are under way or wait for their turn.
    pub fn is_busy(&self) -> bool {
        let idle = self.under_way.is_empty() && self.hints.is_empty() && self.line.is_empty();
        !idle || self.resting > 0
    }

    pub fn is_spent(&self) -> bool {
        self.begun >= PER_SCAN
    }

    /// Whether so much is held that the next must be decided at once.
    pub fn is_full(&self) -> bool {
        self.held >= MOST_HELD
    }

    /// Keeps count of what is held.
    pub fn hold(&mut self, more: usize) {
        self.held += more;
    }

    pub fn let_go(&mut self, fewer: usize) {
        self.held = self.held.saturating_sub(fewer);
    }

    pub fn held(&self) -> usize {
        self.held
    }

    /// Looks at this host when enough was probed for `mark`, and `timeout` later.
    pub fn wait(&mut self, host: u64, mark: Mark, timeout: Duration) {
        match self.ripe[mark as usize] {
            Some(at) => self.due.push(Reverse((at + timeout, host))),
            None => self.waiting[mark as usize].push(host),
        }
    }

    /// Enough is probed for `mark`: gives the hosts that waited for it.
    pub fn ripen(&mut self, mark: Mark, now: Time) -> Vec<u64> {
        if self.ripe[mark as usize].is_some() {
            return Vec::new();
        }
        self.ripe[mark as usize] = Some(now);
        std::mem::take(&mut self.waiting[mark as usize])
    }

    pub fn is_ripe(&self, mark: Mark, timeout: Duration, now: Time) -> Ripe {
        match self.ripe[mark as usize] {
            _ if self.over => Ripe::Over,
            Some(at) if now >= at + timeout => Ripe::Yes,
            Some(_) | None => Ripe::NotYet,
        }
    }

    /// The walk is so far now. It never goes back.
    pub fn walked_to(&mut self, now: Time, walked: u64) {
        if walked <= self.walk.back().map_or(0, |&(_, walked)| walked) {
            return;
        }
        // The latest place is always exact, those before it are a step apart.
        let before = self.walk.len().checked_sub(2);
        if let Some(&(at, _)) = before.and_then(|place| self.walk.get(place))
            && now.since(at) < STEP
        {
            self.walk.pop_back();
        }
        self.walk.push_back((now, walked));
        if self.walk.len() > STEPS {
            self.walk.pop_front();
        }
    }

    /// How far the walk is, and how far it was `ago`.
    pub fn walked(&self, ago: Duration, now: Time) -> (u64, u64) {
        let latest = self.walk.back().map_or(0, |&(_, walked)| walked);
        let heard = self.walk.partition_point(|&(at, _)| at + ago <= now);
        let aged = heard
            .checked_sub(1)
            .and_then(|place| self.walk.get(place))
            .map_or(0, |&(_, walked)| walked);
        (latest, aged)
    }

    /// Nothing more will be probed in this block.
    pub fn close(&mut self) {
        self.over = true;
        self.closing = self.hosts().into();
    }

    /// A host that was not looked at since the end.
    pub fn next_closing(&mut self) -> Option<u64> {
        self.closing.pop_front()
    }

    /// Whether there are such hosts.
    pub fn is_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    pub fn is_closed(&self) -> bool {
        self.over
    }

    /// The next block begins: what is known of hosts is kept while that is little.
    pub fn next_block(&mut self) {
        self.over = false;
        self.hinted.clear();
        self.due.clear();
        for record in self.records.values_mut() {
            record.rounds.next_block();
        }
        if self.records.len() > MOST_RECORDS {
            self.records.clear();
        }
    }

    /// Hosts whose time has come.
    pub fn next_due(&mut self, now: Time) -> Option<u64> {
        let &Reverse((at, host)) = self.due.peek()?;
        if at > now {
            return None;
        }
        self.due.pop();
        if let Some(record) = self.records.get_mut(&host)
            && record.in_line == Line::Resting
        {
            let ready = record.rounds.ready_at();
            if ready > now {
                // Another of its rounds has begun meanwhile.
                self.due.push(Reverse((ready, host)));
            } else {
                record.in_line = Line::No;
                self.resting = self.resting.saturating_sub(1);
            }
        }
        Some(host)
    }

    pub fn due_at(&self) -> Time {
        self.due.peek().map_or(Time::NEVER, |&Reverse((at, _))| at)
    }
}

/// Whether an endpoint may be confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    Taken,
    Full,
}

/// The share of a host's opens is known after so many of its ports, and whether it answers everything after so many.
pub const SHARE_PORTS: u64 = 200;
pub const LIE_PORTS: u64 = 1_000;
/// It does when this share of its ports is open.
pub const NEARLY_ALL: f64 = 0.9;
const PER_HOST: u32 = 5_000;
const PER_SCAN: u64 = 20_000;
const HINTS_PER_SCAN: u64 = 5_000;
/// Confirmations under way at a time.
const AT_ONCE: usize = 4_096;
/// How finely, and for how long, the walk is remembered.
const STEP: Duration = Duration::from_millis(1);
const STEPS: usize = 4_096;
/// 20 MiB. Beyond, an open port of a host on which nothing was closed so far is suspect at once.
const MOST_HELD: usize = 1 << 19;
const MOST_RECORDS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::claim::{Oddness, Proof};
    use crate::engine::tries::{Tries, Way};

    #[test]
    fn confirmations_are_bounded_for_each_host_and_for_the_scan() {
        let mut doubts = Doubts::default();
        let taken = |doubts: &mut Doubts, host| {
            (0..30_000)
                .filter(|_| doubts.admit(host) == Admission::Taken)
                .count()
        };
        assert_eq!(taken(&mut doubts, 1), 5_000);
        assert_eq!(taken(&mut doubts, 2), 5_000);
        assert_eq!(taken(&mut doubts, 3), 5_000);
        assert_eq!(doubts.hint(7), Admission::Taken);
        assert_eq!(doubts.hint(7), Admission::Full);
        assert_eq!(taken(&mut doubts, 4), 5_000);
        assert!(doubts.is_spent());
    }

    #[test]
    fn forged_hints_used_up_the_confirmations_of_what_had_answered() {
        let mut doubts = Doubts::default();
        let hints = (0..30_000).filter(|index| doubts.hint(*index) == Admission::Taken);
        assert_eq!(hints.count(), 5_000);
        assert_eq!(doubts.admit(1), Admission::Taken);
    }

    #[test]
    fn a_host_that_rested_anew_was_never_asked_again_and_the_scan_did_not_end() {
        let at = |millis: u64| Time(millis * 1_000_000);
        let mut doubts = Doubts::default();
        doubts.record(7).rounds.begin(1, Way::Lossy, at(0));
        let first = doubts.record(7).rounds.ready_at();
        doubts.queue(7, held());
        assert_eq!(doubts.due_at(), first);
        doubts.record(7).rounds.begin(1, Way::Lossy, at(100));
        let then = doubts.record(7).rounds.ready_at();
        assert!(then > first);
        assert_eq!(doubts.next_due(first), Some(7));
        assert_eq!(doubts.due_at(), then);
        doubts.now = then;
        assert_eq!(doubts.next_due(then), Some(7));
        doubts.line_up(7);
        assert!(doubts.can_ask());
        assert_eq!(doubts.next_in_line(), Some(7));
        assert!(!doubts.is_busy());
    }

    fn held() -> Held {
        Held {
            index: 70,
            rtt: None,
            ttl: None,
            attempts: 1,
            at: Time::ZERO,
            oddness: Oddness::ZeroWindow,
            proof: Proof::Claimed,
            tries: Tries::default(),
        }
    }
}
