//! The outputs of one scan: every event goes to each of them, and one that fails holds up none of the others.
//!
//! Streams get what is found at once. Files are at most about a second behind; a large one that has to be written as a
//! whole each time, by a second more for every [`BYTES_PER_SECOND`].

pub mod asked;
pub mod opening;

mod document;
mod lines;
mod place;
#[cfg(test)]
mod torn;

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use halfopen::model::{Event, State, Summary, Time};
use halfopen::plan::Mistake;
use halfopen::report::csv::Csv;
use halfopen::report::grepable::Grepable;
use halfopen::report::jsonl::JsonLines;
use halfopen::report::list::List;
use halfopen::report::names::Names;
use halfopen::report::text::{Live, Text};
use halfopen::report::xml::Xml;
use halfopen::report::{Header, Report, Show};

use crate::cli::outputs::asked::{Asked, Destination, Format, Plan};
use crate::cli::outputs::document::Document;
use crate::cli::outputs::lines::{Blanks, Lines};
use crate::cli::outputs::place::{Place, Rewinds};
use crate::cli::progress::Screen;
use crate::cli::saying::reason;

/// Every output.
pub struct Outputs {
    outputs: Vec<Output>,
    so_far: Summary,
    /// The time of the last event, on the transport's clock.
    latest: Time,
    /// When files were brought up to date last.
    committed: Time,
    /// Since then, without events, at least.
    idle: Duration,
    behind: Behind,
}

/// Whether files lack something that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    Yes,
    No,
}

struct Output {
    name: String,
    report: Box<dyn Report + Send>,
    /// Nothing once it has ended.
    place: Option<Place>,
    end: End,
}

/// How an output has ended so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// All that it was given is written.
    Written,
    /// The reader went away, as `head` does. It has what it wanted.
    ReaderGone,
    /// A result could not be written, which was said.
    Failed,
}

/// Why an output gets nothing more; worth a line.
pub type Failure = String;

impl Outputs {
    /// Opens every output of the plan.
    ///
    /// # Errors
    /// The first file that cannot be opened.
    pub fn open(plan: &Plan, show: Show, names: &Names, screen: Screen) -> Result<Self, Mistake> {
        let files = opening::open(&plan.outputs, plan.existing)?;
        let mut screen = Some(screen);
        let mut outputs = Vec::new();
        for (asked, file) in plan.outputs.iter().zip(files) {
            let place = match (file, screen.take_if(|_| asked.to == Destination::Stdout)) {
                (Some(file), _) => place_of(file, asked.format),
                (None, Some(screen)) => Place::stream(screen),
                (None, None) => continue,
            };
            outputs.push(Output {
                name: opening::name(&asked.to),
                report: report(asked, plan, show, names.clone()),
                place: Some(place),
                end: End::Written,
            });
        }
        Ok(Self {
            outputs,
            so_far: Summary {
                interrupted: true,
                ..Summary::default()
            },
            latest: Time::ZERO,
            committed: Time::ZERO,
            idle: Duration::ZERO,
            behind: Behind::No,
        })
    }

    /// Writes what comes before the first result; from now on every file is whole.
    pub fn start(&mut self, header: &Header) -> Vec<Failure> {
        self.so_far.endpoints = header.endpoints;
        self.so_far.untested = header.endpoints;
        let mut failures = self.each(|report, place, _| report.start(header, place));
        failures.extend(self.commit());
        failures
    }

    /// Hands one event to every output.
    pub fn event(&mut self, event: &Event) -> Vec<Failure> {
        self.count(event);
        let mut failures = self.each(|report, place, _| {
            report.event(event, place)?;
            place.relieve()
        });
        if self.behind == Behind::Yes && self.latest.since(self.committed) >= self.interval() {
            failures.extend(self.commit());
        }
        failures
    }

    /// Nothing is waiting: streams get what there is.
    pub fn breathe(&mut self) -> Vec<Failure> {
        self.each(|_, place, _| match place.rewinds() {
            Rewinds::No => place.commit(&[]),
            Rewinds::Yes => Ok(()),
        })
    }

    /// Nothing has come for so long: files get what there is, if it is time.
    pub fn rest(&mut self, pause: Duration) -> Vec<Failure> {
        self.idle += pause;
        if self.latest.since(self.committed) + self.idle >= self.interval() {
            self.commit()
        } else {
            Vec::new()
        }
    }

    /// Whether [`rest`](Self::rest) would have anything to do.
    pub fn behind(&self) -> Behind {
        self.behind
    }

    /// Ends every report with these figures; without them the scan itself failed, and what is known is all there is.
    pub fn finish(&mut self, summary: Option<&Summary>) -> Vec<Failure> {
        let Some(summary) = summary else {
            return self.commit();
        };
        self.each(|report, place, _| {
            match place.rewinds() {
                Rewinds::No => report.finish(summary, place)?,
                Rewinds::Yes => {
                    let mut closing = Vec::new();
                    report.finish(summary, &mut closing)?;
                    place.commit(&closing)?;
                }
            }
            place.settle()
        })
    }

