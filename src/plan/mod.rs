//! What is scanned: targets minus excludes, times ports, each endpoint addressed by one number.
//!
//! Nothing is stored per endpoint. A [`Plan`] turns an index into an endpoint and back, a [`Shuffle`] turns a
//! position in the order of sending into an index and back, and a [`Shard`] says which positions this run takes.
//!
//! Text becomes a plan here too ([`TargetList`], [`PortSet::parse`]), and every way to get it wrong has its
//! [`Mistake`]. The plan is pure: names of interfaces and addresses of host names come in as arguments.

mod address_range;
mod gathered;
mod host_name;
mod ipv4;
mod ipv6;
mod job_seed;
mod mistake;
mod port_set;
mod port_text;
mod ranked;
mod services;
mod shard;
mod shuffle;
mod suggest;
mod surroundings;
mod target;
mod target_set;
mod targets;

use crate::model::{Address, Endpoint};

pub use address_range::AddressRange;
pub use host_name::HostName;
pub use mistake::{
    Cause, Loudness, MESSAGE_BYTES, Mistake, Mistakes, Note, QUOTED_CHARACTERS, escape, quote,
    quote_path,
};
pub use port_set::PortSet;
pub use ranked::ranked_ports;
pub use services::{registered_name, registered_ports};
pub use shard::Shard;
pub use shuffle::Shuffle;
pub use suggest::nearest;
pub use surroundings::Surroundings;
pub use target::{Internet, Purpose, Target};
pub use target_set::TargetSet;
pub use targets::{Parsed, TargetList};

/// The endpoints of a scan, numbered from 0 to [`len`](Self::len).
///
/// The numbering (host by host, ports in ascending order) depends on the two sets alone, so every machine and every
/// run that is given the same targets and ports agrees on it. The plan is also the gate in front of every send: only
/// an endpoint that [`index`](Self::index) knows may be probed.
///
/// ```
/// use halfopen::plan::{Plan, PortSet, TargetSet};
///
/// let targets = TargetSet::parse(&["192.0.2.0/30"], &["192.0.2.1"]).unwrap();
/// let ports = PortSet::parse("22,80").unwrap().set;
/// let plan = Plan::new(targets, ports);
/// let last = plan.endpoint(plan.len() - 1).unwrap();
/// assert_eq!(last.to_string(), "192.0.2.3:80");
/// assert_eq!(plan.index(&last), Some(5));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    targets: TargetSet,
    ports: PortSet,
    /// Never 0: a port set is never empty.
    ports_per_host: u64,
}

impl Plan {
    /// Makes the plan of all `targets` times all `ports`. It cannot fail: neither set is ever empty, and a
    /// [`TargetSet`] is never so large that the product leaves a `u64`.
    pub fn new(targets: TargetSet, ports: PortSet) -> Self {
        let ports_per_host = u64::from(ports.len());
        Self {
            targets,
            ports,
            ports_per_host,
        }
    }

    /// Makes a plan from text: targets with commas or blanks between them (addresses, networks, ranges; no names, because
    /// nobody is asked for them here, and no zones), and ports as on the command line.
    ///
    /// ```
    /// use halfopen::Plan;
    ///
    /// let plan = Plan::parse("192.0.2.0/30, 2001:db8::1", "22,80-81").unwrap();
    /// assert_eq!((plan.hosts(), plan.len()), (5, 15));
    /// let error = Plan::parse("192.0.2.256", "0").unwrap_err();
    /// assert_eq!(error.0.len(), 2);
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with either text.
    pub fn parse(targets: &str, ports: &str) -> Result<Self, Mistakes> {
        let targets: Vec<&str> = targets
            .split([',', ' '])
            .filter(|text| !text.is_empty())
            .collect();
        match (TargetSet::parse(&targets, &[]), PortSet::parse(ports)) {
            (Ok(targets), Ok(ports)) => Ok(Self::new(targets, ports.set)),
            (targets, ports) => {
                let mut mistakes = targets.err().unwrap_or_default();
                mistakes.extend(ports.err().unwrap_or_default());
                Err(Mistakes(mistakes))
            }
        }
    }

    /// How many endpoints.
    #[expect(clippy::len_without_is_empty, reason = "a plan is never empty")]
    pub fn len(&self) -> u64 {
        self.targets.hosts().saturating_mul(self.ports_per_host)
    }

    /// How many addresses.
    pub fn hosts(&self) -> u64 {
        self.targets.hosts()
    }

    /// The ports that are probed on each host.
    pub fn ports(&self) -> &PortSet {
        &self.ports
    }

    /// The addresses.
    pub fn targets(&self) -> &TargetSet {
        &self.targets
    }

    /// The address of rank `i`, `None` at or beyond [`hosts`](Self::hosts).
    pub fn host(&self, i: u64) -> Option<Address> {
        self.targets.host(i)
    }

    /// The endpoint of this index, `None` at or beyond [`len`](Self::len).
    pub fn endpoint(&self, index: u64) -> Option<Endpoint> {
        let address = self.targets.host(index / self.ports_per_host)?;
        let port = self.ports.port((index % self.ports_per_host) as u32)?;
        Some(Endpoint { address, port })
    }

    /// The index of an endpoint, `None` when it is not planned.
    pub fn index(&self, endpoint: &Endpoint) -> Option<u64> {
        let port = self.ports.rank(endpoint.port)?;
        let host = self.targets.rank(&endpoint.address)?;
        Some(host * self.ports_per_host + u64::from(port))
    }
}
