//! Neighbours that we ask for ourselves: probes wait here until they answer, and then leave as frames.

use super::super::inquiry::{Asked, Due};
use super::super::outbox::{Packet, Sent};
use super::super::refused::{local_fault, refused};
use super::{Asking, Sender};
use crate::model::{LocalFault, Observation, Probe, Seen, Time};
use crate::transport::next_hops::HopKey;
use crate::transport::sys::batch::LinkPlace;
use crate::wire::neighbour::Asker;

impl Sender {
    /// Keeps a probe for a neighbour, and asks for it if nobody has yet.
    pub(super) fn keep(
        &mut self,
        probe: Probe,
        packet: Packet,
        (hop, asker): (HopKey, Asker),
        now: Time,
    ) {
        let Some(Asking { inquiry, lines }) = &mut self.asking else {
            return;
        };
        if inquiry.keep(hop, asker, (probe, packet), now) == Asked::NotYet {
            lines.ask(hop, asker);
        }
    }

    /// Takes what neighbours have answered, and asks again for those that have not; `out` hears of an endpoint of each that is
    /// given up.
    pub(super) fn hear_neighbours(&mut self, now: Time, out: &mut Vec<Observation>) {
        let (Some(Asking { inquiry, lines }), Some(frames)) = (&mut self.asking, &mut self.frames)
        else {
            return;
        };
        let (mut answers, mut released) = (Vec::new(), Vec::new());
        lines.hear(&mut answers);
        for (hop, hardware) in answers {
            if let Some(kept) = inquiry.answered(hop) {
                self.next_hops.free(hop);
                frames.learn(hop, hardware, now);
                let interface = hop.0;
                let to = LinkPlace {
                    interface,
                    hardware,
                };
                let frame = |(probe, packet): (Probe, Packet)| (probe, packet.to(to));
                released.extend(kept.into_iter().map(frame));
            }
        }
        while let Some(due) = inquiry.due(now) {
            match due {
                Due::AskAgain(hop, asker) => lines.ask(hop, asker),
                Due::Nobody(hop, _) => out.extend(self.next_hops.give_up(hop, now)),
            }
        }
        self.release(&released, now);
    }

    /// Sends what waited. What finds no room was not asked, and that is told.
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
            released = rest;
            let (sent, faults) = (&mut self.packets_sent, &mut self.faults);
            let end = self.exits.send(
                &mut self.outbox,
                0,
                |taken| *sent += taken as u64,
                |number, error| {
                    let probe = batch.get(number);
                    faults.extend(probe.map(|(probe, _)| local_fault(probe, now, error)));
                },
            );
            self.outbox.clear();
            if let Sent::NoRoom(done) = end {
                let unsent = batch.iter().skip(done).chain(rest);
                let fault = Seen::Local(LocalFault::NotSent);
                faults.extend(unsent.map(|(probe, _)| refused(probe, now, fault)));
                return;
            }
        }
    }
}
