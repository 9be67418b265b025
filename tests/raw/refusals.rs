//! What this machine itself refuses: faults of our side, told apart from the target's own refusals.

use std::net::IpAddr;
use std::time::Duration;

use crate::lab::alone::{inside, run};
use halfopen::model::{LocalFault, Seen, Unreachable};

use super::scene::{KernelRouter, TARGET, Target, open, walk};
use super::{LOOPBACK, is_reset};

#[test]
fn refusals_of_our_own_machine_are_faults_and_no_verdicts() {
    inside(
        "raw::refusals::refusals_of_our_own_machine_are_faults_and_no_verdicts",
        || {
            let target = Target::new();
            target.listen(1);
            run(
                "nft add table ip t; nft add chain ip t o '{ type filter hook output priority 0 ; }'; \
             nft add rule ip t o tcp dport 81 drop; \
             nft add rule ip t o tcp dport 82 reject with icmp type admin-prohibited; \
             nft add rule ip t o tcp dport 83 reject with tcp reset; \
             nft add rule ip t o tcp dport 85 reject with icmp type host-unreachable",
            );
            let mut transport = open(KernelRouter::default());
            let target_ip = TARGET.parse().unwrap();
            let seen = walk(
                &mut transport,
                target_ip,
                &[80, 81, 82, 84],
                0,
                Duration::from_secs(1),
            );
            assert!(
                is_reset(&seen[&80][0]) && is_reset(&seen[&84][0]),
                "{seen:?}"
            );
            let firewall = Seen::Local(LocalFault::Firewall);
            assert_eq!(seen[&81], [firewall]);
            assert!(seen[&82].iter().all(|seen| *seen == firewall), "{seen:?}");
            // The host lives: the kernel has its link address. "Unreachable" is our own firewall's word for one port.
            let refused = walk(
                &mut transport,
                target_ip,
                &[85],
                1,
                Duration::from_millis(300),
            );
            assert!(
                refused[&85].iter().all(|seen| *seen == firewall),
                "{refused:?}"
            );
            // A reset of our own making claims to be the target's: it must not close the port.
            let seen = walk(
                &mut transport,
                target_ip,
                &[83],
                0,
                Duration::from_millis(300),
            );
            assert!(
                seen.get(&83).is_none_or(|seen| !seen.iter().any(is_reset)),
                "{seen:?}"
            );
            // Nowhere to go.
            let seen = walk(
                &mut transport,
                "192.0.2.1".parse().unwrap(),
                &[80],
                0,
                Duration::from_millis(300),
            );
            assert_eq!(seen[&80], [Seen::Local(LocalFault::NoRoute)]);
        },
    );
}

/// Connect mode cannot tell the two sides of a scan of ourselves apart, and both modes must say the same.
#[test]
fn a_rejected_port_of_our_own_is_the_targets_word_as_in_connect_mode() {
    inside(
        "raw::refusals::a_rejected_port_of_our_own_is_the_targets_word_as_in_connect_mode",
        || {
            run(
                "nft add table inet t; nft add chain inet t i '{ type filter hook input priority 0 ; }'; \
             nft add rule inet t i tcp dport 82 reject with icmpx type admin-prohibited",
            );
            for ip in [LOOPBACK, "::1"] {
                let ip: IpAddr = ip.parse().unwrap();
                let mut transport = open(KernelRouter::default());
                let seen = walk(&mut transport, ip, &[82], 0, Duration::from_secs(1));
                assert_eq!(
                    seen[&82],
                    [Seen::Icmp {
                        reason: Unreachable::AdminProhibited,
                        offender: ip
                    }]
                );
            }
        },
    );
}
