//! The one test binary.

mod scenarios;
