//! Halfopen: a TCP port scanner whose open-port list is right, and the same in every mode.
//!
//! ```text
//! argv --> cli --> plan --> engine <==> transport (+ wire) --> engine --> enrich --> report
//!          typed    index    what to send, when, what          verdicts    facts      bytes out
//!          resolved |-> endpoint  silence means                 & confidence
//! ```
//!
//! Rules, kept by the machine where it can:
//!
//! - R1 Only `transport/` opens sockets, spawns network threads or reads a clock (`clippy.toml`, disallowed-methods).
//! - R2 `model`, `plan`, `engine`, `wire`, `enrich`, `results` are pure: time and seed come in as arguments.
//! - R3 Edges: everything -> `model`; `engine -> plan`; `transport -> wire, enrich`; `store -> enrich`;
//!   `scan -> plan, engine, transport, enrich`; `report -> model`; `results -> plan, engine, report`; `cli -> all`.
//!   `tests/architecture` fails on any other edge.
//! - R4 The library cannot see the CLI: `cli` is a module of `main.rs` and uses only the public API.
//! - R5 No `unsafe` outside `transport/sys/`.
//! - R6 The library never prints, never exits, never panics on anything that came from outside.
//!
//! # A scan from Rust
//!
//! ```no_run
//! use halfopen::{Event, Options, Plan, Scan, State};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let plan = Plan::parse("127.0.0.1 ::1", "22,80,8000-8100")?;
//!     for event in Scan::open(plan, Options::default())?.events()? {
//!         match event? {
//!             Event::Verdict(port) if port.state == State::Open => println!("{}", port.endpoint),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! [`Scan::events`] is an iterator on a thread of its own; [`Scan::run`] calls back on this one, and takes any
//! `FnMut(Event)` or a [`Sink`] that can say that it is full. [`Options`] are public fields with defaults; times are
//! [`Duration`](std::time::Duration)s, rates SYNs per second, loss a fraction per round trip.
//!
//! What is shown here, in [`plan`] and in [`report`] is the library; enumerations that may grow say so. Modules that are
//! public and not shown are the stages above, open to this project's own tests and benchmarks: they change at will.
#![deny(unsafe_code)]

#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod enrich;
#[doc(hidden)]
pub mod model;
pub mod plan;
pub mod report;
#[doc(hidden)]
pub mod results;
pub mod scan;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod transport;
#[doc(hidden)]
pub mod wire;

pub use crate::model::{
    Address, Alive, Claim, Endpoint, Event, HostLoss, HostNote, Kept, LocalFault, Looked, Note,
    Oddness, Pinged, Progress, Proof, Reason, Sign, State, Summary, Through, Time, Told,
    Unreachable, Untested, Verdict,
};
pub use crate::plan::Plan;
pub use crate::scan::{
    Confirm, Control, Events, Identify, Mode, OpenError, Options, Ping, Scan, SelfTest, SendPath,
    Services, Sink, Stop, Systems, self_test,
};
