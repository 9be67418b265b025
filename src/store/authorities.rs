//! The certificates of the authorities that this machine trusts, where distributions keep them.

use std::fs::File;
use std::io::Read as _;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The certificates in DER; none where this machine has no such list.
pub fn of_this_machine() -> Vec<Vec<u8>> {
    PLACES.into_iter().find_map(read).unwrap_or_default()
}

fn read(path: &str) -> Option<Vec<Vec<u8>>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(LARGEST)
        .read_to_end(&mut text)
        .ok()?;
    let certificates = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok);
    let certificates: Vec<Vec<u8>> = certificates
        .map(|certificate| certificate.to_vec())
        .collect();
    (!certificates.is_empty()).then_some(certificates)
}

/// Debian and Arch, Fedora and RHEL, SUSE, Alpine.
const PLACES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Real lists have a quarter of a megabyte.
const LARGEST: u64 = 8 << 20;
