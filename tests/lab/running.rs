//! A lab that is up: its namespaces, its servers, and commands in the scanner's place.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::network::{self, Namespace};
use super::role::ROLE;
use super::scenario::{Place, Scenario, Topology};
use super::{Result, enter, firewall};

/// Whether a command keeps the capabilities that root of the namespace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    Root,
    /// None at all, and no way to get any: what an ordinary user has.
    Ordinary,
}

/// A network that stands. Dropping it ends its processes.
#[derive(Debug)]
pub struct Lab {
    scenario: Scenario,
    children: Vec<Child>,
}

impl Lab {
    /// Builds the network of `scenario` around this process, which must be alone in a fresh namespace;
    /// `outer` names the namespace from which it was started.
    pub fn build(scenario: Scenario, outer: &str) -> Result<Self> {
        enter::check_inside(outer)?;
        let mut lab = Self {
            scenario,
            children: Vec::new(),
        };
        let scenario = lab.scenario.clone();
        let mut hosts = Vec::new();
        for host in &scenario.host {
            let own = scenario.topology != Topology::Tun && host.at == Place::Target;
            hosts.push(if own {
                lab.namespace()?
            } else {
                Namespace::Scanner
            });
        }
        if scenario.topology == Topology::Pair && hosts == [Namespace::Scanner] {
            // The scanner's own address still needs a link to belong to.
            hosts = vec![lab.namespace()?];
        }
        let router = match scenario.topology {
            Topology::Routed => Some(lab.namespace()?),
            _ => None,
        };
        if scenario.topology == Topology::Tun {
            lab.start(Namespace::Scanner, &["tun", &scenario.name])?;
        }
        network::build(scenario.topology, &hosts, router)?;
        if let (Some(router), Some(rules)) = (
            router,
            firewall::lossy_router_rules(scenario.path.loss_percent),
        ) {
            router.nft(&rules)?;
        }
        if scenario.topology != Topology::Tun {
            lab.populate(&hosts)?;
        }
        Ok(lab)
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What is open, as (address, port).
    pub fn truth(&self) -> BTreeSet<(String, u16)> {
        let mut truth = BTreeSet::new();
        for (index, host) in self.scenario.host.iter().enumerate() {
            let address = self.scenario.address(index);
            truth.extend(
                self.scenario
                    .open_ports(host)
                    .into_iter()
                    .map(|port| (address.clone(), port)),
            );
        }
        truth
    }

    /// A command in the scanner's namespace.
    pub fn command(&self, privilege: Privilege, program: &str) -> Command {
        let mut words: Vec<String> = Vec::new();
        if let Some(limit) = self.scenario.scanner.descriptors {
            words.extend([
                "prlimit".to_owned(),
                format!("--nofile={limit}:{limit}"),
                "--".to_owned(),
            ]);
        }
        if privilege == Privilege::Ordinary {
            let drop = [
                "setpriv",
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--no-new-privs",
                "--",
            ];
            words.extend(drop.map(str::to_owned));
        }
        words.push(program.to_owned());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }

    /// Firewalls and servers of every host.
    fn populate(&mut self, hosts: &[Namespace]) -> Result<()> {
        let scenario = self.scenario.clone();
        for (index, host) in scenario.host.iter().enumerate() {
            let open = scenario.open_ports(host);
            let place = match host.at {
                Place::Nowhere => continue,
                Place::Scanner => Namespace::Scanner,
                Place::Target => *hosts.get(index).ok_or("a host without a namespace")?,
            };
            if let Some(rules) = firewall::host_rules(&open, host.rest) {
                place.nft(&rules)?;
            }
            if !open.is_empty() {
                self.start(place, &["serve", &scenario.name, &index.to_string()])?;
            }
        }
        Ok(())
    }

    /// A new network namespace, held open by a process that sleeps.
    fn namespace(&mut self) -> Result<Namespace> {
        let exe = own_program()?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--", &exe, ROLE, "hold"]);
        self.ready(command, "unshare").map(Namespace::Of)
    }

    fn start(&mut self, place: Namespace, role: &[&str]) -> Result<u32> {
        let mut command = place.command(&own_program()?);
        command.arg(ROLE).args(role);
        self.ready(command, role.first().copied().unwrap_or_default())
    }

    /// Starts a process of the lab and waits, at most 20 s, until it says "ready".
    fn ready(&mut self, mut command: Command, what: &str) -> Result<u32> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{what}: {error}"))?;
        let pid = child.id();
        let stdout = child.stdout.take();
        self.children.push(child);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            if let Some(stdout) = stdout {
                // An unreadable pipe leaves the line empty, which is not "ready".
                let _ = BufReader::new(stdout).read_line(&mut line);
            }
            let _ = tell.send(line);
        });
        match told.recv_timeout(Duration::from_secs(20)) {
            Ok(line) if line.trim() == "ready" => Ok(pid),
            _ => Err(format!("{what}: did not become ready")),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn own_program() -> Result<String> {
    let exe = env::current_exe().map_err(|error| format!("own program: {error}"))?;
    Ok(exe.to_string_lossy().into_owned())
}
