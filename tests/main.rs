//! All integration tests, in one binary.

mod connect;
mod connect_privilege;
mod connect_route;
mod plan;
mod scenarios;
mod wire;
