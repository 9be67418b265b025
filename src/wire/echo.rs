//! ICMP echo (RFC 792, RFC 4443): the question, and the answer that proves itself by what it gives back.
//!
//! The payload carries a cookie that follows from the address asked, and the time of sending, so nothing is stored per host.
//! It is as long as that of ping(8), because some filters drop what looks unlike it.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::Time;
use crate::wire::Cookie;
use crate::wire::checksum::Sum;

/// A message without its IP header, as the kernel takes it from a ping socket or a raw one. The identifier is 0: a ping
/// socket sets its own, and the checksum with it.
pub fn request(cookie: &Cookie, to: IpAddr, round: u16, now: Time) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[0] = if to.is_ipv4() { REQUEST_V4 } else { REQUEST_V6 };
    message[6..8].copy_from_slice(&round.to_be_bytes());
    message[8..12].copy_from_slice(&proof(cookie, to, round).to_be_bytes());
    message[12..20].copy_from_slice(&now.0.to_be_bytes());
    if to.is_ipv4() {
        // That of ICMPv6 covers the IP header as well, and is always the kernel's work.
        let sum = Sum::default().bytes(&message).finish();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// The round-trip time of a reply that `from` gave to a [`request`] of ours; `None` for anything else. `message` begins at
/// the ICMP header.
pub fn reply(cookie: &Cookie, from: IpAddr, message: &[u8], now: Time) -> Option<Duration> {
    let wanted = if from.is_ipv4() { REPLY_V4 } else { REPLY_V6 };
    if message.first() != Some(&wanted) || message.get(1) != Some(&0) {
        return None;
    }
    let round = u16::from_be_bytes(message.get(6..8)?.try_into().ok()?);
    let given = u32::from_be_bytes(message.get(8..12)?.try_into().ok()?);
    let sent = Time(u64::from_be_bytes(message.get(12..20)?.try_into().ok()?));
    (given == proof(cookie, from, round)).then(|| now.since(sent))
}

/// What comes before the ICMP message on a raw IPv4 socket: how long the IP header is.
pub fn without_header(packet: &[u8]) -> Option<&[u8]> {
    let first = packet.first()?;
    let length = usize::from(first & 0x0f) * 4;
    (first >> 4 == 4 && length >= 20)
        .then(|| packet.get(length..))
        .flatten()
}

/// Port 0 is no SYN's: the same key never gives both a SYN's number and this one.
fn proof(cookie: &Cookie, to: IpAddr, round: u16) -> u32 {
    cookie.sequence(to, 0, round)
}

/// 8 bytes of header, 56 of payload.
pub const LENGTH: usize = 64;
const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn answered(to: &str) -> [u8; LENGTH] {
        let mut message = request(&cookie(), ip(to), 2, Time(1_000));
        message[0] = if ip(to).is_ipv4() { REPLY_V4 } else { REPLY_V6 };
        message
    }

    fn cookie() -> Cookie {
        Cookie::new([7; 16])
    }

    #[test]
    fn a_reply_tells_its_round_trip_time_in_both_families() {
        for to in ["10.0.0.1", "2001:db8::1"] {
            let message = answered(to);
            assert_eq!(
                reply(&cookie(), ip(to), &message, Time(5_000)),
                Some(Duration::from_nanos(4_000))
            );
        }
    }

    #[test]
    fn nobody_answers_for_another_and_nothing_else_is_an_answer() {
        let message = answered("10.0.0.1");
        assert_eq!(
            reply(&cookie(), ip("10.0.0.2"), &message, Time(5_000)),
            None
        );
        let other = Cookie::new([8; 16]);
        assert_eq!(reply(&other, ip("10.0.0.1"), &message, Time(5_000)), None);
        for at in 0..12 {
            let mut damaged = message;
            damaged[at] ^= 1;
            let ignored = matches!(at, 2..6);
            let told = reply(&cookie(), ip("10.0.0.1"), &damaged, Time(5_000));
            assert_eq!(told.is_some(), ignored, "{at}");
        }
        for length in 0..20 {
            let cut = &message[..length];
            assert_eq!(reply(&cookie(), ip("10.0.0.1"), cut, Time(5_000)), None);
        }
    }

    #[test]
    fn the_checksum_of_an_ipv4_request_is_good() {
        let message = request(&cookie(), ip("10.0.0.1"), 0, Time(77));
        assert!(Sum::default().bytes(&message).is_intact());
    }

    #[test]
    fn an_ip_header_is_skipped_and_a_short_one_is_none() {
        assert_eq!(without_header(&[0x45; 22]), Some(&[0x45, 0x45][..]));
        assert_eq!(without_header(&[0x46; 20]), None);
        assert_eq!(without_header(&[0x65; 60]), None);
        assert_eq!(without_header(&[]), None);
    }
}
