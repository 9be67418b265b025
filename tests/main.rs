//! The one test binary. Kernel scenarios have their own (`tests/kernel`), because they must run alone.
#![deny(unsafe_code)]

mod architecture;
#[allow(
    dead_code,
    reason = "the lab is used in full by the lab example and the kernel tests; here only its own unit tests run"
)]
mod lab;
