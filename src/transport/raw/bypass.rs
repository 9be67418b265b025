//! What frames would pass by on this machine: firewall chains that see outgoing packets, and routing rules.
//!
//! Frames enter the link below both. A machine whose owner filters or redirects what leaves it must not be scanned from as if
//! he did not, so the question is asked before frames are sent, and the answer is told to the user. Not seen here: IPsec
//! policies and programs attached to control groups; and rules that come later.

use std::fmt;
use std::fs;
use std::io;
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::transport::route::NetlinkRouter;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bypass {
    /// Chains as `family table chain`.
    pub chains: Vec<String>,
    /// Tables of the old iptables, loaded by somebody.
    pub old_tables: Vec<String>,
    /// Routing rules beyond the kernel's own.
    pub routing_rules: usize,
    pub sight: Sight,
}

/// Whether the firewall could be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sight {
    #[default]
    Whole,
    /// The kernel shows its rules only to holders of CAP_NET_ADMIN.
    NotAllowed,
}

/// Looks at this network namespace. It sees most before privileges are dropped.
///
/// # Errors
/// Where the kernel's answer cannot be had or understood, but for the lack of a right: that is an answer.
pub fn look(router: &NetlinkRouter) -> io::Result<Bypass> {
    let mut bypass = Bypass {
        routing_rules: router.policy_rules(),
        ..Bypass::default()
    };
    match chains() {
        Ok(chains) => bypass.chains = chains,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bypass.sight = Sight::NotAllowed;
        }
        Err(error) => return Err(error),
    }
    for path in ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"] {
        match fs::read_to_string(path) {
            Ok(names) => {
                let old = path.trim_start_matches("/proc/net/");
                let program = old.trim_end_matches("_names").replace('_', "");
                let names = names.lines().map(|name| format!("{program} {name}"));
                bypass.old_tables.extend(names);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => bypass.sight = Sight::NotAllowed,
        }
    }
    Ok(bypass)
}

impl Bypass {
    /// Whether there is something that frames would pass by.
    pub fn is_any(&self) -> bool {
        !self.chains.is_empty() || !self.old_tables.is_empty() || self.routing_rules > 0
    }
}

/// A list for one sentence: `2 routing rules, the chain inet filter output`.
impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.routing_rules {
            0 => {}
            1 => parts.push("1 routing rule".to_owned()),
            more => parts.push(format!("{more} routing rules")),
        }
        for (word, names) in [("chain", &self.chains), ("table", &self.old_tables)] {
            parts.extend(
                names
                    .iter()
                    .take(SHOWN)
                    .map(|name| format!("the {word} {name}")),
            );
            if names.len() > SHOWN {
                parts.push(format!("{} more {word}s", names.len() - SHOWN));
            }
        }
        f.write_str(&parts.join(", "))
    }
}

/// The nftables chains (iptables of today makes such, too) that see what this machine sends and could change its fate.
fn chains() -> io::Result<Vec<String>> {
    let mut socket = match Socket::new(NETLINK_NETFILTER) {
        Ok(socket) => socket,
        // A kernel without netfilter filters nothing.
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    socket.send(&question(), 0)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (_, length) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::TRUNC)?;
        let datagram = buffer.get(..length).ok_or_else(broken)?;
        match read(datagram, &mut found) {
            Ok(Rest::More) => {}
            Ok(Rest::Nothing) => return Ok(found),
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EINVAL)
    )
}

/// nlmsghdr and nfgenmsg (linux/netlink.h, linux/netfilter/nfnetlink.h): all chains of all families.
fn question() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20);
    bytes.extend(20_u32.to_ne_bytes());
    bytes.extend((NF_TABLES | GET_CHAIN).to_ne_bytes());
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_DUMP;
    bytes.extend((flags as u16).to_ne_bytes());
    bytes.extend([0; 8]);
    // Family unspecified, version 0, no resource.
    bytes.extend([0; 4]);
    bytes
}

/// Whether more datagrams belong to the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rest {
    More,
    Nothing,
}

