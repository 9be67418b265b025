//! Placeholder with the agreed signatures: one blocking connect after another. Dropped at the merge.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::model::{Address, Event, Progress, Reason, State, Summary, Time, Verdict};
use crate::plan::{Plan, Shard, Shuffle};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Auto,
    Syn,
    Connect,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub seed: u64,
    pub shard: Shard,
    pub rate: Option<u32>,
    pub patience: Duration,
    pub max_attempts: u16,
    pub miss_budget: f64,
    pub max_time: Option<Duration>,
    pub threads: NonZeroUsize,
    pub interface: Option<String>,
    pub source: Option<IpAddr>,
}

#[derive(Debug)]
pub struct Scan {
    plan: Plan,
    options: Options,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no permission for raw sockets: {what}")]
    NoPrivilege { what: String },
    #[error("no route to {address}")]
    NoRoute { address: Address },
    #[error("cannot {attempted}: {source}")]
    Io {
        attempted: String,
        source: io::Error,
    },
}

impl Scan {
    pub fn open(plan: Plan, options: Options) -> Result<Self, OpenError> {
        if options.mode == Mode::Syn {
            return Err(OpenError::NoPrivilege {
                what: "CAP_NET_RAW is missing".to_owned(),
            });
        }
        Ok(Self { plan, options })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn mode(&self) -> Mode {
        Mode::Connect
    }

    pub fn reason_for_mode(&self) -> &str {
        match self.options.mode {
            Mode::Connect => "asked for",
            _ => "no permission for raw sockets (Operation not permitted)",
        }
    }

    pub fn run(self, sink: &mut dyn Sink, stop: &Stop) -> Result<Summary, OpenError> {
        let begin = Instant::now();
        let now = || Time(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let shuffle = Shuffle::new(self.plan.len(), self.options.seed);
        let count = self.options.shard.len(self.plan.len());
        let mut summary = Summary {
            endpoints: count,
            complete: true,
            loss: Some(0.0),
            ..Summary::default()
        };
        let mut events = Vec::new();
        let end_of_time = self.options.max_time;
        for rank in 0..count {
            while !sink.ready() && stop.asked() == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            if let Some(rate) = self.options.rate {
                let due = Duration::from_secs_f64(rank as f64 / f64::from(rate));
                while begin.elapsed() < due && stop.asked() == 0 {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            if stop.asked() > 0 || end_of_time.is_some_and(|end| begin.elapsed() > end) {
                summary.interrupted = stop.asked() > 0;
                summary.complete = false;
                summary.untested = count - rank;
                break;
            }
            let index = shuffle.index(self.options.shard.position(rank));
            let Some(endpoint) = self.plan.endpoint(index) else {
                continue;
            };
            let asked = Instant::now();
            let to = SocketAddr::new(endpoint.address.ip, endpoint.port);
            let (state, reason) = match TcpStream::connect_timeout(&to, Duration::from_millis(200))
            {
                Ok(stream) if stream.local_addr().ok() == stream.peer_addr().ok() => {
                    (State::Closed, Reason::Rst)
                }
                Ok(_) => (State::Open, Reason::SynAck),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    (State::Closed, Reason::Rst)
                }
                Err(_) => (State::Filtered, Reason::NoAnswer),
            };
            summary.packets_sent += 1;
            match state {
                State::Open => summary.open += 1,
                State::Closed => summary.closed += 1,
                _ => summary.filtered += 1,
            }
            events.push(Event::Verdict(Verdict {
                endpoint,
                state,
                reason,
                rtt: Some(asked.elapsed()),
                ttl: None,
                attempts: 1,
                at: now(),
            }));
            if events.len() >= 64 || self.options.rate.is_some() {
                events.push(Event::Progress(Progress {
                    endpoints: count,
                    answered: rank + 1,
                    open: summary.open,
                    packets_sent: rank + 1,
                    pass: 0,
                    pass_done: rank as f64 / count as f64,
                    loss: None,
                    at: now(),
                    eta: None,
                }));
                sink.take(&mut events);
            }
        }
        sink.take(&mut events);
        summary.elapsed = begin.elapsed();
        Ok(summary)
    }
}

pub trait Sink {
    fn ready(&mut self) -> bool;
    fn take(&mut self, events: &mut Vec<Event>);
}

#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn asked(&self) -> u8 {
        self.0.load(Ordering::SeqCst)
    }
}
