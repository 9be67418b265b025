//! The one test binary.

mod plan;
