//! Keys that steer the scan, read in a thread of its own while the terminal is ours.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use halfopen::scan::Control;
use rustix::event::{PollFd, PollFlags, poll};

use crate::cli::live::raw;

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Pause, or go on.
    Pause,
    Faster,
    Slower,
    Status,
    Found,
    Finish,
    Help,
}

impl Key {
    /// The key that sends this byte.
    pub fn of(byte: u8) -> Option<Self> {
        Some(match byte.to_ascii_lowercase() {
            b'p' | b' ' => Self::Pause,
            b'+' | b'=' => Self::Faster,
            b'-' | b'_' => Self::Slower,
            b's' | b'\n' | b'\r' => Self::Status,
            b'f' => Self::Found,
            b'q' => Self::Finish,
            b'?' | b'h' => Self::Help,
            _ => return None,
        })
    }
}

/// Permission to read the keyboard.
#[derive(Debug)]
pub struct Keyboard(());

impl Keyboard {
    /// The keyboard, if somebody sits at it: standard input and standard error are terminals, and it can be told whose.
    pub fn of_terminal() -> Option<Self> {
        let sees = io::stdin().is_terminal() && io::stderr().is_terminal() && raw::can_tell();
        sees.then_some(Self(()))
    }

    /// Reads keys until the terminal is [closed](raw::close), in a thread of its own that starts late on purpose: threads that
    /// exist when privileges are dropped would keep theirs. Pausing and finishing are asked of `control` at once; every key
    /// is also handed to `tell`, which must not block.
    pub fn listen(self, control: Control, tell: impl Fn(Key) + Send + 'static) {
        raw::restore_on_panic();
        // Without the thread only the keys are lost.
        let _ = thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || {
                while let Some(bytes) = read() {
                    for key in bytes.iter().filter_map(|byte| Key::of(*byte)) {
                        match key {
                            Key::Pause if control.is_paused() => control.resume(),
                            Key::Pause => control.pause(),
                            Key::Finish => control.stop().ask(),
                            Key::Faster | Key::Slower | Key::Status | Key::Found | Key::Help => {}
                        }
                        tell(key);
                    }
                }
            });
    }
}

/// What was typed within a moment, which may be nothing; `None` at the end.
fn read() -> Option<Vec<u8>> {
    // In the background the terminal is somebody else's: reading it, or setting it up, would stop the whole scan.
    match raw::enter() {
        raw::Entered::Closed => return None,
        raw::Entered::NotNow => {
            thread::sleep(GLANCE);
            return Some(Vec::new());
        }
        raw::Entered::Yes => {}
    }
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = GLANCE.try_into().ok()?;
    match poll(&mut fds, Some(&wait)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Some(Vec::new()),
        Ok(_) => {}
        Err(_) => return None,
    }
    if !raw::is_ours() {
        return Some(Vec::new());
    }
    let mut buffer = [0; 64];
    match rustix::io::read(stdin.as_fd(), &mut buffer) {
        // The terminal is gone.
        Ok(0) => None,
        Ok(count) => Some(buffer.get(..count)?.to_vec()),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Some(Vec::new()),
        Err(_) => None,
    }
}

/// How often is looked whether the terminal is still, or again, ours.
const GLANCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_letters_in_both_cases() {
        for (bytes, key) in [
            (&b"pP "[..], Key::Pause),
            (b"+=", Key::Faster),
            (b"-_", Key::Slower),
            (b"sS\n\r", Key::Status),
            (b"fF", Key::Found),
            (b"qQ", Key::Finish),
            (b"?hH", Key::Help),
        ] {
            for byte in bytes {
                assert_eq!(Key::of(*byte), Some(key), "{byte}");
            }
        }
        for byte in [0, 4, 27, b'x', b'1', 255] {
            assert_eq!(Key::of(byte), None, "{byte}");
        }
    }
}
