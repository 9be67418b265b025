//! All integration tests, in one binary.

mod cli;
mod connect;
mod connect_limits;
mod connect_privilege;
mod connect_route;
mod plan;
mod raw;
mod reports;
mod scenarios;
mod wire;
