//! One line on the terminal while the scan runs: how far, how fast, how lossy, how long still.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use halfopen::model::{Progress, Time};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::live::watch::Keys;
use crate::cli::saying::say_all;

/// The line on standard error, or nothing where nobody watches.
#[derive(Clone, Debug)]
pub struct Line {
    bar: ProgressBar,
    /// Columns before the message.
    before: usize,
    keys: Keys,
    measured: Option<(Time, u64)>,
    rate: Option<f64>,
}

/// Whether progress is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drawn {
    /// On standard error, if that is a terminal.
    OnTerminal,
    Never,
}

impl Line {
    pub fn new(drawn: Drawn, keys: Keys) -> Self {
        let target = if drawn == Drawn::OnTerminal && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        let (template, before) = if columns() < NARROW {
            ("{msg}", 0)
        } else {
            ("[{bar:14}] {msg}", 17)
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("#> "));
        }
        Self {
            bar,
            before,
            keys,
            measured: None,
            rate: None,
        }
    }

    /// Draws the state of the scan; indicatif draws at most 20 times a second.
    pub fn show(&mut self, progress: &Progress) {
        self.measure(progress);
        if self.bar.is_hidden() {
            return;
        }
        self.bar
            .set_position((progress.pass_done.clamp(0.0, 1.0) * STEPS as f64) as u64);
        let room = columns().saturating_sub(self.before);
        self.bar
            .set_message(message(progress, self.rate, self.keys, room));
    }

    /// Says that nothing moves.
    pub fn paused(&self) {
        self.bar.set_message("paused (p goes on)");
        self.bar.tick();
    }

    /// Packets per second of late, once known.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Says something on standard error, above the line where there is one.
    pub fn say(&self, what: &str) {
        self.say_all(&format!("{what}\n"));
    }

    /// The same for whole lines.
    pub fn say_all(&self, lines: &str) {
        self.bar.suspend(|| say_all(lines));
    }

    /// Takes the line away for good.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Packets per second over the last half second or more.
    fn measure(&mut self, progress: &Progress) {
        let (then, sent) = *self
            .measured
            .get_or_insert((progress.at, progress.packets_sent));
        let span = progress.at.since(then);
        if span >= Duration::from_millis(500) {
            let more = progress.packets_sent.saturating_sub(sent);
            self.rate = Some(more as f64 / span.as_secs_f64());
            self.measured = Some((progress.at, progress.packets_sent));
        }
    }
}

/// `pass 2, 45 %, 12,345/s, loss 1.2 %, 3 open, 12 s left`, and how to get help,
/// without what does not fit: help goes first, the pass never.
fn message(progress: &Progress, rate: Option<f64>, keys: Keys, room: usize) -> String {
    use halfopen::report::text::grouped;

    let percent = progress.pass_done.clamp(0.0, 1.0) * 100.0;
    let pass = match (progress.talks, progress.hosts_up) {
        (Some(_), _) => format!("identification, {percent:.0} %"),
        (None, Some(_)) => format!("ping, {percent:.0} %"),
        (None, None) => format!("pass {}, {percent:.0} %", u32::from(progress.pass) + 1),
    };
    // Talks send no packets of the scan's.
    let rate = rate.filter(|_| progress.talks.is_none());
    let rate = rate.map(|rate| format!("{}/s", grouped(rate as u64)));
    let loss = progress
        .loss
        .map(|loss| format!("loss {:.1} %", loss * 100.0));
    let open = match (progress.talks, progress.hosts_up) {
        (Some(talks), _) => format!(
            "{} of {} open ports",
            grouped(talks.done),
            grouped(talks.of)
        ),
        (None, Some(up)) => format!("{} up", grouped(up)),
        (None, None) if progress.held > 0 => format!(
            "{} open and {} unconfirmed",
            grouped(progress.open),
            grouped(progress.held)
        ),
        (None, None) => format!("{} open", grouped(progress.open)),
    };
    let left = progress
        .eta
        .map(|eta| format!("{} s left", grouped(eta.as_secs_f64().ceil() as u64)));
    let help = (keys == Keys::Read).then(|| "? for keys".to_owned());
    let mut parts = [Some(pass), rate, loss, Some(open), left, help];
    // By place in the line: help, loss, rate, time left, open.
    for dispensable in [5, 2, 1, 4, 3] {
        if joined(&parts).len() <= room {
            break;
        }
        parts[dispensable] = None;
    }
    joined(&parts)
}