    /// Whether any output still takes what is found.
    pub fn is_anybody_left(&self) -> bool {
        self.outputs.iter().any(|output| output.place.is_some())
    }

    /// How all of them have ended: the worst counts, and readers that went away only if nobody is left.
    pub fn end(&self) -> End {
        let any = |end| self.outputs.iter().any(|output| output.end == end);
        if any(End::Failed) {
            End::Failed
        } else if any(End::Written) {
            End::Written
        } else {
            End::ReaderGone
        }
    }

    /// Brings every file up to date.
    fn commit(&mut self) -> Vec<Failure> {
        self.committed = self.latest;
        self.idle = Duration::ZERO;
        self.behind = Behind::No;
        self.each(|report, place, so_far| match place.rewinds() {
            Rewinds::No => Ok(()),
            Rewinds::Yes => {
                let mut closing = Vec::new();
                report.interim(so_far, &mut closing)?;
                place.commit(&closing)
            }
        })
    }

    /// Does this with every output that has not ended, and tells which end by it.
    fn each(
        &mut self,
        mut act: impl FnMut(&mut dyn Report, &mut Place, &Summary) -> io::Result<()>,
    ) -> Vec<Failure> {
        let mut failures = Vec::new();
        for output in &mut self.outputs {
            let Some(mut place) = output.place.take() else {
                continue;
            };
            match act(output.report.as_mut(), &mut place, &self.so_far) {
                Ok(()) => output.place = Some(place),
                Err(error) => {
                    place.give_up();
                    if error.kind() == io::ErrorKind::BrokenPipe {
                        output.end = End::ReaderGone;
                    } else {
                        output.end = End::Failed;
                        failures.push(format!(
                            "cannot write to {}: {}",
                            output.name,
                            reason(&error)
                        ));
                    }
                }
            }
        }
        failures
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Verdict(verdict) => {
                self.add(verdict.state, 1);
                self.latest = self.latest.max(verdict.at);
            }
            Event::Counted(counted) => self.add(counted.state, counted.count),
            Event::Host(_) => self.behind = Behind::Yes,
            Event::Progress(progress) => {
                self.so_far.packets_sent = progress.packets_sent;
                self.so_far.loss = progress.loss;
                self.latest = self.latest.max(progress.at);
            }
            _ => {}
        }
        self.so_far.elapsed = self.latest.since(Time::ZERO);
    }

    fn add(&mut self, state: State, more: u64) {
        let so_far = &mut self.so_far;
        *so_far.count_mut(state) += more;
        so_far.untested = so_far.untested.saturating_sub(more);
        self.behind = Behind::Yes;
    }

    /// From one commit to the next.
    fn interval(&self) -> Duration {
        let places = self
            .outputs
            .iter()
            .filter_map(|output| output.place.as_ref());
        let repeated: u64 = places.map(Place::repeated).sum();
        INTERVAL + Duration::from_secs_f64(repeated as f64 / BYTES_PER_SECOND)
    }
}

impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.outputs.iter().map(|output| &output.name);
        f.debug_list().entries(names).finish()
    }
}

fn place_of(file: File, format: Format) -> Place {
    // Pipes and devices have no place to go back to.
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Place::stream(file);
    }
    match format {
        Format::Xml => Place::Document(Document::new(file)),
        Format::Text | Format::JsonLines | Format::Grepable | Format::List => {
            Place::Lines(Lines::new(file, Blanks::MeanNothing))
        }
        // "Spaces are considered part of a field" (RFC 4180, section 2).
        Format::Csv => Place::Lines(Lines::new(file, Blanks::Count)),
    }
}

fn report(asked: &Asked, plan: &Plan, show: Show, names: Names) -> Box<dyn Report + Send> {
    match asked.format {
        Format::Text => {
            let (live, width) = match asked.to {
                Destination::Stdout if io::stdout().is_terminal() => {
                    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
                    let columns = size.map_or(0, |size| usize::from(size.ws_col));
                    (plan.live, columns)
                }
                Destination::Stdout | Destination::File(_) => (Live::AtTheEnd, 0),
            };
            let width = if width == 0 { WIDTH } else { width };
            Box::new(Text::new(show, names, live, width))
        }
        Format::JsonLines => Box::new(JsonLines::new(show, names).with_fields(plan.fields.clone())),
        Format::Xml => Box::new(Xml::new(show, names)),
        Format::Grepable => Box::new(Grepable::new(show, names)),
        Format::Csv => Box::new(Csv::new(show, names, plan.fields.clone())),
        Format::List => Box::new(List::new(show, names)),
    }
}

/// Columns where there is no terminal to ask.
const WIDTH: usize = 80;

/// Between two commits, at least.
const INTERVAL: Duration = Duration::from_millis(500);

/// What may be written again and again for the sake of being whole.
const BYTES_PER_SECOND: f64 = (8 << 20) as f64;
