//! Topologies: links, addresses and routes, made with `ip`, `nft` and `sysctl` files.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Result;
use super::scenario::{Place, Topology, Wide};

/// A network namespace, by the process that holds it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// The one in which this process runs.
    Scanner,
    /// That of another process.
    Of(u32),
}

impl Namespace {
    /// A command in this namespace.
    pub fn command(self, program: &str) -> Command {
        match self {
            Self::Scanner => Command::new(program),
            Self::Of(pid) => {
                let mut command = Command::new("nsenter");
                command
                    .arg(format!("--net=/proc/{pid}/ns/net"))
                    .arg("--")
                    .arg(program);
                command
            }
        }
    }

    /// `ip` with these arguments, checked.
    pub fn ip(self, arguments: &str) -> Result<()> {
        let mut command = self.command("ip");
        command.args(arguments.split_whitespace());
        checked(command, "", &format!("ip {arguments}"))
    }

    /// Loads nftables rules, checked.
    pub fn nft(self, rules: &str) -> Result<()> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        checked(command, rules, "nft")
    }

    /// How many packets this named counter of a table has counted.
    pub fn nft_counter(self, table: &str, counter: &str) -> Result<u64> {
        let mut command = self.command("nft");
        command.args(["list", "counter", "inet", table, counter]);
        let output = command.output().map_err(|error| format!("nft: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = text.split_whitespace();
        words.find(|word| *word == "packets");
        let count = words.next().and_then(|word| word.parse().ok());
        count.ok_or_else(|| format!("no counter {counter} in {table}: {text}"))
    }

    /// Sets a network parameter, by its path below /proc/sys/net, checked.
    pub fn set(self, parameter: &str, value: &str) -> Result<()> {
        let mut command = self.command("sh");
        command.args([
            "-c",
            "echo \"$1\" > \"/proc/sys/net/$2\"",
            "sh",
            value,
            parameter,
        ]);
        checked(command, "", &format!("{parameter} = {value}"))
    }

    /// Loads `rules` (nothing where they are empty) and performs the lines of `setup`.
    pub fn prepare(self, rules: &str, setup: &[String]) -> Result<()> {
        if !rules.trim().is_empty() {
            self.nft(rules)?;
        }
        setup.iter().try_for_each(|line| self.perform(line))
    }

    /// One line of a scenario: `ip ...`, `tc ...`, `nft ...` or `sysctl PATH=VALUE`, checked.
    pub fn perform(self, line: &str) -> Result<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.split_once('=')) {
            ("ip", _) => self.ip(rest),
            ("nft", _) => self.nft(rest),
            ("tc", _) => {
                let mut command = self.command("tc");
                command.args(rest.split_whitespace());
                checked(command, "", line)
            }
            ("sysctl", Some((parameter, value))) => self.set(parameter.trim(), value.trim()),
            _ => Err(format!("`{line}` is no line of ip, tc, nft or sysctl")),
        }
    }

    /// How many packets a device of this namespace has received.
    pub fn packets_received(self, device: &str) -> Result<u64> {
        let path = match self {
            Self::Scanner => "/proc/self/net/dev".to_owned(),
            Self::Of(pid) => format!("/proc/{pid}/net/dev"),
        };
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(name, _)| name.trim() == device)
            .find_map(|(_, counters)| counters.split_whitespace().nth(1)?.parse().ok())
            .ok_or_else(|| format!("{path} does not count for {device}"))
    }

    /// How many connections the kernel of this namespace has taken: handshakes that were completed (`PassiveOpens`).
    pub fn handshakes_taken(self) -> Result<u64> {
        let path = match self {
            Self::Scanner => "/proc/self/net/snmp".to_owned(),
            Self::Of(pid) => format!("/proc/{pid}/net/snmp"),
        };
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut rows = text.lines().filter(|line| line.starts_with("Tcp:"));
        let (Some(names), Some(values)) = (rows.next(), rows.next()) else {
            return Err(format!("{path} has no line for TCP"));
        };
        let mut columns = names.split_whitespace().zip(values.split_whitespace());
        columns
            .find(|(name, _)| *name == "PassiveOpens")
            .and_then(|(_, value)| value.parse().ok())
            .ok_or_else(|| format!("{path} does not count PassiveOpens"))
    }

    /// How many packets the queue of a device has refused, by `tc -s qdisc`.
    pub fn queue_drops(self, device: &str) -> Result<u64> {
        let mut command = self.command("tc");
        command.args(["-s", "qdisc", "show", "dev", device, "root"]);
        let text = said(command, "tc -s qdisc")?;
        let mut words = text.split_whitespace();
        words.find(|word| *word == "(dropped");
        let count = words.next().map(|word| word.trim_end_matches(','));
        count
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| format!("the queue of {device} counts no drops: {text}"))
    }

    /// How many neighbours the kernel is asking for at this moment, for this namespace.
    pub fn unresolved_neighbours(self) -> Result<usize> {
        let mut command = self.command("ip");
        command.args(["neigh", "show", "nud", "incomplete"]);
        Ok(said(command, "ip neigh")?.lines().count())
    }

    /// The hardware address of a device, by `ip -o link`.
    pub fn hardware_address(self, device: &str) -> Result<String> {
        let mut command = self.command("ip");
        command.args(["-o", "link", "show", "dev", device]);
        let text = said(command, "ip link")?;
        let mut words = text.split_whitespace();
        words.find(|word| *word == "link/ether");
        let address = words.next().map(str::to_owned);
        address.ok_or_else(|| format!("{device} has no hardware address: {text}"))
    }

    fn pid(self) -> Result<u32> {
        match self {
            Self::Of(pid) => Ok(pid),
            Self::Scanner => Err("the scanner's namespace is not a peer".to_owned()),
        }
    }
}

