//! The one list of what is known about a port. Every format takes its names, its order and its values from here.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::model::Verdict;
use crate::report::names::Names;

/// A verdict with the names that its reader needs.
#[derive(Clone, Copy, Debug)]
pub struct PortRecord<'a> {
    pub verdict: &'a Verdict,
    pub names: &'a Names,
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
    take: |record| {
        Value::Text(
            record
                .names
                .address(&record.verdict.endpoint.address)
                .into(),
        )
    },
};

pub const PORT: Field = Field {
    name: "port",
    about: "the TCP port",
    take: |record| Value::Number(record.verdict.endpoint.port.into()),
};

pub const PROTOCOL: Field = Field {
    name: "protocol",
    about: "the transport protocol: tcp",
    take: |_| Value::Text("tcp".into()),
};

pub const STATE: Field = Field {
    name: "state",
    about: "open, closed, filtered, suspect or error",
    take: |record| Value::Text(record.verdict.state.name().into()),
};

pub const REASON: Field = Field {
    name: "reason",
    about: "what the state was concluded from",
    take: |record| Value::Text(record.verdict.reason.name().into()),
};

pub const SERVICE: Field = Field {
    name: "service",
    about: "the service registered for the port (by number; nobody asked the server)",
    take: |record| text(record.names.service(record.verdict.endpoint.port)),
};

pub const RTT: Field = Field {
    name: "rtt_us",
    about: "round-trip time in microseconds, where the answer belongs to exactly one SYN",
    take: |record| {
        record.verdict.rtt.map_or(Value::Nothing, |rtt| {
            Value::Number(u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX))
        })
    },
};

pub const TTL: Field = Field {
    name: "ttl",
    about: "hop limit of the answer; not known in connect mode",
    take: |record| {
        record
            .verdict
            .ttl
            .map_or(Value::Nothing, |ttl| Value::Number(ttl.into()))
    },
};

pub const ATTEMPTS: Field = Field {
    name: "attempts",
    about: "attempts made when the answer came, or in all",
    take: |record| Value::Number(record.verdict.attempts.into()),
};

pub const TIME: Field = Field {
    name: "time",
    about: "when it was decided, in seconds since the scan began",
    take: |record| Value::Seconds(record.verdict.at.as_secs_f64()),
};

pub const HOST_NAME: Field = Field {
    name: "name",
    about: "the name by which the host was given",
    take: |record| text(record.names.host(&record.verdict.endpoint.address)),
};

/// Every field, in the order in which formats write them.
pub const FIELDS: [Field; 11] = [
    ADDRESS, PORT, PROTOCOL, STATE, REASON, SERVICE, RTT, TTL, ATTEMPTS, TIME, HOST_NAME,
];

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

fn text(known: Option<&str>) -> Value<'_> {
    known.map_or(Value::Nothing, |text| Value::Text(text.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_field_says_what_it_is() {
        let names: BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), FIELDS.len());
        for field in FIELDS {
            assert!(field.about.len() > 10, "{}", field.name);
        }
    }
}
