//! The one list of what is known about a port. Every format takes its names, its order and its values from here.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::model::facts::{Finding, Service, Software, System};
use crate::model::{Alive, Endpoint, Reason, State, Time, Verdict};
use crate::report::identified::Identified;
use crate::report::names::Names;

/// What is known about one port, with the names that its reader needs.
#[derive(Clone, Copy, Debug)]
pub struct PortRecord<'a> {
    pub endpoint: Endpoint,
    pub state: State,
    pub reason: Reason,
    pub rtt: Option<Duration>,
    pub ttl: Option<u8>,
    /// Not kept by formats that set their lists at the end, nor is `at`.
    pub attempts: Option<u16>,
    pub at: Option<Time>,
    pub names: &'a Names,
    /// What it serves, where it was talked with.
    pub serves: Option<&'a Service>,
    /// What its host seems to run.
    pub system: Option<&'a System>,
    /// The published vulnerabilities of what the port serves, those that a distribution has mended among them.
    pub findings: &'a [Finding],
}

impl<'a> PortRecord<'a> {
    /// Everything that a verdict tells.
    pub fn new(verdict: &Verdict, names: &'a Names) -> Self {
        Self {
            endpoint: verdict.endpoint,
            state: verdict.state,
            reason: verdict.reason,
            rtt: verdict.rtt,
            ttl: verdict.ttl,
            attempts: Some(verdict.attempts),
            at: Some(verdict.at),
            names,
            serves: None,
            system: None,
            findings: &[],
        }
    }

    /// The same port, with what it serves.
    pub fn serving(self, serves: Option<&'a Service>) -> Self {
        Self { serves, ..self }
    }

    /// The same port, with what was found out about it and its host.
    pub(crate) fn found_out(self, identified: &'a Identified) -> Self {
        let findings = identified.findings.get(&self.endpoint);
        Self {
            serves: identified.services.get(&self.endpoint),
            system: identified.systems.get(&self.endpoint.address),
            findings: findings.map_or(&[], Vec::as_slice),
            ..self
        }
    }

    fn application(&self) -> Option<&'a Software> {
        self.serves?.application()
    }
}

/// The value of a field, before any format has dressed it.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// Not known.
    Nothing,
    /// May hold anything that came from outside: escape it.
    Text(Cow<'a, str>),
    Number(u64),
    /// Seconds, to the microsecond.
    Seconds(f64),
}

/// One field: its stable name, what it is, and how to take it from a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub about: &'static str,
    pub take: for<'a> fn(&PortRecord<'a>) -> Value<'a>,
}

pub const ADDRESS: Field = Field {
    name: "address",
    about: "the host's address, with the name of its zone where it needs one",
    take: |record| Value::Text(record.names.address(&record.endpoint.address).into()),
};

pub const PORT: Field = Field {
    name: "port",
    about: "the TCP port",
    take: |record| Value::Number(record.endpoint.port.into()),
};

pub const PROTOCOL: Field = Field {
    name: "protocol",
    about: "the transport protocol: tcp",
    take: |_| Value::Text("tcp".into()),
};

pub const STATE: Field = Field {
    name: "state",
    about: "open, closed, filtered, suspect or error",
    take: |record| Value::Text(record.state.name().into()),
};

pub const REASON: Field = Field {
    name: "reason",
    about: "what the state was concluded from",
    take: |record| Value::Text(record.reason.name().into()),
};

pub const SERVICE: Field = Field {
    name: "service",
    about: "the service: as the server answered, else as registered for the port",
    take: |record| match record.serves.and_then(|serves| serves.protocol.as_deref()) {
        Some(protocol) => text(Some(protocol)),
        None => text(record.names.service(record.endpoint.port)),
    },
};

pub const RTT: Field = Field {
    name: "rtt_us",
    about: "round-trip time in microseconds, where the answer belongs to exactly one SYN",
    take: |record| microseconds(record.rtt),
};

pub const TTL: Field = Field {
    name: "ttl",
    about: "hop limit of the answer; not known in connect mode",
    take: |record| {
        record
            .ttl
            .map_or(Value::Nothing, |ttl| Value::Number(ttl.into()))
    },
};

pub const ATTEMPTS: Field = Field {
    name: "attempts",
    about: "attempts made when the answer came, or in all",
    take: |record| {
        record
            .attempts
            .map_or(Value::Nothing, |attempts| Value::Number(attempts.into()))
    },
};

pub const TIME: Field = Field {
    name: "time",
    about: "when it was decided, in seconds since the scan began",
    take: |record| {
        record
            .at
            .map_or(Value::Nothing, |at| Value::Seconds(at.as_secs_f64()))
    },
};

