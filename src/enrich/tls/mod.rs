//! TLS, the layer in which every dialogue may be spoken again: [`session`] speaks 1.2 and 1.3, [`hello`] asks for single
//! versions by a hello of our own, [`certificate`] reads what the server shows and whether it leads to an authority that
//! this machine trusts.

pub mod certificate;
pub mod hello;
pub mod session;

/// Ports where TLS usually begins at once.
pub const PORTS: [u16; 24] = [
    443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2376, 3269, 4443, 5061, 5671, 5986,
    6443, 6697, 8443, 8883, 9093, 9443, 10250,
];
