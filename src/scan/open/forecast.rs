//! What an opened scan will send, by which ways, and how long it may take: reckoned, nothing is sent.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::Duration;

use super::stretches::{MOST_ASKED, walk};
use super::{Opened, Scan};
use crate::engine::pace::Ceiling;
use crate::model::Address;
use crate::scan::ceiling;
use crate::transport::conntrack;
use crate::transport::route::{NetlinkRouter, Reach, Route};

/// What a scan will do, as far as that is known before its first packet.
#[derive(Clone, PartialEq, Debug)]
pub struct Forecast {
    /// Endpoints of this scan (of its shard, where it is one).
    pub endpoints: u64,
    /// The ways that its packets take, in the order of the targets; at most [`Forecast::WAYS`].
    pub ways: Vec<Way>,
    /// Targets that the kernel knows no way to.
    pub unroutable: u64,
    /// If everything answers at once.
    pub least: Cost,
    /// If nearly everything is silent, as behind a firewall that drops.
    pub likely: Cost,
    /// What decides the likely time.
    pub limit: Limit,
    pub warnings: Vec<Warning>,
}

/// One way out of this machine, and how many targets it leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    pub route: Route,
    pub hosts: u64,
}

/// What a scan costs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cost {
    pub packets: u64,
    /// Of IP packets, headers included, without what the link adds.
    pub bytes: u64,
    pub time: Duration,
}

/// What a scan of silent endpoints waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// The ceiling, in packets per second.
    Rate(u32),
    /// The ceiling for any one host, in packets per second.
    HostRate(u32),
    /// How long silence is listened to.
    Patience(Duration),
    /// How many connects fit at a time.
    Descriptors(usize),
}

/// Something that may spoil or delay the scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Warning {
    /// Few connects fit at a time.
    FewDescriptors { fit: usize },
    /// Connection tracking on this machine has less room than the scan may need.
    Conntrack {
        needed: u64,
        table: conntrack::Table,
    },
    /// There is no route to some of the targets.
    NoRoute { hosts: u64 },
    /// There are more routes than were looked at.
    ManyRoutes,
    /// It may take longer than most people wait.
    Long(Duration),
}

impl Forecast {
    /// Most ways that are told apart.
    pub const WAYS: usize = 1024;
}

impl Scan {
    /// Reckons what the scan will do. Routes are asked of the kernel; nothing is sent.
    ///
    /// # Errors
    /// Where the kernel cannot be asked for routes.
    pub fn forecast(&self) -> io::Result<Forecast> {
        let mut router = NetlinkRouter::open()?;
        let mut found = Found::default();
        for range in self.plan.targets().ranges() {
            found.walk(range.first(), range.last(), &mut router);
        }
        let (connects, ceiling) = match &self.opened {
            Opened::Syn(_) => (None, self.ceilings.scan),
            Opened::Connect(connect) => (
                NonZeroUsize::new(connect.window()),
                ceiling::for_connects(self.ceilings.scan),
            ),
        };
        let targets = self.plan.targets();
        let v6: u128 = targets
            .ranges()
            .filter(|range| !range.is_ipv4())
            .map(|range| range.count())
            .sum();
        let endpoints = self.options.shard.len(self.plan.len());
        let basis = Basis {
            endpoints,
            of_host: endpoints.div_ceil(targets.hosts().max(1)),
            host: self.ceilings.host,
            v6: v6 as f64 / targets.hosts() as f64,
            ceiling,
            connects,
            threads: self.options.threads.get(),
            patience: self.options.patience,
        };
        let least = basis.least();
        let (likely, limit) = basis.likely();
        let mut warnings = Vec::new();
        if found.unroutable > 0 {
            let hosts = found.unroutable;
            warnings.push(Warning::NoRoute { hosts });
        }
        if found.is_enough() {
            warnings.push(Warning::ManyRoutes);
        }
        if let Some(fit) = connects.map(NonZeroUsize::get)
            && fit < FEW
            && basis.endpoints > fit as u64
        {
            warnings.push(Warning::FewDescriptors { fit });
        }
        let needed = basis.tracked();
        if let Some(table) = conntrack::Table::read()
            && needed > table.room() / 2
        {
            warnings.push(Warning::Conntrack { needed, table });
        }
        if likely.time > LONG {
            warnings.push(Warning::Long(likely.time));
        }
        Ok(Forecast {
            endpoints: basis.endpoints,
            ways: found.ways,
            unroutable: found.unroutable,
            least,
            likely,
            limit,
            warnings,
        })
    }
}

