//! Comma-separated values by RFC 4180: a line of names, then one line for each port, as they are found.
//!
//! Where a field is about what an open port serves, the lines of open ports are written at the end.
//!
//! Text is escaped as for a terminal, so no cell holds a line break or a control byte. A cell that a spreadsheet would
//! take for a formula has an apostrophe before it. Where hosts are what was asked for, a line is a host whose state is
//! `up`, and what tells of ports is empty.

use std::collections::BTreeMap;
use std::io;

use crate::model::{Endpoint, Event, State, Summary, Verdict};
use crate::report::escape::terminal;
use crate::report::fields::{Field, PortRecord, SERVICE_FIELDS, Value, of_host};
use crate::report::identified::Identified;
use crate::report::names::Names;
use crate::report::{Header, Report, Show};

/// The CSV report.
#[derive(Debug)]
pub struct Csv {
    names: Names,
    show: Show,
    fields: Vec<Field>,
    /// Open ports whose line waits for what is found out; empty where no field is about that.
    held: BTreeMap<Endpoint, Verdict>,
    identified: Identified,
}

impl Csv {
    /// A report with a line for every port whose state is in `show`, and these fields as its columns.
    pub fn new(show: Show, names: Names, fields: Vec<Field>) -> Self {
        Self {
            names,
            show,
            fields,
            held: BTreeMap::new(),
            identified: Identified::default(),
        }
    }

    fn port(&self, verdict: &Verdict, out: &mut dyn io::Write) -> io::Result<()> {
        let record = PortRecord::new(verdict, &self.names).found_out(&self.identified);
        let cells: Vec<String> = self
            .fields
            .iter()
            .map(|field| cell(&(field.take)(&record)))
            .collect();
        line(&cells, out)
    }

    /// Whether a line can only be written once the port was talked with.
    fn waits(&self, verdict: &Verdict) -> bool {
        verdict.state == State::Open && self.is_late()
    }

    /// Whether a field is only known once ports were talked with.
    fn is_late(&self) -> bool {
        let late = |field: &Field| SERVICE_FIELDS.iter().any(|late| late.name == field.name);
        self.fields.iter().any(late)
    }
}

impl Report for Csv {
    fn start(&mut self, _header: &Header, out: &mut dyn io::Write) -> io::Result<()> {
        let names: Vec<String> = self
            .fields
            .iter()
            .map(|field| field.name.to_owned())
            .collect();
        line(&names, out)
    }

    fn event(&mut self, event: &Event, out: &mut dyn io::Write) -> io::Result<()> {
        if self.is_late() {
            self.identified.take(event);
        }
        match event {
            Event::Verdict(verdict) if self.show.lists(verdict) && self.waits(verdict) => {
                self.held.insert(verdict.endpoint, *verdict);
                Ok(())
            }
            Event::Alive(alive) => {
                let cells: Vec<String> = self
                    .fields
                    .iter()
                    .map(|field| cell(&of_host(field, alive, &self.names)))
                    .collect();
                line(&cells, out)
            }
            Event::Verdict(verdict) if self.show.lists(verdict) => self.port(verdict, out),
            _ => Ok(()),
        }
    }

    /// The lines that wait, with what is known by now: of the host more may come as long as its ports are talked with.
    fn interim(&mut self, _so_far: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        self.held
            .values()
            .try_for_each(|verdict| self.port(verdict, out))
    }

    fn finish(&mut self, _summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        held.values()
            .try_for_each(|verdict| self.port(verdict, out))
    }
}

/// Numbers are ours and stand as they are; text may come from anywhere.
fn cell(value: &Value<'_>) -> String {
    let Value::Text(text) = value else {
        return value.to_string();
    };
    let text = terminal(text);
    let guard = if text.trim_start().starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    let plain = !text.contains(['"', ',']) && text.trim() == text;
    if plain {
        format!("{guard}{text}")
    } else {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    }
}

fn line(cells: &[String], out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all((cells.join(",") + "\r\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas_and_end_where_they_should() {
        for (text, expected) in [
            ("ssh", "ssh"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1,2)", "\"'@SUM(1,2)\""),
            (" =1", "\"' =1\""),
            ("\t=1", "\\x09=1"),
            ("a\r\nb", "a\\x0d\\x0ab"),
        ] {
            assert_eq!(cell(&Value::Text(text.into())), expected, "{text:?}");
        }
        assert_eq!(cell(&Value::Number(7)), "7");
        assert_eq!(cell(&Value::Nothing), "");
    }
}
