//! What is behind an open port: dialogues as bytes in, bytes out.
//!
//! ```text
//! connection --> Interview --> Conversation (plain or TLS) --> Dialogue of one protocol --> Recognised --> facts
//!                which rounds, how long                         what to say, what the answer means   (by rules)
//! ```
//!
//! [`interview`] decides what is tried on one endpoint and in which order, [`dialogue`] is what a protocol must know for it,
//! [`protocols`] are the protocols, [`tls`] is the layer in which all of them may be spoken. Nothing here opens a socket or
//! reads a clock: `transport/talk` carries the bytes. Nothing that is said changes anything at the server: no logins, no
//! writes.

pub mod dialogue;
pub mod hardware;
pub mod interview;
pub mod protocols;
pub mod reader;
pub mod rules;
pub mod system;
pub mod tls;
pub mod vulns;