/// Joins the namespaces as `topology` says. `hosts` are the targets, `router` stands between in `routed`. In `tun`
/// the device exists already.
pub fn build(topology: Topology, hosts: &[Namespace], router: Option<Namespace>) -> Result<()> {
    let scanner = Namespace::Scanner;
    for namespace in [scanner].iter().chain(hosts).chain(&router) {
        namespace.ip("link set lo up")?;
        quiet_icmp_limits(*namespace);
    }
    match (topology, hosts, router) {
        (Topology::Loopback, ..) => Ok(()),
        (Topology::Pair, [host], _) => pair(*host),
        (Topology::Lan, hosts, _) => lan(hosts),
        (Topology::Routed, [host], Some(router)) => routed(*host, router),
        (Topology::Asymmetric, [host], _) => asymmetric(*host),
        (Topology::Tun, ..) => {
            // A reader that waits for a processor must not lose what was sent meanwhile: losses are the scenario's to say.
            scanner.ip("link set lab0 up txqueuelen 20000")?;
            address(scanner, "lab0", &["10.66.0.1/24", "fd66::1/64"])
        }
        (topology, hosts, _) => Err(format!("{topology:?} with {} hosts", hosts.len())),
    }
}

/// Leads a whole network to one host: to its own kernel at `place`, or into the TUN device where that is `None`. Where
/// nobody is at home it is put on the link.
pub fn widen(wide: &Wide, place: Option<Namespace>, at: Place) -> Result<()> {
    let network = wide.text();
    match (at, place) {
        (Place::Target, Some(host)) => {
            host.ip(&format!("route add local {network} dev lo"))?;
            Namespace::Scanner.ip(&format!("route add {network} via 10.66.0.2"))
        }
        // On the link: behind the TUN device somebody answers, elsewhere nobody does.
        _ => Namespace::Scanner.ip(&format!("route add {network} dev lab0")),
    }
}

fn pair(host: Namespace) -> Result<()> {
    link(Namespace::Scanner, "lab0", host, "eth0")?;
    address(
        Namespace::Scanner,
        "lab0",
        &["10.66.0.1/24", "fd66::1/64", "fe80::1/64"],
    )?;
    address(host, "eth0", &["10.66.0.2/24", "fd66::2/64", "fe80::2/64"])
}

fn lan(hosts: &[Namespace]) -> Result<()> {
    let scanner = Namespace::Scanner;
    scanner.ip("link add lab0 type bridge")?;
    for (index, host) in hosts.iter().enumerate() {
        // A dead host is the scanner's own namespace in this list: its address stays unused.
        if *host == scanner {
            continue;
        }
        let port = format!("lab0p{index}");
        let last = index + 2;
        link(scanner, &port, *host, "eth0")?;
        scanner.ip(&format!("link set {port} master lab0"))?;
        let own = [
            format!("10.66.0.{last}/24"),
            format!("fd66::{last}/64"),
            format!("fe80::{last}/64"),
        ];
        address(*host, "eth0", &own.each_ref().map(String::as_str))?;
    }
    scanner.ip("link set lab0 up")?;
    address(
        scanner,
        "lab0",
        &["10.66.0.1/24", "fd66::1/64", "fe80::1/64"],
    )
}

