//! Talks with open endpoints over ordinary connections: [`enrich`](crate::enrich) says what to say, and this carries it.
//!
//! A bounded pool of threads, each with one talk at a time; few at a time with each host, because a server that is asked by
//! thirty-two at once may take it for an attack. Every wait is bounded: a connection by the interview, an endpoint by
//! [`PER_ENDPOINT`], a host by [`PER_HOST`] (not counting what an asked rate makes it wait), behind which its remaining ports
//! are told by their numbers.

mod line;
mod queue;

use std::net::IpAddr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use self::queue::{Queue, Taken};
use crate::enrich::interview::{Action, Guide, Happened, Interview, Subject};
use crate::enrich::tls::session::Client;
use crate::model::facts::{Detail, Service};
use crate::transport::clock::Clock;
use crate::transport::connect::Caller;

/// How to talk.
#[derive(Clone, Debug)]
pub struct TalkConfig {
    /// The address to connect from; `None` lets the kernel choose.
    pub source: Option<IpAddr>,
    /// The interface to send by; `None` lets the kernel route.
    pub interface: Option<String>,
    /// Connections per second to one host at the most; `None`: as many as it takes.
    pub host_rate: Option<u32>,
    /// The scan's clock.
    pub clock: Clock,
    /// What sessions of TLS are made with; without, none is tried.
    pub client: Option<Client>,
}

/// Whether talks go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Steer {
    Go,
    /// None begins; those under way go on.
    Wait,
    /// All end now, with what is known.
    Stop,
}

/// What is told while talks go on.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    Found(Box<Service>),
    /// Nothing was found for a while.
    None,
}

/// Talks with all of them and tells what each serves, as it is found out. The threads have the privileges of the
/// calling one, so drop those first. Returns how many were not asked, because the talks were stopped.
pub fn run(
    config: &TalkConfig,
    subjects: Vec<Subject>,
    guide: &Guide,
    steer: &(dyn Fn() -> Steer + Sync),
    tell: &mut dyn FnMut(News),
) -> usize {
    let count = subjects.len();
    let queue = Queue::new(subjects, config.host_rate);
    let caller = Caller::new(config.source, config.interface.clone());
    let mut delivered = 0;
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for number in 0..count.min(TALKS) {
            let (sender, queue, caller) = (sender.clone(), &queue, &caller);
            let talks = move || {
                while let Some(taken) = queue.take(config.clock, steer) {
                    let address = taken.address;
                    let service = talk(config, caller, taken, queue, guide, steer);
                    queue.done(address);
                    // The caller is there until all threads have ended.
                    let _ = sender.send(service);
                }
            };
            let thread = std::thread::Builder::new().name(format!("talk-{number}"));
            // Fewer threads are slower, not wrong.
            let _ = thread.spawn_scoped(scope, talks);
        }
        drop(sender);
        // Ends when the last thread has: also at once, where none could be started.
        loop {
            match receiver.recv_timeout(GLANCE) {
                Ok(service) => {
                    delivered += 1;
                    tell(News::Found(Box::new(service)));
                }
                Err(RecvTimeoutError::Timeout) => tell(News::None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    count - delivered
}

/// One endpoint, until all is said or the time is over.
fn talk(
    config: &TalkConfig,
    caller: &Caller,
    taken: Taken,
    queue: &Queue,
    guide: &Guide,
    steer: &(dyn Fn() -> Steer + Sync),
) -> Service {
    let clock = config.clock;
    let began = clock.now();
    let mut ends = (began + PER_ENDPOINT).min(taken.ends);
    let mut interview = Interview::new(taken.subject, config.client.clone());
    if began >= taken.ends {
        let mut service = interview.conclude(guide);
        service.details.push(Detail {
            name: "not_asked".into(),
            value: "the time for this host was over".to_owned(),
        });
        return service;
    }
    let called = || queue.called(taken.address, clock);
    let mut line = line::Line::new(caller, clock, interview.endpoint(), &called);
    let mut action = interview.next(Happened::Start, began);
    loop {
        if action == Action::Connect {
            // What the pace costs is not taken from the endpoint's time.
            ends = ends + queue.wait_for_slot(taken.address, clock, steer);
            if steer() == Steer::Stop {
                interview.next(Happened::OutOfTime, clock.now());
                break;
            }
        }
        let is_over = || clock.now() >= ends || steer() == Steer::Stop;
        let Some(happened) = line.act(&action, ends, &is_over) else {
            break;
        };
        let over = is_over();
        action = interview.next(happened, clock.now());
        if over {
            interview.next(Happened::OutOfTime, clock.now());
            break;
        }
    }
    interview.conclude(guide)
}

/// Talks at a time.
const TALKS: usize = 32;
/// How long one endpoint is talked with.
pub const PER_ENDPOINT: Duration = Duration::from_secs(15);
/// How long one host is talked with, all its ports together.
pub const PER_HOST: Duration = Duration::from_secs(180);
/// An end that was asked for is noticed within this.
const GLANCE: Duration = Duration::from_millis(100);
