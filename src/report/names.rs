//! The names that numbers have for a reader: services of ports, names of zones, the host names that were typed.

use std::collections::BTreeMap;

use crate::model::{Address, Endpoint};

/// Names, gathered before the scan and never looked up during it.
#[derive(Clone, Default, Debug)]
pub struct Names {
    /// Service name by TCP port.
    pub services: BTreeMap<u16, String>,
    /// Interface name by interface index, for `fe80::1%eth0`.
    pub zones: BTreeMap<u32, String>,
    /// The host name that was typed, by each address that it resolved to.
    pub hosts: BTreeMap<Address, String>,
}

impl Names {
    /// The service registered for a port. By number alone: nobody asked the server.
    pub fn service(&self, port: u16) -> Option<&str> {
        self.services.get(&port).map(String::as_str)
    }

    /// The name by which the user gave this address.
    pub fn host(&self, address: &Address) -> Option<&str> {
        self.hosts.get(address).map(String::as_str)
    }

    /// The address as a user writes it; a zone without a known name keeps its number.
    pub fn address(&self, address: &Address) -> String {
        match self.zones.get(&address.zone) {
            Some(zone) if address.zone != 0 => format!("{}%{zone}", address.ip),
            _ => address.to_string(),
        }
    }

    /// All addresses from `first` to `last`, as targets are typed: the zone once, at the end.
    pub fn range(&self, first: &Address, last: &Address) -> String {
        if first == last {
            return self.address(first);
        }
        format!("{}-{}", first.ip, self.address(last))
    }

    /// Address and port, in the form that can be pasted into other programs.
    pub fn endpoint(&self, endpoint: &Endpoint) -> String {
        let address = self.address(&endpoint.address);
        if endpoint.address.ip.is_ipv6() {
            format!("[{address}]:{}", endpoint.port)
        } else {
            format!("{address}:{}", endpoint.port)
        }
    }
}
