//! What the machine says about itself, gathered once so that `settings` can stay a pure function.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;

use halfopen::plan::{Surroundings, registered_name};
use halfopen::transport::route;
use pnet::datalink;
use pnet::ipnetwork::IpNetwork;

use crate::cli::schedulers::{self, Environment};

/// This machine, as far as the command line is concerned.
#[derive(Clone, Debug)]
pub struct Machine {
    pub surroundings: Surroundings,
    /// All addresses of all interfaces.
    pub addresses: Vec<IpAddr>,
    /// Cores that this process may use.
    pub cores: NonZeroUsize,
    /// A random number, of 32 bits: short enough to be typed again, and exact in every JSON reader.
    pub random: u32,
    /// What a scheduler says of this task.
    pub task: Environment,
}

impl Machine {
    /// Asks the kernel.
    pub fn this() -> Self {
        let mut interfaces = datalink::interfaces();
        // The first is what a message names as an example.
        interfaces.sort_by_key(|interface| !interface.is_up());
        let networks = || interfaces.iter().flat_map(|interface| interface.ips.iter());
        // Where the kernel cannot be asked, what the prefixes say has to do.
        let broadcast = route::Surroundings::discover().map_or_else(
            |_| networks().filter_map(last_of_prefix).collect(),
            |kernel| kernel.broadcasts,
        );
        Self {
            surroundings: Surroundings {
                interfaces: interfaces
                    .iter()
                    .map(|interface| (interface.name.clone(), interface.index))
                    .collect(),
                broadcast,
            },
            addresses: networks().map(|network| network.ip()).collect(),
            cores: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            random: rand::random(),
            task: schedulers::VARIABLES
                .into_iter()
                .filter_map(|name| {
                    let value = std::env::var_os(name)?;
                    Some((name, value.to_string_lossy().into_owned()))
                })
                .collect(),
        }
    }

    /// Interface names by index.
    pub fn zones(&self) -> BTreeMap<u32, String> {
        self.surroundings
            .interfaces
            .iter()
            .map(|(name, index)| (*index, name.clone()))
            .collect()
    }
}

/// The broadcast address of a network that has one.
fn last_of_prefix(network: &IpNetwork) -> Option<Ipv4Addr> {
    match network {
        IpNetwork::V4(v4) if v4.prefix() < 31 => Some(v4.broadcast()),
        IpNetwork::V4(_) | IpNetwork::V6(_) => None,
    }
}

/// Service names by TCP port: the registered ones, and what this machine's administrator added in `/etc/services`.
pub fn services() -> BTreeMap<u16, String> {
    // No such file is no mistake, and a strange one must not fill the memory.
    let mut text = Vec::new();
    if let Ok(file) = File::open("/etc/services") {
        let _ = file.take(1 << 20).read_to_end(&mut text);
    }
    let mut services = listed(&String::from_utf8_lossy(&text));
    for port in 1..=u16::MAX {
        if let Some(name) = registered_name(port) {
            services.insert(port, name.to_owned());
        }
    }
    services
}

/// The TCP lines of a services file (services(5)); the first name of a port counts, other lines are passed over.
fn listed(text: &str) -> BTreeMap<u16, String> {
    let mut services = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        if let (Some(name), Some(port)) = (words.next(), words.next())
            && let Some(port) = port.strip_suffix("/tcp")
            && let Ok(port) = port.parse()
        {
            services.entry(port).or_insert_with(|| name.to_owned());
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_file_is_read_line_by_line() {
        let read = listed(
            "# comment\nssh 22/tcp # shell\nssh 22/udp\nown\t7777/tcp alias\nother 7777/tcp\nodd 99999/tcp\nx\n\n",
        );
        assert_eq!(
            read,
            BTreeMap::from([(22, "ssh".to_owned()), (7777, "own".to_owned())])
        );
    }
}
