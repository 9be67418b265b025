//! What is behind the ports that were found open: asked after the scan, before its figures are told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use rustls::pki_types::UnixTime;

use crate::enrich::hardware::hardware;
use crate::enrich::interview::{Guide, Subject};
use crate::enrich::rules::Rules;
use crate::enrich::system::system;
use crate::enrich::tls::certificate::Authorities;
use crate::enrich::tls::session::Client;
use crate::enrich::vulns::known::Vulnerabilities;
use crate::model::facts::{Part, Service};
use crate::model::{
    self, Address, Endpoint, Event, HostNote, Kept, Note, Progress, State, Summary, Time,
};
use crate::plan::Plan;
use crate::plan::registered_name;
use crate::scan::{Control, Sink};
use crate::transport::Shapes;
use crate::transport::clock::Clock;
use crate::transport::route::NetlinkRouter;
use crate::transport::talk::{self, News, Steer, TalkConfig};

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
    /// Whether open ports are asked what they serve.
    pub services: Services,
    /// Whether it is told what hosts run, and on what.
    pub systems: Systems,
    /// What is known of the vulnerabilities of what ports serve; none: nothing is looked up.
    pub vulnerabilities: Option<Arc<Mutex<dyn Vulnerabilities>>>,
}

/// Whether open ports are asked what they serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Services {
    Told,
    /// No server is asked anything: systems are concluded from what the scan itself saw.
    NotTold,
}

/// Whether it is told what hosts run, and on what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Systems {
    Told,
    NotTold,
}

/// The rules that the program carries, no authorities, no names, services alone.
impl Default for Identify {
    fn default() -> Self {
        Self {
            rules: Arc::new(Rules::builtin()),
            authorities: Authorities::default(),
            names: BTreeMap::new(),
            services: Services::Told,
            systems: Systems::NotTold,
            vulnerabilities: None,
        }
    }
}

/// The sink of a scan that is followed by talks: keeps what was found open, and the figures until all is told.
pub(super) struct Held<'s> {
    inner: &'s mut dyn Sink,
    plan: Arc<Plan>,
    found: Vec<Found>,
    /// Open ports beyond those that are kept.
    too_many: u64,
    latest: Option<Progress>,
    summary: Option<Summary>,
}

