//! The connection of one talk: does what the interview says, and tells what happened.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, sockopt};

use super::GLANCE;
use crate::enrich::interview::{Action, Happened};
use crate::model::{Endpoint, Time};
use crate::transport::clock::Clock;
use crate::transport::connect::Caller;

/// At most one connection at a time.
pub(super) struct Line<'a> {
    caller: &'a Caller,
    clock: Clock,
    endpoint: Endpoint,
    /// Hears of each connection when it has been asked for.
    called: &'a dyn Fn(),
    socket: Option<OwnedFd>,
    buffer: Vec<u8>,
}

/// What a wait came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waited {
    Ready,
    TimeOver,
}

impl<'a> Line<'a> {
    pub fn new(caller: &'a Caller, clock: Clock, endpoint: Endpoint, called: &'a dyn Fn()) -> Self {
        Self {
            caller,
            clock,
            endpoint,
            called,
            socket: None,
            buffer: vec![0; BUFFER],
        }
    }

    /// Does it; `None` when all is done.
    pub fn act(
        &mut self,
        action: &Action,
        ends: Time,
        is_over: &dyn Fn() -> bool,
    ) -> Option<Happened<'_>> {
        match action {
            Action::Done => None,
            Action::Connect => {
                self.socket = None;
                let until = (self.clock.now() + CONNECT).min(ends);
                self.socket = self.connect(until, is_over);
                Some(match self.socket {
                    Some(_) => Happened::Connected,
                    None => Happened::Refused,
                })
            }
            Action::Send(bytes) => {
                let until = (self.clock.now() + SEND).min(ends);
                Some(match self.send(bytes, until, is_over) {
                    Ok(()) => Happened::Sent,
                    Err(_) => Happened::Closed,
                })
            }
            Action::Listen(until) => Some(self.listen((*until).min(ends), is_over)),
        }
    }

    fn connect(&self, until: Time, is_over: &dyn Fn() -> bool) -> Option<OwnedFd> {
        let socket = self.caller.call(self.endpoint);
        (self.called)();
        let socket = socket.ok()?;
        if self.wait(&socket, PollFlags::OUT, until, is_over) == Waited::TimeOver {
            return None;
        }
        let failed = sockopt::socket_error(&socket).ok()?;
        failed.ok()?;
        // A connection with ourselves would answer with our own words.
        let own = rustix::net::getsockname(&socket).ok()?;
        let other = rustix::net::getpeername(&socket).ok()?;
        (Some(own) != other).then_some(socket)
    }

    fn send(&self, bytes: &[u8], until: Time, is_over: &dyn Fn() -> bool) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::net::send(socket, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.wait(socket, PollFlags::OUT, until, is_over) == Waited::TimeOver {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn listen(&mut self, until: Time, is_over: &dyn Fn() -> bool) -> Happened<'_> {
        let Some(socket) = self.socket.as_ref() else {
            return Happened::Closed;
        };
        loop {
            match rustix::net::recv(socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Happened::Closed,
                Ok((_, count)) => {
                    return Happened::Received(self.buffer.get(..count).unwrap_or_default());
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.wait(socket, PollFlags::IN, until, is_over) == Waited::TimeOver {
                        return Happened::Silence;
                    }
                }
                Err(_) => return Happened::Closed,
            }
        }
    }

    fn wait(
        &self,
        socket: &OwnedFd,
        what: PollFlags,
        until: Time,
        is_over: &dyn Fn() -> bool,
    ) -> Waited {
        loop {
            let left = until.since(self.clock.now());
            if left.is_zero() || is_over() {
                return Waited::TimeOver;
            }
            let slice = left.min(GLANCE);
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: slice.subsec_nanos().into(),
            };
            let mut sockets = [PollFd::from_borrowed_fd(socket.as_fd(), what)];
            match poll(&mut sockets, Some(&timeout)) {
                Ok(1..) => return Waited::Ready,
                Ok(0) | Err(Errno::INTR) => {}
                // What poll() does not take, reading will explain.
                Err(_) => return Waited::Ready,
            }
        }
    }
}

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// How long what we say may take to leave.
const SEND: Duration = Duration::from_secs(2);
const BUFFER: usize = 16 * 1024;
