//! All integration tests, in one binary.

mod connect;
mod connect_limits;
mod connect_privilege;
mod connect_route;