/// How talks are made.
pub(super) struct Talks<'a> {
    pub identify: &'a Identify,
    pub config: TalkConfig,
    pub control: &'a Control,
    pub max_time: Option<Duration>,
    /// What the stacks of the hosts looked like, where it was collected.
    pub shapes: Option<Shapes>,
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
            too_many: 0,
            latest: None,
            summary: None,
        }
    }

    /// Talks with all that was found open, and tells what was found out and the figures.
    pub(super) fn talk(self, talks: Talks<'_>, summary: Summary) -> Summary {
        let Self {
            inner,
            plan,
            found,
            too_many,
            latest,
            summary: ended,
        } = self;
        let clock = talks.config.clock;
        let began = clock.now();
        let Some(mut summary) = ended else {
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
        let mut told = Told::of(&found);
        let mut look_up = LookUp(talks.identify.vulnerabilities.clone());
        let mut not_looked_up = false;
        let asks = talks.identify.services == Services::Told;
        if asks && too_many > 0 {
            let note = Note::NotAllIdentified;
            let address = None;
            inner.take(&mut vec![Event::Host(HostNote { address, note })]);
        }
        if asks && !found.is_empty() && !interrupted_before {
            let mut done = 0;
            let progress = progress(latest, &summary, found.len());
            let subjects = subjects(found, &plan, talks.identify);
            let guide = Guide {
                rules: Arc::clone(&talks.identify.rules),
                authorities: talks.identify.authorities.clone(),
                now: Clock::calendar(),
            };
            let mut tell = |news: News| {
                let mut events = Vec::new();
                if let News::Found(service) = news {
                    done += 1;
                    let findings = look_up.findings(&service);
                    not_looked_up |= findings.is_none();
                    told.keep(&service);
                    events.push(Event::Service(service));
                    events.extend(findings.into_iter().flatten());
                }
                events.push(Event::Progress(progress(done, clock.now())));
                inner.take(&mut events);
            };
            unasked = talk::run(&talks.config, subjects, &guide, &steer, &mut tell);
        }
        if let Some(shapes) = &talks.shapes {
            inner.take(&mut told.systems(shapes, &plan));
        }
        // The list of ports is whole; what was asked for is not.
        let stopped = control.stop().asked() > 0;
        summary.interrupted |= stopped;
        if unasked > 0 || (asks && too_many > 0) || not_looked_up || steer() == Steer::Stop {
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
                Event::Verdict(verdict) if verdict.state == State::Open => {
                    if self.found.len() < MOST_ENDPOINTS {
                        self.found.push(Found {
                            endpoint: verdict.endpoint,
                            rtt: verdict.rtt,
                        });
                    } else {
                        self.too_many += 1;
                    }
                }
                Event::Progress(progress) => self.latest = Some(*progress),
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

/// How far the talks are, told in the terms of the scan that has ended.
fn progress(
    latest: Option<Progress>,
    summary: &Summary,
    of: usize,
) -> impl Fn(u64, Time) -> Progress + use<> {
    let ended = Progress {
        endpoints: summary.endpoints,
        answered: summary.open + summary.closed + summary.suspect,
        open: summary.open,
        held: 0,
        packets_sent: summary.packets_sent,
        pass: latest.map_or(0, |latest| latest.pass),
        pass_done: 1.0,
        loss: None,
        allowed: latest.map_or(0, |latest| latest.allowed),
        at: Time::ZERO,
        hosts_up: None,
        talks: None,
        eta: None,
    };
    let of = of as u64;
    move |done, at| Progress {
        pass_done: done as f64 / of.max(1) as f64,
        talks: Some(model::Talks { done, of }),
        at,
        ..ended
    }
}

/// What the system of a host is concluded from.
struct Told {
    hosts: BTreeSet<Address>,
    /// Services that told of a system, by host.
    services: BTreeMap<Address, Vec<Service>>,
}

impl Told {
    fn of(found: &[Found]) -> Self {
        Self {
            hosts: found.iter().map(|found| found.endpoint.address).collect(),
            services: BTreeMap::new(),
        }
    }

    fn keep(&mut self, service: &Service) {
        if service.software.iter().any(|it| it.part == Part::System) {
            let of_host = self.services.entry(service.endpoint.address).or_default();
            of_host.push(service.clone());
        }
    }

    /// What each host seems to run, and on what, as far as anything is known of it.
    fn systems(mut self, shapes: &Shapes, plan: &Plan) -> Vec<Event> {
        let targets = plan.targets();
        let seen = shapes.hosts().into_iter();
        self.hosts
            .extend(seen.filter(|host| targets.contains(host)));
        // After the talks, which had the kernel ask for every neighbour among them. A kernel that tells nothing leaves devices
        // unnamed, and no more.
        let neighbours = NetlinkRouter::open().and_then(|mut router| router.link_addresses());
        let neighbours: HashMap<Address, [u8; 6]> = neighbours.unwrap_or_default();
        let systems = self.hosts.iter().filter_map(|host| {
            let services = self.services.get(host).map_or(&[][..], Vec::as_slice);
            let device = neighbours.get(host).copied().map(hardware);
            system(*host, &shapes.of(*host), services, device)
        });
        systems
            .map(|system| Event::System(Box::new(system)))
            .collect()
    }
}

/// A database that is asked until it fails.
struct LookUp(Option<Arc<Mutex<dyn Vulnerabilities>>>);

impl LookUp {
    /// What is known of this service; `None` where the database has failed just now. It is not asked again.
    fn findings(&mut self, service: &Service) -> Option<Vec<Event>> {
        let Some(database) = &self.0 else {
            return Some(Vec::new());
        };
        let known = database
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .known(service);
        match known {
            Ok(findings) => Some(
                findings
                    .into_iter()
                    .map(|finding| Event::Finding(Box::new(finding)))
                    .collect(),
            ),
            Err(_) => {
                self.0 = None;
                None
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reason, Verdict};

    /// Endpoints beyond the last that is asked were passed over without a word.
    #[test]
    fn more_open_ports_than_are_asked_is_said() {
        let plan = Arc::new(Plan::parse("127.0.0.0/16", "1-2").expect("a plan"));
        let mut events: Vec<Event> = (0..=MOST_ENDPOINTS as u64)
            .map(|index| {
                Event::Verdict(Verdict {
                    endpoint: plan.endpoint(index).expect("planned"),
                    state: State::Open,
                    reason: Reason::SynAck,
                    rtt: None,
                    ttl: None,
                    attempts: 1,
                    at: Time::ZERO,
                })
            })
            .collect();
        events.push(Event::Summary(Summary {
            complete: true,
            ..Summary::default()
        }));
        let mut notes = Vec::new();
        let mut sink = |event: Event| {
            if let Event::Host(note) = event {
                notes.push(note.note);
            }
        };
        let mut held = Held::new(&mut sink, plan);
        held.take(&mut events);
        let control = Control::default();
        // Nobody is talked with.
        control.stop().ask();
        let config = TalkConfig {
            host_rate: None,
            source: None,
            interface: None,
            clock: Clock::start(),
            client: None,
        };
        let summary = held.talk(
            Talks {
                identify: &Identify::default(),
                config,
                control: &control,
                max_time: None,
                shapes: None,
            },
            Summary::default(),
        );
        assert!(!summary.complete);
        assert_eq!(notes, [Note::NotAllIdentified]);
    }
}
