//! The wire stage against pnet as the oracle, and against hostile bytes.

mod craft;
mod hostile;
mod icmp;
mod packets;
mod replies;
