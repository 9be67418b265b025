//! All integration tests in one binary, but for the kernel scenarios (`tests/kernel`), because those must run alone.

#[macro_use]
mod around;

mod architecture;
mod calibration;
mod claims;
mod cli;
mod confirmations;
mod connect;
mod connect_limits;
mod connect_privilege;
mod connect_route;
mod host_rate;
mod identify;
mod judges;
#[allow(
    dead_code,
    reason = "the lab is used in full by the lab example and the kernel tests; here only its own unit tests run"
)]
mod lab;
mod late_senders;
mod library;
mod ping;
mod plan;
mod rate_on_the_wire;
mod raw;
mod reports;
mod results;
mod scenarios;
mod services;
mod steering;
mod systems;
mod tracking;
mod vulnerabilities;
mod wire;
