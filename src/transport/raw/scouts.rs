//! Packets to neighbours that are not resolved yet leave by sockets of their own.
//!
//! The kernel counts a packet that waits for its neighbour against the send buffer of its socket, for up to three seconds.
//! By the common sockets a few dead hosts would keep everybody else's packets back for as long.

use std::io;

use super::RawConfig;
use super::outbox::{Exits, Outbox, Packet, Sent};
use crate::wire::SynTemplate;

pub(super) struct Scouts {
    exits: [Exits; SOCKETS],
    outbox: Outbox,
    /// Which one is tried first: the one that had room last.
    next: usize,
}

/// Each holds about 276 packets (net.core.wmem_max where nobody changed it).
const SOCKETS: usize = 2;

impl Scouts {
    pub(super) fn open(config: &RawConfig) -> io::Result<Self> {
        Ok(Self {
            exits: [Exits::for_scouts(config)?, Exits::for_scouts(config)?],
            outbox: Outbox::new(),
            next: 0,
        })
    }

    /// Sends one packet and counts it in `sent`. `refused` hears why the kernel will not have it at all.
    pub(super) fn send(
        &mut self,
        packet: &Packet,
        template: &SynTemplate,
        sent: &mut u64,
        mut refused: impl FnMut(&io::Error),
    ) -> Sent {
        self.outbox.push(packet, template);
        let mut end = Sent::NoRoom(0);
        for turn in 0..SOCKETS {
            let number = (self.next + turn) % SOCKETS;
            let Some(exits) = self.exits.get(number) else {
                continue;
            };
            let left = |taken: usize| *sent += taken as u64;
            end = exits.send(&mut self.outbox, 0, left, |_, error| refused(error));
            if matches!(end, Sent::All) {
                self.next = number;
                break;
            }
        }
        self.outbox.clear();
        end
    }
}