fn joined(parts: &[Option<String>]) -> String {
    let known: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    known.join(", ")
}

/// Width of the terminal that the line is drawn on.
pub fn columns() -> usize {
    rustix::termios::tcgetwinsize(io::stderr())
        .map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// Standard output that lifts the progress line while it writes, where both are on terminals.
#[derive(Debug)]
pub struct Screen {
    out: io::Stdout,
    line: Option<ProgressBar>,
}

impl Screen {
    pub fn new(line: &Line) -> Self {
        let out = io::stdout();
        Self {
            line: out.is_terminal().then(|| line.bar.clone()),
            out,
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.line {
            Some(bar) => bar.suspend(|| {
                let written = self.out.write(bytes)?;
                self.out.flush().map(|()| written)
            }),
            None => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

const STEPS: u64 = 1000;

/// Narrower terminals have no room for the bar.
const NARROW: usize = 72;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moved_while_open_ports_were_asked() {
        let progress = Progress {
            endpoints: 1000,
            answered: 1000,
            open: 30,
            held: 0,
            packets_sent: 2000,
            pass: 1,
            pass_done: 0.4,
            loss: None,
            allowed: 20_000,
            at: Time::ZERO,
            hosts_up: None,
            talks: Some(halfopen::model::Talks { done: 12, of: 30 }),
            eta: None,
        };
        assert_eq!(
            message(&progress, Some(12_000.0), Keys::NotRead, 60),
            "identification, 40 %, 12 of 30 open ports"
        );
    }

    #[test]
    fn the_line_tells_what_is_known() {
        let mut line = Line::new(Drawn::Never, Keys::NotRead);
        let mut progress = Progress {
            endpoints: 1000,
            answered: 10,
            open: 3,
            held: 0,
            packets_sent: 0,
            pass: 1,
            pass_done: 0.45,
            loss: None,
            allowed: 20_000,
            at: Time::ZERO,
            hosts_up: None,
            talks: None,
            eta: None,
        };
        line.show(&progress);
        let told = |line: &Line, keys, room| message(&progress, line.rate, keys, room);
        assert_eq!(told(&line, Keys::NotRead, 60), "pass 2, 45 %, 3 open");
        let helping = "pass 2, 45 %, 3 open, ? for keys";
        assert_eq!(told(&line, Keys::Read, 32), helping);
        assert_eq!(told(&line, Keys::Read, 31), "pass 2, 45 %, 3 open");
        progress.held = 40;
        let held = "pass 2, 45 %, 3 open and 40 unconfirmed";
        assert_eq!(message(&progress, None, Keys::NotRead, 60), held);
        progress.held = 0;
        progress.at = Time::ZERO + Duration::from_millis(500);
        progress.packets_sent = 6_000;
        progress.loss = Some(0.012);
        progress.eta = Some(Duration::from_millis(11_200));
        line.show(&progress);
        let whole = "pass 2, 45 %, 12,000/s, loss 1.2 %, 3 open, 12 s left";
        for (room, told) in [
            (60, whole),
            (whole.len(), whole),
            (whole.len() - 1, "pass 2, 45 %, 12,000/s, 3 open, 12 s left"),
            (35, "pass 2, 45 %, 3 open, 12 s left"),
            (30, "pass 2, 45 %, 3 open"),
            (15, "pass 2, 45 %"),
            (0, "pass 2, 45 %"),
        ] {
            assert_eq!(
                message(&progress, line.rate, Keys::NotRead, room),
                told,
                "{room}"
            );
        }
    }
}
