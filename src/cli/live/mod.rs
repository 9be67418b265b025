//! What somebody at a terminal sees of a running scan, and may tell it by a key.
//!
//! ```text
//! keyboard --> keys (a thread) --> Control          pause, finish: at once
//!                   |
//!                   +------------> watch (the report's thread): rate, status, what was found, help
//! ```

mod found;
pub mod keys;
pub mod raw;
pub mod watch;
