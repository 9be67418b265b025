//! Neighbours that we ask for ourselves, by ARP or NDP, instead of having the kernel do it: thousands at a time, where the
//! kernel's table, which the whole machine shares, has room for a few hundred.
//!
//! Only where frames were asked for: what is learnt here the kernel does not know, and only a frame goes by it. And only hosts
//! on the link that the kernel's table has no entry for, so that static and proxied ones are as they are for everybody else.
//! Gateways are the kernel's: there is one of them, and what it knows of it stays true for longer.
//!
//! As the kernel does, a neighbour is asked for three times a second apart (RFC 1122, 2.3.2.1; RFC 4861, 10), probes to it are
//! kept meanwhile, and then nobody is there.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use super::{Families, Family};
use crate::model::Time;
use crate::transport::next_hops::HopKey;
use crate::transport::sys::batch::LinkPlace;
use crate::transport::sys::line::Line;
use crate::wire::neighbour::{self, Answer, Asker, Hardware};

/// Who is asked for, with what is kept for each of them.
#[derive(Debug)]
pub(super) struct Inquiry<T> {
    open: HashMap<HopKey, Open<T>>,
    /// When which is due, in order of time.
    due: VecDeque<(Time, HopKey)>,
}

#[derive(Debug)]
struct Open<T> {
    asker: Asker,
    times: u8,
    next: Time,
    kept: Vec<T>,
}

/// What is to be done about a neighbour that has not answered.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Due<T> {
    AskAgain(HopKey, Asker),
    /// Nobody is there; this was kept for it.
    Nobody(HopKey, Vec<T>),
}

/// Whether a neighbour is asked for already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    Before,
    NotYet,
}

/// Questions, and how far apart they are.
const TIMES: u8 = 3;
const APART: Duration = Duration::from_secs(1);
/// After a question that found no room on our own side.
const SOON: Duration = Duration::from_millis(10);

impl<T> Inquiry<T> {
    pub(super) fn new() -> Self {
        Self {
            open: HashMap::new(),
            due: VecDeque::new(),
        }
    }

    /// Keeps something until this neighbour has answered or is given up.
    pub(super) fn keep(&mut self, key: HopKey, asker: Asker, kept: T, now: Time) -> Asked {
        if let Some(open) = self.open.get_mut(&key) {
            open.kept.push(kept);
            return Asked::Before;
        }
        let next = now + APART;
        let open = Open {
            asker,
            times: 1,
            next,
            kept: vec![kept],
        };
        self.open.insert(key, open);
        self.due.push_back((next, key));
        Asked::NotYet
    }

    /// The latest question for this neighbour did not leave for want of room: it counts as not asked, and is soon.
    pub(super) fn put_off(&mut self, key: HopKey, now: Time) {
        if let Some(open) = self.open.get_mut(&key) {
            open.times -= 1;
            open.next = now + SOON;
            // Those behind it that are due before are found that much later.
            self.due.push_front((open.next, key));
        }
    }

    /// Nobody waits for this neighbour any more: what was kept for it, if it was asked for.
    pub(super) fn close(&mut self, key: HopKey) -> Option<Vec<T>> {
        Some(self.open.remove(&key)?.kept)
    }

    /// The next that has not answered in time.
    pub(super) fn due(&mut self, now: Time) -> Option<Due<T>> {
        loop {
            let (at, key) = *self.due.front()?;
            // One that has answered leaves its place behind, and may have been asked for anew.
            let Some(open) = self.open.get_mut(&key).filter(|open| open.next == at) else {
                self.due.pop_front();
                continue;
            };
            if now < at {
                return None;
            }
            self.due.pop_front();
            if open.times == TIMES {
                return Some(Due::Nobody(key, self.close(key)?));
            }
            open.times += 1;
            open.next = now + APART;
            self.due.push_back((open.next, key));
            return Some(Due::AskAgain(key, open.asker));
        }
    }
}

/// The sockets.
pub(super) struct Lines {
    arp: Option<Line>,
    ndp: Option<Line>,
    buffer: Vec<u8>,
}

/// No answer that is read is longer.
const LONGEST: usize = 512;
/// Answers that one call takes.
const AT_ONCE: usize = 1024;

impl Lines {
    pub(super) fn open(families: Families) -> io::Result<Self> {
        let (mut arp, mut ndp) = (None, None);
        for family in families.list() {
            let line = Some(Line::open(*family)?);
            match family {
                Family::V4 => arp = line,
                Family::V6 => ndp = line,
            }
        }
        let buffer = vec![0; LONGEST];
        Ok(Self { arp, ndp, buffer })
    }