/// The ways that were found.
#[derive(Default)]
struct Found {
    ways: Vec<Way>,
    unroutable: u64,
    asked: usize,
}

impl Found {
    /// Asks for the routes between two addresses of one range, once for each stretch that has but one.
    fn walk(&mut self, first: Address, last: Address, router: &mut NetlinkRouter) {
        let _enough = walk(first, last, router, &mut |stretch| {
            if self.is_enough() {
                return ControlFlow::Break(());
            }
            self.asked += 1;
            let hosts = stretch.hosts;
            match stretch.route {
                Ok(route) => match self.ways.iter_mut().find(|way| way.route == route) {
                    Some(way) => way.hosts = way.hosts.saturating_add(hosts),
                    None => self.ways.push(Way { route, hosts }),
                },
                Err(_) => self.unroutable = self.unroutable.saturating_add(hosts),
            }
            ControlFlow::Continue(())
        });
    }

    fn is_enough(&self) -> bool {
        self.asked >= MOST_ASKED || self.ways.len() >= Forecast::WAYS
    }
}

/// What the figures follow from.
struct Basis {
    endpoints: u64,
    /// Those of one host, and its ceiling, where it has one.
    of_host: u64,
    host: Option<Ceiling>,
    /// The share of them that is IPv6.
    v6: f64,
    ceiling: Ceiling,
    /// How many fit at a time, where the kernel connects.
    connects: Option<NonZeroUsize>,
    threads: usize,
    patience: Duration,
}

impl Basis {
    fn least(&self) -> Cost {
        let machine = match self.connects {
            Some(_) => CONNECTS_PER_THREAD.saturating_mul(self.threads as u64),
            None => SYNS,
        };
        let rate = u64::from(self.ceiling.most()).min(machine).max(1);
        let sending = self.endpoints as f64 / rate as f64;
        let host = self.host.map_or(0.0, |host| {
            self.of_host as f64 / f64::from(host.most().max(1))
        });
        self.cost(self.endpoints, sending.max(host))
    }

    fn likely(&self) -> (Cost, Limit) {
        let packets = self.endpoints.saturating_mul(SILENT);
        let rate = self.blind();
        let probes = match self.connects {
            // The kernel's repeats are nobody's to pace.
            Some(_) => self.endpoints,
            None => packets,
        };
        let sending = probes as f64 / f64::from(rate);
        let patience = self.patience.as_secs_f64();
        let mut longest = (sending, Limit::Rate(rate));
        if let Some(host) = self.host {
            let rate = host.blind().max(1);
            let rounds = probes as f64 / self.endpoints.max(1) as f64;
            let sending = self.of_host as f64 * rounds / f64::from(rate);
            // All hosts at their ceilings may be what the scan's is.
            if sending >= longest.0 {
                longest = (sending, Limit::HostRate(rate));
            }
        }
        if let Some(fit) = self.connects {
            let waiting = self.endpoints as f64 * patience / fit.get() as f64;
            if waiting > longest.0 {
                longest = (waiting, Limit::Descriptors(fit.get()));
            }
        }
        if longest.0 < patience {
            longest.1 = Limit::Patience(self.patience);
        }
        (self.cost(packets, longest.0 + patience), longest.1)
    }

    fn blind(&self) -> u32 {
        self.ceiling.blind().max(1)
    }

    /// Connections that this machine may have to track at a time: one that nobody answers is kept for two minutes.
    fn tracked(&self) -> u64 {
        let flows = if self.connects.is_some() { 1 } else { FLOWS };
        let kept = u64::from(self.blind()).saturating_mul(KEPT_SECONDS);
        self.endpoints.saturating_mul(flows).min(kept)
    }

    fn cost(&self, packets: u64, seconds: f64) -> Cost {
        let length = SYN_V4 + (SYN_V6 - SYN_V4) * self.v6;
        Cost {
            packets,
            bytes: (packets as f64 * length) as u64,
            time: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        }
    }
}

/// One sentence for the user.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewDescriptors { fit } => write!(
                f,
                "only {fit} connects fit at a time (descriptor limit); silent ports wait for each other: raise it with `ulimit -n`"
            ),
            Self::Conntrack { needed, table } => write!(
                f,
                "this machine tracks connections: the scan may need {needed} of the {} entries that are left \
                 (net.netfilter.nf_conntrack_max = {}), and packets are dropped when there are none; a lower --rate needs less",
                table.room(),
                table.most
            ),
            Self::NoRoute { hosts } => {
                write!(f, "there is no route to {hosts} of the addresses")
            }
            Self::ManyRoutes => {
                f.write_str("there are more routes to these targets than are listed here")
            }
            Self::Long(time) => write!(
                f,
                "it may take {:.1} days; --shard divides it, --max-time ends it",
                time.as_secs_f64() / 86_400.0
            ),
        }
    }
}

