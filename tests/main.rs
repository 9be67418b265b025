//! All integration tests are one binary: one link, one list.

mod cli;
mod plan;
mod reports;
