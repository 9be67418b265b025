//! What the state of a connection proves. Pure: TCP_INFO and the error queue in, a judgement out.
//!
//! SO_ERROR is never asked for a verdict: reading the error queue clears it, and an ICMP error that arrives while connect()
//! runs sets it although the socket goes on connecting.

use std::net::IpAddr;

use crate::model::{Agreed, Presence, Sack, Seen, SynAck, Timestamps, Unreachable};
use crate::transport::own_error;
use crate::transport::sys::error_queue::{Family, IcmpError};
use crate::transport::sys::tcp_info::{CLOSE, SYN_RECV, SYN_SENT, TcpInfo};

/// What TCP_INFO says of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judgement {
    /// No answer yet (a bare SYN from the other side is none).
    Connecting,
    /// The handshake is complete and the window was open, whatever came after it.
    Opened(SynAck),
    /// The handshake is complete, but the window is still shut: a SYN proxy or a tarpit.
    Shut(SynAck),
    /// The other side refused.
    Reset,
    /// The attempt ended without a segment from the other side: ask the error queue.
    Aborted,
}

/// Judges one look at a connection.
pub(super) fn judge(info: &TcpInfo) -> Judgement {
    if matches!(info.state, SYN_SENT | SYN_RECV) {
        return Judgement::Connecting;
    }
    // Our SYN is the first byte that the other side acknowledges.
    if info.bytes_acked > 0 {
        // A kernel that does not tell the window (before 5.4) cannot tell a proxy from a server either.
        let window = info.snd_wnd.unwrap_or(u32::MAX);
        let answer = SynAck {
            ttl: None,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            options: if info.options & NEGOTIATED == 0 {
                Presence::Absent
            } else {
                Presence::Present
            },
        };
        return match (window, info.state) {
            (1.., _) => Judgement::Opened(answer),
            (0, CLOSE) => Judgement::Reset,
            (0, _) => Judgement::Shut(answer),
        };
    }
    match (info.state, info.segs_in) {
        (CLOSE, 0) => Judgement::Aborted,
        (CLOSE, _) => Judgement::Reset,
        _ => Judgement::Connecting,
    }
}

/// What the other side agreed to, once the handshake is complete.
pub(super) fn agreed(info: &TcpInfo) -> Agreed {
    let has = |option: u8| info.options & option != 0;
    Agreed {
        scale: has(WSCALE).then_some(info.snd_wscale),
        timestamps: if has(TIMESTAMPS) {
            Timestamps::Agreed
        } else {
            Timestamps::Absent
        },
        sack: if has(SACK) {
            Sack::Agreed
        } else {
            Sack::Absent
        },
    }
}

/// TCPI_OPT_TIMESTAMPS, TCPI_OPT_SACK and TCPI_OPT_WSCALE: the options of a SYN-ACK that TCP_INFO shows.
const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WSCALE: u8 = 4;
const NEGOTIATED: u8 = TIMESTAMPS | SACK | WSCALE;

/// What an ICMP error about our SYN means; `None` where it is no verdict. `own` is the address that the SYN left from.
///
/// An error from our own address is made by this machine: no neighbour answered, or our own firewall rejects. On a scan of
/// ourselves the two sides cannot be told apart, and the error counts as the target's.
pub(super) fn judge_icmp(error: &IcmpError, own: Option<IpAddr>, target: IpAddr) -> Option<Seen> {
    let reason = match error.family {
        Family::V4 => Unreachable::from_icmp_v4(error.kind, error.code)?,
        Family::V6 => Unreachable::from_icmp_v6(error.kind, error.code)?,
    };
    let offender = error.offender;
    if own != Some(offender) || offender == target {
        return Some(Seen::Icmp { reason, offender });
    }
    Some(own_error::meaning(reason))
}

/// Whether the SYNs of one attempt left this machine. The kernel counts a repeat also when our own firewall dropped it, but
/// then never has it under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Departure {
    /// No repeat was due yet.
    Untried,
    /// A repeat was due, and none was under way at any look.
    Refused,
    /// A repeat was under way.
    Proved,
}

