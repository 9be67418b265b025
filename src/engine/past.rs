//! What an earlier run of the same scan has left, and what this one leaves to the next.
//!
//! A run that goes on asks only what has no verdict and no claim yet, from its first pass on: attempts of earlier runs
//! prove nothing here, because nobody knows what became of them. Their answers do: they count as found, for the share of a
//! host's opens, for the stop rule and for the loss that it reckons with. They are no canaries: nothing that is kept is
//! asked again, but for the connect that was still to confirm an odd claim.
//!
//! Where a host answered earlier and nothing of it is heard now, nobody can tell whether it is still there: it is named,
//! and the scan is not complete.

use std::collections::HashMap;

use crate::engine::claim::{CROWD, Held, Proof, Standing};
use crate::engine::completeness::Loss;
use crate::engine::tries::Tries;
use crate::engine::verdict::Absence;
use crate::engine::{COMMON, Ending, Engine, MAX_ABSENT};
use crate::model::{
    Claim, Endpoint, Event, HostNote, Kept, Note, Reason, State, Through, Time, Told, Verdict,
};

/// See the top of the file.
#[derive(Default)]
pub struct Past {
    keeping: Keeping,
    kept: Vec<Kept>,
    /// Claims that have no verdict yet. As many as were held at one time.
    claims: HashMap<u64, Claim>,
    /// Notes of the present block.
    notes: Vec<HostNote>,
    /// The furthest rank of this block that had answered: what lies before it was asked.
    reach: u64,
    /// Endpoints of the only host that had answered.
    answered: u64,
    loss: Loss,
    loss_of_opens: Loss,
}

/// Whether what is found is given to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Keeping {
    #[default]
    No,
    Yes,
    /// It is what was kept already.
    Restoring,
}

impl Past {
    pub fn reach(&self) -> u64 {
        self.reach
    }

    /// Endpoints that had answered, where there is one host.
    pub fn answered(&self) -> u64 {
        self.answered
    }
}

impl Engine {
    /// Takes one thing that an earlier run gave to be kept, in its order. Comes before anything is sent; after each the events
    /// are polled, and after the last [`restored`](Self::restored) follows.
    pub fn restore(&mut self, kept: &Kept, now: Time) {
        self.past.keeping = Keeping::Restoring;
        match kept {
            Kept::Told(told) => self.restore_verdict(told, now),
            Kept::Claimed(claim) => self.restore_claim(claim),
            Kept::Noted { host, note } => self.restore_note(*host, *note),
            Kept::Through(through) => self.restore_block(through),
            // Of the search before the scan.
            Kept::Up { .. } | Kept::Looked(_) => {}
        }
    }

    /// Everything that was kept is restored, if there was anything. From now on [`poll_kept`](Self::poll_kept) gives what is new.
    pub fn restored(&mut self, now: Time) {
        self.past.keeping = Keeping::Yes;
        let mut notes = self.past.notes.iter();
        let loss = if notes.any(|note| note.note == Note::ResetsLimited) {
            self.past.loss_of_opens
        } else {
            self.past.loss
        };
        self.loss.add(&loss);
        let before = self.order.len() - self.order.left() - self.order.block_len();
        self.doubts.now = now;
        self.doubts.walked_to(now, before + self.past.reach);
        // What else was noted shows again if it is still so.
        for note in std::mem::take(&mut self.past.notes) {
            if note.note == Note::AnswersEverything {
                self.events.push_back(Event::Host(note));
            }
        }
        let mut claims: Vec<Claim> = std::mem::take(&mut self.past.claims)
            .into_values()
            .collect();
        claims.sort_unstable_by_key(|claim| claim.index);
        let ports = self.ports();
        for claim in &claims {
            let record = self.doubts.record(claim.index / ports);
            record.syn_acks += 1;
            record.proved += u32::from(claim.proof == Proof::Proven);
        }
        for claim in claims {
            self.weigh(claim.index / ports, held(&claim, now));
        }
    }

