//! `--list`: the endpoints of the plan, one a line, in ascending order; nothing is opened and nothing is sent.

use std::io::{self, BufWriter, Write};

use halfopen::plan::{Plan, Shard, Shuffle};
use halfopen::report::escape::terminal;
use halfopen::report::jsonl::object;
use halfopen::report::names::Names;
use serde::ser::SerializeMap as _;

use crate::cli::Job;
use crate::cli::exit::Exit;
use crate::cli::saying::written;

/// Prints what the scan would test: its own part, where it is one of several.
pub fn listed(job: &Job) -> Result<Exit, Exit> {
    let names = Names {
        zones: job.machine.zones(),
        ..Names::default()
    };
    let options = &job.settings.options;
    let part = Part {
        shuffle: Shuffle::new(job.plan.len(), options.seed),
        shard: options.shard,
    };
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let line = if job.prints_json() { json } else { text };
    let printed = print(out, &job.plan, part, &names, line);
    Ok(written(printed))
}

/// Which endpoints are this scan's.
#[derive(Clone, Copy)]
struct Part {
    shuffle: Shuffle,
    shard: Shard,
}

impl Part {
    fn has(&self, index: u64) -> bool {
        self.shard == Shard::WHOLE || self.shard.rank(self.shuffle.position(index)).is_some()
    }
}

/// Each line in the form that `line` gives it. An address is written once, however many ports it has.
fn print(
    mut out: impl Write,
    plan: &Plan,
    part: Part,
    names: &Names,
    line: fn(&mut dyn Write, &str, u16) -> io::Result<()>,
) -> io::Result<()> {
    let ports = u64::from(plan.ports().len());
    for (host, address) in (0_u64..).zip(plan.targets().iter()) {
        let address = names.address(&address);
        for at in 0..plan.ports().len() {
            if let Some(port) = plan.ports().port(at)
                && part.has(host * ports + u64::from(at))
            {
                line(&mut out, &address, port)?;
            }
        }
    }
    out.flush()
}

fn text(out: &mut dyn Write, address: &str, port: u16) -> io::Result<()> {
    writeln!(out, "{} {port}", terminal(address))
}

fn json(mut out: &mut dyn Write, address: &str, port: u16) -> io::Result<()> {
    object(&mut out, "endpoint", |map| {
        map.serialize_entry("address", address)?;
        map.serialize_entry("port", &port)
    })
}
