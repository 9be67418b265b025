//! Every `unsafe` block of the program: each with the reason why it is sound.

pub(crate) mod batch;
pub(crate) mod filter;
pub(crate) mod packet_option;
pub(crate) mod ring;
