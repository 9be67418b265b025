//! What the engine does with SYN-ACKs before they are told: hold them, confirm what is odd, find out hosts that answer
//! everything. The figures and rules are in `claim` and `confirm`; confirmations that hear nothing are in `unheard`.

use crate::engine::claim::{CROWD, Held, Lie, Oddness, Proof, Record, Share, Standing};
use crate::engine::closing::REPORT_SLICE;
use crate::engine::confirm::{Admission, Asked, Confirm, Mark};
use crate::engine::space::Step;
use crate::engine::{CONFIRM, Engine};
use crate::model::{
    Event, HostNote, How, Note, Observation, Probe, Reason, Seen, State, SynAck, Verdict,
};

impl Engine {
    /// An endpoint has answered with a SYN-ACK.
    pub(super) fn open_heard(&mut self, host: u64, held: Held) {
        let odd = held.proof == Proof::Claimed && held.oddness != Oddness::None;
        if self.ports() <= CROWD && !odd {
            return self.tell(&held, State::Open, Reason::SynAck);
        }
        self.keep_claim(&held);
        self.doubts.record(host).syn_acks += 1;
        self.weigh(host, held);
    }

    /// A valid reset came from an endpoint that had answered before.
    pub(super) fn contradicted(&mut self, host: u64, index: u64) {
        let place = |record: &Record| record.fresh.iter().position(|held| held.index == index);
        let Some(at) = self.doubts.known(host).and_then(place) else {
            return;
        };
        let mut held = self.doubts.record(host).fresh.swap_remove(at);
        self.doubts.let_go(1);
        if held.proof == Proof::Claimed && held.is_whole() {
            held.oddness = Oddness::Contradicted;
        }
        self.weigh(host, held);
    }

    /// Nothing more will be probed: whether all that was held is told. What is held of many hosts is told by and by, so that
    /// events never pile up.
    pub(super) fn all_told(&mut self) -> bool {
        if !self.doubts.is_closed() {
            self.doubts.close();
        }
        while self.events.len() < REPORT_SLICE
            && let Some(host) = self.doubts.next_closing()
        {
            self.review(host);
        }
        !self.doubts.is_closing() && !self.doubts.is_busy()
    }

    /// The scan is cut short: what is not confirmed stays suspect.
    pub(super) fn tell_the_rest(&mut self) {
        self.keep_no_more();
        self.doubts.close();
        for host in self.doubts.hosts() {
            self.review(host);
        }
        for asked in self.doubts.abandon() {
            if let Asked::Claim(host, held) = asked {
                self.suspect(host, &held);
            }
        }
        for host in self.doubts.hosts() {
            let record = self.doubts.record(host);
            let mut unproven: Vec<Held> = record.queued.drain(..).collect();
            unproven.append(&mut record.silent);
            unproven.append(&mut record.fresh);
            let proven = std::mem::take(&mut record.proven);
            self.doubts.let_go(unproven.len() + proven.len());
            for held in unproven {
                self.suspect(host, &held);
            }
            for held in proven {
                self.tell(&held, State::Open, Reason::SynAck);
            }
        }
    }

    /// Sends kernel connects to what is to be confirmed.
    pub(super) fn ask_doubtful(&mut self, left: &mut usize, out: &mut Vec<Probe>) {
        while *left > 0 && self.doubts.room() > 0 {
            let asked = match self.doubts.next_hint() {
                Some(index) => Some((index, Asked::Hint)),
                None => match self.doubts.next_in_line() {
                    Some(host) => self.next_claim(host),
                    None => return,
                },
            };
            let Some((index, asked)) = asked else {
                continue;
            };
            let Some(endpoint) = self.plan.endpoint(index) else {
                continue;
            };
            self.doubts.asking(index, asked);
            out.push(Probe {
                index,
                endpoint,
                attempt: CONFIRM,
                how: How::Handshake {
                    patience: self.config.patience,
                },
            });
            *left -= 1;
        }
    }

    /// The next endpoint of this host to be asked; `None` while a sample of its confirmations is to be waited for.
    fn next_claim(&mut self, host: u64) -> Option<(u64, Asked)> {
        if self.doubts.record(host).rounds.ready_at() > self.doubts.now {
            self.doubts.line_up(host);
            return None;
        }
        match self.lie(host) {
            // More answers have come since the host was looked at.
            Lie::Yes => {
                self.found_out(host);
                return None;
            }
            Lie::Unknown if self.waits_for_sample(host) => return None,
            Lie::Unknown | Lie::No => {}
        }
        let record = self.doubts.record(host);
        if record.queued.is_empty() {
            return None;
        }
        if let Some(index) = record.rounds.canary(record.queued.len()) {
            self.doubts.line_up(host);
            return Some((index, Asked::Canary(host)));
        }
        let held = record.queued.pop_front()?;
        self.doubts.let_go(1);
        self.doubts.line_up(host);
        Some((held.index, Asked::Claim(host, held)))
    }

