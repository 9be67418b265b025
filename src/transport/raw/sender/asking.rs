//! Neighbours that we ask for ourselves: probes wait here until they answer, and then leave as frames.

use std::io;

use super::super::frames::Learnt;
use super::super::inquiry::{Asked, Due};
use super::super::outbox::{Packet, Sent};
use super::super::refused::{local_fault, refused};
use super::{Asking, Sender};
use crate::model::{LocalFault, Observation, Probe, Seen, Time};
use crate::transport::next_hops::HopKey;
use crate::transport::route::{Neighbour, Router};
use crate::transport::sys::batch::LinkPlace;
use crate::wire::neighbour::{Asker, Hardware};

/// Neighbours that one call sees to of those that have not answered: answers are heard in between.
const AT_ONCE: usize = 64;

impl Sender {
    /// Keeps a probe for a neighbour, and asks for it if nobody has yet.
    pub(super) fn keep(
        &mut self,
        probe: Probe,
        packet: Packet,
        (hop, asker): (HopKey, Asker),
        now: Time,
    ) {
        let Some(Asking { inquiry, .. }) = &mut self.asking else {
            return;
        };
        if inquiry.keep(hop, asker, (probe, packet), now) == Asked::NotYet {
            self.ask(hop, asker, now);
        }
    }

    /// Takes what neighbours have answered, and sees to those that have not; `out` hears of each probe to one that is given up.
    pub(super) fn hear_neighbours(
        &mut self,
        now: Time,
        router: &mut impl Router,
        out: &mut Vec<Observation>,
    ) {
        let Some(Asking { lines, .. }) = &mut self.asking else {
            return;
        };
        let mut answers = Vec::new();
        lines.hear(&mut answers);
        let mut released = Vec::new();
        for (hop, hardware) in answers {
            self.answers(hop, hardware, now, &mut released);
        }
        self.release(&released, now);
        for _ in 0..AT_ONCE {
            let asking = self.asking.as_mut();
            match asking.and_then(|asking| asking.inquiry.due(now)) {
                Some(Due::AskAgain(hop, asker)) => self.ask(hop, asker, now),
                // The kernel may have found it for somebody else.
                Some(Due::Nobody(hop, kept))
                    if router.neighbour(hop.0, hop.1) == Neighbour::Known =>
                {
                    self.next_hops.forget(hop);
                    self.not_asked(&kept, now);
                }
                Some(Due::Nobody(hop, kept)) => {
                    self.next_hops.give_up(hop, now);
                    let absent =
                        |(probe, _): &(Probe, Packet)| refused(probe, now, Seen::NoNeighbour);
                    out.extend(kept.iter().map(absent));
                }
                None => return,
            }
        }
    }

    /// Sends a question. Where it does not leave, nobody was asked.
    fn ask(&mut self, hop: HopKey, asker: Asker, now: Time) {
        let Some(Asking { inquiry, lines }) = &mut self.asking else {
            return;
        };
        let Err(error) = lines.ask(hop, asker) else {
            return;
        };
        if let Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) = error.raw_os_error() {
            inquiry.put_off(hop, now);
            return;
        }
        let kept = inquiry.close(hop).unwrap_or_default();
        self.next_hops.forget(hop);
        let fault = |(probe, _): &(Probe, Packet)| local_fault(probe, now, &error);
        self.faults.extend(kept.iter().map(fault));
    }

    /// A neighbour has told its link address: what waits for it may go.
    fn answers(
        &mut self,
        hop: HopKey,
        hardware: Hardware,
        now: Time,
        released: &mut Vec<(Probe, Packet)>,
    ) {
        let (Some(Asking { inquiry, .. }), Some(frames)) = (&mut self.asking, &mut self.frames)
        else {
            return;
        };
        let Some(kept) = inquiry.close(hop) else {
            return;
        };
        match frames.learn(hop, hardware, now) {
            Learnt::Kept => self.next_hops.free(hop),
            Learnt::NoRoom => self.next_hops.forget(hop),
        }
        let interface = hop.0;
        let to = LinkPlace {
            interface,
            hardware,
        };
        released.extend(
            kept.into_iter()
                .map(|(probe, packet)| (probe, packet.to(to))),
        );
    }

    /// Sends what waited.
    fn release(&mut self, mut released: &[(Probe, Packet)], now: Time) {
        while let Some((_, first)) = released.first() {
            self.outbox.push(first, &self.template);
            let more = released.iter().skip(1);
            let fits = more.take_while(|(_, packet)| {
                let fits = self.outbox.has_room_for(packet);
                if fits {
                    self.outbox.push(packet, &self.template);
                }
                fits
            });
            let (batch, rest) = released.split_at(1 + fits.count());
            let (sent, faults) = (&mut self.packets_sent, &mut self.faults);
            let end = self.exits.send(
                &mut self.outbox,
                0,
                |taken| *sent += taken as u64,
                |number, error: &io::Error| {
                    let probe = batch.get(number);
                    faults.extend(probe.map(|(probe, _)| local_fault(probe, now, error)));
                },
            );
            self.outbox.clear();
            if let Sent::NoRoom(done) = end {
                self.not_asked(batch.get(done..).unwrap_or_default(), now);
                self.not_asked(rest, now);
                return;
            }
            released = rest;
        }
    }

    /// Tells that these probes have not left after all: they are sent again.
    fn not_asked(&mut self, kept: &[(Probe, Packet)], now: Time) {
        let fault = Seen::Local(LocalFault::NotSent);
        let untold = kept.iter().map(|(probe, _)| refused(probe, now, fault));
        self.faults.extend(untold);
    }
}