fn routed(host: Namespace, router: Namespace) -> Result<()> {
    let scanner = Namespace::Scanner;
    link(scanner, "lab0", router, "near")?;
    link(router, "far", host, "eth0")?;
    address(
        scanner,
        "lab0",
        &["10.66.0.1/24", "fd66::1/64", "fe80::1/64"],
    )?;
    address(
        router,
        "near",
        &["10.66.0.254/24", "fd66::254/64", "fe80::254/64"],
    )?;
    address(
        router,
        "far",
        &["10.66.1.254/24", "fd66:0:0:1::254/64", "fe80::254/64"],
    )?;
    address(
        host,
        "eth0",
        &["10.66.1.2/24", "fd66:0:0:1::2/64", "fe80::2/64"],
    )?;
    router.set("ipv4/ip_forward", "1")?;
    router.set("ipv6/conf/all/forwarding", "1")?;
    scanner.ip("route add 10.66.1.0/24 via 10.66.0.254")?;
    scanner.ip("-6 route add fd66:0:0:1::/64 via fd66::254")?;
    host.ip("route add 10.66.0.0/24 via 10.66.1.254")?;
    host.ip("-6 route add fd66::/64 via fd66:0:0:1::254")
}

/// The probe leaves by `lab0`, the answer comes back on `lab1`.
fn asymmetric(host: Namespace) -> Result<()> {
    let scanner = Namespace::Scanner;
    link(scanner, "lab0", host, "eth0")?;
    link(scanner, "lab1", host, "eth1")?;
    address(
        scanner,
        "lab0",
        &["10.66.0.1/24", "fd66::1/64", "fe80::1/64"],
    )?;
    address(
        scanner,
        "lab1",
        &["10.66.9.1/24", "fd66:0:0:9::1/64", "fe80::1/64"],
    )?;
    address(host, "eth0", &["10.66.0.2/24", "fd66::2/64", "fe80::2/64"])?;
    address(
        host,
        "eth1",
        &["10.66.9.2/24", "fd66:0:0:9::2/64", "fe80::2/64"],
    )?;
    host.ip("route add 10.66.0.1/32 via 10.66.9.1 dev eth1")?;
    host.ip("-6 route add fd66::1/128 via fd66:0:0:9::1 dev eth1")?;
    // Loose mode: the kernel takes what comes by another way, so connect() hears what the capture sees.
    for at in ["all", "lab0", "lab1"] {
        scanner.set(&format!("ipv4/conf/{at}/rp_filter"), "2")?;
    }
    Ok(())
}

/// A veth pair, both ends up, without addresses that the kernel makes by itself. Give each end a link-local one: a
/// router without it cannot ask for its neighbours.
fn link(one: Namespace, one_name: &str, other: Namespace, other_name: &str) -> Result<()> {
    let peer = other.pid()?;
    one.ip(&format!(
        "link add {one_name} type veth peer name {other_name} netns {peer}"
    ))?;
    for (namespace, name) in [(one, one_name), (other, other_name)] {
        namespace.ip(&format!("link set {name} addrgenmode none"))?;
        namespace.ip(&format!("link set {name} up"))?;
    }
    Ok(())
}

fn address(namespace: Namespace, device: &str, addresses: &[&str]) -> Result<()> {
    for address in addresses {
        // Without duplicate detection an address can be used at once.
        let nodad = if address.contains(':') { " nodad" } else { "" };
        namespace.ip(&format!("addr add {address} dev {device}{nodad}"))?;
    }
    Ok(())
}

/// Kernels send at most 1,000 ICMP errors per second and few per host; scenarios that are about reasons want them
/// all. Where a kernel does not let a namespace set this, a scan only needs longer or sees silence, and says so.
fn quiet_icmp_limits(namespace: Namespace) {
    for (parameter, value) in [
        ("ipv4/icmp_ratelimit", "0"),
        ("ipv4/icmp_msgs_per_sec", "1000000"),
        ("ipv4/icmp_msgs_burst", "1000000"),
        ("ipv6/icmp/ratelimit", "0"),
    ] {
        let _ = namespace.set(parameter, value);
    }
}

/// What a command prints, checked.
fn said(mut command: Command, what: &str) -> Result<String> {
    let output = command
        .output()
        .map_err(|error| format!("{what}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{what}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

fn checked(mut command: Command, input: &str, what: &str) -> Result<()> {
    let failed = |why: String| Err(format!("{what}: {why}"));
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return failed(error.to_string()),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A command that needs no input may have ended; its status tells.
        let _ = stdin.write_all(input.as_bytes());
    }
    match child.wait_with_output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => failed(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => failed(error.to_string()),
    }
}