/// Stable names of JSON.
impl Warning {
    pub fn name(&self) -> &'static str {
        match self {
            Self::FewDescriptors { .. } => "few-descriptors",
            Self::Conntrack { .. } => "conntrack",
            Self::NoRoute { .. } => "no-route",
            Self::ManyRoutes => "many-routes",
            Self::Long(_) => "long",
        }
    }
}

impl Way {
    /// How far its targets are, in a word.
    pub fn reach(&self) -> &'static str {
        match self.route.reach {
            Reach::Local => "this machine",
            Reach::OnLink => "on the link",
            Reach::Private => "private",
            Reach::Public => "public",
        }
    }
}

/// SYNs that a silent endpoint gets on a path that loses nothing: two or three half-open, three of a kernel connect, and
/// one more of a host that says nothing at all.
const SILENT: u64 = 3;
/// Flows among them.
const FLOWS: u64 = 2;
/// SYNs per second that one machine sends (measured: 470,000 to 1,100,000).
const SYNS: u64 = 500_000;
/// The same for connects of one thread (measured: 170,000 to 187,000).
const CONNECTS_PER_THREAD: u64 = 150_000;
const SYN_V4: f64 = 60.0;
const SYN_V6: f64 = 80.0;
/// nf_conntrack_tcp_timeout_syn_sent.
const KEPT_SECONDS: u64 = 120;
/// Fewer connects at a time are a warning.
const FEW: usize = 1000;
const LONG: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(endpoints: u64, connects: Option<usize>) -> Basis {
        Basis {
            endpoints,
            of_host: endpoints,
            host: None,
            v6: 0.0,
            ceiling: Ceiling::Careful {
                blind: 20_000,
                most: 10_000_000,
            },
            connects: connects.and_then(NonZeroUsize::new),
            threads: 1,
            patience: Duration::from_secs(3),
        }
    }

    #[test]
    fn a_small_silent_scan_waits_for_patience_a_large_one_for_its_ceiling() {
        let (cost, limit) = basis(1_000, None).likely();
        assert_eq!(limit, Limit::Patience(Duration::from_secs(3)));
        assert_eq!((cost.packets, cost.bytes), (3_000, 180_000));
        assert_eq!(cost.time, Duration::from_millis(3_150));
        let (cost, limit) = basis(2_000_000, None).likely();
        assert_eq!(limit, Limit::Rate(20_000));
        assert_eq!(cost.time, Duration::from_secs(303));
    }

    #[test]
    fn connects_wait_for_descriptors() {
        let (cost, limit) = basis(10_000, Some(100)).likely();
        assert_eq!(limit, Limit::Descriptors(100));
        assert_eq!(cost.time, Duration::from_secs(303));
    }

    #[test]
    fn an_asked_rate_bounds_the_least_time_too() {
        let mut basis = basis(10_000, None);
        basis.ceiling = Ceiling::Asked(100);
        assert_eq!(basis.least().time, Duration::from_secs(100));
        basis.v6 = 1.0;
        assert_eq!(basis.least().bytes, 800_000);
        assert_eq!(basis.tracked(), 12_000);
    }

    #[test]
    fn a_ceiling_for_each_host_bounds_both_times() {
        let mut basis = basis(64_000, None);
        basis.of_host = 1_000;
        basis.host = Some(Ceiling::Asked(100));
        assert_eq!(basis.least().time, Duration::from_secs(10));
        let (cost, limit) = basis.likely();
        assert_eq!(limit, Limit::HostRate(100));
        assert_eq!(cost.time, Duration::from_secs(33));
        basis.host = Some(Ceiling::Asked(100_000));
        assert_eq!(basis.likely().1, Limit::Rate(20_000));
    }

    #[test]
    fn a_table_that_has_room_for_all_is_not_said_to_have_too_little() {
        let warning = Warning::Conntrack {
            needed: 196_605,
            table: conntrack::Table {
                most: 262_144,
                taken: 44,
            },
        };
        let told = "the scan may need 196605 of the 262100 entries that are left";
        assert!(warning.to_string().contains(told), "{warning}");
    }
}
