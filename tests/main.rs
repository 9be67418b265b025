//! All integration tests, in one binary.

mod connect;
mod plan;
mod scenarios;
