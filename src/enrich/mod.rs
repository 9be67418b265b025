//! What is behind a port: from what was said to what it means. Pure: bytes and facts in, facts out.

pub mod cpe;
pub mod hardware;
pub mod rules;
pub mod system;
pub mod vulns;
