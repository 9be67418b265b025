//! The terminal without line editing and echo, and the promise to put it back: at the end, before a stop by Ctrl-Z, before
//! an early exit, and when something panics.
//!
//! Signals stay with the keys that they have (ISIG), and output is left alone.

use std::io;
use std::panic;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// The terminal is one, and so is its state.
static TERMINAL: Mutex<State> = Mutex::new(State::Cooked);

enum State {
    /// As the user had it.
    Cooked,
    /// Ours, and what it was before.
    Raw(Box<Termios>),
    /// As the user had it, for good.
    Closed,
}

/// What came of an attempt to enter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entered {
    Yes,
    /// The terminal belongs to another job.
    NotNow,
    Closed,
}

/// Takes standard input's terminal out of line mode, if it is ours now.
pub fn enter() -> Entered {
    let mut state = lock();
    if matches!(*state, State::Closed) {
        return Entered::Closed;
    }
    if !is_ours() {
        // Whoever has it now has set it up; what was before is of no interest any more.
        *state = State::Cooked;
        return Entered::NotNow;
    }
    if matches!(*state, State::Raw(_)) {
        return Entered::Yes;
    }
    let Ok(before) = tcgetattr(io::stdin()) else {
        *state = State::Closed;
        return Entered::Closed;
    };
    let mut wanted = before.clone();
    wanted.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
    wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
    if tcsetattr(io::stdin(), OptionalActions::Now, &wanted).is_err() {
        *state = State::Closed;
        return Entered::Closed;
    }
    *state = State::Raw(Box::new(before));
    Entered::Yes
}

/// Puts the terminal back while `stop` lasts, which stops the process: nobody enters meanwhile.
pub fn without(stop: impl FnOnce()) {
    let mut state = lock();
    put_back(&mut state);
    stop();
}

/// Puts the terminal back for good.
pub fn close() {
    let mut state = lock();
    put_back(&mut state);
    *state = State::Closed;
}

/// Whether the terminal belongs to this job. Whoever is in the background and sets it up or reads it is stopped
/// (SIGTTOU, SIGTTIN).
pub fn is_ours() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Whether [`is_ours`] has an answer. In a process namespace of its own without a terminal of its own (`unshare --pid`) a
/// program cannot see to whom the terminal belongs, so it must leave it alone, and keys must not be promised.
pub fn can_tell() -> bool {
    tcgetpgrp(io::stdin()).is_ok()
}

/// A panic in any thread puts the terminal back before it is told.
pub fn restore_on_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        close();
        tell(panic);
    }));
}

fn put_back(state: &mut State) {
    if let State::Raw(before) = state {
        if is_ours() {
            // Nothing is left to be done where that fails.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
        *state = State::Cooked;
    }
}

fn lock() -> MutexGuard<'static, State> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}