pub const HOST_NAME: Field = Field {
    name: "name",
    about: "the name by which the host was given",
    take: |record| text(record.names.host(&record.endpoint.address)),
};

pub const BASIS: Field = Field {
    name: "basis",
    about: "where the name of the service is from: by answer, by number (CSV of --services)",
    take: |record| text(record.serves.map(|serves| serves.basis.name())),
};

pub const TUNNEL: Field = Field {
    name: "tunnel",
    about: "tls where the service is spoken inside TLS (CSV of --services)",
    take: |record| {
        text(
            record
                .serves
                .and_then(|serves| serves.tls.as_ref())
                .map(|_| "tls"),
        )
    },
};

pub const PRODUCT: Field = Field {
    name: "product",
    about: "the software that answered (CSV of --services)",
    take: |record| {
        text(
            record
                .application()
                .map(|software| software.product.as_str()),
        )
    },
};

pub const VERSION: Field = Field {
    name: "version",
    about: "its version (CSV of --services)",
    take: |record| {
        text(
            record
                .application()
                .and_then(|software| software.version.as_deref()),
        )
    },
};

pub const CPE: Field = Field {
    name: "cpe",
    about: "its name by CPE 2.3 (CSV of --services)",
    take: |record| {
        text(
            record
                .application()
                .and_then(|software| software.cpe.as_deref()),
        )
    },
};

pub const SYSTEM: Field = Field {
    name: "system",
    about: "what its host seems to run, the likeliest alone (CSV of --os)",
    take: |record| match record.system.and_then(|system| system.candidates.first()) {
        Some(candidate) => Value::Text(candidate.system.title().into()),
        None => Value::Nothing,
    },
};

pub const VULNERABILITIES: Field = Field {
    name: "vulnerabilities",
    about: "published vulnerabilities, each with how likely it is (CSV of --vulns)",
    take: |record| {
        let told: Vec<String> = record
            .findings
            .iter()
            .map(|finding| format!("{} {}", finding.id, finding.judgement.name()))
            .collect();
        if told.is_empty() {
            Value::Nothing
        } else {
            Value::Text(told.join("; ").into())
        }
    },
};

/// Fields that are only known once the port was talked with, in the order in which formats write them.
pub const SERVICE_FIELDS: [Field; 7] = [
    BASIS,
    TUNNEL,
    PRODUCT,
    VERSION,
    CPE,
    SYSTEM,
    VULNERABILITIES,
];

/// Every field of a port as a scan finds it, in the order in which formats write them.
pub const FIELDS: [Field; 11] = [
    ADDRESS, PORT, PROTOCOL, STATE, REASON, SERVICE, RTT, TTL, ATTEMPTS, TIME, HOST_NAME,
];

/// The field of this name.
pub fn named(name: &str) -> Option<Field> {
    FIELDS
        .iter()
        .chain(&SERVICE_FIELDS)
        .find(|field| field.name == name)
        .copied()
}

/// The same field of a host, where hosts are what was asked for: nothing, where it tells of ports.
pub fn of_host<'a>(field: &Field, alive: &Alive, names: &'a Names) -> Value<'a> {
    match field.name {
        "address" => Value::Text(names.address(&alive.address).into()),
        "state" => Value::Text("up".into()),
        "reason" => Value::Text(alive.sign.name().into()),
        "rtt_us" => microseconds(alive.rtt),
        "time" => Value::Seconds(alive.at.as_secs_f64()),
        "name" => text(names.host(&alive.address)),
        _ => Value::Nothing,
    }
}

/// As formats without types write it: nothing is the empty text, seconds have six digits behind the point.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Seconds(seconds) => write!(f, "{seconds:.6}"),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Seconds(seconds) => {
                serializer.serialize_f64((seconds * 1_000_000.0).round() / 1_000_000.0)
            }
        }
    }
}

fn microseconds(rtt: Option<Duration>) -> Value<'static> {
    rtt.map_or(Value::Nothing, |rtt| {
        Value::Number(u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX))
    })
}

fn text(known: Option<&str>) -> Value<'_> {
    known.map_or(Value::Nothing, |text| Value::Text(text.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_field_says_what_it_is() {
        let all = || FIELDS.into_iter().chain(SERVICE_FIELDS);
        let names: BTreeSet<_> = all().map(|field| field.name).collect();
        assert_eq!(names.len(), all().count());
        for field in all() {
            assert!(field.about.len() > 10, "{}", field.name);
            assert_eq!(
                named(field.name).map(|found| found.about),
                Some(field.about)
            );
        }
    }
}
