//! The events of a scan as an iterator: it runs on a thread of its own and waits when nobody takes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::model::{Event, Summary};
use crate::scan::{Control, OpenError, Scan, Sink, Stop};

/// The events of a running scan, the [`Summary`] last.
///
/// At most 4,096 events wait: a scan whose events nobody takes stops sending and goes on receiving. Dropping this ends
/// the scan at once.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Event>,
    waiting: Arc<AtomicUsize>,
    control: Control,
    /// Until its end has been told.
    thread: Option<JoinHandle<Result<Summary, OpenError>>>,
}

impl Scan {
    /// Runs the scan on a thread of its own and returns its events. Only that thread gives up its privileges, so the
    /// caller can open another scan.
    ///
    /// # Errors
    /// Where no thread can be started; nothing was sent then.
    pub fn events(self) -> io::Result<Events> {
        let (sender, receiver) = sync_channel(FULL);
        let waiting = Arc::new(AtomicUsize::new(0));
        let control = Control::default();
        let mut handing = Handing {
            sender,
            waiting: Arc::clone(&waiting),
        };
        let steered = control.clone();
        let thread = Builder::new()
            .name("scan".to_owned())
            .spawn(move || self.run(&mut handing, &steered))?;
        Ok(Events {
            receiver,
            waiting,
            control,
            thread: Some(thread),
        })
    }
}

impl Events {
    /// Asks the scan to end, from any thread. Its last events and its summary still come.
    pub fn stop(&self) -> Stop {
        self.control.stop().clone()
    }

    /// Steers the scan, from any thread: pauses it, or sets its pace.
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl Iterator for Events {
    type Item = Result<Event, OpenError>;

    /// Waits for the next event. An error is the last item: the scan could not run, and nothing was sent.
    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(event) = self.receiver.recv() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Some(Ok(event));
        }
        match self.thread.take()?.join() {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(_) => Some(Err(OpenError::Io {
                attempted: "cannot go on".to_owned(),
                source: io::Error::other("the scan's thread broke"),
            })),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.control.stop().ask();
        self.control.stop().ask();
        if let Some(thread) = self.thread.take() {
            while self.receiver.recv().is_ok() {
                self.waiting.fetch_sub(1, Ordering::AcqRel);
            }
            // Nobody is left to be told how it ended.
            let _ = thread.join();
        }
    }
}

/// The scan's side of the queue.
struct Handing {
    sender: SyncSender<Event>,
    waiting: Arc<AtomicUsize>,
}

impl Sink for Handing {
    fn ready(&mut self) -> bool {
        self.waiting.load(Ordering::Acquire) < FULL
    }

    /// Waits where one batch is more than there is room for.
    fn take(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            // Fails only when the iterator is gone, and it has asked the scan to stop.
            let _ = self.sender.send(event);
        }
    }
}

/// Events that wait at the most.
const FULL: usize = 4096;
