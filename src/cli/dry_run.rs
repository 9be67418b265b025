//! `--dry-run`: what the scan would do, how long it may take and what may get in its way; nothing is sent.
//!
//! The scan is opened as it would be, so that the mode is the one that would run; then it is described instead of run.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use halfopen::model::Address;
use halfopen::report::escape::terminal;
use halfopen::report::jsonl::object;
use halfopen::report::names::Names;
use halfopen::report::text::{grouped, number};
use halfopen::scan::{Cost, Forecast, Limit, Ping, Scan, Way};
use serde::ser::SerializeMap as _;
use serde_json::{Value, json};

use crate::cli::Job;
use crate::cli::exit::Exit;
use crate::cli::resolve::Resolved;
use crate::cli::saying::{EMPTY_PART, refuse_to_open, say, tell, written};
use crate::cli::settings::Noise;

/// Describes the scan.
pub fn described(job: Job) -> Result<Exit, Exit> {
    let names = Names {
        zones: job.machine.zones(),
        ..Names::default()
    };
    let json = job.prints_json();
    let Job {
        settings,
        plan,
        resolved,
        left_out,
        ..
    } = job;
    let scan = Scan::open(plan, settings.options.clone())
        .map_err(|error| refuse_to_open(&error, &names))?;
    let forecast = scan.forecast().map_err(|error| {
        say(&format!("error: cannot ask the kernel for routes: {error}"));
        Exit::Environment
    })?;
    if settings.noise > Noise::MistakesOnly {
        tell(&settings.notes, settings.noise);
    }
    let told = Told {
        scan: &scan,
        forecast: &forecast,
        names: &names,
        ping: settings.options.ping,
        resolved: &resolved,
        left_out,
    };
    let mut out = io::stdout().lock();
    Ok(written(if json {
        told.json(&mut out)
    } else {
        out.write_all(told.text().as_bytes())
            .and_then(|()| out.flush())
    }))
}

/// Everything that is known.
struct Told<'a> {
    scan: &'a Scan,
    forecast: &'a Forecast,
    names: &'a Names,
    ping: Ping,
    resolved: &'a [Resolved],
    /// Addresses that the excludes took out.
    left_out: u64,
}

