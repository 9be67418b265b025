//! Data files and databases: read here, and handed on. They are opened before privileges are dropped, and no clock is read.

pub mod authorities;
pub mod feeds;
mod place;
pub mod rule_files;
pub mod vulns;
