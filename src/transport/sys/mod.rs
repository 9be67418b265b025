//! Every `unsafe` block of the program: each with the reason why it is sound.

pub(crate) mod batch;
pub(crate) mod error_queue;
pub(crate) mod filter;
pub(crate) mod line;
pub(crate) mod packet_option;
pub(crate) mod ring;
pub(crate) mod socket_option;
pub(crate) mod tcp_info;