    fn waits_for_sample(&self, host: u64) -> bool {
        let probed = self.probed(host);
        self.may_lie()
            && self
                .doubts
                .known(host)
                .is_some_and(|record| record.is_sampled(&probed))
            && self.lie(host) == Lie::Unknown
    }

    /// A connect that was to confirm something has ended.
    pub(super) fn confirmed(&mut self, id: usize, step: Step, observation: &Observation) {
        match self.doubts.ended(step.index) {
            None => {}
            Some(Asked::Hint) => {
                let heard = matches!(observation.seen, Seen::SynAck(_) | Seen::Rst { .. });
                if heard && !self.ledger.answered.has(step.rank) && self.still_hears() {
                    self.take(id, step.index / self.ports(), step, observation);
                }
            }
            Some(Asked::Claim(host, held)) => self.claim_ended(host, held, &observation.seen),
            Some(Asked::Canary(host)) => {
                let rounds = &mut self.doubts.record(host).rounds;
                match observation.seen {
                    Seen::SynAck(_) | Seen::Rst { .. } => rounds.canary_heard(),
                    Seen::Silence => rounds.canary_unheard(),
                    _ => {}
                }
                self.review(host);
            }
        }
    }

    fn claim_ended(&mut self, host: u64, mut held: Held, seen: &Seen) {
        let record = self.doubts.record(host);
        match seen {
            Seen::SynAck(SynAck { window: 0, .. }) => {
                record.refuted += 1;
                self.tell(&held, State::Suspect, Reason::ZeroWindow);
            }
            Seen::SynAck(_) => {
                record.proved += 1;
                record.rounds.proven(held.index, &held.tries);
                held.proof = Proof::Proven;
                self.keep_claim(&held);
                self.weigh(host, held);
            }
            Seen::Rst { .. } => {
                record.refuted += 1;
                self.tell(&held, State::Closed, Reason::Rst);
            }
            Seen::Silence => {
                record.unheard += 1;
                record.silent.push(held);
                self.doubts.hold(1);
            }
            _ => self.suspect(host, &held),
        }
        if matches!(seen, Seen::SynAck(_) | Seen::Rst { .. }) {
            let way = self.way(held.index);
            self.witness.heard(way);
        }
        self.review(host);
    }

    /// What follows for one endpoint from what is known of its host.
    pub(super) fn weigh(&mut self, host: u64, held: Held) {
        let probed = self.probed(host);
        let record = self.doubts.record(host);
        if record.standing == Standing::Liar {
            return self.tell(&held, State::Suspect, Reason::AnswersEverything);
        }
        if held.proof == Proof::Claimed && held.oddness != Oddness::None {
            return self.doubt(host, held);
        }
        let share = record.share(&probed);
        let throughout = record.is_open_throughout(&probed);
        match (share, held.proof) {
            (Share::Unknown, _) if !self.doubts.is_full() => {
                let record = self.doubts.record(host);
                record.fresh.push(held);
                let first = record.fresh.len() == 1;
                self.doubts.hold(1);
                if first {
                    let timeout = self.timeout_of(host);
                    self.doubts.wait(host, Mark::Share, timeout);
                }
            }
            (Share::Ordinary, _) => {
                self.tell(&held, State::Open, Reason::SynAck);
                if !self.doubts.record(host).fresh.is_empty() {
                    self.review(host);
                }
            }
            // No room to wait. Rather suspect than invented.
            (Share::Unknown, _) if throughout => self.suspect(host, &held),
            (Share::Unknown, _) => self.tell(&held, State::Open, Reason::SynAck),
            (_, Proof::Claimed) => self.doubt(host, held),
            (_, Proof::Proven) => self.prove(host, held),
        }
    }

    /// An odd claim: to be confirmed, if the limits allow it.
    pub(super) fn doubt(&mut self, host: u64, mut held: Held) {
        let standing = self.doubts.record(host).standing;
        if standing == Standing::Unheard && held.is_whole() {
            held.proof = Proof::Proven;
            return self.prove(host, held);
        }
        let admitted = self.config.confirm == Confirm::Auto
            && standing == Standing::Ordinary
            && !self.doubts.is_full()
            && self.doubts.admit(host) == Admission::Taken;
        if admitted {
            self.doubts.queue(host, held);
            self.doubts.hold(1);
        } else {
            self.suspect(host, &held);
        }
    }

