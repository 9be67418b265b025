//! The format of scenario files. Unknown keys are refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use halfopen::engine::confirm::Confirm;
use halfopen::engine::ways::Ways;
use halfopen::model::{Address, Endpoint};
use halfopen::plan::{Plan, PortSet, TargetSet};
use halfopen::transport::sim::{
    Behaviour, Capture, Gates, Host, Limit, Network, OwnSide, PathLoss,
};
use serde::Deserialize;

/// A network, what is scanned on it, and what must come out in both modes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What this is about.
    #[expect(dead_code, reason = "written for the reader of the file")]
    about: String,
    ports: String,
    #[serde(default = "three_seconds")]
    pub patience_ms: u64,
    #[serde(default = "one")]
    pub seeds: u64,
    #[serde(default = "many")]
    pub descriptors: usize,
    pub rate: Option<u32>,
    /// By the default one of a hundred scans may lack a port, and a file of many lossy scans fails by chance.
    pub miss_budget: Option<f64>,
    /// The scan must not call itself complete: open ports that it lacks must be errors.
    #[serde(default)]
    pub unproven: bool,
    /// `never`: nothing is confirmed by a connect, so that SYN mode differs from connect mode.
    confirm: Option<String>,
    /// `deaf`: the capture hears nothing, kernel connects do.
    capture: Option<String>,
    /// It hears nothing of this address and those above: they are reached by another interface.
    deaf_from: Option<IpAddr>,
    /// What the scanner's own packet filter drops of others' traffic: clumps per second, and packets in one at the most.
    noise: Option<(f64, u64)>,
    /// One router before all hosts.
    router: Option<RouterEntry>,
    host: Vec<HostEntry>,
    pub expect: Expect,
    /// Where connects cannot tell what SYNs can, and must say so: what comes out by connect. Never complete.
    pub by_connect: Option<Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouterEntry {
    /// SYNs per second that are let in, and how many at once.
    syn_limit: Option<(f64, f64)>,
    /// Room for flows, and for how many milliseconds a silent one keeps its place.
    flow_table: Option<(usize, f64)>,
    /// Nothing is let in after so many SYNs.
    shuts_after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    address: IpAddr,
    /// So many of the same kind, at this address and those after it.
    #[serde(default = "one_host")]
    count: u8,
    #[serde(default)]
    rtt_ms: f64,
    #[serde(default)]
    jitter_ms: f64,
    /// Each way.
    #[serde(default)]
    loss: f64,
    /// Mean length of bursts; without it losses are independent.
    burst_ms: Option<f64>,
    #[serde(default)]
    open: String,
    rest: String,
    /// SYNs per second that are let in, and how many at once.
    syn_limit: Option<(f64, f64)>,
    /// Resets per second that are sent, and how many at once.
    reset_limit: Option<(f64, f64)>,
    /// A router's room for flows, and for how many milliseconds a silent one keeps its place.
    flow_table: Option<(usize, f64)>,
    /// Nothing is let in after so many SYNs.
    shuts_after: Option<u64>,
    /// The scanner's own packet filter drops its answers.
    #[serde(default)]
    answers_dropped: bool,
    /// Port specification -> behaviour.
    #[serde(default)]
    special: BTreeMap<String, String>,
    /// Whether `special` ports belong into the open list.
    #[serde(default)]
    special_open: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// "state reason" -> how many endpoints; open by SYN-ACK is just "open". Left out where only the open list is promised:
    /// losses in bursts may leave a closed port unheard.
    pub states: Option<BTreeMap<String, u64>>,
    /// All notes; where both modes come to the same, those of the SYN scan.
    #[serde(default)]
    pub notes: BTreeSet<String>,
    /// Which notes there are depends on whom chance makes a witness.
    #[serde(default)]
    pub notes_vary: bool,
    /// States that no endpoint may have.
    #[serde(default)]
    pub never: BTreeSet<String>,
    /// So many endpoints of a state there are at least, whatever their reasons: where chance says how many.
    #[serde(default)]
    pub least: BTreeMap<String, u64>,
    pub at_most_ms: u64,
    #[serde(default)]
    pub at_least_ms: u64,
    pub at_most_packets: u64,
}

impl Scenario {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn confirm(&self) -> Confirm {
        match self.confirm.as_deref() {
            None => Confirm::Auto,
            Some("never") => Confirm::Never,
            Some(other) => panic!("unknown confirmation {other:?}"),
        }
    }

    pub fn plan(&self) -> Plan {
        let ranges: Vec<_> = self
            .host
            .iter()
            .flat_map(HostEntry::addresses)
            .map(halfopen::plan::AddressRange::single)
            .collect();
        let targets = TargetSet::new(&ranges, &[]).expect("a small plan");
        Plan::new(targets, port_set(&self.ports))
    }

