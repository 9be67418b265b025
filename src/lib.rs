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
//! - R2 `model`, `plan`, `engine`, `wire`, `results` are pure: time and seed come in as arguments.
//! - R3 Edges: everything -> `model`; `engine -> plan`; `transport -> wire`; `scan -> plan, engine, transport`;
//!   `report -> model`; `results -> plan, engine, report`; `cli -> all`. `tests/architecture` fails on any other edge.
//! - R4 The library cannot see the CLI: `cli` is a module of `main.rs` and uses only the public API.
//! - R5 No `unsafe` outside `transport/sys/`.
//! - R6 The library never prints, never exits, never panics on anything that came from outside.
#![deny(unsafe_code)]

pub mod engine;
pub mod model;
pub mod plan;
pub mod report;
pub mod results;
pub mod scan;
pub mod transport;
pub mod wire;