impl Told<'_> {
    fn text(&self) -> String {
        let Forecast { least, likely, .. } = self.forecast;
        let plan = self.scan.plan();
        let mut text = format!(
            "A scan in {} mode, because {}; nothing was sent\n",
            self.scan.mode().name(),
            match self.scan.reason_for_mode() {
                "asked for" => "it was asked for".into(),
                reason => terminal(reason),
            },
        );
        line(&mut text, "Targets", &self.targets());
        for host in self.resolved {
            let addresses: Vec<String> = host.addresses.iter().map(|at| self.address(at)).collect();
            let name = terminal(&host.name);
            line(&mut text, "", &format!("{name} = {}", addresses.join(", ")));
        }
        if self.left_out > 0 {
            line(&mut text, "Left out", &addresses(self.left_out));
        }
        line(
            &mut text,
            "Ports",
            &format!("{} per target", grouped(plan.ports().len().into())),
        );
        let mut endpoints = grouped(self.forecast.endpoints);
        if self.forecast.endpoints < plan.len() {
            let _ = write!(endpoints, " of {}", grouped(plan.len()));
        }
        line(&mut text, "Endpoints", &endpoints);
        if self.forecast.endpoints == 0 {
            line(&mut text, "Nothing", EMPTY_PART);
            return text;
        }
        for way in self.forecast.ways.iter().take(LISTED) {
            line(&mut text, "Way", &self.way(way));
        }
        let more = self.forecast.ways.len().saturating_sub(LISTED);
        if more > 0 {
            line(&mut text, "", &format!("and {more} more"));
        }
        line(
            &mut text,
            "At least",
            &format!("{}: everything answers at once", cost(least)),
        );
        line(
            &mut text,
            "Likely",
            &format!(
                "{}: nearly all is silent; {} decides",
                cost(likely),
                limit(self.forecast.limit)
            ),
        );
        match self.ping {
            Ping::Never => {}
            Ping::First => line(
                &mut text,
                "Ping",
                "first; hosts that do not answer are left out, so this is the most",
            ),
            Ping::Only => line(&mut text, "Ping", "only; no ports are scanned"),
        }
        if let Some(what) = self.scan.passed_by() {
            line(&mut text, "Warning", &terminal(what));
        }
        for warning in &self.forecast.warnings {
            line(&mut text, "Warning", &warning.to_string());
        }
        text
    }

    /// `3: 10.0.0.1-10.0.0.2, 10.0.0.7`
    fn targets(&self) -> String {
        let targets = self.scan.plan().targets();
        let mut ranges: Vec<String> = targets
            .ranges()
            .take(LISTED + 1)
            .map(|range| {
                let (first, last) = (range.first(), range.last());
                if first == last {
                    self.address(&first)
                } else {
                    format!("{}-{}", self.address(&first), self.address(&last))
                }
            })
            .collect();
        if ranges.len() > LISTED {
            ranges.truncate(LISTED);
            ranges.push("..".to_owned());
        }
        format!("{}: {}", grouped(targets.hosts()), ranges.join(", "))
    }

    fn address(&self, address: &Address) -> String {
        terminal(&self.names.address(address)).into_owned()
    }

    /// `256 by eth0 from 10.0.0.5, on the link`
    fn way(&self, way: &Way) -> String {
        let through = way
            .route
            .next_hop
            .map_or_else(String::new, |hop| format!(" through {hop}"));
        format!(
            "{} by {} from {}{through}, {}",
            grouped(way.hosts),
            terminal(&self.interface(way)),
            way.route.source,
            way.reach()
        )
    }

    fn interface(&self, way: &Way) -> String {
        let index = way.route.interface;
        self.names
            .zones
            .get(&index)
            .cloned()
            .unwrap_or_else(|| format!("interface {index}"))
    }

    fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let plan = self.scan.plan();
        let ways: Vec<Value> = self
            .forecast
            .ways
            .iter()
            .map(|way| {
                json!({
                    "interface": self.interface(way),
                    "source": way.route.source.to_string(),
                    "next_hop": way.route.next_hop.map(|hop| hop.to_string()),
                    "reach": way.reach(),
                    "targets": way.hosts,
                })
            })
            .collect();
        let warnings: Vec<Value> = self
            .forecast
            .warnings
            .iter()
            .map(|warning| json!({"name": warning.name(), "text": warning.to_string()}))
            .collect();
        object(out, "plan", |map| {
            map.serialize_entry("mode", self.scan.mode().name())?;
            map.serialize_entry("reason_for_mode", self.scan.reason_for_mode())?;
            map.serialize_entry("targets", &plan.hosts())?;
            map.serialize_entry("left_out", &self.left_out)?;
            map.serialize_entry("ports", &plan.ports().len())?;
            map.serialize_entry("endpoints", &self.forecast.endpoints)?;
            map.serialize_entry("ways", &ways)?;
            map.serialize_entry("unroutable", &self.forecast.unroutable)?;
            map.serialize_entry("least", &figures(&self.forecast.least))?;
            map.serialize_entry("likely", &figures(&self.forecast.likely))?;
            map.serialize_entry("limit", &limit(self.forecast.limit))?;
            map.serialize_entry("passed_by", &self.scan.passed_by())?;
            map.serialize_entry("warnings", &warnings)
        })?;
        out.flush()
    }
}

fn line(text: &mut String, heading: &str, what: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {heading:<10} {what}");
}

fn addresses(count: u64) -> String {
    let noun = if count == 1 { "address" } else { "addresses" };
    format!("{} {noun}", grouped(count))
}

fn cost(cost: &Cost) -> String {
    format!(
        "{}, {}, {}",
        number(cost.packets, "packet"),
        bytes(cost.bytes),
        time(cost.time)
    )
}

fn figures(cost: &Cost) -> Value {
    json!({"packets": cost.packets, "bytes": cost.bytes, "seconds": cost.time.as_secs_f64()})
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::Rate(rate) => format!("the ceiling of {} packets per second", grouped(rate.into())),
        Limit::HostRate(rate) => format!(
            "the ceiling of {} packets per second to one host",
            grouped(rate.into())
        ),
        Limit::Patience(patience) => format!("the patience of {} s", patience.as_secs_f64()),
        Limit::Descriptors(fit) => {
            format!(
                "the descriptor limit ({} connects at a time)",
                grouped(fit as u64)
            )
        }
    }
}

/// `15.7 MB`
fn bytes(count: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let count = count as f64;
    UNITS.iter().find(|(_, size)| count >= *size).map_or_else(
        || format!("{count} bytes"),
        |(unit, size)| format!("{:.1} {unit}", count / size),
    )
}

/// Two figures are enough for a guess: `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`.
fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil() as u64;
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!(
            "{} d {} h",
            grouped(seconds / 86_400),
            seconds % 86_400 / 3_600
        ),
    }
}

/// Ranges and ways that are named one by one.
const LISTED: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_told_in_fitting_units() {
        for (count, told) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_500, "1.5 kB"),
            (3_000_000_000, "3.0 GB"),
        ] {
            assert_eq!(bytes(count), told);
        }
        for (millis, told) in [
            (3_200, "3.2 s"),
            (250_000, "4 min 10 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), told);
        }
    }
}
