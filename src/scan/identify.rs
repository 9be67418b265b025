//! What is behind the ports that were found open: asked after the scan, before its figures are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rustls::pki_types::UnixTime;

use crate::enrich::interview::{Guide, Subject};
use crate::enrich::rules::Rules;
use crate::enrich::tls::certificate::Authorities;
use crate::enrich::tls::session::Client;
use crate::model::{Address, Endpoint, Event, Kept, State, Summary, Time};
use crate::plan::Plan;
use crate::plan::registered_name;
use crate::scan::{Control, Sink};
use crate::transport::clock::Clock;
use crate::transport::talk::{self, Steer, TalkConfig};

/// What is found out about open ports, and what it is concluded with.
///
/// ```
/// use halfopen::{Identify, Options};
///
/// let mut options = Options::default();
/// options.identify = Some(Identify::default());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Identify {
    /// What texts of servers tell.
    pub rules: Arc<Rules>,
    /// Who this machine trusts to sign certificates; none: certificates are not judged.
    pub authorities: Authorities,
    /// The names by which hosts were given: web servers and TLS are asked for them.
    pub names: BTreeMap<Address, String>,
}

/// The rules that the program carries, no authorities, no names.
impl Default for Identify {
    fn default() -> Self {
        Self {
            rules: Arc::new(Rules::builtin()),
            authorities: Authorities::default(),
            names: BTreeMap::new(),
        }
    }
}

/// The sink of a scan that is followed by talks: keeps what was found open, and the figures until all is told.
pub(super) struct Held<'s> {
    inner: &'s mut dyn Sink,
    plan: Arc<Plan>,
    found: Vec<Found>,
    summary: Option<Summary>,
}

/// How talks are made.
pub(super) struct Talks<'a> {
    pub identify: &'a Identify,
    pub config: TalkConfig,
    pub control: &'a Control,
    pub max_time: Option<Duration>,
}

struct Found {
    endpoint: Endpoint,
    rtt: Option<Duration>,
}

impl<'s> Held<'s> {
    pub(super) fn new(inner: &'s mut dyn Sink, plan: Arc<Plan>) -> Self {
        Self {
            inner,
            plan,
            found: Vec::new(),
            summary: None,
        }
    }

    /// Talks with all that was found open, and tells what was found out and the figures.
    pub(super) fn talk(self, talks: Talks<'_>, summary: Summary) -> Summary {
        let Self {
            inner,
            plan,
            found,
            summary: told,
        } = self;
        let clock = talks.config.clock;
        let began = clock.now();
        let Some(mut summary) = told else {
            return summary;
        };
        let left = talks
            .max_time
            .map(|limit| limit.saturating_sub(summary.elapsed));
        let deadline = left.map_or(Time::NEVER, |left| began + left);
        let control = talks.control;
        let steer = || {
            if control.stop().asked() > 0 || clock.now() >= deadline {
                Steer::Stop
            } else if control.is_paused() {
                Steer::Wait
            } else {
                Steer::Go
            }
        };
        let interrupted_before = control.stop().asked() > 0;
        let mut unasked = 0;
        if !found.is_empty() && !interrupted_before {
            let subjects = subjects(found, &plan, talks.identify);
            let guide = Guide {
                rules: Arc::clone(&talks.identify.rules),
                authorities: talks.identify.authorities.clone(),
                now: Clock::calendar(),
            };
            let mut deliver = |service| {
                let mut events = vec![Event::Service(Box::new(service))];
                inner.take(&mut events);
            };
            unasked = talk::run(&talks.config, subjects, &guide, &steer, &mut deliver);
        }
        // The list of ports is whole; what was asked for is not.
        let stopped = control.stop().asked() > 0;
        summary.interrupted |= stopped;
        if unasked > 0 || steer() == Steer::Stop {
            summary.complete = false;
        }
        summary.elapsed += clock.now().since(began);
        inner.take(&mut vec![Event::Summary(summary)]);
        summary
    }
}

impl Sink for Held<'_> {
    fn ready(&mut self) -> bool {
        self.inner.ready()
    }

    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.iter() {
            match event {
                Event::Verdict(verdict)
                    if verdict.state == State::Open && self.found.len() < MOST_ENDPOINTS =>
                {
                    self.found.push(Found {
                        endpoint: verdict.endpoint,
                        rtt: verdict.rtt,
                    });
                }
                Event::Summary(summary) => self.summary = Some(*summary),
                _ => {}
            }
        }
        events.retain(|event| !matches!(event, Event::Summary(_)));
        self.inner.take(events);
        events.clear();
    }

    fn keep(&mut self, kept: &mut Vec<Kept>) {
        self.inner.keep(kept);
    }
}

/// Sessions of TLS as of now.
pub(super) fn client() -> Option<Client> {
    let since = Clock::calendar().duration_since(std::time::UNIX_EPOCH);
    Client::new(UnixTime::since_unix_epoch(since.unwrap_or_default()))
}

/// The endpoints of the plan among them, in order; nobody else is talked with.
fn subjects(mut found: Vec<Found>, plan: &Plan, identify: &Identify) -> Vec<Subject> {
    found.retain(|found| plan.index(&found.endpoint).is_some());
    found.sort_unstable_by_key(|found| found.endpoint);
    let mut random = rand::rng();
    found
        .into_iter()
        .map(|Found { endpoint, rtt }| Subject {
            endpoint,
            host: identify
                .names
                .get(&endpoint.address)
                .cloned()
                .unwrap_or_else(|| endpoint.address.ip.to_string()),
            rtt,
            registered: registered_name(endpoint.port).map(str::to_owned),
            random: random.random(),
        })
        .collect()
}

/// Open ports that are talked with at the most.
const MOST_ENDPOINTS: usize = 65_536;
