//! Opening a scan: which mode runs, and everything that needs privilege.

mod error;
mod forecast;
mod looked_up;
mod stretches;

pub use self::error::OpenError;
pub use self::forecast::{Cost, Forecast, Limit, Warning, Way};

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use self::error::{io_error, refused, why_not_raw};
use self::looked_up::{echo, families, passed_by};
use self::stretches::Bound;
use crate::engine::confirm::Confirm;
use crate::engine::ways::Ways;
use crate::engine::{Asking, BLOCK, Config, Engine};
use crate::model::{Event, Kept, Summary};
use crate::plan::{Plan, Shard};
use crate::scan::ceiling::Ceilings;
use crate::scan::identify::{self, Held, Identify, Systems, Talks};
use crate::scan::ping::{After, Ping, Search};
use crate::scan::resume::{self, Past};
use crate::scan::{Control, Sink, ceiling, run};
use crate::transport::clock::Clock;
use crate::transport::connect::{ConnectConfig, ConnectTransport};
use crate::transport::conntrack::Table;
use crate::transport::echo::EchoSockets;
use crate::transport::joined::Joined;
use crate::transport::privilege;
use crate::transport::raw::{RawConfig, RawTransport, SendPath, Senders};
use crate::transport::route::NetlinkRouter;
use crate::transport::talk::TalkConfig;
use crate::transport::tracked::Tracked;
use crate::transport::{Shapes, Transport};

/// Which way to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Half-open where raw sockets are to be had, else full connects.
    Auto,
    /// Half-open: crafted SYNs.
    Syn,
    /// Full kernel connects.
    Connect,
}

impl Mode {
    /// Its stable name: `auto`, `syn`, `connect`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Syn => "syn",
            Self::Connect => "connect",
        }
    }
}

/// What a scan does beyond its plan. Start from the default and set what matters.
///
/// ```
/// use halfopen::{Mode, Options};
///
/// let mut options = Options::default();
/// options.mode = Mode::Connect;
/// options.rate = Some(500);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Which way to ask.
    pub mode: Mode,
    /// Order of the walk. Never the source of the cookie's key.
    pub seed: u64,
    /// Which part of the plan to walk.
    pub shard: Shard,
    /// Ceiling in SYNs per second; replaces every built-in one.
    pub rate: Option<u32>,
    /// Ceiling in SYNs per second to any one host; replaces the built-in ones for a host. What a kernel connect repeats
    /// by itself is not counted, nor are echo requests. The connects of [`identify`](Self::identify) are.
    pub host_rate: Option<u32>,
    /// How long a silent endpoint is listened to.
    pub patience: Duration,
    /// Most passes over a silent endpoint.
    pub max_attempts: u16,
    /// The scan goes on until fewer open ports than this are expected to have been missed.
    pub miss_budget: f64,
    /// Ends the scan with what is known; `None`: no limit.
    pub max_time: Option<Duration>,
    /// Whether hosts are looked for first.
    pub ping: Ping,
    /// Whether odd answers to SYNs are confirmed by a full connect. Where none may be, a capture that hears nothing is not found
    /// out either: that takes connects too.
    pub confirm: Confirm,
    /// Connect workers.
    pub threads: NonZeroUsize,
    /// How crafted SYNs leave.
    pub send_path: SendPath,
    /// Send by this interface.
    pub interface: Option<String>,
    /// Send from this address of ours.
    pub source: Option<IpAddr>,
    /// Ask open ports what they serve, once the scan is over; `None`: a port scan and nothing else.
    pub identify: Option<Identify>,
}

/// An opened scan: its sockets are open, nothing has been sent, privileges are still held.
pub struct Scan {
    plan: Arc<Plan>,
    options: Options,
    opened: Opened,
    ceilings: Ceilings,
    ways: Ways,
    reason: String,
    passed_by: Option<String>,
    clock: Clock,
    echo: Option<EchoSockets>,
    without_echo: Option<String>,
    past: Option<Past>,
    /// Where transports add what the stacks of the hosts look like.
    shapes: Option<Shapes>,
}

enum Opened {
    Syn(Box<RawTransport<NetlinkRouter>>),
    Connect(Box<ConnectTransport>),
}

