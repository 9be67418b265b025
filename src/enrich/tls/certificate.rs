//! What a server's certificate says, and whether it leads to an authority that this machine trusts.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use crate::enrich::dialogue::text;
use crate::model::facts::{Certificate, Trust, Validity};

/// The authorities that this machine trusts.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Option<Arc<WebPkiServerVerifier>>);

impl Authorities {
    /// These certificates in DER; what is no certificate is left out. None at all: nothing can be judged.
    pub fn new(certificates: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates.into_iter().map(CertificateDer::from));
        if store.is_empty() {
            return Self(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self(
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
                .build()
                .ok(),
        )
    }
}

/// Reads the first of these certificates (DER) and judges it as it is `now`; `None` where it cannot be read.
pub fn read(chain: &[Vec<u8>], authorities: &Authorities, now: SystemTime) -> Option<Certificate> {
    let der = chain.first()?;
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let not_before = moment(&certificate.validity().not_before);
    let not_after = moment(&certificate.validity().not_after);
    let validity = if now > not_after {
        Validity::Expired
    } else if now < not_before {
        Validity::NotYetValid
    } else {
        Validity::Valid
    };
    let within = now.clamp(not_before.min(not_after), not_after);
    let issuer = match certificate.subject().as_raw() == certificate.issuer().as_raw() {
        true => Issuer::Itself,
        false => Issuer::Another,
    };
    let mut sha256 = [0; 32];
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    sha256.copy_from_slice(digest.as_ref().get(..32)?);
    Some(Certificate {
        subject: text(certificate.subject().to_string().as_bytes()),
        issuer: text(certificate.issuer().to_string().as_bytes()),
        names: names(&certificate),
        not_before,
        not_after,
        validity,
        trust: trust(chain, authorities, within, issuer),
        sha256,
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(text(name.as_bytes())),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
    names.take(MOST_NAMES).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(sixteen).to_string())
}

/// Who a certificate says that it was signed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Issuer {
    Itself,
    Another,
}

/// Whether the chain leads to an authority, apart from when and for which name it is used.
fn trust(
    chain: &[Vec<u8>],
    authorities: &Authorities,
    within: SystemTime,
    issuer: Issuer,
) -> Trust {
    let trusted = authorities.0.as_ref().map(|verifier| {
        let mut certificates = chain.iter().map(|der| CertificateDer::from(der.as_slice()));
        let Some(first) = certificates.next() else {
            return false;
        };
        let others: Vec<_> = certificates.collect();
        let Ok(name) = ServerName::try_from("halfopen.invalid") else {
            return false;
        };
        let since = within.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let at = UnixTime::since_unix_epoch(since);
        match verifier.verify_server_cert(&first, &others, &name, &[], at) {
            Ok(_) => true,
            // The name is looked at last.
            Err(Error::InvalidCertificate(error)) => matches!(
                error,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ),
            Err(_) => false,
        }
    });
    match trusted {
        Some(true) => Trust::Trusted,
        _ if issuer == Issuer::Itself => Trust::SelfSigned,
        Some(false) => Trust::UnknownIssuer,
        None => Trust::NotJudged,
    }
}

fn moment(time: &ASN1Time) -> SystemTime {
    let seconds = time.timestamp();
    let magnitude = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 {
        UNIX_EPOCH.checked_sub(magnitude)
    } else {
        UNIX_EPOCH.checked_add(magnitude)
    };
    moment.unwrap_or(UNIX_EPOCH)
}

/// Names that are kept of one certificate.
const MOST_NAMES: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    #[test]
    fn self_signed_and_by_an_authority() {
        let signed =
            rcgen::generate_simple_self_signed(["host.example".to_owned(), "10.0.0.1".to_owned()]);
        let der = signed.expect("a certificate").cert.der().to_vec();
        let read_it =
            read(std::slice::from_ref(&der), &Authorities::default(), now()).expect("readable");
        assert_eq!(read_it.names, ["host.example", "10.0.0.1"]);
        assert_eq!(
            (read_it.trust, read_it.validity),
            (Trust::SelfSigned, Validity::Valid)
        );

        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "An authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let mut server = CertificateParams::new(vec!["db.example".to_owned()]).expect("parameters");
        server.not_after = rcgen::date_time_ymd(2020, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let server = server
            .signed_by(&key, &authority)
            .expect("signed")
            .der()
            .to_vec();
        let trusted = Authorities::new([authority.der().to_vec()]);
        let read_it = read(std::slice::from_ref(&server), &trusted, now()).expect("readable");
        assert_eq!(
            (read_it.trust, read_it.validity),
            (Trust::Trusted, Validity::Expired)
        );
        assert!(
            read_it.issuer.contains("An authority"),
            "{}",
            read_it.issuer
        );
        let others = Authorities::new([der]);
        let read_it = read(std::slice::from_ref(&server), &others, now()).expect("readable");
        assert_eq!(read_it.trust, Trust::UnknownIssuer);
        let read_it = read(&[server], &Authorities::default(), now()).expect("readable");
        assert_eq!(read_it.trust, Trust::NotJudged);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..600) {
            let signed = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
            let mut der = signed.cert.der().to_vec();
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            der.truncate(cut);
            read(&[der], &Authorities::default(), now());
        }
    }
}
