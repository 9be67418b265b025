//! What was found out about services, hosts and vulnerabilities, kept for formats that set their lists at the end. As many
//! services as there were talks, each bounded where it was made.

use std::collections::BTreeMap;

use crate::model::facts::{Finding, Service, System};
use crate::model::{Address, Endpoint, Event};

/// Everything that was found out so far.
#[derive(Clone, Default, Debug)]
pub struct Identified {
    pub services: BTreeMap<Endpoint, Service>,
    pub systems: BTreeMap<Address, System>,
    /// In the order in which they were told.
    pub findings: BTreeMap<Endpoint, Vec<Finding>>,
}

impl Identified {
    /// Keeps what one event tells.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Service(service) => {
                self.services
                    .insert(service.endpoint, service.as_ref().clone());
            }
            Event::System(system) => {
                self.systems.insert(system.address, system.as_ref().clone());
            }
            Event::Finding(finding) => {
                let findings = self.findings.entry(finding.endpoint).or_default();
                if findings.len() < MOST_FINDINGS {
                    findings.push(finding.as_ref().clone());
                }
            }
            _ => {}
        }
    }

    /// The service at this port, where it was asked.
    pub fn service(&self, address: &Address, port: u16) -> Option<&Service> {
        self.services.get(&Endpoint {
            address: *address,
            port,
        })
    }

    /// The findings of a host, by port.
    pub fn findings_of(&self, address: &Address) -> impl Iterator<Item = &Finding> {
        let end = |port| Endpoint {
            address: *address,
            port,
        };
        self.findings
            .range(end(0)..=end(u16::MAX))
            .flat_map(|(_, findings)| findings)
    }
}

/// Findings that are listed for one port; the worst come first.
const MOST_FINDINGS: usize = 256;