impl Departure {
    /// Adds one look.
    pub(super) fn look(self, info: &TcpInfo) -> Self {
        match (self, info.total_retrans, info.retrans) {
            (Self::Proved, ..) | (_, _, 1..) => Self::Proved,
            (_, 1.., 0) => Self::Refused,
            (before, 0, 0) => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LocalFault;

    const ESTABLISHED: u8 = 1;
    const CLOSE_WAIT: u8 = 8;

    const FRESH: TcpInfo = TcpInfo {
        state: SYN_SENT,
        options: 0,
        snd_wscale: 0,
        retrans: 0,
        total_retrans: 0,
        bytes_acked: 0,
        segs_in: 0,
        data_segs_in: 0,
        snd_wnd: Some(0),
    };

    fn syn_ack(window: u16, options: Presence) -> SynAck {
        SynAck {
            ttl: None,
            window,
            options,
        }
    }

    #[test]
    fn an_attempt_lives_while_it_connects_whatever_reached_it() {
        for state in [SYN_SENT, SYN_RECV] {
            let info = TcpInfo {
                state,
                segs_in: 5,
                ..FRESH
            };
            assert_eq!(judge(&info), Judgement::Connecting);
        }
    }

    #[test]
    fn an_acknowledged_syn_and_an_open_window_are_open_also_after_a_reset() {
        for state in [ESTABLISHED, CLOSE_WAIT, CLOSE] {
            let info = TcpInfo {
                state,
                bytes_acked: 1,
                segs_in: 2,
                options: 7,
                snd_wnd: Some(65_160),
                ..FRESH
            };
            assert_eq!(
                judge(&info),
                Judgement::Opened(syn_ack(65_160, Presence::Present))
            );
        }
    }

    #[test]
    fn a_shut_window_is_watched_and_closed_by_a_reset() {
        let mut info = TcpInfo {
            state: ESTABLISHED,
            bytes_acked: 1,
            segs_in: 1,
            ..FRESH
        };
        assert_eq!(judge(&info), Judgement::Shut(syn_ack(0, Presence::Absent)));
        info.state = CLOSE;
        assert_eq!(judge(&info), Judgement::Reset);
    }

    #[test]
    fn a_window_beyond_16_bits_is_cut_and_an_untold_one_counts_as_open() {
        for snd_wnd in [Some(1 << 20), None] {
            let info = TcpInfo {
                state: ESTABLISHED,
                bytes_acked: 1,
                snd_wnd,
                ..FRESH
            };
            assert_eq!(
                judge(&info),
                Judgement::Opened(syn_ack(65_535, Presence::Absent))
            );
        }
    }

    #[test]
    fn an_end_without_handshake_is_a_reset_only_if_something_came_in() {
        let mut info = TcpInfo {
            state: CLOSE,
            ..FRESH
        };
        assert_eq!(judge(&info), Judgement::Aborted);
        info.segs_in = 1;
        assert_eq!(judge(&info), Judgement::Reset);
    }

    #[test]
    fn only_our_own_address_makes_an_icmp_error_ours() {
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        let (own, target, router) = (
            address("10.0.0.1"),
            address("10.0.0.2"),
            address("10.0.0.9"),
        );
        let seen = |code, offender, own| {
            let error = IcmpError {
                family: Family::V4,
                kind: 3,
                code,
                offender,
            };
            judge_icmp(&error, Some(own), target)
        };
        assert_eq!(seen(1, own, own), Some(Seen::NoNeighbour));
        assert_eq!(seen(0, own, own), Some(Seen::Local(LocalFault::NoRoute)));
        assert_eq!(seen(3, own, own), Some(Seen::Local(LocalFault::Firewall)));
        assert_eq!(seen(4, router, own), None);
        for offender in [router, target] {
            assert_eq!(
                seen(1, offender, own),
                Some(Seen::Icmp {
                    reason: Unreachable::Host,
                    offender
                })
            );
        }
        let ourselves = seen(3, target, target);
        assert!(
            matches!(ourselves, Some(Seen::Icmp { .. })),
            "{ourselves:?}"
        );
    }

    #[test]
    fn one_repeat_under_way_clears_our_own_firewall() {
        let dropped = TcpInfo {
            total_retrans: 1,
            ..FRESH
        };
        let left = TcpInfo {
            retrans: 1,
            ..dropped
        };
        let start = Departure::Untried;
        assert_eq!(start.look(&FRESH), Departure::Untried);
        assert_eq!(start.look(&dropped), Departure::Refused);
        assert_eq!(start.look(&dropped).look(&left), Departure::Proved);
        assert_eq!(start.look(&left).look(&dropped), Departure::Proved);
    }
}