/// Reads one datagram of the answer.
fn read(mut datagram: &[u8], found: &mut Vec<String>) -> io::Result<Rest> {
    while !datagram.is_empty() {
        let size = u32_at(datagram, 0).ok_or_else(broken)? as usize;
        let kind = u16_at(datagram, 4).ok_or_else(broken)?;
        let body = datagram.get(16..size).ok_or_else(broken)?;
        datagram = datagram.get(size.next_multiple_of(4)..).unwrap_or_default();
        match i32::from(kind) {
            libc::NLMSG_DONE => return Ok(Rest::Nothing),
            libc::NLMSG_ERROR => {
                let code = u32_at(body, 0).ok_or_else(broken)?.cast_signed();
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            _ if kind == NF_TABLES | NEW_CHAIN => found.extend(chain(body)),
            _ => {}
        }
    }
    Ok(Rest::More)
}

/// The name of a chain that our packets would meet on their way out; `None` for all others, and for one that is empty and
/// accepts.
fn chain(body: &[u8]) -> Option<String> {
    let family = match *body.first()? {
        1 => "inet",
        2 => "ip",
        10 => "ip6",
        // ARP and bridges do not see our IP packets; device hooks see frames as well.
        _ => return None,
    };
    let (mut table, mut name, mut hook) = ("?".to_owned(), "?".to_owned(), None);
    // A policy is only told of base chains; accept is 1.
    let (mut policy, mut rules) = (1, 0);
    for (kind, value) in Attributes(body.get(4..)?) {
        match kind {
            TABLE => table = text(value),
            NAME => name = text(value),
            HOOK => hook = Attributes(value).find(|(kind, _)| *kind == HOOK_NUMBER),
            POLICY => policy = be32(value)?,
            USE => rules = be32(value)?,
            _ => {}
        }
    }
    let (_, number) = hook?;
    let sees = matches!(be32(number)?, LOCAL_OUT | POST_ROUTING);
    (sees && (rules > 0 || policy != 1)).then(|| format!("{family} {table} {name}"))
}

/// Netlink attributes: length, kind (without its flags), value.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let size = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & 0x3fff;
        let value = self.0.get(4..size)?;
        self.0 = self.0.get(size.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// The kernel ends its strings with a zero. Names are shown to people: what is not plain is left out.
fn text(value: &[u8]) -> String {
    value
        .iter()
        .map(|byte| char::from(*byte))
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "netfilter's answer cut short")
}

/// Names that are spelled out in a message.
const SHOWN: usize = 4;
const PATIENCE: Duration = Duration::from_secs(2);

// linux/netfilter/nf_tables.h, linux/netfilter.h.
const NF_TABLES: u16 = 10 << 8;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const TABLE: u16 = 1;
const NAME: u16 = 3;
const HOOK: u16 = 4;
const POLICY: u16 = 5;
/// How many rules a base chain has (nothing can jump to one).
const USE: u16 = 6;
const HOOK_NUMBER: u16 = 1;
const LOCAL_OUT: u32 = 3;
const POST_ROUTING: u32 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn body(family: u8, hook: u32, policy: u32, rules: u32) -> Vec<u8> {
        let mut bytes = vec![family, 0, 0, 0];
        bytes.extend(attribute(TABLE, b"filter\0"));
        bytes.extend(attribute(NAME, b"out\0"));
        // NLA_F_NESTED is set in the kind.
        let number = attribute(HOOK_NUMBER, &hook.to_be_bytes());
        bytes.extend(attribute(0x8000 | HOOK, &number));
        bytes.extend(attribute(POLICY, &policy.to_be_bytes()));
        bytes.extend(attribute(USE, &rules.to_be_bytes()));
        bytes
    }

    #[test]
    fn chains_on_the_way_out_count_unless_they_do_nothing() {
        let out = Some("inet filter out".to_owned());
        assert_eq!(chain(&body(1, LOCAL_OUT, 1, 2)), out);
        assert_eq!(chain(&body(1, POST_ROUTING, 1, 1)), out);
        assert_eq!(chain(&body(1, LOCAL_OUT, 0, 0)), out);
        assert_eq!(chain(&body(1, LOCAL_OUT, 1, 0)), None);
        for hook in [0, 1, 2] {
            assert_eq!(chain(&body(2, hook, 0, 9)), None);
        }
        // netdev, bridge, arp.
        for family in [5, 7, 3] {
            assert_eq!(chain(&body(family, LOCAL_OUT, 0, 9)), None);
        }
    }

    #[test]
    fn a_message_names_a_few_and_counts_the_rest() {
        let bypass = Bypass {
            chains: (0..6).map(|number| format!("ip t c{number}")).collect(),
            routing_rules: 1,
            ..Bypass::default()
        };
        assert!(bypass.is_any() && !Bypass::default().is_any());
        assert_eq!(
            bypass.to_string(),
            "1 routing rule, the chain ip t c0, the chain ip t c1, the chain ip t c2, the chain ip t c3, 2 more chains"
        );
    }

    proptest! {
        #[test]
        fn no_answer_can_harm_us(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut found = Vec::new();
            let _ = read(&bytes, &mut found);
            let _ = chain(&bytes);
            for name in found {
                prop_assert!(name.len() < 200);
            }
        }
    }
}