    /// Asks for a neighbour.
    ///
    /// # Errors
    /// The kernel's reason for not sending the question.
    pub(super) fn ask(&self, (interface, ip): HopKey, asker: Asker) -> io::Result<()> {
        let question = neighbour::question(asker, ip).ok_or(io::ErrorKind::InvalidInput)?;
        let to = LinkPlace {
            interface,
            hardware: question.group,
        };
        let line = match Family::of(ip) {
            Family::V4 => &self.arp,
            Family::V6 => &self.ndp,
        };
        match line {
            Some(line) => line.send(to, &question.packet),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Appends what has been answered, to us or to the kernel.
    pub(super) fn hear(&mut self, out: &mut Vec<(HopKey, Hardware)>) {
        type Read = fn(&[u8]) -> Option<Answer>;
        let lines: [(&Option<Line>, Read); 2] = [
            (&self.arp, neighbour::read_arp),
            (&self.ndp, neighbour::read_advertisement),
        ];
        for (line, read) in lines {
            let Some(line) = line else { continue };
            for _ in 0..AT_ONCE {
                let Some((interface, bytes)) = line.receive(&mut self.buffer) else {
                    break;
                };
                if let Some(Answer { ip, hardware }) = read(bytes) {
                    out.push(((interface, ip), hardware));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const ASKER: Asker = Asker {
        ip: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        hardware: [2, 0, 0, 0, 0, 1],
    };

    fn at(milliseconds: u64) -> Time {
        Time(milliseconds * 1_000_000)
    }

    fn key(last: u8) -> HopKey {
        (2, IpAddr::V4([10, 0, 0, last].into()))
    }

    #[test]
    fn a_neighbour_is_asked_for_three_times_a_second_apart_and_then_nobody_is_there() {
        let mut inquiry = Inquiry::new();
        assert_eq!(inquiry.keep(key(2), ASKER, 'a', at(0)), Asked::NotYet);
        assert_eq!(inquiry.keep(key(2), ASKER, 'b', at(1)), Asked::Before);
        for again in [1_000, 2_000] {
            assert_eq!(inquiry.due(at(again - 1)), None);
            assert_eq!(inquiry.due(at(again)), Some(Due::AskAgain(key(2), ASKER)));
        }
        assert_eq!(inquiry.due(at(2_999)), None);
        let kept = vec!['a', 'b'];
        assert_eq!(inquiry.due(at(3_000)), Some(Due::Nobody(key(2), kept)));
        assert_eq!(inquiry.due(at(9_000)), None);
    }

    #[test]
    fn what_was_kept_is_given_back_once_and_only_for_what_was_asked() {
        let mut inquiry = Inquiry::new();
        inquiry.keep(key(2), ASKER, 'a', at(0));
        assert_eq!(inquiry.close(key(3)), None);
        assert_eq!(inquiry.close((3, key(2).1)), None);
        assert_eq!(inquiry.close(key(2)), Some(vec!['a']));
        assert_eq!(inquiry.close(key(2)), None);
        assert_eq!(inquiry.due(at(9_000)), None);
    }

    #[test]
    fn one_that_is_asked_for_anew_is_not_due_when_it_was_before() {
        let mut inquiry = Inquiry::new();
        inquiry.keep(key(2), ASKER, 'a', at(0));
        inquiry.close(key(2));
        inquiry.keep(key(2), ASKER, 'b', at(500));
        inquiry.keep(key(3), ASKER, 'c', at(600));
        assert_eq!(inquiry.due(at(1_400)), None);
        assert_eq!(inquiry.due(at(1_500)), Some(Due::AskAgain(key(2), ASKER)));
        assert_eq!(inquiry.due(at(1_600)), Some(Due::AskAgain(key(3), ASKER)));
    }

    /// All three were refused by a full queue, and the neighbour was taken for absent.
    #[test]
    fn a_question_that_did_not_leave_is_not_one_of_the_three() {
        let mut inquiry = Inquiry::new();
        inquiry.keep(key(2), ASKER, 'a', at(0));
        for again in 0..50 {
            inquiry.put_off(key(2), at(again * 10));
            let due = inquiry.due(at(again * 10 + 10));
            assert_eq!(due, Some(Due::AskAgain(key(2), ASKER)));
        }
        // The last of these left.
        for again in [1_500, 2_500] {
            assert_eq!(inquiry.due(at(again - 1)), None);
            assert_eq!(inquiry.due(at(again)), Some(Due::AskAgain(key(2), ASKER)));
        }
        assert_eq!(inquiry.due(at(3_500)), Some(Due::Nobody(key(2), vec!['a'])));
    }

    #[test]
    fn a_caller_that_comes_late_does_not_ask_in_a_burst() {
        let mut inquiry = Inquiry::new();
        inquiry.keep(key(2), ASKER, 'a', at(0));
        assert_eq!(inquiry.due(at(9_000)), Some(Due::AskAgain(key(2), ASKER)));
        assert_eq!(inquiry.due(at(9_500)), None);
        assert_eq!(inquiry.due(at(10_000)), Some(Due::AskAgain(key(2), ASKER)));
    }
}
