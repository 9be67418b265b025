//! How many packets this machine took in and handed to nobody: its own packet filter dropped them, or its `rp_filter`.
//!
//! No counter of the kernel says so. But its IP layer counts what it receives (`ip_rcv_core`, `ip6_rcv_core`) before any
//! packet filter looks, and what it delivers, forwards or refuses after, each with a counter of its own (RFC 4293); what is
//! missing in between was dropped by a filter. Every user may read them. They are of the whole network namespace, so that
//! whatever else is dropped there counts too, multicast that nobody listens to, for example.

use crate::model::Undelivered;

/// Their number since the namespace was made, give or take what is on its way between two counters; `None` where the kernel
/// does not tell. Only differences mean anything: a packet that was reassembled, for example, may be taken off twice.
pub fn count() -> Option<Undelivered> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{name}"));
    let v4 = of_v4(&read("snmp").ok()?, &read("netstat").unwrap_or_default())?;
    let v6 = read("snmp6")
        .ok()
        .and_then(|text| of_v6(&text))
        .unwrap_or_default();
    Some(Undelivered {
        missing: v4.missing.saturating_add(v6.missing),
        for_many: v4.for_many.saturating_add(v6.for_many),
    })
}

fn of_v4(snmp: &str, netstat: &str) -> Option<Undelivered> {
    of(|name| in_table(snmp, "Ip:", name).or_else(|| in_table(netstat, "IpExt:", name)))
}

fn of_v6(snmp6: &str) -> Option<Undelivered> {
    of(|name| {
        let mut lines = snmp6
            .lines()
            .filter_map(|line| line.split_once(char::is_whitespace));
        let (_, value) = lines.find(|(key, _)| key.strip_prefix("Ip6") == Some(name))?;
        value.trim().parse::<i64>().ok()
    })
}

/// What the counters of one family come to.
fn of(counter: impl Fn(&str) -> Option<i64>) -> Option<Undelivered> {
    let received = counter("InReceives")?;
    let delivered = counter("InDelivers")?;
    let other = |name: &&str| counter(name).unwrap_or(0);
    let handed = HANDED
        .iter()
        .map(other)
        .fold(delivered, i64::saturating_add);
    let held = other(&"ReasmReqds") - other(&"ReasmOKs");
    Some(Undelivered {
        missing: received.saturating_sub(handed).saturating_sub(held),
        for_many: other(&"InMcastPkts").saturating_add(other(&"InBcastPkts")),
    })
}

/// The number below `name` in a file of pairs of lines, names and values.
fn in_table(text: &str, table: &str, name: &str) -> Option<i64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(table));
    let at = lines
        .next()?
        .split_whitespace()
        .position(|known| known == name)?;
    lines.next()?.split_whitespace().nth(at)?.parse().ok()
}

/// Packets that went elsewhere or were refused, as the one family or the other calls them.
const HANDED: [&str; 9] = [
    "ForwDatagrams",
    "OutForwDatagrams",
    "InUnknownProtos",
    "InHdrErrors",
    "InAddrErrors",
    "InDiscards",
    "InTooBigErrors",
    "InNoRoutes",
    "InTruncatedPkts",
];

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers \
OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails
Ip: 1 64 1000 1 2 30 4 5 700 900 0 0 0 20 9 0
Icmp: InMsgs
Icmp: 12
";

    #[test]
    fn what_was_received_and_neither_delivered_nor_forwarded_nor_refused_is_missing() {
        let netstat = "TcpExt: SyncookiesSent\nTcpExt: 0\nIpExt: InNoRoutes InTruncatedPkts InMcastPkts InBcastPkts\nIpExt: 6 1 7 8\n";
        let v4 = Undelivered {
            missing: 1000 - 742 - 7 - 11,
            for_many: 15,
        };
        assert_eq!(of_v4(SNMP, netstat), Some(v4));
        let v6 = "Ip6InReceives  \t100\nIp6InHdrErrors 1\nIp6InDelivers 60\nIp6OutForwDatagrams 9\nIp6ReasmReqds 4\nIp6ReasmOKs 2\nIp6InMcastPkts 3\n";
        let told = Undelivered {
            missing: 28,
            for_many: 3,
        };
        assert_eq!(of_v6(v6), Some(told));
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_not_made_up() {
        for text in [
            "",
            "Ip:",
            "Ip: InReceives\n",
            "Ip: InReceives\nIp: many\n",
            "Ip: InDelivers\nIp: 1\n",
        ] {
            assert_eq!(of_v4(text, ""), None, "{text:?}");
            assert_eq!(of_v6(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_kernel_tells() {
        assert!(count().is_some());
    }
}
