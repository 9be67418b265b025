//! Hosts instead of ports: a list that can be read as targets again.

use std::fmt::Write as _;
use std::io;

use super::{Text, ending, milliseconds, number, seconds, sentence};
use crate::model::{Alive, Pinged, Summary};
use crate::report::Header;
use crate::report::escape::terminal;
use crate::report::text::grouped;

impl Text {
    /// `10.9.0.2  # echo-reply 0.21 ms`: the rest of the line is a comment to whoever reads it as a list of targets.
    pub(super) fn host_line(&self, alive: &Alive) -> String {
        let mut line = terminal(&self.names.address(&alive.address)).into_owned();
        let _ = write!(line, "  # {}", alive.sign.name());
        if let Some(rtt) = alive.rtt {
            let _ = write!(line, " {}", milliseconds(rtt));
        }
        if let Some(name) = self.names.host(&alive.address) {
            let _ = write!(line, " {}", terminal(name));
        }
        line
    }

    /// All that there is to say where nothing was scanned.
    pub(super) fn hosts_alone(
        &self,
        header: &Header,
        summary: &Summary,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let alive = self.tally.sorted_alive();
        for alive in &alive {
            writeln!(out, "{}", self.host_line(alive))?;
        }
        for note in &self.tally.notes {
            writeln!(out, "# Note: {}", sentence(*note))?;
        }
        writeln!(out, "# {}", figures(header, summary))
    }
}

/// `3 of 256 hosts answered the ping, 1.2 s; 300 packets; complete`
pub(super) fn figures(header: &Header, summary: &Summary) -> String {
    // Nobody has counted them before the end.
    let told = summary.pinged.as_ref().map_or_else(
        || format!("{} pinged", number(header.hosts, "host")),
        answered,
    );
    format!(
        "{told}, {}; {}; {}",
        seconds(summary.elapsed),
        number(summary.packets_sent, "packet"),
        ending(summary),
    )
}

/// `3 of 256 hosts answered the ping`
pub(super) fn answered(pinged: &Pinged) -> String {
    format!(
        "{} of {} answered the ping",
        grouped(pinged.up),
        number(pinged.asked, "host")
    )
}
