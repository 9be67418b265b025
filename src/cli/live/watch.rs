//! What is said on standard error while the scan runs: the progress line, answers to keys, a status now and then.

use std::time::Duration;

use halfopen::model::{Event, Progress, Time};
use halfopen::report::names::Names;
use halfopen::report::table::wrap;
use halfopen::report::text::{grouped, number};
use halfopen::scan::Control;

use crate::cli::live::found::Found;
use crate::cli::live::keys::Key;
use crate::cli::progress::{Drawn, Line, columns};

/// See the top of the file.
#[derive(Debug)]
pub struct Watch {
    pub line: Line,
    control: Control,
    /// Only kept where a key can ask for it.
    found: Option<Found>,
    names: Names,
    every: Option<Duration>,
    said: Time,
    latest: Option<Progress>,
}

/// Whether keys are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    Read,
    NotRead,
}

impl Watch {
    /// `every`: how often the status is said without being asked for.
    pub fn new(
        drawn: Drawn,
        keys: Keys,
        every: Option<Duration>,
        control: Control,
        names: Names,
    ) -> Self {
        Self {
            line: Line::new(drawn, keys),
            control,
            found: (keys == Keys::Read).then(Found::default),
            names,
            every,
            said: Time::ZERO,
            latest: None,
        }
    }

    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Verdict(verdict) => {
                if let Some(found) = &mut self.found {
                    found.take(verdict);
                }
            }
            Event::Progress(progress) => self.progress(progress),
            _ => {}
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.latest = Some(*progress);
        self.line.show(progress);
        if self.control.is_paused() {
            self.line.paused();
        }
        if let Some(every) = self.every
            && progress.at.since(self.said) >= every
        {
            self.said = progress.at;
            self.say(&self.status());
        }
    }

    /// Answers a key. What a key changes about sending was done when it was read.
    pub fn key(&mut self, key: Key) {
        match key {
            Key::Pause if self.control.is_paused() => {
                self.line.paused();
                self.say("paused: answers are still heard; p goes on\n");
            }
            Key::Pause => {
                if let Some(latest) = self.latest {
                    self.line.show(&latest);
                }
                self.say("going on\n");
            }
            Key::Faster | Key::Slower => self.change_rate(key),
            Key::Status => self.say(&self.status()),
            Key::Found => {
                let text = self
                    .found
                    .as_ref()
                    .map(|found| found.text(&self.names, columns()));
                self.say(text.as_deref().unwrap_or_default());
            }
            Key::Finish => self.say("finishing: what is in flight is heard for at most 2 s\n"),
            Key::Help => self.say(&wrap(&HELP.map(str::to_owned), 0, columns())),
        }
    }

    /// Takes the line away for good.
    pub fn end(&self) {
        self.line.end();
    }

    fn change_rate(&self, key: Key) {
        let Some(latest) = &self.latest else {
            return;
        };
        let allowed = self.control.limited_to().unwrap_or(latest.allowed);
        let rate = next_rate(key, allowed, self.line.rate());
        self.control.limit(rate);
        self.say(&format!(
            "rate: at most {} packets per second\n",
            grouped(rate.into())
        ));
    }

    fn status(&self) -> String {
        match &self.latest {
            None => "status: nothing to tell yet\n".to_owned(),
            Some(latest) => {
                let mut items = status(latest, self.line.rate(), self.control.limited_to());
                if self.control.is_paused() {
                    items.push("paused".to_owned());
                }
                wrap(&items, 0, columns())
            }
        }
    }

    fn say(&self, text: &str) {
        self.line.say_all(text);
    }
}

/// Half or double. A ceiling far above what the scan really sends would have to be halved many times before anything
/// happens, so what a busy scan sends is what is halved.
fn next_rate(key: Key, allowed: u32, measured: Option<f64>) -> u32 {
    match key {
        Key::Slower => {
            let sends = measured.filter(|rate| *rate >= BUSY);
            let base = sends.map_or(allowed, |rate| allowed.min(rate as u32));
            (base / 2).max(1)
        }
        _ => allowed.saturating_mul(2).min(MOST),
    }
}

/// `status: 12.3 s`, `pass 2, 45 %`, ..
fn status(progress: &Progress, rate: Option<f64>, limit: Option<u32>) -> Vec<String> {
    if let Some(talks) = progress.talks {
        return vec![
            format!("status: {:.1} s", progress.at.as_secs_f64()),
            format!(
                "identification: {} of {} open ports asked",
                grouped(talks.done),
                grouped(talks.of)
            ),
        ];
    }
    let mut items = vec![
        format!("status: {:.1} s", progress.at.as_secs_f64()),
        format!("pass {}", u32::from(progress.pass) + 1,),
        format!(
            "{:.1} % of {} asked",
            progress.pass_done.clamp(0.0, 1.0) * 100.0,
            number(progress.endpoints, "endpoint")
        ),
        format!("{} answered", grouped(progress.answered)),
        format!("{} open", grouped(progress.open)),
        format!("{} packets", grouped(progress.packets_sent)),
    ];
    if progress.held > 0 {
        items.push(format!("{} unconfirmed", grouped(progress.held)));
    }
    let allowed = limit.unwrap_or(progress.allowed);
    let sends = rate.map_or_else(String::new, |rate| format!("{}/s, ", grouped(rate as u64)));
    items.push(format!("{sends}at most {}/s", grouped(allowed.into())));
    items.push(progress.loss.map_or_else(
        || "loss not known".to_owned(),
        |loss| format!("loss {:.1} %", loss * 100.0),
    ));
    if let Some(eta) = progress.eta {
        items.push(format!(
            "{} s left",
            grouped(eta.as_secs_f64().ceil() as u64)
        ));
    }
    items
}

const HELP: [&str; 7] = [
    "keys: p pause and go on",
    "+ faster",
    "- slower",
    "s status",
    "f found so far",
    "q finish with what is known",
    "? this help",
];
/// Packets per second of a scan that is held up by its rate and by nothing else.
const BUSY: f64 = 1_000.0;
/// The highest rate that `--rate` takes.
const MOST: u32 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_halved_where_it_is_felt() {
        for (key, allowed, measured, next) in [
            (Key::Slower, 10_000_000, Some(300_000.0), 150_000),
            (Key::Slower, 150_000, Some(300_000.0), 75_000),
            (Key::Slower, 2_500, Some(0.0), 1_250),
            (Key::Slower, 1, None, 1),
            (Key::Faster, 20_000, Some(100.0), 40_000),
            (Key::Faster, 9_000_000, None, 10_000_000),
        ] {
            assert_eq!(next_rate(key, allowed, measured), next, "{key:?} {allowed}");
        }
    }

    #[test]
    fn the_status_tells_everything_that_is_known() {
        let progress = Progress {
            endpoints: 65_535,
            answered: 1_234,
            open: 3,
            held: 0,
            packets_sent: 70_000,
            pass: 1,
            pass_done: 0.456,
            loss: Some(0.012),
            allowed: 200_000,
            at: Time(12_340_000_000),
            hosts_up: None,
            talks: None,
            eta: Some(Duration::from_millis(4_200)),
        };
        assert_eq!(
            wrap(&status(&progress, Some(12_345.6), None), 0, 1000),
            "status: 12.3 s, pass 2, 45.6 % of 65,535 endpoints asked, 1,234 answered, 3 open, 70,000 packets, \
             12,345/s, at most 200,000/s, loss 1.2 %, 5 s left\n"
        );
    }
}
