//! Writes the journal, on a thread of its own: the scan waits for no disk.
//!
//! What is handed over is in the file a moment later, where it survives the end of this process, and on the disk within half
//! a second more, as far as the disk keeps up.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use halfopen::model::Kept;
use halfopen::results::journal::{MOST_BYTES, encode, frame};

use crate::cli::saying::say;

/// How the journal ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// All of it is written.
    Whole,
    /// It could not be written, which was said.
    Failed,
}

/// See the top of the file. Its thread starts with the first call, after privileges are dropped.
#[derive(Debug)]
pub struct Recorder {
    state: State,
    /// Entries that are handed over and not yet written.
    pending: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum State {
    NotYet(Option<Pen>),
    Yes {
        sender: Sender<Vec<Kept>>,
        thread: JoinHandle<Recorded>,
    },
    Never,
}

/// What the thread works with.
#[derive(Debug)]
struct Pen {
    file: File,
    /// Where the next frame begins.
    at: u64,
    name: String,
}

impl Recorder {
    /// `file` stands at its end, `at`; `name` is what messages call it.
    pub fn new(file: File, at: u64, name: String) -> Self {
        Self {
            state: State::NotYet(Some(Pen { file, at, name })),
            pending: Arc::default(),
        }
    }

    /// False while so much waits to be written that the scan had better not find more.
    pub fn ready(&self) -> bool {
        self.pending.load(Ordering::Acquire) < FULL
    }

    /// Takes all entries, and does not wait.
    pub fn keep(&mut self, kept: &mut Vec<Kept>) {
        let batch = std::mem::take(kept);
        let count = batch.len();
        self.pending.fetch_add(count, Ordering::AcqRel);
        let taken = self
            .started()
            .is_some_and(|sender| sender.send(batch).is_ok());
        if !taken {
            // Nobody writes any more, and nobody need wait for that; `end` tells.
            self.pending.fetch_sub(count, Ordering::AcqRel);
        }
    }

    /// Waits until everything is written.
    pub fn end(self) -> Recorded {
        match self.state {
            State::Yes { sender, thread } => {
                drop(sender);
                thread.join().unwrap_or(Recorded::Failed)
            }
            State::NotYet(_) => Recorded::Whole,
            State::Never => Recorded::Failed,
        }
    }

    fn started(&mut self) -> Option<&Sender<Vec<Kept>>> {
        if let State::NotYet(pen) = &mut self.state {
            self.state = match pen.take().map(|pen| start(pen, &self.pending)) {
                Some(Ok(running)) => running,
                Some(Err(error)) => {
                    say(&format!("error: cannot write the journal: {error}"));
                    State::Never
                }
                None => State::Never,
            };
        }
        match &self.state {
            State::Yes { sender, .. } => Some(sender),
            State::NotYet(_) | State::Never => None,
        }
    }
}

fn start(pen: Pen, pending: &Arc<AtomicUsize>) -> io::Result<State> {
    let (sender, receiver) = channel();
    let pending = Arc::clone(pending);
    let thread = Builder::new()
        .name("journal".to_owned())
        .spawn(move || write_all(pen, &receiver, &pending))?;
    Ok(State::Yes { sender, thread })
}

fn write_all(mut pen: Pen, receiver: &Receiver<Vec<Kept>>, pending: &AtomicUsize) -> Recorded {
    let mut recorded = Recorded::Whole;
    let disk = Disk::start(&pen.file);
    while let Ok(batch) = receiver.recv() {
        // A frame for each batch would be mostly frame.
        thread::sleep(MOMENT);
        let batches: Vec<Vec<Kept>> = std::iter::once(batch)
            .chain(receiver.try_iter().take(MANY))
            .collect();
        // After a failure the file stays as it is: what it holds is still good.
        if recorded == Recorded::Whole {
            match pen.write(&batches) {
                Ok(()) => disk.iter().for_each(Disk::wake),
                Err(error) => {
                    pen.complain(&error);
                    recorded = Recorded::Failed;
                }
            }
        }
        pending.fetch_sub(batches.iter().map(Vec::len).sum(), Ordering::AcqRel);
    }
    if recorded == Recorded::Whole
        && let Err(error) = pen.file.sync_data()
    {
        pen.complain(&error);
        recorded = Recorded::Failed;
    }
    recorded
}

/// Makes safe what is written. A thread of its own, because a disk may take seconds.
struct Disk(SyncSender<()>);

impl Disk {
    /// Nothing where no thread can be started: the kernel writes within half a minute all the same.
    fn start(file: &File) -> Option<Self> {
        let file = file.try_clone().ok()?;
        let (sender, receiver) = sync_channel(1);
        let work = move || {
            while receiver.recv().is_ok() {
                thread::sleep(REST);
                // What is wrong shows again when the last bytes are made safe.
                let _ = file.sync_data();
            }
        };
        let started = Builder::new().name("journal-disk".to_owned()).spawn(work);
        started.ok().map(|_| Self(sender))
    }

    /// Something is written. Where it is full it has been told already.
    fn wake(&self) {
        let _ = self.0.try_send(());
    }
}

impl Pen {
    fn write(&mut self, batches: &[Vec<Kept>]) -> io::Result<()> {
        let (mut bytes, mut payload) = (Vec::new(), Vec::new());
        let mut entries = batches.iter().flatten().peekable();
        while let Some(kept) = entries.next() {
            encode(kept, &mut payload);
            if payload.len() >= FRAME || entries.peek().is_none() {
                frame(self.at + bytes.len() as u64, &payload, &mut bytes);
                payload.clear();
            }
        }
        self.file.write_all(&bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn complain(&self, error: &io::Error) {
        say(&format!("error: cannot write to {}: {error}", self.name));
    }
}

/// With so many entries unwritten nothing more is asked.
const FULL: usize = 1 << 18;
/// Batches that are written together.
const MANY: usize = 1 << 10;
/// Bytes of a frame, and a few more.
const FRAME: usize = 1 << 16;
/// What comes within this is written together.
const MOMENT: Duration = Duration::from_millis(50);
/// From one writing to the disk to the next, at least.
const REST: Duration = Duration::from_millis(300);

const _: () = assert!(FRAME * 2 < MOST_BYTES);