impl Scan {
    /// Opens the sockets of the mode asked for, or of the best that is to be had.
    ///
    /// # Errors
    /// [`OpenError`]; `NoPrivilege` only when [`Mode::Syn`] was asked for, `NeverWithoutRaw` and `Completes` only with
    /// [`Confirm::Never`].
    pub fn open(plan: Plan, options: Options) -> Result<Self, OpenError> {
        if options.mode == Mode::Connect && options.confirm == Confirm::Never {
            return Err(OpenError::Completes);
        }
        let mut router = NetlinkRouter::open()
            .map_err(|error| io_error("cannot ask the kernel for routes", error))?;
        let ceilings = ceiling::of(&plan, options.rate, options.host_rate, &mut router)
            .map_err(|(address, source)| OpenError::NoRoute { address, source })?;
        let bound = match options.interface {
            Some(_) => Bound::ToInterface,
            None => Bound::No,
        };
        let ways = stretches::ways(&plan, &mut router, bound);
        let frames = (options.send_path != SendPath::Ip).then(|| passed_by(&options, &router));
        let clock = Clock::start();
        let (opened, mut reason) = match options.mode {
            Mode::Connect => (connect(&options, clock)?, "asked for".to_owned()),
            Mode::Syn => match raw(&plan, &options, router, clock) {
                Ok(opened) => (opened, "asked for".to_owned()),
                Err(error) => return Err(refused(error, options.confirm)),
            },
            Mode::Auto => match raw(&plan, &options, router, clock) {
                Ok(opened) => (opened, "raw sockets are available".to_owned()),
                // Connects complete connections.
                Err(error) if options.confirm == Confirm::Never => {
                    return Err(refused(error, options.confirm));
                }
                Err(error) => (connect(&options, clock)?, why_not_raw(&error)),
            },
        };
        let passed_by = match (frames, &opened) {
            (None, _) => None,
            (Some(passed_by), Opened::Syn(..)) => Some(passed_by?),
            (Some(_), Opened::Connect(_)) => {
                reason.push_str("; so no frames are sent");
                None
            }
        };
        let (echo, without_echo) = echo(&plan, &options, clock);
        Ok(Self {
            plan: Arc::new(plan),
            options,
            opened,
            ceilings,
            ways,
            reason,
            passed_by,
            clock,
            echo,
            without_echo,
            past: None,
            shapes: None,
        })
    }

    /// The same scan, but it goes on where earlier runs of it ended, and gives what it finds to [`Sink::keep`]. `past` is what
    /// they gave, in order; of a first run it is empty. What it says of an endpoint is told as if it had just been found.
    ///
    /// It must be of the same plan, seed and shard: everything in it is an index.
    pub fn resuming(self, past: impl Iterator<Item = io::Result<Kept>> + Send + 'static) -> Self {
        let past: Box<dyn Iterator<Item = io::Result<Kept>> + Send> = Box::new(past);
        Self {
            past: Some(past.peekable()),
            ..self
        }
    }

    /// One sentence on what probes pass by on this machine, where they leave as frames.
    pub fn passed_by(&self) -> Option<&str> {
        self.passed_by.as_deref()
    }

    /// Why no echo requests can be sent although hosts are looked for: by TCP and the neighbour table alone, then.
    pub fn without_echo(&self) -> Option<&str> {
        self.without_echo.as_deref()
    }

    /// What will be scanned.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The mode that will run: [`Mode::Syn`] or [`Mode::Connect`].
    pub fn mode(&self) -> Mode {
        match self.opened {
            Opened::Syn(..) => Mode::Syn,
            Opened::Connect(_) => Mode::Connect,
        }
    }

    /// Why that mode.
    pub fn reason_for_mode(&self) -> &str {
        &self.reason
    }

    /// Gives up every privilege, starts the transport and runs to the end. Then, where it is asked for, talks with what was
    /// found open.
    ///
    /// # Errors
    /// Where privileges cannot be dropped or no thread can be started; nothing was sent then.
    pub fn run(mut self, sink: &mut dyn Sink, control: &Control) -> Result<Summary, OpenError> {
        let Some(identify) = self.options.identify.take() else {
            return self.scan(sink, control);
        };
        let max_time = self.options.max_time;
        let config = TalkConfig {
            host_rate: self.options.host_rate,
            source: self.options.source,
            interface: self.options.interface.clone(),
            clock: self.clock,
            client: identify::client(),
        };
        let shapes = (identify.systems == Systems::Told).then(Shapes::default);
        self.shapes = shapes.clone();
        let mut held = Held::new(sink, Arc::clone(&self.plan));
        let summary = self.scan(&mut held, control)?;
        let talks = Talks {
            identify: &identify,
            config,
            control,
            max_time,
            shapes,
        };
        Ok(held.talk(talks, summary))
    }

