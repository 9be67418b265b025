//! Known vulnerabilities of what a server runs: how versions are ordered, which ranges they fall into, and what that is
//! worth. What the feeds say is read by `store/`; here it is judged. Pure.

pub mod build;
pub mod dpkg;
pub mod id;
pub mod judge;
pub mod known;
pub mod names;
pub mod order;
pub mod range;
