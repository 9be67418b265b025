//! One line on the terminal while the scan runs: how far, how fast, how lossy, how long still.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use halfopen::model::{Progress, Time};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line on standard error, or nothing where nobody watches.
#[derive(Clone, Debug)]
pub struct Line {
    bar: ProgressBar,
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
    pub fn new(drawn: Drawn) -> Self {
        let target = if drawn == Drawn::OnTerminal && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        if let Ok(style) = ProgressStyle::with_template("[{bar:20}] {wide_msg}") {
            bar.set_style(style.progress_chars("#> "));
        }
        Self {
            bar,
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
        self.bar.set_message(message(progress, self.rate));
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

/// `pass 2, 45 %, 12,345/s, loss 1.2 %, 3 open, 12 s left`
fn message(progress: &Progress, rate: Option<f64>) -> String {
    use halfopen::report::text::grouped;

    let mut parts = vec![format!(
        "pass {}, {:.0} %",
        u32::from(progress.pass) + 1,
        progress.pass_done.clamp(0.0, 1.0) * 100.0
    )];
    if let Some(rate) = rate {
        parts.push(format!("{}/s", grouped(rate as u64)));
    }
    if let Some(loss) = progress.loss {
        parts.push(format!("loss {:.1} %", loss * 100.0));
    }
    parts.push(format!("{} open", grouped(progress.open)));
    if let Some(eta) = progress.eta {
        parts.push(format!(
            "{} s left",
            grouped(eta.as_secs_f64().ceil() as u64)
        ));
    }
    parts.join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_is_known() {
        let mut line = Line::new(Drawn::Never);
        let mut progress = Progress {
            endpoints: 1000,
            answered: 10,
            open: 3,
            packets_sent: 0,
            pass: 1,
            pass_done: 0.45,
            loss: None,
            at: Time::ZERO,
            eta: None,
        };
        line.show(&progress);
        assert_eq!(message(&progress, line.rate), "pass 2, 45 %, 3 open");
        progress.at = Time::ZERO + Duration::from_millis(500);
        progress.packets_sent = 6_000;
        progress.loss = Some(0.012);
        progress.eta = Some(Duration::from_millis(11_200));
        line.show(&progress);
        assert_eq!(
            message(&progress, line.rate),
            "pass 2, 45 %, 12,000/s, loss 1.2 %, 3 open, 12 s left"
        );
    }
}