    pub fn network(&self) -> Network {
        let hosts = self.host.iter().flat_map(|host| {
            let mut ports = HashMap::new();
            for port in listed(&host.open) {
                ports.insert(port, Behaviour::Open);
            }
            for (spec, what) in &host.special {
                ports.extend(listed(spec).into_iter().map(|port| (port, behaviour(what))));
            }
            let loss = match host.burst_ms {
                _ if host.loss == 0.0 => PathLoss::None,
                None => PathLoss::Independent(host.loss),
                Some(mean) => PathLoss::Bursts(host.loss, millis(mean)),
            };
            let built = Host {
                rtt: millis(host.rtt_ms),
                jitter: millis(host.jitter_ms),
                loss,
                rest: behaviour(&host.rest),
                ports,
                gates: Gates {
                    syns: host.syn_limit.map(limit),
                    resets: host.reset_limit.map(limit),
                    flows: host.flow_table.map(|(most, hold)| (most, millis(hold))),
                    shuts_after: host.shuts_after,
                },
            };
            host.addresses()
                .map(move |address| (address, built.clone()))
        });
        let router = self.router.as_ref().map(|router| Gates {
            syns: router.syn_limit.map(limit),
            resets: None,
            flows: router.flow_table.map(|(most, hold)| (most, millis(hold))),
            shuts_after: router.shuts_after,
        });
        Network {
            capture: match (self.capture.as_deref(), self.deaf_from) {
                (None, None) => Capture::Whole,
                (Some("deaf"), None) => Capture::Deaf,
                (None, Some(first)) => Capture::DeafFrom(Address::new(first)),
                other => panic!("unknown capture {other:?}"),
            },
            router: router.unwrap_or_default(),
            own: OwnSide {
                drops: self.dropped(),
                noise: self.noise,
            },
            hosts: hosts.collect(),
        }
    }

    /// Hosts whose answers the scanner drops.
    fn dropped(&self) -> Vec<Address> {
        let hosts = self.host.iter().filter(|host| host.answers_dropped);
        hosts.flat_map(HostEntry::addresses).collect()
    }

    /// The interfaces.
    pub fn ways(&self) -> Ways {
        let hosts = self.host.iter().map(|host| {
            let deaf = self.deaf_from.is_some_and(|first| host.address >= first);
            (Address::new(host.address), u32::from(deaf))
        });
        Ways::new(hosts)
    }

    pub fn truth(&self) -> BTreeSet<String> {
        let planned = listed(&self.ports);
        let mut truth = BTreeSet::new();
        for host in &self.host {
            let mut open = listed(&host.open);
            open.extend(listed(&host.special_open));
            for address in host.addresses() {
                let here = open.intersection(&planned);
                truth.extend(here.map(|&port| Endpoint { address, port }.to_string()));
            }
        }
        truth
    }
}

impl HostEntry {
    fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        (0..self.count).map(|next| match self.address {
            IpAddr::V4(first) => {
                Address::new(Ipv4Addr::from(u32::from(first) + u32::from(next)).into())
            }
            IpAddr::V6(first) => {
                Address::new(Ipv6Addr::from(u128::from(first) + u128::from(next)).into())
            }
        })
    }
}

fn limit((per_second, burst): (f64, f64)) -> Limit {
    Limit { per_second, burst }
}

fn behaviour(text: &str) -> Behaviour {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |at: usize| -> u64 {
        words
            .get(at)
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("{text:?}: word {at} is a number"))
    };
    match words[0] {
        "open" => Behaviour::Open,
        "closed" => Behaviour::Closed,
        "silent" => Behaviour::Silent,
        "icmp" => Behaviour::Unreachable {
            kind: number(1) as u8,
            code: number(2) as u8,
        },
        "icmp-first" => Behaviour::UnreachableFirst {
            kind: number(1) as u8,
            code: number(2) as u8,
            times: number(3) as u8,
        },
        "slow" => Behaviour::Slow(Duration::from_millis(number(1))),
        "repeated" => Behaviour::Repeated(number(1) as u8),
        "forged-acknowledgement" => Behaviour::ForgedAcknowledgement,
        "forged-source" => Behaviour::ForgedSource,
        "bare-reset" => Behaviour::BareReset,
        "forged-reset" => Behaviour::ForgedReset,
        "forged-quote" => Behaviour::ForgedQuote,
        "zero-window" => Behaviour::ZeroWindow,
        "proxied-open" => Behaviour::ProxiedOpen,
        "proxied-closed" => Behaviour::ProxiedClosed,
        "lone-syn" => Behaviour::LoneSyn,
        "simultaneous" => Behaviour::Simultaneous,
        "accepts-and-resets" => Behaviour::AcceptsAndResets,
        "stale" => Behaviour::Stale,
        other => panic!("unknown behaviour {other:?}"),
    }
}

fn port_set(spec: &str) -> PortSet {
    PortSet::parse(spec)
        .unwrap_or_else(|mistakes| panic!("{spec:?}: {mistakes:?}"))
        .set
}

fn listed(spec: &str) -> BTreeSet<u16> {
    match spec {
        "" => BTreeSet::new(),
        spec => port_set(spec).iter().collect(),
    }
}

fn millis(count: f64) -> Duration {
    Duration::from_secs_f64(count / 1000.0)
}

fn three_seconds() -> u64 {
    3000
}

fn one() -> u64 {
    1
}

fn one_host() -> u8 {
    1
}

fn many() -> usize {
    20_000
}
