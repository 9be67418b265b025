//! Bytes to values and back, starting at the IP header: the SYN that asks, the cookie that it carries, the reply.
//!
//! ```text
//! cookie -> syn ~~~ network ~~~> reply (parse: is it well formed?) -> judge (is it an answer to us?)
//! ```
//!
//! Pure: no I/O, no clock, no randomness of its own. Nothing in here can panic on bytes from the network.

mod checksum;
pub mod cookie;
pub mod echo;
pub mod flows;
mod headers;
pub mod judge;
pub mod neighbour;
pub mod reply;
mod signature;
pub mod syn;

pub use cookie::Cookie;
pub use flows::Flows;
pub use judge::{Evidence, Judge, Stray};
pub use reply::{ChecksumStatus, Reply, Unusable, parse};
pub use signature::signature;
pub use syn::{Syn, SynShape, SynTemplate};
