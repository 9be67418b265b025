//! EPSS scores: a line `#model_version:...,score_date:2026-11-20T...`, a line `cve,epss,percentile`, and a line for each
//! vulnerability.

use std::io::{BufRead as _, BufReader, Read};

use crate::store::feeds::input::unreadable;
use crate::store::feeds::{Broken, Enough, More, Statement, Take, day};

pub fn read(input: &mut dyn Read, take: &mut Take<'_>) -> Result<More, Broken> {
    let mut more = More::default();
    let mut input = BufReader::new(input);
    let mut heading = Heading::Awaited;
    for number in 1.. {
        let mut line = Vec::new();
        let read = (&mut input).take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(unreadable)? == 0 {
            break;
        }
        let wrong = |what: &str| Broken::Malformed {
            place: Some((number, 1)),
            what: what.to_owned(),
        };
        let Some(line) = line.strip_suffix(b"\n") else {
            // Every line that EPSS writes ends: this one was cut, or never is to end.
            return Err(wrong("the line does not end"));
        };
        let line = str::from_utf8(line)
            .map_err(|_| wrong("it is not UTF-8"))?
            .trim_end();
        if let Some(about) = line.strip_prefix('#') {
            let date = about.split_once("score_date:").map(|(_, date)| date);
            more.dated = date.and_then(day);
        } else if heading == Heading::Awaited {
            if !line.starts_with("cve,epss") {
                return Err(wrong(
                    "the heading cve,epss is missing: these are no EPSS scores",
                ));
            }
            heading = Heading::Seen;
        } else {
            let mut values = line.split(',');
            let id = values.next().and_then(|id| id.parse().ok());
            let chance = values.next().and_then(|chance| chance.parse::<f64>().ok());
            match (id, chance) {
                (Some(id), Some(chance)) if (0.0..=1.0).contains(&chance) => {
                    take(Statement::Epss { id, chance }).map_err(|Enough| Broken::Stopped)?;
                }
                _ => return Err(wrong("no CVE number and score from 0 to 1")),
            }
        }
    }
    match heading {
        Heading::Seen => Ok(more),
        Heading::Awaited => Err(Broken::Malformed {
            place: None,
            what: "it is empty".to_owned(),
        }),
    }
}

/// Whether the line that names the columns was there.
#[derive(PartialEq, Eq)]
enum Heading {
    Awaited,
    Seen,
}

/// Bytes of a line; the usual ones have 40.
const LONGEST: u64 = 4096;
