//! The report has a thread of its own behind a bounded queue, so that a slow reader never holds up the receiving of
//! answers: when the queue is full the scan stops sending and goes on receiving. One thread feeds all outputs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use halfopen::model::{Event, Kept, Summary};
use halfopen::report::Header;
use halfopen::scan::{Control, Sink};

use crate::cli::live::keys::{Key, Keyboard};
use crate::cli::live::raw;
use crate::cli::live::watch::Watch;
use crate::cli::outputs::{Behind, End, Failure, Outputs};
use crate::cli::resume::{Recorded, Recorder};
use crate::cli::signals::Caught;

/// How the report ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Ended(End),
    /// The report's thread broke; what it wrote cannot be trusted to be whole.
    Broken,
}

/// Where the scan's events go.
///
/// Its threads start with the first call, which comes after the scan has dropped its privileges: threads that exist
/// before would keep theirs.
#[derive(Debug)]
pub struct Queue {
    state: Running,
    /// Events that are handed over and not yet written.
    pending: Arc<AtomicUsize>,
    /// Where a journal is kept.
    recorder: Option<Recorder>,
}

/// What the report's thread works with.
pub struct Work {
    pub outputs: Outputs,
    pub header: Header,
    pub watch: Watch,
    pub control: Control,
    pub signals: Option<Caught>,
    pub keyboard: Option<Keyboard>,
}

enum Running {
    NotYet(Option<Box<Work>>),
    Yes {
        sender: SyncSender<Message>,
        thread: JoinHandle<Outcome>,
    },
    /// No thread could be started.
    Never,
}

enum Message {
    Events(Vec<Event>),
    Key(Key),
    End(Option<Box<Summary>>),
}

impl Queue {
    pub fn new(work: Work, recorder: Option<Recorder>) -> Self {
        Self {
            state: Running::NotYet(Some(Box::new(work))),
            pending: Arc::default(),
            recorder,
        }
    }

    /// Ends the report with these figures and waits until it is written; without figures the scan itself failed.
    pub fn end(mut self, summary: Option<Summary>) -> Outcome {
        let message = Message::End(summary.map(Box::new));
        match self.started() {
            Some(sender) => {
                // A thread that is gone says why when it is joined.
                let _ = sender.send(message);
            }
            None => return Outcome::Broken,
        }
        let recorded = self.recorder.take().map(Recorder::end);
        let outcome = match self.state {
            Running::Yes { thread, .. } => thread.join().unwrap_or(Outcome::Broken),
            Running::NotYet(_) | Running::Never => Outcome::Broken,
        };
        match (recorded, outcome) {
            (Some(Recorded::Failed), Outcome::Ended(_)) => Outcome::Ended(End::Failed),
            (_, outcome) => outcome,
        }
    }

    fn started(&mut self) -> Option<&SyncSender<Message>> {
        if let Running::NotYet(work) = &mut self.state {
            self.state = match work.take().map(|work| start(*work, &self.pending)) {
                Some(Ok(running)) => running,
                Some(Err(_)) | None => Running::Never,
            };
        }
        match &self.state {
            Running::Yes { sender, .. } => Some(sender),
            Running::NotYet(_) | Running::Never => None,
        }
    }
}

impl Sink for Queue {
    fn ready(&mut self) -> bool {
        self.started();
        self.pending.load(Ordering::Acquire) < FULL
            && self.recorder.as_ref().is_none_or(Recorder::ready)
    }

    /// Blocks only when the scan has gone on handing over long after [`ready`](Sink::ready) said no.
    fn take(&mut self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let batch = std::mem::take(events);
        self.pending.fetch_add(batch.len(), Ordering::AcqRel);
        if let Some(sender) = self.started() {
            // Fails only when the thread is gone; `end` tells.
            let _ = sender.send(Message::Events(batch));
        }
    }

    fn keep(&mut self, kept: &mut Vec<Kept>) {
        match &mut self.recorder {
            Some(recorder) => recorder.keep(kept),
            None => kept.clear(),
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotYet(_) => "NotYet",
            Self::Yes { .. } => "Yes",
            Self::Never => "Never",
        })
    }
}

fn start(work: Work, pending: &Arc<AtomicUsize>) -> io::Result<Running> {
    let (sender, receiver) = sync_channel(BATCHES);
    let typed = sender.clone();
    let pending = Arc::clone(pending);
    let thread = Builder::new()
        .name("report".to_owned())
        .spawn(move || write_all(work, &receiver, typed, &pending))?;
    Ok(Running::Yes { sender, thread })
}

fn write_all(
    mut work: Work,
    receiver: &Receiver<Message>,
    typed: SyncSender<Message>,
    pending: &AtomicUsize,
) -> Outcome {
    if let Some(signals) = work.signals.take() {
        signals.watch(work.control.stop().clone());
    }
    match work.keyboard.take() {
        // Where the queue is full the key has had its effect, and only its echo is lost.
        Some(keyboard) => keyboard.listen(work.control.clone(), move |key| {
            let _ = typed.try_send(Message::Key(key));
        }),
        None => drop(typed),
    }
    let failures = work.outputs.start(&work.header);
    work.judge(failures);
    while let Some(message) = work.next(receiver) {
        match message {
            Message::Events(events) => {
                for event in &events {
                    work.watch.event(event);
                    let failures = work.outputs.event(event);
                    work.judge(failures);
                }
                pending.fetch_sub(events.len(), Ordering::AcqRel);
            }
            Message::Key(key) => work.watch.key(key),
            Message::End(summary) => {
                raw::close();
                work.watch.end();
                let failures = work.outputs.finish(summary.as_deref());
                work.judge(failures);
                break;
            }
        }
    }
    Outcome::Ended(work.outputs.end())
}

impl Work {
    /// The next message; `None` when nobody is left to send one. What was found is written before we sleep, not before
    /// every event.
    fn next(&mut self, receiver: &Receiver<Message>) -> Option<Message> {
        match receiver.try_recv() {
            Ok(message) => return Some(message),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        let failures = self.outputs.breathe();
        self.judge(failures);
        while self.outputs.behind() == Behind::Yes {
            match receiver.recv_timeout(PAUSE) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let failures = self.outputs.rest(PAUSE);
                    self.judge(failures);
                }
            }
        }
        receiver.recv().ok()
    }

    /// Says what has failed. A scan that nobody can read is asked to end at once.
    fn judge(&self, failures: Vec<Failure>) {
        let others = self.outputs.is_anybody_left();
        for failure in failures {
            self.watch.line.say(&format!("error: {failure}"));
        }
        if !others {
            while self.control.stop().asked() < 2 {
                self.control.stop().ask();
            }
        }
    }
}

/// How long nothing must come before files are brought up to date.
const PAUSE: Duration = Duration::from_millis(200);

/// With so many events unwritten the queue is full.
const FULL: usize = 16_384;

/// The hard bound, in batches.
const BATCHES: usize = 1_024;
