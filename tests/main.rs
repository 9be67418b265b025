//! All integration tests, in one binary.

mod connect;
mod scenarios;
