//! What a worker does where descriptors, memory or source ports run out: jobs wait, and are given back only when nothing of
//! ours could free anything.

use std::time::Duration;

use super::Worker;
use crate::model::{LocalFault, Seen, Time};
use crate::transport::connect::queue::Job;

#[derive(Clone, Copy)]
pub(super) struct Starved {
    pub since: Time,
    pub retry: Time,
}

impl Worker {
    pub(super) fn can_start(&self) -> bool {
        let starved = self
            .shortage
            .is_some_and(|shortage| shortage.retry != Time::ZERO);
        self.live < self.share && !starved
    }

    /// Lets one more job try, and remembers since when there is a shortage.
    pub(super) fn try_again(&mut self) {
        if let Some(shortage) = &mut self.shortage {
            shortage.retry = Time::ZERO;
        }
    }

    /// Nothing can start. The job goes back to the front, the window shrinks to what there is, and issuing stops until
    /// something is freed.
    pub(super) fn starve(&mut self, job: Job, now: Time) {
        let since = self.shortage.map_or(now, |shortage| shortage.since);
        let still = self.outbox.stands_still_since();
        if still.is_some_and(|still| now.since(still.max(since)) >= GIVE_UP) {
            self.note_departure(&job);
            let fault = Seen::Local(LocalFault::NotSent);
            return self.end(&job, fault, 0, Duration::ZERO, now);
        }
        self.shortage = Some(Starved {
            since,
            retry: now + RETRY,
        });
        self.share = self.live.max(1);
        self.inbox.set_share(self.share);
        self.put_back(job);
    }

    /// No source port is free towards this endpoint. Others need not wait for it.
    pub(super) fn park(&mut self, mut job: Job, now: Time) {
        let since = *job.parked.get_or_insert(now);
        if now.since(since) >= GIVE_UP.max(job.patience) {
            self.note_departure(&job);
            let fault = Seen::Local(LocalFault::NotSent);
            return self.end(&job, fault, 0, Duration::ZERO, now);
        }
        self.inbox.parks();
        self.parked.push_back((now + RETRY, job));
    }

    pub(super) fn unpark(&mut self, now: Time) {
        while let Some((due, mut job)) = self.parked.front().copied() {
            if due > now {
                return;
            }
            self.parked.pop_front();
            self.inbox.unparks();
            job.given = now;
            self.backlog.push_back(job);
        }
    }

    /// A descriptor is free again: issuing may go on, and a window that shrank grows by one.
    pub(super) fn freed(&mut self) {
        self.try_again();
        if self.share < self.most && self.shortage.is_none() {
            self.share += 1;
            self.inbox.set_share(self.share);
        }
    }
}

/// How soon a shortage is tried again when nothing was freed here: others may have freed something.
const RETRY: Duration = Duration::from_millis(20);
/// How long a shortage may last with nothing of ours under way before a job is given back as not sent.
const GIVE_UP: Duration = Duration::from_secs(5);
