//! nftables rule sets as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::scenario::Rest;

/// What a host's firewall does with TCP to ports other than the open ones; `None` where there is no firewall.
pub fn host_rules(open: &BTreeSet<u16>, rest: Rest) -> Option<String> {
    let verdict = match rest {
        Rest::Closed => return None,
        Rest::Drop => "drop",
        Rest::TcpReset => "reject with tcp reset",
        Rest::PortUnreachable => "reject with icmpx type port-unreachable",
        Rest::AdminProhibited => "reject with icmpx type admin-prohibited",
    };
    let mut rules = String::from(
        "table inet lab {\n  chain input {\n    type filter hook input priority 0; policy accept;\n",
    );
    if !open.is_empty() {
        let list: Vec<String> = open.iter().map(u16::to_string).collect();
        let _ = writeln!(rules, "    tcp dport {{ {} }} accept", list.join(", "));
    }
    let _ = writeln!(rules, "    meta l4proto tcp {verdict}\n  }}\n}}");
    Some(rules)
}

/// A router that loses so many of 100 packets, each way, each for itself.
pub fn lossy_router_rules(percent: u8) -> Option<String> {
    (percent > 0).then(|| {
        format!(
            "table inet lab {{\n  chain forward {{\n    type filter hook forward priority 0; policy accept;\n    \
             numgen random mod 100 < {percent} counter drop\n  }}\n}}\n"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_firewall_means_no_rules() {
        assert_eq!(host_rules(&BTreeSet::from([1]), Rest::Closed), None);
        assert_eq!(lossy_router_rules(0), None);
    }

    #[test]
    fn open_ports_come_before_the_verdict() {
        let rules = host_rules(&BTreeSet::from([22, 80]), Rest::Drop).unwrap();
        let accept = rules.find("tcp dport { 22, 80 } accept").unwrap();
        assert!(accept < rules.find("meta l4proto tcp drop").unwrap());
    }
}
