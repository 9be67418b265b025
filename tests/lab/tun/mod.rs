//! A network in user space behind a TUN device: answers come late, twice, or not at all, as the scenario says.
//!
//! Unlike on veth and loopback, an answer never arrives while the scanner's `connect()` is still running.

pub mod device;
mod packet;
pub mod stack;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Result;
use super::scenario::Scenario;
use stack::Stack;

/// Answers that wait at the most: a bound for memory, above what any scenario needs.
const WAITING: usize = 1 << 20;

/// Makes the device `lab0`, says "ready" on stdout, and answers until it is killed.
#[allow(
    clippy::disallowed_methods,
    reason = "the lab is the network: it has its own clock"
)]
pub fn run(scenario: &Scenario) -> Result<()> {
    let mut device = device::open("lab0").map_err(|error| format!("/dev/net/tun: {error}"))?;
    println!("ready");
    io::stdout()
        .flush()
        .map_err(|error| format!("stdout: {error}"))?;

    let mut stack = Stack::new(scenario)?;
    let mut waiting: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>> = BinaryHeap::new();
    let mut serial = 0;
    let mut buffer = vec![0; 65_536];
    loop {
        let now = Instant::now();
        while waiting.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            if let Some(Reverse((.., packet))) = waiting.pop() {
                // A full queue loses packets, as networks do.
                let _ = device.write(&packet);
            }
        }
        let pause = waiting
            .peek()
            .map_or(Duration::from_secs(1), |Reverse((due, ..))| {
                due.saturating_duration_since(now)
            });
        wait_readable(&device, pause)?;
        // What is already there is taken in one go, but not for ever: answers have due times.
        for _ in 0..256 {
            let length = match device.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("TUN device: {error}")),
            };
            let arrived = Instant::now();
            for answer in stack.answer(buffer.get(..length).unwrap_or_default()) {
                if waiting.len() < WAITING {
                    serial += 1;
                    waiting.push(Reverse((arrived + answer.after, serial, answer.packet)));
                }
            }
        }
    }
}

fn wait_readable(device: &impl AsFd, pause: Duration) -> Result<()> {
    let timeout = Timespec::try_from(pause).map_err(|error| format!("poll: {error}"))?;
    match poll(&mut [PollFd::new(device, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(format!("poll: {error}")),
    }
}