    /// Moves what is new and worth keeping to `out`, if somebody keeps it.
    pub fn poll_kept(&mut self, out: &mut Vec<Kept>) {
        out.append(&mut self.past.kept);
    }

    fn restore_verdict(&mut self, told: &Told, now: Time) {
        let (Some(rank), Some(endpoint)) =
            (self.order.rank(told.index), self.plan.endpoint(told.index))
        else {
            return;
        };
        let claimed = self.past.claims.remove(&told.index).is_some();
        if let Reason::Local(fault) = told.reason {
            // It was never asked, and is asked now unless its block is done with.
            if self.ledger.evidence.reason(rank).is_none() {
                self.lanes[COMMON].noted += 1;
            }
            return self.ledger.evidence.local(rank, fault);
        }
        if !claimed && !self.restore_answer(rank) {
            return;
        }
        if told.state == State::Filtered {
            // Somebody on the way answered for it.
            return self.tell_again(told, endpoint, now);
        }
        if !claimed {
            self.restore_host(told.index, told.state);
        }
        let mut sample = Loss::default();
        if told.attempts > 1 {
            sample.answered_later();
        } else {
            sample.answered_first();
        }
        self.past.loss.add(&sample);
        if told.state == State::Open {
            self.past.loss_of_opens.add(&sample);
        }
        let claims = matches!(
            told.reason,
            Reason::SynAck | Reason::Unconfirmed | Reason::AnswersEverything
        );
        if claims && self.ports() > CROWD {
            let host = told.index / self.ports();
            self.doubts.record(host).syn_acks += 1;
        }
        self.tell_again(told, endpoint, now);
    }

    fn tell_again(&mut self, told: &Told, endpoint: Endpoint, now: Time) {
        *self.summary.count_mut(told.state) += 1;
        self.events.push_back(Event::Verdict(Verdict {
            endpoint,
            state: told.state,
            reason: told.reason,
            rtt: told.rtt,
            ttl: told.ttl,
            attempts: told.attempts,
            at: now,
        }));
    }

    fn restore_claim(&mut self, claim: &Claim) {
        let Some(rank) = self.order.rank(claim.index) else {
            return;
        };
        let news = self.restore_answer(rank);
        if news {
            self.restore_host(claim.index, State::Open);
        }
        // One that has its verdict already keeps it.
        if news || self.past.claims.contains_key(&claim.index) {
            self.past.claims.insert(claim.index, *claim);
        }
    }

    /// The endpoint at `rank` need not be asked; false where that was known.
    fn restore_answer(&mut self, rank: u64) -> bool {
        let news = self.ledger.answered.set(rank);
        if news {
            let noted = self.ledger.evidence.reason(rank).is_some();
            self.ledger.evidence.forget(rank);
            self.lanes[COMMON].noted -= u64::from(noted);
            self.lanes[COMMON].remaining -= 1;
            self.past.reach = self.past.reach.max(rank + 1);
        }
        news
    }

    /// A host had answered. Its lane begins without samples: paths change.
    fn restore_host(&mut self, index: u64, state: State) {
        if self.plan.hosts() == 1 {
            self.past.answered += 1;
            self.lanes[COMMON].open += u64::from(state == State::Open);
            return;
        }
        let ports = self.ports();
        self.host_was_heard(index / ports, state);
    }

    fn restore_note(&mut self, host: Option<u64>, note: Note) {
        let address = match host {
            None => None,
            Some(host) => match self.plan.host(host) {
                Some(address) => Some(address),
                None => return,
            },
        };
        if let (Some(host), Note::AnswersEverything) = (host, note) {
            self.doubts.record(host).standing = Standing::Liar;
        }
        if self.past.notes.len() < MAX_ABSENT {
            self.past.notes.push(HostNote { address, note });
        }
    }

