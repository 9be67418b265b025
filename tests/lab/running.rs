//! A lab that is up: its namespaces, its servers, and commands in the scanner's place.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::network::{self, Namespace};
use super::role::ROLE;
use super::scenario::{Place, Scenario, Site, Topology};
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
    hosts: Vec<Namespace>,
    router: Option<Namespace>,
}

impl Lab {
    /// Builds the network of `scenario` around this process, which must be alone in a fresh namespace;
    /// `outer` names the namespace from which it was started.
    pub fn build(scenario: Scenario, outer: &str) -> Result<Self> {
        enter::check_inside(outer)?;
        let mut lab = Self {
            scenario,
            children: Vec::new(),
            hosts: Vec::new(),
            router: None,
        };
        lab.raise()?;
        Ok(lab)
    }

    /// Tears the network down and builds it again, as it was before anything was scanned.
    pub fn renew(&mut self) -> Result<()> {
        self.end_all();
        for device in self.scenario.scanner_devices() {
            // It went with its other end, or was never there.
            let _ = Namespace::Scanner.ip(&format!("link del {device}"));
        }
        Namespace::Scanner.nft("flush ruleset\n")?;
        self.raise()
    }

    fn raise(&mut self) -> Result<()> {
        let scenario = self.scenario.clone();
        let mut hosts = Vec::new();
        for host in &scenario.host {
            let own = scenario.topology != Topology::Tun && host.at == Place::Target;
            hosts.push(if own {
                self.namespace()?
            } else {
                Namespace::Scanner
            });
        }
        if scenario.topology == Topology::Pair && hosts == [Namespace::Scanner] {
            // The scanner's own address still needs a link to belong to.
            hosts = vec![self.namespace()?];
        }
        let router = match scenario.topology {
            Topology::Routed => Some(self.namespace()?),
            _ => None,
        };
        if scenario.topology == Topology::Tun {
            self.start(Namespace::Scanner, &["tun", &scenario.name])?;
        }
        network::build(scenario.topology, &hosts, router)?;
        (self.hosts, self.router) = (hosts, router);
        if let Some(router) = router {
            if let Some(rules) = firewall::lossy_router_rules(scenario.path.loss_percent) {
                router.nft(&rules)?;
            }
            router.prepare(&scenario.router.rules, &scenario.router.setup)?;
        }
        for (index, host) in scenario.host.iter().enumerate() {
            if let Some(wide) = &host.wide {
                let place = match scenario.topology {
                    Topology::Tun => None,
                    _ => self.hosts.get(index).copied(),
                };
                network::widen(wide, place, host.at)?;
            }
        }
        if scenario.topology != Topology::Tun {
            self.populate()?;
        }
        Namespace::Scanner.prepare(&scenario.scanner.rules, &scenario.scanner.setup)
    }

    /// The machine at `site`.
    pub fn at(&self, site: Site) -> Result<Namespace> {
        match site {
            Site::Scanner => Ok(Namespace::Scanner),
            Site::Router => self.router.ok_or("no router here".to_owned()),
            Site::Host => match self.hosts.first() {
                Some(host) => Ok(*host),
                None => Err("no host here".to_owned()),
            },
        }
    }

    /// The hardware addresses of the link from the scanner to the first machine behind it: ours, theirs.
    pub fn link_addresses(&self) -> Result<(String, String)> {
        let (far, device) = self.first_hop()?;
        Ok((
            Namespace::Scanner.hardware_address("lab0")?,
            far.hardware_address(device)?,
        ))
    }

    /// Packets that have reached the first machine behind the scanner; on loopback, all that were sent.
    pub fn packets_arrived(&self) -> Result<u64> {
        let (place, device) = match self.scenario.topology {
            Topology::Loopback => (Namespace::Scanner, "lo"),
            _ => self.first_hop()?,
        };
        place.packets_received(device)
    }

    /// Makes the first machine behind the scanner send it a datagram every 50 ms while `what` is done.
    pub fn nudging<T>(&mut self, what: impl FnOnce(&Self) -> T) -> Result<T> {
        let (place, _) = self.first_hop()?;
        self.start(place, &["nudge", "10.66.0.1"])?;
        let result = what(self);
        if let Some(mut nudge) = self.children.pop() {
            // It may have ended by itself.
            let _ = nudge.kill();
            let _ = nudge.wait();
        }
        Ok(result)
    }

    fn first_hop(&self) -> Result<(Namespace, &'static str)> {
        match (self.scenario.topology, self.router, self.hosts.first()) {
            (_, Some(router), _) => Ok((router, "near")),
            (Topology::Pair | Topology::Asymmetric, _, Some(host)) => Ok((*host, "eth0")),
            _ => Err("no one machine stands behind this lab's scanner".to_owned()),
        }
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What is open, as (address, port).
    pub fn truth(&self) -> BTreeSet<(String, u16)> {
        self.scenario.truth()
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
    fn populate(&mut self) -> Result<()> {
        let scenario = self.scenario.clone();
        for (index, host) in scenario.host.iter().enumerate() {
            let open = scenario.open_ports(host);
            let place = match host.at {
                Place::Nowhere => continue,
                Place::Scanner => Namespace::Scanner,
                Place::Target => *self.hosts.get(index).ok_or("a host without a namespace")?,
            };
            if let Some(rules) = firewall::host_rules(&open, host.rest) {
                place.nft(&rules)?;
            }
            place.prepare(&host.rules, &host.setup)?;
            if !open.is_empty() {
                self.start(place, &["serve", &scenario.name, &index.to_string()])?;
            }
        }
        Ok(())
    }

    fn end_all(&mut self) {
        for mut child in self.children.drain(..) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
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
        self.end_all();
    }
}

/// The path of this program, to be started again in a role.
pub fn own_program() -> Result<String> {
    let exe = env::current_exe().map_err(|error| format!("own program: {error}"))?;
    Ok(exe.to_string_lossy().into_owned())
}