    /// A listener is proven on a host with many: open, unless the host answers everything.
    fn prove(&mut self, host: u64, held: Held) {
        let probed = self.probed(host);
        match self.lie(host) {
            Lie::No => self.tell(&held, State::Open, Reason::SynAck),
            Lie::Yes => {
                self.found_out(host);
                self.tell(&held, State::Suspect, Reason::AnswersEverything);
            }
            Lie::Unknown if self.doubts.is_full() => {
                if self.doubts.record(host).looks_alike(&probed) {
                    self.tell(&held, State::Suspect, Reason::AnswersEverything);
                } else {
                    self.tell(&held, State::Open, Reason::SynAck);
                }
            }
            Lie::Unknown => {
                let record = self.doubts.record(host);
                record.proven.push(held);
                let first = record.proven.len() == 1;
                self.doubts.hold(1);
                if first {
                    let timeout = self.timeout_of(host);
                    self.doubts.wait(host, Mark::Lie, timeout);
                }
            }
        }
    }

    /// Looks at what is held of a host.
    pub(super) fn review(&mut self, host: u64) {
        let Some(record) = self.doubts.known(host) else {
            return;
        };
        if record.standing != Standing::Liar && self.lie(host) == Lie::Yes {
            return self.found_out(host);
        }
        let probed = self.probed(host);
        let record = self.doubts.record(host);
        if record.share(&probed) != Share::Unknown {
            let fresh = std::mem::take(&mut record.fresh);
            self.doubts.let_go(fresh.len());
            for held in fresh {
                self.weigh(host, held);
            }
        }
        if self.lie(host) == Lie::No {
            let proven = std::mem::take(&mut self.doubts.record(host).proven);
            self.doubts.let_go(proven.len());
            for held in proven {
                self.tell(&held, State::Open, Reason::SynAck);
            }
        }
        let idle = self.waits_for_sample(host);
        let record = self.doubts.record(host);
        if record.under_way == 0 && (record.queued.is_empty() || idle) && !record.silent.is_empty()
        {
            self.settle_silent(host);
        }
        if !self.waits_for_sample(host) {
            self.doubts.line_up(host);
        }
    }

    pub(super) fn say_dropped(&mut self) {
        if self.witness.tell_dropped() {
            self.say(Note::AnswersDropped);
        }
    }

    /// A note about the whole scan.
    pub(super) fn say(&mut self, note: Note) {
        self.events.push_back(Event::Host(HostNote {
            address: None,
            note,
        }));
    }

    /// The host answers everything: nothing of what it claims is believed, nor asked any more.
    fn found_out(&mut self, host: u64) {
        if self.doubts.record(host).standing != Standing::Liar
            && let Some(endpoint) = self.plan.endpoint(host * self.ports())
        {
            self.events.push_back(Event::Host(HostNote {
                address: Some(endpoint.address),
                note: Note::AnswersEverything,
            }));
        }
        let record = self.doubts.record(host);
        record.standing = Standing::Liar;
        let unasked = record.queued.len();
        let mut all = std::mem::take(&mut record.fresh);
        all.extend(record.queued.drain(..));
        all.append(&mut record.silent);
        all.append(&mut record.proven);
        self.doubts.let_go(all.len());
        self.doubts.give_back(host, unasked);
        for held in all {
            self.tell(&held, State::Suspect, Reason::AnswersEverything);
        }
    }

    /// Odd, and not confirmed.
    pub(super) fn suspect(&mut self, host: u64, held: &Held) {
        let probed = self.probed(host);
        let record = self.doubts.record(host);
        let mut reason = held.reason();
        if reason == Reason::Unconfirmed
            && (record.standing == Standing::Liar || record.looks_alike(&probed) && self.may_lie())
        {
            reason = Reason::AnswersEverything;
        }
        self.tell(held, State::Suspect, reason);
        if self.doubts.record(host).standing != Standing::Liar && self.lie(host) == Lie::Yes {
            self.found_out(host);
        }
    }

    fn tell(&mut self, held: &Held, state: State, reason: Reason) {
        let Some(endpoint) = self.plan.endpoint(held.index) else {
            return;
        };
        self.conclude(Verdict {
            endpoint,
            state,
            reason,
            rtt: held.rtt,
            ttl: held.ttl,
            attempts: held.attempts,
            at: held.at,
        });
    }
}