    /// The present block is done with: what did not answer kept silent.
    fn restore_block(&mut self, through: &Through) {
        if self.ending != Ending::No || through.places != self.order.len() - self.order.left() {
            return;
        }
        for note in std::mem::take(&mut self.past.notes) {
            if let (Note::NoNeighbour, Some(address)) = (note.note, note.address)
                && self.absent.len() < MAX_ABSENT
            {
                self.absent.insert(address, Absence::NoNeighbour);
            }
            self.events.push_back(Event::Host(note));
        }
        self.past.claims.clear();
        self.spent.missed = through.missed;
        self.spent.asked_once |= self.asks_once() && self.ledger.answered.zeros() > 0;
        self.begin_walk();
        self.summary.blocked = through.blocked;
        self.summary.unheard = through.unheard;
        self.ending = Ending::Reporting(0);
    }

    /// The block is over.
    pub(super) fn close_block(&mut self) {
        let restoring = self.past.keeping == Keeping::Restoring;
        // What was restored has its figures already.
        let missed = if restoring {
            self.spent.missed
        } else {
            self.tell_unheard();
            self.expected_missed()
        };
        if self.order.left() > 0 && !restoring {
            self.close_walk();
        }
        self.past.reach = 0;
        self.past.answered = 0;
        let proven = self.summary.error == 0
            && self.summary.blocked == 0
            && self.summary.unheard == 0
            && !self.asked_once();
        // What is not proven at the very end can be asked again.
        if !restoring && (proven || self.order.left() > 0) {
            self.keep(Kept::Through(Through {
                places: self.order.len() - self.order.left(),
                missed,
                blocked: self.summary.blocked,
                unheard: self.summary.unheard,
            }));
        }
    }

    /// Names the hosts that had answered, and of which nothing came now although something was asked.
    fn tell_unheard(&mut self) {
        let mut hosts: Vec<u64> = if self.plan.hosts() == 1 {
            let lane = &self.lanes[COMMON];
            let unheard =
                self.past.answered > 0 && lane.heard == 0 && self.ledger.answered.zeros() > 0;
            unheard.then_some(0).into_iter().collect()
        } else {
            self.hosts_unheard()
        };
        hosts.sort_unstable();
        for host in hosts {
            self.summary.unheard += 1;
            self.events.push_back(Event::Host(HostNote {
                address: self.plan.host(host),
                note: Note::UnheardSinceResume,
            }));
        }
    }

    /// The next event. Notes are kept when they are told.
    pub(super) fn pop_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if let Some(Event::Host(HostNote { address, note })) = &event {
            let host = match address {
                None => Some(None),
                Some(address) => self.plan.targets().rank(address).map(Some),
            };
            if let Some(host) = host {
                self.keep(Kept::Noted { host, note: *note });
            }
        }
        event
    }

    /// A verdict is told. Silence is kept for whole blocks.
    pub(super) fn keep_verdict(&mut self, verdict: &Verdict) {
        let silent = matches!(verdict.reason, Reason::NoAnswer | Reason::NoNeighbour);
        if self.past.keeping == Keeping::Yes
            && !silent
            && let Some(index) = self.plan.index(&verdict.endpoint)
        {
            self.keep(Kept::Told(Told {
                index,
                state: verdict.state,
                reason: verdict.reason,
                rtt: verdict.rtt,
                ttl: verdict.ttl,
                attempts: verdict.attempts,
            }));
        }
    }

    /// A claim has come, or is proven.
    pub(super) fn keep_claim(&mut self, held: &Held) {
        self.keep(Kept::Claimed(Claim {
            index: held.index,
            rtt: held.rtt,
            ttl: held.ttl,
            attempts: held.attempts,
            oddness: held.oddness,
            proof: held.proof,
        }));
    }

    /// The scan is cut short: what is told from now on is told for want of something better.
    pub(super) fn keep_no_more(&mut self) {
        self.past.keeping = Keeping::No;
    }

    fn keep(&mut self, kept: Kept) {
        if self.past.keeping == Keeping::Yes {
            self.past.kept.push(kept);
        }
    }
}

fn held(claim: &Claim, now: Time) -> Held {
    Held {
        index: claim.index,
        rtt: claim.rtt,
        ttl: claim.ttl,
        attempts: claim.attempts,
        at: now,
        oddness: claim.oddness,
        proof: claim.proof,
        tries: Tries::default(),
    }
}