    fn scan(mut self, sink: &mut dyn Sink, control: &Control) -> Result<Summary, OpenError> {
        privilege::drop_all()
            .map_err(|error| io_error("cannot drop privileges", io::Error::other(error)))?;
        let (transport, asking): (Box<dyn Transport>, Asking) = match self.opened {
            Opened::Syn(mut raw) => {
                if let Some(shapes) = &self.shapes {
                    raw.set_shapes(shapes.clone());
                }
                raw.start()
                    .map_err(|error| io_error("cannot start the receiver", error))?;
                // Confirmations are few: a pool for them needs no thread per core.
                let pool = connect_config(&self.options, self.clock, CONFIRMING);
                (
                    Box::new(Joined::new(*raw, pool).with_shapes(self.shapes)),
                    Asking::Syn {
                        flows: RawConfig::FLOWS,
                    },
                )
            }
            Opened::Connect(mut connect) => {
                if let Some(shapes) = &self.shapes {
                    connect.set_shapes(shapes);
                }
                connect
                    .start()
                    .map_err(|error| io_error("cannot start the connect workers", error))?;
                self.ceilings.scan = ceiling::for_connects(self.ceilings.scan);
                (connect, Asking::Handshake)
            }
        };
        let config = Config {
            asking,
            seed: self.options.seed,
            shard: self.options.shard,
            block: BLOCK,
            patience: self.options.patience,
            max_attempts: self.options.max_attempts,
            miss_budget: self.options.miss_budget,
            ceiling: self.ceilings.scan,
            connect_ceiling: ceiling::for_connects(self.ceilings.scan),
            confirm: self.options.confirm,
        };
        let transport = &mut Tracked::new(transport, Table::read);
        let max_time = self.options.max_time;
        if self.options.ping == Ping::Never {
            let mut engine = Engine::new(self.plan.clone(), config, transport.now())
                .with_ways(self.ways)
                .with_host_ceiling(self.ceilings.host);
            if let Some(past) = self.past {
                resume::restore(past, &mut engine, transport, sink, control)?;
            }
            return Ok(run(&self.plan, engine, transport, sink, control, max_time));
        }
        let targets = self.plan.targets();
        let known = match &mut self.past {
            Some(past) => resume::known_hosts(past, targets)?,
            None => None,
        };
        if let Some(echo) = self.echo.as_mut().filter(|_| known.is_none()) {
            echo.start()
                .map_err(|error| io_error("cannot start the reader of echo replies", error))?;
        }
        let found = match known {
            Some(found) => found,
            None => {
                let search = Search {
                    targets,
                    ping: self.options.ping,
                    echo: self.echo,
                    config: config.clone(),
                    host_ceiling: self.ceilings.host,
                    ways: self.ways.clone(),
                    max_time,
                };
                let found = search.run(transport, sink, control);
                if found.is_whole(control, max_time) && self.past.is_some() {
                    resume::keep_hosts(&found, targets, sink);
                }
                found
            }
        };
        let mut after = After {
            inner: sink,
            found: &found,
        };
        let Some(up) = found
            .up
            .as_ref()
            .filter(|_| self.options.ping == Ping::First)
        else {
            let summary = found.alone(control, transport.counters().packets_sent, max_time);
            after.take(&mut vec![Event::Summary(summary)]);
            return Ok(found.joined(&summary));
        };
        let plan = Arc::new(Plan::new(up.clone(), self.plan.ports().clone()));
        let mut engine = Engine::new(plan.clone(), config, transport.now())
            .with_ways(self.ways)
            .with_host_ceiling(self.ceilings.host);
        if let Some(past) = self.past {
            resume::restore(past, &mut engine, transport, &mut after, control)?;
        }
        let left = max_time.map(|limit| limit.saturating_sub(found.elapsed));
        let summary = run(&plan, engine, transport, &mut after, control, left);
        Ok(found.joined(&summary))
    }
}

fn raw(plan: &Plan, options: &Options, router: NetlinkRouter, clock: Clock) -> io::Result<Opened> {
    let interface = match &options.interface {
        None => None,
        Some(name) => {
            let known = router.surroundings().named(name);
            let known = known.ok_or_else(|| io::Error::other(format!("no interface {name:?}")))?;
            Some(known.index)
        }
    };
    let config = RawConfig {
        families: families(plan),
        interface,
        source: options.source,
        path: options.send_path,
        senders: Senders::for_this_machine(),
        flows: RawConfig::FLOWS,
        ring: RawConfig::RING,
        key: rand::random(),
        clock,
    };
    let raw = RawTransport::open(config, router)?;
    Ok(Opened::Syn(Box::new(raw)))
}

fn connect(options: &Options, clock: Clock) -> Result<Opened, OpenError> {
    let config = connect_config(options, clock, options.threads);
    let opened = ConnectTransport::open(config)
        .map_err(|error| io_error("cannot prepare connects", error))?;
    Ok(Opened::Connect(Box::new(opened)))
}

fn connect_config(options: &Options, clock: Clock, threads: NonZeroUsize) -> ConnectConfig {
    ConnectConfig {
        threads,
        source: options.source,
        interface: options.interface.clone(),
        window: None,
        clock,
    }
}

/// Threads that confirm.
const CONFIRMING: NonZeroUsize = NonZeroUsize::MIN;
